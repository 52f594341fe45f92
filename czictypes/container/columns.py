"""The columns of a sub-block directory while it is being read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.model.geometry import ABSENT, DIMENSIONS


class Columns:
    """The columns of a directory with `count` rows; `name` is the file's name in messages."""

    def __init__(self, count: int, name: str) -> None:
        self.count = count
        self.name = name
        rectangle = ("x", "y", "w", "h", "stored_w", "stored_h", "m")
        numbers = ("pixel_type", "compression", "file_part")
        self.plain: dict[str, NDArray[Any]] = {
            **dict(zip(rectangle, np.full((len(rectangle), count), ABSENT, np.int32))),
            **dict(zip(numbers, np.zeros((len(numbers), count), np.int32))),
        }
        self.plain["file_position"] = np.zeros(count, np.int64)
        self.plain["pyramid_type"] = np.zeros(count, np.uint8)
        self._coordinates: dict[str, NDArray[np.int32]] = {}
        self._sizes: dict[str, NDArray[np.int32]] = {}

    def set_sizes(self, letter: str, rows: Any, sizes: NDArray[np.int32]) -> None:
        """Set the sizes of some rows in a dimension; create the column if one is above 1."""
        if letter in self._sizes or (len(sizes) and sizes.max() > 1):
            self.sizes(letter)[rows] = np.maximum(sizes, 1)

    def coordinate(self, letter: str) -> NDArray[np.int32]:
        """Return the column of a dimension; create it on first use."""
        if letter not in self._coordinates:
            self._coordinates[letter] = np.full(self.count, ABSENT, np.int32)
        return self._coordinates[letter]

    def ordered_coordinates(self) -> dict[str, NDArray[np.int32]]:
        """Return the columns of all dimensions that occur, in libCZI's order."""
        return _ordered(self._coordinates)

    def ordered_sizes(self) -> dict[str, NDArray[np.int32]]:
        """Return the sizes in dimensions with a size above 1, in libCZI's order."""
        return _ordered(self._sizes)

    def sizes(self, letter: str) -> NDArray[np.int32]:
        """Return the column of sizes in a dimension; create it on first use."""
        return self._sizes.setdefault(letter, np.ones(self.count, np.int32))

    def fill_stored_sizes(self) -> None:
        """Replace stored sizes of 0, which the ZISRAW specification defines as the logical size."""
        for stored, logical in (("stored_w", "w"), ("stored_h", "h")):
            column = self.plain[stored]
            missing = column == 0
            if missing.any():
                column[missing] = self.plain[logical][missing]


def _ordered(columns: dict[str, NDArray[np.int32]]) -> dict[str, NDArray[np.int32]]:
    return {letter: columns[letter] for letter in DIMENSIONS if letter in columns}


def narrowed(column: NDArray[Any]) -> NDArray[Any]:
    """Return a single row of a column that is the same everywhere; any other column unchanged.

    Such columns take no memory (`EntryParser`), and broadcast.
    """
    return column if column.strides[0] else column[:1]


def lowest(column: NDArray[Any]) -> int:
    """Return the smallest number in a column, at most 0."""
    column = narrowed(column)
    return min(int(column.item() if len(column) == 1 else column.min(initial=0)), 0)


def has_other(column: NDArray[Any], value: int) -> bool:
    """Return whether a column has any other value."""
    column = narrowed(column)
    # Usually it has one row, and comparing arrays takes a hundred times as long.
    return bool(column.item() != value if len(column) == 1 else (column != value).any())


def differ(first: NDArray[Any], second: NDArray[Any]) -> bool:
    """Return whether two columns differ in any row."""
    first, second = narrowed(first), narrowed(second)
    return has_other(first, second.item()) if len(second) == 1 else bool((first != second).any())


def unique_rows(table: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the sorted distinct rows of a table, and the index among them of each row.

    ``numpy.unique`` with an axis compares structured arrays by calling Python code, and turns an
    interrupt in that code into a TypeError.
    """
    order = np.lexsort(table.T[::-1])
    ordered = table[order]
    is_new = np.ones(len(table), np.bool_)
    is_new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    which = np.empty(len(table), np.int64)
    which[order] = np.cumsum(is_new) - 1
    return ordered[is_new], which
