"""Packs and unpacks the pixels of a sub-block, and parses directory entries, with the kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.kernel.library import Kernel
from czictypes.model.errors import CorruptFileError, NativeMemoryError

_ZSTD1 = 6


def unpack_zstd(
    kernel: Kernel,
    data: bytes | memoryview,
    compression: int,
    pixel_type: int,
    size: int,
    where: str = "the zstd data of a sub-block",
) -> NDArray[np.uint8]:
    """Decode zstd0 or zstd1 data to (size,) uint8, and undo their HiLo packing.

    `compression` and `pixel_type` are numbers of the file format; only types of 16 bits have HiLo
    packing. Data after the frame are ignored. `where` names the owner of the data in messages.
    Raises CorruptFileError if the data cannot be decoded, or do not hold exactly `size` bytes.
    """
    ffi = kernel.ffi
    pixels = np.empty(size, np.uint8)
    stored, target = ffi.from_buffer("uint8_t[]", data), ffi.from_buffer("uint8_t[]", pixels)
    if kernel.lib.czk_unpack(compression, stored, len(data), target, size, pixel_type):
        raise CorruptFileError(
            f"{where} cannot be decompressed to {size} bytes; the file is damaged"
        )
    return pixels


def pack_zstd(
    kernel: Kernel,
    pixels: NDArray[Any],
    compression: int,
    *,
    hilo: bool = False,
    level: int = 1,
) -> bytes:
    """Encode pixels of any shape as zstd0 or zstd1 data.

    With `hilo`, for zstd1 and 16 bits, the low bytes of all words come first, then the high ones.
    Raises ValueError for HiLo packing of anything else, and NativeMemoryError if there is too
    little memory.
    """
    pixels = np.ascontiguousarray(pixels)
    if hilo and (compression != _ZSTD1 or pixels.dtype.itemsize != 2):
        raise ValueError("HiLo packing is for zstd1 and pixels of 16 bits")
    ffi, lib = kernel.ffi, kernel.lib
    data = bytearray(lib.czk_pack_bound(pixels.nbytes))
    target = ffi.from_buffer("uint8_t[]", data)
    source = ffi.from_buffer("uint8_t[]", pixels)
    size = lib.czk_pack(compression, source, pixels.nbytes, hilo, level, target, len(data))
    if size < 0:
        raise NativeMemoryError(f"there is no memory to compress {pixels.nbytes} bytes")
    ffi.release(target)
    return bytes(memoryview(data)[:size])


class EntryParser:
    """Parses the entries of a directory into columns, from the first row on.

    `columns` are those of `struct czk_columns` by name: int32, except ``position`` (int64) and
    ``pyramid_type`` (uint8), filled with the default of each. `letters` are the dimensions except
    X, Y and M. `coordinate` and `size` return a new int32 column for a dimension, when the first
    entry needs it.
    """

    def __init__(
        self,
        kernel: Kernel,
        count: int,
        columns: dict[str, NDArray[Any]],
        letters: str,
        coordinate: Callable[[str], NDArray[np.int32]],
        size: Callable[[str], NDArray[np.int32]],
    ) -> None:
        self._kernel, self._letters = kernel, letters
        self._make = coordinate, size
        self._kept: list[NDArray[Any]] = []  # referenced by the structure
        self._columns: Any = kernel.ffi.new("struct czk_columns *")
        self._columns.count = count
        self._columns.letters = letters.encode("ascii")
        for name, column in columns.items():
            setattr(self._columns, name, self._pointer(column))

    @property
    def is_complete(self) -> bool:
        """Whether all rows are filled."""
        return bool(self._columns.filled == self._columns.count)

    def add(self, data: bytes | memoryview) -> int | None:
        """Parse the complete entries in `data`, which begins with one; return the number of bytes.

        Returns None if an entry is unusual in any way.
        """
        ffi = self._kernel.ffi
        done: int = 0
        buffer = ffi.from_buffer("uint8_t[]", data)
        while True:
            taken = self._kernel.lib.czk_parse(self._columns, buffer + done, len(data) - done)
            if taken < 0:
                return None
            done += taken
            if not self._columns.lacking:
                return done
            self._add_column(chr(self._columns.lacking))

    def _add_column(self, letter: str) -> None:
        is_size = self._columns.lacking_size
        columns = self._columns.size if is_size else self._columns.coordinate
        columns[self._letters.index(letter)] = self._pointer(self._make[is_size](letter))

    def _pointer(self, column: NDArray[Any]) -> Any:
        if not column.flags.c_contiguous:
            raise ValueError("a column must be contiguous")
        self._kept.append(column)
        return self._kernel.pointer(column)
