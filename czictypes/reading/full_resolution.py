"""Finds the full-resolution tiles that are stored in another size than they cover.

Full resolution may be stored in fewer pixels (binned channels, Fast Airyscan) or in more (PALM). A
tile that is smaller along both axes is full resolution if nothing finer lies in its place;
otherwise it belongs to the pyramid. `pairs_by_centre` finds what contains the centre of a tile.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.container.columns import differ, unique_rows
from czictypes.container.directory import Directory
from czictypes.model.geometry import ABSENT

Mask = NDArray[np.bool_]

#: A tile is finer than another one if its scale is less than this fraction of the other's.
_FINER = 2 / 3


def full_resolution(directory: Directory) -> Mask | None:
    """Return the rows of full resolution that are stored in another size; None if there are none.

    Pyramid tiles are smaller along both axes, so a tile that is not smaller along an axis of
    several pixels is full resolution. A smaller tile is full resolution where nothing finer lies,
    if its entry says that it is not a pyramid tile or its plane and scene have no other full
    resolution. The pyramid of a tile that is stored in more pixels may contain larger tiles, too: a
    tile that is marked as a pyramid tile is not full resolution where a finer one lies.
    """
    w, h = directory.w, directory.h
    stored_w, stored_h = directory.stored_w, directory.stored_h
    if not (differ(w, stored_w) or differ(h, stored_h)):
        return None
    other = (w != stored_w) | (h != stored_h)
    sized = (w > 0) & (h > 0) & (stored_w > 0) & (stored_h > 0)
    other &= sized
    full = other & is_larger(w, h, stored_w, stored_h)
    marked = full & (directory.pyramid_type != 0)
    if marked.any():
        groups = _Groups(directory, np.zeros(len(full), bool))
        fine = sized & ((stored_w > w) | (stored_h > h))
        full &= ~marked | groups.uncovered(marked, fine | marked, least=0)
    smaller = other & ~full
    if smaller.any():
        groups = _Groups(directory, sized & ~smaller)
        labelled = smaller & (directory.pyramid_type == 0)
        if labelled.any():
            full |= groups.uncovered(labelled, sized & (groups.base | labelled))
            groups.base |= full
        alone = smaller & ~full
        alone &= ~groups.have_base(alone)
        if alone.any():
            full |= groups.uncovered(alone, sized)
    return full if full.any() else None


def is_larger(
    w: NDArray[np.int32],
    h: NDArray[np.int32],
    stored_w: NDArray[np.int32],
    stored_h: NDArray[np.int32],
) -> Mask:
    """Return which tiles store at least as many pixels as they cover, along an axis of several."""
    larger: Mask = ((stored_w >= w) & (w > 1)) | ((stored_h >= h) & (h > 1))
    return larger & (w > 0) & (h > 0)


class _Groups:
    """The tiles by plane and scene; `base` are those of full resolution.

    A tile without a scene belongs to every scene.
    """

    def __init__(self, directory: Directory, base: Mask) -> None:
        self.base = base
        self._directory = directory
        self._columns = columns = [
            column for name, column in directory.coordinates.items() if name != "S"
        ]
        self._planes = _numbered(columns, directory.count)
        self._in_scene = _numbered([*columns, directory.scene], directory.count)

    def have_base(self, tiles: Mask) -> Mask:
        """Return which of some tiles have any full resolution in their plane and scene.

        A pyramid tile may lack dimensions, and then belongs to several planes.
        """
        rows, planes, base = np.flatnonzero(tiles), self._planes, self.base
        without = self._directory.scene == ABSENT
        here = _are_among(self._in_scene[rows], self._in_scene[base])
        if without.any():
            here |= _are_among(planes[rows], planes[base & without])
            here |= without[rows] & _are_among(planes[rows], planes[base])
        found = np.zeros(len(tiles), bool)
        found[rows] = here
        lacking = np.zeros(len(found), bool)
        if not here.all():
            for column in self._columns:
                lacking |= tiles & ~found & (column == ABSENT)
        if lacking.any():
            places = np.column_stack(self._columns)
            full = unique_rows(places[base])[0]
            for place in unique_rows(places[lacking])[0]:
                given = place != ABSENT
                if (full[:, given] == place[given]).all(axis=1).any():
                    found |= lacking & (places == place).all(axis=1)
        return found

    def uncovered(self, candidates: Mask, pool: Mask, least: float = 1) -> Mask:
        """Return the candidates in whose place no finer tile of the pool lies.

        A tile lies in the place of a candidate if either contains the centre of the other. The
        scale of a tile is at least `least`.
        """
        found = np.zeros(len(candidates), bool)
        chosen = np.flatnonzero(candidates)
        scale = np.maximum(self._scale(pool), least)
        octave = np.rint(np.log2(scale)).astype(np.int8)
        by_octave = {at: np.flatnonzero(pool & (octave == at)) for at in set(octave[pool].tolist())}
        for at in np.unique(octave[chosen]).tolist():
            rest = chosen[octave[chosen] == at]
            for finer in sorted((one for one in by_octave if one <= at), reverse=True):
                others = by_octave[finer]
                if len(rest) and scale[others].min() < scale[rest].max() * _FINER:
                    rest = rest[~self._meet_finer(rest, others, scale)]
            found[rest] = True
        return found

    def _scale(self, pool: Mask) -> NDArray[np.float64]:
        """Return the number of pixels per stored pixel along an axis; 1 for full resolution."""
        columns, scale = self._directory, np.ones(len(pool))
        rows = np.flatnonzero(pool & ~self.base)
        stored = columns.stored_w[rows].astype(np.float64) * columns.stored_h[rows]
        scale[rows] = np.sqrt(columns.w[rows].astype(np.float64) * columns.h[rows] / stored)
        return scale

    def _meet_finer(
        self, rows: NDArray[np.intp], others: NDArray[np.intp], scale: NDArray[np.float64]
    ) -> Mask:
        """Return which rows meet a finer one of the others in their plane and scene."""
        scene = self._directory.scene
        planes, numbers = np.unique(self._planes[rows], return_inverse=True)
        at = np.searchsorted(planes, self._planes[others]).clip(max=len(planes) - 1)
        others = others[planes[at] == self._planes[others]]
        groups = numbers.reshape(-1)
        own, other = _boxes(self._directory, rows), _boxes(self._directory, others)
        other_groups = np.searchsorted(planes, self._planes[others])
        met = np.zeros(len(rows), bool)

        def note(row: NDArray[np.intp], one: NDArray[np.intp]) -> None:
            first, second = scene[rows[row]], scene[others[one]]
            hit = scale[others[one]] < scale[rows[row]] * _FINER
            hit &= (first == ABSENT) | (second == ABSENT) | (first == second)
            met[row[hit]] = True

        for row, one in pairs_by_centre(own, groups, other, other_groups):
            note(row, one)
        rest = np.flatnonzero(~met)
        part = own.take(rest)
        for one, row in pairs_by_centre(other, other_groups, part, groups[rest]):
            note(rest[row], one)
        return met


def _boxes(columns: Directory, rows: NDArray[np.intp]) -> Boxes:
    x, y = columns.x[rows].astype(np.int64), columns.y[rows].astype(np.int64)
    return Boxes(x, y, x + columns.w[rows], y + columns.h[rows])


def _are_among(values: NDArray[np.int64], others: NDArray[np.int64]) -> Mask:
    """Return which values occur in `others`; fast if few values differ."""
    if len(values) and values.min() == values.max():
        return np.full(len(values), bool((others == values[0]).any()))
    different, which = np.unique(values, return_inverse=True)
    found: Mask = np.isin(different, others)[which.reshape(-1)]
    return found


def _numbered(columns: list[NDArray[np.int32]], count: int) -> NDArray[np.int64]:
    """Return a number for each row; rows that are equal in all columns have the same one."""
    number, most = np.zeros(count, np.int64), 1
    for column in columns:
        least, largest = int(column.min()), int(column.max())
        if least == largest:
            continue
        code = column.astype(np.int64)
        if least == ABSENT:
            absent = column == ABSENT
            least = int(column[~absent].min()) - 1
            code[absent] = least
        span = largest - least + 1
        if most * span >= 1 << 62:
            number = np.unique(number, return_inverse=True)[1].reshape(-1).astype(np.int64)
            most = count
        number, most = number * span + (code - least), most * span
    return number


#: The approximate number of pairs of rectangles compared at a time.
_PAIRS = 1 << 18
#: The largest average number of nearby pairs compared per rectangle (a pyramid has 25), and the
#: number that is always allowed.
_MOST_NEAR, _LEAST_SEARCH = 64, 1 << 22


class Boxes(NamedTuple):
    """Rectangles as columns of int64; right and bottom are excluded.

    An empty rectangle has its right or bottom far to the left, so that it meets no other.
    """

    left: NDArray[np.int64]
    top: NDArray[np.int64]
    right: NDArray[np.int64]
    bottom: NDArray[np.int64]

    def take(self, which: NDArray[np.intp] | slice) -> Boxes:
        """Return some of the rectangles."""
        return Boxes(*(column[which] for column in self))


class _Cells(NamedTuple):
    """A grid of cells for each group of rectangles, numbered consecutively."""

    left: int
    top: int
    w: int
    h: int
    columns: int
    rows: int

    def numbers(
        self, groups: NDArray[np.int64], x: NDArray[np.int64], y: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return the cells of points; points outside the grid belong to the cells at its edge."""
        column = ((x - self.left) // self.w).clip(0, self.columns - 1)
        numbers: NDArray[np.int64] = (groups * self.rows + self._row(y)) * self.columns + column
        return numbers

    def height(self, boxes: Boxes) -> NDArray[np.int64]:
        """Return the number of cell rows that each rectangle meets."""
        return self._row(boxes.bottom - 1) - self._row(boxes.top) + 1

    def _row(self, y: NDArray[np.int64]) -> NDArray[np.int64]:
        return ((y - self.top) // self.h).clip(0, self.rows - 1)


def pairs_by_centre(
    boxes: Boxes,
    groups: NDArray[np.int64],
    others: Boxes,
    other_groups: NDArray[np.int64],
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield positions of rectangles, and of others in their group whose centres they contain.

    Takes time in proportion to the number of rectangles: if very many lie on top of each other,
    some pairs are not found. No rectangle is empty; groups are numbers from 0 on.
    """
    if not len(boxes.left) or not len(others.left):
        return
    most = max(_LEAST_SEARCH, _MOST_NEAR * (len(groups) + len(other_groups)))
    x, y = (others.left + others.right) // 2, (others.top + others.bottom) // 2
    cells = _cells(boxes, x, y)
    keys = cells.numbers(other_groups, x, y)
    order = np.argsort(keys, kind="stable")
    keys, x, y = keys[order], x[order], y[order]
    for some in _batches(cells.height(boxes)):
        first, end, which = _rows_of_cells(cells, boxes.take(some), groups[some], keys)
        for part in _batches(end - first):
            near = _ranges(first[part], end[part])
            box = some[np.repeat(which[part], end[part] - first[part])]
            hit = (boxes.left[box] <= x[near]) & (x[near] < boxes.right[box])
            hit &= (boxes.top[box] <= y[near]) & (y[near] < boxes.bottom[box])
            yield box[hit], order[near[hit]]
            most -= len(near)
            if most <= 0:
                return


def _cells(boxes: Boxes, x: NDArray[np.int64], y: NDArray[np.int64]) -> _Cells:
    """Return cells over some points, about as large as the rectangles."""
    left, top = int(x.min()), int(y.min())
    across, down = int(x.max()) - left + 1, int(y.max()) - top + 1
    w = max(int(np.median(boxes.right - boxes.left)), across >> 18, 1)
    h = max(int(np.median(boxes.bottom - boxes.top)), down >> 18, 1)
    return _Cells(left, top, w, h, -(-across // w), -(-down // h))


def _rows_of_cells(
    cells: _Cells, boxes: Boxes, groups: NDArray[np.int64], keys: NDArray[np.int64]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return for rows of cells the range of their points in `keys`, and their rectangle."""
    counts = cells.height(boxes)
    which = np.repeat(np.arange(len(counts)), counts)
    down = _ranges(np.zeros(len(counts), np.intp), counts) * cells.columns
    first = cells.numbers(groups, boxes.left, boxes.top)[which] + down
    last = cells.numbers(groups, boxes.right - 1, boxes.top)[which] + down
    return np.searchsorted(keys, first), np.searchsorted(keys, last, side="right"), which


def _batches(counts: NDArray[np.int64]) -> Iterator[NDArray[np.intp]]:
    """Split positions into parts with about `_PAIRS` counts each, or of one position."""
    sums = np.cumsum(counts)
    borders = np.searchsorted(sums, np.arange(_PAIRS, int(sums[-1]) + _PAIRS, _PAIRS))
    for part in np.split(np.arange(len(counts)), np.unique(borders)):
        if len(part):
            yield part


def _ranges(starts: NDArray[np.intp], ends: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the integers of many ranges, one range after the other."""
    counts = ends - starts
    total = int(counts.sum())
    positions: NDArray[np.intp] = np.arange(total, dtype=np.intp)
    positions += np.repeat(starts - (np.cumsum(counts) - counts), counts)
    return positions
