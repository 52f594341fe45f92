"""The number of threads that decode, and their pool."""

from __future__ import annotations

import operator
import os
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

from czictypes.container.workers import Task, Workers, check_stopped, settle

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
    ValueError, TypeError
        For a number below 1, or what is no whole number.
    """
    if requested is None:
        text = os.environ.get(_VARIABLE, "")
        if not text:
            return _available_cpus()
        try:
            requested = int(text)
        except ValueError:
            raise ValueError(f"{_VARIABLE} must be a whole number, not {text!r}") from None
    try:
        requested = operator.index(requested)
    except TypeError:
        raise TypeError(
            f"the number of threads must be a whole number, not {requested!r}"
        ) from None
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
        #: The threads; None where one thread is all there is.
        self.workers = Workers(threads - 1, "czictypes-decode") if threads > 1 else None

    def close(self) -> None:
        """Stop the threads after the work they have begun."""
        if self.workers is not None:
            self.workers.close()


def together(work: Callable[[int], None], threads: int, workers: Workers | None) -> None:
    """Call a function in this thread, with 0, and in others, with 1, 2 ...; return after all.

    Those whom no thread of the workers has taken up by then are not called any more.

    Parameters
    ----------
    work
        Shares the work out by itself, and is done when nothing is left of it.
    threads
        How many shall work at most, this one among them.
    workers
        Where the others come from; without them there are none.
    """
    if workers is None or threads < 2:
        work(0)
        return
    helpers = [Task(partial(work, number)) for number in range(1, threads)]
    try:
        workers.submit(*helpers)
        work(0)
        settle(helpers)
    except BaseException:
        settle(helpers, stop=True)
        raise
    for helper in helpers:
        if helper.error is not None:
            raise helper.error


def each(
    items: Iterable[T], work: Callable[[T], None], threads: int, workers: Workers | None
) -> None:
    """Call a function with each item, as `together` does; the first error ends it."""
    lock, waiting = threading.Lock(), iter(items)
    end: list[bool] = []

    def loop(_: int) -> None:
        try:
            while not end:
                check_stopped()
                with lock:
                    try:
                        item = next(waiting)
                    except StopIteration:
                        return
                work(item)
        except BaseException:
            end.append(True)
            raise

    together(loop, threads, workers)
