// zstd data of sub-blocks: inspecting, decoding and encoding.
//
// zstd0 is a plain frame. zstd1 has a header before it: 01, or 03 01 and a byte whose lowest bit
// means that the low bytes of all 16-bit words come first, then the high ones (HiLo).

#define ZSTD_STATIC_LINKING_ONLY
#include "internal.h"
#include "zstd.h"

namespace czk {
namespace {

// Of more content than this, no more memory is believed than so many times the data.
constexpr int64_t least_data = 8;  // a header, and the first bytes of a frame
constexpr int64_t large = 1 << 30, growth_of_large = 1024, spare = 64 << 20, growth = 32768;

}  // namespace

Packed look_at_packed(int32_t compression, const uint8_t *data, int64_t size, int32_t pixel_type) {
    Packed packed{data, size, -1, false};
    if (size < least_data) return packed;
    const bool has_flags = compression == zstd1 && data[0] == 3 && data[1] == 1;
    if (compression == zstd1 && data[0] != 1 && !has_flags) return packed;
    const int64_t head = has_flags ? 3 : compression == zstd1 ? 1 : 0;
    packed.frame += head, packed.frame_size -= head;
    packed.hilo = has_flags && (data[2] & 1);
    if (packed.hilo && !has_sixteen_bits(pixel_type)) return packed;
    if (read_number<uint32_t>(packed.frame) != ZSTD_MAGICNUMBER) return packed;
    const auto frame_size = static_cast<size_t>(packed.frame_size);
    const unsigned long long content = ZSTD_getFrameContentSize(packed.frame, frame_size);
    if (content > INT64_MAX) return packed;  // unknown, or no frame
    const auto claimed = static_cast<int64_t>(content);
    const int64_t believed = size > large ? INT64_MAX : std::max(large, growth_of_large * size);
    if (claimed <= believed && (claimed - spare) / growth <= size) packed.content = claimed;
    return packed;
}

bool decode(Context &memory, const Packed &packed, uint8_t *content, int64_t wanted) {
    if (!memory) memory.reset(ZSTD_createDCtx(), ZSTD_freeDCtx);
    ZSTD_DCtx *const context = memory.get();
    if (!context) throw std::bad_alloc();
    if (ZSTD_isError(ZSTD_decompressBegin(context))) return false;
    const bool is_all = wanted == packed.content;  // the end of the frame is checked, too
    int64_t used = 0, done = 0;
    while (done < wanted || is_all) {
        const size_t next = ZSTD_nextSrcSizeToDecompress(context);
        if (next == 0 || next > static_cast<size_t>(packed.frame_size - used)) break;
        const size_t found =
            ZSTD_decompressContinue(context, content + done, static_cast<size_t>(packed.content - done),
                                    packed.frame + used, next);
        if (ZSTD_isError(found)) return false;
        used += static_cast<int64_t>(next), done += static_cast<int64_t>(found);
    }
    return done >= wanted && (!is_all || ZSTD_nextSrcSizeToDecompress(context) == 0);
}

// As ZSTD_compress, whose context takes longer to make than a few KB to compress: each thread keeps
// one for small data. It takes less than 2 MB, at any level.
size_t compress(uint8_t *data, size_t capacity, const uint8_t *content, size_t size, int level) {
    thread_local std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx *)> small(nullptr, ZSTD_freeCCtx);
    if (size > 64 << 10) return ZSTD_compress(data, capacity, content, size, level);
    if (!small) small.reset(ZSTD_createCCtx());
    if (!small) throw std::bad_alloc();
    return ZSTD_compressCCtx(small.get(), data, capacity, content, size, level);
}

void join_bytes(const uint8_t *low, const uint8_t *high, uint8_t *words, int64_t count) {
    for (int64_t at = 0; at < count; at++) {
        const auto word = static_cast<uint16_t>(low[at] | high[at] << 8);
        std::memcpy(words + 2 * at, &word, sizeof word);
    }
}

}  // namespace czk

const char *czk_zstd_version(void) { return ZSTD_versionString(); }

int32_t czk_unpack(int32_t compression, const uint8_t *data, int64_t data_size, uint8_t *pixels,
                   int64_t size, int64_t wanted, int32_t pixel_type) {
    const czk::Packed packed = czk::look_at_packed(compression, data, data_size, pixel_type);
    if (packed.content < 0 || packed.content != size || wanted < 0 || wanted > size) return -1;
    return static_cast<int32_t>(czk::guarded([&] {
        czk::Buffer buffer;
        uint8_t *const content = packed.hilo ? buffer.take(size) : pixels;
        czk::Context context;
        if (!czk::decode(context, packed, content, packed.end_of(wanted))) return -1;
        if (packed.hilo) czk::join_bytes(content, content + size / 2, pixels, wanted / 2);
        return 0;
    }));
}

int64_t czk_pack_bound(int64_t size) {
    return static_cast<int64_t>(ZSTD_compressBound(static_cast<size_t>(size))) + 3;
}

int64_t czk_pack(int32_t compression, const uint8_t *pixels, int64_t size, int32_t hilo,
                 int32_t level, uint8_t *data, int64_t capacity) {
    const int64_t head = compression == czk::zstd1 ? 3 : 0;
    if (capacity < head || (hilo && (!head || size % 2))) return -1;
    return czk::guarded([&]() -> int64_t {
        czk::Buffer buffer;
        if (hilo) {
            uint8_t *const low = buffer.take(size), *const high = low + size / 2;
            for (int64_t at = 0; at < size / 2; at++)
                low[at] = pixels[2 * at], high[at] = pixels[2 * at + 1];
            pixels = low;
        }
        if (head) data[0] = 3, data[1] = 1, data[2] = hilo != 0;
        const size_t found = czk::compress(data + head, static_cast<size_t>(capacity - head),
                                           pixels, static_cast<size_t>(size), level);
        return ZSTD_isError(found) ? -1 : static_cast<int64_t>(found) + head;
    });
}
