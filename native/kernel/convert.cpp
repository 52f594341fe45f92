// Converts pixels from the type of a tile to the requested type.
//
// The results are libCZI's: 8-bit values become 16-bit or float values unscaled, 16-bit values become
// 8-bit values by their high byte, and colour becomes gray as the mean of its components. Pixels can
// also become every type that holds them exactly.

#include <complex>

#include "internal.h"

namespace czk {
namespace {

using Complex = std::complex<float>;

// A pixel type: its number in files, its samples, and a letter for their type.
struct Format {
    int32_t type, samples;
    char sample;
};

constexpr int32_t gray16 = 1, bgr48 = 4;
constexpr Format formats[] = {
    {0, 1, 'b'}, {gray16, 1, 'w'}, {12, 1, 'i'}, {2, 1, 'f'}, {13, 1, 'd'}, {10, 1, 'c'},
    {3, 3, 'b'}, {bgr48, 3, 'w'},  {8, 3, 'f'},  {11, 3, 'c'}, {9, 4, 'b'},
};

Format format_of(int32_t type) {
    for (const Format &one : formats)
        if (one.type == type) return one;
    return {type, 0, 'b'};
}

// Calls act(number) with a number of the samples' type.
template <typename Act>
auto with_sample(char sample, Act act) {
    switch (sample) {
    case 'w': return act(uint16_t());
    case 'i': return act(uint32_t());
    case 'f': return act(float());
    case 'd': return act(double());
    case 'c': return act(Complex());
    default: return act(uint8_t());
    }
}

// Whether numbers can be converted to another type: it holds them, or takes their high bytes.
template <typename From, typename To>
constexpr bool becomes = std::is_same_v<From, To> || (std::is_integral_v<From> && sizeof(From) < 4) ||
                         (std::is_arithmetic_v<From> && std::is_same_v<To, double>) ||
                         (std::is_same_v<From, float> && std::is_same_v<To, Complex>);

template <typename From, typename To>
To value_of(From value) {
    if constexpr (std::is_same_v<From, uint16_t> && std::is_same_v<To, uint8_t>)
        return static_cast<To>(value >> 8);
    else
        return static_cast<To>(value);
}

// The mean of blue, green and red; libCZI rounds it for 8 bits, and truncates it for 16.
template <typename From, typename To>
To mean_of(uint32_t sum) {
    if (std::is_same_v<To, float>) return static_cast<To>(static_cast<float>(sum) / 3.0f);
    if (sizeof(From) == 1) return static_cast<To>((sum + 1) / 3);
    return static_cast<To>(sizeof(To) == 1 ? sum / 3 >> 8 : sum / 3);
}

// Colours are copied or become gray; gray is copied to all of them. An added alpha is opaque.
template <typename From, int before, typename To, int after>
void convert(const uint8_t *from, uint8_t *to, int64_t count) {
    for (int64_t at = 0; at < count; at++) {
        To pixel[after];
        From samples[before];
        std::memcpy(samples, from + at * before * int64_t{sizeof(From)}, sizeof samples);
        if constexpr (before >= 3 && after == 1) {
            pixel[0] = mean_of<From, To>(uint32_t{samples[0]} + samples[1] + samples[2]);
        } else {
            for (int sample = 0; sample < std::min(after, 3); sample++)
                pixel[sample] = value_of<From, To>(samples[before == 1 ? 0 : sample]);
            if constexpr (after == 4) pixel[3] = static_cast<To>(255);
        }
        std::memcpy(to + at * after * int64_t{sizeof(To)}, pixel, sizeof pixel);
    }
}

// Only colours of 8 and 16 bits become gray (8, 16 bits or float); only 8 bits get an alpha.
template <typename From, typename To>
Convert one_of(int32_t before, int32_t after) {
    constexpr bool has_mean = sizeof(From) < 4 && (sizeof(To) < 4 || std::is_same_v<To, float>);
    if constexpr (sizeof(From) == 1 && sizeof(To) == 1)
        if (after == 4) return before == 1 ? convert<From, 1, To, 4> : convert<From, 3, To, 4>;
    if (before == 1 && after == 1) return convert<From, 1, To, 1>;
    if (before == 1 && after == 3) return convert<From, 1, To, 3>;
    if (before == 3 && after == 3) return convert<From, 3, To, 3>;
    if (before == 4 && after == 3) return convert<From, 4, To, 3>;
    if constexpr (has_mean)
        if (after == 1) return before == 3 ? convert<From, 3, To, 1> : convert<From, 4, To, 1>;
    return nullptr;
}

}  // namespace

int64_t pixel_size(int32_t pixel_type) {
    const Format format = format_of(pixel_type);
    auto size_of = [](auto number) { return static_cast<int64_t>(sizeof number); };
    return format.samples * with_sample(format.sample, size_of);
}

bool has_sixteen_bits(int32_t pixel_type) { return pixel_type == gray16 || pixel_type == bgr48; }

Convert conversion(int32_t from_type, int32_t to_type) {
    const Format from = format_of(from_type), to = format_of(to_type);
    if (from_type == to_type) return nullptr;
    return with_sample(from.sample, [&](auto before) {
        return with_sample(to.sample, [&](auto after) -> Convert {
            if constexpr (becomes<decltype(before), decltype(after)>)
                return one_of<decltype(before), decltype(after)>(from.samples, to.samples);
            return nullptr;
        });
    });
}

}  // namespace czk
