// Entries of the sub-block directory, and their copies in the heads of sub-blocks.
//
// An entry: "DV", int32 pixel type, int64 position, int32 file part, int32 compression, a byte for
// the pyramid, 5 spare ones, int32 count of dimensions; then for each of these 20 bytes: a letter
// and 3 spare bytes, int32 start, int32 size, float32, int32 stored size.

#include "internal.h"

namespace czk {
namespace {

constexpr int64_t entry_size = 32, dimension_size = 20, most_dimensions = 40;
constexpr int64_t most_spare = 64 << 20;  // the most padding that a bitmap's data may have
constexpr int64_t data_limit = int64_t{1} << 31;
constexpr int32_t planar = 9;  // dimensions that are neither X, Y nor M

namespace field {  // in the order of czk_columns
enum : int32_t {
    x, y, w, h, stored_w, stored_h, m, pixel_type, compression, file_part, pyramid_type,
    coordinate, size = coordinate + planar, count = size + planar
};
}  // namespace field
static_assert(field::count == CZK_FIELDS, "the fields are those of czk_columns");

// Returns the number of bytes of an entry; -1 if it is not one.
int64_t length_of(const uint8_t *entry) {
    if (entry[0] != 'D' || entry[1] != 'V') return -1;
    const auto count = read_number<int32_t>(entry + 28);
    return count < 0 || count > most_dimensions ? -1 : entry_size + dimension_size * count;
}

// Where the fields of an entry are.
class Layout {
public:
    // Looks through an entry of this size; returns false if a dimension is unknown or named twice.
    bool find(const uint8_t *entry, int64_t length, const char *letters) {
        std::fill_n(places_, field::count, 0);
        places_[field::pixel_type] = 2, places_[field::file_part] = 14;
        places_[field::compression] = 18, places_[field::pyramid_type] = 22;
        for (int64_t at = entry_size; at < length; at += dimension_size) {
            const char letter = static_cast<char>(entry[at] & ~('a' - 'A'));  // a capital one
            const int32_t one = field_of(letter, letters);
            if (one < 0 || has(one)) return false;
            places_[one] = at + 4;
            if (one == field::x || one == field::y) {
                places_[one + field::w] = at + 8, places_[one + field::stored_w] = at + 16;
            } else if (one != field::m) {
                places_[one + planar] = at + 8;
            }
        }
        return true;
    }

    int64_t place(int32_t one) const { return places_[one]; }
    bool has(int32_t one) const { return places_[one] != 0; }

    // Returns the value of a field in an entry of this layout.
    int32_t value(const uint8_t *entry, int32_t one) const {
        const uint8_t *const from = entry + places_[one];
        if (!has(one)) return one < field::size ? absent : 1;
        if (one == field::pyramid_type) return *from;
        const auto number = read_number<int32_t>(from);
        if (one >= field::size) return std::max(number, 1);
        return is_size_if_zero(one) && !number ? read_number<int32_t>(from - 8) : number;
    }

    // The stored sizes, in place of which the logical ones, 8 bytes before them, may stand.
    static bool is_size_if_zero(int32_t one) {
        return one == field::stored_w || one == field::stored_h;
    }

private:
    // Returns the field for the start of a dimension; -1 for an unknown letter.
    static int32_t field_of(char letter, const char *letters) {
        if (letter == 'X' || letter == 'Y') return letter == 'X' ? field::x : field::y;
        if (letter == 'M') return field::m;
        const char *const known = std::find(letters, letters + planar, letter);
        const auto number = static_cast<int32_t>(known - letters);
        return number == planar ? -1 : field::coordinate + number;
    }

    int64_t places_[field::count];  // 0: the entries lack the field
};

// Returns whether an entry equals a row of the directory.
bool agrees(const czk_directory &directory, int64_t row, const uint8_t *entry,
            const Layout &layout) {
    const int32_t *const columns[] = {directory.x, directory.y, directory.w, directory.h,
                                      directory.stored_w, directory.stored_h, directory.m,
                                      directory.pixel_type, directory.compression};
    auto is_equal = [&](int32_t one, const int32_t *column) {
        return layout.value(entry, one) == (column ? column[row] : absent);
    };
    for (int32_t one = 0; one <= field::compression; one++)
        if (!is_equal(one, columns[one])) return false;
    for (int32_t number = 0; number < planar; number++)
        if (!is_equal(field::coordinate + number, directory.coordinate[number])) return false;
    return layout.has(field::x) && layout.has(field::y);
}

// Adds the rows of entries. Most entries differ from the one before in a few numbers only, those
// that have a column: one that agrees with the last in all other bytes needs no other look.
class Rows {
public:
    explicit Rows(czk_columns &columns) : columns_(columns) {}

    // Returns the size of an entry that agrees with the last one that was learned, or 0.
    int64_t length_of_known(const uint8_t *entry, int64_t available) const {
        if (length_ > available) return 0;
        uint32_t differences = 0;
        for (int64_t at = 0; at < length_; at += 4)
            differences |= (read_number<uint32_t>(entry + at) ^ read_number<uint32_t>(pattern_ + at)) &
                           read_number<uint32_t>(mask_ + at);
        return differences ? 0 : length_;
    }

    // Learns from an entry; returns false if a field needs a column, or with `lacking` at -1 if the
    // entry is unusual.
    bool learn(const uint8_t *entry, int64_t length) {
        if (!layout_.find(entry, length, columns_.letters)) return false;
        length_ = length, varying_count_ = 0;
        std::memcpy(pattern_, entry, static_cast<size_t>(length));
        std::memset(mask_, 0, static_cast<size_t>(length));
        auto must_equal = [&](int64_t at, size_t bytes) { std::memset(mask_ + at, 0xff, bytes); };
        must_equal(0, 2), must_equal(28, 4);
        for (int64_t at = entry_size; at < length; at += dimension_size) must_equal(at, 1);
        for (int32_t one = 0; one < field::count; one++) {
            const int32_t value = layout_.value(entry, one);
            if (!columns_.filled) columns_.value[one] = value;
            const bool varies = columns_.column[one] != nullptr;
            if (varies) varying_[varying_count_++] = one;
            if (!varies && columns_.value[one] != value) return columns_.lacking = one, false;
            if (is_nowhere(one, value)) return false;
            if (varies || !layout_.has(one)) continue;
            const int64_t place = layout_.place(one);
            must_equal(place, one == field::pyramid_type ? 1 : 4);
            const bool is_zero = !read_number<int32_t>(entry + place);
            if (Layout::is_size_if_zero(one) && is_zero) must_equal(place - 8, 4);
        }
        return true;
    }

    // Adds a row for an entry that agrees; returns false if it is unusual.
    bool add(const uint8_t *entry) {
        for (const int32_t *one = varying_; one != varying_ + varying_count_; one++) {
            const int32_t value = layout_.value(entry, *one);
            if (is_nowhere(*one, value)) return false;
            columns_.column[*one][columns_.filled] = value;
        }
        columns_.position[columns_.filled++] = read_number<int64_t>(entry + 6);
        return true;
    }

private:
    // A coordinate that would look like none.
    bool is_nowhere(int32_t one, int32_t value) const {
        return value == absent && one >= field::coordinate && layout_.has(one);
    }

    static constexpr int64_t longest = entry_size + dimension_size * most_dimensions;
    czk_columns &columns_;
    Layout layout_;
    int64_t length_ = 0;                                 // of the last entry; 0: there is none
    uint8_t pattern_[longest], mask_[longest];           // its bytes, and which must be equal
    int32_t varying_[field::count], varying_count_ = 0;  // the fields that have a column
};

}  // namespace

bool check_head(const czk_directory &directory, int64_t sub_block, const uint8_t *head,
                int64_t size, int64_t *data_offset, int64_t *data_size) {
    static const char id[16] = "ZISRAWSUBBLOCK";
    if (size < least_head || std::memcmp(head, id, sizeof id) != 0) return false;
    const int64_t metadata = read_number<int32_t>(head + 32);
    const int64_t attachment = read_number<int32_t>(head + 36);
    const auto data = read_number<int64_t>(head + 40);
    const uint8_t *const entry = head + 48;
    const int64_t length = length_of(entry);
    Layout layout;
    if (length < 0 || length > size - 48) return false;
    if (!layout.find(entry, length, directory.letters)) return false;
    if (!agrees(directory, sub_block, entry, layout)) return false;
    if (metadata < 0 || attachment < 0 || data < 0 || data >= data_limit) return false;
    const int64_t offset =
        directory.position[sub_block] + std::max(48 + length, least_head) + metadata;
    if (offset > directory.file_size - data - attachment) return false;
    const int64_t pixel = pixel_size(directory.pixel_type[sub_block]);
    const int64_t row = directory.stored_w[sub_block] * pixel, rows = directory.stored_h[sub_block];
    if (row <= 0 || rows <= 0 || row >= data_limit) return false;
    const int64_t spare = data - row * rows;
    const bool is_padded = spare >= 0 && (spare <= most_spare || spare <= row * rows);
    if (directory.compression[sub_block] == uncompressed && !is_padded) return false;
    *data_offset = offset, *data_size = data;
    return true;
}

}  // namespace czk

int64_t czk_parse(czk_columns *columns, const uint8_t *data, int64_t size) {
    int64_t done = 0;
    columns->lacking = -1;
    czk::Rows rows(*columns);
    while (columns->filled < columns->count && size - done >= czk::entry_size) {
        const uint8_t *const entry = data + done;
        int64_t length = rows.length_of_known(entry, size - done);
        if (!length) {
            length = czk::length_of(entry);
            if (length > size - done) break;
            if (length < 0) return -1;
            if (!rows.learn(entry, length)) return columns->lacking < 0 ? -1 : done;
        }
        if (!rows.add(entry)) return -1;
        done += length;
    }
    return done;
}
