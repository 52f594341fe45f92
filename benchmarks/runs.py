"""The parts of a scenario: calls that are timed, and what they are compared with."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple

from benchmarks.files import Files

__all__ = ["Call", "Runs", "Scenario"]

Call = Callable[[], Any]


class Runs(NamedTuple):
    """A scenario, ready to be run.

    Parameters
    ----------
    calls
        By package, czictypes first.
    limits
        What the machine can do at best: nobody can be faster who does all of the work.
    before
        Called before each of them, and not timed.
    outcome
        What makes a call's result of what it gave, to be compared; the same unless given.
    compared
        Whether the results must be equal.
    """

    calls: dict[str, Call]
    limits: dict[str, Call]
    before: Call | None = None
    outcome: Callable[[Any], Any] | None = None
    compared: bool = True


Scenario = Callable[[Files, ExitStack], Runs]
