"""Presents pixel data as the bytes of a CZI with one sub-block.

libCZI's C API makes bitmaps from sub-blocks alone; this is how an array of ours becomes one (for
the compositor), and how libCZI decodes data whose entry in the file would mislead it. Nothing is
written: the head is made once, and the data are read from where they are.
"""

from __future__ import annotations

import struct
import uuid

__all__ = ["SingleTileSource"]

_HEADER_END = 544  # file header segment: 32 bytes of segment header, 512 of content
_DIRECTORY_END = _HEADER_END + 32 + 256


class SingleTileSource:
    """A read-only byte source over the data of a bitmap.

    Parameters
    ----------
    data
        The bytes, as a sub-block has them.
    width, height, pixel_type, compression
        What they are.
    """

    name = "pixel data in memory"
    closed = False

    def __init__(
        self, data: bytes | memoryview, width: int, height: int, pixel_type: int, compression: int
    ) -> None:
        self._data = memoryview(data)
        entry = _entry(width, height, pixel_type, compression)
        self._head = b"".join(
            (
                _file_header(),
                _segment(b"ZISRAWDIRECTORY", struct.pack("<i124x", 1) + entry, 256),
                _segment(
                    b"ZISRAWSUBBLOCK", _subblock(entry, len(self._data)), 256, len(self._data)
                ),
            )
        )

    def size(self) -> int:
        """Return the number of bytes."""
        return len(self._head) + len(self._data)

    def read_at(self, offset: int, count: int) -> bytes | memoryview:
        """Return up to `count` bytes from `offset` on."""
        split = len(self._head)
        head = self._head[offset : offset + count]
        start = max(offset - split, 0)
        rest = self._data[start : start + count - len(head)]
        return head + bytes(rest) if head else rest

    def close(self) -> None:
        """Do nothing: the data are the caller's."""


def _segment(name: bytes, content: bytes, size: int, following: int = 0) -> bytes:
    head = struct.pack("<16sqq", name, size + following, size + following)
    return head + content.ljust(size, b"\0")


def _file_header() -> bytes:
    guid = uuid.uuid4().bytes_le
    content = struct.pack("<4i16s16siqqiq", 1, 0, 0, 0, guid, guid, 0, _HEADER_END, 0, 0, 0)
    return _segment(b"ZISRAWFILE", content, _HEADER_END - 32)


def _entry(width: int, height: int, pixel_type: int, compression: int) -> bytes:
    fixed = struct.pack("<2siqii6xi", b"DV", pixel_type, _DIRECTORY_END, 0, compression, 2)
    x = struct.pack("<4siifi", b"X", 0, width, 0.0, width)
    y = struct.pack("<4siifi", b"Y", 0, height, 0.0, height)
    return fixed + x + y


def _subblock(entry: bytes, data_size: int) -> bytes:
    return struct.pack("<iiq", 0, 0, data_size) + entry
