"""A call goes through few files of the package; ``python tests/hops.py -v`` lists them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from extras import needs
from hops import JOURNEYS, Trace

from czictypes.kernel.library import get_kernel

READ, ARRAY, CONVERT, WRITE = JOURNEYS


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Trace]:
    """Give a function that returns the trace of a journey."""
    made: dict[str, Trace] = {}

    def of(journey: str) -> Trace:
        if get_kernel() is None:
            pytest.skip("there is no kernel, and reads without it go another way")
        if journey == CONVERT:
            needs("zarr.abc", "ome-zarr")
        if journey not in made:
            with JOURNEYS[journey](tmp_path_factory.mktemp("hops")) as trace:
                made[journey] = trace
        return made[journey]

    return of


def at_most(limit: int, journey: str, measure: str) -> Any:
    """Return what is held."""
    return pytest.param(limit, journey, measure, id=f"{journey}: {measure}")


@pytest.mark.parametrize(
    ("limit", "journey", "measure"),
    [
        at_most(14, READ, "files"),
        at_most(25, READ, "hops"),
        at_most(1, READ, "stats"),
        at_most(20, ARRAY, "files"),
        # The house wants 55. A document is opened and read (36 files), its metadata are parsed and
        # described in OME-XML (9), it becomes an array (9) and a store (12), channels that tell no
        # limits get some (2), and all of these share plain values (4). Fewer files would be longer
        # than 450 lines, or would join subjects.
        at_most(72, CONVERT, "files"),
        at_most(3, CONVERT, "stats"),
        at_most(36, WRITE, "files"),  # the house names no number
    ],
)
def test_a_call_goes_through_few_files(
    traced: Callable[[str], Trace], limit: int, journey: str, measure: str
) -> None:
    assert getattr(traced(journey), measure) <= limit
