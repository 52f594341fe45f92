// Chooses the tiles of a region by the rules of libCZI, and the boxes that each of them paints.

#include <cmath>
#include <limits>
#include <tuple>

#include "internal.h"

namespace czk {
namespace {

// The largest number of pixels in a job: threads share large tiles, and Ctrl-C is noticed soon.
constexpr int64_t largest_job = 1 << 22;
// As in libCZI: a tile of slightly less zoom than requested is accepted; tiles from this much above
// the lowest chosen zoom belong to the next layer.
constexpr float tolerance = 1.05f, layer_step = 1.9f;
constexpr int32_t other_absent = 2147483647;  // libCZI's second mark of a missing M-index

struct Chosen {
    int64_t rank;   // of its plane
    int32_t level;  // 0 except on the grid of a level
    int32_t scene;  // its index among the scenes that are painted one after the other
    float zoom;
    int32_t m;
    int32_t tile;

    auto order() const { return std::tie(rank, level, scene, zoom, m, tile); }
    bool operator<(const Chosen &other) const { return order() < other.order(); }
};

class Choice {
public:
    Choice(const czk_tiles &tiles, czk_region &region, int32_t number)
        : tiles_(tiles), region_(region), number_(number),
          roi_{region.x, region.y, region.x + region.w, region.y + region.h} {
        // At full resolution, only scenes whose box meets the region are painted.
        for (int64_t at = 0; at < tiles.scene_count; at++) {
            const int64_t *const box = tiles.boxes + 4 * at;
            const bool is_met = roi_.meets({box[0], box[1], box[2], box[3]});
            const bool is_asked = region.scene == absent || region.scene == tiles.scenes[at];
            if (is_asked && (is_met || region.mode == CZK_LEVEL))
                scenes_.push_back(tiles.scenes[at]);
        }
    }

    // Writes the jobs after the first `used` ones; returns the total number.
    int64_t make(czk_job *jobs, int64_t capacity, int64_t used) {
        const int64_t only = region_.only;
        if (only >= 0 && only < tiles_.count)
            chosen_.push_back({0, 0, 0, 0, 0, static_cast<int32_t>(only)}), find_parts();
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
        return used;
    }

private:
    czk_job job_of(const Part &part, int64_t top, int64_t bottom) const {
        const int32_t tile = chosen_[part.box].tile;
        const Axis y = axis_of(tiles_, tile, region_, true);
        auto number = [](int64_t value) { return static_cast<int32_t>(value); };
        return {tile, number_, CZK_PENDING, -1, number(y.nearest(top)),
                number(y.nearest(bottom - 1)) + 1, 0, number(part.area.left), number(top),
                number(part.area.right), number(bottom)};
    }

    void choose_by_zoom() {
        for (int64_t at = 0; at < region_.plane_count; at++)
            add_layer(region_.planes[at], region_.zoom / tolerance);
        std::sort(chosen_.begin(), chosen_.end());
        if (region_.mode == CZK_ZOOM && !region_.has_masks) drop_hidden();
        find_parts();
    }

    // Returns whether a tile is of one of the scenes. One without a scene counts unless several are
    // involved; on the grid of a level, those of the pyramid always do.
    bool counts(int32_t tile) const {
        const int32_t scene = tiles_.scene[tile];
        const bool is_of_all = region_.mode == CZK_LEVEL && !tiles_.layer0[tile];
        return scene == absent ? is_of_all || scenes_.size() < 2
                               : std::binary_search(scenes_.begin(), scenes_.end(), scene);
    }

    void add(const czk_plane &plane, int32_t level, int32_t tile) {
        const auto place = std::lower_bound(scenes_.begin(), scenes_.end(), tiles_.scene[tile]);
        // Tiles without an M-index, and pyramid tiles, come first.
        const bool has_m = tiles_.layer0[tile] && tiles_.m[tile] != other_absent;
        chosen_.push_back({plane.rank, level, static_cast<int32_t>(place - scenes_.begin()),
                           tiles_.zoom[tile], has_m ? tiles_.m[tile] : absent, tile});
    }

    // Adds the tiles of one layer of a plane. With two scenes or more, each has its own layer.
    void add_layer(const czk_plane &plane, float least) {
        const auto begin = static_cast<std::ptrdiff_t>(chosen_.size());
        std::vector<float> limits(std::max<size_t>(scenes_.size(), 1),
                                  std::numeric_limits<float>::infinity());
        auto wanted = [&](float lowest, float highest) {
            return highest >= least && lowest < *std::max_element(limits.begin(), limits.end());
        };
        search(tiles_, plane.plane, roi_, wanted, [&](int32_t tile) {
            if (tiles_.zoom[tile] < least || !counts(tile)) return;
            add(plane, 0, tile);
            float &limit = limits[chosen_.back().scene];
            limit = std::min(limit, tiles_.zoom[tile] * layer_step);
        });
        auto is_above = [&](const Chosen &one) { return !(one.zoom < limits[one.scene]); };
        chosen_.erase(std::remove_if(chosen_.begin() + begin, chosen_.end(), is_above),
                      chosen_.end());
    }

    // Removes tiles that add nothing to the covered area, in pixels of full resolution.
    void drop_hidden() {
        size_t used = 0;
        Boxes boxes;
        for (size_t begin = 0, end = 0; begin < chosen_.size(); begin = end) {
            boxes.clear();
            for (; end < chosen_.size() && chosen_[end].rank == chosen_[begin].rank &&
                   chosen_[end].scene == chosen_[begin].scene; end++)
                boxes.push_back(box_of(tiles_, chosen_[end].tile).within(roi_));
            int64_t covered = 0;
            std::vector<bool> shows(boxes.size(), !visible_parts(boxes, parts_, covered));
            for (const Part &part : parts_) shows[part.box] = true;
            for (size_t at = begin; at < end; at++)
                if (shows[at - begin]) chosen_[used++] = chosen_[at];
        }
        chosen_.resize(used);
    }

    // Determines the parts of the output that the chosen tiles paint.
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
        region_.in_order = region_.has_masks || !visible_parts(boxes, parts_, region_.covered);
        if (!region_.in_order) return;
        region_.covered = 0, parts_.clear();
        for (const Box &box : boxes) parts_.push_back({static_cast<int32_t>(parts_.size()), box});
    }

    // A pixel of a level shows the tiles of that level, or else those of finer levels.
    void choose_for_level() {
        add_levels(region_.level);
        // A finer tile may lie above those of the level, if its plane is of a higher rank.
        const bool is_all = region_.plane_count < 2 && region_.covered == region_.out_w * region_.out_h;
        if (region_.level != 0 && !is_all) add_levels(INT32_MIN);
    }

    // The region in pixels of full resolution, slightly enlarged, as tile positions are rounded.
    Box in_full_resolution() const {
        auto scaled = [&](int64_t at, int64_t corner) {
            return as_integer(std::floor(static_cast<double>(at) * region_.factor)) + corner;
        };
        return {scaled(roi_.left - 1, region_.grid_x), scaled(roi_.top - 1, region_.grid_y),
                scaled(roi_.right + 1, region_.grid_x) + 1,
                scaled(roi_.bottom + 1, region_.grid_y) + 1};
    }

    // Chooses the tiles from a finest level to that of the region.
    void add_levels(int32_t finest) {
        chosen_.clear();
        auto is_wanted = [&](int32_t tile) {
            const int32_t level = tiles_.level[tile];
            return region_.level ? level >= finest && level <= region_.level
                                 : tiles_.zoom[tile] >= 1.0f / tolerance;
        };
        for (int64_t at = 0; at < region_.plane_count; at++) {
            const czk_plane &plane = region_.planes[at];
            auto all = [](float, float) { return true; };
            search(tiles_, plane.plane, in_full_resolution(), all, [&](int32_t tile) {
                if (is_wanted(tile) && counts(tile))
                    add(plane, region_.level ? tiles_.level[tile] : 0, tile);
            });
        }
        std::sort(chosen_.begin(), chosen_.end());
        find_parts();
    }

    const czk_tiles &tiles_;
    czk_region &region_;
    const int32_t number_;
    const Box roi_;
    std::vector<int64_t> scenes_;  // that are painted, ascending
    std::vector<Chosen> chosen_;   // in the order of painting
    std::vector<Part> parts_;      // of the chosen ones
};

}  // namespace
}  // namespace czk

int64_t czk_choose(const czk_tiles *tiles, czk_region *regions, int64_t count, czk_job *jobs,
                   int64_t capacity) {
    return czk::guarded([&]() -> int64_t {
        int64_t used = 0;
        for (int64_t at = 0; at < count; at++) {
            if (!czk::is_possible(regions[at])) return -2;
            const auto number = static_cast<int32_t>(at);
            used = czk::Choice(*tiles, regions[at], number).make(jobs, capacity, used);
        }
        return used;
    });
}
