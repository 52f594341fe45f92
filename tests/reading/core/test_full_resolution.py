"""Which tiles count as full resolution, against the rule tried tile by tile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import sqrt
from typing import Any
from unittest import mock

import numpy as np
import pytest
from container.czi_bytes import Tile, build_czi
from hypothesis import given
from hypothesis import strategies as st
from reading.core.made_tables import Entry, directory_of

from czictypes.container.directory import Directory
from czictypes.reading import full_resolution as module
from czictypes.reading.full_resolution import Boxes, pairs_by_centre
from czictypes.reading.planes import plane_rows

SOURCE = build_czi([Tile(w=1, h=1)]).source()  # nothing is read of it

places = st.integers(0, 6).map(lambda step: 8 * step)
sides = st.sampled_from([3, 8, 8, 16, 16, 32])
planes = st.fixed_dictionaries(
    {"C": st.integers(0, 1)}, optional={"Z": st.integers(0, 1), "S": st.integers(0, 1)}
)
entries = st.builds(
    lambda x, y, w, h, shares, plane: Entry(
        x, y, w, h, (max(int(w * shares[0]), 1), max(int(h * shares[1]), 1)), plane=plane
    ),
    places,
    places,
    sides,
    sides,
    st.sampled_from([(1, 1), (1, 1), (0.5, 0.5), (0.25, 0.25), (0.7, 0.7), (1, 0.5), (2, 2)]),
    planes,
)


def holds(one: Entry, other: Entry) -> bool:
    """Whether the centre of one tile lies in another."""
    x, y = (2 * other.x + other.w) // 2, (2 * other.y + other.h) // 2
    return one.x <= x < one.x + one.w and one.y <= y < one.y + one.h


class Rule:
    """The rule, as the text of `full_resolution` says it."""

    def __init__(self, tiles: Sequence[Entry], labels: Sequence[int]) -> None:
        self.tiles = tiles
        numbers = range(len(tiles))
        smaller = [k for k in numbers if self._is_smaller(tiles[k])]
        self.base = {*numbers} - {*smaller}
        marked = [k for k in self.base if tiles[k].stored_size != (tiles[k].w, tiles[k].h)]
        marked = [k for k in marked if labels[k] != 0]
        fine = [k for k in numbers if self._is_finer_than_logical(tiles[k])]
        full, self.base = self.base, set()
        covered = {*marked} - self._uncovered(marked, fine)
        self.base = full - covered
        smaller += covered
        alike = [k for k in smaller if labels[k] == 0]
        self.base |= self._uncovered(alike, [*self.base, *alike])
        alone = [k for k in smaller if k not in self.base and not self._has_base(k)]
        self.base |= self._uncovered(alone, numbers)

    @staticmethod
    def _is_smaller(tile: Entry) -> bool:
        w, h = tile.stored_size
        return not ((w >= tile.w and tile.w > 1) or (h >= tile.h and tile.h > 1)) and (w, h) != (
            tile.w,
            tile.h,
        )

    @staticmethod
    def _is_finer_than_logical(tile: Entry) -> bool:
        w, h = tile.stored_size
        return w > tile.w or h > tile.h

    def _scale(self, k: int) -> float:
        tile = self.tiles[k]
        w, h = tile.stored_size
        return 1.0 if k in self.base else sqrt(tile.w * tile.h / (w * h))

    def _in_one_scene(self, k: int, other: int) -> bool:
        first, second = (self.tiles[one].plane.get("S") for one in (k, other))
        return None in (first, second) or first == second

    def _place(self, k: int) -> dict[str, int]:
        return {name: at for name, at in self.tiles[k].plane.items() if name != "S"}

    def _has_base(self, k: int) -> bool:
        own = self._place(k)
        if any(self._place(one) == own and self._in_one_scene(k, one) for one in self.base):
            return True
        lacks_z = "Z" not in own and any("Z" in tile.plane for tile in self.tiles)
        return lacks_z and any(self._place(one)["C"] == own["C"] for one in self.base)

    def _uncovered(self, chosen: Sequence[int], pool: Sequence[int]) -> set[int]:
        def is_covered(k: int) -> bool:
            return any(
                self._place(k) == self._place(one)
                and self._in_one_scene(k, one)
                and self._scale(one) < self._scale(k) * 2 / 3
                and (holds(self.tiles[k], self.tiles[one]) or holds(self.tiles[one], self.tiles[k]))
                for one in pool
            )

        return {k for k in chosen if not is_covered(k)}


def full_resolution(directory: Directory) -> set[int]:
    """Return the tiles that are read as full resolution."""
    read = plane_rows(SOURCE, directory).directory
    return {*np.flatnonzero((read.w == read.stored_w) & (read.h == read.stored_h)).tolist()}


@given(st.lists(entries, min_size=1, max_size=25), st.data())
def test_it_is_as_the_rule_says(tiles: list[Entry], data: st.DataObject) -> None:
    count = len(tiles)
    labels = data.draw(st.lists(st.sampled_from([0, 2]), min_size=count, max_size=count))
    directory = replace(directory_of(tiles), pyramid_type=np.array(labels, np.uint8))
    assert full_resolution(directory) == Rule(tiles, labels).base


@pytest.mark.parametrize("planes", [1, 1_000])
def test_the_work_for_many_tiles_fits_their_number(planes: int) -> None:
    pyramids = [
        Entry(8 * at, 0, 8 * factor, 8 * factor, (8, 8), plane={"C": plane})
        for plane in range(planes)
        for factor in (1, 2, 4, 8)
        for at in range(0, 10_000 // planes, factor)
    ]
    looked_at = 0

    def counted(*given: Any) -> Iterator[Any]:
        nonlocal looked_at
        for row, one in pairs_by_centre(*given):
            looked_at += len(row)
            yield row, one

    with mock.patch.object(module, "pairs_by_centre", side_effect=counted) as searched:
        assert len(full_resolution(directory_of(pyramids))) == 10_000
    assert searched.call_count < 20
    assert looked_at < 10 * len(pyramids)


def test_tiles_all_in_one_place_end() -> None:
    count = 3_000
    rng = np.random.default_rng(1)
    left, top = rng.integers(0, 3, (2, count))
    boxes = Boxes(left, top, left + 30, top + 30)
    groups = np.zeros(count, np.int64)
    with mock.patch("czictypes.reading.full_resolution._LEAST_SEARCH", 0):
        found = sum(len(row) for row, _ in pairs_by_centre(boxes, groups, boxes, groups))
    assert 0 < found <= (1 << 18) + 2 * 64 * count
