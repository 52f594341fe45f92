"""Bytes that are read by position, wherever the file is."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from czictypes.container.uses import Use, Uses
from czictypes.model.closable import Closable

__all__ = ["ByteSource", "PartSource", "Range"]

#: Offset and count, in bytes.
Range = tuple[int, int]

# Longer requests are cut to what the source has, so that a damaged length in a file
# cannot make us allocate for bytes that are not there.
_TRUSTED_COUNT = 1 << 20


class ByteSource(Closable):
    """Bytes that are read by position, from any number of threads at once.

    A subclass gives `_size`, `_read` and `_release`. Closing while another thread reads is
    safe: the read is finished first, and what follows raises `ClosedError`.

    Parameters
    ----------
    name
        The name of the source in messages.

    Attributes
    ----------
    is_remote : bool
        Whether reads are so slow that announcing them beforehand pays.
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
        """Return how many bytes there are now.

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
        """Return how many bytes the files have; `size` where there is one file."""
        return self.size()

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
        try:
            with self._use():
                if count > _TRUSTED_COUNT:
                    count = min(count, max(self._size() - offset, 0))
                return self._read(offset, count)
        finally:
            if self._uses.ended:
                self._finish()

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fill a buffer of bytes from `offset` on; return how many, fewer only at the end.

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
        """Return the bytes of many ranges (offset, count), each as `read_at` gives it.

        A remote source fetches them together: close ones in one request, others in parallel.

        Raises
        ------
        ClosedError, OSError
            As `read_at`.
        """
        return [self.read_at(offset, count) for offset, count in ranges]

    def read_ahead(self, ranges: Sequence[Range]) -> AbstractContextManager[None]:
        """Fetch ranges in the background for the length of a `with` block that reads them.

        They are best given in the order in which they are read. It changes when bytes travel,
        never what is read; a source that is not remote does nothing.
        """
        return nullcontext()

    def fetch_soon(self, ranges: Sequence[Range]) -> None:
        """Fetch ranges in the background, whether or not they are read; only if remote."""
        return

    def identity(self) -> tuple[Any, ...] | None:
        """Return a value that changes with the content; None if nothing identifies it."""
        return None

    def opened_identity(self) -> tuple[Any, ...] | None:
        """Return the same for the file that was opened, which may have been replaced since."""
        return None

    def is_still(self, identity: tuple[Any, ...] | None) -> bool:
        """Tell whether the opened file still has an identity that `opened_identity` returned."""
        return self.opened_identity() == identity

    def end_of(self, position: int) -> int:
        """Return the end of the file that a position is in; a source may have several files."""
        return self.size()

    def place(self, position: int) -> str:
        """Describe a position for messages."""
        return f"byte {position}"

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._uses.ended

    def close(self) -> None:
        """Close the source, after the reads in flight; a second call does nothing."""
        self._uses.end()
        self._finish()

    def _finish(self) -> None:
        """Release what is closed when nobody reads any more; called by the last read, too."""
        if self._uses.idle():
            with self._closing:
                if not self._released:
                    self._release()
                    self._released = True

    def _use(self) -> Use:
        """Keep the source open for the length of a `with` block; ClosedError after `close`."""
        return Use(self._uses, self.name)

    def __repr__(self) -> str:
        """Tell the name, and whether the source is closed."""
        state = " (closed)" if self.closed else ""
        return f"<{type(self).__name__} {self.name!r}{state}>"


class PartSource(ByteSource):
    """A part of a byte source, which it closes at the end.

    Parameters
    ----------
    whole
        The source.
    offset, count
        The part.
    name
        Its name in messages.
    """

    def __init__(self, whole: ByteSource, offset: int, count: int, name: str) -> None:
        super().__init__(name)
        self.is_remote = whole.is_remote
        self._whole, self._offset, self._count = whole, offset, count

    def identity(self) -> tuple[Any, ...] | None:
        """Return that of the whole."""
        return self._whole.identity()

    def opened_identity(self) -> tuple[Any, ...] | None:
        """Return that of the whole."""
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
