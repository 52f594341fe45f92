"""Temporary files beside a target, and what killed processes left of them.

The temporary name is one of a few that follow from the final one, and the process that writes
holds a lock on the file: so the next writer of the same target finds a file whose writer is no
more, and removes it. (Windows needs no lock: a file that is open cannot be removed there.) A
name also has a mark of the machine, for a lock may be unknown to the others that share a folder.
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import shutil
import stat
import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["create_temporary", "keep_access", "remove_folder", "sync_folder"]

_LONGEST_NAME = 200  # of 255 bytes; the rest is for what the temporary name adds
_ALWAYS_LOOKED_AT = 8
_MOST_WRITERS = 1000


def create_temporary(path: Path) -> tuple[Path, int]:
    """Create a temporary file beside `path`, and remove those that dead processes left.

    If there is a file at `path`, nobody else may read the temporary one: it may be a secret.

    Returns
    -------
    tuple
        The file's path and its descriptor, open for reading and writing, locked until closed.

    Raises
    ------
    OSError
        If no file can be made there.
    """
    created: tuple[Path, int] | None = None
    mode = 0o600 if path.exists() else 0o666
    try:
        for slot in range(_MOST_WRITERS):
            candidate = path.with_name(_temporary_name(path.name, slot))
            _remove_if_abandoned(candidate)
            if created is None:
                descriptor = _create_locked(candidate, mode)
                created = None if descriptor is None else (candidate, descriptor)
            if created is not None and slot >= _ALWAYS_LOOKED_AT:
                break
    except BaseException:  # an interrupt
        if created is not None:
            os.close(created[1])
            _remove_if_abandoned(created[0])
        raise
    if created is None:
        raise OSError(errno.EBUSY, "too many processes are writing this file", str(path))
    return created


def _temporary_name(name: str, slot: int) -> str:
    if len(os.fsencode(name)) > _LONGEST_NAME:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    host = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
    return f".{name}.{host}-{slot}.writing"


def _create_locked(path: Path, mode: int) -> int | None:
    """Create and lock a file; None if it is there, or was taken away at this moment."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = -1
    try:
        descriptor = os.open(path, flags, mode)
        if _lock(descriptor) is not False and _is_at(descriptor, path):
            return descriptor
    except FileExistsError:
        return None
    except BaseException:  # an interrupt; the file may be there
        if descriptor >= 0:
            os.close(descriptor)
        _remove_if_abandoned(path)
        raise
    os.close(descriptor)
    return None


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


def sync_folder(folder: Path) -> None:
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
