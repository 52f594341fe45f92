from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading.core.made_tables import Entry, index_of

from czictypes.model.geometry import Rectangle
from czictypes.reading import tile_grid
from czictypes.reading.plane_index import PlaneIndex
from czictypes.reading.tile_grid import Boxes, TileGrid

EVERYWHERE = Rectangle(-(2**30), -(2**30), 2**31 - 1, 2**31 - 1)

numbers = st.integers(-40, 40)
sizes = st.integers(0, 30)
planes = st.fixed_dictionaries({}, optional={name: st.integers(-1, 1) for name in "ZCT"})
entries = st.builds(Entry, x=numbers, y=numbers, w=sizes, h=sizes, plane=planes)
rois = st.builds(Rectangle, numbers, numbers, st.integers(1, 60), st.integers(1, 60))


def matching(entries, plane, roi):
    """Go through all entries, as libCZI does."""
    return [
        k
        for k, entry in enumerate(entries)
        if all(entry.plane.get(name) == value for name, value in plane.items())
        and not Rectangle(entry.x, entry.y, entry.w, entry.h).intersect(roi).is_empty
    ]


@given(st.lists(entries, max_size=12), planes, rois)
def test_candidates_are_the_tiles_of_the_plane_that_meet_the_region(entries, plane, roi):
    assert index_of(*entries).candidates(plane, roi).tolist() == matching(entries, plane, roi)


def test_without_a_region_all_tiles_of_the_plane_are_found_even_empty_ones():
    index = index_of(Entry(), Entry(w=0), Entry(plane={"C": 1}))
    assert index.candidates({"C": 0}, None).tolist() == [0, 1]


def test_a_tile_that_lacks_a_dimension_lies_in_no_plane_of_it():
    index = index_of(Entry(plane={"C": 0, "Z": 0}), Entry(plane={"C": 0}))
    assert index.candidates({"C": 0, "Z": 0}, EVERYWHERE).tolist() == [0]
    assert index.candidates({"C": 0}, EVERYWHERE).tolist() == [0, 1]
    assert index.candidates({"C": 0, "T": 0}, EVERYWHERE).tolist() == []


def test_a_dimension_that_only_some_tiles_have_may_be_left_out_at_no_cost(monkeypatch):
    entries = [
        Entry(plane={"Z": 0, "C": k} if k % 2 else {"C": k}) for k in range(300) for _ in range(2)
    ]
    index = index_of(*entries)
    compared = []
    meeting = Boxes.meeting
    monkeypatch.setattr(
        Boxes, "meeting", lambda *given: compared.append(len(given[0].left)) or meeting(*given)
    )
    assert index.candidates({"C": 7}, EVERYWHERE).tolist() == [14, 15]
    assert index.candidates({"C": 8}, EVERYWHERE).tolist() == [16, 17]
    assert index.candidates({"C": 8, "Z": 0}, EVERYWHERE).tolist() == []
    assert compared == [2, 2, 0]


def test_an_empty_document_has_no_candidates():
    assert index_of().candidates({}, EVERYWHERE).tolist() == []
    assert index_of().candidates({"C": 0}, EVERYWHERE).tolist() == []


def large_document(rng, count=3000):
    """Make a plane of many tiles of all sizes and zooms, and some in other planes."""
    result = []
    for _ in range(count):
        w, h = (int(2 ** rng.uniform(0, 9)) for _ in range(2))
        x, y = (int(value) for value in rng.integers(-3000, 3000, 2))
        zoom = rng.choice([1, 1 / 2, 1 / 3, 1 / 7])
        stored = max(int(w * zoom), 1), max(int(h * zoom), 1)
        plane = {"C": int(rng.random() < 0.1), "Z": 3}
        result.append(Entry(x, y, w, h, stored, plane=plane))
    return result


@pytest.mark.parametrize("plane", [{"C": 0, "Z": 3}, {"C": 1}, {"Z": 3}, {}])
def test_large_planes_give_the_same_candidates(plane, rng):
    entries = large_document(rng)
    index = index_of(*entries)
    for _ in range(20):
        x, y = (int(value) for value in rng.integers(-4000, 4000, 2))
        w, h = (int(2 ** rng.uniform(0, 12)) for _ in range(2))
        roi = Rectangle(x, y, w, h)
        assert index.candidates(plane, roi).tolist() == matching(entries, plane, roi), roi
    assert len(index.candidates(plane, None)) == len(matching(entries, plane, EVERYWHERE))


def test_layers_come_in_ascending_zoom_and_low_ones_can_be_passed_over(rng):
    index = index_of(*large_document(rng))
    layers = list(index.layers({"C": 0, "Z": 3}, EVERYWHERE))
    bounds = [bound for bound, _ in layers]
    assert bounds == sorted(bounds)
    for bound, members in layers:
        assert (index.table.zoom[members] >= bound).all()
    found = np.concatenate([m for _, m in index.layers({"C": 0, "Z": 3}, EVERYWHERE, 0.9)])
    everything = np.concatenate([members for _, members in layers])
    wanted = everything[index.table.zoom[everything] >= 0.9]
    assert set(wanted) <= set(found)
    assert len(found) < len(everything)


def test_a_grid_finds_what_a_comparison_with_each_finds(rng):
    left, top = rng.integers(-2000, 2000, (2, 4000))
    boxes = Boxes(left, top, left + rng.integers(1, 101, 4000), top + rng.integers(1, 101, 4000))
    grid = TileGrid(np.arange(4000), boxes)
    for _ in range(300):
        x, y = (int(value) for value in rng.integers(-2300, 2300, 2))
        w, h = (int(2 ** rng.uniform(0, 12)) for _ in range(2))
        roi = Rectangle(x, y, w, h)
        assert sorted(grid.search(roi)) == boxes.meeting(roi).tolist(), roi
    assert len(grid.search(Rectangle(-(2**31), -(2**31), 2**32, 2**32))) == 4000
    assert len(grid.search(None)) == 4000


def test_a_search_looks_only_at_the_tiles_near_the_region(monkeypatch):
    side = 300
    x, y = (axis.ravel() * 10 for axis in np.meshgrid(np.arange(side), np.arange(side)))
    grid = TileGrid(np.arange(side * side), Boxes(x, y, x + 12, y + 12))
    compared = []
    meeting = Boxes.meeting

    def counting(boxes, roi):
        compared.append(len(boxes.left))
        return meeting(boxes, roi)

    monkeypatch.setattr(tile_grid.Boxes, "meeting", counting)
    assert len(grid.search(Rectangle(1500, 1500, 10, 10))) == 4
    assert compared[0] < 600


def test_a_million_planes_are_told_apart_without_looking_at_each(rng):
    count = 1000
    entries = [Entry(plane={"C": k % 4, "Z": k // 4 % 5, "T": k // 20}) for k in range(count)]
    index = index_of(*(entries[k] for k in rng.permutation(count)))
    for k in (0, 1, 500, count - 1):
        (found,) = index.candidates(entries[k].plane, EVERYWHERE)
        assert index.table.directory.coordinates["T"][found] == entries[k].plane["T"]


def test_many_threads_may_search_at_first(rng):
    entries = large_document(rng, 2000)
    index = PlaneIndex(index_of(*entries).table)
    roi = Rectangle(-500, -500, 1000, 1000)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: index.candidates({"C": 0}, roi).tolist(), range(32)))
    assert found == [matching(entries, {"C": 0}, roi)] * 32
