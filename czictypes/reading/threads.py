"""The number of threads that decode, and their pool."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from typing import TypeVar

__all__ = ["ThreadPool", "each", "thread_count", "together"]

T = TypeVar("T")

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
    """Threads that help those who read, started at their first use and shared by all callers.

    One less than `threads`, for a caller works, too. Each thread beyond the number of CPUs costs:
    the tiles of all push each other's from the processor's caches.
    """

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
                self._executor = ThreadPoolExecutor(self.threads - 1, "czictypes-decode")
            return self._executor

    def close(self) -> None:
        """Stop the threads after the work they have begun."""
        with self._lock:
            if self._executor is not None:
                self._executor.shutdown()
                self._executor = None


def together(work: Callable[[int], None], threads: int, executor: Executor | None) -> None:
    """Call a function in this thread, with 0, and in others, with 1, 2 ...; return after all.

    Those whom no thread of the executor has taken up by then are not called any more.

    Parameters
    ----------
    work
        Shares the work out by itself, and is done when nothing is left of it.
    threads
        How many shall work at most, this one among them.
    executor
        Where the others come from; without it there are none.
    """
    helpers: list[Future[None]] = []
    try:
        if executor is not None:
            for number in range(1, threads):
                helpers.append(executor.submit(work, number))
        work(0)
    finally:
        started = [helper for helper in helpers if not helper.cancel()]
        if started:
            wait(started)
    for helper in started:
        helper.result()


def each(
    items: Iterable[T], work: Callable[[T], None], threads: int, executor: Executor | None
) -> None:
    """Call a function with each item, as `together` does; the first error ends it."""
    lock, waiting = threading.Lock(), iter(items)
    end: list[bool] = []

    def loop(_: int) -> None:
        try:
            while not end:
                with lock:
                    try:
                        item = next(waiting)
                    except StopIteration:
                        return
                work(item)
        except BaseException:
            end.append(True)
            raise

    together(loop, threads, executor)
