"""Files that appear under their name only when they are complete.

Until then a file has a temporary name beside its own: one of a few that follow from the final one.
The process that writes holds a lock on it, so the next writer of the same target finds a file
whose writer is no more, and removes it. (Windows needs no lock: a file that is open cannot be
removed there.) A name also has a mark of the machine, for a lock may be unknown to the others that
share a folder.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import platform
import shutil
import stat
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Union

from czictypes.container.edit import REPLACE, refuse_write_protected
from czictypes.container.file_source import absolute_path, read_stream
from czictypes.model.errors import FileAccessError, IsFolderError
from czictypes.model.public import file_errors
from czictypes.remote.urls import refuse_url

PathType = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
_LONGEST_NAME = 200  # of 255 bytes; the rest is for what the temporary name adds
_ALWAYS_LOOKED_AT = 8
_MOST_WRITERS = 1000
_IN_USE = (5, 32, 33)  # of Windows: access denied, sharing violation, lock violation
_PAUSES = (0.01, 0.03, 0.1, 0.3, 1.0)  # in seconds


class AtomicFile:
    """A file that appears under its name only when it is complete, replacing an earlier one.

    Missing folders are made. A symbolic link stays one; the file that it points to is replaced.
    With `overwrite`, a file that is there may be replaced; it is left as it is until `commit`.
    Until then the new one is at `temporary`.
    """

    def __init__(self, path: PathType, *, overwrite: bool) -> None:
        self.name = os.fsdecode(path)
        self._path = Path(os.path.realpath(absolute_path(self.name)))
        self._overwrite = overwrite
        check_new_file(path, overwrite=overwrite)
        made: list[tuple[Path, int]] = []
        try:
            with file_errors():
                self._path.parent.mkdir(parents=True, exist_ok=True)
                try:
                    _create_temporary(self._path, made)
                except OSError as error:
                    error.filename = self.name
                    raise
            self.temporary, descriptor = made[0]
            self._file = os.fdopen(descriptor, "r+b", buffering=0)
            self._position_guard = threading.Lock()
            # also when the writer is forgotten, or the interpreter ends
            self._abort = weakref.finalize(self, _remove, self._file, self.temporary, os.getpid())
        except BaseException:  # an interrupt
            for temporary, _ in made:
                temporary.unlink(missing_ok=True)
            raise

    def write_at(self, offset: int, data: memoryview | bytearray) -> None:
        """Write all of `data` at `offset`."""
        with self._position_guard:
            write_all(self._file, offset, data)

    def read_at(self, offset: int, count: int) -> bytes:
        """Return bytes that were written; in any thread, also while another one writes."""
        with self._position_guard:
            return read_stream(self._file, offset, count)

    def commit(self) -> None:
        """Give the file its name.

        A file that replaces another is written to the disk before, so that after a power failure
        one of the two is there. A new one is left to the system, as other programs leave it. An
        OSError says that it cannot be written out or renamed, or that a file which may not be
        replaced has appeared.
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
        _patiently(self._publish, self.name)
        self._abort.detach()
        self._file.close()
        if replaces:
            _sync_folder(self._path.parent)

    def abort(self) -> None:
        """Remove what was written."""
        self._abort()

    def _publish(self) -> None:
        if self._overwrite:
            self.temporary.replace(self._path)
            return
        try:
            if sys.platform == "win32":
                self.temporary.rename(self._path)  # fails if there is such a file by now
                return
            os.link(self.temporary, self._path)  # so does this
        except FileExistsError:
            raise _exists(self.name) from None
        except (OSError, NotImplementedError, AttributeError):  # a file system without hard links
            if self._path.exists():
                raise _exists(self.name) from None
            self.temporary.rename(self._path)
        else:
            self.temporary.unlink()


def _patiently(publish: Callable[[], None], name: str) -> None:
    """Give a file its name, once more if the file that it replaces is open for a moment.

    Windows replaces no file that is open. Scanners of viruses open every new file.
    """
    for pause in (*_PAUSES, None):
        try:
            publish()
        except PermissionError as error:
            if getattr(error, "winerror", None) not in _IN_USE:
                raise
            if pause is None:
                why = (
                    "cannot be replaced: it is open in a program, perhaps in this one, or "
                    "write-protected; close it, or write to another file"
                )
                raise PermissionError(errno.EACCES, why, name) from error
            time.sleep(pause)
        else:
            return


def check_new_file(path: PathType, *, overwrite: bool) -> None:
    """Refuse a path that no new file can have: a URL, a folder, a device, an existing file.

    Nothing is made. A file that exists is a FileExistsError unless `overwrite` is set, and a
    PermissionError if nobody may write it: somebody protects it, although its folder would do.
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
    if not overwrite:
        raise _exists(name)
    if not stat.S_ISREG(mode):
        raise FileAccessError(errno.EINVAL, "is not an ordinary file and cannot be replaced", name)
    refuse_write_protected(mode, name, REPLACE)


def _remove(file: io.FileIO, temporary: Path, process: int) -> None:
    if os.getpid() != process:  # a forked child shares the file with its parent
        return
    if sys.platform == "win32":
        file.close()
    temporary.unlink(missing_ok=True)
    file.close()


def write_all(file: Any, offset: int | None, data: memoryview | bytearray | bytes) -> None:
    """Write all of `data` to a file object, at `offset` unless None, however little it takes."""
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


def _exists(name: str) -> FileExistsError:
    return FileExistsError(errno.EEXIST, "the file exists; give overwrite=True to replace it", name)


def _create_temporary(path: Path, made: list[tuple[Path, int]]) -> None:
    """Create a temporary file beside `path`, and remove those that dead processes left.

    If there is a file at `path`, nobody else may read the temporary one: it may be a secret.
    Appended to `made`, where no interrupt loses them, are the file's path and its descriptor, open
    for reading and writing, locked until closed.
    """
    mode = 0o600 if path.exists() else 0o666
    try:
        for slot in range(_MOST_WRITERS):
            candidate = path.with_name(_temporary_name(path.name, slot))
            _remove_if_abandoned(candidate)
            if not made:
                _create_locked(candidate, mode, made)
            if made and slot >= _ALWAYS_LOOKED_AT:
                break
    except BaseException:  # an interrupt
        while made:
            temporary, descriptor = made.pop()
            os.close(descriptor)
            _remove_if_abandoned(temporary)
        raise
    if not made:
        raise OSError(errno.EBUSY, "too many processes are writing this file", str(path))


def _temporary_name(name: str, slot: int) -> str:
    if len(os.fsencode(name)) > _LONGEST_NAME:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    host = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
    return f".{name}.{host}-{slot}.writing"


def _create_locked(path: Path, mode: int, made: list[tuple[Path, int]]) -> None:
    """Create and lock a file, unless it is there, or is taken away at this moment."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = -1
    try:
        descriptor = os.open(path, flags, mode)
        locked = _lock(descriptor)
        if locked is None or (locked and _is_at(descriptor, path)):
            made.append((path, descriptor))
            return
    except FileExistsError:
        return
    except BaseException:  # an interrupt; the file may be there
        made.clear()
        if descriptor >= 0:
            os.close(descriptor)
        _remove_if_abandoned(path)
        raise
    os.close(descriptor)


def _remove_if_abandoned(path: Path) -> None:
    """Remove a temporary file whose writer is no more."""
    try:
        if sys.platform == "win32":
            path.unlink()  # fails while it is open anywhere
            return
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return
    try:
        if _lock(descriptor) and _is_at(descriptor, path):
            path.unlink()
    except OSError:
        pass
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool | None:
    """Lock an open file; False if another process has, None where there are no locks."""
    try:
        import fcntl
    except ImportError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return None
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def keep_access(path: Path, descriptor: int) -> None:
    """Give an open file the owner, mode and extended attributes of the one that it replaces.

    Where there is none, nothing is changed. What this process may not give is left out: a file
    whose group cannot be kept allows its own no more than all others.
    """
    try:
        before, now = path.stat(), os.fstat(descriptor)
    except OSError:
        return
    mode = stat.S_IMODE(before.st_mode)
    if hasattr(os, "fchown"):
        if before.st_uid != now.st_uid:
            with suppress(OSError):
                os.fchown(descriptor, before.st_uid, -1)
        if before.st_gid != now.st_gid:
            try:
                os.fchown(descriptor, -1, before.st_gid)
            except OSError:
                mode &= ~stat.S_IRWXG | (mode & stat.S_IRWXO) << 3
    if hasattr(os, "listxattr"):  # access control lists are among them
        with suppress(OSError):
            for name in os.listxattr(path):
                with suppress(OSError):
                    os.setxattr(descriptor, name, os.getxattr(path, name))
    if hasattr(os, "fchmod"):
        with suppress(OSError):  # a file system without modes
            os.fchmod(descriptor, mode)


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder lasting, where the file system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # some file systems cannot; the file itself is synced
    finally:
        os.close(descriptor)


def remove_folder(folder: Path) -> None:
    """Remove a folder, and never follow a link that somebody puts there meanwhile.

    Where folders are held open for that, `shutil.rmtree` makes an OSError of some interrupts: it
    closes a folder that is closed.
    """
    if not hasattr(os, "fwalk"):
        shutil.rmtree(folder)
        return
    for _, folders, files, opened in os.fwalk(folder, topdown=False):
        for name in files:
            os.unlink(name, dir_fd=opened)
        for name in folders:
            if stat.S_ISLNK(os.stat(name, dir_fd=opened, follow_symlinks=False).st_mode):
                os.unlink(name, dir_fd=opened)
            else:
                os.rmdir(name, dir_fd=opened)
    folder.rmdir()


@contextmanager
def atomic_output(path: PathType, *, overwrite: bool) -> Iterator[BinaryIO]:
    """Give a file object to write to; the file has its name when the ``with`` block is left well.

    An exception in the block leaves what was there before, and nothing else. An OSError names the
    file.
    """
    file = AtomicFile(path, overwrite=overwrite)
    try:
        with file_errors(file.name), file.temporary.open("r+b") as stream:
            yield stream
        file.commit()
    except BaseException:
        file.abort()
        raise
