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
enum { X = planar, Y, M, dimensions };
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
    Dimension dimension[dimensions];  // the planar ones first
};

// Returns the number of bytes of an entry; -1 if it is not one.
int64_t length_of(const uint8_t *entry) {
    if (entry[0] != 'D' || entry[1] != 'V') return -1;
    const auto count = read_number<int32_t>(entry + 28);
    return count < 0 || count > most_dimensions ? -1 : entry_size + dimension_size * count;
}

// Returns the index of a dimension; -1 for an unknown letter.
int32_t index_of(uint8_t letter, const char *letters) {
    if (letter >= 'a' && letter <= 'z') letter -= 'a' - 'A';
    if (letter == 'X' || letter == 'Y') return letter == 'X' ? X : Y;
    if (letter == 'M') return M;
    const char *const known = std::find(letters, letters + planar, static_cast<char>(letter));
    return known == letters + planar ? -1 : static_cast<int32_t>(known - letters);
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
        const int32_t index = index_of(dimension[0], letters);
        if (index < 0 || entry.dimension[index].is_there) return false;
        const auto size = read_number<int32_t>(dimension + 8);
        const auto stored = read_number<int32_t>(dimension + 16);  // 0: the logical size
        entry.dimension[index] = {read_number<int32_t>(dimension + 4), size, stored ? stored : size,
                                  true};
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
        if (!is_at(entry.dimension[number], directory.coordinate[number])) return false;
    return entry.pixel_type == directory.pixel_type[row] &&
           entry.compression == directory.compression[row] &&
           is_at(entry.dimension[M], directory.m) &&
           covers(entry.dimension[X], directory.x, directory.w, directory.stored_w) &&
           covers(entry.dimension[Y], directory.y, directory.h, directory.stored_h);
}

namespace field {  // in the order of czk_columns
enum : int32_t {
    x, y, w, h, stored_w, stored_h, m, pixel_type, compression, file_part, pyramid_type,
    coordinate, size = coordinate + planar
};
}  // namespace field
static_assert(field::size + planar == CZK_FIELDS, "the fields are those of czk_columns");

// Adds a row for an entry; returns false if a field needs a column, or with `lacking` at -1 if the
// entry is unusual.
bool add_row(czk_columns &columns, const Entry &entry) {
    int32_t values[CZK_FIELDS];
    auto set = [&](const Dimension &one, int32_t start, int32_t extent, int32_t stored) {
        values[start] = one.is_there ? one.start : absent;
        values[extent] = one.is_there ? one.size : absent;
        values[stored] = one.is_there ? one.stored : absent;
    };
    set(entry.dimension[X], field::x, field::w, field::stored_w);
    set(entry.dimension[Y], field::y, field::h, field::stored_h);
    values[field::m] = entry.dimension[M].is_there ? entry.dimension[M].start : absent;
    values[field::pixel_type] = entry.pixel_type, values[field::compression] = entry.compression;
    values[field::file_part] = entry.part, values[field::pyramid_type] = entry.pyramid_type;
    for (int32_t number = 0; number < planar; number++) {
        const Dimension &one = entry.dimension[number];
        if (one.is_there && one.start == absent) return false;
        values[field::coordinate + number] = one.is_there ? one.start : absent;
        values[field::size + number] = std::max(one.size, 1);
    }
    for (int32_t one = 0; one < CZK_FIELDS; one++) {
        if (!columns.filled) columns.value[one] = values[one];
        if (columns.column[one] || columns.value[one] == values[one]) continue;
        columns.lacking = one;
        return false;
    }
    const int64_t row = columns.filled++;
    columns.position[row] = entry.position;
    for (int32_t one = 0; one < CZK_FIELDS; one++)
        if (columns.column[one]) columns.column[one][row] = values[one];
    return true;
}

// Most entries differ from the one before in a few numbers only, those that have a column. Entries
// that agree with the last one in all other bytes are parsed together, field by field.
class Layout {
public:
    // Learns from an entry that has a row.
    void learn(const czk_columns &columns, const uint8_t *entry, int64_t length) {
        length_ = length, rule_count_ = 0;
        std::memset(mask_, 0, sizeof mask_);
        std::memcpy(pattern_, entry, static_cast<size_t>(length));
        bool is_there[CZK_FIELDS] = {};
        auto must_equal = [&](int64_t offset, size_t bytes) {
            std::memset(reinterpret_cast<uint8_t *>(mask_) + offset, 0xff, bytes);
        };
        auto take = [&](int32_t one, int64_t offset, Kind kind = number) {
            is_there[one] = true;
            if (columns.column[one])
                rules_[rule_count_++] = {one, kind, offset};
            else
                must_equal(offset, kind == byte ? 1 : 4);
        };
        must_equal(0, 2), must_equal(28, 4);
        take(field::pixel_type, 2), take(field::file_part, 14), take(field::compression, 18);
        take(field::pyramid_type, 22, byte);
        for (int64_t at = entry_size; at < length; at += dimension_size) {
            must_equal(at, 1);
            const int32_t index = index_of(entry[at], columns.letters);
            if (index == X || index == Y) {
                const int32_t first = index - X;  // x, w and stored_w, or y, h and stored_h
                const int32_t stored = field::stored_w + first;
                take(field::x + first, at + 4), take(field::w + first, at + 8);
                take(stored, at + 16, pixels);
                const bool is_size = !read_number<int32_t>(entry + at + 16);
                if (is_size && !columns.column[stored]) must_equal(at + 8, 4);
            } else if (index == M) {
                take(field::m, at + 4);
            } else {
                take(field::coordinate + index, at + 4, place);
                take(field::size + index, at + 8, planes);
            }
        }
        for (int32_t one = 0; one < CZK_FIELDS; one++)
            if (columns.column[one] && !is_there[one])
                rules_[rule_count_++] = {one, one < field::size ? missing : single, 0};
    }

    // Parses a number of entries that all agree; returns their size in bytes, or 0.
    int64_t parse(czk_columns &columns, const uint8_t *data, int64_t available) {
        if (!length_) return 0;
        const int64_t spare = blocks() * block * 8 - length_;
        const int64_t end = std::min(columns.count - columns.filled, (available - spare) / length_);
        int64_t found = std::min(step_, end);
        while (found > 0 && !agree(data, found)) found /= 2;
        if (found <= 0) return 0;
        step_ = std::min(found * 2, most_at_once);
        const int64_t row = columns.filled;
        auto fill = [&](auto *column, auto value_at, int64_t offset) {
            for (int64_t at = 0; at < found; at++)
                column[row + at] = value_at(data + at * length_ + offset);
        };
        fill(columns.position, read_number<int64_t>, 6);
        for (const Rule *one = rules_; one != rules_ + rule_count_; one++) {
            const Rule &rule = *one;
            int32_t *const column = columns.column[rule.field];
            switch (rule.kind) {
            case number:
            case place: fill(column, read_number<int32_t>, rule.offset); break;
            case byte: fill(column, read_number<uint8_t>, rule.offset); break;
            case pixels: fill(column, stored_size, rule.offset); break;
            case planes: fill(column, size_or_one, rule.offset); break;
            case missing: std::fill_n(column + row, found, absent); break;
            case single: std::fill_n(column + row, found, 1); break;
            }
        }
        columns.filled += found;
        return found * length_;
    }

private:
    enum Kind { number, byte, place, pixels, planes, missing, single };
    struct Rule {
        int32_t field;
        Kind kind;
        int64_t offset;
    };

    int64_t blocks() const { return (length_ + block * 8 - 1) / (block * 8); }

    static int32_t stored_size(const uint8_t *at) {
        const auto stored = read_number<int32_t>(at);
        return stored ? stored : read_number<int32_t>(at - 8);
    }

    static int32_t size_or_one(const uint8_t *at) { return std::max(read_number<int32_t>(at), 1); }

    bool agree(const uint8_t *data, int64_t count) const {
        uint64_t differences = 0;
        for (int64_t first = 0; first < blocks() * block; first += block) {
            uint64_t some[block] = {};
            for (int64_t at = 0; at < count; at++)
                for (int64_t word = 0; word < block; word++)
                    some[word] |= pattern_[first + word] ^
                                  read_number<uint64_t>(data + at * length_ + (first + word) * 8);
            for (int64_t word = 0; word < block; word++)
                differences |= some[word] & mask_[first + word];
        }
        for (int32_t rule = 0; rule < rule_count_; rule++) {
            const uint8_t *const start = data + rules_[rule].offset;
            for (int64_t at = 0; rules_[rule].kind == place && at < count; at++)
                differences |= read_number<int32_t>(start + at * length_) == absent;
        }
        return !differences;
    }

    static constexpr int64_t block = 4;  // words that are compared together
    static constexpr int64_t most_at_once = 256;  // entries that stay in the fastest cache
    static constexpr int64_t longest = entry_size + dimension_size * most_dimensions;
    int64_t length_ = 0, step_ = 1;
    uint64_t pattern_[longest / 8 + block] = {}, mask_[longest / 8 + block] = {};
    Rule rules_[CZK_FIELDS];
    int32_t rule_count_ = 0;
};

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
    const int64_t row = int64_t{entry.dimension[X].stored} * pixel_size(entry.pixel_type);
    const int64_t rows = entry.dimension[Y].stored;
    if (row <= 0 || rows <= 0 || row >= data_limit) return false;
    const int64_t spare = data - row * rows;
    const bool is_padded = spare >= 0 && (spare <= most_spare || spare <= row * rows);
    if (entry.compression == uncompressed && !is_padded) return false;
    *data_offset = offset, *data_size = data;
    return true;
}

}  // namespace czk

int64_t czk_parse(czk_columns *columns, const uint8_t *data, int64_t size) {
    int64_t done = 0;
    columns->lacking = -1;
    czk::Layout layout;
    czk::Entry entry;
    bool is_new = true;  // the last entry had another layout, too
    while (columns->filled < columns->count && size - done >= czk::entry_size) {
        if (const int64_t some = layout.parse(*columns, data + done, size - done)) {
            done += some, is_new = false;
            continue;
        }
        const int64_t length = czk::length_of(data + done);
        if (length < 0) return -1;
        if (length > size - done) break;
        if (!czk::read_entry(data + done, length, columns->letters, entry)) return -1;
        if (!czk::add_row(*columns, entry)) return columns->lacking < 0 ? -1 : done;
        if (is_new) layout.learn(*columns, data + done, length);
        is_new = true;
        done += length;
    }
    return done;
}
