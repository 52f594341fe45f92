"""A file that appears under its name only when it is complete."""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
import threading
import weakref
from pathlib import Path
from typing import Any, Union

from czictypes.container.targets import refuse_url
from czictypes.model.errors import FileAccessError, IsFolderError
from czictypes.model.os_errors import file_errors
from czictypes.writing.temporary import create_temporary, keep_access, sync_folder

__all__ = ["AtomicFile", "PathType", "check_new_file", "read_all", "write_all"]

PathType = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]


class AtomicFile:
    """A file that appears under its name only when it is complete, replacing an earlier one.

    Missing folders are made. A symbolic link stays one; the file that it points to is replaced.

    Parameters
    ----------
    path
        The file.
    exist_ok
        Whether a file that is there may be replaced; it is left as it is until `commit`.

    Attributes
    ----------
    temporary
        Where it is until then.
    """

    def __init__(self, path: PathType, *, exist_ok: bool) -> None:
        self.name = os.fsdecode(path)
        self._path = Path(os.path.realpath(self.name))
        self._exist_ok = exist_ok
        check_new_file(path, exist_ok=exist_ok)
        descriptor = -1
        try:
            with file_errors():
                self._path.parent.mkdir(parents=True, exist_ok=True)
                try:
                    self.temporary, descriptor = create_temporary(self._path)
                except OSError as error:
                    error.filename = self.name
                    raise
            self._file = os.fdopen(descriptor, "r+b", buffering=0)
            self._position_guard = threading.Lock()
            # also when the writer is forgotten, or the interpreter ends
            self._abort = weakref.finalize(self, _remove, self._file, self.temporary, os.getpid())
        except BaseException:  # an interrupt
            if descriptor >= 0:
                self.temporary.unlink(missing_ok=True)
            raise

    def write_at(self, offset: int, data: memoryview | bytearray) -> None:
        """Write all of `data` at `offset`."""
        with self._position_guard:
            write_all(self._file, offset, data)

    def read_at(self, offset: int, count: int) -> bytes:
        """Return bytes that were written; in any thread, also while another one writes."""
        with self._position_guard:
            self._file.seek(offset)
            return read_all(self._file, count)

    def stream(self) -> io.BufferedRandom:
        """Return a buffered file object on it, to be closed before `commit`."""
        return self.temporary.open("r+b")

    def commit(self) -> None:
        """Give the file its name.

        A file that replaces another is written to the disk before, so that after a power failure
        one of the two is there. A new one is left to the system, as other programs leave it.

        Raises
        ------
        FileExistsError
            If a file of that name has appeared that may not be replaced.
        FileAccessError
            If the file cannot be written out or renamed.
        """
        with file_errors(self.name):
            self._commit()

    def _commit(self) -> None:
        replaces = self._path.exists()
        if replaces:
            os.fsync(self._file.fileno())
        else:
            os.close(os.dup(self._file.fileno()))  # a network file system tells failed writes then
        keep_access(self._path, self._file.fileno())
        if sys.platform == "win32":
            self._file.close()  # an open file cannot be renamed there
        self._publish()
        self._abort.detach()
        self._file.close()
        if replaces:
            sync_folder(self._path.parent)

    def abort(self) -> None:
        """Remove what was written."""
        self._abort()

    def _publish(self) -> None:
        if self._exist_ok:
            self.temporary.replace(self._path)
            return
        try:
            os.link(self.temporary, self._path)  # fails if there is such a file by now
        except FileExistsError:
            raise _exists(self.name) from None
        except (OSError, NotImplementedError, AttributeError):  # a file system without hard links
            if self._path.exists():
                raise _exists(self.name) from None
            self.temporary.rename(self._path)
        else:
            self.temporary.unlink()


def check_new_file(path: PathType, *, exist_ok: bool) -> None:
    """Refuse a path that no new file can have; nothing is made.

    Raises
    ------
    FileExistsError
        If the file is there and `exist_ok` is not set.
    FileAccessError
        If a folder, a device or a pipe is there, or `path` is a URL.
    """
    refuse_url(path, "give a file object opened by fsspec, or use convert")
    name = os.fsdecode(path)
    if not os.path.basename(name):  # noqa: PTH119 - Path drops a final separator
        raise IsFolderError(errno.EISDIR, "is a folder, not the name of a file", name)
    try:
        with file_errors():
            mode = Path(name).stat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        raise IsFolderError(errno.EISDIR, "is a folder, not the name of a file", name)
    if not exist_ok:
        raise _exists(name)
    if not stat.S_ISREG(mode):
        raise FileAccessError(errno.EINVAL, "is not an ordinary file and cannot be replaced", name)


def _remove(file: io.FileIO, temporary: Path, process: int) -> None:
    if os.getpid() != process:  # a forked child shares the file with its parent
        return
    if sys.platform == "win32":
        file.close()
    temporary.unlink(missing_ok=True)
    file.close()


def write_all(file: Any, offset: int | None, data: memoryview | bytearray | bytes) -> None:
    """Write all of `data` to a file object, at `offset` unless None, however little it takes.

    Raises
    ------
    OSError
        If it takes nothing more.
    """
    if offset is not None:
        file.seek(offset)
    view = memoryview(data)
    while len(view):
        written = file.write(view)
        if written is None:
            if isinstance(file, io.RawIOBase):
                raise BlockingIOError(errno.EAGAIN, "the file does not take more bytes now")
            return  # a file object that writes everything, and does not say so
        if written <= 0:
            raise OSError(errno.EIO, "the file object took no more bytes")
        view = view[written:]


def read_all(file: Any, count: int) -> bytes:
    """Return `count` bytes from where a file object stands; fewer only at its end."""
    parts = []
    while count:
        part = file.read(count)
        if not part:
            break
        parts.append(part)
        count -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _exists(name: str) -> FileExistsError:
    return FileExistsError(errno.EEXIST, "the file exists; give exist_ok=True to replace it", name)
