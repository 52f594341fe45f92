"""The base class of all sources of bytes, local or remote."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from czictypes.container.uses import Use, Uses
from czictypes.model.public import Closable

#: Offset and count, in bytes.
Range = tuple[int, int]

# Longer requests are limited to the size of the source, so that a damaged length in a file
# cannot make us allocate memory for bytes that do not exist.
_TRUSTED_COUNT = 1 << 20


class ByteSource(Closable):
    """Bytes that any number of threads can read by position.

    Subclasses implement `_size`, `_read` and `_release`. Another thread may close the source
    during a read: the read finishes first, and later reads raise `ClosedError`.

    Parameters
    ----------
    name
        The name of the source in messages.

    Attributes
    ----------
    is_remote : bool
        Whether reads are slow enough to be worth announcing in advance.
    """

    is_remote = False

    def __init__(self, name: str) -> None:
        self.name = name
        self._guard = threading.Lock()
        self._uses = Uses()
        self._closing = threading.RLock()
        self._released = False

    @abstractmethod
    def _size(self) -> int: ...

    @abstractmethod
    def _read(self, offset: int, count: int) -> bytes: ...

    @abstractmethod
    def _release(self) -> None: ...

    def size(self) -> int:
        """Return the current size in bytes.

        Raises
        ------
        ClosedError
            After `close`.
        """
        try:
            with self._use():
                return self._size()
        finally:
            if self._uses.ended:
                self._finish()

    def stored_bytes(self) -> int:
        """Return the total size of the files in bytes; the same as `size` for a single file."""
        return self.size()

    def read_at(self, offset: int, count: int) -> bytes:
        """Return `count` bytes from `offset` on; fewer only at the end of the source.

        Raises
        ------
        ClosedError
            After `close`.
        OSError
            If the bytes cannot be read.
        """
        if offset < 0 or count < 0:
            raise ValueError(f"cannot read {count} bytes at {offset} of {self.name}")
        try:
            with self._use():
                if count > _TRUSTED_COUNT:
                    count = min(count, max(self._size() - offset, 0))
                return self._read(offset, count)
        finally:
            if self._uses.ended:
                self._finish()

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Read bytes from `offset` on into a buffer and return their number.

        The buffer is filled unless the source ends.

        Raises
        ------
        ClosedError, OSError
            As `read_at`.
        """
        try:
            with self._use():
                return self._read_into(offset, buffer)
        finally:
            if self._uses.ended:
                self._finish()

    def _read_into(self, offset: int, buffer: memoryview) -> int:
        data = self._read(offset, len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read_ranges(self, ranges: Sequence[Range]) -> list[bytes]:
        """Return the bytes of many ranges (offset, count), as `read_at` does for one.

        A remote source fetches nearby ranges in one request, and the others in parallel.

        Raises
        ------
        ClosedError, OSError
            As `read_at`.
        """
        return [self.read_at(offset, count) for offset, count in ranges]

    def read_ahead(self, ranges: Sequence[Range]) -> AbstractContextManager[None]:
        """Fetch ranges in the background during a `with` block that reads them.

        List the ranges in the order in which they are read. This affects only the timing of
        requests, never the result. Local sources do nothing.
        """
        return nullcontext()

    def fetch_soon(self, ranges: Sequence[Range]) -> None:
        """Fetch ranges in the background, whether or not they are read; local sources do not."""
        return

    def identity(self) -> tuple[Any, ...] | None:
        """Return a value that changes with the content, or None if there is none."""
        return None

    def opened_identity(self) -> tuple[Any, ...] | None:
        """Return the identity of the opened file, which may have been replaced since."""
        return None

    def is_still(self, identity: tuple[Any, ...] | None) -> bool:
        """Return whether the opened file still has this identity, as from `opened_identity`."""
        return self.opened_identity() == identity

    def end_of(self, position: int) -> int:
        """Return the end of the file that contains a position; a source may have several files."""
        return self.size()

    def place(self, position: int) -> str:
        """Describe a position for messages."""
        return f"byte {position}"

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._uses.ended

    def close(self) -> None:
        """Close the source after pending reads; a second call does nothing."""
        self._uses.end()
        self._finish()

    def _finish(self) -> None:
        """Release the resource if no read is pending; `close` and the last read call this."""
        if self._uses.idle():
            with self._closing:
                if not self._released:
                    self._release()
                    self._released = True

    def _use(self) -> Use:
        """Keep the source open during a `with` block; raise ClosedError after `close`."""
        return Use(self._uses, self.name)

    def __repr__(self) -> str:
        """Show the name, and whether the source is closed."""
        state = " (closed)" if self.closed else ""
        return f"<{type(self).__name__} {self.name!r}{state}>"


class PartSource(ByteSource):
    """A range of another byte source; closing it closes that source, too."""

    def __init__(self, whole: ByteSource, offset: int, count: int, name: str) -> None:
        super().__init__(name)
        self.is_remote = whole.is_remote
        self._whole, self._offset, self._count = whole, offset, count

    def identity(self) -> tuple[Any, ...] | None:
        """Return the identity of the whole source."""
        return self._whole.identity()

    def opened_identity(self) -> tuple[Any, ...] | None:
        """Return the opened identity of the whole source."""
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
