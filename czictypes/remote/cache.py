"""Keep the blocks of a remote file in memory, and decide which to request next.

A block is requested only once, even if several threads need it at the same time.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Union

from czictypes.container.byte_source import Range
from czictypes.container.workers import Outcome


class PendingRequest(Outcome[bytes]):
    """The outcome of a request for consecutive blocks.

    Attributes
    ----------
    run : range
        The numbers of the blocks.
    sent : bool
        Whether the request was sent; an interrupt may have prevented that.
    """

    __slots__ = ("_block", "run", "sent")

    def __init__(self, run: range, block: int, help: Callable[[PendingRequest], None]) -> None:
        super().__init__(partial(help, self))
        self.run = run
        self.sent = False
        self._block = block

    def part(self, number: int) -> bytes:
        """Wait for a block and return it; the last block of a file may be short."""
        at = (number - self.run.start) * self._block
        return self.result()[at : at + self._block]


Entry = Union[bytes, PendingRequest]


class BlockCache:
    """A thread-safe cache that drops the least recently used blocks first.

    Parameters
    ----------
    limit
        The number of bytes to keep.
    block
        The size of a block in bytes.
    gap, most
        Limits for joining missing blocks to requests, in blocks, as in `runs_of`.
    help
        Called with a request by threads that have waited long for it.
    """

    def __init__(
        self,
        limit: int,
        block: int,
        gap: int,
        most: int,
        help: Callable[[PendingRequest], None],
    ) -> None:
        self._help = help
        self._limit, self._block, self._gap, self._most = limit // block, block, gap, max(most, 1)
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._pending: dict[int, PendingRequest] = {}

    def __len__(self) -> int:
        """Return the number of blocks in the cache."""
        return len(self._kept)

    def take(self, blocks: Sequence[int]) -> tuple[dict[int, Entry], list[PendingRequest]]:
        """Return some blocks or their pending requests, and the new requests to send.

        The caller must send the new requests, and then call `complete` or `fail` for each.
        """
        with self._lock:
            found: dict[int, Entry] = {}
            missing: list[int] = []
            for number in blocks:
                kept = self._kept.get(number)
                if kept is not None:
                    self._kept.move_to_end(number)
                    found[number] = kept
                elif number in self._pending:
                    found[number] = self._pending[number]
                else:
                    missing.append(number)
            runs = runs_of(missing, self._gap, self._most)
            begun = [PendingRequest(run, self._block, self._help) for run in runs]
            for request in begun:
                for number in request.run:
                    self._pending.setdefault(number, request)  # one in a gap may be pending
                    found.setdefault(number, request)
            return found, begun

    def complete(self, request: PendingRequest, data: bytes) -> None:
        """Keep the data of a request, and pass them to the waiting threads."""
        with self._lock:
            self._forget(request)
            for number in request.run:
                at = (number - request.run.start) * self._block
                self._kept[number] = data[at : at + self._block]
                self._kept.move_to_end(number)
            while len(self._kept) > self._limit:
                self._kept.popitem(last=False)
        request.succeed(data)

    def fail(self, request: PendingRequest, error: BaseException) -> None:
        """Pass the error of a request to the waiting threads; a later `take` requests it again."""
        with self._lock:
            self._forget(request)
        request.fail(error)

    def clear(self) -> None:
        """Drop all blocks."""
        with self._lock:
            self._kept.clear()

    def _forget(self, request: PendingRequest) -> None:
        for number in request.run:
            if self._pending.get(number) is request:
                del self._pending[number]


class ReadAhead:
    """The blocks of a read, fetched in the order of their use; thread-safe.

    At most `window` blocks are fetched before they are used. `fetch` starts fetching blocks in the
    background.
    """

    def __init__(
        self, blocks: Sequence[int], window: int, fetch: Callable[[list[int]], None]
    ) -> None:
        self._window = max(window, 1)
        self._step = max(self._window // 4, 1)
        self._fetch = fetch
        self._waiting = deque(blocks)
        self._waits = set(blocks)
        self._unused: set[int] = set()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Fetch the first window."""
        self.used(())

    def used(self, blocks: Iterable[int]) -> None:
        """Mark blocks as used, which makes room for others."""
        more: list[int] = []
        with self._lock:
            self._unused.difference_update(blocks)
            if not self._waits.isdisjoint(blocks):
                # The reader has overtaken us: the unused blocks will never be used.
                self._unused.clear()
            room = self._window - len(self._unused)
            if room >= self._step:
                while self._waiting and len(more) < room:
                    more.append(self._waiting.popleft())
                self._unused.update(more)
                self._waits.difference_update(more)
        if more:
            self._fetch(more)

    def stop(self) -> None:
        """Stop fetching."""
        with self._lock:
            self._waiting.clear()
            self._waits.clear()
            self._window = 0


def blocks_of(ranges: Iterable[Range], block: int, size: int) -> list[int]:
    """Return the numbers of the blocks that ranges touch, each once, in order of first use.

    `block` and `size` are the sizes of a block and of the file in bytes.
    """
    found: dict[int, None] = {}
    for offset, count in ranges:
        first, end = max(offset, 0), min(offset + count, size)
        if first < end:
            found.update(dict.fromkeys(range(first // block, (end - 1) // block + 1)))
    return list(found)


def runs_of(blocks: Iterable[int], gap: int, most: int) -> list[range]:
    """Join blocks into runs, each of which is fetched by one request.

    A run may include up to `gap` unneeded blocks between two needed ones, to save a request. It has
    at most `most` blocks.
    """
    runs: list[range] = []
    for number in sorted(blocks):
        last = runs[-1] if runs else None
        if last is not None and number - last.stop <= gap and number - last.start < most:
            runs[-1] = range(last.start, number + 1)
        else:
            runs.append(range(number, number + 1))
    return runs
