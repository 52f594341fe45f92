// Entries of the sub-block directory, and the copy of it that the head of each sub-block carries.
//
// An entry: "DV", int32 pixel type, int64 position, int32 file part, int32 compression, a byte for
// the pyramid, 5 spare ones, int32 count of dimensions; then for each of these 20 bytes: a letter
// and 3 spare bytes, int32 start, int32 size, float32, int32 stored size.

#include <cstring>

#include "internal.h"

namespace czk {
namespace {

constexpr int64_t entry_size = 32, dimension_size = 20;
constexpr int32_t most_dimensions = 40, dimensions_known = 9;
constexpr int64_t most_spare = 64 << 20;  // a larger part of a bitmap's data is no padding
constexpr int64_t data_limit = int64_t{1} << 31;

// The fields of an entry, or of one of its dimensions.
template <typename Number>
Number at(const uint8_t *entry, int64_t offset) { return read_number<Number>(entry + offset); }
int32_t type_of(const uint8_t *entry) { return at<int32_t>(entry, 2); }
int64_t position_of(const uint8_t *entry) { return at<int64_t>(entry, 6); }
int32_t part_of(const uint8_t *entry) { return at<int32_t>(entry, 14); }
int32_t compression_of(const uint8_t *entry) { return at<int32_t>(entry, 18); }
int32_t start_of(const uint8_t *dimension) { return at<int32_t>(dimension, 4); }
int32_t size_of(const uint8_t *dimension) { return at<int32_t>(dimension, 8); }
int32_t stored_of(const uint8_t *dimension) {  // 0 stands for the logical size
    const int32_t stored = at<int32_t>(dimension, 16);
    return stored ? stored : size_of(dimension);
}

char letter_of(const uint8_t *dimension) {
    const char letter = static_cast<char>(dimension[0]);
    return letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
}

// Returns how many dimensions an entry has; -1 where it is none, or goes beyond `size`.
int64_t dimensions_of(const uint8_t *entry, int64_t size) {
    if (size < entry_size || entry[0] != 'D' || entry[1] != 'V') return -1;
    const auto count = at<int32_t>(entry, 28);
    const bool is_known = count >= 0 && count <= most_dimensions;
    return is_known && entry_size + dimension_size * count <= size ? count : -1;
}

// Returns the number of a dimension that is neither X, Y nor M; -1 for an unknown one.
int32_t number_of(const char *letters, char letter) {
    for (int32_t number = 0; number < dimensions_known; number++)
        if (letters[number] == letter) return number;
    return -1;
}

bool agrees(const czk_directory &directory, int64_t row, const uint8_t *entry, int64_t count) {
    if (type_of(entry) != directory.pixel_type[row]) return false;
    if (compression_of(entry) != directory.compression[row]) return false;
    int32_t places[dimensions_known + 1];  // the last one is M
    bool has_x = false, has_y = false;
    for (int32_t &place : places) place = absent;
    for (int64_t number = 0; number < count; number++) {
        const uint8_t *const dimension = entry + entry_size + dimension_size * number;
        const int32_t start = start_of(dimension), size = size_of(dimension);
        switch (const char letter = letter_of(dimension)) {
        case 'X':
            has_x = start == directory.x[row] && size == directory.w[row] &&
                    stored_of(dimension) == directory.stored_w[row];
            if (!has_x) return false;
            break;
        case 'Y':
            has_y = start == directory.y[row] && size == directory.h[row] &&
                    stored_of(dimension) == directory.stored_h[row];
            if (!has_y) return false;
            break;
        case 'M':
            places[dimensions_known] = start;
            break;
        default: {
            const int32_t known = number_of(directory.letters, letter);
            if (known < 0) return false;
            places[known] = start;
        }
        }
    }
    for (int32_t number = 0; number < dimensions_known; number++) {
        const int32_t *const column = directory.coordinate[number];
        if (places[number] != (column ? column[row] : absent)) return false;
    }
    return has_x && has_y && places[dimensions_known] == directory.m[row];
}

// Sets the row of one entry; false where a column is lacking, which is noted.
bool fill(czk_columns &columns, const uint8_t *entry, int64_t count, bool &is_unusual) {
    const int64_t row = columns.filled;
    for (int64_t number = 0; number < count; number++) {
        const uint8_t *const dimension = entry + entry_size + dimension_size * number;
        const int32_t start = start_of(dimension), size = size_of(dimension);
        const char letter = letter_of(dimension);
        if (letter == 'X') {
            columns.x[row] = start, columns.w[row] = size;
            columns.stored_w[row] = stored_of(dimension);
        } else if (letter == 'Y') {
            columns.y[row] = start, columns.h[row] = size;
            columns.stored_h[row] = stored_of(dimension);
        } else if (letter == 'M') {
            columns.m[row] = start;
        } else {
            const int32_t known = number_of(columns.letters, letter);
            is_unusual = known < 0 || start == absent;
            if (is_unusual) return false;
            const bool needs_size = size > 1 && !columns.size[known];
            if (!columns.coordinate[known] || needs_size) {
                columns.lacking = letter;
                columns.lacking_size = columns.coordinate[known] ? 1 : 0;
                return false;
            }
            columns.coordinate[known][row] = start;
            if (columns.size[known]) columns.size[known][row] = size > 1 ? size : 1;
        }
    }
    columns.pixel_type[row] = type_of(entry);
    columns.position[row] = position_of(entry);
    columns.file_part[row] = part_of(entry);
    columns.compression[row] = compression_of(entry);
    columns.pyramid_type[row] = entry[22];
    return true;
}

}  // namespace

bool check_head(const czk_directory &directory, int64_t sub_block, const uint8_t *head,
                int64_t size, int64_t *data_offset, int64_t *data_size) {
    static const char id[16] = "ZISRAWSUBBLOCK";
    if (size < least_head || std::memcmp(head, id, sizeof id) != 0) return false;
    const int64_t position = directory.position[sub_block];
    const int64_t metadata = at<int32_t>(head, 32), attachment = at<int32_t>(head, 36);
    const auto data = at<int64_t>(head, 40);
    const uint8_t *const entry = head + 48;
    const int64_t count = dimensions_of(entry, size - 48);
    if (count < 0 || !agrees(directory, sub_block, entry, count)) return false;
    if (metadata < 0 || attachment < 0 || data < 0 || data >= data_limit) return false;
    const int64_t used = 48 + entry_size + dimension_size * count;
    const int64_t offset = position + (used > least_head ? used : least_head) + metadata;
    if (position < 0 || offset > directory.file_size - data - attachment) return false;
    const int64_t pixel = pixel_size(directory.pixel_type[sub_block]);
    const int64_t w = directory.stored_w[sub_block], h = directory.stored_h[sub_block];
    if (!pixel || w <= 0 || h <= 0 || w * pixel >= data_limit) return false;
    const int64_t claimed = w * pixel > INT64_MAX / h ? INT64_MAX : w * pixel * h;
    if (directory.compression[sub_block] == uncompressed) {
        const int64_t rest = data - claimed;
        if (rest < 0 || (rest > most_spare && rest > claimed)) return false;
    }
    *data_offset = offset, *data_size = data;
    return true;
}

}  // namespace czk

extern "C" int64_t czk_parse(czk_columns *columns, const uint8_t *data, int64_t size) {
    int64_t done = 0;
    columns->lacking = 0;
    while (columns->filled < columns->count && size - done >= czk::entry_size) {
        const uint8_t *const entry = data + done;
        const int64_t count = czk::dimensions_of(entry, INT64_MAX);
        if (count < 0) return -1;
        const int64_t length = czk::entry_size + czk::dimension_size * count;
        if (length > size - done) break;
        bool is_unusual = false;
        if (!czk::fill(*columns, entry, count, is_unusual)) return is_unusual ? -1 : done;
        columns->filled++;
        done += length;
    }
    return done;
}
