"""The open documents of the tasks of lazy arrays: each once in a process, and not too many.

A task names its document by a key. The reader stays open for the next task; when too many are
open, the least recently used one is closed. An array holds its reader in the process that made it:
when the last such array is gone, the reader is closed.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from czictypes.reading.reader import CziReader

_MOST = 16


class _Entry:
    """One key: its reader, once it is open; how many reads use it, and how many arrays hold it."""

    def __init__(self) -> None:
        self.reader: CziReader | None = None
        self.opening = threading.Lock()
        self.uses = 0
        self.holds = 0


class ReaderPool:
    """Readers by key, opened at their first use; safe to use from many threads.

    At most so many stay open that are not in use.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._let_go: deque[str] = deque()

    def __len__(self) -> int:
        """Return how many readers are open."""
        self._sweep()
        with self._lock:
            return sum(entry.reader is not None for entry in self._entries.values())

    @contextmanager
    def use(self, key: str, open_reader: Callable[[], CziReader]) -> Iterator[CziReader]:
        """Give the reader of a key for the length of a `with` block."""
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
            entry.uses += 1
        try:
            with entry.opening:
                if entry.reader is None or entry.reader.closed:
                    entry.reader = open_reader()
                reader = entry.reader
            yield reader
        finally:
            with self._lock:
                entry.uses -= 1
                surplus = self._take_surplus()
            _close(surplus)
            self._sweep()

    def adopt(self, key: str, reader: CziReader) -> None:
        """Take over an open reader for a key, or close it if the key has one already."""
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            if entry.reader is None:
                entry.reader = reader
            spare = entry.reader is not reader
        if spare:
            reader.close()
        self._sweep()  # the collector may have come while the lock was held

    def hold(self, key: str, holder: object) -> None:
        """Close the reader of a key when the last of its holders is garbage."""
        with self._lock:
            self._entries.setdefault(key, _Entry()).holds += 1
        weakref.finalize(holder, self._release, key, os.getpid()).atexit = False
        self._sweep()

    def close(self) -> None:
        """Close all readers that are not in use."""
        self._sweep()
        with self._lock:
            idle = [key for key, entry in self._entries.items() if not entry.uses]
            readers = [self._take(key) for key in idle]
        _close(readers)
        self._sweep()

    def _release(self, key: str, process: int) -> None:
        """Note that a holder is gone; called by the garbage collector at any moment."""
        if process == os.getpid():
            self._let_go.append(key)
            self._sweep()

    def _sweep(self) -> None:
        """Close readers that nobody holds any more.

        The collector may have interrupted the holder of the lock, in this very thread; the holder
        sweeps when it has released the lock.
        """
        while self._let_go and self._lock.acquire(blocking=False):
            try:
                gone = self._take_let_go()
            finally:
                self._lock.release()
            _close(gone)

    def _take_let_go(self) -> list[CziReader | None]:
        gone = []
        while self._let_go:
            key = self._let_go.popleft()
            entry = self._entries[key]
            entry.holds -= 1
            if not entry.holds and not entry.uses:
                gone.append(self._take(key))
        return gone

    def _take_surplus(self) -> list[CziReader | None]:
        idle = [key for key, entry in self._entries.items() if entry.reader and not entry.uses]
        return [self._take(key) for key in idle[: max(len(idle) - self._most, 0)]]

    def _take(self, key: str) -> CziReader | None:
        """Take a reader out, to be closed; the arrays that hold it stay counted."""
        entry = self._entries[key]
        reader, entry.reader = entry.reader, None
        if not entry.holds:
            del self._entries[key]
        return reader


def _close(readers: list[CziReader | None]) -> None:
    for reader in readers:
        if reader is not None:
            reader.close()


def reader_pool() -> ReaderPool:
    """Return the pool of this process; a forked process begins with an empty one."""
    found = _of_process.get(os.getpid())
    if found is None:
        for process in list(_of_process):
            _of_process.pop(process, None)
        found = _of_process.setdefault(os.getpid(), ReaderPool())
    return found


#: The one for this process. It cannot belong to an array, as each task brings a copy of its own.
_of_process: dict[int, ReaderPool] = {}
