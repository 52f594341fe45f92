"""The parts of rectangles that remain visible when they are painted over each other."""

from __future__ import annotations

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
        patience -= len(touched)
        visible = [box]
        for above in cells.members(touched):
            visible = _without(visible, above)
            patience -= 1 + len(visible)
        if patience < 0:
            return None
        if visible:
            parts[position] = visible
            uncovered -= sum(map(area, visible))
            cells.add(touched, box)
    return parts


def _without(boxes: list[Box], hole: Box) -> list[Box]:
    """Return what is left of some rectangles outside another one, rows kept as long as can be."""
    hole_left, hole_top, hole_right, hole_bottom = hole
    rest = []
    for box in boxes:
        left, top, right, bottom = box
        if hole_left >= right or hole_right <= left or hole_top >= bottom or hole_bottom <= top:
            rest.append(box)
            continue
        if top < hole_top:
            rest.append((left, top, right, hole_top))
            top = hole_top
        if bottom > hole_bottom:
            rest.append((left, hole_bottom, right, bottom))
            bottom = hole_bottom
        if left < hole_left:
            rest.append((left, top, hole_left, bottom))
        if right > hole_right:
            rest.append((hole_right, top, right, bottom))
    return rest


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
        self._members: dict[tuple[int, int], list[Box]] = {}

    def touched(self, box: Box) -> list[tuple[int, int]]:
        """Return the cells that a rectangle touches."""
        (x, y), (width, height) = self._origin, self._size
        left, top, right, bottom = box
        rows = range((top - y) // height, (bottom - 1 - y) // height + 1)
        columns = range((left - x) // width, (right - 1 - x) // width + 1)
        return [(column, row) for column in columns for row in rows]

    def add(self, cells: list[tuple[int, int]], box: Box) -> None:
        """Put a rectangle into the cells that it touches."""
        for cell in cells:
            self._members.setdefault(cell, []).append(box)

    def members(self, cells: list[tuple[int, int]]) -> set[Box]:
        """Return the rectangles that touch any of some cells."""
        return {box for cell in cells if cell in self._members for box in self._members[cell]}


def _are_apart(boxes: NDArray[Any]) -> bool:
    """Tell whether rectangles form rows in which none overlaps another; True is always right."""
    if len(boxes) < 2:
        return True
    left, top, right, bottom = boxes[np.lexsort((boxes[:, 0], boxes[:, 1]))].T
    same_row = top[1:] == top[:-1]
    if (same_row & (right[:-1] > left[1:])).any():
        return False
    first = np.flatnonzero(np.r_[True, ~same_row])
    lowest = np.maximum.reduceat(bottom, first)
    return bool((lowest[:-1] <= top[first[1:]]).all())
