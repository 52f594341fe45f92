"""Finds the rectangles that contain the centre of another one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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
