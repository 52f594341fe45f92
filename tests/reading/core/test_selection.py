import numpy as np
import pytest
from reading.core.made_tables import Entry, MemoryTiles, by_numpy, table_of
from reading.core.test_sampling import scaled_as_libczi

from czictypes.model.geometry import Color, Rectangle
from czictypes.model.pixel_types import PixelType
from czictypes.reading.paint import Painter, Part
from czictypes.reading.request import PlaneRequest

ROI = Rectangle(0, 0, 100, 100)


def selected(*entries, roi=ROI, zoom=1.0, scene=None, drop_hidden=False, plane=None):
    """Return the tiles that are painted, the lowest first; of those with masks none is hidden."""
    painter = Painter(table_of(*entries), MemoryTiles([]))
    return chosen(painter, roi, zoom, scene, drop_hidden, {"C": 0} if plane is None else plane)


def chosen(painter, roi, zoom, scene=None, drop_hidden=False, plane=None):
    masks = not drop_hidden
    request = PlaneRequest(
        roi, plane or {}, scene, zoom, PixelType.Gray8, Color(0, 0, 0), mask_aware=masks
    )
    size = (1000, 1000) if zoom != 1 else roi[2:]  # of the result; then each tile paints a pixel
    found = painter.tiles_of(Part(request), *size).tolist()
    ours = list(dict.fromkeys(found if masks else sorted(found)))
    if masks:
        assert ours == by_numpy(painter).tiles_of(Part(request), *size).tolist()
    return ours


def reduced(factor, size=96, **options):
    """Make a tile of a pyramid level that covers much of the region."""
    return Entry(0, 0, size, size, (size // factor, size // factor), **options)


# The order


def test_the_highest_m_index_comes_last():
    assert selected(Entry(m=3), Entry(m=-1), Entry(m=2), Entry(m=0)) == [1, 3, 2, 0]


def test_tiles_without_an_m_index_come_first():
    assert selected(Entry(m=-5), Entry(m=2**31 - 1), Entry()) == [1, 2, 0]


def test_tiles_of_equal_m_index_stay_in_the_order_of_the_file():
    assert selected(Entry(m=1), Entry(m=0), Entry(m=1), Entry(m=0)) == [1, 3, 0, 2]


def test_on_a_pyramid_level_the_m_index_does_not_count():
    entries = [reduced(2, m=9), reduced(2, m=1), reduced(2, m=5)]
    assert selected(*entries, zoom=0.5) == [0, 1, 2]


def test_a_tile_of_higher_zoom_comes_later():
    entries = [Entry(w=96, h=96, stored=(60, 60)), Entry(w=96, h=96, stored=(50, 50))]
    assert selected(*entries, zoom=0.5) == [1, 0]


# The layer

LEVELS = [reduced(1), reduced(2), reduced(4), reduced(8)]


@pytest.mark.parametrize(
    ("zoom", "level"),
    [
        (1, 0),
        (0.6, 0),
        (0.5251, 0),
        (0.5249, 1),  # a twentieth more than the tile has
        (0.5, 1),
        (0.3, 1),
        (0.25, 2),
        (0.126, 3),
        (0.01, 3),
    ],
)
def test_the_coarsest_level_that_has_the_zoom_is_painted(zoom, level):
    assert selected(*LEVELS, zoom=zoom) == [level]


def test_where_no_tile_has_the_zoom_nothing_is_painted():
    assert selected(reduced(2), zoom=0.53) == []


def test_the_comparison_with_the_zoom_is_made_in_float32():
    third = Entry(w=3, h=3, stored=(1, 1))
    limit = np.float32(1) / np.float32(3)
    zooms = [limit * np.float32(1.05)]
    zooms.append(np.nextafter(zooms[0], np.float32(1)))
    zooms.append(np.nextafter(zooms[1], np.float32(1)))
    for zoom in zooms:
        has_it = limit >= zoom / np.float32(1.05)
        assert selected(third, zoom=float(zoom)) == ([0] if has_it else [])


@pytest.mark.parametrize(("stored", "is_painted"), [(94, True), (95, False), (96, False)])
def test_finer_tiles_join_up_to_nearly_twice_the_zoom(stored, is_painted):
    coarse = Entry(0, 0, 100, 100, (50, 50))
    finer = Entry(0, 0, 100, 100, (stored, stored))
    assert selected(coarse, finer, zoom=0.5) == ([0, 1] if is_painted else [0])


def test_the_level_is_chosen_among_the_tiles_that_meet_the_region():
    elsewhere = Entry(500, 0, 96, 96, (48, 48))
    assert selected(Entry(0, 0, 96, 96), elsewhere, zoom=0.4) == [0]


def test_the_level_is_chosen_among_many_tiles_of_many_sizes(rng):
    entries = []
    for factor in (1, 2, 4, 8, 16):
        step = 8 * factor
        for x in range(0, 256, step):
            entries += [Entry(x, y, step, step, (8, 8)) for y in range(0, 256, step)]
    for zoom, factor in [(1, 1), (0.5, 2), (0.2, 4), (0.125, 8), (0.01, 16)]:
        found = selected(*entries, zoom=zoom, roi=Rectangle(0, 0, 256, 256))
        assert found == [k for k, entry in enumerate(entries) if entry.w == 8 * factor]


def one_by_one(entries, zooms, roi, zoom):
    """Choose the tiles as libCZI does: sort all that meet the region, then cut."""
    meets = [
        k
        for k, e in enumerate(entries)
        if not Rectangle(e.x, e.y, e.w, e.h).intersect(roi).is_empty
    ]
    result = []
    for number in sorted({entries[k].plane["S"] for k in meets}):
        ordered = sorted((k for k in meets if entries[k].plane["S"] == number), key=zooms.item)
        ordered = [k for k in ordered if zooms[k] >= np.float32(zoom) / np.float32(1.05)]
        ordered = [k for k in ordered if zooms[k] < zooms[ordered[0]] * np.float32(1.9)]
        result += [k for k in ordered if paints(entries[k], roi)]
    return result


def paints(entry, roi):
    """Tell whether a tile paints a pixel, as libCZI scales it."""
    (w, h) = entry.stored_size
    axes = [(entry.x, entry.w, w, roi.x, roi.w), (entry.y, entry.h, h, roi.y, roi.h)]
    return all(scaled_as_libczi(*axis, 1000) for axis in axes)


def test_in_a_large_plane_the_same_tiles_are_chosen(rng):
    entries = []
    for _ in range(2500):
        stored = int(rng.integers(20, 41)), int(rng.integers(20, 41))
        scene = int(rng.integers(3))
        factor = rng.choice([1, 2, 4] if scene < 2 else [1]) * rng.uniform(1, 1.4)
        w, h = (int(side * factor) for side in stored)
        x, y = (int(value) for value in rng.integers(0, 500, 2))
        entries.append(Entry(x, y, w, h, stored, plane={"C": 0, "S": scene}))
    painter = Painter(table_of(*entries), MemoryTiles([]))
    for _ in range(40):
        roi = Rectangle(*(int(value) for value in rng.integers(1, 300, 4)))
        zoom = float(np.exp(rng.uniform(np.log(0.1), 0)))
        expected = one_by_one(entries, painter.table.zoom, roi, zoom)
        assert chosen(painter, roi, zoom) == expected, (roi, zoom)


# Planes and regions


def test_only_tiles_of_the_plane_that_meet_the_region_are_painted():
    entries = [Entry(plane={"C": 1}), Entry(100, 0), Entry(99, 99), Entry(-10, 0), Entry(-9, 0)]
    assert selected(*entries) == [2, 4]


# Scenes


def scene(number, x=0, **options):
    plane = {"C": 0} if number is None else {"C": 0, "S": number}
    return Entry(x, 0, 10, 10, plane=plane, **options)


def test_scenes_are_painted_one_after_the_other():
    entries = [scene(2, m=0), scene(1, m=5), scene(2, m=1), scene(1, m=4)]
    assert selected(*entries) == [3, 1, 0, 2]


def test_with_several_scenes_tiles_without_one_are_left_out():
    assert selected(scene(0), scene(None), scene(1)) == [0, 2]


def test_with_one_scene_tiles_without_one_are_painted():
    assert selected(scene(0, m=1), scene(None, m=0)) == [1, 0]


def test_a_scene_filter_leaves_out_the_other_scenes_alone():
    entries = [scene(0), scene(1), scene(None, m=0)]
    assert selected(*entries, scene=1) == [1, 2]


def test_a_filter_on_a_scene_elsewhere_leaves_the_tiles_without_a_scene():
    entries = [scene(0), scene(1, x=500), scene(None)]
    assert selected(*entries, scene=1) == [2]


def test_each_scene_has_its_own_level():
    fine = Entry(0, 0, 40, 40, plane={"C": 0, "S": 0})
    coarse = Entry(50, 0, 40, 40, (20, 20), plane={"C": 0, "S": 1})
    coarser = Entry(50, 0, 40, 40, (5, 5), plane={"C": 0, "S": 1})
    assert selected(fine, coarse, coarser, zoom=0.4) == [0, 1]
    assert selected(fine, coarse, coarser, zoom=0.1) == [0, 2]


def test_a_scene_is_involved_if_its_box_with_the_pyramid_meets_the_region():
    wide = Entry(0, 0, 300, 10, (150, 5), plane={"S": 4})
    entries = [wide, Entry(240, 0, 9, 9, plane={"S": 1}), Entry(240, 0, plane={})]
    assert selected(*entries, roi=Rectangle(200, 0, 90, 50), plane={}) == [1]
    assert selected(*entries[::2], roi=Rectangle(200, 0, 90, 50), plane={}) == [1]


# Visibility


def test_hidden_tiles_are_left_out():
    hidden, left, right = Entry(10, 0, 80, 50, m=0), Entry(0, 0, 60, 50), Entry(60, 0, 60, 50)
    left.m, right.m = 1, 2
    assert selected(hidden, left, right, drop_hidden=True) == [1, 2]
    assert selected(hidden, left, right, drop_hidden=False) == [0, 1, 2]


def test_only_what_lies_in_the_region_matters_for_visibility():
    below, above = Entry(-50, 0, 80, 50, m=0), Entry(0, 0, 40, 50, m=1)
    assert selected(below, above, drop_hidden=True) == [1]
    assert selected(below, above, drop_hidden=True, roi=Rectangle(-1, 0, 50, 50)) == [0, 1]


def test_tiles_that_overlap_beyond_measure_are_all_kept():
    entries = [Entry(k, k, 500, 500, m=k) for k in range(600)]
    found = selected(*entries, roi=Rectangle(0, 0, 2000, 2000), drop_hidden=True)
    assert found == list(range(600))
