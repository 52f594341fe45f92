"""Byte sources for local files and for file objects of the caller."""

from __future__ import annotations

import errno
import io
import ntpath
import os
import stat
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from czictypes.container.byte_source import ByteSource
from czictypes.model.errors import FileAccessError, IsFolderError
from czictypes.model.public import file_error

#: The bytes of a read during which no interrupt is heard.
_AT_ONCE = 32 << 20
_LONG_PATH = 200  # there is room for what names of temporary files and chunks add


class FileSource(ByteSource):
    """A local file.

    Parameters
    ----------
    path
        The path of the file.

    Raises
    ------
    MissingFileError, FilePermissionError, IsFolderError
        If the file cannot be opened; the message has the reason and the path.
    FileAccessError
        If the path is neither a file nor a directory (a device or a pipe).
    """

    _mode = "rb"

    def __init__(self, path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> None:
        super().__init__(os.fsdecode(path))
        self._place = absolute_path(self.name)
        try:
            # Checked first, because opening a pipe may hang. (Path.stat takes twice as long.)
            mode = os.stat(self._place).st_mode  # noqa: PTH116
            if stat.S_ISDIR(mode):
                raise IsFolderError(errno.EISDIR, os.strerror(errno.EISDIR), self.name)
            if not stat.S_ISREG(mode):
                raise FileAccessError(errno.EINVAL, "not a regular file", self.name)
            self._file = io.FileIO(self._place, self._mode)
        except FileAccessError:
            raise
        except OSError as error:
            raise file_error(error, self.name) from None

    @property
    def path(self) -> Path:
        """The absolute path of the file."""
        return Path(self._place)

    def identity(self) -> tuple[int, ...]:
        """Return size, modification time (ns) and inode of the file at the path *now*."""
        found = os.stat(self._place)  # noqa: PTH116
        return found.st_size, found.st_mtime_ns, found.st_ino

    def opened_identity(self) -> tuple[int, ...]:
        """Return the same for the opened file, which may have been replaced since."""
        try:
            with self._use():
                found = os.fstat(self._file.fileno())
        finally:
            if self._uses.ended:
                self._finish()
        return found.st_size, found.st_mtime_ns, found.st_ino

    def is_still(self, identity: tuple[Any, ...] | None) -> bool:
        """Return whether the opened file has this identity; the caller keeps it open."""
        found = os.fstat(self._file.fileno())
        return (found.st_size, found.st_mtime_ns, found.st_ino) == identity

    def is_current(self) -> bool:
        """Return whether the path still names the opened file, unchanged."""
        try:
            return self.identity() == self.opened_identity()
        except OSError:
            return False

    def descriptor(self) -> int:
        """Return the file descriptor; on Windows, the file handle."""
        number = self._file.fileno()
        if sys.platform == "win32":
            import msvcrt

            return msvcrt.get_osfhandle(number)
        return number

    def _size(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def _read(self, offset: int, count: int) -> bytes:
        try:
            return _read_descriptor(self._file.fileno(), offset, count)
        except OSError as error:
            raise file_error(error, self.name) from error

    def _read_into(self, offset: int, buffer: memoryview) -> int:
        if not hasattr(os, "preadv"):
            return super()._read_into(offset, buffer)
        done = 0
        try:
            while done < len(buffer):
                part = buffer[done : done + _AT_ONCE]
                count = os.preadv(self._file.fileno(), [part], offset + done)
                if not count:
                    break
                done += count
        except OSError as error:
            raise file_error(error, self.name) from error
        return done

    def _release(self) -> None:
        with suppress(OSError):  # a reader has no writes to lose
            self._file.close()


def absolute_path(path: str) -> str:
    """Make a path absolute, so that it stays valid in other working directories."""
    path = path if os.path.isabs(path) else str(Path(path).absolute())  # noqa: PTH117
    return extended_path(path) if sys.platform == "win32" else path


def extended_path(path: str) -> str:
    """Return an absolute path of Windows in the form that may have more than 260 characters."""
    if len(path) < _LONG_PATH or path.startswith(("\\\\?\\", "\\\\.\\")):
        return path
    path = ntpath.normpath(path)  # in this form, slashes and dots are ordinary characters
    return f"\\\\?\\UNC{path[1:]}" if path.startswith("\\\\") else f"\\\\?\\{path}"


class StreamSource(ByteSource):
    """A file object of the caller.

    Reads move its position, except in local files opened by `open`. These are read with `pread`,
    because a forked process shares the position.

    Parameters
    ----------
    stream
        A readable and seekable binary file object.
    owns
        Whether closing the source closes the stream, too.
    name
        Its name in messages; by default the stream's own name.

    Raises
    ------
    TypeError
        If the stream returns text, or has no `read` and `seek`.
    ValueError
        If it is closed, not readable or not seekable.
    """

    def __init__(self, stream: BinaryIO, *, owns: bool = False, name: str | None = None) -> None:
        super().__init__(name or _stream_name(stream))
        check_stream(stream, self.name)
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
            return read_stream(self._stream, offset, count)

    def _release(self) -> None:
        if self._owns:
            self._stream.close()


def _read_descriptor(descriptor: int, offset: int, count: int) -> bytes:
    """Read without using the file's position; return less only at the end of the file."""
    parts: list[bytes] = []
    while count:
        part = _pread(descriptor, count, offset)
        if not part:
            break
        parts.append(part)
        count, offset = count - len(part), offset + len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


if sys.platform == "win32":
    import ctypes
    import msvcrt
    from ctypes import wintypes

    class _Overlapped(ctypes.Structure):
        _fields_ = (
            ("internal", ctypes.c_void_p * 2),
            ("low", wintypes.DWORD),
            ("high", wintypes.DWORD),
            ("event", wintypes.HANDLE),
        )

    _ERROR_HANDLE_EOF = 38
    _LOCK_EXCLUSIVE = 2
    # Windows lets nobody else read what is locked, so it is a byte that no file has.
    _LOCKED_BYTE = 1 << 62
    _kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    _pointer, _dword = ctypes.c_void_p, wintypes.DWORD
    _kernel32.ReadFile.argtypes = (wintypes.HANDLE, _pointer, _dword, _pointer, _pointer)
    _kernel32.LockFileEx.argtypes = (wintypes.HANDLE, *(_dword,) * 4, _pointer)
    _kernel32.UnlockFileEx.argtypes = (wintypes.HANDLE, *(_dword,) * 3, _pointer)

    def _at(offset: int) -> Any:
        return ctypes.byref(_Overlapped(low=offset & 0xFFFFFFFF, high=offset >> 32))

    def _pread(descriptor: int, count: int, offset: int) -> bytes:
        """Read as os.pread does, but move the position of the file, too.

        The kernel reads the same file at the same time, so nothing may read where the position is.
        """
        data, done = bytearray(min(count, _AT_ONCE)), wintypes.DWORD()
        handle, first = msvcrt.get_osfhandle(descriptor), ctypes.c_char.from_buffer(data)
        if not _kernel32.ReadFile(
            handle, ctypes.byref(first), len(data), ctypes.byref(done), _at(offset)
        ):
            error = ctypes.get_last_error()
            if error != _ERROR_HANDLE_EOF:
                raise ctypes.WinError(error)
        return bytes(memoryview(data)[: done.value])

    def lock_file(descriptor: int, wanted: bool) -> None:
        """Wait for the lock of a file and take it, or give it back."""
        handle, place = msvcrt.get_osfhandle(descriptor), _at(_LOCKED_BYTE)
        if wanted:
            done = _kernel32.LockFileEx(handle, _LOCK_EXCLUSIVE, 0, 1, 0, place)
        else:
            done = _kernel32.UnlockFileEx(handle, 0, 1, 0, place)
        if not done:
            raise ctypes.WinError(ctypes.get_last_error())

else:

    def _pread(descriptor: int, count: int, offset: int) -> bytes:
        return os.pread(descriptor, count, offset)

    def lock_file(descriptor: int, wanted: bool) -> None:
        """Wait for the lock of a file and take it, or give it back."""
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX if wanted else fcntl.LOCK_UN)


def read_stream(stream: BinaryIO | io.FileIO, offset: int, count: int) -> bytes:
    """Read at a position; return less only at the end of the stream."""
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
    """Return whether a stream is a local file as `open` returns it, without any decoding."""
    if type(stream) is io.BufferedReader:
        stream = stream.raw
    return type(stream) is io.FileIO and stat.S_ISREG(os.fstat(stream.fileno()).st_mode)


def _stream_name(stream: object) -> str:
    name = getattr(stream, "name", None)
    if isinstance(name, (str, bytes)) and name:
        return os.fsdecode(name)
    return f"<{type(stream).__name__}>"


def check_stream(stream: BinaryIO, name: str) -> None:
    """Refuse a file object that is closed, returns text, or is not readable and seekable."""
    if getattr(stream, "closed", False):
        raise ValueError(f"the file object {name} is closed")
    for ability in ("readable", "seekable"):
        if not getattr(stream, ability, lambda: True)():
            raise ValueError(f"the file object {name} is not {ability}; open it in mode 'rb'")
    if not isinstance(stream.read(0), bytes):
        raise TypeError(f"the file object {name} gives text; open it in mode 'rb'")
