"""Input and output streams: local files, libCZI's other stream classes, Python objects."""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
from pathlib import Path
from typing import Any, Union

from czictypes.abi.library import Library, get_library
from czictypes.handles.callbacks import Callbacks, Sink, Source
from czictypes.handles.handle import Handle
from czictypes.model.errors import NativeCallError

__all__ = ["InputStream", "OutputStream", "PathType"]

PathType = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]


class InputStream(Handle):
    """A stream that a reader reads from."""

    _release = "libCZI_ReleaseInputStream"
    _kind = "input stream"

    @classmethod
    def from_path(cls, path: PathType, *, library: Library | None = None) -> InputStream:
        """Open a local file.

        Parameters
        ----------
        path
            The file.
        library
            The library to read with; the one in use now, if not given.

        Raises
        ------
        FileNotFoundError, IsADirectoryError, PermissionError
            With the path; libCZI itself would not say which.
        ValueError
            For what is no path.
        """
        name, native = os.fsdecode(path), _native_path(path)
        _check_readable(name)
        library = library or get_library()
        raw = _create(library, "libCZI_CreateInputStreamFromFileUTF8", native, file=name)
        return cls(library, raw, name)

    @classmethod
    def from_class(
        cls, class_name: str, identifier: str, properties: dict[str, Any] | None = None
    ) -> InputStream:
        """Open a stream of one of the classes that `library_info` lists.

        Parameters
        ----------
        class_name
            For example ``"curl_http_inputstream"``.
        identifier
            The path or URL.
        properties
            The class's own settings by name.
        """
        library = get_library()
        text = json.dumps(properties) if properties else ""
        raw = _create(
            library,
            "libCZI_CreateInputStream",
            class_name.encode(),
            text.encode(),
            identifier.encode(),
            file=identifier,
        )
        return cls(library, raw, identifier)

    @classmethod
    def from_source(
        cls, source: Source, *, close_source: bool = False, library: Library | None = None
    ) -> InputStream:
        """Read through a Python object.

        What `source` raises becomes the ``__cause__`` of the error of the call that read.

        Parameters
        ----------
        source
            Has ``read_at(offset, count) -> bytes`` (short only at the end), which is called from
            any thread, from several at once. It is kept until libCZI needs it no more.
        close_source
            Whether to call ``source.close()`` then.
        library
            The library to read with; the one in use now, if not given.
        """
        library = library or get_library()
        callbacks = library.companion(Callbacks)
        number = callbacks.add(source, close=close_source)
        functions = library.ffi.new(
            "struct ExternalInputStreamStructInterop *",
            [number, 0, callbacks.read, callbacks.close],
        )
        name = str(getattr(source, "name", "") or source)
        function = "libCZI_CreateInputStreamFromExternal"
        return cls(library, _create_external(library, function, functions, number, name), name)


class OutputStream(Handle):
    """A stream that a writer writes to."""

    _release = "libCZI_ReleaseOutputStream"
    _kind = "output stream"

    @classmethod
    def from_path(cls, path: PathType, *, overwrite: bool = False) -> OutputStream:
        """Create a local file; with `overwrite`, one that is there is emptied at once.

        Raises
        ------
        FileExistsError, FileNotFoundError, IsADirectoryError, PermissionError
            With the path.
        """
        name, native = os.fsdecode(path), _native_path(path)
        library = get_library()
        try:
            raw = _create(
                library, "libCZI_CreateOutputStreamForFileUTF8", native, overwrite, file=name
            )
        except NativeCallError:
            _explain_unwritable(name, overwrite)
            raise
        return cls(library, raw, name)

    @classmethod
    def from_sink(cls, sink: Sink, *, close_sink: bool = False) -> OutputStream:
        """Write through a Python object.

        What `sink` raises is raised by the call that wrote, as it is.

        Parameters
        ----------
        sink
            Has ``write_at(offset, view)``, which writes all of the memoryview and does not keep
            it. It is kept until libCZI needs it no more.
        close_sink
            Whether to call ``sink.close()`` then.
        """
        library = get_library()
        callbacks = library.companion(Callbacks)
        number = callbacks.add(sink, close=close_sink)
        functions = library.ffi.new(
            "struct ExternalOutputStreamStructInterop *",
            [number, 0, callbacks.write, callbacks.close],
        )
        name = str(getattr(sink, "name", "") or sink)
        function = "libCZI_CreateOutputStreamFromExternal"
        return cls(library, _create_external(library, function, functions, number, name), name)


def _create(library: Library, function: str, *args: Any, file: str) -> int:
    out = library.ffi.new("ObjectHandle *")
    library.call(function, *args, out, what="open a stream", file=file)
    return int(out[0])


def _create_external(
    library: Library, function: str, functions: Any, number: int, name: str
) -> int:
    try:
        return _create(library, function, functions, file=name)
    except BaseException:
        library.companion(Callbacks).remove(number)
        raise


def _native_path(path: PathType) -> bytes:
    """Return the path as libCZI takes it: raw bytes, on Windows UTF-8."""
    native = os.fsdecode(path).encode() if sys.platform == "win32" else os.fsencode(path)
    if not native or b"\0" in native:
        raise ValueError(f"{path!r} is no path of a file")
    return native


def _check_readable(name: str) -> None:
    """Raise what Python's own open would raise; that itself would wait at a pipe."""
    if stat.S_ISDIR(Path(name).stat().st_mode):
        raise IsADirectoryError(errno.EISDIR, "is a directory, not a CZI file", name)
    if not _may(name, os.R_OK):
        raise PermissionError(errno.EACCES, "no permission to read", name)


def _explain_unwritable(name: str, overwrite: bool) -> None:
    """Raise the error that tells why a file could not be created, if it can be seen."""
    path = Path(name)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a directory, no file can be written there", name)
    if path.exists() and not overwrite:
        raise FileExistsError(errno.EEXIST, "exists; it is not overwritten unless asked", name)
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "the folder to write to does not exist", name)
    if not _may(name if path.exists() else path.parent, os.W_OK):
        raise PermissionError(errno.EACCES, "no permission to write", name)


def _may(path: PathType, mode: int) -> bool:
    """Tell what the effective user may do, who is the one that opens files."""
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)
