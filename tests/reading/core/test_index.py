"""Which tiles a read finds: the index of the kernel, and the simple search without one."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading.core.made_tables import Entry, MemoryTiles, by_numpy, table_of

from czictypes.model.geometry import Color, Rectangle
from czictypes.model.pixel_types import PixelType
from czictypes.reading.paint import Painter, Part
from czictypes.reading.request import PlaneRequest

numbers = st.integers(-40, 40)
sizes = st.integers(0, 30)
places = {name: st.integers(-1, 1) for name in "ZCT"}
entries = st.builds(
    Entry, x=numbers, y=numbers, w=sizes, h=sizes, plane=st.fixed_dictionaries({}, optional=places)
)
rois = st.builds(Rectangle, numbers, numbers, st.integers(1, 60), st.integers(1, 60))


def painter_of(entries):
    return Painter(table_of(*entries), MemoryTiles([]))


def found(painter, plane, roi, zoom=1.0):
    """Return the tiles that a read with masks paints: none of them is hidden."""
    request = PlaneRequest(roi, plane, None, zoom, PixelType.Gray8, Color(0, 0, 0), mask_aware=True)
    size = (roi.w, roi.h) if zoom == 1 else (2000, 2000)
    tiles = painter.tiles_of(Part(request), *size).tolist()
    assert tiles == by_numpy(painter).tiles_of(Part(request), *size).tolist()
    return tiles


def showing(entries, plane, roi):
    """Go through all entries: those that lie in the plane, or lack a dimension of it."""
    several = [name for name in "ZCT" if len({e.plane.get(name) for e in entries} - {None}) > 1]
    return [
        k
        for k, entry in enumerate(entries)
        if all(entry.plane.get(name) in (None, plane[name]) for name in several)
        and not Rectangle(entry.x, entry.y, entry.w, entry.h).intersect(roi).is_empty
    ]


@given(st.lists(entries, max_size=12), st.fixed_dictionaries(places), rois)
def test_the_tiles_of_a_plane_that_meet_the_region_are_found(entries, plane, roi):
    assert sorted(found(painter_of(entries), plane, roi)) == showing(entries, plane, roi)


def test_a_tile_that_lacks_a_dimension_lies_below_those_that_have_it():
    stack = [Entry(plane={"C": 0, "Z": z}) for z in range(2)]
    painter = painter_of([stack[0], Entry(plane={"C": 0}), stack[1]])
    assert found(painter, {"C": 0, "Z": 0}, Rectangle(0, 0, 5, 5)) == [1, 0]
    assert found(painter, {"C": 0, "Z": 1}, Rectangle(0, 0, 5, 5)) == [1, 2]


def test_an_empty_document_has_no_tiles():
    painter = painter_of([])
    assert found(painter, {}, Rectangle(0, 0, 9, 9)) == []
    assert found(painter, {"C": 0}, Rectangle(0, 0, 9, 9)) == []


def large_document(rng, count=3000):
    """Make a plane of many tiles of all sizes, and some in other planes."""
    result = []
    for _ in range(count):
        w, h = (int(2 ** rng.uniform(0, 9)) for _ in range(2))
        x, y = (int(value) for value in rng.integers(-3000, 3000, 2))
        result.append(Entry(x, y, w, h, plane={"C": int(rng.random() < 0.1), "Z": 3, "T": 0}))
    return result


@pytest.mark.parametrize("channel", [0, 1])
def test_large_planes_give_the_same_tiles(channel, rng):
    entries = large_document(rng)
    painter, plane = painter_of(entries), {"Z": 3, "C": channel, "T": 0}
    for _ in range(20):
        x, y = (int(value) for value in rng.integers(-4000, 4000, 2))
        roi = Rectangle(x, y, *(int(2 ** rng.uniform(0, 12)) for _ in range(2)))
        assert sorted(found(painter, plane, roi)) == showing(entries, plane, roi), roi


def test_a_region_as_large_as_rectangles_can_be_finds_all(rng):
    roi = Rectangle(-(2**31), -(2**31), 2**32 - 1, 2**32 - 1)
    far = [Entry(x, x, 2**30, 2**30) for x in (-(2**31), 0, 2**30 - 1)]
    entries = [*large_document(rng, 500), *far]
    request = PlaneRequest(roi, {"C": 0}, None, 2.0**-20, PixelType.Gray8, Color(0, 0, 0))
    painter = painter_of(entries)
    tiles = painter.tiles_of(Part(request), 4095, 4095)
    assert sorted(tiles) == by_numpy(painter).tiles_of(Part(request), 4095, 4095).tolist()
    assert set(tiles.tolist()) >= {500, 501, 502}


def test_a_thousand_planes_are_told_apart(rng):
    count = 1000
    entries = [Entry(plane={"C": k % 4, "Z": k // 4 % 5, "T": k // 20}) for k in range(count)]
    shuffled = [entries[k] for k in rng.permutation(count)]
    painter = painter_of(shuffled)
    for k in (0, 1, 500, count - 1):
        (tile,) = found(painter, entries[k].plane, Rectangle(0, 0, 9, 9))
        assert shuffled[tile] is entries[k]


def test_planes_that_some_tiles_lack_a_dimension_of_are_found_among_many():
    entries = [
        Entry(plane={"Z": k % 3, "C": k} if k % 2 else {"C": k}) for k in range(300) for _ in "ab"
    ]
    painter = painter_of(entries)
    assert found(painter, {"C": 7, "Z": 1}, Rectangle(0, 0, 9, 9)) == [14, 15]
    assert found(painter, {"C": 7, "Z": 0}, Rectangle(0, 0, 9, 9)) == []
    assert found(painter, {"C": 8, "Z": 0}, Rectangle(0, 0, 9, 9)) == [16, 17]


def test_many_threads_may_search_at_first(rng):
    entries = large_document(rng, 2000)
    roi = Rectangle(-500, -500, 1000, 1000)
    request = PlaneRequest(roi, {"C": 0}, None, 1, PixelType.Gray8, Color(0, 0, 0), mask_aware=True)
    painter = painter_of(entries)
    with ThreadPoolExecutor(8) as pool:
        tiles = list(
            pool.map(lambda _: painter.tiles_of(Part(request), 1000, 1000).tolist(), range(32))
        )
    assert all(np.array_equal(some, tiles[0]) for some in tiles)
    assert sorted(tiles[0]) == showing(entries, {"C": 0}, roi)
