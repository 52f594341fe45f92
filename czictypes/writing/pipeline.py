"""Work done by several threads, its results used one after the other in the order it came."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

__all__ = ["OrderedPipeline"]

R = TypeVar("R")


class OrderedPipeline(Generic[R]):
    """Makes results in threads, and hands each to `consume` in the order of `submit`.

    `consume` runs in the caller's thread, within `submit` and `drain`. At most twice as many
    results as there are threads wait for their turn, so memory is bounded.

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
        self._executor: ThreadPoolExecutor | None = None
        self._pending: deque[Future[R] | R] = deque()

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
            if self._executor is None:
                self._executor = ThreadPoolExecutor(self.threads, "czictypes-encode")
            self._pending.append(self._executor.submit(work))
        while self._pending and (len(self._pending) > 2 * self.threads or self._first_is_done()):
            self._consume_first()

    def drain(self) -> None:
        """Wait for all results and consume them."""
        while self._pending:
            self._consume_first()

    def close(self) -> None:
        """Drop what is not consumed yet, and end the threads."""
        for item in self._pending:
            if isinstance(item, Future):
                item.cancel()
        self._pending.clear()
        if self._executor is not None:
            self._executor.shutdown()
            self._executor = None

    def _first_is_done(self) -> bool:
        first = self._pending[0]
        return not isinstance(first, Future) or first.done()

    def _consume_first(self) -> None:
        first = self._pending.popleft()
        self._consume(first.result() if isinstance(first, Future) else first)
