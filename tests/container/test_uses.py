"""Uses: closing waits for those of other threads, and an interrupt leaves none behind."""

from __future__ import annotations

import threading

import pytest

from czictypes.container.uses import Use, Uses
from czictypes.container.workers import Task, Workers, settle
from czictypes.model.errors import ClosedError


def test_what_has_ended_refuses_uses_by_its_name() -> None:
    uses = Uses()
    uses.end()
    with pytest.raises(ClosedError, match=r"image\.czi is closed"), Use(uses, "image.czi"):
        pass
    assert uses.idle()


def test_waiting_returns_after_the_use_of_another_thread() -> None:
    uses, order = Uses(), []
    waiting = threading.Thread(target=lambda: (uses.wait(), order.append("returned")))
    with Use(uses, "thing"):
        assert uses.here()
        uses.end()
        waiting.start()
        uses.wait()  # not for this thread itself
        order.append("leaving")
    waiting.join()
    assert order == ["leaving", "returned"]


def test_uses_that_are_over_are_forgotten() -> None:
    uses = Uses()
    for _ in range(1000):
        with Use(uses, "thing"):
            pass
    assert len(uses._held) < 100
    assert uses.idle()


def test_a_task_is_done_by_a_worker_or_by_who_claims_it() -> None:
    hold = threading.Event()
    workers = Workers(1, "helpers")
    first, second = Task(lambda: hold.wait(60)), Task(lambda: 2)
    workers.submit(first, second)
    assert second.claim()
    hold.set()
    assert first.result() is True
    settle([first, second])
    workers.close()
    assert not second.done


def test_an_error_of_a_task_reaches_who_asks() -> None:
    workers = Workers(2, "helpers")
    task = Task(lambda: 1 / 0)
    workers.submit(task)
    with pytest.raises(ZeroDivisionError):
        task.result()
    workers.close()
