// Entries of the sub-block directory, and their copies in the heads of sub-blocks.
//
// An entry: "DV", int32 pixel type, int64 position, int32 file part, int32 compression, a byte for
// the pyramid, 5 spare ones, int32 count of dimensions; then for each of these 20 bytes: a letter
// and 3 spare bytes, int32 start, int32 size, float32, int32 stored size.

#include "internal.h"

namespace czk {
namespace {

constexpr int64_t entry_size = 32, dimension_size = 20;
constexpr int32_t most_dimensions = 40, planar = 9;  // planar ones are neither X, Y nor M
constexpr int64_t most_spare = 64 << 20;  // the most padding that a bitmap's data may have
constexpr int64_t data_limit = int64_t{1} << 31;

struct Dimension {
    int32_t start, size, stored;
    bool is_there;
};

struct Entry {
    int32_t pixel_type, part, compression;
    int64_t position;
    uint8_t pyramid_type;
    Dimension x, y, m, others[planar];
};

// Returns the number of bytes of an entry; -1 if it is not one.
int64_t length_of(const uint8_t *entry) {
    if (entry[0] != 'D' || entry[1] != 'V') return -1;
    const auto count = read_number<int32_t>(entry + 28);
    return count < 0 || count > most_dimensions ? -1 : entry_size + dimension_size * count;
}

// Reads an entry of this size; returns false if a dimension is unknown or named twice.
bool read_entry(const uint8_t *from, int64_t length, const char *letters, Entry &entry) {
    entry = {};
    entry.pixel_type = read_number<int32_t>(from + 2);
    entry.position = read_number<int64_t>(from + 6);
    entry.part = read_number<int32_t>(from + 14);
    entry.compression = read_number<int32_t>(from + 18);
    entry.pyramid_type = from[22];
    for (int64_t at = entry_size; at < length; at += dimension_size) {
        const uint8_t *const dimension = from + at;
        const bool is_small = dimension[0] >= 'a' && dimension[0] <= 'z';
        const char letter = static_cast<char>(dimension[0] - (is_small ? 'a' - 'A' : 0));
        const char *const known = std::find(letters, letters + planar, letter);
        Dimension *const place = letter == 'X'                 ? &entry.x
                                 : letter == 'Y'               ? &entry.y
                                 : letter == 'M'               ? &entry.m
                                 : known != letters + planar   ? &entry.others[known - letters]
                                                               : nullptr;
        if (!place || place->is_there) return false;
        const auto size = read_number<int32_t>(dimension + 8);
        const auto stored = read_number<int32_t>(dimension + 16);  // 0: the logical size
        *place = {read_number<int32_t>(dimension + 4), size, stored ? stored : size, true};
    }
    return true;
}

bool agrees(const czk_directory &directory, int64_t row, const Entry &entry) {
    auto is_at = [row](const Dimension &one, const int32_t *column) {
        return (one.is_there ? one.start : absent) == (column ? column[row] : absent);
    };
    auto covers = [&](const Dimension &one, const int32_t *start, const int32_t *size,
                      const int32_t *stored) {
        return one.is_there && is_at(one, start) && one.size == size[row] &&
               one.stored == stored[row];
    };
    for (int32_t number = 0; number < planar; number++)
        if (!is_at(entry.others[number], directory.coordinate[number])) return false;
    return entry.pixel_type == directory.pixel_type[row] &&
           entry.compression == directory.compression[row] && is_at(entry.m, directory.m) &&
           covers(entry.x, directory.x, directory.w, directory.stored_w) &&
           covers(entry.y, directory.y, directory.h, directory.stored_h);
}

// Finds a missing column that an entry needs, and records its letter.
bool lacks_column(czk_columns &columns, const Entry &entry) {
    for (int32_t number = 0; number < planar; number++) {
        const Dimension &one = entry.others[number];
        const bool lacks_size = one.size > 1 && !columns.size[number];
        if (!one.is_there || (columns.coordinate[number] && !lacks_size)) continue;
        columns.lacking = columns.letters[number];
        columns.lacking_size = columns.coordinate[number] ? 1 : 0;
        return true;
    }
    return false;
}

void fill(czk_columns &columns, const Entry &entry) {
    const int64_t row = columns.filled++;
    columns.pixel_type[row] = entry.pixel_type;
    columns.position[row] = entry.position;
    columns.file_part[row] = entry.part;
    columns.compression[row] = entry.compression;
    columns.pyramid_type[row] = entry.pyramid_type;
    if (entry.m.is_there) columns.m[row] = entry.m.start;
    auto set = [row](const Dimension &one, int32_t *start, int32_t *size, int32_t *stored) {
        if (one.is_there) start[row] = one.start, size[row] = one.size, stored[row] = one.stored;
    };
    set(entry.x, columns.x, columns.w, columns.stored_w);
    set(entry.y, columns.y, columns.h, columns.stored_h);
    for (int32_t number = 0; number < planar; number++) {
        const Dimension &one = entry.others[number];
        if (!one.is_there) continue;
        columns.coordinate[number][row] = one.start;
        if (columns.size[number]) columns.size[number][row] = std::max(one.size, 1);
    }
}

bool is_unusual(const Entry &entry) {  // a coordinate has the number for a missing one
    return std::any_of(entry.others, entry.others + planar, [](const Dimension &one) {
        return one.is_there && one.start == absent;
    });
}

}  // namespace

bool check_head(const czk_directory &directory, int64_t sub_block, const uint8_t *head,
                int64_t size, int64_t *data_offset, int64_t *data_size) {
    static const char id[16] = "ZISRAWSUBBLOCK";
    if (size < least_head || std::memcmp(head, id, sizeof id) != 0) return false;
    const int64_t metadata = read_number<int32_t>(head + 32);
    const int64_t attachment = read_number<int32_t>(head + 36);
    const auto data = read_number<int64_t>(head + 40);
    const int64_t length = length_of(head + 48);
    Entry entry;
    if (length < 0 || length > size - 48) return false;
    if (!read_entry(head + 48, length, directory.letters, entry)) return false;
    if (!agrees(directory, sub_block, entry)) return false;
    if (metadata < 0 || attachment < 0 || data < 0 || data >= data_limit) return false;
    const int64_t offset =
        directory.position[sub_block] + std::max(48 + length, least_head) + metadata;
    if (offset > directory.file_size - data - attachment) return false;
    const int64_t row = int64_t{entry.x.stored} * pixel_size(entry.pixel_type);
    if (row <= 0 || entry.y.stored <= 0 || row >= data_limit) return false;
    const int64_t spare = data - row * entry.y.stored;
    const bool is_padded = spare >= 0 && (spare <= most_spare || spare <= row * entry.y.stored);
    if (entry.compression == uncompressed && !is_padded) return false;
    *data_offset = offset, *data_size = data;
    return true;
}

}  // namespace czk

extern "C" int64_t czk_parse(czk_columns *columns, const uint8_t *data, int64_t size) {
    int64_t done = 0;
    columns->lacking = 0;
    czk::Entry entry;
    while (columns->filled < columns->count && size - done >= czk::entry_size) {
        const int64_t length = czk::length_of(data + done);
        if (length < 0) return -1;
        if (length > size - done) break;
        if (!czk::read_entry(data + done, length, columns->letters, entry)) return -1;
        if (czk::is_unusual(entry)) return -1;
        if (czk::lacks_column(*columns, entry)) break;
        czk::fill(*columns, entry);
        done += length;
    }
    return done;
}
