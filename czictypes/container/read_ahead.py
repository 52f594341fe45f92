"""Fetches what a read is going to need while it works on what is there.

A window of blocks is on its way or waits to be used; as they are used, more are asked for.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence

__all__ = ["ReadAhead"]


class ReadAhead:
    """The blocks of one read, in the order of their use; safe to use from many threads.

    Parameters
    ----------
    blocks
        Their numbers.
    window
        So many are fetched before they are used.
    fetch
        Has some blocks fetched in the background.
    """

    def __init__(
        self, blocks: Sequence[int], window: int, fetch: Callable[[list[int]], None]
    ) -> None:
        self._window = max(window, 1)
        self._step = max(self._window // 4, 1)
        self._fetch = fetch
        self._waiting = deque(blocks)
        self._waits = set(blocks)
        self._unused: set[int] = set()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Fetch the first window."""
        self.used(())

    def used(self, blocks: Iterable[int]) -> None:
        """Tell that blocks are used, which makes room for others."""
        more: list[int] = []
        with self._lock:
            self._unused.difference_update(blocks)
            if not self._waits.isdisjoint(blocks):
                # The reader has overtaken us: what is left unused will never be used.
                self._unused.clear()
            room = self._window - len(self._unused)
            if room >= self._step:
                while self._waiting and len(more) < room:
                    more.append(self._waiting.popleft())
                self._unused.update(more)
                self._waits.difference_update(more)
        if more:
            self._fetch(more)

    def stop(self) -> None:
        """Ask for nothing more."""
        with self._lock:
            self._waiting.clear()
            self._waits.clear()
            self._window = 0
