"""Lets threads go one after the other."""

from __future__ import annotations

import threading

__all__ = ["Turns"]


class Turns:
    """Gives each of many threads its turn, in the order of the numbers they hold.

    The numbers 0, 1, 2 ... must be handed out in ascending order to threads that are at work;
    then whoever waits, waits for one that will come to its end.
    """

    def __init__(self) -> None:
        self._next = 0
        self._stopped = False
        self._changed = threading.Condition()

    def wait_for(self, number: int) -> bool:
        """Wait for the turn of a number; False means that the work has been stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._next == number)
            return not self._stopped

    def done(self) -> None:
        """End the turn that `wait_for` began."""
        with self._changed:
            self._next += 1
            self._changed.notify_all()

    def stop(self) -> None:
        """Wake all who wait; no turn begins any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
