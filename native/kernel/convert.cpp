// Converts pixels from the type in which a tile is stored to the type that is asked for.
//
// The numbers are libCZI's: 8-bit values become 16-bit or float ones unscaled, 16-bit values become
// 8-bit ones by their high byte, and colour becomes gray as the mean of its components. Beyond
// that, pixels become every type that holds them exactly.

#include <complex>
#include <cstring>

#include "internal.h"

namespace czk {
namespace {

using Complex = std::complex<float>;
static_assert(sizeof(Complex) == 8);

enum PixelType : int32_t {
    gray8 = 0, gray16 = 1, gray32_float = 2, bgr24 = 3, bgr48 = 4, bgr96_float = 8, bgra32 = 9,
    gray64_complex = 10, bgr192_complex = 11, gray32 = 12, gray64_float = 13
};

struct Format {
    int32_t type;
    int8_t samples, sample_size;
};

constexpr Format formats[] = {
    {gray8, 1, 1},       {gray16, 1, 2}, {gray32_float, 1, 4},   {bgr24, 3, 1},
    {bgr48, 3, 2},       {bgr96_float, 3, 4}, {bgra32, 4, 1},    {gray64_complex, 1, 8},
    {bgr192_complex, 3, 8}, {gray32, 1, 4}, {gray64_float, 1, 8},
};

const Format *format_of(int32_t type) {
    for (const Format &one : formats)
        if (one.type == type) return &one;
    return nullptr;
}

template <typename Number>
Number load(const uint8_t *from, int64_t at) {
    Number value;
    std::memcpy(&value, from + at * static_cast<int64_t>(sizeof value), sizeof value);
    return value;
}

template <typename Number>
void store(uint8_t *to, int64_t at, Number value) {
    std::memcpy(to + at * static_cast<int64_t>(sizeof value), &value, sizeof value);
}

// The same number; of 16 bits that become 8, the high ones.
template <typename From, typename To>
To value_of(From value) {
    if constexpr (std::is_same_v<From, To>)
        return value;
    else if constexpr (std::is_same_v<From, uint16_t> && std::is_same_v<To, uint8_t>)
        return static_cast<To>(value >> 8);
    else if constexpr (std::is_same_v<To, Complex>)
        return Complex(static_cast<float>(value), 0.0f);
    else
        return static_cast<To>(value);
}

// Each of the colours becomes the same one, and gray becomes all of them. An alpha is opaque.
template <typename From, int before, typename To, int after>
void spread(const uint8_t *from, uint8_t *to, int64_t count) {
    constexpr int colours = after < 3 ? after : 3;
    for (int64_t at = 0; at < count; at++) {
        for (int sample = 0; sample < colours; sample++)
            store<To>(to, at * after + sample,
                      value_of<From, To>(load<From>(from, at * before + (before == 1 ? 0 : sample))));
        if constexpr (after == 4) store<To>(to, at * after + 3, 255);
    }
}

// The mean of blue, green and red; libCZI rounds it for 8 bits, and cuts it for 16.
template <typename From, int before, typename To>
void mean(const uint8_t *from, uint8_t *to, int64_t count) {
    for (int64_t at = 0; at < count; at++) {
        uint32_t sum = 0;
        for (int sample = 0; sample < 3; sample++) sum += load<From>(from, at * before + sample);
        if constexpr (std::is_same_v<To, float>)
            store<To>(to, at, static_cast<float>(sum) / 3.0f);
        else if constexpr (sizeof(From) == 1)
            store<To>(to, at, static_cast<To>((sum + 1) / 3));
        else
            store<To>(to, at, static_cast<To>(sizeof(To) == 1 ? sum / 3 >> 8 : sum / 3));
    }
}

struct Conversion {
    int32_t from, to;
    Convert convert;
};

constexpr Conversion conversions[] = {
    {gray8, gray16, spread<uint8_t, 1, uint16_t, 1>},
    {gray8, gray32, spread<uint8_t, 1, uint32_t, 1>},
    {gray8, gray32_float, spread<uint8_t, 1, float, 1>},
    {gray8, gray64_float, spread<uint8_t, 1, double, 1>},
    {gray8, gray64_complex, spread<uint8_t, 1, Complex, 1>},
    {gray8, bgr24, spread<uint8_t, 1, uint8_t, 3>},
    {gray8, bgr48, spread<uint8_t, 1, uint16_t, 3>},
    {gray8, bgra32, spread<uint8_t, 1, uint8_t, 4>},
    {gray8, bgr96_float, spread<uint8_t, 1, float, 3>},
    {gray8, bgr192_complex, spread<uint8_t, 1, Complex, 3>},
    {gray16, gray8, spread<uint16_t, 1, uint8_t, 1>},
    {gray16, gray32, spread<uint16_t, 1, uint32_t, 1>},
    {gray16, gray32_float, spread<uint16_t, 1, float, 1>},
    {gray16, gray64_float, spread<uint16_t, 1, double, 1>},
    {gray16, gray64_complex, spread<uint16_t, 1, Complex, 1>},
    {gray16, bgr24, spread<uint16_t, 1, uint8_t, 3>},
    {gray16, bgr48, spread<uint16_t, 1, uint16_t, 3>},
    {gray16, bgr96_float, spread<uint16_t, 1, float, 3>},
    {gray16, bgr192_complex, spread<uint16_t, 1, Complex, 3>},
    {gray32, gray64_float, spread<uint32_t, 1, double, 1>},
    {gray32_float, gray64_float, spread<float, 1, double, 1>},
    {gray32_float, gray64_complex, spread<float, 1, Complex, 1>},
    {gray32_float, bgr96_float, spread<float, 1, float, 3>},
    {gray32_float, bgr192_complex, spread<float, 1, Complex, 3>},
    {gray64_complex, bgr192_complex, spread<Complex, 1, Complex, 3>},
    {bgr24, gray8, mean<uint8_t, 3, uint8_t>},
    {bgr24, gray16, mean<uint8_t, 3, uint16_t>},
    {bgr24, gray32_float, mean<uint8_t, 3, float>},
    {bgr24, bgr48, spread<uint8_t, 3, uint16_t, 3>},
    {bgr24, bgra32, spread<uint8_t, 3, uint8_t, 4>},
    {bgr24, bgr96_float, spread<uint8_t, 3, float, 3>},
    {bgr24, bgr192_complex, spread<uint8_t, 3, Complex, 3>},
    {bgr48, gray8, mean<uint16_t, 3, uint8_t>},
    {bgr48, gray16, mean<uint16_t, 3, uint16_t>},
    {bgr48, gray32_float, mean<uint16_t, 3, float>},
    {bgr48, bgr24, spread<uint16_t, 3, uint8_t, 3>},
    {bgr48, bgr96_float, spread<uint16_t, 3, float, 3>},
    {bgr48, bgr192_complex, spread<uint16_t, 3, Complex, 3>},
    {bgr96_float, bgr192_complex, spread<float, 3, Complex, 3>},
    {bgra32, gray8, mean<uint8_t, 4, uint8_t>},
    {bgra32, gray16, mean<uint8_t, 4, uint16_t>},
    {bgra32, gray32_float, mean<uint8_t, 4, float>},
    {bgra32, bgr24, spread<uint8_t, 4, uint8_t, 3>},
    {bgra32, bgr48, spread<uint8_t, 4, uint16_t, 3>},
    {bgra32, bgr96_float, spread<uint8_t, 4, float, 3>},
    {bgra32, bgr192_complex, spread<uint8_t, 4, Complex, 3>},
};

}  // namespace

int64_t pixel_size(int32_t pixel_type) {
    const Format *const format = format_of(pixel_type);
    return format ? int64_t{format->samples} * format->sample_size : 0;
}

bool has_sixteen_bits(int32_t pixel_type) { return pixel_type == gray16 || pixel_type == bgr48; }

bool has_colours(int32_t pixel_type) {
    const Format *const format = format_of(pixel_type);
    return format && format->samples >= 3;
}

Convert conversion(int32_t from, int32_t to) {
    for (const Conversion &one : conversions)
        if (one.from == from && one.to == to) return one.convert;
    return nullptr;
}

}  // namespace czk

extern "C" int32_t czk_converts(int32_t from, int32_t to) {
    return (from == to && czk::pixel_size(from)) || czk::conversion(from, to) ? 1 : 0;
}
