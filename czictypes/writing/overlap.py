"""Finds written rectangles that a new one would overlap.

The rectangles of a plane never overlap one another (each was checked before it was added), and
that makes a hash of grids fast. Rectangles are sorted into classes by the size of their sides,
rounded up to powers of four; a class has a grid whose cells have that size. So a rectangle
touches at most four cells, a cell is touched by few rectangles, and a question looks at a few
cells of the few classes there are. A question much larger than the cells of a class descends
through coarser grids that hold the bounding boxes of what lies below.
"""

from __future__ import annotations

from czictypes.model.geometry import Rectangle

__all__ = ["OccupiedArea"]

#: No cell is smaller than 2**_SMALLEST_BITS pixels.
_SMALLEST_BITS = 4
#: A class's grid is searched cell by cell up to this many cells, else from above.
_MANY_CELLS = 36
#: Cells of a coarser grid are 2**_STEP times as wide and high as those of the finer one.
_STEP = 3
_LEVELS = 11

_Box = tuple[int, int, int, int]
_Cell = tuple[int, int]


class OccupiedArea:
    """The area of one plane that rectangles cover, none of them overlapping another."""

    def __init__(self) -> None:
        self._classes: dict[_Cell, _SizeClass] = {}

    def find_overlap(self, rectangle: Rectangle) -> Rectangle | None:
        """Return a rectangle that was added and overlaps this one, or None."""
        box = _box(rectangle)
        for size_class in self._classes.values():
            found = size_class.find(box)
            if found is not None:
                left, top, right, bottom = found
                return Rectangle(left, top, right - left, bottom - top)
        return None

    def add(self, rectangle: Rectangle) -> None:
        """Add a rectangle; `find_overlap` has said that none overlaps it."""
        key = _cell_bits(rectangle.w), _cell_bits(rectangle.h)
        size_class = self._classes.get(key)
        if size_class is None:
            size_class = self._classes[key] = _SizeClass(*key)
        size_class.add(_box(rectangle))


class _SizeClass:
    """The rectangles of about one size: a grid of cells at least as large as they are."""

    def __init__(self, width_bits: int, height_bits: int) -> None:
        self._bits = width_bits, height_bits
        self._cells: dict[_Cell, list[_Box]] = {}
        #: Bounding boxes by cell, of ever coarser grids; made when first needed.
        self._coarser: list[dict[_Cell, _Box]] = []

    def add(self, box: _Box) -> None:
        for cell in self._cells_of(box):
            self._cells.setdefault(cell, []).append(box)
            if self._coarser:
                self._widen(cell, box)

    def find(self, box: _Box) -> _Box | None:
        width_bits, height_bits = self._bits
        left, top = box[0] >> width_bits, box[1] >> height_bits
        right, bottom = (box[2] - 1) >> width_bits, (box[3] - 1) >> height_bits
        if (right - left + 1) * (bottom - top + 1) > _MANY_CELLS:
            return self._find_from_above(box, (left, top, right, bottom))
        cells = self._cells
        for row in range(top, bottom + 1):
            for column in range(left, right + 1):
                for other in cells.get((column, row), ()):
                    if _overlap(box, other):
                        return other
        return None

    def _cells_of(self, box: _Box) -> list[_Cell]:
        width_bits, height_bits = self._bits
        columns = range(box[0] >> width_bits, ((box[2] - 1) >> width_bits) + 1)
        rows = range(box[1] >> height_bits, ((box[3] - 1) >> height_bits) + 1)
        return [(column, row) for row in rows for column in columns]

    def _widen(self, cell: _Cell, box: _Box) -> None:
        column, row = cell
        for grid in self._coarser:
            column, row = column >> _STEP, row >> _STEP
            known = grid.get((column, row))
            if known is None:
                grid[column, row] = box
                continue
            wider = (
                min(known[0], box[0]),
                min(known[1], box[1]),
                max(known[2], box[2]),
                max(known[3], box[3]),
            )
            if wider == known:  # then it fits everywhere above, too
                return
            grid[column, row] = wider

    def _find_from_above(self, box: _Box, cells: _Box) -> _Box | None:
        if not self._coarser:
            self._make_coarser()
        left, top, right, bottom = cells
        level = -1
        while (right - left + 1) * (bottom - top + 1) > _MANY_CELLS:
            left, top, right, bottom = (bound >> _STEP for bound in (left, top, right, bottom))
            level += 1
        pending = [
            (level, (column, row))
            for row in range(top, bottom + 1)
            for column in range(left, right + 1)
            if (column, row) in self._coarser[level]
        ]
        while pending:
            level, cell = pending.pop()
            if level < 0:
                for other in self._cells[cell]:
                    if _overlap(box, other):
                        return other
            elif _overlap(box, self._coarser[level][cell]):
                pending.extend(self._children(level, cell))
        return None

    def _make_coarser(self) -> None:
        self._coarser = [{} for _ in range(_LEVELS)]
        for cell, boxes in self._cells.items():
            for box in boxes:
                self._widen(cell, box)

    def _children(self, level: int, cell: _Cell) -> list[tuple[int, _Cell]]:
        finer = self._coarser[level - 1] if level else self._cells
        columns = range(cell[0] << _STEP, (cell[0] + 1) << _STEP)
        rows = range(cell[1] << _STEP, (cell[1] + 1) << _STEP)
        children = ((column, row) for row in rows for column in columns)
        return [(level - 1, child) for child in children if child in finer]


def _cell_bits(size: int) -> int:
    bits = (size - 1).bit_length()
    return max(bits + (bits & 1), _SMALLEST_BITS)


def _box(rectangle: Rectangle) -> _Box:
    x, y, width, height = rectangle
    return x, y, x + width, y + height


def _overlap(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
