// What the files of the kernel share: boxes, the mapping of pixels, conversions, checks of data.

#ifndef CZICTYPES_KERNEL_INTERNAL_H
#define CZICTYPES_KERNEL_INTERNAL_H

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#pragma GCC visibility push(default)
extern "C" {
#include "kernel.h"
}
#pragma GCC visibility pop

namespace czk {

constexpr int32_t absent = CZK_ABSENT;
constexpr int32_t uncompressed = 0, zstd0 = 5, zstd1 = 6;  // numbers of the file format

// Right and bottom are excluded.
struct Box {
    int64_t left, top, right, bottom;

    bool empty() const { return left >= right || top >= bottom; }
    // Not above `huge`, whatever the sides are.
    int64_t area() const {
        const int64_t w = right - left, h = bottom - top;
        return w > huge / h ? huge : w * h;
    }
    static constexpr int64_t huge = INT64_MAX / 4;
    bool meets(const Box &other) const {
        return left < other.right && right > other.left && top < other.bottom &&
               bottom > other.top;
    }
    Box within(const Box &other) const {
        return {left > other.left ? left : other.left, top > other.top ? top : other.top,
                right < other.right ? right : other.right,
                bottom < other.bottom ? bottom : other.bottom};
    }
};

// Maps the pixels of a region to those of one tile, along one axis.
struct Axis {
    int64_t first, end;  // the pixels of the region that the tile covers
    int64_t offset;      // copied: the pixel of the region where its first one lies
    int64_t size;        // pixels of the tile
    double scale, target, source, divisor;
    enum { copied, zoomed, gridded } kind;

    // Returns the pixel of the tile for one of the region, which is between first and end.
    int64_t nearest(int64_t at) const;
};

Axis axis_of(const czk_tiles &tiles, int64_t tile, const czk_region &region, bool is_vertical);

// Memory that grows, and is not cleared; data() is NULL where there is none left.
class Buffer {
public:
    Buffer() = default;
    Buffer(const Buffer &) = delete;
    Buffer &operator=(const Buffer &) = delete;
    ~Buffer() { std::free(memory_); }

    // Returns room for so many bytes, or NULL. What was in it before is lost.
    uint8_t *take(int64_t size);

private:
    void *memory_ = nullptr;
    int64_t size_ = 0;
};

// Converts so many pixels, one behind the other.
using Convert = void (*)(const uint8_t *from, uint8_t *to, int64_t count);

int64_t pixel_size(int32_t pixel_type);   // bytes; 0 for an unknown type
bool has_sixteen_bits(int32_t pixel_type);
bool has_colours(int32_t pixel_type);     // blue, green and red
Convert conversion(int32_t from, int32_t to);  // NULL where there is none; also for the same type

// zstd data of which the first bytes were looked at.
struct Packed {
    const uint8_t *frame;
    int64_t frame_size;
    int64_t content;  // bytes; -1 where anything about the data is unusual
    bool hilo;        // the low bytes of all words, then the high ones
};

Packed look_at_packed(int32_t compression, const uint8_t *data, int64_t size, int32_t pixel_type);

// Decodes the first bytes of the content of a frame; false where it does not give so many.
bool decode(void *context, const Packed &packed, uint8_t *content, int64_t wanted);
void *new_context();
void free_context(void *context);

// Joins low and high bytes to words.
void join_bytes(const uint8_t *low, const uint8_t *high, uint8_t *words, int64_t count);

// Finds the data of a sub-block by its head, which must agree with the directory in everything.
// Returns false where anything is unusual. `head` is its segment from the first byte on.
bool check_head(const czk_directory &directory, int64_t sub_block, const uint8_t *head,
                int64_t size, int64_t *data_offset, int64_t *data_size);
constexpr int64_t least_head = 288, longest_head = 48 + 32 + 20 * 40, usual_head = 288 + 1024;

template <typename Number>
Number read_number(const uint8_t *from) {  // little-endian, as is every machine that has a build
    Number value;
    __builtin_memcpy(&value, from, sizeof value);
    return value;
}

}  // namespace czk

#endif
