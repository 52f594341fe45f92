"""Which parts of rectangles remain visible when they are painted over each other."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Box", "area", "visible_parts"]

#: Left, top, right and bottom; right and bottom are excluded.
Box = tuple[int, int, int, int]

#: Comparisons allowed per rectangle. A mosaic takes about ten; more than this takes a stack of
#: rectangles each of which peeps out from under all the others.
_PATIENCE = 200


def area(box: Box) -> int:
    """Return the number of pixels of a rectangle."""
    left, top, right, bottom = box
    return (right - left) * (bottom - top)


def visible_parts(boxes: NDArray[np.int64]) -> list[list[Box]] | None:
    """Return what remains visible of each rectangle, as rectangles that share no pixel.

    Parameters
    ----------
    boxes
        Rectangles (left, top, right, bottom), none empty, in the order in which they are painted:
        later ones cover earlier ones.

    Returns
    -------
    list of list of tuple, or None
        For each rectangle its visible parts, none where it is hidden. None where the rectangles
        overlap so much that finding out would take time out of proportion to their number.
    """
    corners: list[Box] = [tuple(box) for box in boxes.tolist()]
    if _are_apart(boxes):
        return [[box] for box in corners]
    parts: list[list[Box]] = [[] for _ in corners]
    cells = _Cells(boxes)
    uncovered = cells.extent
    patience = _PATIENCE * len(corners)
    for position in range(len(corners) - 1, -1, -1):
        if not uncovered:
            break
        box = corners[position]
        touched = cells.touched(box)
        visible = [box]
        patience -= len(touched)
        for other in cells.members(touched):
            visible = [part for rest in visible for part in _subtract(rest, corners[other])]
            patience -= 1 + len(visible)
        if patience < 0:
            return None
        if visible:
            parts[position] = visible
            uncovered -= sum(area(part) for part in visible)
            cells.add(touched, position)
    return parts


class _Cells:
    """Rectangles by the cells of a coarse grid that they touch."""

    def __init__(self, boxes: NDArray[np.int64]) -> None:
        left, top = boxes[:, :2].min(axis=0).tolist()
        right, bottom = boxes[:, 2:].max(axis=0).tolist()
        self.extent = (right - left) * (bottom - top)
        self._origin = left, top
        # Cells of the mean size, but not so many that a large rectangle touches very many.
        most = 2 * isqrt(len(boxes)) + 1
        width, height = (boxes[:, 2:] - boxes[:, :2]).mean(axis=0).tolist()
        self._size = int(max(width, (right - left) / most)), int(max(height, (bottom - top) / most))
        self._members: dict[tuple[int, int], list[int]] = {}

    def touched(self, box: Box) -> list[tuple[int, int]]:
        """Return the cells that a rectangle touches."""
        (x, y), (width, height) = self._origin, self._size
        left, top, right, bottom = box
        rows = range((top - y) // height, (bottom - 1 - y) // height + 1)
        columns = range((left - x) // width, (right - 1 - x) // width + 1)
        return [(column, row) for column in columns for row in rows]

    def add(self, cells: list[tuple[int, int]], member: int) -> None:
        """Put a rectangle into the cells that it touches."""
        for cell in cells:
            self._members.setdefault(cell, []).append(member)

    def members(self, cells: list[tuple[int, int]]) -> set[int]:
        """Return the rectangles that touch any of some cells."""
        return {member for cell in cells for member in self._members.get(cell, ())}


def _subtract(box: Box, other: Box) -> Sequence[Box]:
    """Return what is left of a rectangle without another: up to four rectangles, rows kept long."""
    left, top, right, bottom = box
    x0, y0 = max(left, other[0]), max(top, other[1])
    x1, y1 = min(right, other[2]), min(bottom, other[3])
    if x0 >= x1 or y0 >= y1:
        return (box,)
    above, below = (left, top, right, y0), (left, y1, right, bottom)
    beside = (left, y0, x0, y1), (x1, y0, right, y1)
    return [part for part in (above, below, *beside) if part[0] < part[2] and part[1] < part[3]]


def _are_apart(boxes: NDArray[Any]) -> bool:
    """Whether the rectangles form rows in which none overlaps another; True is always right."""
    if len(boxes) < 2:
        return True
    left, top, right, bottom = boxes[np.lexsort((boxes[:, 0], boxes[:, 1]))].T
    same_row = top[1:] == top[:-1]
    if (same_row & (right[:-1] > left[1:])).any():
        return False
    first = np.flatnonzero(np.r_[True, ~same_row])
    lowest = np.maximum.reduceat(bottom, first)
    return bool((lowest[:-1] <= top[first[1:]]).all())
