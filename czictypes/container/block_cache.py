"""Blocks of a remote file that are kept in memory, and those that are on their way.

A block is asked for once, however many threads want it at the same time.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Union

from czictypes.container.ranges import runs_of
from czictypes.container.workers import Outcome

__all__ = ["BlockCache", "Flight"]


class Flight(Outcome[bytes]):
    """Consecutive blocks that one request fetches: what it brings, or how it failed.

    Attributes
    ----------
    run : range
        The numbers of the blocks.
    sent : bool
        Whether the request is made; an interrupt may have come before.
    """

    __slots__ = ("_block", "run", "sent")

    def __init__(self, run: range, block: int, help: Callable[[Flight], None]) -> None:
        super().__init__(partial(help, self))
        self.run = run
        self.sent = False
        self._block = block

    def part(self, number: int) -> bytes:
        """Wait for a block and return it; the last of a file may be short."""
        at = (number - self.run.start) * self._block
        return self.result()[at : at + self._block]


Entry = Union[bytes, Flight]


class BlockCache:
    """Keeps blocks up to a number of bytes; what was used least recently leaves first.

    Safe to use from many threads.

    Parameters
    ----------
    limit
        Bytes to keep.
    block
        Bytes of a block.
    gap, most
        How missing blocks are joined to requests, in blocks; see `runs_of`.
    help
        Called with a flight by those who wait for it long.
    """

    def __init__(
        self,
        limit: int,
        block: int,
        gap: int,
        most: int,
        help: Callable[[Flight], None],
    ) -> None:
        self._help = help
        self._limit, self._block, self._gap, self._most = limit // block, block, gap, max(most, 1)
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._flights: dict[int, Flight] = {}

    def __len__(self) -> int:
        """Return how many blocks are kept."""
        return len(self._kept)

    def take(self, blocks: Sequence[int]) -> tuple[dict[int, Entry], list[Flight]]:
        """Return what is known of some blocks, and the flights that the caller has to start.

        Every block is there: kept, on its way, or in one of those flights. For each of these
        either `landed` or `failed` must be called.
        """
        with self._lock:
            found: dict[int, Entry] = {}
            missing: list[int] = []
            for number in blocks:
                kept = self._kept.get(number)
                if kept is not None:
                    self._kept.move_to_end(number)
                    found[number] = kept
                elif number in self._flights:
                    found[number] = self._flights[number]
                else:
                    missing.append(number)
            runs = runs_of(missing, self._gap, self._most)
            begun = [Flight(run, self._block, self._help) for run in runs]
            for flight in begun:
                for number in flight.run:
                    self._flights.setdefault(number, flight)  # one in a gap may be on its way
                    found.setdefault(number, flight)
            return found, begun

    def landed(self, flight: Flight, data: bytes) -> None:
        """Keep what a flight brought, and give it to those who wait."""
        with self._lock:
            self._forget(flight)
            for number in flight.run:
                at = (number - flight.run.start) * self._block
                self._kept[number] = data[at : at + self._block]
                self._kept.move_to_end(number)
            while len(self._kept) > self._limit:
                self._kept.popitem(last=False)
        flight.succeed(data)

    def failed(self, flight: Flight, error: BaseException) -> None:
        """Tell those who wait that a flight failed; who asks next starts another."""
        with self._lock:
            self._forget(flight)
        flight.fail(error)

    def clear(self) -> None:
        """Forget what is kept."""
        with self._lock:
            self._kept.clear()

    def _forget(self, flight: Flight) -> None:
        for number in flight.run:
            if self._flights.get(number) is flight:
                del self._flights[number]
