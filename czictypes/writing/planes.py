"""The planes of a document being written: their coordinates, and the pixels in them already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from czictypes.model.geometry import (
    ABSENT,
    DIMENSION_INDEX,
    DIMENSIONS,
    Rectangle,
    checked_plane,
    format_coordinate,
    whole_number,
)
from czictypes.model.pixel_types import PixelType

#: What every plane has, as those of ZEISS software do.
_ALWAYS_THERE = ("Z", "C", "T")
_LARGEST_M = 2**31 - 2  # one more would mean "no M-index"
#: No cell is smaller than 2**_SMALLEST_BITS pixels.
_SMALLEST_BITS = 4
#: A class's grid is searched cell by cell up to this many cells, else from above.
_MANY_CELLS = 36
#: Cells of a coarser grid are 2**_STEP times as wide and high as those of the finer one.
_STEP = 3
_LEVELS = 11
_Box = tuple[int, int, int, int]
_Cell = tuple[int, int]


class PlaneRecord:
    """The pixels written to one plane of one scene."""

    def __init__(self, coordinate: dict[str, int], *, watch_overlaps: bool) -> None:
        self.coordinate = coordinate
        self.pixel_type: PixelType | None = None
        self.bounds: Rectangle | None = None
        self._next_m = 0
        self._reduced: set[tuple[Rectangle, int]] = set()
        self._area = OccupiedArea() if watch_overlaps else None

    @property
    def _where(self) -> str:
        return f"plane {format_coordinate(self.coordinate)}"

    def check(self, rectangle: Rectangle, pixel_type: PixelType, tiles: int) -> None:
        """Raise a ValueError for pixels that may not be written here; nothing changes."""
        if self.pixel_type not in (None, pixel_type):
            assert self.pixel_type is not None
            raise ValueError(
                f"{self._where} holds {self.pixel_type.name} pixels already; it cannot take "
                f"{pixel_type.name} ones"
            )
        if self._next_m + tiles > _LARGEST_M:
            raise ValueError(f"{self._where} holds {self._next_m} tiles; a CZI cannot hold more")
        if self._area is None:
            return
        found = self._area.find_overlap(rectangle)
        if found is not None:
            raise ValueError(
                f"the pixels at {tuple(rectangle)} (x, y, w, h) overlap those at {tuple(found)}, "
                f'written before to {self._where}; overlap="allow" accepts that'
            )

    def check_reduced(self, rectangle: Rectangle, pixel_type: PixelType, factor: int) -> None:
        """Raise a ValueError for a pyramid tile of what is not here, or that is here already."""
        if self.bounds is None or self.bounds.intersect(rectangle) != rectangle:
            there = "nothing" if self.bounds is None else f"only {tuple(self.bounds)}"
            raise ValueError(
                f"the reduced pixels stand for {tuple(rectangle)} (x, y, w, h), but {self._where} "
                f"holds {there} in full resolution; write that first"
            )
        if self.pixel_type != pixel_type:
            assert self.pixel_type is not None
            raise ValueError(
                f"{self._where} holds {self.pixel_type.name} pixels; it cannot take reduced ones "
                f"of {pixel_type.name}"
            )
        if (rectangle, factor) in self._reduced:
            raise ValueError(
                f"{self._where} holds reduced pixels for {tuple(rectangle)} (x, y, w, h), factor "
                f"{factor}, already"
            )

    def add_reduced(self, rectangle: Rectangle, factor: int) -> None:
        """Note that a pyramid tile is being written."""
        self._reduced.add((rectangle, factor))

    def add(self, rectangle: Rectangle, pixel_type: PixelType, tiles: int) -> int:
        """Note that pixels are being written; return the M-index of the first of their tiles."""
        if self._area is not None:
            self._area.add(rectangle)
        self.pixel_type = pixel_type
        self.bounds = rectangle if self.bounds is None else self.bounds.union(rectangle)
        first = self._next_m
        self._next_m += tiles
        return first

    def written(self) -> tuple[dict[str, int], Rectangle, PixelType, tuple[int, int]]:
        """Return coordinate, bounds, pixel type and first and last M-index of what is written."""
        assert self.bounds is not None
        assert self.pixel_type is not None
        return self.coordinate, self.bounds, self.pixel_type, (0, self._next_m - 1)


class PlaneRecords:
    """All planes of a document; with `only_named` they have no dimension but S and those given."""

    def __init__(self, *, watch_overlaps: bool, only_named: bool = False) -> None:
        self._watch_overlaps = watch_overlaps
        self._given: dict[str, Any] = {} if only_named else dict.fromkeys(_ALWAYS_THERE, 0)
        self._records: dict[tuple[int, ...], PlaneRecord] = {}
        self._found: dict[Any, PlaneRecord] = {}
        self._letters: tuple[str, ...] | None = None

    def find(self, plane: Mapping[str, int] | None, scene: int | None) -> PlaneRecord:
        """Return the record of a plane and scene; S may stand in the plane instead of in `scene`.

        A ValueError says that a dimension is unknown, a number none that a CZI can hold, or that
        the dimensions are not those of the writes before: a reader would never find such a plane.
        """
        plane = checked_plane(plane)
        asked = _key(plane, scene)
        found = self._found.get(asked)
        if found is not None:
            return found
        coordinate = _complete(self._given, plane, scene)
        letters = tuple(coordinate)
        if self._letters not in (None, letters):
            assert self._letters is not None
            raise ValueError(
                f"plane {format_coordinate(coordinate)} has the dimensions {', '.join(letters)}, "
                f"those written before have {', '.join(self._letters)}; all need the same"
            )
        record = self._records.get(tuple(coordinate.values()))
        if record is None:
            return PlaneRecord(coordinate, watch_overlaps=self._watch_overlaps)
        if asked is not None:
            self._found[asked] = record
        return record

    def add(
        self, record: PlaneRecord, rectangle: Rectangle, pixel_type: PixelType, tiles: int
    ) -> int:
        """Note pixels that are being written to a plane; return the M-index of their first tile."""
        if record.bounds is None:
            self._letters = tuple(record.coordinate)
            self._records[tuple(record.coordinate.values())] = record
        return record.add(rectangle, pixel_type, tiles)

    def __iter__(self) -> Iterator[PlaneRecord]:
        return iter(self._records.values())


def _key(plane: Mapping[str, int], scene: int | None) -> Any:
    """Return a key for a plane as it was asked for; None unless in plain numbers."""
    items = tuple(plane.items())
    if scene is not None and type(scene) is not int:
        return None
    for _, value in items:
        if type(value) is not int:
            return None
    return items, scene


def _complete(
    given: Mapping[str, Any], plane: Mapping[str, int], scene: int | None
) -> dict[str, int]:
    given = dict(given)
    for letter, value in plane.items():
        if letter not in DIMENSION_INDEX:
            raise ValueError(
                f"{letter!r} is not a dimension of a plane; use some of {', '.join(DIMENSIONS)}"
            )
        given[letter] = value
    if scene not in (None, given.get("S", scene)):
        raise ValueError(f"scene {scene} and S = {given['S']} in the plane contradict each other")
    given.setdefault("S", 0 if scene is None else scene)
    return {letter: _place(letter, given[letter]) for letter in DIMENSIONS if letter in given}


def _place(letter: str, value: Any) -> int:
    try:
        number = whole_number(value)
    except TypeError:
        raise ValueError(f"{letter} = {value!r} is not a whole number") from None
    if not ABSENT < number < 2**31:
        raise ValueError(f"{letter} = {number} is out of range: a CZI holds 32 bits")
    if letter == "S" and number < 0:
        raise ValueError(f"scene {number} is no scene; they are counted from 0")
    return number


class OccupiedArea:
    """The area of one plane that rectangles cover, none of them overlapping another.

    That makes a hash of grids fast. Rectangles are sorted into classes by the size of their sides,
    rounded up to powers of four; a class has a grid whose cells have that size. So a rectangle
    touches at most four cells, a cell is touched by few rectangles, and a question looks at a few
    cells of the few classes there are. A question much larger than the cells of a class descends
    through coarser grids that hold the bounding boxes of what lies below.
    """

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
        columns, rows = self._spans(box)
        for row in rows:
            for column in columns:
                self._cells.setdefault((column, row), []).append(box)
                if self._coarser:
                    self._widen((column, row), box)

    def find(self, box: _Box) -> _Box | None:
        left, top, right, bottom = box
        cells = self._cells
        columns, rows = self._spans(box)
        if len(columns) * len(rows) > _MANY_CELLS:
            return self._find_from_above(box, (columns[0], rows[0], columns[-1], rows[-1]))
        for row in rows:
            for column in columns:
                for other in cells.get((column, row), ()):
                    if (
                        left < other[2]
                        and other[0] < right
                        and top < other[3]
                        and other[1] < bottom
                    ):
                        return other
        return None

    def _spans(self, box: _Box) -> tuple[range, range]:
        """Return the columns and the rows of the cells that a box touches."""
        left, top, right, bottom = box
        width_bits, height_bits = self._bits
        columns = range(left >> width_bits, ((right - 1) >> width_bits) + 1)
        return columns, range(top >> height_bits, ((bottom - 1) >> height_bits) + 1)

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


@lru_cache
def _cell_bits(size: int) -> int:
    bits = (size - 1).bit_length()
    return max(bits + (bits & 1), _SMALLEST_BITS)


def _box(rectangle: Rectangle) -> _Box:
    x, y, width, height = rectangle
    return x, y, x + width, y + height


def _overlap(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
