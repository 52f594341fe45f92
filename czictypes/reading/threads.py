"""How many threads decode, and the pool in which they do."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

__all__ = ["ThreadPool", "thread_count"]

_VARIABLE = "CZICTYPES_THREADS"


def thread_count(requested: int | None = None) -> int:
    """Return the number of threads to use.

    Parameters
    ----------
    requested
        What the caller asked for; None takes the environment variable CZICTYPES_THREADS, and
        without it the number of CPUs that this process may use.

    Raises
    ------
    ValueError
        For a number below 1, or a variable that is no whole number.
    """
    if requested is None:
        text = os.environ.get(_VARIABLE, "")
        if not text:
            return _available_cpus()
        try:
            requested = int(text)
        except ValueError:
            raise ValueError(f"{_VARIABLE} must be a whole number, not {text!r}") from None
    if requested < 1:
        raise ValueError(f"the number of threads must be at least 1, not {requested}")
    return requested


def _available_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class ThreadPool:
    """A pool of decoding threads, started at its first use and shared by all callers."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._executor: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def executor(self) -> ThreadPoolExecutor | None:
        """Return the running pool, or None where one thread is all there is."""
        if self.threads == 1:
            return None
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(self.threads, "czictypes-decode")
            return self._executor

    def close(self) -> None:
        """Stop the threads after the work they have begun."""
        with self._lock:
            if self._executor is not None:
                self._executor.shutdown()
                self._executor = None
