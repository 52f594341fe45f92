"""The functions that libCZI calls to read from, write to and close streams in Python.

libCZI calls them from any thread, several at once, and the closing one at a time of its own
choosing, long after the stream's handle was released if a reader still uses the stream. So they
live as long as the library, and find their stream by a number.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple, Protocol

from czictypes.abi.library import Library

__all__ = ["Callbacks", "Sink", "Source"]

# How much is asked of a source at once: a damaged file may make libCZI ask for terabytes.
_CHUNK = 1 << 24


class Source(Protocol):
    """The source of an input stream; used by many threads at once."""

    def read_at(self, offset: int, count: int, /) -> bytes | memoryview:
        """Return `count` bytes from `offset` on; fewer only at the end."""

    def close(self) -> None:
        """End the use of the source."""


class Sink(Protocol):
    """The target of an output stream."""

    def write_at(self, offset: int, data: memoryview, /) -> object:
        """Write all of `data`, which is gone after the call, at `offset`; or raise."""

    def close(self) -> None:
        """End the use of the sink."""


class _Stream(NamedTuple):
    target: Any
    close: bool


class Callbacks:
    """The callbacks of one library (see `Library.companion`), and the streams they serve."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._ffi = library.ffi
        self._numbers = itertools.count(1)
        # only single operations on the dictionary, each atomic: a lock could be held by the very
        # thread that the garbage collector makes call `_close`
        self._streams: dict[int, _Stream] = {}
        transfer = (
            "int32_t(uintptr_t, uintptr_t, uint64_t, {} *, uint64_t, uint64_t *, "
            "struct ExternalStreamErrorInfoInterop *)"
        )
        make = self._ffi.callback
        self.read = make(transfer.format("void"), self._read, error=1, onerror=self._failed)
        self.write = make(transfer.format("const void"), self._write, error=1, onerror=self._failed)
        self.close = make("void(uintptr_t, uintptr_t)", self._close, onerror=self._failed)

    def add(self, target: Source | Sink, *, close: bool) -> int:
        """Register a stream until libCZI closes it; return its number.

        Parameters
        ----------
        close
            Whether to close the source or sink then.
        """
        number = next(self._numbers)
        self._streams[number] = _Stream(target, close)
        return number

    def remove(self, number: int) -> None:
        """Forget a stream that libCZI did not take over."""
        self._streams.pop(number, None)

    @property
    def count(self) -> int:
        """How many streams libCZI still holds."""
        return len(self._streams)

    def _read(
        self, number: int, _: int, offset: int, target: Any, size: int, done: Any, error: Any
    ) -> int:
        count = 0
        try:
            source = self._streams[number].target
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
            if done:  # libCZI presets it with nonsense
                done[0] = count
        return 0

    def _write(
        self, number: int, _: int, offset: int, source: Any, size: int, done: Any, error: Any
    ) -> int:
        count = 0
        try:
            whole = memoryview(self._ffi.buffer(source, size))
            data = whole.toreadonly()
            try:
                self._streams[number].target.write_at(offset, data)
                count = size
            finally:
                data.release()  # an error if the sink kept it: the memory is libCZI's
                whole.release()
        except BaseException as exception:
            self._report(exception, error, as_itself=True)
            return 1
        finally:
            if done:
                done[0] = count
        return 0

    def _close(self, number: int, _: int) -> None:
        try:
            stream = self._streams.pop(number)
            if stream.close:
                stream.target.close()
        except BaseException as exception:
            self._library.callback_failed(exception, as_itself=True)

    def _failed(self, _: Any, exception: BaseException, __: Any) -> None:
        """Keep what was raised outside of the functions above, such as an interrupt."""
        self._library.callback_failed(exception, as_itself=True)

    def _report(self, exception: BaseException, error: Any, *, as_itself: bool) -> None:
        self._library.callback_failed(exception, as_itself=as_itself)
        if not error:
            return
        error.error_code = 1
        if self._library.has("libCZI_AllocateMemory"):
            error.error_message = self._message(f"{type(exception).__name__}: {exception}")

    def _message(self, text: str) -> int:
        """Return text in memory that libCZI will free, 0 if there is none to be had."""
        raw = text.encode("utf-8", "replace")[:1000] + b"\0"
        out = self._ffi.new("void **")
        allocate = self._library.function("libCZI_AllocateMemory")
        if allocate(len(raw), out) > 0:
            return 0
        self._ffi.memmove(out[0], raw, len(raw))
        return int(self._ffi.cast("intptr_t", out[0]))
