"""Counting uses: what is retired is released once, after the last use."""

from __future__ import annotations

import threading

import pytest

from czictypes.model.errors import ClosedError
from czictypes.reading.lifetime import UseCount


def test_release_follows_the_last_use() -> None:
    released: list[int] = []
    uses = UseCount("thing", lambda: released.append(1))
    with uses.use(), uses.use():
        uses.retire(wait=False)
        assert released == []
    assert released == [1]


def test_retiring_twice_releases_once() -> None:
    released: list[int] = []
    uses = UseCount("thing", lambda: released.append(1))
    uses.retire(wait=True)
    uses.retire(wait=True)
    assert released == [1]


def test_a_retired_resource_refuses_uses_by_its_name() -> None:
    uses = UseCount("image.czi", lambda: None)
    uses.retire(wait=True)
    with pytest.raises(ClosedError, match=r"image\.czi is closed"):
        uses.enter()


def test_waiting_returns_after_the_use_of_another_thread() -> None:
    order: list[str] = []
    uses = UseCount("thing", lambda: order.append("released"))
    uses.enter()
    waiting = threading.Thread(target=lambda: (uses.retire(wait=True), order.append("returned")))
    waiting.start()
    order.append("leaving")
    uses.leave()
    waiting.join()
    assert order == ["leaving", "released", "returned"]
