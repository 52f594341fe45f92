// Chooses the tiles of a region by the rules of libCZI, and the boxes that each of them paints.
//
// Tiles are found by an index: they are sorted by plane, scale and size, and within such a group by
// the cell of a grid in which their top-left corner lies. A search looks through the cells of its
// region, and of the largest tile's size beside it. Groups of a lower zoom come first.

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <vector>

#include "internal.h"

namespace czk {
namespace {

// Planes of fewer tiles are looked through one by one.
constexpr int64_t few = 64;
// Comparisons for each tile before tiles count as too entangled to find their visible parts.
constexpr int64_t patience = 200;
// A job has so many pixels at most, so that threads share large tiles, and Ctrl-C is heard.
constexpr int64_t largest_job = 1 << 22;
// libCZI: a tile of slightly less zoom than asked for still does; from this much above the lowest
// chosen zoom on, tiles belong to the next layer.
constexpr float tolerance = 1.05f, layer_step = 1.9f;
constexpr int32_t other_absent = 2147483647;  // libCZI's second mark of a missing M-index

using Boxes = std::vector<Box>;

Box box_of(const czk_tiles &tiles, int64_t tile) {
    const int64_t x = tiles.x[tile], y = tiles.y[tile];
    return {x, y, x + tiles.w[tile], y + tiles.h[tile]};
}

// ---- the index -------------------------------------------------------------------------------

// About one zoom and one size: the octave of the zoom, and the bits of the longer side.
uint32_t class_of(const czk_tiles &tiles, int64_t tile) {
    const double zoom = std::max(static_cast<double>(tiles.zoom[tile]), 1e-9);
    const auto octave = static_cast<int32_t>(std::lround(std::log2(zoom))) + 64;
    uint32_t side = static_cast<uint32_t>(std::max(tiles.w[tile], tiles.h[tile])), bits = 0;
    for (; side; side >>= 1) bits++;
    return static_cast<uint32_t>(octave) * 64 + bits;
}

struct Place {
    int64_t plane;
    uint64_t rest;  // class, then tile
    bool operator<(const Place &other) const {
        return plane != other.plane ? plane < other.plane : rest < other.rest;
    }
};

uint32_t class_in(const Place &place) { return static_cast<uint32_t>(place.rest >> 32); }

int64_t sort_tiles(czk_tiles &tiles) {
    std::vector<Place> places;
    places.reserve(static_cast<size_t>(tiles.count));
    for (int64_t tile = 0; tile < tiles.count; tile++)
        if (tiles.w[tile] > 0 && tiles.h[tile] > 0)
            places.push_back({tiles.plane[tile], static_cast<uint64_t>(class_of(tiles, tile)) << 32 |
                                                     static_cast<uint64_t>(tile)});
    if (!std::is_sorted(places.begin(), places.end())) std::sort(places.begin(), places.end());
    tiles.ordered = static_cast<int64_t>(places.size());
    int64_t groups = 0, begin = 0, in_plane = 0;
    for (int64_t at = 0; at < tiles.ordered; at++) {
        const Place &place = places[static_cast<size_t>(at)];
        tiles.order[at] = static_cast<int32_t>(place.rest & 0xffffffff);
        const bool is_new = at == 0 || place.plane != places[static_cast<size_t>(at - 1)].plane;
        if (is_new) begin = at, in_plane = 0;
        if (is_new || class_in(place) != class_in(places[static_cast<size_t>(at - 1)])) in_plane++;
        const bool is_last = at + 1 == tiles.ordered ||
                             places[static_cast<size_t>(at + 1)].plane != place.plane;
        if (is_last && at + 1 - begin > few) groups += in_plane;
    }
    return groups;
}

int32_t cell_of(const czk_group &group, int64_t x, int64_t y) {
    return static_cast<int32_t>((y - group.y) / group.cell_h * group.columns +
                                (x - group.x) / group.cell_w);
}

// Measures a group, and sorts its tiles by cell.
void arrange(czk_tiles &tiles, czk_group &group, std::vector<int32_t> &scratch) {
    int32_t *const order = tiles.order;
    Box all = box_of(tiles, order[group.first]);
    int64_t w = 0, h = 0;
    group.largest_w = group.largest_h = 0;
    group.lowest = group.highest = tiles.zoom[order[group.first]];
    for (int64_t at = group.first; at < group.end; at++) {
        const int32_t tile = order[at];
        const Box box = box_of(tiles, tile);
        all = {std::min(all.left, box.left), std::min(all.top, box.top),
               std::max(all.right, box.right), std::max(all.bottom, box.bottom)};
        w += tiles.w[tile], h += tiles.h[tile];
        group.largest_w = std::max(group.largest_w, tiles.w[tile]);
        group.largest_h = std::max(group.largest_h, tiles.h[tile]);
        group.lowest = std::min(group.lowest, tiles.zoom[tile]);
        group.highest = std::max(group.highest, tiles.zoom[tile]);
    }
    const int64_t count = group.end - group.first;
    group.x = all.left, group.y = all.top;
    group.cell_w = std::max<int64_t>(w / count, 1), group.cell_h = std::max<int64_t>(h / count, 1);
    // Not more cells than tiles: they grow where tiles lie far apart.
    auto across = [&] { return (all.right - all.left - 1) / group.cell_w + 1; };
    auto down = [&] { return (all.bottom - all.top - 1) / group.cell_h + 1; };
    while (across() > count / down()) group.cell_w *= 2, group.cell_h *= 2;
    group.columns = static_cast<int32_t>(across()), group.rows = static_cast<int32_t>(down());
    int32_t *const starts = tiles.cells + group.cells;
    std::fill_n(starts, static_cast<int64_t>(group.columns) * group.rows + 1, 0);
    auto cell = [&](int32_t tile) { return cell_of(group, tiles.x[tile], tiles.y[tile]); };
    for (int64_t at = group.first; at < group.end; at++) starts[cell(order[at])]++;
    int32_t sum = 0;
    for (int64_t at = 0; at <= static_cast<int64_t>(group.columns) * group.rows; at++)
        sum += starts[at], starts[at] = sum;
    scratch.assign(order + group.first, order + group.end);
    for (auto tile = scratch.rbegin(); tile != scratch.rend(); ++tile)
        order[group.first + --starts[cell(*tile)]] = *tile;
}

int32_t fill_index(czk_tiles &tiles) {
    std::vector<int32_t> scratch;
    int64_t number = 0, cells = 0, begin = 0;
    while (begin < tiles.ordered) {
        const int64_t plane = tiles.plane[tiles.order[begin]];
        int64_t end = begin;
        while (end < tiles.ordered && tiles.plane[tiles.order[end]] == plane) end++;
        for (int64_t at = begin; end - begin > few && at < end;) {
            if (number == tiles.group_count) return -1;
            czk_group &group = tiles.groups[number++];
            group.first = at, group.cells = cells;
            const uint32_t kind = class_of(tiles, tiles.order[at]);
            while (at < end && class_of(tiles, tiles.order[at]) == kind) at++;
            group.end = at;
            arrange(tiles, group, scratch);
            cells += static_cast<int64_t>(group.columns) * group.rows + 1;
        }
        begin = end;
    }
    return number == tiles.group_count ? 0 : -1;
}

// Calls visit(tile) for the tiles of a plane that share a pixel with a region; groups of tiles for
// whose zooms wanted(lowest, highest) is false are passed over.
template <typename Wanted, typename Visit>
void search(const czk_tiles &tiles, int64_t plane, const Box &region, Wanted wanted, Visit visit) {
    const int32_t *const order = tiles.order;
    auto look = [&](int64_t first, int64_t end) {
        for (int64_t at = first; at < end; at++)
            if (box_of(tiles, order[at]).meets(region)) visit(order[at]);
    };
    const int32_t *const stop = order + tiles.ordered;
    const int64_t first = std::lower_bound(order, stop, plane, [&](int32_t tile, int64_t value) {
                              return tiles.plane[tile] < value;
                          }) - order;
    const int64_t end = std::upper_bound(order + first, stop, plane, [&](int64_t value, int32_t tile) {
                            return value < tiles.plane[tile];
                        }) - order;
    if (end - first <= few) return look(first, end);
    const czk_group *group =
        std::lower_bound(tiles.groups, tiles.groups + tiles.group_count, first,
                         [](const czk_group &one, int64_t value) { return one.first < value; });
    for (; group != tiles.groups + tiles.group_count && group->first < end; group++) {
        if (!wanted(group->lowest, group->highest)) continue;
        auto clamp = [](int64_t value, int64_t most) { return std::clamp<int64_t>(value, 0, most); };
        auto column = [&](int64_t x) { return clamp(x - group->x, INT64_MAX) / group->cell_w; };
        auto row = [&](int64_t y) { return clamp(y - group->y, INT64_MAX) / group->cell_h; };
        if (region.right <= group->x || region.bottom <= group->y) continue;
        const int64_t left = column(region.left - group->largest_w + 1);
        const int64_t right = clamp(column(region.right - 1), group->columns - 1);
        const int64_t bottom = clamp(row(region.bottom - 1), group->rows - 1);
        if (left > right) continue;
        for (int64_t at = row(region.top - group->largest_h + 1); at <= bottom; at++) {
            const int32_t *const starts = tiles.cells + group->cells + at * group->columns;
            look(group->first + starts[left], group->first + starts[right + 1]);
        }
    }
}

// ---- visible parts ---------------------------------------------------------------------------

// Boxes by the cells of a coarse grid that they touch.
class Cells {
public:
    explicit Cells(const Boxes &boxes) : seen_(boxes.size(), -1) {
        int64_t w = 0, h = 0;
        all_ = boxes.front();
        for (const Box &box : boxes) {
            all_ = {std::min(all_.left, box.left), std::min(all_.top, box.top),
                    std::max(all_.right, box.right), std::max(all_.bottom, box.bottom)};
            w += box.right - box.left, h += box.bottom - box.top;
        }
        const auto count = static_cast<int64_t>(boxes.size());
        const auto most = 2 * static_cast<int64_t>(std::sqrt(static_cast<double>(count))) + 1;
        w_ = std::max<int64_t>({w / count, (all_.right - all_.left) / most, 1});
        h_ = std::max<int64_t>({h / count, (all_.bottom - all_.top) / most, 1});
        columns_ = (all_.right - all_.left - 1) / w_ + 1;
        heads_.assign(static_cast<size_t>(columns_ * ((all_.bottom - all_.top - 1) / h_ + 1)), -1);
    }

    bool are_covered_by(int64_t area) const { return area >= all_.area() && area < Box::huge; }

    // Calls visit(cell) for each cell that a box touches.
    template <typename Visit>
    void touch(const Box &box, Visit visit) {
        for (int64_t row = (box.top - all_.top) / h_; row <= (box.bottom - 1 - all_.top) / h_; row++)
            for (int64_t at = (box.left - all_.left) / w_;
                 at <= (box.right - 1 - all_.left) / w_; at++)
                visit(heads_[static_cast<size_t>(row * columns_ + at)]);
    }

    // Calls visit(number) once for each box that was added in a cell, for the box `asking`.
    template <typename Visit>
    void members(int32_t cell, int32_t asking, Visit visit) {
        for (int32_t at = cell; at >= 0; at = links_[static_cast<size_t>(at)].next) {
            const int32_t number = links_[static_cast<size_t>(at)].box;
            int32_t &seen = seen_[static_cast<size_t>(number)];
            if (seen != asking) seen = asking, visit(number);
        }
    }

    void add(int32_t &cell, int32_t number) {
        links_.push_back({number, cell});
        cell = static_cast<int32_t>(links_.size()) - 1;
    }

private:
    struct Link {
        int32_t box, next;
    };
    Box all_{};
    int64_t w_, h_, columns_;
    std::vector<int32_t> heads_, seen_;
    std::vector<Link> links_;
};

// Takes a hole out of some boxes; what is left has the longest rows that it can have.
void cut(const Boxes &boxes, const Box &hole, Boxes &rest) {
    rest.clear();
    for (Box box : boxes) {
        if (!box.meets(hole)) {
            rest.push_back(box);
            continue;
        }
        if (box.top < hole.top) rest.push_back({box.left, box.top, box.right, hole.top});
        box.top = std::max(box.top, hole.top);
        if (box.bottom > hole.bottom) rest.push_back({box.left, hole.bottom, box.right, box.bottom});
        box.bottom = std::min(box.bottom, hole.bottom);
        if (box.left < hole.left) rest.push_back({box.left, box.top, hole.left, box.bottom});
        if (box.right > hole.right) rest.push_back({hole.right, box.top, box.right, box.bottom});
    }
}

struct Part {
    int32_t box;  // of which it is a part
    Box area;
};

// Finds what remains visible of boxes that are painted one over the other, the last ones first;
// false where they overlap so much that it would take long.
bool visible_parts(const Boxes &boxes, std::vector<Part> &parts, int64_t &covered) {
    parts.clear(), covered = 0;
    if (boxes.empty()) return true;
    Cells cells(boxes);
    auto left = patience * static_cast<int64_t>(boxes.size());
    Boxes visible, rest;
    for (auto at = static_cast<int32_t>(boxes.size()) - 1; at >= 0 && !cells.are_covered_by(covered); at--) {
        const Box &box = boxes[static_cast<size_t>(at)];
        visible.assign(1, box);
        cells.touch(box, [&](int32_t &cell) {
            left--;
            if (left < 0 || visible.empty()) return;
            cells.members(cell, at, [&](int32_t above) {
                left -= 1 + static_cast<int64_t>(visible.size());
                if (left < 0) return;
                cut(visible, boxes[static_cast<size_t>(above)], rest);
                visible.swap(rest);
            });
        });
        if (left < 0) return false;
        for (const Box &part : visible) {
            parts.push_back({at, part});
            covered = std::min(covered + part.area(), Box::huge);
        }
        if (!visible.empty()) cells.touch(box, [&](int32_t &cell) { cells.add(cell, at); });
    }
    return true;
}

// ---- the choice ------------------------------------------------------------------------------

struct Chosen {
    int64_t rank;   // of its plane
    int32_t level;  // 0 but for the grid of a level
    int32_t scene;  // its place among the scenes that are painted one after the other
    float zoom;
    int32_t m;
    int32_t tile;

    bool operator<(const Chosen &other) const {
        if (rank != other.rank) return rank < other.rank;
        if (level != other.level) return level < other.level;
        if (scene != other.scene) return scene < other.scene;
        if (zoom != other.zoom) return zoom < other.zoom;
        return m != other.m ? m < other.m : tile < other.tile;
    }
};

class Choice {
public:
    Choice(const czk_tiles &tiles, czk_region &region, int32_t number)
        : tiles_(tiles), region_(region), number_(number),
          roi_{region.x, region.y, region.x + region.w, region.y + region.h} {}

    // Writes the jobs from the `used`-th on; returns how many there are with those before.
    int64_t make(int64_t only, czk_job *jobs, int64_t capacity, int64_t used) {
        region_.first = used;
        if (only >= 0 && only < tiles_.count)
            take(static_cast<int32_t>(only));
        else if (region_.mode == CZK_LEVEL)
            choose_for_level();
        else
            choose_by_zoom();
        for (const Part &part : parts_) {
            const int64_t rows = std::max<int64_t>(largest_job / (part.area.right - part.area.left), 1);
            for (int64_t top = part.area.top; top < part.area.bottom; top += rows, used++)
                if (used < capacity)
                    jobs[used] = job_of(part, top, std::min(top + rows, part.area.bottom));
        }
        region_.end = used;
        return used;
    }

private:
    czk_job job_of(const Part &part, int64_t top, int64_t bottom) const {
        const int32_t tile = chosen_[static_cast<size_t>(part.box)].tile;
        const Axis y = axis_of(tiles_, tile, region_, true);
        return {tile, number_, CZK_PENDING, -1, static_cast<int32_t>(y.nearest(top)),
                static_cast<int32_t>(y.nearest(bottom - 1)) + 1, 0,
                static_cast<int32_t>(part.area.left), static_cast<int32_t>(top),
                static_cast<int32_t>(part.area.right), static_cast<int32_t>(bottom)};
    }

    void take(int32_t tile) {
        chosen_.push_back({0, 0, 0, tiles_.zoom[tile], 0, tile});
        find_parts();
    }

    void choose_by_zoom() {
        involved_scenes();
        const float least = region_.zoom / tolerance;
        for (int64_t at = 0; at < region_.plane_count; at++)
            add_plane(region_.planes[at], least);
        std::sort(chosen_.begin(), chosen_.end());
        if (region_.mode == CZK_ZOOM && !region_.has_masks) drop_hidden();
        find_parts();
    }

    // The scenes whose box meets the region.
    void involved_scenes() {
        for (int64_t at = 0; at < tiles_.scene_count; at++) {
            const int64_t *const box = tiles_.boxes + 4 * at;
            if (region_.scene != absent && region_.scene != tiles_.scenes[at]) continue;
            if (roi_.meets({box[0], box[1], box[2], box[3]}))
                scenes_.push_back(tiles_.scenes[at]);
        }
    }

    int32_t place_among_scenes(int32_t scene) const {
        return static_cast<int32_t>(std::lower_bound(scenes_.begin(), scenes_.end(), scene) -
                                    scenes_.begin());
    }

    bool is_among_scenes(int32_t scene) const {
        return std::binary_search(scenes_.begin(), scenes_.end(), static_cast<int64_t>(scene));
    }

    // Adds the tiles of one layer of a plane; each scene has its own, unless there are fewer than
    // two. A tile without a scene counts unless several scenes are involved.
    void add_plane(const czk_plane &plane, float least) {
        const auto begin = static_cast<std::ptrdiff_t>(chosen_.size());
        const bool apart = scenes_.size() > 1;
        std::vector<float> limits(std::max<size_t>(scenes_.size(), 1),
                                  std::numeric_limits<float>::infinity());
        auto wanted = [&](float lowest, float highest) {
            return highest >= least && lowest < *std::max_element(limits.begin(), limits.end());
        };
        search(tiles_, plane.plane, roi_, wanted, [&](int32_t tile) {
            const float zoom = tiles_.zoom[tile];
            const int32_t scene = tiles_.scene[tile];
            const bool counts = is_among_scenes(scene) || (scene == absent && !apart);
            if (zoom < least || !counts) return;
            const int32_t group = apart ? place_among_scenes(scene) : 0;
            float &limit = limits[static_cast<size_t>(group)];
            limit = std::min(limit, zoom * layer_step);
            chosen_.push_back({plane.rank, 0, group, zoom, m_of(tile), tile});
        });
        auto is_above = [&](const Chosen &one) {
            return !(one.zoom < limits[static_cast<size_t>(one.scene)]);
        };
        chosen_.erase(std::remove_if(chosen_.begin() + begin, chosen_.end(), is_above),
                      chosen_.end());
    }

    // The M-index on layer 0; tiles without one, and those of a pyramid, come first.
    int32_t m_of(int32_t tile) const {
        const int32_t m = tiles_.m[tile];
        return tiles_.layer0[tile] && m != other_absent ? m : absent;
    }

    // Leaves out the tiles that add nothing to the covered area, in pixels of full resolution.
    void drop_hidden() {
        std::vector<Part> parts;
        std::vector<Chosen> kept;
        Boxes boxes;
        for (size_t begin = 0, end = 0; begin < chosen_.size(); begin = end) {
            boxes.clear();
            for (; end < chosen_.size() && chosen_[end].rank == chosen_[begin].rank &&
                   chosen_[end].scene == chosen_[begin].scene; end++)
                boxes.push_back(box_of(tiles_, chosen_[end].tile).within(roi_));
            int64_t covered = 0;
            if (!visible_parts(boxes, parts, covered)) {
                kept.insert(kept.end(), chosen_.begin() + static_cast<std::ptrdiff_t>(begin),
                            chosen_.begin() + static_cast<std::ptrdiff_t>(end));
                continue;
            }
            for (size_t at = parts.size(), last = SIZE_MAX; at-- > 0;) {  // the lowest is last
                const auto box = static_cast<size_t>(parts[at].box);
                if (box != last) kept.push_back(chosen_[begin + box]);
                last = box;
            }
        }
        chosen_.swap(kept);
    }

    // Sets the parts of the output that the chosen tiles paint.
    void find_parts() {
        Boxes boxes;
        size_t used = 0;
        for (const Chosen &one : chosen_) {
            const Axis x = axis_of(tiles_, one.tile, region_, false);
            const Axis y = axis_of(tiles_, one.tile, region_, true);
            const Box box{x.first, y.first, x.end, y.end};
            if (box.empty()) continue;
            boxes.push_back(box);
            chosen_[used++] = one;
        }
        chosen_.resize(used);
        region_.covered = 0;
        region_.in_order =
            region_.has_masks || !visible_parts(boxes, parts_, region_.covered) ? 1 : 0;
        if (!region_.in_order) return;
        region_.covered = 0, parts_.clear();
        for (size_t at = 0; at < used; at++) parts_.push_back({static_cast<int32_t>(at), boxes[at]});
    }

    // A pixel of a level shows the tiles of that level, and where it has none those of finer ones.
    void choose_for_level() {
        if (region_.scene != absent)
            scenes_.push_back(region_.scene);
        else
            scenes_.assign(tiles_.scenes, tiles_.scenes + tiles_.scene_count);
        const double factor = region_.factor;
        auto low = [&](int64_t start) {
            return static_cast<int64_t>(std::floor(static_cast<double>(start - 1) * factor));
        };
        auto high = [&](int64_t end) {
            return static_cast<int64_t>(std::ceil(static_cast<double>(end + 1) * factor));
        };
        const Box around{low(roi_.left) + region_.grid_x, low(roi_.top) + region_.grid_y,
                         high(roi_.right) + region_.grid_x, high(roi_.bottom) + region_.grid_y};
        const int32_t level = region_.level;
        const float least = 1.0f / tolerance;
        add_level(around, [&](int32_t tile) {
            return level ? tiles_.level[tile] == level : tiles_.zoom[tile] >= least;
        });
        find_parts();
        if (level == 0 || region_.covered == region_.out_w * region_.out_h) return;
        chosen_.clear();
        add_level(around, [&](int32_t tile) { return tiles_.level[tile] <= level; });
        find_parts();
    }

    // A tile of full resolution without a scene counts unless several scenes are shown.
    template <typename Counts>
    void add_level(const Box &around, Counts counts) {
        for (int64_t at = 0; at < region_.plane_count; at++) {
            const czk_plane &plane = region_.planes[at];
            auto all = [](float, float) { return true; };
            search(tiles_, plane.plane, around, all, [&](int32_t tile) {
                const int32_t scene = tiles_.scene[tile];
                const bool alone = scene == absent && (scenes_.size() < 2 || !tiles_.layer0[tile]);
                if (!counts(tile) || !(alone || is_among_scenes(scene))) return;
                const int32_t level = region_.level ? tiles_.level[tile] : 0;
                chosen_.push_back({plane.rank, level, place_among_scenes(scene), tiles_.zoom[tile],
                                   m_of(tile), tile});
            });
        }
        std::sort(chosen_.begin(), chosen_.end());
    }

    const czk_tiles &tiles_;
    czk_region &region_;
    const int32_t number_;
    const Box roi_;
    std::vector<int64_t> scenes_;  // ascending
    std::vector<Chosen> chosen_;   // in the order of painting
    std::vector<Part> parts_;      // `box` is a place among the chosen
};

int64_t as_integer(double value) {  // the same but for numbers far beyond all coordinates
    constexpr double most = 1LL << 52;
    return static_cast<int64_t>(std::clamp(value, -most, most));
}

}  // namespace

int64_t Axis::nearest(int64_t at) const {
    if (kind == copied) return at - offset;
    if (kind == gridded) {
        const double corner = (static_cast<double>(at) + target) * scale;
        const double place = (corner - source) * static_cast<double>(size) / divisor;
        return std::clamp<int64_t>(static_cast<int64_t>(std::floor(place)), 0, size - 1);
    }
    const double place = (static_cast<double>(at) - target) * scale + source;
    const auto whole = static_cast<int64_t>(place);
    const double rest = place - static_cast<double>(whole);  // halves go away from zero
    return std::clamp<int64_t>(whole + (rest >= 0.5) - (rest <= -0.5), 0, size - 1);
}

Axis axis_of(const czk_tiles &tiles, int64_t tile, const czk_region &region, bool is_vertical) {
    const int64_t logical = is_vertical ? tiles.h[tile] : tiles.w[tile];
    const int64_t roi_start = is_vertical ? region.y : region.x;
    const int64_t roi_size = is_vertical ? region.h : region.w;
    int64_t start = is_vertical ? tiles.y[tile] : tiles.x[tile];
    Axis axis{};
    axis.size = is_vertical ? tiles.read_h[tile] : tiles.read_w[tile];
    axis.kind = Axis::copied;
    const auto span = static_cast<double>(logical), stored = static_cast<double>(axis.size);
    if (region.mode == CZK_ZOOM) {
        axis.kind = Axis::zoomed;
        const int64_t low = std::max(start, roi_start);
        const int64_t high = std::min(start + logical, roi_start + roi_size);
        const int64_t out_size = is_vertical ? region.out_h : region.out_w;
        const auto out = static_cast<double>(out_size), roi = static_cast<double>(roi_size);
        // The common range as fractions of the tile and of the region, then in their pixels.
        const double source_low = static_cast<double>(low - start) / span;
        axis.source = source_low * stored;
        const double source_size = (static_cast<double>(high - start) / span - source_low) * stored;
        const double target_low = static_cast<double>(low - roi_start) / roi;
        axis.target = target_low * out;
        const double target_size = (static_cast<double>(high - roi_start) / roi - target_low) * out;
        if (axis.size <= 0 || low >= high) return axis;
        const double least = std::ceil((0 - axis.source) * target_size / source_size + axis.target);
        const double most =
            std::ceil((stored - 1 - axis.source) * target_size / source_size + axis.target);
        axis.scale = source_size / target_size;
        axis.first = std::max({as_integer(least), as_integer(axis.target), int64_t{0}});
        axis.end = std::min({as_integer(most), as_integer(axis.target + target_size),
                             out_size - 1}) + 1;
        return axis;
    }
    int64_t end = start + axis.size;
    if (region.mode == CZK_LEVEL) {
        start -= is_vertical ? region.grid_y : region.grid_x;
        end = start + axis.size;
        const double factor = region.factor, begin = static_cast<double>(start);
        if (region.level != 0) {
            const bool is_own = tiles.level[tile] == region.level;
            if (is_own && std::fabs(stored - span / factor) < 1) {
                start = static_cast<int64_t>(std::floor(begin / factor + 0.5));
                end = start + axis.size;
            } else {
                axis.kind = Axis::gridded;
                axis.target = static_cast<double>(roi_start);
                axis.scale = factor, axis.source = begin, axis.divisor = span;
                start = static_cast<int64_t>(std::ceil(begin / factor));
                end = static_cast<int64_t>(std::ceil((begin + span) / factor));
            }
        }
    }
    axis.offset = start - roi_start;
    axis.first = std::max<int64_t>(axis.offset, 0);
    axis.end = axis.size < 1 ? 0 : std::min(end - roi_start, roi_size);
    return axis;
}

}  // namespace czk

extern "C" {

int64_t czk_sort(czk_tiles *tiles) {
    try {
        return czk::sort_tiles(*tiles);
    } catch (const std::bad_alloc &) {
        return -1;
    }
}

int32_t czk_index(czk_tiles *tiles) {
    try {
        return czk::fill_index(*tiles);
    } catch (const std::bad_alloc &) {
        return -1;
    }
}

int64_t czk_choose(const czk_tiles *tiles, czk_region *regions, int64_t count, int64_t only,
                   czk_job *jobs, int64_t capacity) {
    try {
        int64_t used = 0;
        for (int64_t at = 0; at < count; at++) {
            czk::Choice choice(*tiles, regions[at], static_cast<int32_t>(at));
            used = choice.make(only, jobs, capacity, used);
        }
        return used;
    } catch (const std::bad_alloc &) {
        return -1;
    }
}

}
