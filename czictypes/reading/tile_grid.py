"""Finds the rectangles that meet another one, in time that fits what is found."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.model.geometry import Rectangle

__all__ = ["Boxes", "TileGrid", "covered_centres"]

#: So many rectangles are compared one by one in less time than a look-up in cells takes.
SMALL = 256

#: So many pairs of rectangles are compared outright.
_PAIRS = 1 << 20
#: The cells along each axis by which the points of many rectangles are counted.
_BINS = 512

#: The smallest cell is 64 pixels wide, so that a row of cells always fits 32 bits.
_SMALLEST_CELL = 6
_ROW = 32


class Boxes(NamedTuple):
    """Rectangles as columns of int64; right and bottom are excluded, and empty ones reach nothing.

    An empty rectangle has its right or bottom far to the left, so that it meets no other.
    """

    left: NDArray[np.int64]
    top: NDArray[np.int64]
    right: NDArray[np.int64]
    bottom: NDArray[np.int64]

    def take(self, which: NDArray[np.intp] | slice) -> Boxes:
        """Return some of the rectangles."""
        return Boxes(*(column[which] for column in self))

    def meeting(self, roi: Rectangle) -> NDArray[np.intp]:
        """Return the positions of those that share at least one pixel with `roi`."""
        return np.flatnonzero(
            (self.left < roi.x + roi.w)
            & (self.right > roi.x)
            & (self.top < roi.y + roi.h)
            & (self.bottom > roi.y)
        )


class TileGrid:
    """Rectangles of about one size, sorted by the square cell their top-left corner lies in.

    A cell is at least as large as any of the rectangles, so a search has to look only at the
    cells it covers and at those directly left of and above them.

    Parameters
    ----------
    members
        What a search returns for each rectangle.
    boxes
        The rectangles.
    """

    def __init__(self, members: NDArray[np.intp], boxes: Boxes) -> None:
        if len(members) <= SMALL:
            self._members, self._boxes, self._keys = members, boxes, None
            return
        extent = max(int((boxes.right - boxes.left).max()), int((boxes.bottom - boxes.top).max()))
        self._bits = max((max(extent, 1) - 1).bit_length(), _SMALLEST_CELL)
        self._x, self._y = int(boxes.left.min()), int(boxes.top.min())
        rows = (boxes.top - self._y) >> self._bits
        keys = rows << _ROW | (boxes.left - self._x) >> self._bits
        order = np.argsort(keys, kind="stable")
        self._members, self._boxes = members[order], boxes.take(order)
        self._keys = keys[order]
        self._rows = np.unique(rows)

    def search(self, roi: Rectangle | None) -> NDArray[np.intp]:
        """Return the members whose rectangle shares a pixel with `roi`, in no special order.

        None stands for everywhere, and then also the empty rectangles are returned.
        """
        if roi is None:
            return self._members
        if self._keys is None:
            return self._members[self._boxes.meeting(roi)]
        near = self._near(self._keys, roi)
        return self._members[near[self._boxes.take(near).meeting(roi)]]

    def _near(self, keys: NDArray[np.int64], roi: Rectangle) -> NDArray[np.intp]:
        """Return the positions of the rectangles in the cells that matter for `roi`."""
        left, right = self._cells(roi.x - self._x, roi.w)
        top, bottom = self._cells(roi.y - self._y, roi.h)
        first, end = np.searchsorted(self._rows, [top, bottom + 1])
        rows = self._rows[first:end] << _ROW
        if right < 0:
            rows = rows[:0]
        starts = np.searchsorted(keys, rows | max(left, 0))
        ends = np.searchsorted(keys, rows | min(right, 2**_ROW - 1), side="right")
        return _ranges(starts, ends)

    def _cells(self, start: int, size: int) -> tuple[int, int]:
        reach = (1 << self._bits) - 1
        return (start - reach) >> self._bits, (start + size - 1) >> self._bits


def covered_centres(boxes: Boxes, others: Boxes) -> NDArray[np.bool_]:
    """Tell in which rectangles the centre of another one lies, or whose centre lies in another.

    Parameters
    ----------
    boxes, others
        Rectangles, none of them empty.
    """
    found = np.zeros(len(boxes.left), bool)
    if not len(others.left):
        return found
    rest = np.arange(len(found))
    if len(found) * len(others.left) > _PAIRS:
        found = _surely_hit(boxes, others)
        rest = np.flatnonzero(~found)
    if len(rest) * len(others.left) <= _PAIRS:
        found[rest] = _hit(boxes.take(rest), others).any(axis=1)
        return found
    grid = TileGrid(np.arange(len(others.left)), others)
    for at in rest.tolist():
        one = boxes.take(slice(at, at + 1))
        left, top, right, bottom = (int(column[0]) for column in one)
        near = grid.search(Rectangle(left, top, right - left, bottom - top))
        found[at] = _hit(one, others.take(near)).any()
    return found


def _hit(boxes: Boxes, others: Boxes) -> NDArray[np.bool_]:
    """Return the answer of `covered_centres` for each pair."""
    hit: NDArray[np.bool_] = _holds(boxes, others) | _holds(others, boxes).T
    return hit


def _holds(boxes: Boxes, others: Boxes) -> NDArray[np.bool_]:
    """Tell for each pair whether a rectangle holds the centre of the other."""
    x, y = (others.left + others.right) // 2, (others.top + others.bottom) // 2
    left, top, right, bottom = (column[:, None] for column in boxes)
    holds: NDArray[np.bool_] = (left <= x) & (x < right) & (top <= y) & (y < bottom)
    return holds


def _surely_hit(boxes: Boxes, others: Boxes) -> NDArray[np.bool_]:
    """Tell which rectangles hold a whole cell with the centre of another; others may do so, too."""
    x, y = (others.left + others.right) // 2, (others.top + others.bottom) // 2
    left, top = int(x.min()), int(y.min())
    step = max(int(x.max()) - left, int(y.max()) - top, 0) // _BINS + 1
    counts = np.zeros((_BINS + 1, _BINS + 1), np.int64)
    np.add.at(counts, ((y - top) // step + 1, (x - left) // step + 1), 1)
    sums = counts.cumsum(axis=0).cumsum(axis=1)

    def cells(values: NDArray[np.int64], start: int, spare: int) -> NDArray[np.int64]:
        return np.clip((values - start + spare) // step, 0, _BINS)

    a, b = cells(boxes.left, left, step - 1), cells(boxes.right, left, 0)
    c, d = cells(boxes.top, top, step - 1), cells(boxes.bottom, top, 0)
    inside = sums[d, b] - sums[c, b] - sums[d, a] + sums[c, a]
    hit: NDArray[np.bool_] = (inside > 0) & (b > a) & (d > c)
    return hit


def _ranges(starts: NDArray[np.intp], ends: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the integers of many ranges, one range after the other."""
    counts = ends - starts
    total = int(counts.sum())
    positions: NDArray[np.intp] = np.arange(total, dtype=np.intp)
    positions += np.repeat(starts - (np.cumsum(counts) - counts), counts)
    return positions
