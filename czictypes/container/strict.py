"""The strict checks of directory entries, those of pylibCZIrw's reader options."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.container.columns import Columns
from czictypes.model.errors import CorruptFileError
from czictypes.model.geometry import ABSENT

__all__ = ["StrictChecks"]


class StrictChecks:
    """Collects what strict checks find wrong, and raises for the first sub-block at fault.

    Parameters
    ----------
    columns
        The directory that is being filled.
    ignore_sizem_for_pyramid
        Allow any size of M in sub-blocks whose stored size differs from the logical one.
    """

    def __init__(self, columns: Columns, ignore_sizem_for_pyramid: bool) -> None:
        self._columns = columns
        self._ignore_sizem_for_pyramid = ignore_sizem_for_pyramid
        self._odd_m = np.zeros(columns.count, bool)
        self._problems: dict[int, str] = {}

    def dimension(self, letter: str, rows: NDArray[np.int64], found: NDArray[Any]) -> None:
        """Note the sizes in one dimension of some entries."""
        if letter in ("X", "Y"):
            return
        odd = found["size"] != 1
        if letter == "M":
            self._odd_m[rows[odd]] = True
            return
        self._note(rows, odd, f"a size other than 1 in dimension {letter}")
        self._note(rows, found["stored_size"] != 1, f"a stored size other than 1 in {letter}")

    def finish(self) -> None:
        """Check what needs whole entries, then raise if anything was found.

        Raises
        ------
        CorruptFileError
            Naming the first sub-block at fault.
        """
        plain = self._columns.plain
        rows = np.arange(self._columns.count)
        for letter, size in (("X", "w"), ("Y", "h")):
            self._note(rows, plain[size] == ABSENT, f"no {letter}")
        odd = self._odd_m
        if self._ignore_sizem_for_pyramid:
            same_size = plain["w"] == plain["physical_w"]
            odd = odd & same_size & (plain["h"] == plain["physical_h"])
        self._note(rows, odd, "a size other than 1 in dimension M")
        if self._problems:
            index = min(self._problems)
            raise CorruptFileError(
                f"sub-block {index} of {self._columns.name} has {self._problems[index]}, which "
                "the strict checks refuse; open it with "
                "ReaderOptions(lax_subblock_coordinate_checks=True) to read it all the same"
            )

    def _note(self, rows: NDArray[np.int64], bad: NDArray[np.bool_], problem: str) -> None:
        if bad.any():
            self._problems.setdefault(int(rows[bad][0]), problem)
