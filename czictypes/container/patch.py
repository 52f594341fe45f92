"""Correct the sub-block fields that libCZI's C API writes wrongly or does not support.

The writer of the C API marks every sub-block as uncompressed, as not part of a pyramid, and as of
size 1 in each dimension. A file has these fields twice: in the sub-block's segment and in its
directory entry. The layout of an entry is the same in both places.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.container.entries import locate_entries
from czictypes.container.layout import (
    COUNT,
    DIMENSION_SIZE,
    DIRECTORY_ENTRIES,
    ENTRY_OFFSET,
    ENTRY_SIZE,
    SEGMENT_HEADER_SIZE,
    SUBBLOCK,
    SUBBLOCK_DIRECTORY,
    dimension_offset,
    entry_offset,
    entry_size,
    id_bytes,
)
from czictypes.model.errors import IncompatibleLibraryError

_POSITION = entry_offset("file_position")
_COMPRESSION = entry_offset("compression")
_PYRAMID = entry_offset("pyramid_type")  # follows the compression, and is set with it
_SIZE, _STORED_SIZE = dimension_offset("size"), dimension_offset("stored_size")


class SubBlockPatcher:
    """A filter of a writer's output that corrects the fields.

    Call `declare` before each sub-block and `finish` before the directory. So bytes that only look
    like a segment, such as pixels, are never changed.
    """

    def __init__(self) -> None:
        self._positions = array("q")
        self._compressions = array("i")
        self._pyramid_types = array("B")
        self._sizes: dict[int, Mapping[str, int]] = {}
        self._next: tuple[int, int] | None = None
        self._next_sizes: Mapping[str, int] = {}
        self._finishing = False
        self._directory_seen = False
        #: The number of sub-blocks that had a wrong field.
        self.patched = 0

    @property
    def positions(self) -> list[int]:
        """The positions of the sub-block segments written so far, in order."""
        return self._positions.tolist()

    @property
    def is_watching(self) -> bool:
        """Whether `patch` may have to correct the next bytes."""
        return self._next is not None or self._finishing

    def declare(
        self, compression: int, pyramid_type: int = 0, sizes: Mapping[str, int] | None = None
    ) -> None:
        """Declare the fields of the next sub-block.

        `sizes` has the sizes other than 1 by dimension; the fastest-varying dimension comes first.
        """
        self._next = (int(compression), int(pyramid_type))
        self._next_sizes = sizes or {}

    def finish(self) -> None:
        """Declare that only the directories follow, at the end of the file."""
        self._check_nothing_is_missing()
        self._finishing = True

    def complete(self) -> None:
        """Raise IncompatibleLibraryError if no directory was written."""
        if not self._directory_seen:
            raise _unknown("no sub-block directory was written")

    def patch(self, position: int, data: memoryview) -> memoryview:
        """Return the bytes to write at `position`: `data`, or a corrected copy.

        Raises
        ------
        IncompatibleLibraryError
            If the library writes the file in an unexpected way.
        """
        if self._next is not None:
            return self._patch_subblock(position, data)
        if self._finishing and data[:16] == id_bytes(SUBBLOCK_DIRECTORY):
            return self._patch_directory(data)
        return data

    def _patch_subblock(self, position: int, data: memoryview) -> memoryview:
        assert self._next is not None
        wanted, self._next = self._next, None
        sizes = self._next_sizes
        if len(data) <= ENTRY_OFFSET + _PYRAMID or data[:16] != id_bytes(SUBBLOCK):
            raise _unknown("a sub-block does not begin with its segment's header")
        (own_position,) = struct.unpack_from("<q", data, ENTRY_OFFSET + _POSITION)
        if own_position != position:
            raise _unknown(f"a sub-block at byte {position} says it is at {own_position}")
        self._positions.append(position)
        self._compressions.append(wanted[0])
        self._pyramid_types.append(wanted[1])
        if struct.unpack_from("<iB", data, ENTRY_OFFSET + _COMPRESSION) == wanted and not sizes:
            return data
        self.patched += 1
        corrected = bytearray(data)
        struct.pack_into("<iB", corrected, ENTRY_OFFSET + _COMPRESSION, *wanted)
        if sizes:
            self._sizes[position] = sizes
            _set_sizes(corrected, ENTRY_OFFSET, sizes)
        return memoryview(corrected)

    def _patch_directory(self, data: memoryview) -> memoryview:
        (count,) = COUNT.unpack_from(data, SEGMENT_HEADER_SIZE)
        if count != len(self._positions):
            raise _unknown(f"the directory has {count} entries for {len(self._positions)} written")
        self._directory_seen = True
        if count == 0:
            return data
        located = locate_entries(data[DIRECTORY_ENTRIES:], count, "the new file", strict=True)
        offsets = located.offsets + DIRECTORY_ENTRIES
        entries = np.frombuffer(data, np.uint8)
        order = self._match(_gather(entries, offsets + _POSITION, "<i8"))
        compressions = np.frombuffer(self._compressions, np.int32)[order]
        pyramid_types = np.frombuffer(self._pyramid_types, np.uint8)[order]
        right = _gather(entries, offsets + _COMPRESSION, "<i4") == compressions
        right &= entries[offsets + _PYRAMID] == pyramid_types
        if right.all() and not self._sizes:
            return data
        corrected = bytearray(data)
        entries = np.frombuffer(corrected, np.uint8)
        _scatter(entries, offsets + _COMPRESSION, compressions.astype("<i4"))
        entries[offsets + _PYRAMID] = pyramid_types
        if self._sizes:
            positions = _gather(entries, offsets + _POSITION, "<i8")
            for offset, position in zip(offsets.tolist(), positions.tolist()):
                if position in self._sizes:
                    _set_sizes(corrected, offset, self._sizes[position])
        return memoryview(corrected)

    def _match(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the index of the written sub-block at each position in the directory."""
        known = np.frombuffer(self._positions, np.int64)  # ascending, as written
        order = np.searchsorted(known, positions).clip(max=len(known) - 1)
        if not np.array_equal(known[order], positions):
            raise _unknown("the directory names a sub-block that was not written")
        return order

    def _check_nothing_is_missing(self) -> None:
        if self._next is not None:
            raise _unknown("a sub-block was not written")


def _set_sizes(data: bytearray, entry: int, sizes: Mapping[str, int]) -> None:
    """Set the sizes of an entry, and put the dimensions that have them into their order."""
    end = entry + entry_size(data, entry)
    if end > len(data):
        raise _unknown("a sub-block's entry is not written in one piece")
    places = range(entry + ENTRY_SIZE, end, DIMENSION_SIZE)
    letters = {chr(data[place]): bytes(data[place : place + DIMENSION_SIZE]) for place in places}
    listed = iter(sizes.items())
    for place in places:
        if chr(data[place]) in sizes:
            letter, size = next(listed)
            data[place : place + DIMENSION_SIZE] = letters[letter]
            struct.pack_into("<i", data, place + _SIZE, size)
            struct.pack_into("<i", data, place + _STORED_SIZE, size)


def _gather(data: NDArray[np.uint8], offsets: NDArray[np.int64], dtype: str) -> NDArray[Any]:
    """Return the numbers at these offsets."""
    size = np.dtype(dtype).itemsize
    numbers: NDArray[Any] = data[offsets[:, None] + np.arange(size)].view(dtype)[:, 0]
    return numbers


def _scatter(data: NDArray[np.uint8], offsets: NDArray[np.int64], values: NDArray[Any]) -> None:
    """Store numbers at these offsets."""
    places = offsets[:, None] + np.arange(values.itemsize)
    data[places] = np.ascontiguousarray(values)[:, None].view(np.uint8)


def _unknown(problem: str) -> IncompatibleLibraryError:
    return IncompatibleLibraryError(
        f"the libCZI in use writes files in a way that czictypes does not know: {problem}; the "
        "file was not written. Please report the version that czictypes.library_info() shows"
    )
