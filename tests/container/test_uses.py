"""Uses: closing waits for those of other threads, and an interrupt leaves none behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from czictypes.container.uses import Use, Uses
from czictypes.container.workers import Stopped, Task, Workers, aside, feed, settle
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


def test_items_are_made_here_and_taken_elsewhere_in_their_order() -> None:
    made, taken = set(), []

    def items() -> Iterator[int]:
        for number in range(100):
            made.add(threading.get_ident())
            yield number

    def take(line: Iterator[int]) -> None:
        taken.append(threading.get_ident())
        taken.extend(line)

    feed(items(), take)
    assert made == {threading.get_ident()}
    assert taken[0] not in made
    assert taken[1:] == list(range(100))


def test_items_that_nobody_takes_are_dropped() -> None:
    taken: list[int] = []
    feed(iter(range(1000)), lambda line: taken.append(next(line)))
    assert taken == [0]


def test_who_takes_items_has_ended_when_an_interrupt_of_the_maker_arrives() -> None:
    begun, ended = threading.Event(), []

    def items() -> Iterator[int]:
        yield 1
        begun.wait(60)
        raise KeyboardInterrupt

    def take(line: Iterator[int]) -> None:
        begun.set()
        try:
            for _ in line:
                pass
        except Stopped:
            ended.append("stopped")
            raise

    with pytest.raises(KeyboardInterrupt):
        feed(items(), take)
    assert ended == ["stopped"]


def test_an_error_of_who_takes_items_reaches_the_maker() -> None:
    with pytest.raises(ZeroDivisionError):
        feed(iter(range(1000)), lambda line: 1 // next(line))


def test_what_is_done_aside_is_done_by_another_thread() -> None:
    assert aside(threading.get_ident) != threading.get_ident()


def test_no_python_code_is_run_when_the_object_of_a_worker_goes() -> None:
    """Its end may come in the main thread, where an interrupt of that code would be lost."""
    workers = Workers(1, "helpers")
    task = Task(lambda: threading.current_thread() in threading._dangling)  # type: ignore[attr-defined]
    workers.submit(task)
    assert not task.result()
    workers.close()


def test_workers_leave_no_unknown_thread_behind() -> None:
    before = {*threading.enumerate()}
    for _ in range(10):
        workers = Workers(2, "helpers")
        task = Task(lambda: 1)
        workers.submit(task)
        task.result()
        workers.close()
    left = {thread.name for thread in {*threading.enumerate()} - before}
    assert not [name for name in left if not name.startswith("helpers")]  # these are ending
