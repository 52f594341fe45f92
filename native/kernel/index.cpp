// The index of the tiles: they are sorted by plane and size, and within such a group by the grid cell
// of their top-left corner. A search looks through the cells of its region, enlarged by the size of
// the largest tile. Groups of larger tiles, which usually have a lower zoom, come first.

#include <utility>

#include "internal.h"

namespace czk {
namespace {

constexpr int64_t few = 64;  // the number of tiles of a plane that are searched one by one

// Similar size: the number of bits of the longer side. Pyramid tiles of lower zoom are larger.
int32_t class_of(const czk_tiles &tiles, int64_t tile) {
    const int32_t side = std::max(tiles.w[tile], tiles.h[tile]);
    return side > 0 ? __builtin_clz(static_cast<uint32_t>(side)) - 32 : 0;
}

// Calls act(first, end) for each group: the tiles of similar size of a plane with many tiles, which
// follow each other in `order`.
template <typename Act>
void each_group(const czk_tiles &tiles, Act act) {
    for (int64_t begin = 0, end = 0; begin < tiles.ordered; begin = end) {
        const int64_t plane = tiles.plane[tiles.order[begin]];
        while (end < tiles.ordered && tiles.plane[tiles.order[end]] == plane) end++;
        for (int64_t at = begin; end - begin > few && at < end;) {
            const int64_t first = at;
            const int32_t kind = class_of(tiles, tiles.order[first]);
            while (at < end && class_of(tiles, tiles.order[at]) == kind) at++;
            act(first, at);
        }
    }
}

int64_t sort_tiles(czk_tiles &tiles) {
    if (tiles.count > INT32_MAX) return -1;
    tiles.ordered = 0;
    for (int32_t tile = 0; tile < tiles.count; tile++)
        if (tiles.w[tile] > 0 && tiles.h[tile] > 0) tiles.order[tiles.ordered++] = tile;
    auto place_of = [&](int32_t tile) {
        return std::make_pair(tiles.plane[tile], class_of(tiles, tile));
    };
    auto is_before = [&](int32_t one, int32_t other) { return place_of(one) < place_of(other); };
    int32_t *const end = tiles.order + tiles.ordered;
    if (!std::is_sorted(tiles.order, end, is_before))  // usually they are
        std::stable_sort(tiles.order, end, is_before);
    int64_t groups = 0;
    each_group(tiles, [&](int64_t, int64_t) { groups++; });
    return groups;
}

// Measures a group and makes its grid, with at most as many cells as tiles.
void measure(const czk_tiles &tiles, czk_group &group) {
    const int32_t *const begin = tiles.order + group.first, *const end = tiles.order + group.end;
    Box all = box_of(tiles, *begin);
    int64_t w = 0, h = 0;
    group.largest_w = group.largest_h = 0;
    group.lowest = group.highest = tiles.zoom[*begin];
    for (const int32_t *tile = begin; tile != end; tile++) {
        all = all.around(box_of(tiles, *tile));
        w += tiles.w[*tile], h += tiles.h[*tile];
        group.largest_w = std::max(group.largest_w, tiles.w[*tile]);
        group.largest_h = std::max(group.largest_h, tiles.h[*tile]);
        group.lowest = std::min(group.lowest, tiles.zoom[*tile]);
        group.highest = std::max(group.highest, tiles.zoom[*tile]);
    }
    const int64_t count = end - begin;
    make_grid(group, all, w / count, h / count, count);
}

// Sorts the tiles of a group by cell, and sets the beginning of each cell.
int64_t arrange(czk_tiles &tiles, const czk_group &group, std::vector<int32_t> &scratch) {
    int32_t *const order = tiles.order + group.first, *const starts = tiles.cells + group.cells;
    const int64_t cells = int64_t{group.columns} * group.rows + 1;
    // Doubles divide numbers below 2 to the 33rd without error, and faster.
    auto cell = [](int64_t distance, int64_t side) {
        return static_cast<int64_t>(static_cast<double>(distance) / static_cast<double>(side));
    };
    auto start_of = [&](int32_t tile) -> int32_t & {
        return starts[cell(tiles.y[tile] - group.y, group.cell_h) * group.columns +
                      cell(tiles.x[tile] - group.x, group.cell_w)];
    };
    scratch.assign(order, tiles.order + group.end);
    std::fill_n(starts, cells, 0);
    for (const int32_t tile : scratch) start_of(tile)++;
    for (int64_t at = 1; at < cells; at++) starts[at] += starts[at - 1];
    for (auto tile = scratch.rbegin(); tile != scratch.rend(); ++tile)
        order[--start_of(*tile)] = *tile;
    return cells;
}

int32_t fill_index(czk_tiles &tiles) {
    std::vector<int32_t> scratch;
    int64_t number = 0, cells = 0;
    each_group(tiles, [&](int64_t first, int64_t end) {
        if (number++ >= tiles.group_count) return;
        czk_group &group = tiles.groups[number - 1];
        group.first = first, group.end = end, group.cells = cells;
        measure(tiles, group);
        cells += arrange(tiles, group, scratch);
    });
    return number == tiles.group_count ? 0 : -1;
}

}  // namespace

void make_grid(czk_group &grid, const Box &all, int64_t w, int64_t h, int64_t most) {
    grid.x = all.left, grid.y = all.top;
    grid.cell_w = std::max<int64_t>(w, 1), grid.cell_h = std::max<int64_t>(h, 1);
    auto across = [&] { return (all.right - all.left - 1) / grid.cell_w + 1; };
    auto down = [&] { return (all.bottom - all.top - 1) / grid.cell_h + 1; };
    while (across() > most / down()) grid.cell_w *= 2, grid.cell_h *= 2;
    grid.columns = static_cast<int32_t>(across()), grid.rows = static_cast<int32_t>(down());
}

Box cells_of(const czk_group &grid, const Box &box) {
    auto cell = [](int64_t distance, int64_t side) { return std::max<int64_t>(distance, 0) / side; };
    return {cell(box.left - grid.largest_w + 1 - grid.x, grid.cell_w),
            cell(box.top - grid.largest_h + 1 - grid.y, grid.cell_h),
            std::min<int64_t>(cell(box.right - 1 - grid.x, grid.cell_w) + 1, grid.columns),
            std::min<int64_t>(cell(box.bottom - 1 - grid.y, grid.cell_h) + 1, grid.rows)};
}

void search(const czk_tiles &tiles, int64_t plane, const Box &region, const Wanted &wanted,
            const Visit &visit) {
    const int32_t *const order = tiles.order, *const stop = order + tiles.ordered;
    auto look = [&](int64_t first, int64_t end) {
        for (int64_t at = first; at < end; at++)
            if (box_of(tiles, order[at]).meets(region)) visit(order[at]);
    };
    auto is_below = [&](int32_t tile) { return tiles.plane[tile] < plane; };
    const int64_t first = std::partition_point(order, stop, is_below) - order;
    auto is_here = [&](int32_t tile) { return tiles.plane[tile] == plane; };
    const int64_t end = std::partition_point(order + first, stop, is_here) - order;
    if (end - first <= few) return look(first, end);
    const czk_group *group = tiles.groups, *const last = group + tiles.group_count;
    group = std::partition_point(group, last, [&](auto &one) { return one.first < first; });
    for (; group != last && group->first < end; group++) {
        if (!wanted(group->lowest, group->highest)) continue;
        const Box cells = cells_of(*group, region);
        for (int64_t row = cells.top; row < cells.bottom && !cells.empty(); row++) {
            const int32_t *const starts = tiles.cells + group->cells + row * group->columns;
            look(group->first + starts[cells.left], group->first + starts[cells.right]);
        }
    }
}

}  // namespace czk

int64_t czk_sort(czk_tiles *tiles) {
    return czk::guarded([&] { return czk::sort_tiles(*tiles); });
}

int32_t czk_index(czk_tiles *tiles) {
    return static_cast<int32_t>(czk::guarded([&] { return czk::fill_index(*tiles); }));
}
