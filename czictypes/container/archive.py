"""A file in a ZIP archive that is itself behind a URL: ``zip://image.czi::https://host/a.zip``.

The archive is read as any other remote file is: ranges, in parallel, checked for changes. What is
stored in it as it is, is a part of the archive and nothing more; what is packed comes by zipfile.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from czictypes.container.byte_source import ByteSource, Range
from czictypes.model.errors import CorruptFileError, RemoteNotFoundError

__all__ = ["PartSource", "SourceFile", "find_stored"]

_LOCAL_HEADER = struct.Struct("<4s22xHH")  # APPNOTE.TXT 4.3.7: signature, lengths of name and extra


class SourceFile(io.RawIOBase):
    """A byte source as a file object.

    Parameters
    ----------
    source
        The bytes; stays open.
    """

    def __init__(self, source: ByteSource) -> None:
        super().__init__()
        self._source, self._position = source, 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position and return it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._source.size()}
        self._position = max(base[whence] + offset, 0)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read on from the position."""
        count = self._source.read_into(self._position, memoryview(buffer).cast("B"))
        self._position += count
        return count


class PartSource(ByteSource):
    """A part of a byte source, which it closes at the end.

    Parameters
    ----------
    whole
        The source.
    offset, count
        The part.
    name
        What to call it in messages.
    """

    def __init__(self, whole: ByteSource, offset: int, count: int, name: str) -> None:
        super().__init__(name)
        self.is_remote = whole.is_remote
        self._whole, self._offset, self._count = whole, offset, count

    def identity(self) -> tuple[Any, ...] | None:
        """Return that of the whole."""
        return self._whole.identity()

    def opened_identity(self) -> tuple[Any, ...] | None:
        """Return that of the whole."""
        return self._whole.opened_identity()

    def read_ranges(self, ranges: Sequence[Range]) -> list[bytes]:
        """Return the bytes of many ranges."""
        return self._whole.read_ranges([self._inside(*wanted) for wanted in ranges])

    def read_ahead(self, ranges: Sequence[Range]) -> AbstractContextManager[None]:
        """Fetch ranges in the background."""
        return self._whole.read_ahead([self._inside(*wanted) for wanted in ranges])

    def fetch_soon(self, ranges: Sequence[Range]) -> None:
        """Fetch ranges in the background."""
        self._whole.fetch_soon([self._inside(*wanted) for wanted in ranges])

    def _inside(self, offset: int, count: int) -> Range:
        offset = min(offset, self._count)
        return self._offset + offset, max(min(count, self._count - offset), 0)

    def _size(self) -> int:
        return self._count

    def _read(self, offset: int, count: int) -> bytes:
        return self._whole.read_at(*self._inside(offset, count))

    def _read_into(self, offset: int, buffer: memoryview) -> int:
        start, count = self._inside(offset, len(buffer))
        return self._whole.read_into(start, buffer[:count])

    def _release(self) -> None:
        self._whole.close()


def find_stored(archive: ByteSource, member: str, name: str) -> PartSource | None:
    """Return a file of an archive, or None if it is packed or encrypted.

    Raises
    ------
    RemoteNotFoundError
        If there is none of that name.
    CorruptFileError
        If the archive is damaged.
    """
    try:
        with zipfile.ZipFile(io.BufferedReader(SourceFile(archive))) as opened:
            info = opened.NameToInfo.get(member)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise CorruptFileError(f"{archive.name} cannot be read as a ZIP archive: {error}") from None
    if info is None:
        raise RemoteNotFoundError(f"there is no file {member!r} in {archive.name}")
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
        return None
    head = archive.read_at(info.header_offset, _LOCAL_HEADER.size)
    if len(head) < _LOCAL_HEADER.size or not head.startswith(b"PK\3\4"):
        raise CorruptFileError(f"{archive.name} is damaged: {member!r} is not where it should be")
    _, name_size, extra_size = _LOCAL_HEADER.unpack(head)
    start = info.header_offset + _LOCAL_HEADER.size + name_size + extra_size
    return PartSource(archive, start, info.file_size, name)
