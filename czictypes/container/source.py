"""Where a file's bytes come from: a local file, or a file object of the caller."""

from __future__ import annotations

import errno
import io
import os
import stat
import threading
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Union

from czictypes.model.errors import ClosedError

__all__ = ["ByteSource", "FileSource", "StreamSource", "Target", "open_source"]

#: What names a document: a path, or a file object open for reading in binary.
Target = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]", BinaryIO, "ByteSource"]

# Longer requests are cut to what the source has, so that a damaged length in a file
# cannot make us allocate for bytes that are not there.
_TRUSTED_COUNT = 1 << 20


class ByteSource(ABC):
    """Bytes that are read by position, from any number of threads at once.

    A subclass gives `_size`, `_read` and `_release`. Closing while another thread reads is
    safe: the read is finished first, and what follows raises `ClosedError`.

    Parameters
    ----------
    name
        What to call the source in messages.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._guard = threading.Lock()
        self._uses = 0
        self._closed = False

    @abstractmethod
    def _size(self) -> int: ...

    @abstractmethod
    def _read(self, offset: int, count: int) -> bytes: ...

    @abstractmethod
    def _release(self) -> None: ...

    def size(self) -> int:
        """Return how many bytes there are now.

        Raises
        ------
        ClosedError
            After `close`.
        """
        self._enter()
        try:
            return self._size()
        finally:
            self._leave()

    def read_at(self, offset: int, count: int) -> bytes:
        """Return `count` bytes from `offset` on; fewer only where the source ends.

        Raises
        ------
        ClosedError
            After `close`.
        OSError
            If the bytes cannot be read.
        """
        if offset < 0 or count < 0:
            raise ValueError(f"cannot read {count} bytes at {offset} of {self.name}")
        self._enter()
        try:
            if count > _TRUSTED_COUNT:
                count = min(count, max(self._size() - offset, 0))
            return self._read(offset, count)
        finally:
            self._leave()

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fill a buffer of bytes from `offset` on; return how many, fewer only at the end.

        Raises
        ------
        ClosedError, OSError
            As `read_at`.
        """
        self._enter()
        try:
            return self._read_into(offset, buffer)
        finally:
            self._leave()

    def _read_into(self, offset: int, buffer: memoryview) -> int:
        data = self._read(offset, len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def identity(self) -> tuple[int, ...] | None:
        """Return what changes when the source's content does, or None where nothing tells."""
        return None

    def opened_identity(self) -> tuple[int, ...] | None:
        """Return the same of what was opened, which may have been replaced since."""
        return None

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def close(self) -> None:
        """Close the source, after the reads in flight; a second call does nothing."""
        with self._guard:
            release = not self._closed and not self._uses
            self._closed = True
        if release:
            self._release()

    def _enter(self) -> None:
        with self._guard:
            if self._closed:
                raise ClosedError(f"{self.name} is closed; open it again to read from it")
            self._uses += 1

    def _leave(self) -> None:
        with self._guard:
            self._uses -= 1
            release = self._closed and not self._uses
        if release:
            self._release()

    def __enter__(self) -> ByteSource:
        """Return the source itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the source."""
        self.close()

    def __repr__(self) -> str:
        """Tell the name, and whether the source is closed."""
        state = " (closed)" if self._closed else ""
        return f"<{type(self).__name__} {self.name!r}{state}>"


class FileSource(ByteSource):
    """A local file.

    Parameters
    ----------
    path
        The file's path; kept as an absolute one in `path`.

    Raises
    ------
    FileNotFoundError, PermissionError, IsADirectoryError
        As the operating system says, with the path.
    OSError
        If the path names neither a file nor a directory (a device, a pipe).
    """

    def __init__(self, path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> None:
        super().__init__(os.fsdecode(path))
        self.path = Path(self.name).absolute()
        mode = self.path.stat().st_mode  # before opening, which waits for ever at a pipe
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), self.name)
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "not a regular file", self.name)
        self._file = io.FileIO(self.path, "rb")
        self._seek_guard = threading.Lock()
        self._pread = hasattr(os, "pread")

    def identity(self) -> tuple[int, ...]:
        """Return size, modification time (ns) and inode of the file at the path *now*."""
        found = self.path.stat()
        return found.st_size, found.st_mtime_ns, found.st_ino

    def opened_identity(self) -> tuple[int, ...]:
        """Return the same of the file that was opened, which may have been replaced since."""
        self._enter()
        try:
            found = os.fstat(self._file.fileno())
        finally:
            self._leave()
        return found.st_size, found.st_mtime_ns, found.st_ino

    def _size(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def _read(self, offset: int, count: int) -> bytes:
        if self._pread:
            return _read_descriptor(self._file.fileno(), offset, count)
        with self._seek_guard:
            return _read_stream(self._file, offset, count)

    def _read_into(self, offset: int, buffer: memoryview) -> int:
        if not hasattr(os, "preadv"):
            return super()._read_into(offset, buffer)
        done = 0
        while done < len(buffer):
            count = os.preadv(self._file.fileno(), [buffer[done:]], offset + done)
            if not count:
                break
            done += count
        return done

    def _release(self) -> None:
        self._file.close()


class StreamSource(ByteSource):
    """A file object of the caller.

    Every read moves its position, but for what `open` gives for a local file: that is read past
    it, since a process that was forked shares the position.

    Parameters
    ----------
    stream
        Readable, seekable, binary.
    owns
        Whether closing the source closes the stream too.
    name
        What to call it in messages; the stream's own name where not given.

    Raises
    ------
    TypeError
        If the stream gives text, or has no `read` and `seek`.
    ValueError
        If it is closed, or cannot be read or be seeked in.
    """

    def __init__(self, stream: BinaryIO, *, owns: bool = False, name: str | None = None) -> None:
        super().__init__(name or _stream_name(stream))
        _check_stream(stream, self.name)
        self._stream = stream
        self._owns = owns
        self._position_guard = threading.Lock()
        self._pread = hasattr(os, "pread") and _is_plain_file(stream)

    def _size(self) -> int:
        if self._pread:
            return os.fstat(self._stream.fileno()).st_size
        with self._position_guard:
            self._stream.seek(0, os.SEEK_END)
            return self._stream.tell()

    def _read(self, offset: int, count: int) -> bytes:
        if self._pread:
            return _read_descriptor(self._stream.fileno(), offset, count)
        with self._position_guard:
            return _read_stream(self._stream, offset, count)

    def _release(self) -> None:
        if self._owns:
            self._stream.close()


def open_source(target: Target) -> ByteSource:
    """Open what the caller named: a path, or a file object open for reading in binary.

    Raises
    ------
    TypeError
        For anything else, and for a stream that gives text.
    OSError
        If the file cannot be opened, with the path.
    """
    if isinstance(target, ByteSource):
        return target
    if isinstance(target, (str, bytes, os.PathLike)):
        return FileSource(target)
    if hasattr(target, "read") and hasattr(target, "seek"):
        return StreamSource(target)
    raise TypeError(
        f"cannot open {target!r}: give a path, or a file object open for reading in binary"
    )


def _read_descriptor(descriptor: int, offset: int, count: int) -> bytes:
    """Read without regard to the position; short only at the end of the file."""
    parts: list[bytes] = []
    while count:
        part: bytes = os.pread(descriptor, count, offset)
        if not part:
            break
        parts.append(part)
        count, offset = count - len(part), offset + len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _read_stream(stream: BinaryIO | io.FileIO, offset: int, count: int) -> bytes:
    """Read at a position; short only at the end of the stream."""
    parts: list[bytes] = []
    stream.seek(offset)
    while count:
        part = stream.read(count)
        if not part:
            break
        parts.append(part)
        count -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _is_plain_file(stream: object) -> bool:
    """Whether a stream is what `open` gives for a file, and nothing that may change its bytes."""
    if type(stream) is io.BufferedReader:
        stream = stream.raw
    return type(stream) is io.FileIO and stat.S_ISREG(os.fstat(stream.fileno()).st_mode)


def _stream_name(stream: object) -> str:
    name = getattr(stream, "name", None)
    if isinstance(name, (str, bytes)) and name:
        return os.fsdecode(name)
    return f"<{type(stream).__name__}>"


def _check_stream(stream: BinaryIO, name: str) -> None:
    if getattr(stream, "closed", False):
        raise ValueError(f"the file object {name} is closed")
    for ability in ("readable", "seekable"):
        if not getattr(stream, ability, lambda: True)():
            raise ValueError(f"the file object {name} is not {ability}; open it in mode 'rb'")
    if not isinstance(stream.read(0), bytes):
        raise TypeError(f"the file object {name} gives text; open it in mode 'rb'")
