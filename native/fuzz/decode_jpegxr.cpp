// Decodes bytes as libCZI decodes a tile in JPEG XR, for libFuzzer: see __main__.py.

#include "JxrDecode.h"
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <stdexcept>
#include <tuple>

using libCZI::detail::JxrDecode;

static std::size_t bytes_per_pixel(JxrDecode::PixelFormat format)
{
    switch (format)
    {
    case JxrDecode::PixelFormat::kGray8:
        return 1;
    case JxrDecode::PixelFormat::kGray16:
        return 2;
    case JxrDecode::PixelFormat::kBgr24:
        return 3;
    case JxrDecode::PixelFormat::kGray32Float:
        return 4;
    default:
        return 6;
    }
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0)
        return 0;
    std::unique_ptr<char[]> pixels;
    try
    {
        JxrDecode::Decode(data, size,
            [&](JxrDecode::PixelFormat format, std::uint32_t width, std::uint32_t height)
            {
                const std::size_t pixel = bytes_per_pixel(format);
                if (width == 0 || height == 0 || width > 1024 || height > 1024)
                    throw std::runtime_error("too large");
                const std::size_t stride = (width * pixel + 3) / 4 * 4;
                pixels.reset(new char[stride * height]);
                return std::make_tuple(
                    static_cast<void*>(pixels.get()), static_cast<std::uint32_t>(stride));
            });
    }
    catch (const std::exception&) // refused, as damaged data should be
    {
    }
    return 0;
}
