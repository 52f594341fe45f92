"""Work done by several threads, its results used one after the other in the order it came."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from czictypes.container.workers import Task, Workers, settle

__all__ = ["OrderedPipeline"]

R = TypeVar("R")


class _Waiting(NamedTuple):
    """Work that a thread may have begun."""

    task: Task[Any]
    work: Callable[[], Any]


class OrderedPipeline(Generic[R]):
    """Makes results in threads, and hands each to `consume` in the order of `submit`.

    The caller's thread is one of them: it works instead of waiting, and runs `consume` within
    `submit` and `drain`. One thread more than there are CPUs takes a tenth longer. At most twice
    as many results as there are threads wait for their turn, so memory is bounded.

    Parameters
    ----------
    threads
        How many threads work; with one, all work is done in `submit`.
    consume
        Takes the results.
    """

    def __init__(self, threads: int, consume: Callable[[R], None]) -> None:
        self.threads = threads
        self._consume = consume
        self._workers = Workers(threads - 1, "czictypes-encode")
        self._pending: deque[_Waiting | R] = deque()

    def submit(self, work: Callable[[], R], *, at_once: bool = False) -> None:
        """Take on work; may consume results of earlier work, and raise its errors.

        Parameters
        ----------
        work
            Gives a result.
        at_once
            Do it in this thread: it is too little to be worth another one.
        """
        if at_once or self.threads == 1:
            result = work()
            if self._pending:
                self._pending.append(result)
            else:
                self._consume(result)
        else:
            task = Task(work)
            self._pending.append(_Waiting(task, work))
            self._workers.submit(task)
        while self._pending and (len(self._pending) > 2 * self.threads or self._first_is_done()):
            self._advance()

    def drain(self) -> None:
        """Wait until there are all results, and consume them."""
        while self._pending:
            self._advance()

    def close(self) -> None:
        """Drop what is not consumed yet, and end the threads."""
        settle([item.task for item in self._pending if isinstance(item, _Waiting)], stop=True)
        self._pending.clear()
        self._workers.close()

    def _first_is_done(self) -> bool:
        first = self._pending[0]
        return not isinstance(first, _Waiting) or first.task.done

    def _advance(self) -> None:
        """Consume the first result; as long as there is none, do work that no thread has begun."""
        if not self._first_is_done() and self._do_waiting():
            return
        first = self._pending.popleft()
        self._consume(first.task.result() if isinstance(first, _Waiting) else first)

    def _do_waiting(self) -> bool:
        """Do the first work that no thread has begun; tell whether there was any."""
        for place, item in enumerate(self._pending):
            if isinstance(item, _Waiting) and item.task.claim():
                self._pending[place] = item.work()
                return True
        return False
