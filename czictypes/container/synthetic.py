"""CZI files that exist only in memory, built around existing bytes."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from czictypes.container.byte_source import ByteSource
from czictypes.container.layout import (
    FILE_HEADER_SIZE,
    SUBBLOCK,
    SUBBLOCK_CONTENT,
    SUBBLOCK_SIZES,
    pack_directory,
    pack_entry,
    pack_file_header,
    pack_segment,
)


class SingleTileSource:
    """A CZI whose only sub-block holds the data of a bitmap, so that libCZI can decode them.

    `data` are the bytes as stored in a sub-block; they are not copied.
    """

    name = "pixel data in memory"

    def __init__(
        self, data: bytes | memoryview, width: int, height: int, pixel_type: int, compression: int
    ) -> None:
        self._data = memoryview(data)
        extents = ((b"X", 0, width), (b"Y", 0, height))
        anywhere = pack_entry(pixel_type, 0, compression, extents)
        position = FILE_HEADER_SIZE + len(pack_directory(1, anywhere))
        entry = pack_entry(pixel_type, position, compression, extents)
        head = SUBBLOCK_SIZES.pack(0, 0, len(data)) + entry
        room = SUBBLOCK_CONTENT - len(pack_segment(SUBBLOCK, b""))
        self._head = b"".join(
            (
                pack_file_header(uuid.uuid4(), FILE_HEADER_SIZE),
                pack_directory(1, entry),
                pack_segment(SUBBLOCK, head.ljust(room, b"\0"), len(data)),
            )
        )

    def read_at(self, offset: int, count: int) -> bytes | memoryview:
        """Return up to `count` bytes from `offset` on."""
        split = len(self._head)
        head = self._head[offset : offset + count]
        start = max(offset - split, 0)
        rest = self._data[start : start + count - len(head)]
        return head + bytes(rest) if head else rest


class UnfinishedSource(ByteSource):
    """A CZI that is still being written: it has sub-blocks, but no directory yet.

    The missing parts are built in memory: a file header that points to the end of the file, and
    there a directory. Bytes that are written behind
    `end` later are not visible.

    Parameters
    ----------
    name
        The name of the file in messages.
    read_at
        Returns bytes of the file (offset, count); thread-safe, also during writing.
    count, entries
        The number of sub-blocks, and their entries.
    end
        The size of the file in bytes.
    """

    def __init__(
        self,
        name: str,
        read_at: Callable[[int, int], bytes],
        count: int,
        entries: bytes,
        end: int,
    ) -> None:
        super().__init__(name)
        self._read_file, self._end = read_at, end
        self._head = pack_file_header(uuid.UUID(int=0), end)
        self._tail = pack_directory(count, entries)

    def _size(self) -> int:
        return self._end + len(self._tail)

    def _read(self, offset: int, count: int) -> bytes:
        stop = min(offset + count, self._size())
        if offset >= len(self._head) and stop <= self._end:
            return self._read_file(offset, stop - offset)
        parts = [self._head[offset:stop]]
        first, last = max(offset, len(self._head)), min(stop, self._end)
        if first < last:
            parts.append(self._read_file(first, last - first))
        if stop > self._end:
            parts.append(self._tail[max(offset - self._end, 0) : stop - self._end])
        return b"".join(parts)

    def _release(self) -> None:
        """Do nothing: the file belongs to its writer."""
