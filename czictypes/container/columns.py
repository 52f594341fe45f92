"""The columns of a sub-block directory while they are filled, and rows of several columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.kernel.codec import EntryParser
from czictypes.kernel.library import Kernel
from czictypes.model.geometry import ABSENT, DIMENSIONS

__all__ = ["Columns", "unique_rows"]

_IN_KERNEL = {"physical_w": "stored_w", "physical_h": "stored_h", "file_position": "position"}


class Columns:
    """The columns of a directory while they are filled.

    Parameters
    ----------
    count
        The number of rows.
    name
        What to call the file in messages.
    """

    def __init__(self, count: int, name: str) -> None:
        self.count = count
        self.name = name
        rectangle = ("x", "y", "w", "h", "physical_w", "physical_h", "m")
        numbers = ("pixel_type", "compression", "file_part")
        # each column is a row of one array, for allocations are what opening a small file takes
        self.plain: dict[str, NDArray[Any]] = {
            **dict(zip(rectangle, np.full((len(rectangle), count), ABSENT, np.int32))),
            **dict(zip(numbers, np.zeros((len(numbers), count), np.int32))),
        }
        self.plain["file_position"] = np.zeros(count, np.int64)
        self.plain["pyramid_type"] = np.zeros(count, np.uint8)
        self._coordinates: dict[str, NDArray[np.int32]] = {}
        self._sizes: dict[str, NDArray[np.int32]] = {}

    def set_sizes(self, letter: str, rows: Any, sizes: NDArray[np.int32]) -> None:
        """Note the sizes of some rows in a dimension; a column is made where one is above 1."""
        if letter in self._sizes or (len(sizes) and sizes.max() > 1):
            self.sizes(letter)[rows] = np.maximum(sizes, 1)

    def coordinate(self, letter: str) -> NDArray[np.int32]:
        """Return the column of a dimension; made when it is met first."""
        if letter not in self._coordinates:
            self._coordinates[letter] = np.full(self.count, ABSENT, np.int32)
        return self._coordinates[letter]

    def ordered_coordinates(self) -> dict[str, NDArray[np.int32]]:
        """Return the columns of the dimensions met, in libCZI's order."""
        return _ordered(self._coordinates)

    def ordered_sizes(self) -> dict[str, NDArray[np.int32]]:
        """Return the sizes in the dimensions in which one is above 1, in libCZI's order."""
        return _ordered(self._sizes)

    def sizes(self, letter: str) -> NDArray[np.int32]:
        """Return the column of the sizes in a dimension; made when it is met first."""
        return self._sizes.setdefault(letter, np.ones(self.count, np.int32))

    def parser(self, kernel: Kernel) -> EntryParser:
        """Return what fills the rows from the bytes of entries."""
        columns = {_IN_KERNEL.get(name, name): column for name, column in self.plain.items()}
        letters = "".join(DIMENSIONS)
        return EntryParser(kernel, self.count, columns, letters, self.coordinate, self.sizes)

    def fill_stored_sizes(self) -> None:
        """Set stored sizes of 0, which the ZISRAW specification has for "as large as logical"."""
        for stored, logical in (("physical_w", "w"), ("physical_h", "h")):
            column = self.plain[stored]
            missing = column == 0
            if missing.any():
                column[missing] = self.plain[logical][missing]


def _ordered(columns: dict[str, NDArray[np.int32]]) -> dict[str, NDArray[np.int32]]:
    return {letter: columns[letter] for letter in DIMENSIONS if letter in columns}


def unique_rows(table: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the different rows of a table in their order, and which of them each row is.

    ``numpy.unique`` with an axis compares structured arrays, for which numpy calls Python code; it
    makes a TypeError of an interrupt that comes there.
    """
    order = np.lexsort(table.T[::-1])
    ordered = table[order]
    is_new = np.ones(len(table), np.bool_)
    is_new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    which = np.empty(len(table), np.int64)
    which[order] = np.cumsum(is_new) - 1
    return ordered[is_new], which
