"""Work in threads, results in order, memory bounded."""

from __future__ import annotations

import threading

import pytest

from czictypes.writing.pipeline import OrderedPipeline


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_results_come_in_the_order_of_the_work(threads: int) -> None:
    results: list[int] = []
    pipeline: OrderedPipeline[int] = OrderedPipeline(threads, results.append)
    for number in range(50):
        pipeline.submit(lambda number=number: number, at_once=number % 3 == 0)  # type: ignore[misc]
    pipeline.drain()
    pipeline.close()
    assert results == list(range(50))


def test_a_bounded_number_waits_for_its_turn() -> None:
    begun, go_on = [0], threading.Event()
    lock = threading.Lock()

    def work() -> int:
        with lock:
            begun[0] += 1
        go_on.wait(60)
        return 1

    results: list[int] = []
    pipeline: OrderedPipeline[int] = OrderedPipeline(2, results.append)
    for _ in range(4):
        pipeline.submit(work)
    assert results == []
    assert begun[0] <= 2
    threading.Timer(0.05, go_on.set).start()
    pipeline.submit(work)  # the fifth waits for the first
    assert len(results) >= 1
    pipeline.drain()
    pipeline.close()
    assert len(results) == 5


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_of_the_work_reaches_the_caller(threads: int) -> None:
    def fail() -> int:
        raise ValueError("no good")

    results: list[int] = []
    pipeline: OrderedPipeline[int] = OrderedPipeline(threads, results.append)
    pipeline.submit(lambda: 1)

    def rest() -> None:
        pipeline.submit(fail)
        pipeline.submit(lambda: 2)
        pipeline.drain()

    with pytest.raises(ValueError, match="no good"):
        rest()
    pipeline.close()
    assert results == [1]


def test_close_drops_what_waits() -> None:
    results: list[int] = []
    hold = threading.Event()
    pipeline: OrderedPipeline[int] = OrderedPipeline(2, results.append)
    for _ in range(3):
        pipeline.submit(lambda: int(hold.wait(60)))
    hold.set()
    pipeline.close()
    pipeline.drain()
    assert results == []
