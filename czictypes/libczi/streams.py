"""libCZI's streams on local files and Python objects.

libCZI calls the functions of a stream from any thread, also at the same time. It calls the closing
function late: possibly long after the release of the stream's handle, if a reader still uses the
stream. Therefore the functions live as long as the library, and find their stream by a number.
"""

from __future__ import annotations

import itertools
import os
import sys
from typing import Any, Protocol, Union

from czictypes.libczi.handle import Handle
from czictypes.libczi.library import Library, get_library

PathType = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]

# The most bytes requested from a stream at once; damaged files can make libCZI request terabytes.
_CHUNK = 1 << 24


class ReadStream(Protocol):
    """An object that libCZI can read from, in many threads at once."""

    def read_at(self, offset: int, count: int, /) -> bytes | memoryview:
        """Return `count` bytes from `offset` on; fewer only at the end."""


class InputStream(Handle):
    """A stream that a reader reads from."""

    _release = "libCZI_ReleaseInputStream"
    _kind = "input stream"

    @classmethod
    def from_path(cls, path: PathType, *, library: Library | None = None) -> InputStream:
        """Open a local file, which libCZI reads itself.

        Raises
        ------
        NativeCallError
            If it cannot be opened; libCZI does not say why.
        ValueError
            If the path is empty or contains a zero byte.
        """
        name, native = os.fsdecode(path), native_path(path)
        library = library or get_library()
        raw = create_stream(library, "libCZI_CreateInputStreamFromFileUTF8", native, file=name)
        return cls(library, raw, name)

    @classmethod
    def from_source(cls, source: ReadStream, *, library: Library | None = None) -> InputStream:
        """Read from a Python object, which is kept as long as libCZI needs it.

        An error of `source` becomes the ``__cause__`` of the error of the call that reads.
        """
        library = library or get_library()
        callbacks = library.companion(Callbacks)
        function = "libCZI_CreateInputStreamFromExternal"
        struct = "struct ExternalInputStreamStructInterop *"
        name, raw = callbacks.create(function, struct, callbacks.read, source)
        return cls(library, raw, name)


def create_stream(library: Library, function: str, *args: Any, file: str) -> int:
    """Call a C function that creates a stream; return the native handle."""
    out = library.ffi.new("ObjectHandle *")
    library.call(function, *args, out, what="open a stream", file=file)
    return int(out[0])


def native_path(path: PathType) -> bytes:
    """Return the path as libCZI expects it: raw bytes, on Windows UTF-8."""
    native = os.fsdecode(path).encode() if sys.platform == "win32" else os.fsencode(path)
    if not native or b"\0" in native:
        raise ValueError(f"{path!r} is no path of a file")
    return native


#: The type of a callback that reads or writes.
TRANSFER = (
    "int32_t(uintptr_t, uintptr_t, uint64_t, {} *, uint64_t, uint64_t *, "
    "struct ExternalStreamErrorInfoInterop *)"
)


class Callbacks:
    """The callbacks of one library (see `Library.companion`), and the streams they serve."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._ffi = library.ffi
        self._numbers = itertools.count(1)
        # Use only single, atomic operations on the dictionary. A lock could be held by the same
        # thread in which the garbage collector calls `_close`.
        self._streams: dict[int, Any] = {}
        make = self._ffi.callback
        self.read = make(TRANSFER.format("void"), self._read, error=1, onerror=self._failed)
        self.close = make("void(uintptr_t, uintptr_t)", self._close, onerror=self._failed)

    @property
    def count(self) -> int:
        """The number of streams that libCZI still holds."""
        return len(self._streams)

    def create(self, function: str, struct: str, transfer: Any, stream: Any) -> tuple[str, int]:
        """Create a stream of libCZI on a Python object; return its name and native handle."""
        name = str(getattr(stream, "name", "") or stream)
        number = next(self._numbers)
        self._streams[number] = stream
        try:
            functions = self._ffi.new(struct, [number, 0, transfer, self.close])
            return name, create_stream(self._library, function, functions, file=name)
        except BaseException:
            self._streams.pop(number, None)
            raise

    def _read(
        self, number: int, _: int, offset: int, target: Any, size: int, done: Any, error: Any
    ) -> int:
        count = 0
        try:
            source = self._streams[number]
            while count < size:
                wanted = min(size - count, _CHUNK)
                data = source.read_at(offset + count, wanted)
                if len(data) > wanted:
                    raise ValueError(f"read_at gave {len(data)} bytes, asked for {wanted}")
                self._ffi.memmove(target + count, data, len(data))
                count += len(data)
                if len(data) < wanted:
                    break
        except BaseException as exception:
            self._report(exception, error, as_itself=False)
            return 1
        finally:
            if done:  # libCZI does not initialize it
                done[0] = count
        return 0

    def _close(self, number: int, _: int) -> None:
        self._streams.pop(number, None)

    def _failed(self, _: Any, exception: BaseException, __: Any) -> None:
        """Store an exception raised outside of the functions above, such as an interrupt."""
        self._library.callback_failed(exception, as_itself=True)

    def _report(self, exception: BaseException, error: Any, *, as_itself: bool) -> None:
        self._library.callback_failed(exception, as_itself=as_itself)
        if not error:
            return
        error.error_code = 1
        if self._library.has("libCZI_AllocateMemory"):
            error.error_message = self._message(f"{type(exception).__name__}: {exception}")

    def _message(self, text: str) -> int:
        """Return the address of a text that libCZI will free; 0 without memory."""
        raw = text.encode("utf-8", "replace")[:1000] + b"\0"
        out = self._ffi.new("void **")
        allocate = self._library.function("libCZI_AllocateMemory")
        if allocate(len(raw), out) > 0:
            return 0
        self._ffi.memmove(out[0], raw, len(raw))
        return int(self._ffi.cast("intptr_t", out[0]))
