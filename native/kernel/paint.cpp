// Paints the visible parts of tiles into the output, in as many threads as pay.
//
// Pixels come from the file by positional reads (only the rows, and mostly only the columns, that
// are needed; small tiles that lie one behind the other by one read), from bytes that the caller
// has read, or from pixels that it has decoded.

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>
#include <thread>
#include <vector>

#include "internal.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <sys/uio.h>
#include <unistd.h>
#endif

namespace czk {
namespace {

constexpr int64_t band_bytes = 256 << 10;  // stay in the cache between reading and converting
constexpr int64_t far_apart = 16 << 10;    // rows: to read what lies between takes longer
constexpr int64_t long_row = 2 << 10;      // is worth a read into its place
constexpr int64_t small_data = 64 << 10, longest_gap = 16 << 10, longest_run = 1 << 20;
constexpr int64_t copied_by_one = 4 << 20, decoded_by_one = 1 << 20;  // bytes that one thread takes
constexpr int64_t most_threads = 256;

// The file, or bytes of it that are at hand.
struct Window {
    const uint8_t *bytes;
    int64_t begin, end;

    const uint8_t *find(int64_t offset, int64_t size) const {
        return bytes && offset >= begin && size >= 0 && offset <= end - size
                   ? bytes + (offset - begin) : nullptr;
    }
};

class File {
public:
    explicit File(int64_t handle) : handle_(handle) {}

    // Returns how many bytes were read; fewer where the file ends, or cannot be read.
    int64_t read(int64_t offset, uint8_t *to, int64_t size) const {
        int64_t done = 0;
        while (handle_ != -1 && done < size) {
            const int64_t found = read_some(offset + done, to + done, size - done);
            if (found <= 0) break;
            done += found;
        }
        return done;
    }

    // Reads rows that lie one behind the other into rows of the output.
    bool read_rows(int64_t offset, uint8_t *to, int64_t row, int64_t count, int64_t stride) const {
        if (row == stride) return read(offset, to, row * count) == row * count;
#ifndef _WIN32
        constexpr int64_t at_once = 512;
        iovec places[at_once];
        for (int64_t first = 0; first < count; first += at_once) {
            const int64_t some = std::min(at_once, count - first);
            for (int64_t at = 0; at < some; at++)
                places[at] = {to + (first + at) * stride, static_cast<size_t>(row)};
            const ssize_t found = preadv(static_cast<int>(handle_), places, static_cast<int>(some),
                                         static_cast<off_t>(offset + first * row));
            if (found == row * some) continue;
            for (int64_t at = 0; at < some; at++)  // interrupted, or cut
                if (read(offset + (first + at) * row, to + (first + at) * stride, row) < row)
                    return false;
        }
        return true;
#else
        for (int64_t at = 0; at < count; at++)
            if (read(offset + at * row, to + at * stride, row) < row) return false;
        return true;
#endif
    }

private:
    int64_t read_some(int64_t offset, uint8_t *to, int64_t size) const {
        constexpr int64_t most = 1 << 30;
#ifdef _WIN32
        OVERLAPPED place{};
        place.Offset = static_cast<DWORD>(offset), place.OffsetHigh = static_cast<DWORD>(offset >> 32);
        DWORD found = 0;
        const auto handle = reinterpret_cast<HANDLE>(static_cast<intptr_t>(handle_));
        return ReadFile(handle, to, static_cast<DWORD>(std::min(size, most)), &found, &place)
                   ? static_cast<int64_t>(found) : -1;
#else
        ssize_t found;
        do {
            found = pread(static_cast<int>(handle_), to, static_cast<size_t>(std::min(size, most)),
                          static_cast<off_t>(offset));
        } while (found < 0 && errno == EINTR);
        return found;
#endif
    }

    int64_t handle_;
};

// Where the pixels of a tile are: in memory by rows, in two halves, or in the file.
struct Pixels {
    const uint8_t *rows, *high;  // `high`: the high bytes, where `rows` are the low ones
    int64_t stride, offset;      // without `rows`, in the file from `offset` on
    int64_t w, h;
    int64_t first, end;  // the rows that `rows` has
};

struct Rows {
    int64_t first, end;
};

// Jobs that one thread paints in their order.
struct Item {
    int64_t first, end;
};

struct Work {
    const czk_directory &directory;
    const czk_tiles &tiles;
    const czk_region *regions;
    czk_job *jobs;
    const czk_given *given;
    const czk_output &output;
    std::vector<Item> items;
    std::vector<int64_t> numbers;  // of the jobs: those of an item lie one behind the other
    std::chrono::steady_clock::time_point deadline;
    std::atomic<int64_t> next{0};
    std::atomic<bool> is_over{false}, has_memory{true};

    const czk_region &region_of(const czk_job &job) const { return regions[job.region]; }
    int64_t sub_block_of(const czk_job &job) const {
        return tiles.sub_block ? tiles.sub_block[job.tile] : job.tile;
    }
    int64_t claimed(int64_t sub_block) const {
        const int64_t w = directory.stored_w[sub_block], h = directory.stored_h[sub_block];
        const int64_t row = w * pixel_size(directory.pixel_type[sub_block]);
        return w <= 0 || h <= 0 ? 0 : row > INT64_MAX / h ? INT64_MAX : row * h;
    }
    // Whether the kernel decodes the tile by itself.
    bool is_own(const czk_job &job) const {
        if (tiles.special && tiles.special[job.tile]) return false;
        const int32_t how = directory.compression[sub_block_of(job)];
        return how == uncompressed || how == zstd0 || how == zstd1;
    }
};

// One thread at work, with its memory.
class Hand {
public:
    explicit Hand(Work &work) : work_(work), file_(work.output.file) {}
    Hand(const Hand &) = delete;
    Hand &operator=(const Hand &) = delete;
    ~Hand() {
        if (context_) free_context(context_);
    }

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
    czk_job &job(int64_t place) { return work_.jobs[work_.numbers[static_cast<size_t>(place)]]; }
    const Item &item(int64_t at) const { return work_.items[static_cast<size_t>(at)]; }

    // Paints items whose bytes are read at once: small ones that lie near each other.
    int64_t paint_run(int64_t at, int64_t end) {
        Window run{nullptr, 0, 0}, next{};
        int64_t last = at + 1;
        if (expected(at, run)) {
            for (; last < end && expected(last, next) && next.begin >= run.begin; last++) {
                if (next.begin > run.end + longest_gap || next.end - run.begin > longest_run) break;
                run.end = std::max(run.end, next.end);
            }
            uint8_t *const bytes = last > at + 1 ? run_.take(run.end - run.begin) : nullptr;
            if (bytes) run.end = run.begin + file_.read(run.begin, bytes, run.end - run.begin);
            run.bytes = bytes;
        }
        for (; at < last && !work_.is_over; at++) {
            paint_item(item(at), run);
            if (std::chrono::steady_clock::now() > work_.deadline) work_.is_over = true;
        }
        return at;
    }

    // Tells where the bytes of an item lie, if they are few.
    bool expected(int64_t at, Window &place) {
        const czk_job &one = job(item(at).first);
        if (one.given >= 0 || !work_.is_own(one)) return false;
        const int64_t sub_block = work_.sub_block_of(one);
        place.begin = __atomic_load_n(&work_.directory.data_offset[sub_block], __ATOMIC_ACQUIRE);
        int64_t size = std::min(work_.claimed(sub_block), longest_run);
        if (place.begin) {
            size = __atomic_load_n(&work_.directory.data_size[sub_block], __ATOMIC_RELAXED);
        } else {
            place.begin = work_.directory.position[sub_block];
            if (size <= small_data) size += usual_head;
        }
        place.end = place.begin + size;
        return size <= small_data + usual_head && place.begin >= 0 &&
               place.begin <= work_.directory.file_size;
    }

    // Jobs of the same tile need its pixels once; those of a region in order stop where one needs
    // the caller.
    void paint_item(const Item &item, const Window &window) {
        for (int64_t first = item.first; first < item.end;) {
            const czk_job &one = job(first);
            int64_t end = first + 1;
            while (end < item.end && job(end).tile == one.tile && job(end).region == one.region) end++;
            const bool is_done = paint_tile(first, end, window);
            for (int64_t at = first; at < end; at++)
                job(at).status = is_done ? CZK_DONE : CZK_UNUSUAL;
            if (!is_done && work_.region_of(one).in_order) return;
            first = end;
        }
    }

    bool paint_tile(int64_t first, int64_t end, const Window &window) {
        const czk_job &one = job(first);
        const int32_t type = work_.tiles.pixel_type[one.tile];
        convert_ = type == work_.output.pixel_type ? nullptr : conversion(type, work_.output.pixel_type);
        from_ = pixel_size(type), to_ = pixel_size(work_.output.pixel_type);
        if (!from_ || (!convert_ && type != work_.output.pixel_type)) return false;
        given_ = one.given < 0 ? nullptr : work_.given + one.given;
        Pixels pixels{};
        if (given_ && given_->pixels) {
            pixels = {given_->pixels, nullptr, given_->stride, 0, given_->w, given_->h,
                      given_->first_row, given_->end_row};
        } else {
            Rows rows{INT64_MAX, 0};
            for (int64_t at = first; at < end; at++) {
                const czk_job &each = job(at);
                const Axis y = axis_of(work_.tiles, one.tile, work_.region_of(each), true);
                rows.first = std::min(rows.first, y.nearest(each.top));
                rows.end = std::max(rows.end, y.nearest(each.bottom - 1) + 1);
            }
            const Window own = given_ && given_->bytes
                                   ? Window{given_->bytes, given_->begin, given_->end} : window;
            if (!find_pixels(one, own, rows, pixels)) return false;
        }
        if (pixels.w <= 0 || pixels.h <= 0) return false;
        for (int64_t at = first; at < end; at++)
            if (!paint_box(job(at), pixels)) return false;
        return true;
    }

    // Finds the pixels of a tile, of which some rows are needed.
    bool find_pixels(const czk_job &one, Window window, const Rows &rows, Pixels &pixels) {
        if (!work_.is_own(one)) return false;
        const czk_directory &directory = work_.directory;
        const int64_t sub_block = work_.sub_block_of(one);
        int64_t size = 0;
        const int64_t offset = find_data(sub_block, window, size);
        if (!offset) return false;
        pixels.w = directory.stored_w[sub_block], pixels.h = directory.stored_h[sub_block];
        pixels.end = pixels.h;
        pixels.stride = pixels.w * from_;
        if (directory.compression[sub_block] == uncompressed) {
            const int64_t start = rows.first * pixels.stride;
            const uint8_t *const found =
                window.find(offset + start, (rows.end - rows.first) * pixels.stride);
            pixels.rows = found, pixels.first = found ? rows.first : 0;
            pixels.offset = offset;
            return found || !window_is_all();
        }
        const uint8_t *data = window.find(offset, size);
        if (!data) {
            uint8_t *const bytes = window_is_all() ? nullptr : packed_.take(size);
            if (!bytes || file_.read(offset, bytes, size) < size) return false;
            data = bytes;
        }
        const int64_t content = work_.claimed(sub_block);
        const Packed packed = look_at_packed(directory.compression[sub_block], data, size,
                                             directory.pixel_type[sub_block]);
        if (packed.content != content) return false;
        uint8_t *const memory = content_.take(content);
        if (!memory || !(context_ || (context_ = new_context()))) return false;
        const int64_t wanted = rows.end * pixels.stride;
        if (!decode(context_, packed, memory, packed.hilo ? (content + wanted) / 2 : wanted))
            return false;
        pixels.rows = memory;
        if (packed.hilo) pixels.high = memory + content / 2, pixels.stride /= 2;
        return true;
    }

    // The caller's bytes of a tile are all that there are of it.
    bool window_is_all() const { return given_ && given_->bytes; }

    // Returns where the data of a sub-block begin, 0 where its head is unusual. The window becomes
    // what was read, if that has the data as well.
    int64_t find_data(int64_t sub_block, Window &window, int64_t &size) {
        const czk_directory &directory = work_.directory;
        int64_t offset = __atomic_load_n(&directory.data_offset[sub_block], __ATOMIC_ACQUIRE);
        if (offset) {
            size = __atomic_load_n(&directory.data_size[sub_block], __ATOMIC_RELAXED);
            return offset;
        }
        const int64_t position = directory.position[sub_block];
        if (position < 0 || position > directory.file_size - least_head) return 0;
        const uint8_t *head = window.find(position, least_head);
        int64_t found = window.end - position;
        if (!head) {
            if (window_is_all()) return 0;
            const int64_t claimed = work_.claimed(sub_block);
            const int64_t wanted = claimed <= small_data ? claimed + usual_head : longest_head;
            uint8_t *const bytes = head_.take(wanted);
            if (!bytes) return 0;
            found = file_.read(position, bytes, wanted);
            window = {bytes, position, position + found};
            head = bytes;
        }
        if (!check_head(directory, sub_block, head, found, &offset, &size)) return 0;
        __atomic_store_n(&directory.data_size[sub_block], size, __ATOMIC_RELAXED);
        __atomic_store_n(&directory.data_offset[sub_block], offset, __ATOMIC_RELEASE);
        return offset;
    }

    bool paint_box(const czk_job &one, const Pixels &pixels) {
        const czk_region &region = work_.region_of(one);
        x_ = axis_of(work_.tiles, one.tile, region, false);
        y_ = axis_of(work_.tiles, one.tile, region, true);
        across_ = x_.size, down_ = y_.size;
        if (one.left < x_.first || one.right > x_.end || one.top < y_.first || one.bottom > y_.end)
            return false;
        width_ = one.right - one.left;
        is_run_ = x_.kind == Axis::copied && across_ == pixels.w;
        first_column_ = column(one.left, pixels);
        const int64_t last_column = column(one.right - 1, pixels);
        if (first_column_ < 0 || last_column >= pixels.w) return false;
        span_ = last_column + 1 - first_column_;
        if (!is_run_) {
            columns_.resize(static_cast<size_t>(width_));
            for (int64_t at = 0; at < width_; at++)
                columns_[static_cast<size_t>(at)] = column(one.left + at, pixels) - first_column_;
        }
        left_ = one.left;
        to_row_ = work_.output.pixels + region.out_offset + one.left * to_;
        const bool is_plain = is_run_ && !convert_ && !(given_ && given_->mask) && !swaps();
        const int64_t top = row(one.top, pixels), bottom = row(one.bottom - 1, pixels);
        if (top < pixels.first || bottom >= std::min(pixels.end, pixels.h)) return false;
        if (pixels.rows) {
            for (int64_t at = one.top; at < one.bottom; at++)
                if (!put(at, region, columns_of(row(at, pixels), pixels))) return false;
            return true;
        }
        const bool is_whole = is_plain && span_ == pixels.w && bottom - top == one.bottom - 1 - one.top;
        uint8_t *const place = to_row_ + one.top * region.out_stride;
        const int64_t start = pixels.offset + top * pixels.stride;
        if (is_whole && (pixels.stride >= long_row || pixels.stride == region.out_stride) &&
            !is_slow(place, start))
            return file_.read_rows(start, place, pixels.stride, one.bottom - one.top,
                                   region.out_stride);
        return paint_from_file(one, region, pixels);
    }

    // A processor copies slowly to a place that lies a little behind one of the same page offset.
    static bool is_slow(const uint8_t *place, int64_t offset) {
        const auto ahead = (reinterpret_cast<uintptr_t>(place) - static_cast<uintptr_t>(offset)) & 4095;
        return ahead >= 1 && ahead <= 31;
    }

    // Reads as many rows at a time as stay in the cache; alone, those that are far apart.
    bool paint_from_file(const czk_job &one, const czk_region &region, const Pixels &pixels) {
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
            uint8_t *band = band_.take(size + 4096);
            if (!band) return false;
            band += (static_cast<uintptr_t>(start) - reinterpret_cast<uintptr_t>(band)) & 4095;
            if (file_.read(start, band, size) < size) return false;
            for (; at < end; at++)
                if (!put(at, region, band + (row(at, pixels) - first) * pixels.stride)) return false;
        }
        return true;
    }

    // The pixel of the data for one of the output; read and stored sizes differ for special tiles.
    int64_t column(int64_t at, const Pixels &pixels) const {
        const int64_t found = x_.nearest(at);
        return across_ == pixels.w ? found : found * pixels.w / across_;
    }
    int64_t row(int64_t at, const Pixels &pixels) const {
        const int64_t found = y_.nearest(at);
        return down_ == pixels.h ? found : found * pixels.h / down_;
    }

    // Returns a row from the first column on that is needed; NULL where there is no memory.
    const uint8_t *columns_of(int64_t row, const Pixels &pixels) {
        const int64_t start = (row - pixels.first) * pixels.stride;
        if (!pixels.high) return pixels.rows + start + first_column_ * from_;
        uint8_t *const joined = joined_.take(span_ * from_);
        const int64_t at = start + first_column_ * from_ / 2;
        if (joined) join_bytes(pixels.rows + at, pixels.high + at, joined, span_ * from_ / 2);
        return joined;
    }

    bool swaps() const { return work_.output.is_rgb && has_colours(work_.output.pixel_type); }

    // Puts pixels of a tile into a row of the output.
    bool put(int64_t at, const czk_region &region, const uint8_t *from) {
        uint8_t *const place = to_row_ + at * region.out_stride;
        const uint8_t *const mask = given_ ? given_->mask : nullptr;
        uint8_t *const to = mask ? masked_.take(width_ * to_) : place;
        if (!from || !to) return false;
        if (!is_run_) {
            uint8_t *const picked = convert_ ? picked_.take(width_ * from_) : to;
            if (!picked) return false;
            pick(from, picked);
            from = picked;
        }
        if (convert_)
            convert_(from, to, width_);
        else if (is_run_)
            std::memcpy(to, from, static_cast<size_t>(width_ * to_));
        if (swaps()) swap_colours(to);
        if (mask) put_masked(to, place, mask + y_.nearest(at) * given_->mask_stride);
        return true;
    }

    void pick(const uint8_t *from, uint8_t *to) const {
        auto each = [&](auto size) {
            for (int64_t at = 0; at < width_; at++)
                std::memcpy(to + at * size, from + columns_[static_cast<size_t>(at)] * size, size);
        };
        switch (from_) {
        case 1: return each(std::integral_constant<int, 1>());
        case 2: return each(std::integral_constant<int, 2>());
        case 3: return each(std::integral_constant<int, 3>());
        case 4: return each(std::integral_constant<int, 4>());
        case 6: return each(std::integral_constant<int, 6>());
        case 8: return each(std::integral_constant<int, 8>());
        case 12: return each(std::integral_constant<int, 12>());
        default: return each(std::integral_constant<int, 24>());
        }
    }

    void swap_colours(uint8_t *to) const {
        const int64_t samples = work_.output.pixel_type == 9 ? 4 : 3, sample = to_ / samples;
        for (int64_t at = 0; at < width_; at++)
            std::swap_ranges(to + at * to_, to + at * to_ + sample, to + at * to_ + 2 * sample);
    }

    void put_masked(const uint8_t *from, uint8_t *to, const uint8_t *mask) const {
        for (int64_t at = 0; at < width_; at++)
            if (mask[x_.nearest(left_ + at)])
                std::memcpy(to + at * to_, from + at * to_, static_cast<size_t>(to_));
    }

    Work &work_;
    File file_;
    void *context_ = nullptr;
    Buffer run_, head_, packed_, content_, band_, joined_, picked_, masked_;
    std::vector<int64_t> columns_;  // of the tile, from the first one on that is needed
    // Of the tile and the box that are painted:
    Convert convert_ = nullptr;
    const czk_given *given_ = nullptr;
    int64_t from_ = 0, to_ = 0;  // sizes of pixels
    Axis x_{}, y_{};
    int64_t across_ = 0, down_ = 0, left_ = 0, width_ = 0, first_column_ = 0, span_ = 0;
    bool is_run_ = false;  // columns that follow each other
    uint8_t *to_row_ = nullptr;
};

bool are_possible(const Work &work, int64_t region_count, int64_t job_count, int64_t given_count) {
    const int64_t pixel = pixel_size(work.output.pixel_type);
    for (int64_t at = 0; at < job_count; at++) {
        const czk_job &job = work.jobs[at];
        if (job.status == CZK_DONE) continue;
        if (job.tile < 0 || job.tile >= work.tiles.count || job.region < 0 ||
            job.region >= region_count || job.given < -1 || job.given >= given_count)
            return false;
        const czk_region &region = work.region_of(job);
        if (job.left < 0 || job.top < 0 || job.left >= job.right || job.top >= job.bottom ||
            job.right > region.out_w || job.bottom > region.out_h)
            return false;
        const int64_t sub_block = work.sub_block_of(job);
        if (sub_block < 0 || sub_block >= work.directory.count) return false;
    }
    for (int64_t at = 0; at < region_count; at++) {
        const czk_region &region = work.regions[at];
        if (region.out_w < 1 || region.out_h < 1) return false;
        const int64_t last = region.out_offset + (region.out_h - 1) * region.out_stride;
        const int64_t low = std::min(region.out_offset, last), row = region.out_w * pixel;
        const int64_t high = std::max(region.out_offset, last);
        if (low < 0 || row > work.output.size || high > work.output.size - row) return false;
    }
    return pixel > 0;
}

// Makes the items of what is pending; returns how many threads are worth their start for it.
int64_t distribute(Work &work, int64_t job_count) {
    int64_t copied = 0, decoded = 0;
    std::vector<int64_t> &numbers = work.numbers;
    for (int64_t at = 0; at < job_count;) {
        const czk_job &one = work.jobs[at];
        const czk_region &region = work.region_of(one);
        const auto first = static_cast<int64_t>(numbers.size());
        int64_t end = at;
        bool waits = false;  // for the caller, in a region whose order matters
        const bool is_packed = work.directory.compression[work.sub_block_of(one)] != uncompressed;
        for (; end < job_count && work.jobs[end].region == one.region; end++) {
            const czk_job &each = work.jobs[end];
            // The parts of what is packed are painted together: it is decoded once.
            if (!region.in_order && end > at && (!is_packed || each.tile != one.tile)) break;
            waits = waits || (region.in_order && each.status == CZK_UNUSUAL);
            if (each.status != CZK_PENDING || waits) continue;
            numbers.push_back(end);
            copied += int64_t{each.right - each.left} * (each.bottom - each.top);
            if (each.given < 0 && is_packed) decoded += work.claimed(work.sub_block_of(each));
        }
        const auto last = static_cast<int64_t>(numbers.size());
        if (last > first) work.items.push_back({first, last});
        at = end;
    }
    copied *= pixel_size(work.output.pixel_type);
    const int64_t worth = copied / copied_by_one + decoded / decoded_by_one + 1;
    const auto most = std::min<int64_t>(work.output.threads, most_threads);
    return std::clamp<int64_t>(std::min({worth, most, static_cast<int64_t>(work.items.size())}), 1,
                               most_threads);
}

// What lies together in the file is read together, and mostly lies together in the output.
void sort_by_place(Work &work) {
    auto place = [&](const Item &item) {
        const czk_job &job = work.jobs[work.numbers[static_cast<size_t>(item.first)]];
        return std::pair(work.directory.position[work.sub_block_of(job)], item.first);
    };
    auto is_before = [&](const Item &one, const Item &other) { return place(one) < place(other); };
    if (!std::is_sorted(work.items.begin(), work.items.end(), is_before))
        std::sort(work.items.begin(), work.items.end(), is_before);
}

void paint_all(Work &work, int64_t threads) {
    const auto count = static_cast<int64_t>(work.items.size());
    const int64_t chunk = std::clamp<int64_t>(count / (8 * threads), 1, 64);
    auto run = [&work, chunk] {
        try {
            Hand(work).run(chunk);
        } catch (const std::bad_alloc &) {
            work.is_over = true, work.has_memory = false;
        }
    };
    std::vector<std::thread> others;
    try {
        for (int64_t at = 1; at < threads; at++) others.emplace_back(run);
    } catch (const std::system_error &) {  // the system has no more; those that there are go on
    }
    run();
    for (std::thread &one : others) one.join();
}

}  // namespace

uint8_t *Buffer::take(int64_t size) {
    if (size <= size_ && memory_) return static_cast<uint8_t *>(memory_);
    std::free(memory_);
    size_ = size + size / 16 + 64;
    memory_ = size < 0 ? nullptr : std::malloc(static_cast<size_t>(size_));
    return static_cast<uint8_t *>(memory_);
}

}  // namespace czk

extern "C" {

int32_t czk_abi(void) { return CZK_ABI; }

int64_t czk_paint(const czk_directory *directory, const czk_tiles *tiles, const czk_region *regions,
                  int64_t region_count, czk_job *jobs, int64_t job_count, const czk_given *given,
                  int64_t given_count, const czk_output *output) {
    using namespace std::chrono;
    try {
        czk::Work work{*directory, *tiles, regions, jobs, given, *output, {}, {},
                       steady_clock::now() + microseconds(output->slice_us)};
        if (!czk::are_possible(work, region_count, job_count, given_count)) return -1;
        const int64_t threads = czk::distribute(work, job_count);
        if (!work.items.empty()) {
            czk::sort_by_place(work);
            czk::paint_all(work, threads);
            if (!work.has_memory) return -2;
        }
        return std::count_if(jobs, jobs + job_count,
                             [](const czk_job &one) { return one.status != CZK_DONE; });
    } catch (const std::bad_alloc &) {
        return -2;
    }
}

}
