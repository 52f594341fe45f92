"""Packs and unpacks the pixels of a sub-block, and parses directory entries, with the kernel."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.kernel.library import Kernel
from czictypes.model.errors import CorruptFileError, NativeMemoryError
from czictypes.model.geometry import ABSENT, DIMENSIONS

_ZSTD1 = 6


def memory_of(ffi: Any, data: Any) -> Any:
    """Return a C view of a contiguous buffer, which keeps it alive.

    numpy stands between, as CPython crashes where a view of a memoryview and the memoryview belong
    to the same garbage: the traceback of an error may refer to both.
    """
    return ffi.from_buffer("uint8_t[]", np.frombuffer(data, np.uint8))


def unpack_zstd(
    kernel: Kernel,
    data: bytes | memoryview,
    compression: int,
    pixel_type: int,
    size: int,
    where: str = "the zstd data of a sub-block",
    wanted: int | None = None,
) -> NDArray[np.uint8]:
    """Decode zstd0 or zstd1 data to (size,) uint8, and undo their HiLo packing.

    `compression` and `pixel_type` are numbers of the file format; only types of 16 bits have HiLo
    packing. Data after the frame are ignored. Only the first `wanted` bytes need to be whole, and
    are returned. `where` names the owner of the data in messages. Raises CorruptFileError if the
    data cannot be decoded, or do not hold exactly `size` bytes.
    """
    wanted = size if wanted is None else wanted
    ffi = kernel.ffi
    pixels = np.empty(size, np.uint8)
    stored, target = memory_of(ffi, data), memory_of(ffi, pixels)
    if kernel.lib.czk_unpack(compression, stored, len(data), target, size, wanted, pixel_type):
        raise CorruptFileError(
            f"{where} cannot be decompressed to {size} bytes; the file is damaged"
        )
    return pixels[:wanted]


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
    data = np.empty(lib.czk_pack_bound(pixels.nbytes), np.uint8)
    target, source = (ffi.from_buffer("uint8_t[]", one) for one in (data, pixels))
    size = lib.czk_pack(compression, source, pixels.nbytes, hilo, level, target, len(data))
    if size < 0:
        raise NativeMemoryError(f"there is no memory to compress {pixels.nbytes} bytes")
    return data[:size].tobytes()


#: The first fields of `struct czk_columns`; a coordinate and a size for each letter follow.
_FIELDS = (
    "x", "y", "w", "h", "stored_w", "stored_h", "m",
    "pixel_type", "compression", "file_part", "pyramid_type",
)  # fmt: skip
_LETTERS = "".join(DIMENSIONS)
_AT_ONCE = 4  # columns that are allocated together
_PYRAMID, _SCENE = _FIELDS.index("pyramid_type"), len(_FIELDS) + _LETTERS.index("S")


class EntryColumns(NamedTuple):
    """Columns of a directory: of fields that all entries have, and by dimension.

    They are read-only. One whose values are all the same takes no memory: its stride is 0.
    """

    plain: dict[str, NDArray[Any]]
    coordinates: dict[str, NDArray[np.int32]]
    sizes: dict[str, NDArray[np.int32]]
    scene: NDArray[np.int32]


class EntryParser:
    """Parses the entries of a directory with `count` rows into columns, from the first row on."""

    def __init__(self, kernel: Kernel, count: int) -> None:
        self._kernel, self._count = kernel, count
        self._made: dict[int, NDArray[np.int32]] = {}  # by field
        self._free: list[NDArray[np.int32]] = []
        self._position = np.empty(count, np.int64)
        self._columns: Any = kernel.ffi.new("struct czk_columns *")
        self._columns.count = count
        self._columns.letters = _LETTERS.encode("ascii")
        self._columns.position = kernel.pointer(self._position)

    @property
    def is_complete(self) -> bool:
        """Whether all rows are filled."""
        return bool(self._columns.filled == self._count)

    def add(self, data: bytes | memoryview) -> int | None:
        """Parse the complete entries in `data`, which begins with one; return the number of bytes.

        Returns None if an entry is unusual in any way.
        """
        columns = self._columns
        done: int = 0
        buffer = memory_of(self._kernel.ffi, data)
        while True:
            taken = self._kernel.lib.czk_parse(columns, buffer + done, len(data) - done)
            if taken < 0:
                return None
            done += taken
            field = columns.lacking
            if field < 0:
                return done
            # Several in an array: numpy asks for huge pages only for large ones.
            self._free = self._free or list(np.empty((_AT_ONCE, self._count), np.int32))
            column = self._made[field] = self._free.pop()
            column[: columns.filled] = columns.value[field]
            columns.column[field] = self._kernel.pointer(column)

    def columns(self) -> EntryColumns:
        """Return the columns; all rows must be filled."""
        ffi, value = self._kernel.ffi, self._columns.value
        constants, values = bytes(ffi.buffer(value)), ffi.unpack(value, len(value))
        made, count = self._made, self._count
        pyramid_type = np.ndarray((count,), np.uint8, constants, 4 * _PYRAMID, (0,))
        if _PYRAMID in made:
            pyramid_type = made[_PYRAMID].astype(np.uint8)
            pyramid_type.setflags(write=False)
        self._position.setflags(write=False)
        for column in made.values():
            column.setflags(write=False)
        equal = np.ndarray((len(values), count), np.int32, constants, 0, (4, 0))
        plain = dict(zip(_FIELDS, equal))
        plain.update((name, made[field]) for field, name in enumerate(_FIELDS) if field in made)
        plain["file_position"] = self._position
        plain["pyramid_type"] = pyramid_type
        coordinates, sizes = {}, {}
        for field, letter in enumerate(_LETTERS if count else "", len(_FIELDS)):
            if field in made or values[field] != ABSENT:
                coordinates[letter] = made.get(field, equal[field])
            extent = field + len(_LETTERS)
            if extent in made or values[extent] > 1:
                sizes[letter] = made.get(extent, equal[extent])
        scene = coordinates["S"] if "S" in coordinates else equal[_SCENE]
        return EntryColumns(plain, coordinates, sizes, scene)
