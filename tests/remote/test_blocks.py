"""The parts of a remote source: ranges, blocks, reading ahead; any ranges give the right bytes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from czictypes.model.errors import ClosedError, RemoteError
from czictypes.model.options import RemoteOptions
from czictypes.remote.cache import BlockCache, ReadAhead, blocks_of, runs_of
from czictypes.remote.source import RemoteSource
from czictypes.remote.transport import Opening, Transport
from czictypes.remote.urls import Redactor

CONTENT = np.random.default_rng(3).integers(0, 256, 200_001).astype(np.uint8).tobytes()


class Recorder(Transport):
    """Gives ranges of `CONTENT`, and keeps a list of them; `fails` makes the next ones fail."""

    def __init__(self, **options: float) -> None:
        super().__init__(Redactor("test://content"), RemoteOptions(**options))  # type: ignore[arg-type]
        self.asked: list[tuple[int, int]] = []
        self.fails = 0
        self.pool = ThreadPoolExecutor(4)
        self.go_on = threading.Event()
        self.go_on.set()

    def open(self, count: int) -> Opening:
        return Opening(len(CONTENT), ("first",), CONTENT[:count])

    def submit(self, start: int, end: int, complete: Any, fail: Any) -> None:
        self.asked.append((start, end))
        self.pool.submit(self._give, start, end, complete, fail)

    def _give(self, start: int, end: int, complete: Any, fail: Any) -> None:
        self.go_on.wait()
        if self.fails:
            self.fails -= 1
            fail(RemoteError("test://content cannot be read"))
        else:
            complete(CONTENT[start:end])

    def close(self) -> None:
        self.pool.shutdown()


@pytest.fixture
def transport() -> Iterator[Recorder]:
    made = Recorder(block_bytes=1024, cache_bytes=64 << 10, gap_bytes=2048, request_bytes=8192)
    yield made
    made.close()


@pytest.fixture
def source(transport: Recorder) -> Iterator[RemoteSource]:
    with RemoteSource(transport) as opened:
        yield opened


AHEAD = 70_000  # beyond what the first request brings


def test_the_beginning_came_with_the_opening(source: RemoteSource, transport: Recorder) -> None:
    assert source.size() == len(CONTENT)
    assert source.read_at(0, 60_000) == CONTENT[:60_000]
    assert transport.asked == []


def test_close_ranges_are_one_request(source: RemoteSource, transport: Recorder) -> None:
    first, second = (AHEAD, 100), (AHEAD + 3000, 100)
    assert source.read_ranges([first, second]) == [
        CONTENT[AHEAD : AHEAD + 100],
        CONTENT[AHEAD + 3000 : AHEAD + 3100],
    ]
    assert len(transport.asked) == 1


def test_distant_ranges_are_several(source: RemoteSource, transport: Recorder) -> None:
    source.read_ranges([(AHEAD, 100), (AHEAD + 20_000, 100)])
    assert [end - start for start, end in transport.asked] == [1024, 1024]


def test_long_ranges_are_cut(source: RemoteSource, transport: Recorder) -> None:
    assert source.read_at(AHEAD, 15_000) == CONTENT[AHEAD : AHEAD + 15_000]
    assert [end - start for start, end in transport.asked] == [8192, 8192]


def test_a_range_beyond_the_end_is_short(source: RemoteSource) -> None:
    assert source.read_at(len(CONTENT) - 5, 100) == CONTENT[-5:]
    assert source.read_at(len(CONTENT) + 5, 100) == b""
    assert source.read_at(AHEAD, 1 << 60) == CONTENT[AHEAD:]
    assert source.read_ranges([(len(CONTENT) - 1, 9), (len(CONTENT), 9)]) == [CONTENT[-1:], b""]


def test_what_is_used_least_recently_leaves(source: RemoteSource, transport: Recorder) -> None:
    source.read_at(AHEAD, 1)
    for offset in range(AHEAD + 4096, len(CONTENT), 4096):
        source.read_at(AHEAD, 1)
        source.read_at(offset, 1)
    for offset in range(0, 64_000, 1024):
        source.read_at(AHEAD, 1)
        source.read_at(offset, 1)
    before = len(transport.asked)
    source.read_at(AHEAD, 1)
    assert len(transport.asked) == before
    source.read_at(AHEAD + 4096, 1)
    assert len(transport.asked) == before + 1


def test_what_failed_is_asked_for_again(source: RemoteSource, transport: Recorder) -> None:
    transport.fails = 1
    with pytest.raises(RemoteError):
        source.read_at(AHEAD, 10)
    assert source.read_at(AHEAD, 10) == CONTENT[AHEAD : AHEAD + 10]


def test_what_failed_in_the_background_is_no_error(
    source: RemoteSource, transport: Recorder
) -> None:
    transport.fails = 1
    source.fetch_soon([(AHEAD, 10)])
    transport.pool.submit(lambda: None).result()
    with source.read_ahead([(AHEAD + 10_000, 10)]):
        assert source.read_at(AHEAD + 10_000, 10) == CONTENT[AHEAD + 10_000 : AHEAD + 10_010]


def test_two_threads_share_a_request(source: RemoteSource, transport: Recorder) -> None:
    transport.go_on.clear()
    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(source.read_at, AHEAD, 10) for _ in range(2)]
        while not transport.asked:
            pass
        transport.go_on.set()
        assert {one.result() for one in found} == {CONTENT[AHEAD : AHEAD + 10]}
    assert len(transport.asked) == 1


def test_a_closed_source_reads_nothing(source: RemoteSource) -> None:
    source.close()
    with pytest.raises(ClosedError, match="test://content is closed"):
        source.read_ranges([(0, 1)])


ranges = st.lists(
    st.tuples(st.integers(0, len(CONTENT) + 10), st.integers(0, 40_000)), min_size=1, max_size=8
)
sizes = {
    "block_bytes": st.integers(512, 5000),
    "cache_bytes": st.integers(0, 100_000),
    "gap_bytes": st.integers(0, 10_000),
    "request_bytes": st.integers(0, 30_000),
}


@given(wanted=ranges, options=st.fixed_dictionaries(sizes))
def test_any_ranges_give_the_bytes_of_the_file(
    wanted: list[tuple[int, int]], options: dict[str, int]
) -> None:
    expected = [CONTENT[offset : offset + count] for offset, count in wanted]
    with RemoteSource(Recorder(**options)) as source:
        assert source.read_ranges(wanted) == expected
        with source.read_ahead(wanted):
            assert [source.read_at(*one) for one in wanted] == expected
        buffer = bytearray(40_000)
        for (offset, count), right in zip(wanted, expected):
            found = source.read_into(offset, memoryview(buffer)[:count])
            assert bytes(buffer[:found]) == right


@given(
    blocks=st.sets(st.integers(0, 200)), gap=st.integers(0, 9), most=st.integers(1, 20)
)  # fmt: skip
def test_runs_hold_all_blocks_once(blocks: set[int], gap: int, most: int) -> None:
    runs = runs_of(blocks, gap, most)
    covered = [number for run in runs for number in run]
    assert len(covered) == len(set(covered))
    assert blocks <= set(covered)
    assert all(len(run) <= most and run.start in blocks and run.stop - 1 in blocks for run in runs)


@given(wanted=ranges, block=st.integers(1, 5000))
def test_blocks_are_those_that_ranges_touch(wanted: list[tuple[int, int]], block: int) -> None:
    size = len(CONTENT)
    touched = {
        at // block for offset, count in wanted for at in (offset, offset + count - 1)
        if count and offset <= at < size
    }  # fmt: skip
    found = blocks_of(wanted, block, size)
    assert touched <= set(found)
    assert len(found) == len(set(found))
    assert all(0 <= number * block < size for number in found)


def test_reading_ahead_stays_a_window_before_what_is_used() -> None:
    asked: list[list[int]] = []
    ahead = ReadAhead(range(20), 8, asked.append)
    ahead.start()
    assert asked == [list(range(8))]
    ahead.used([0])
    assert len(asked) == 1  # a quarter of the window at a time
    ahead.used([1])
    assert asked[1:] == [[8, 9]]


def test_a_reader_that_overtakes_takes_reading_ahead_along() -> None:
    asked: list[list[int]] = []
    ahead = ReadAhead(range(40), 8, asked.append)
    ahead.start()
    ahead.used([20])  # 0 to 7 will never be used
    assert asked[1:] == [list(range(8, 16))]


def test_stopped_reading_ahead_asks_for_nothing() -> None:
    asked: list[list[int]] = []
    ahead = ReadAhead(range(20), 4, asked.append)
    ahead.start()
    ahead.stop()
    ahead.used(range(4))
    assert len(asked) == 1


def test_a_cache_without_room_keeps_nothing() -> None:
    cache = BlockCache(0, 10, 0, 4, lambda request: None)
    _, (request,) = cache.take([1, 2])
    cache.complete(request, b"x" * 20)
    assert len(cache) == 0
    assert request.part(2) == b"x" * 10
    assert len(cache.take([1])[1]) == 1
