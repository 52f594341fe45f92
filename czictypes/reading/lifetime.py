"""Counts the uses of a resource, so that closing it waits for those in flight."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from czictypes.model.errors import ClosedError

__all__ = ["UseCount"]


class UseCount:
    """Lets many threads use a resource and releases it once, after the last of them.

    Parameters
    ----------
    name
        What the resource is called in a `ClosedError`.
    release
        Called once, when the resource is retired and no use is left.
    """

    def __init__(self, name: str, release: Callable[[], None]) -> None:
        self._name = name
        self._release = release
        self._uses = 0
        self._retired = False
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._released = False

    @property
    def retired(self) -> bool:
        """Whether new uses are refused."""
        return self._retired

    def enter(self) -> None:
        """Begin a use.

        Raises
        ------
        ClosedError
            If the resource was retired before.
        """
        if not self.try_enter():
            raise ClosedError(f"{self._name} is closed; open it again to read from it")

    def try_enter(self) -> bool:
        """Begin a use, unless the resource was retired before: then return False."""
        with self._lock:
            if self._retired:
                return False
            self._uses += 1
            return True

    def leave(self) -> None:
        """End a use that `enter` began."""
        with self._lock:
            self._uses -= 1
            last = self._retired and not self._uses
            if last:  # nobody waits before
                self._idle.notify_all()
        if last:
            self._release_when_idle()

    @contextmanager
    def use(self) -> Iterator[None]:
        """Hold the resource for the length of a `with` block."""
        self.enter()
        try:
            yield
        finally:
            self.leave()

    def retire(self, *, wait: bool) -> None:
        """Refuse new uses, and release after the last one; `wait` returns only then."""
        with self._lock:
            self._retired = True
            while wait and self._uses:
                self._idle.wait()
        self._release_when_idle()

    def _release_when_idle(self) -> None:
        with self._lock:
            if self._released or not self._retired or self._uses:
                return
            self._released = True
        self._release()
