"""An array that several threads may read is fetched ahead: same tiles, same order, few at once."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from leaks import left_since, snapshot

from czictypes.writing.array_source import ArraySource, parse_axes

PIXELS = np.arange(3 * 40 * 60, dtype=np.uint16).reshape(3, 40, 60)


class Watched:
    """An array that counts who reads it, and how far ahead of the tiles taken."""

    def __init__(self, fails_at: int = -1) -> None:
        self.shape, self.dtype, self.chunks = PIXELS.shape, PIXELS.dtype, (1, 10, 20)
        self.fails_at = fails_at
        self.reads = 0
        self.threads: set[int] = set()
        self._lock = threading.Lock()

    def __getitem__(self, key: Any) -> Any:
        with self._lock:
            self.reads += 1
            self.threads.add(threading.get_ident())
            if self.reads == self.fails_at:
                raise OSError("the network is gone")
        return PIXELS[key]


def tiles(array: Any, readers: int) -> ArraySource:
    return ArraySource(array, parse_axes("ZYX", PIXELS.shape), 20, readers)


def test_tiles_and_their_order_are_the_same() -> None:
    expected, found = list(tiles(PIXELS, 1)), list(tiles(Watched(), 3))
    assert len(found) == len(tiles(Watched(), 3))
    watched = list(tiles(Watched(), 1))
    assert [part[:3] for part in found] == [part[:3] for part in watched]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(found, watched))
    assert sum(part.pixels.size for part in expected) == sum(part.pixels.size for part in found)


def test_no_more_are_fetched_than_will_soon_be_used() -> None:
    array = Watched()
    for number, _ in enumerate(tiles(array, 3), 1):
        assert array.reads <= number + 3
    assert threading.get_ident() not in array.threads


def test_one_reader_reads_where_it_is_asked() -> None:
    array = Watched()
    list(tiles(array, 1))
    assert array.threads == {threading.get_ident()}


@pytest.mark.parametrize("at", [1, 5])
def test_an_error_comes_when_its_tile_would_have(at: int) -> None:
    parts = iter(tiles(Watched(at), 2))
    taken: list[Any] = []
    with pytest.raises(OSError, match="network"):
        taken.extend(parts)
    assert len(taken) < at


def test_who_stops_early_leaves_no_thread_behind() -> None:
    before = snapshot()
    parts = iter(tiles(Watched(), 3))
    next(parts)
    parts.close()
    assert left_since(before) == []
