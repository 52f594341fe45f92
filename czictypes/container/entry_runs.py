"""The fast way from the sub-block directory to columns, for entries of one form in a row.

Nearly all directories consist of a few runs of entries that have the same dimensions in the same
order. Such a run is checked and spread over the columns piece by piece, with a fixed number of
numpy calls and no loop over entries. Everything else, every damage included, is left to
`container.entries`, which is ten times as slow and says what is wrong.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.container.columns import Columns
from czictypes.container.layout import DIMENSION_SIZE, ENTRY_SIZE, MAX_DIMENSIONS
from czictypes.model.geometry import ABSENT, DIMENSION_INDEX

__all__ = ["RunFiller"]

# By column: where it stands in an entry, and as what.
_FIXED = {
    "pixel_type": (2, "<i4"),
    "file_position": (6, "<i8"),
    "file_part": (14, "<i4"),
    "compression": (18, "<i4"),
    "pyramid_type": (22, "u1"),
}
_SCHEMA = int.from_bytes(b"DV", "little")
_DIMENSION_COUNT = 28
_START, _SIZE, _STORED_SIZE = 4, 8, 16  # in the part of a dimension
_PLACES = {"X": ("x", "w", "physical_w"), "Y": ("y", "h", "physical_h")}


class _Form(NamedTuple):
    """The form that all entries of a run share: letters of dimensions (as bytes), bytes in all."""

    letters: tuple[int, ...]
    size: int


class RunFiller:
    """Fills columns from the bytes of a directory, given one after the other.

    Parameters
    ----------
    columns
        To fill, from the first row on.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._filled = 0
        self._runs_left = 64 + columns.count // 1000

    @property
    def complete(self) -> bool:
        """Whether all rows are filled."""
        return self._filled == self._columns.count

    def add(self, data: memoryview) -> int | None:
        """Take the entries that are whole in `data`, which begins with one.

        Returns
        -------
        int or None
            How many bytes they have; None where the entries are not those of a few runs.
        """
        position = 0
        while not self.complete and len(data) - position >= ENTRY_SIZE:
            form = _form_of(data[position:])
            if form is None or not self._runs_left:
                return None
            most = min((len(data) - position) // form.size, self._columns.count - self._filled)
            if most == 0:
                break
            alike = 1 if most == 1 else _count_alike(data[position:], form, most)
            if not alike or not self._fill(data[position:], form, alike):
                return None
            if alike < most:
                self._runs_left -= 1
            self._filled += alike
            position += alike * form.size
        return position

    def _fill(self, data: memoryview, form: _Form, count: int) -> bool:
        """Spread entries over the next rows; False for a dimension that no column is for."""
        rows = slice(self._filled, self._filled + count)
        plain = self._columns.plain
        for name, (offset, kind) in _FIXED.items():
            plain[name][rows] = _field(data, offset, kind, form.size, count)
        for number, code in enumerate(form.letters):
            offset = ENTRY_SIZE + DIMENSION_SIZE * number
            letter = chr(code).upper() if code < 128 else ""
            start = _field(data, offset + _START, "<i4", form.size, count)
            if letter in _PLACES:
                place, size, stored = _PLACES[letter]
                plain[place][rows] = start
                plain[size][rows] = _field(data, offset + _SIZE, "<i4", form.size, count)
                plain[stored][rows] = _field(data, offset + _STORED_SIZE, "<i4", form.size, count)
            elif letter == "M":
                plain["m"][rows] = start
            elif letter in DIMENSION_INDEX:
                column = self._columns.coordinate(letter)[rows]
                column[:] = start
                if column.min() == ABSENT:
                    return False
                sizes = _field(data, offset + _SIZE, "<i4", form.size, count)
                self._columns.set_sizes(letter, rows, sizes)
            else:
                return False
        return True


def _form_of(data: memoryview) -> _Form | None:
    """Return the form of the entry at the beginning, None where there is none that is known."""
    if bytes(data[:2]) != b"DV":
        return None
    dimensions = int.from_bytes(data[_DIMENSION_COUNT:ENTRY_SIZE], "little", signed=True)
    end = ENTRY_SIZE + DIMENSION_SIZE * dimensions
    if not 0 <= dimensions <= MAX_DIMENSIONS:
        return None
    if end > len(data):
        return _Form((), end)  # not whole: only its size is asked for
    return _Form(tuple(data[ENTRY_SIZE:end:DIMENSION_SIZE]), end)


def _count_alike(data: memoryview, form: _Form, most: int) -> int:
    """Return how many entries from the first on have a form."""
    alike = _field(data, 0, "<u2", form.size, most) == _SCHEMA
    alike &= _field(data, _DIMENSION_COUNT, "<i4", form.size, most) == len(form.letters)
    for number, code in enumerate(form.letters):
        alike &= _field(data, ENTRY_SIZE + DIMENSION_SIZE * number, "u1", form.size, most) == code
    return most if alike.all() else int(alike.argmin())


def _field(data: memoryview, offset: int, kind: str, step: int, count: int) -> NDArray[Any]:
    """Return a field of so many entries as it stands in their bytes."""
    field: NDArray[Any] = np.ndarray((count,), kind, data, offset, (step,))
    return field
