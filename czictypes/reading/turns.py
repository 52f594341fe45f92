"""Finishes the work of threads one after the other, whatever order they prepare it in."""

from __future__ import annotations

import threading
from collections.abc import Callable

from czictypes.container.workers import Bell, check_stopped

__all__ = ["Turns"]


class Turns:
    """Runs an action for each of the numbers 0, 1, 2 ... in this order; none runs beside another.

    Threads hand their actions in as they come. Who finds all lower numbers done runs his own and
    those that wait for it, so nobody waits for a slower thread, unless he is too far ahead. The
    numbers must be given out in ascending order to threads that are at work.

    Parameters
    ----------
    ahead
        So many actions at most are kept waiting, 1 at least.
    """

    def __init__(self, ahead: int) -> None:
        self._ahead = max(ahead, 1)
        self._next = 0
        self._waiting: dict[int, Callable[[], None]] = {}
        self._running = self._stopped = False
        self._lock = threading.Lock()
        self._bells: list[Bell] = []

    def run(self, number: int, action: Callable[[], None]) -> None:
        """Have an action run when it is its turn: now, or later by another thread.

        It is dropped when the work has been stopped. Raises what the actions raise that this
        thread runs.
        """
        if not self._may_wait(number):
            self._wait(number)
        with self._lock:
            self._waiting[number] = action
            if self._running:
                return
            self._running = True
        while (due := self._due()) is not None:
            due()
            self._next += 1
            self._wake()

    def stop(self) -> None:
        """Wake all who wait; no action begins any more."""
        self._stopped = True
        self._wake()

    def _may_wait(self, number: int) -> bool:
        return self._stopped or number - self._next < self._ahead

    def _wait(self, number: int) -> None:
        bell = Bell()
        self._bells.append(bell)
        while not self._may_wait(number):
            check_stopped()
            bell.wait()
        self._bells.remove(bell)

    def _wake(self) -> None:
        for bell in self._bells.copy():
            bell.ring()

    def _due(self) -> Callable[[], None] | None:
        with self._lock:
            due = None if self._stopped else self._waiting.pop(self._next, None)
            self._running = due is not None
            return due
