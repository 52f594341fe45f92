"""Count the uses of a resource by many threads, so that closing it can wait for them.

An interrupt must not leave a finished use counted. Python raises KeyboardInterrupt between any two
steps of Python code, even before the first step of an `__exit__` method. Therefore each use is a
lock that is held during the use, and ends with the lock's own `__exit__`, which is not Python code.
(Before Python 3.10, and on PyPy, an interrupt may come even before that. Therefore a closing
thread does not wait for its own uses.)
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock, get_ident
from typing import Any

from czictypes.model.errors import ClosedError

_LEAST = 16  # uses to store before dropping finished ones
_LONGEST_PAUSE = 0.02  # seconds


class Uses:
    """The uses of a resource; thread-safe without a shared lock."""

    __slots__ = ("_held", "_most", "ended")

    def __init__(self) -> None:
        #: Whether new uses are refused.
        self.ended = False
        self._held: dict[Any, int] = {}  # the lock of each use, and its thread
        self._most = _LEAST

    def add(self, lock: Any) -> bool:
        """Count a lock held by the caller as a use until it is released; return False if ended."""
        held = self._held
        if len(held) >= self._most:
            for one in held.copy():
                if not one.locked():
                    held.pop(one, None)
            self._most = max(2 * len(held), _LEAST)
        held[lock] = get_ident()
        if not self.ended:
            return True
        held.pop(lock, None)
        return False

    def here(self) -> bool:
        """Return whether this thread is in a use."""
        me = get_ident()
        return any(owner == me and lock.locked() for lock, owner in self._held.copy().items())

    def idle(self) -> bool:
        """Return whether no thread is in a use."""
        return not any(lock.locked() for lock in self._held.copy())

    def elsewhere(self) -> bool:
        """Return whether another thread is in a use."""
        me = get_ident()
        return any(owner != me and lock.locked() for lock, owner in self._held.copy().items())

    def end(self) -> None:
        """Refuse new uses."""
        self.ended = True

    def wait(self) -> None:
        """Wait until no other thread is in a use; call this after `end`."""
        pause = 1e-4
        while self.elsewhere():
            time.sleep(pause)  # acquiring the locks would mean having to release them
            pause = min(2 * pause, _LONGEST_PAUSE)


class Use:
    """A use of a resource during a `with` block; entering it after `end` raises `ClosedError`."""

    __slots__ = ("__exit__", "_lock", "_name", "_uses")

    __exit__: Callable[..., None]

    def __init__(self, uses: Uses, name: str) -> None:
        self._uses, self._name = uses, name
        self._lock = lock = Lock()
        lock.acquire()
        self.__exit__ = lock.__exit__  # Python looks it up before it calls `__enter__`

    def __enter__(self) -> None:
        try:
            if not self._uses.add(self._lock):
                raise ClosedError(f"{self._name} is closed; open it again to read from it")
        except BaseException:
            self._lock.release()
            raise
