"""The destination of a writer's bytes: a file by its path, or a file object of the caller."""

from __future__ import annotations

import io
import os
import tempfile
import threading
from typing import Any, Protocol, Union

from czictypes.container.file_source import read_stream
from czictypes.model.errors import InvalidArgumentError
from czictypes.writing.atomic import AtomicFile, PathType, write_all

#: What a caller may name as target: a path, or a file object opened for writing in binary.
Target = Union[PathType, Any]

_IN_MEMORY = 64 << 20
_OTHER_FORMATS = frozenset(
    {".tif", ".tiff", ".btf", ".png", ".jpg", ".jpeg", ".gif", ".bmp", ".zarr", ".ozx", ".lif"}
    | {".nd2", ".npy", ".npz", ".h5", ".hdf5", ".svs", ".ims", ".mp4"}
)


class WriteTarget(Protocol):
    """A target that takes bytes by position; nothing counts until `commit`."""

    name: str

    def write_at(self, offset: int, data: memoryview | bytearray) -> None:
        """Write all of `data` at `offset`."""

    def read_at(self, offset: int, count: int) -> bytes:
        """Return bytes that were written; in any thread, also while another one writes."""

    def commit(self) -> None:
        """Make what was written the content of the target."""

    def abort(self) -> None:
        """Undo what was written; does nothing after `commit` or a first `abort`."""


def open_target(target: Target, *, overwrite: bool, read_back: bool = False) -> WriteTarget:
    """Return what writes to a path or a file object.

    With `read_back`, `WriteTarget.read_at` may be called: what goes to a file object is kept in a
    temporary file then until it is complete.
    """
    if is_path(target):
        _refuse_other_format(os.fsdecode(target))
        return AtomicFile(target, overwrite=overwrite)
    return FileObject(target, read_back=read_back)


def _refuse_other_format(name: str) -> None:
    """Refuse the name of another format for a CZI: no program would open it."""
    ending = name[name.rfind(".") :].lower()
    if ending in _OTHER_FORMATS:
        raise InvalidArgumentError(
            f"{name}: this writes a CZI, and {ending} is the ending of another format; give a name "
            "that ends in .czi, or use czictypes.save (for arrays) or czictypes.convert (for "
            "files), which write the format of the name"
        )


def is_path(target: Target) -> bool:
    """Whether a target is a path, not a file object."""
    return isinstance(target, (str, bytes, os.PathLike))


class FileObject:
    """A file object of the caller, opened for writing in binary; it is not closed.

    One that can seek, which must stand at its start, is written as the bytes come, and emptied
    again by `abort`. To one that cannot (a pipe, an upload), and for one with `read_back`,
    everything is written at `commit`, from a temporary file.
    """

    def __init__(self, file: Any, *, read_back: bool = False) -> None:
        self.name = str(getattr(file, "name", "") or file)
        self._file = file
        self._check()
        self._spool: Any = None
        self._position_guard = threading.Lock()
        if _can_seek(file) and file.tell() != 0:
            raise ValueError(
                f"{self.name} stands at byte {file.tell()}; a CZI file begins at byte 0, so give "
                "a file object that stands at its start"
            )
        if read_back or not _can_seek(file):
            self._spool = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
        self._touched = self._spool is None  # or might be
        self._end = 0
        self._done = False

    def write_at(self, offset: int, data: memoryview | bytearray) -> None:
        """Write all of `data` at `offset`."""
        file = self._file if self._spool is None else self._spool
        if isinstance(data, memoryview) and file is self._file:
            data = bytearray(data)  # it may hold on to what it is given, and this memory goes
        with self._position_guard:
            write_all(file, offset, data)
        self._end = max(self._end, offset + len(data))

    def read_at(self, offset: int, count: int) -> bytes:
        """Return bytes that were written; for one that was made with `read_back`."""
        with self._position_guard:
            return read_stream(self._spool, offset, count)

    def commit(self) -> None:
        """Make what was written the whole content of the file object."""
        if self._spool is not None:
            self._touched = True
            self._spool.seek(0)
            for chunk in iter(lambda: self._spool.read(1 << 20), b""):
                write_all(self._file, None, chunk)
            self._spool.close()
        if _can_seek(self._file):
            self._file.seek(self._end)
            _try(self._file, "truncate")  # what an earlier content had more
        if hasattr(self._file, "flush"):
            self._file.flush()
        self._done = True

    def abort(self) -> None:
        """Leave nothing in the file object, where it lets that be undone."""
        if self._done:
            return
        self._done = True
        if self._spool is not None:
            self._spool.close()
        if self._touched and _try(self._file, "seek", 0):
            _try(self._file, "truncate")

    def _check(self) -> None:
        if isinstance(self._file, io.TextIOBase) or not hasattr(self._file, "write"):
            raise TypeError(
                f"a CZI is written to a path or a file object opened for writing in binary, not "
                f"to {self._file!r}"
            )
        writable = getattr(self._file, "writable", None)
        if writable is not None and not writable():
            raise ValueError(f"the file object {self.name} is not opened for writing")


def _can_seek(file: Any) -> bool:
    seekable = getattr(file, "seekable", None)
    return bool(seekable()) if seekable is not None else hasattr(file, "seek")


def _try(file: Any, method: str, *arguments: int) -> bool:
    try:
        getattr(file, method)(*arguments)
    except (AttributeError, OSError, ValueError):
        return False
    return True
