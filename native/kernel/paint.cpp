// Paints the visible parts of tiles into the output, in as many threads as are worthwhile.
//
// Pixels come from the file by positional reads (only the needed rows, and usually only the needed
// columns; one read for small consecutive tiles), from bytes that the caller has read, or from
// pixels that it has decoded.

#include <atomic>
#include <chrono>
#include <exception>
#include <thread>

#include "file.h"
#include "internal.h"

namespace czk {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t band_bytes = 256 << 10;  // stay in the cache between reading and converting
constexpr int64_t far_apart = 16 << 10;    // rows: reading the bytes between them takes longer
constexpr int64_t long_row = 2 << 10;      // is worth a separate read into the output
constexpr int64_t small_data = 64 << 10, longest_gap = 16 << 10, longest_run = 1 << 20;
#ifndef CZICTYPES_THREAD_BYTES  // sanitizers have threads for small files, too
#define CZICTYPES_THREAD_BYTES (4 << 20)
#endif
constexpr int64_t copied_by_one = CZICTYPES_THREAD_BYTES;  // bytes for which one thread is enough
constexpr int64_t decoded_for_copied = 4;                  // the cost of decoding in bytes copied
constexpr int64_t tile_for_copied = 8 << 10;              // the cost of a tile, likewise
constexpr int64_t most_threads = 256, page = 4096;
constexpr int64_t most_unpacked = 64 << 20;  // more takes too long for one call

// Bytes of the file that are in memory.
struct Window {
    const uint8_t *bytes;
    int64_t begin, end;

    const uint8_t *find(int64_t offset, int64_t size) const {
        return bytes && offset >= begin && size >= 0 && offset <= end - size
                   ? bytes + (offset - begin) : nullptr;
    }
};

// Where the pixels of a tile are: in memory, by rows or in two halves, or in the file.
struct Pixels {
    int64_t w, h, stride;
    const uint8_t *rows, *high;  // `high`: the high bytes if `rows` are the low ones
    int64_t first, end;          // the rows that are available
    int64_t offset;              // without `rows`: in the file
};

// A range; the end is excluded.
struct Span {
    int64_t first, end;
};

// A call: its jobs and progress. One thread paints an item: its pending jobs in order.
struct Work {
    const czk_directory &directory;
    const czk_tiles &tiles;
    const czk_region *regions;
    czk_job *jobs;
    const czk_given *given;
    const czk_output &output;
    Clock::time_point deadline;
    std::vector<Span> items{};  // of the jobs
    std::atomic<int64_t> next{0};
    std::atomic<bool> is_over{false}, has_memory{true};

    const czk_region &region_of(const czk_job &job) const { return regions[job.region]; }
    int64_t sub_block_of(const czk_job &job) const {
        return tiles.sub_block ? tiles.sub_block[job.tile] : job.tile;
    }
    // The bytes of a sub-block's pixels, according to its entry.
    int64_t claimed(int64_t sub_block) const {
        const int64_t w = directory.stored_w[sub_block], h = directory.stored_h[sub_block];
        const int64_t row = w * pixel_size(directory.pixel_type[sub_block]);
        return w <= 0 || h <= 0 ? 0 : row > INT64_MAX / h ? INT64_MAX : row * h;
    }
    // Whether the kernel decodes the tile by itself.
    bool is_own(const czk_job &job) const {
        const int64_t sub_block = sub_block_of(job);
        if (tiles.special && tiles.special[job.tile]) return false;
        if (directory.pixel_type[sub_block] != tiles.pixel_type[job.tile]) return false;
        const int32_t how = directory.compression[sub_block];
        return how == uncompressed || how == zstd0 || how == zstd1;
    }
};

// The known data position of a sub-block, which many threads may set at once.
int64_t known_data(const czk_directory &directory, int64_t sub_block, int64_t &size) {
    const int64_t offset = __atomic_load_n(&directory.data_offset[sub_block], __ATOMIC_ACQUIRE);
    if (offset) size = __atomic_load_n(&directory.data_size[sub_block], __ATOMIC_RELAXED);
    return offset;
}

// One thread at work, with its memory.
class Worker {
public:
    explicit Worker(Work &work) : work_(work), directory_(work.directory) {}

    void run(int64_t chunk) {
        const auto count = static_cast<int64_t>(work_.items.size());
        while (!work_.is_over) {
            const int64_t begin = work_.next.fetch_add(chunk);
            if (begin >= count) return;
            const int64_t end = std::min(begin + chunk, count);
            for (int64_t at = begin; at < end && !work_.is_over;) at = paint_run(at, end);
        }
    }

private:
    // Paints items whose bytes are read together: small ones that are close to each other.
    int64_t paint_run(int64_t at, int64_t end) {
        Span run{}, next{};
        int64_t last = at + 1;
        if (is_small(at, run))
            for (; last < end && is_small(last, next) && next.first >= run.first; last++) {
                if (next.first > run.end + longest_gap || next.end - run.first > longest_run) break;
                run.end = std::max(run.end, next.end);
            }
        const Window window = last > at + 1 ? read(run_, run.first, run.end - run.first) : Window{};
        for (; at < last && !work_.is_over; at++) paint_item(work_.items[at], window);
        return at;
    }

    // Reads this number of bytes, or as many as there are.
    Window read(Buffer &buffer, int64_t offset, int64_t size) {
        uint8_t *bytes = buffer.take(size + page);
        // Processors copy slowly to an address whose page offset is slightly above the source's.
        bytes += (static_cast<uintptr_t>(offset) - reinterpret_cast<uintptr_t>(bytes)) % page;
        return {bytes, offset, offset + read_bytes(work_.output.file, offset, bytes, size)};
    }

    // If the caller gave bytes of a tile, no others are read.
    bool is_given() const { return given_ && given_->bytes; }

    // Returns whether an item has few bytes in the file, and sets their expected range.
    bool is_small(int64_t at, Span &place) {
        const czk_job &one = work_.jobs[work_.items[at].first];
        if (one.given >= 0 || !work_.is_own(one)) return false;
        const int64_t sub_block = work_.sub_block_of(one);
        int64_t size = 0;
        place.first = known_data(directory_, sub_block, size);
        if (!place.first) {
            place.first = directory_.position[sub_block];
            size = std::min(work_.claimed(sub_block), longest_run) + usual_head;
        }
        if (size > small_data + usual_head || place.first < 0 || place.first > directory_.file_size)
            return false;
        place.end = place.first + size;
        return true;
    }

    // Jobs of the same tile need its pixels once; those of a region in order stop where one needs
    // the caller.
    void paint_item(const Span &item, const Window &window) {
        for (int64_t first = item.first, end = 0; first < item.end && !work_.is_over; first = end) {
            const czk_job &one = work_.jobs[first];
            auto is_alike = [&](const czk_job &other) {
                return other.tile == one.tile && other.status == CZK_PENDING;
            };
            for (end = first; end < item.end && is_alike(work_.jobs[end]);) end++;
            if (end > first) {
                // A tile that does not fit into memory is left to the caller, too.
                auto paint = [&] { return paint_tile({first, end}, window); };
                const int32_t status = guarded(paint) == 1 ? CZK_DONE : CZK_UNUSUAL;
                for (int64_t at = first; at < end; at++) work_.jobs[at].status = status;
                if (Clock::now() > work_.deadline) work_.is_over = true;
            }
            end = std::max(end, first + 1);
            if (one.status == CZK_UNUSUAL && work_.region_of(one).in_order) return;
        }
    }

    bool paint_tile(const Span &jobs, const Window &window) {
        const czk_job &one = work_.jobs[jobs.first];
        const int32_t type = work_.tiles.pixel_type[one.tile], wanted = work_.output.pixel_type;
        convert_ = conversion(type, wanted);
        from_ = pixel_size(type), to_ = pixel_size(wanted);
        if (!from_ || (!convert_ && type != wanted)) return false;
        given_ = one.given < 0 ? nullptr : work_.given + one.given;
        window_ = is_given() ? Window{given_->bytes, given_->begin, given_->end} : window;
        Pixels pixels{};
        if (given_ && given_->pixels)
            pixels = {given_->w, given_->h, given_->stride, given_->pixels, nullptr,
                      given_->first_row, given_->end_row, 0};
        else if (!find_pixels(jobs, pixels))
            return false;
        if (pixels.w <= 0 || pixels.h <= 0 || std::max(pixels.w, pixels.h) > INT32_MAX) return false;
        for (int64_t at = jobs.first; at < jobs.end; at++)
            if (!paint_box(work_.jobs[at], pixels)) return false;
        return true;
    }

    // Finds the pixels of the tile of some jobs.
    bool find_pixels(const Span &jobs, Pixels &pixels) {
        const czk_job &one = work_.jobs[jobs.first];
        const int64_t sub_block = work_.sub_block_of(one);
        if (!work_.is_own(one)) return false;
        int64_t size = 0;
        pixels.offset = find_data(sub_block, size);
        pixels.w = directory_.stored_w[sub_block], pixels.h = directory_.stored_h[sub_block];
        pixels.stride = pixels.w * from_, pixels.first = pixels.h;
        for (int64_t at = jobs.first; at < jobs.end; at++) {
            pixels.first = std::clamp<int64_t>(work_.jobs[at].first_row, 0, pixels.first);
            pixels.end = std::clamp<int64_t>(work_.jobs[at].end_row, pixels.end, pixels.h);
        }
        if (!pixels.offset || directory_.compression[sub_block] != uncompressed)
            return pixels.offset && unpack(sub_block, size, pixels);
        pixels.rows = window_.find(pixels.offset + pixels.first * pixels.stride,
                                   (pixels.end - pixels.first) * pixels.stride);
        return pixels.rows || !is_given();
    }

    // Decodes the rows up to the end of the needed ones.
    bool unpack(int64_t sub_block, int64_t size, Pixels &pixels) {
        const int64_t content = work_.claimed(sub_block), wanted = pixels.end * pixels.stride;
        if (wanted > most_unpacked) return false;
        const uint8_t *data = window_.find(pixels.offset, size);
        if (!data && !is_given()) data = read(packed_, pixels.offset, size).find(pixels.offset, size);
        if (!data) return false;
        const Packed packed = look_at_packed(directory_.compression[sub_block], data, size,
                                             directory_.pixel_type[sub_block]);
        if (packed.content != content) return false;
        uint8_t *const memory = content_.take(content);
        pixels.rows = memory, pixels.first = 0;
        if (packed.hilo) pixels.high = memory + content / 2, pixels.stride /= 2;
        return decode(context_, packed, memory, packed.end_of(wanted));
    }

    // Returns where the data of a sub-block begin, or 0 if its head is unusual. The bytes that were
    // read, perhaps all of them, stay in memory.
    int64_t find_data(int64_t sub_block, int64_t &size) {
        int64_t offset = known_data(directory_, sub_block, size);
        if (offset) return offset;
        const int64_t position = directory_.position[sub_block], claimed = work_.claimed(sub_block);
        if (position < 0 || position > directory_.file_size - least_head) return 0;
        if (!window_.find(position, least_head) && !is_given())
            window_ = read(head_, position,
                           claimed <= small_data ? claimed + usual_head : longest_head);
        const uint8_t *const head = window_.find(position, least_head);
        if (!head || !check_head(directory_, sub_block, head, window_.end - position, &offset, &size))
            return 0;
        __atomic_store_n(&directory_.data_size[sub_block], size, __ATOMIC_RELAXED);
        __atomic_store_n(&directory_.data_offset[sub_block], offset, __ATOMIC_RELEASE);
        return offset;
    }

    bool paint_box(const czk_job &one, const Pixels &pixels) {
        const czk_region &region = work_.region_of(one);
        x_ = axis_of(work_.tiles, one.tile, region, false);
        y_ = axis_of(work_.tiles, one.tile, region, true);
        if (one.left < x_.first || one.right > x_.end || one.top < y_.first || one.bottom > y_.end)
            return false;
        const int64_t top = row(one.top, pixels), bottom = row(one.bottom - 1, pixels);
        if (top < pixels.first || bottom >= std::min(pixels.end, pixels.h)) return false;
        if (!set_columns(one, pixels)) return false;
        out_ = work_.output.pixels + region.out_offset + one.left * to_;
        out_stride_ = region.out_stride;
        if (!pixels.rows)
            return read_into_place(one, pixels, top, bottom) || paint_from_file(one, pixels);
        for (int64_t at = one.top; at < one.bottom; at++)
            put(at, columns_of(row(at, pixels), pixels));
        return true;
    }

    // Sets the columns of the data that a box shows.
    bool set_columns(const czk_job &one, const Pixels &pixels) {
        left_ = one.left, width_ = one.right - one.left;
        is_run_ = x_.kind == Axis::copied && x_.size == pixels.w;
        first_column_ = stored(x_, pixels.w, left_);
        span_ = stored(x_, pixels.w, one.right - 1) + 1 - first_column_;
        if (first_column_ < 0 || first_column_ + span_ > pixels.w) return false;
        columns_.resize(is_run_ ? 0 : width_);
        for (int64_t at = 0; at < width_ && !is_run_; at++)
            columns_[at] = stored(x_, pixels.w, left_ + at) - first_column_;
        return true;
    }

    // The pixel of the data for one of the output; read and stored sizes differ for special tiles.
    static int64_t stored(const Axis &axis, int64_t size, int64_t at) {
        const int64_t found = axis.nearest(at);
        return axis.size == size ? found : found * size / axis.size;
    }
    int64_t row(int64_t at, const Pixels &pixels) const { return stored(y_, pixels.h, at); }

    // Reads whole rows that need no conversion into their place.
    bool read_into_place(const czk_job &one, const Pixels &pixels, int64_t top, int64_t bottom) {
        const int64_t rows = one.bottom - one.top;
        const int64_t start = pixels.offset + top * pixels.stride;
        uint8_t *const place = out_ + one.top * out_stride_;
        const auto ahead = (reinterpret_cast<uintptr_t>(place) - static_cast<uintptr_t>(start)) % page;
        const bool is_slow = ahead >= 1 && ahead <= 31;  // see `read`
        const bool is_long = pixels.stride >= long_row || pixels.stride == out_stride_;
        const bool is_plain = is_run_ && span_ == pixels.w && bottom + 1 - top == rows && !convert_ &&
                              !(given_ && given_->mask);
        if (!is_plain || !is_long || is_slow) return false;
        return read_rows(work_.output.file, start, place, pixels.stride, rows, out_stride_);
    }

    // Reads as many rows at a time as fit into the cache; distant rows are read one by one.
    bool paint_from_file(const czk_job &one, const Pixels &pixels) {
        for (int64_t at = one.top; at < one.bottom;) {
            const int64_t first = row(at, pixels);
            int64_t end = at + 1, last = first;
            for (; end < one.bottom; end++) {
                const int64_t next = row(end, pixels);
                const bool is_far = (next - last) * pixels.stride - span_ * from_ > far_apart;
                if (is_far || (next + 1 - first) * pixels.stride > band_bytes) break;
                last = next;
            }
            const int64_t start = pixels.offset + first * pixels.stride + first_column_ * from_;
            const int64_t size = (last - first) * pixels.stride + span_ * from_;
            const uint8_t *const band = read(band_, start, size).find(start, size);
            if (!band) return false;
            for (; at < end; at++) put(at, band + (row(at, pixels) - first) * pixels.stride);
        }
        return true;
    }

    // Returns a row from the first needed column on.
    const uint8_t *columns_of(int64_t row, const Pixels &pixels) {
        const int64_t start = (row - pixels.first) * pixels.stride;
        if (!pixels.high) return pixels.rows + start + first_column_ * from_;
        uint8_t *const joined = joined_.take(span_ * from_);
        const int64_t at = start + first_column_ * from_ / 2;
        join_bytes(pixels.rows + at, pixels.high + at, joined, span_ * from_ / 2);
        return joined;
    }

    // Puts pixels of a tile into a row of the output.
    void put(int64_t at, const uint8_t *from) {
        uint8_t *const place = out_ + at * out_stride_;
        const uint8_t *const mask = given_ ? given_->mask : nullptr;
        uint8_t *const to = mask ? masked_.take(width_ * to_) : place;
        if (!is_run_) from = pick(from, convert_ ? picked_.take(width_ * from_) : to);
        if (convert_)
            convert_(from, to, width_);
        else if (is_run_)
            std::memcpy(to, from, static_cast<size_t>(width_ * to_));
        if (!mask) return;
        const uint8_t *const valid = mask + y_.nearest(at) * given_->mask_stride;
        for (int64_t column = 0; column < width_; column++)
            if (valid[x_.nearest(left_ + column)])
                std::memcpy(place + column * to_, to + column * to_, static_cast<size_t>(to_));
    }

    // Makes the needed columns adjacent.
    const uint8_t *pick(const uint8_t *from, uint8_t *to) const {
        auto each = [&](auto size) {  // a constant, so that each copy is one instruction
            for (int64_t at = 0; at < width_; at++)
                std::memcpy(to + at * size, from + columns_[at] * size, size);
            return to;
        };
        switch (from_) {
        case 1: return each(std::integral_constant<int, 1>());
        case 2: return each(std::integral_constant<int, 2>());
        case 3: return each(std::integral_constant<int, 3>());
        case 4: return each(std::integral_constant<int, 4>());
        case 6: return each(std::integral_constant<int, 6>());
        case 8: return each(std::integral_constant<int, 8>());
        default: return each(from_);
        }
    }

    Work &work_;
    const czk_directory &directory_;
    Context context_;
    Buffer run_, head_, packed_, content_, band_, joined_, picked_, masked_;
    std::vector<int64_t> columns_;  // of the tile, from the first needed one on
    // Of the tile and the box that are painted:
    Convert convert_ = nullptr;
    const czk_given *given_ = nullptr;
    Window window_{};            // bytes in memory
    int64_t from_ = 0, to_ = 0;  // sizes of pixels
    Axis x_{}, y_{};
    int64_t left_ = 0, width_ = 0, first_column_ = 0, span_ = 0;
    bool is_run_ = false;     // columns that follow each other
    uint8_t *out_ = nullptr;  // the first column of the box, in row 0 of the region
    int64_t out_stride_ = 0;
};

// Returns whether a region lies within the output.
bool is_within(const czk_region &region, const czk_output &output, int64_t pixel) {
    int64_t to_last = 0, last = 0;
    if (!is_possible(region) || region.out_w < 1 || region.out_h < 1) return false;
    if (__builtin_mul_overflow(region.out_h - 1, region.out_stride, &to_last)) return false;
    if (__builtin_add_overflow(region.out_offset, to_last, &last)) return false;
    const int64_t row = region.out_w * pixel;
    return std::min(region.out_offset, last) >= 0 && row <= output.size &&
           std::max(region.out_offset, last) <= output.size - row;
}

bool are_possible(const Work &work, int64_t region_count, int64_t job_count, int64_t given_count) {
    const int64_t pixel = pixel_size(work.output.pixel_type);
    auto is_one_of = [](int64_t number, int64_t count) { return number >= 0 && number < count; };
    constexpr int64_t largest_file = INT64_MAX - (int64_t{1} << 46);  // so that no sum overflows
    if (!pixel || work.directory.file_size < 0 || work.directory.file_size > largest_file)
        return false;
    for (int64_t at = 0; at < region_count; at++)
        if (!is_within(work.regions[at], work.output, pixel)) return false;
    for (int64_t at = 0; at < job_count; at++) {
        const czk_job &job = work.jobs[at];
        const Box box{job.left, job.top, job.right, job.bottom};
        if (!is_one_of(job.tile, work.tiles.count) || !is_one_of(job.region, region_count) ||
            !(job.given == -1 || is_one_of(job.given, given_count)) ||
            !is_one_of(work.sub_block_of(job), work.directory.count) || box.empty() ||
            std::min(box.left, box.top) < 0 || box.right > work.region_of(job).out_w ||
            box.bottom > work.region_of(job).out_h)
            return false;
    }
    return true;
}

// Makes items of the pending jobs; returns the number of threads worth starting.
int64_t distribute(Work &work, int64_t job_count) {
    constexpr int64_t most = int64_t{1} << 40;
    const int64_t pixel = pixel_size(work.output.pixel_type);
    int64_t worth = 0;  // bytes that are copied
    for (int64_t at = 0, end = 0; at < job_count; at = end) {
        const czk_job &one = work.jobs[at];
        const bool in_order = work.region_of(one).in_order;
        bool is_pending = false;
        for (end = at; end < job_count && work.jobs[end].region == one.region; end++) {
            const czk_job &each = work.jobs[end];
            const int64_t sub_block = work.sub_block_of(each);
            const bool is_packed = work.directory.compression[sub_block] != uncompressed;
            // The parts of a compressed tile are painted together, so that it is decoded once.
            if (!in_order && end > at && (!is_packed || each.tile != one.tile)) break;
            if (each.status != CZK_PENDING) continue;
            is_pending = true;
            worth += int64_t{each.right - each.left} * (each.bottom - each.top) * pixel +
                     tile_for_copied;
            if (each.given < 0 && is_packed)
                worth += std::min(work.claimed(sub_block), most) * decoded_for_copied;
            worth = std::min(worth, most);
        }
        if (is_pending) work.items.push_back({at, end});
    }
    const auto count = static_cast<int64_t>(work.items.size());
    return std::clamp<int64_t>(std::min<int64_t>({worth / copied_by_one + 1, work.output.threads, count}),
                               1, most_threads);
}

// Tiles that are adjacent in the file are read together; most are adjacent in the output, too.
void sort_by_place(Work &work) {
    auto place = [&](const Span &item) {
        return work.directory.position[work.sub_block_of(work.jobs[item.first])];
    };
    auto is_before = [&](const Span &one, const Span &other) { return place(one) < place(other); };
    if (!std::is_sorted(work.items.begin(), work.items.end(), is_before))
        std::stable_sort(work.items.begin(), work.items.end(), is_before);
}

void paint_all(Work &work, int64_t threads) {
    const auto count = static_cast<int64_t>(work.items.size());
    const int64_t chunk = std::clamp<int64_t>(count / (8 * threads), 1, 64);
    auto run = [&work, chunk] {
        if (guarded([&] { return Worker(work).run(chunk), 0; }) == 0) return;
        work.is_over = true, work.has_memory = false;
    };
    std::vector<std::thread> others;
    try {
        for (int64_t at = 1; at < threads; at++) others.emplace_back(run);
    } catch (const std::exception &) {  // no more threads can be started; continue with those that run
    }
    run();
    for (std::thread &one : others) one.join();
}

}  // namespace
}  // namespace czk

int32_t czk_abi(void) { return CZK_ABI; }

int64_t czk_paint(const czk_directory *directory, const czk_tiles *tiles, const czk_region *regions,
                  int64_t region_count, czk_job *jobs, int64_t job_count, const czk_given *given,
                  int64_t given_count, czk_output *output) {
    output->unchanged = 0;
    constexpr int64_t longest_slice = int64_t{3600} * 1000 * 1000;
    const std::chrono::microseconds slice(std::clamp<int64_t>(output->slice_us, 0, longest_slice));
    return czk::guarded([&]() -> int64_t {
        czk::Work work{*directory, *tiles, regions, jobs, given, *output, czk::Clock::now() + slice};
        if (!czk::are_possible(work, region_count, job_count, given_count)) return -2;
        const int64_t threads = czk::distribute(work, job_count);
        czk::sort_by_place(work);
        if (!work.items.empty()) czk::paint_all(work, threads);
        if (!work.has_memory) return -1;
        auto is_left = [](const czk_job &one) { return one.status != CZK_DONE; };
        const int64_t left = std::count_if(jobs, jobs + job_count, is_left);
        if (left == 0)
            output->unchanged = czk::is_still(output->file, directory->file_size,
                                              directory->modified_ns, directory->inode);
        return left;
    });
}

int64_t czk_read(const czk_directory *directory, const czk_tiles *tiles, czk_region *regions,
                 int64_t region_count, czk_job *jobs, int64_t capacity, int64_t most,
                 czk_output *output) {
    const int64_t count = output->chosen =
        czk_choose(tiles, regions, region_count, jobs, capacity);
    auto is_full = [](const czk_region &one) { return one.covered == one.out_w * one.out_h; };
    if (count < 0) return count;
    if (count > std::min(capacity, most) || !std::all_of(regions, regions + region_count, is_full)) return 0;
    const int64_t left = czk_paint(directory, tiles, regions, region_count, jobs, count, nullptr,
                                   0, output);
    return left > 0 ? 0 : left == 0 ? 1 : left;
}
