"""A cached property is computed once for each object, and knows no lock."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from czictypes.model.cached import cached_property


class Thing:
    def __init__(self) -> None:
        self.computed = 0
        self.waiting = threading.Barrier(1)

    @cached_property
    def value(self) -> list[int]:
        """Some value."""
        self.computed += 1
        self.waiting.wait()
        return [self.computed]


def test_the_value_is_computed_once_for_each_object() -> None:
    one, other = Thing(), Thing()
    assert one.value is one.value
    assert one.value is not other.value
    assert one.computed == 1


def test_threads_that_ask_at_once_get_the_same_value() -> None:
    thing = Thing()
    thing.waiting = threading.Barrier(4)  # none of them would pass if one excluded the others
    with ThreadPoolExecutor(4) as pool:
        values = list(pool.map(lambda _: thing.value, range(4)))
    assert all(value is values[0] for value in values)


def test_the_documentation_stays() -> None:
    assert Thing.value.__doc__ == "Some value."
