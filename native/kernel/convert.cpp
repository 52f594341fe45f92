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

constexpr int32_t gray16 = 1, bgr48 = 4;  // numbers of the file format

template <typename Number, int count>
struct Pixel {
    using Sample = Number;
    static constexpr int samples = count;
};

// Calls act(pixel) with a pixel of this type; it has no samples if the type is unknown.
template <typename Act>
auto with_pixel(int32_t type, Act act) {
    switch (type) {
    case 0: return act(Pixel<uint8_t, 1>());
    case gray16: return act(Pixel<uint16_t, 1>());
    case 2: return act(Pixel<float, 1>());
    case 3: return act(Pixel<uint8_t, 3>());
    case bgr48: return act(Pixel<uint16_t, 3>());
    case 8: return act(Pixel<float, 3>());
    case 9: return act(Pixel<uint8_t, 4>());
    case 10: return act(Pixel<Complex, 1>());
    case 11: return act(Pixel<Complex, 3>());
    case 12: return act(Pixel<uint32_t, 1>());
    case 13: return act(Pixel<double, 1>());
    default: return act(Pixel<uint8_t, 0>());
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
template <typename From, int before, typename To, int after>
constexpr bool is_known() {
    if (!before || !after || !becomes<From, To>) return false;
    if (before == after && std::is_same_v<From, To>) return false;  // it needs no conversion
    if (before >= 3 && after == 1)
        return sizeof(From) < 4 && (sizeof(To) < 4 || std::is_same_v<To, float>);
    return after < 4 || (sizeof(From) == 1 && sizeof(To) == 1);
}

}  // namespace

int64_t pixel_size(int32_t pixel_type) {
    return with_pixel(pixel_type, [](auto pixel) {
        return int64_t{sizeof(typename decltype(pixel)::Sample)} * pixel.samples;
    });
}

bool has_sixteen_bits(int32_t pixel_type) { return pixel_type == gray16 || pixel_type == bgr48; }

Convert conversion(int32_t from_type, int32_t to_type) {
    return with_pixel(from_type, [&](auto from) {
        return with_pixel(to_type, [&](auto to) -> Convert {
            using From = typename decltype(from)::Sample;
            using To = typename decltype(to)::Sample;
            if constexpr (is_known<From, from.samples, To, to.samples>())
                return convert<From, from.samples, To, to.samples>;
            return nullptr;
        });
    });
}

}  // namespace czk
