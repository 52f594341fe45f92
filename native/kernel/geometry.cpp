// The geometry of painting: the pixel of a tile that a pixel of the region shows, and the visible
// parts of overlapping tiles.
//
// The choice of pixels equals that of libCZI's scaling accessor to the last bit: the order of these
// operations matters, and the compiler must not contract them.
//
// Visible parts share no pixel, so that threads can paint them in any order, and no pixel is
// painted twice.

#include <cmath>

#include "internal.h"

namespace czk {
namespace {

// One axis of a tile and of a region.
struct Side {
    int64_t start, logical, stored, roi_start, roi_size, out_size, grid_start;
};

// The overlap as fractions of the tile and of the region, then in their pixels.
void zoom(Axis &axis, const Side &side) {
    const int64_t low = std::max(side.start, side.roi_start);
    const int64_t high = std::min(side.start + side.logical, side.roi_start + side.roi_size);
    if (axis.size <= 0 || low >= high) return;
    const auto span = static_cast<double>(side.logical), stored = static_cast<double>(axis.size);
    const auto out = static_cast<double>(side.out_size), roi = static_cast<double>(side.roi_size);
    const double source_low = static_cast<double>(low - side.start) / span;
    axis.source = source_low * stored;
    const double source_size = (static_cast<double>(high - side.start) / span - source_low) * stored;
    const double target_low = static_cast<double>(low - side.roi_start) / roi;
    axis.target = target_low * out;
    const double target_size = (static_cast<double>(high - side.roi_start) / roi - target_low) * out;
    auto shown_at = [&](double pixel) {
        return as_integer(std::ceil((pixel - axis.source) * target_size / source_size + axis.target));
    };
    axis.scale = source_size / target_size;
    axis.first = std::max({shown_at(0), as_integer(axis.target), int64_t{0}});
    const int64_t most = std::min(as_integer(axis.target + target_size), side.out_size - 1);
    axis.end = std::min(shown_at(stored - 1), most) + 1;
}

// Comparisons for each box before boxes count as too entangled.
constexpr int64_t patience = 200;

// A box that touches a cell, and the link of the next one.
struct Link {
    int32_t box, next;
};

// A coarse grid over some boxes, with a number for each cell: the last link of a list, or -1.
class Cells {
public:
    explicit Cells(const Boxes &boxes) : all_(boxes.front()) {
        int64_t w = 0, h = 0;
        for (const Box &box : boxes) {
            all_ = all_.around(box);
            w += box.right - box.left, h += box.bottom - box.top;
        }
        const auto count = static_cast<int64_t>(boxes.size());
        grid_.largest_w = grid_.largest_h = 1;  // boxes are in all cells that they touch
        make_grid(grid_, all_, w / count, h / count, 4 * count);
        lists_.assign(static_cast<size_t>(int64_t{grid_.columns} * grid_.rows), -1);
    }

    bool are_covered_by(int64_t area) const { return area >= all_.area() && area < Box::huge; }

    // Calls visit(list) for each cell that a box touches.
    template <typename Visit>
    void touch(const Box &box, Visit visit) {
        const Box cells = cells_of(grid_, box);
        for (int64_t row = cells.top; row < cells.bottom; row++)
            for (int64_t at = cells.left; at < cells.right; at++)
                visit(lists_[row * grid_.columns + at]);
    }

private:
    Box all_;
    czk_group grid_{};
    std::vector<int32_t> lists_;
};

// Cuts a hole out of some boxes; the remaining boxes have the longest possible rows.
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

}  // namespace

int64_t Axis::nearest(int64_t at) const {
    if (kind == copied) return at - offset;
    const auto from = static_cast<double>(at), whole_size = static_cast<double>(size);
    const double place = kind == gridded
                             ? ((from + target) * scale - source) * whole_size / divisor
                             : (from - target) * scale + source;
    if (!(place > 0)) return 0;
    if (place >= whole_size) return size - 1;
    const auto whole = static_cast<int64_t>(place);
    const bool is_up = kind == zoomed && place - static_cast<double>(whole) >= 0.5;
    return std::min(whole + is_up, size - 1);
}

Axis axis_of(const czk_tiles &tiles, int64_t tile, const czk_region &region, bool is_vertical) {
    Side side = is_vertical ? Side{tiles.y[tile], tiles.h[tile], tiles.read_h[tile], region.y,
                                   region.h, region.out_h, region.grid_y}
                            : Side{tiles.x[tile], tiles.w[tile], tiles.read_w[tile], region.x,
                                   region.w, region.out_w, region.grid_x};
    Axis axis{};
    axis.size = side.stored;
    axis.kind = region.mode == CZK_ZOOM ? Axis::zoomed : Axis::copied;
    if (axis.size < 1) return axis;
    if (region.mode == CZK_ZOOM) {
        zoom(axis, side);
        return axis;
    }
    if (region.mode == CZK_LEVEL) side.start -= side.grid_start;
    int64_t end = side.start + axis.size;
    if (region.mode == CZK_LEVEL && region.level != 0) {
        const double factor = region.factor, begin = static_cast<double>(side.start);
        const auto span = static_cast<double>(side.logical);
        const bool is_own = tiles.level[tile] == region.level;
        if (is_own && std::fabs(static_cast<double>(axis.size) - span / factor) < 1) {
            side.start = as_integer(std::floor(begin / factor + 0.5));
            end = side.start + axis.size;
        } else {
            axis.kind = Axis::gridded;
            axis.target = static_cast<double>(side.roi_start);
            axis.scale = factor, axis.source = begin, axis.divisor = span;
            side.start = as_integer(std::ceil(begin / factor));
            end = as_integer(std::ceil((begin + span) / factor));
        }
    }
    axis.offset = side.start - side.roi_start;
    axis.first = std::max<int64_t>(axis.offset, 0);
    axis.end = std::min(end - side.roi_start, side.roi_size);
    return axis;
}

bool is_possible(const czk_region &region) {
    auto is_near = [](int64_t value) { return value > -far_away && value < far_away; };
    auto is_size = [](int64_t value) { return value >= 0 && value <= INT32_MAX; };
    return is_near(region.x) && is_near(region.y) && is_near(region.w) && is_near(region.h) &&
           std::min(region.w, region.h) > 0 && is_size(region.out_w) && is_size(region.out_h) &&
           (region.mode != CZK_LEVEL ||
            (is_near(region.grid_x) && is_near(region.grid_y) && region.factor > 0 &&
             region.factor < static_cast<double>(far_away)));
}

bool visible_parts(const Boxes &boxes, std::vector<Part> &parts, int64_t &covered) {
    parts.clear(), covered = 0;
    if (boxes.empty()) return true;
    Cells cells(boxes);
    const auto count = static_cast<int32_t>(boxes.size());
    int64_t looks = patience * count;
    std::vector<Link> links;                      // the visible boxes by the cells they touch
    std::vector<int32_t> seen(boxes.size(), -1);  // of each box: the last one that it cut
    Boxes visible, rest;
    for (int32_t at = count - 1; at >= 0 && !cells.are_covered_by(covered); at--) {
        visible.assign(1, boxes[at]);
        cells.touch(boxes[at], [&](int32_t list) {
            looks--;
            for (; list >= 0 && looks >= 0 && !visible.empty(); list = links[list].next) {
                const int32_t above = links[list].box;
                if (seen[above] == at) continue;
                seen[above] = at, looks -= 1 + static_cast<int64_t>(visible.size());
                cut(visible, boxes[above], rest);
                visible.swap(rest);
            }
        });
        if (looks < 0) return false;
        for (const Box &part : visible) {
            parts.push_back({at, part});
            covered = std::min(covered + part.area(), Box::huge);
        }
        if (visible.empty()) continue;
        cells.touch(boxes[at], [&](int32_t &list) {
            links.push_back({at, list});
            list = static_cast<int32_t>(links.size()) - 1;
        });
    }
    return true;
}

}  // namespace czk
