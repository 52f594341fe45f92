"""Actions run in the order of their numbers, whichever thread brings them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from czictypes.reading.turns import Turns


@pytest.mark.parametrize("ahead", [1, 3, 100])
def test_actions_run_in_order_and_one_at_a_time(ahead: int) -> None:
    turns, done, numbers = Turns(ahead), [], iter(range(200))
    running, guard = [0], threading.Lock()

    def act(number: int) -> None:
        running[0] += 1
        assert running[0] == 1
        done.append(number)
        running[0] -= 1

    def work() -> None:
        while True:
            with guard:
                number = next(numbers, None)
            if number is None:
                return
            turns.run(number, partial(act, number))

    with ThreadPoolExecutor(5) as pool:
        for future in [pool.submit(work) for _ in range(5)]:
            future.result()
    assert done == list(range(200))


def test_who_comes_early_leaves_the_action_to_another() -> None:
    turns, done = Turns(3), []
    turns.run(1, lambda: done.append(1))
    turns.run(2, lambda: done.append(2))
    assert done == []
    turns.run(0, lambda: done.append(0))
    assert done == [0, 1, 2]


def test_who_is_too_far_ahead_waits() -> None:
    turns, done = Turns(2), []
    with ThreadPoolExecutor(1) as pool:
        far = pool.submit(turns.run, 2, lambda: done.append(2))
        assert not far.done()  # only the next line lets it end
        turns.run(0, lambda: done.append(0))
        far.result(60)
    turns.run(1, lambda: done.append(1))
    assert done == [0, 1, 2]


def test_after_a_stop_nothing_runs_and_nobody_waits() -> None:
    turns, done = Turns(1), []
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(turns.run, 1, lambda: done.append(1))
        turns.stop()
        waiting.result(60)
    turns.run(0, lambda: done.append(0))
    assert done == []


def test_an_error_of_an_action_reaches_who_runs_it() -> None:
    turns = Turns(4)

    def fail() -> None:
        raise ValueError("no good")

    turns.run(1, fail)
    with pytest.raises(ValueError, match="no good"):
        turns.run(0, lambda: None)
