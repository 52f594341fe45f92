// Declarations that the kernel's files share: boxes, pixel mapping, conversions, checks of data.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <vector>

#pragma GCC visibility push(default)
extern "C" {
#include "kernel.h"
}
#pragma GCC visibility pop

struct ZSTD_DCtx_s;

namespace czk {

constexpr int32_t absent = CZK_ABSENT;
constexpr int32_t uncompressed = 0, zstd0 = 5, zstd1 = 6;  // numbers of the file format

// Larger coordinates are refused: sums of two of these, and their doubles, are exact.
constexpr int64_t far_away = int64_t{1} << 52;

inline int64_t as_integer(double value) {  // clamps numbers far beyond all coordinates
    constexpr auto most = static_cast<double>(far_away);
    return static_cast<int64_t>(value > -most ? std::min(value, most) : -most);
}

// Right and bottom are excluded.
struct Box {
    int64_t left, top, right, bottom;

    static constexpr int64_t huge = INT64_MAX / 4;

    bool empty() const { return left >= right || top >= bottom; }
    // At most `huge`, whatever the sides are.
    int64_t area() const {
        const int64_t w = right - left, h = bottom - top;
        return w > huge / h ? huge : w * h;
    }
    bool meets(const Box &other) const {
        return left < other.right && right > other.left && top < other.bottom &&
               bottom > other.top;
    }
    Box within(const Box &other) const {
        return {std::max(left, other.left), std::max(top, other.top),
                std::min(right, other.right), std::min(bottom, other.bottom)};
    }
    Box around(const Box &other) const {
        return {std::min(left, other.left), std::min(top, other.top),
                std::max(right, other.right), std::max(bottom, other.bottom)};
    }
};

inline Box box_of(const czk_tiles &tiles, int64_t tile) {
    const int64_t x = tiles.x[tile], y = tiles.y[tile];
    return {x, y, x + tiles.w[tile], y + tiles.h[tile]};
}

// Calls visit(tile) for the tiles of a plane that share a pixel with a region; groups of tiles for
// whose zooms wanted(lowest, highest) is false are passed over.
using Wanted = std::function<bool(float lowest, float highest)>;
using Visit = std::function<void(int32_t tile)>;
void search(const czk_tiles &tiles, int64_t plane, const Box &region, const Wanted &wanted,
            const Visit &visit);

// Makes the grid of a group over boxes that lie in `all`, and are this large on average. Cells grow
// where the boxes lie far apart, so that there are at most `most`.
void make_grid(czk_group &grid, const Box &all, int64_t w, int64_t h, int64_t most);

// The cells where boxes begin, none larger than the group's largest, that may meet this one.
Box cells_of(const czk_group &grid, const Box &box);

using Boxes = std::vector<Box>;

// A part of the box with this index in a list of boxes.
struct Part {
    int32_t box;
    Box area;
};

// Finds the visible parts of boxes that are painted over each other, those of the last boxes first,
// and the number of pixels they cover. False if they overlap so much that it would take too long.
bool visible_parts(const Boxes &boxes, std::vector<Part> &parts, int64_t &covered);

// Maps the pixels of a region to those of one tile, along one axis.
struct Axis {
    int64_t first, end;  // the pixels of the region that the tile covers
    int64_t offset;      // copied: the pixel of the region that shows its first one
    int64_t size;        // pixels of the tile
    double scale, target, source, divisor;
    enum { copied, zoomed, gridded } kind;

    // Returns the pixel of the tile for one of the region, which is between first and end.
    int64_t nearest(int64_t at) const;
};

Axis axis_of(const czk_tiles &tiles, int64_t tile, const czk_region &region, bool is_vertical);

// Returns whether the numbers of a region are too small to overflow.
bool is_possible(const czk_region &region);

// Memory that grows and is not cleared.
class Buffer {
public:
    // Returns memory of this size, or throws std::bad_alloc. Earlier contents are lost.
    uint8_t *take(int64_t size) {
        if (size <= size_) return memory_.get();
        size_ = 0, memory_.reset();
        const int64_t spare = size / 16 + 64;
        if (size > INT64_MAX - spare) throw std::bad_alloc();
        memory_.reset(new uint8_t[static_cast<size_t>(size + spare)]);
        size_ = size + spare;
        return memory_.get();
    }

private:
    std::unique_ptr<uint8_t[]> memory_;
    int64_t size_ = -1;
};

// Converts consecutive pixels.
using Convert = void (*)(const uint8_t *from, uint8_t *to, int64_t count);

int64_t pixel_size(int32_t pixel_type);        // bytes; 0 for an unknown type
bool has_sixteen_bits(int32_t pixel_type);
Convert conversion(int32_t from, int32_t to);  // NULL if there is none or the types are equal

// zstd data whose first bytes were inspected.
struct Packed {
    const uint8_t *frame;
    int64_t frame_size;
    int64_t content;  // bytes; -1 if the data are unusual in any way
    bool hilo;        // the low bytes of all words, then the high ones

    // The end of the bytes of the content that hold the first bytes of the pixels.
    int64_t end_of(int64_t wanted) const { return hilo ? (content + wanted) / 2 : wanted; }
};

Packed look_at_packed(int32_t compression, const uint8_t *data, int64_t size, int32_t pixel_type);

// Decodes the first bytes of the content of a frame, block by block; returns false if it has fewer.
// What follows them is not looked at, and may be damaged. The first call allocates the memory.
using Context = std::shared_ptr<ZSTD_DCtx_s>;
bool decode(Context &memory, const Packed &packed, uint8_t *content, int64_t wanted);

// Joins low and high bytes to words.
void join_bytes(const uint8_t *low, const uint8_t *high, uint8_t *words, int64_t count);

// Finds the data of a sub-block by its head, which must agree with the directory in everything.
// Returns false if anything is unusual. `head` is its segment from the first byte on.
bool check_head(const czk_directory &directory, int64_t sub_block, const uint8_t *head,
                int64_t size, int64_t *data_offset, int64_t *data_size);
constexpr int64_t least_head = 288, longest_head = 48 + 32 + 20 * 40, usual_head = 288 + 1024;

// Calls a function; returns -1 if there is no memory.
template <typename Act>
int64_t guarded(Act act) {
    try {
        return act();
    } catch (const std::bad_alloc &) {
        return -1;
    }
}

template <typename Number>
Number read_number(const uint8_t *from) {  // little-endian, like every machine that has a build
    Number value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

}  // namespace czk
