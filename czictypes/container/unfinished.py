"""Reads a CZI that is still being written: its sub-blocks are there, its directory is not yet.

What is missing is made in memory and shown in its place: a file header that points behind the
last byte written, and there a directory of copies of the entries that sub-blocks carry.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Iterable

from czictypes.container.byte_source import ByteSource
from czictypes.container.entries import DIMENSION_SIZE, ENTRY_SIZE, MAX_DIMENSIONS
from czictypes.container.segments import FILE_HEADER, SEGMENT_HEADER_SIZE, SUBBLOCK_DIRECTORY

__all__ = ["UnfinishedSource"]

_HEADER_SIZE = SEGMENT_HEADER_SIZE + 512
_ENTRY_OFFSET = SEGMENT_HEADER_SIZE + 16  # within the segment of a sub-block
_LARGEST_ENTRY = ENTRY_SIZE + DIMENSION_SIZE * MAX_DIMENSIONS
_DIMENSION_COUNT = struct.Struct("<28xi")


class UnfinishedSource(ByteSource):
    """The bytes of a file without directory, and one made of its sub-blocks.

    What is written behind `end` later on does not show.

    Parameters
    ----------
    name
        What to call the file in messages.
    read_at
        Gives bytes of the file (offset, count); from any thread, also while it is written.
    positions
        Where the segments of the sub-blocks begin.
    end
        How many bytes the file has.
    """

    def __init__(
        self,
        name: str,
        read_at: Callable[[int, int], bytes],
        positions: Iterable[int],
        end: int,
    ) -> None:
        super().__init__(name)
        self._read_file, self._end = read_at, end
        self._head = _file_header(end)
        self._tail = _directory([self._entry(position) for position in positions])

    def _entry(self, position: int) -> bytes:
        data = self._read_file(position + _ENTRY_OFFSET, _LARGEST_ENTRY)
        (dimensions,) = _DIMENSION_COUNT.unpack_from(data)
        return data[: ENTRY_SIZE + DIMENSION_SIZE * dimensions]

    def _size(self) -> int:
        return self._end + len(self._tail)

    def _read(self, offset: int, count: int) -> bytes:
        stop = min(offset + count, self._size())
        if offset >= _HEADER_SIZE and stop <= self._end:
            return self._read_file(offset, stop - offset)
        parts = [self._head[offset:stop]]
        first, last = max(offset, _HEADER_SIZE), min(stop, self._end)
        if first < last:
            parts.append(self._read_file(first, last - first))
        if stop > self._end:
            parts.append(self._tail[max(offset - self._end, 0) : stop - self._end])
        return b"".join(parts)

    def _release(self) -> None:
        """Do nothing: the file belongs to its writer."""


def _file_header(directory_position: int) -> bytes:
    guid = uuid.UUID(int=0).bytes_le
    content = struct.pack(
        "<ii8x16s16siqqiq", 1, 0, guid, guid, 0, directory_position, 0, 0, 0
    ).ljust(_HEADER_SIZE - SEGMENT_HEADER_SIZE, b"\0")
    return _segment(FILE_HEADER, content)


def _directory(entries: list[bytes]) -> bytes:
    return _segment(SUBBLOCK_DIRECTORY, struct.pack("<i124x", len(entries)) + b"".join(entries))


def _segment(name: str, content: bytes) -> bytes:
    return struct.pack("<16sqq", name.encode(), len(content), len(content)) + content
