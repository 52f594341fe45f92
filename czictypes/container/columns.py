"""The columns of a sub-block directory while they are filled, and rows of several columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.kernel.library import Kernel
from czictypes.model.geometry import ABSENT, DIMENSIONS

__all__ = ["Columns", "EntryParser", "unique_rows"]

_C_TYPES = {"i4": "int32_t", "i8": "int64_t", "u1": "uint8_t"}
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

    def fill_stored_sizes(self) -> None:
        """Set stored sizes of 0, which the ZISRAW specification has for "as large as logical"."""
        for stored, logical in (("physical_w", "w"), ("physical_h", "h")):
            column = self.plain[stored]
            missing = column == 0
            if missing.any():
                column[missing] = self.plain[logical][missing]


class EntryParser:
    """Fills columns by the kernel from the bytes of entries, one piece after the other."""

    def __init__(self, kernel: Kernel, columns: Columns) -> None:
        self._kernel, self._columns = kernel, columns
        self._struct = kernel.ffi.new("struct czk_columns *")
        self._struct.count = columns.count
        self._struct.letters = "".join(DIMENSIONS).encode("ascii")
        for name, column in columns.plain.items():
            setattr(self._struct, _IN_KERNEL.get(name, name), self._pointer(column))

    @property
    def complete(self) -> bool:
        """Whether all rows are filled."""
        return bool(self._struct.filled == self._columns.count)

    def add(self, data: memoryview) -> int | None:
        """Take the entries that are whole in `data`, which begins with one.

        Returns
        -------
        int or None
            How many bytes they have; None where one is unusual in any way.
        """
        begin, done = self._kernel.ffi.from_buffer("uint8_t[]", data), 0
        while True:
            taken: int = self._kernel.lib.czk_parse(self._struct, begin + done, len(data) - done)
            if taken < 0:
                return None
            done += taken
            if not self._struct.lacking:
                return done
            letter = chr(self._struct.lacking)
            has_sizes = self._struct.lacking_size
            column = self._columns.sizes if has_sizes else self._columns.coordinate
            pointers = self._struct.size if has_sizes else self._struct.coordinate
            pointers[DIMENSIONS.index(letter)] = self._pointer(column(letter))

    def _pointer(self, column: NDArray[Any]) -> Any:
        ffi, kind = self._kernel.ffi, _C_TYPES[column.dtype.str[1:]]
        return ffi.cast(f"{kind} *", ffi.from_buffer(column.view(np.uint8)))


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
