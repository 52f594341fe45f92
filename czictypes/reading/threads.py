"""The number of decoding threads, and their pool."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

from czictypes.container.workers import Task, Workers, check_stopped, settle
from czictypes.model.geometry import whole_number
from czictypes.model.lazy import cached_property

T = TypeVar("T")

_VARIABLE = "CZICTYPES_THREADS"


def thread_count(requested: int | None = None) -> int:
    """Return the number of threads: as requested, by CZICTYPES_THREADS, or the usable CPUs.

    Raises ValueError for a number below 1, and TypeError for anything but a whole number.
    """
    if requested is None:
        text = os.environ.get(_VARIABLE, "")
        if not text:
            return _available_cpus()
        try:
            requested = int(text)
        except ValueError:
            raise ValueError(f"{_VARIABLE} must be a whole number, not {text!r}") from None
    requested = whole_number(requested, "the number of threads")
    if requested < 1:
        raise ValueError(f"the number of threads must be at least 1, not {requested}")
    return requested


def _available_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class ThreadPool:
    """Threads that help with reads, started at their first use and shared by all callers.

    There is one less than `threads`, because the caller works, too. More threads than CPUs would
    displace each other's tiles from the processor's caches.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads

    @cached_property
    def workers(self) -> Workers | None:
        """The threads; None if the caller is the only one."""
        return Workers(self.threads - 1, "czictypes-decode") if self.threads > 1 else None

    def close(self) -> None:
        """Stop the threads after their current work."""
        if "workers" in vars(self) and self.workers is not None:
            self.workers.close()


def each(
    items: Iterable[T], work: Callable[[T], None], threads: int, workers: Workers | None
) -> None:
    """Call a function with each item, here and in workers; the first error stops it."""
    lock, waiting = threading.Lock(), iter(items)
    end: list[bool] = []

    def loop() -> None:
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

    if workers is None or threads < 2:
        loop()
        return
    helpers = [Task(loop) for _ in range(1, threads)]
    try:
        workers.submit(*helpers)
        loop()
        settle(helpers)
    except BaseException:
        settle(helpers, stop=True)
        raise
    for helper in helpers:
        if helper.error is not None:
            raise helper.error
