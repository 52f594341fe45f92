"""Random damage to small files: all that users do with them works, or is refused; none crashes.

The suite tries the same files at each run: a fault that is found is new. `tox -e fuzz` tries
others, as many as you like. Set CZICTYPES_TEST_MUTATIONS and CZICTYPES_FUZZ_SEED for others here.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import seeds
from fuzz import Tally, make_case, run_cases
from fuzz_parts import PARTS, Trials, available_parts

from container.structures import seeds_by_name
from container.watched import Problem, WatchedTarget
from czictypes.model.errors import UnexpectedError

IS_CPYTHON = sys.implementation.name == "cpython"
COUNT = int(os.environ.get("CZICTYPES_TEST_MUTATIONS", "1000" if IS_CPYTHON else "200"))
SEED = os.environ.get("CZICTYPES_FUZZ_SEED", "652999470")
_ALL_READ = ("properties", "sub-blocks", "regions", "arrays", "labels", "check")


@pytest.mark.slow
def test_the_files_are_read_whole_before_they_are_damaged(tmp_path: Path) -> None:
    with WatchedTarget() as target:
        for name, seed in seeds_by_name().items():
            path = seed.build().write(tmp_path / f"{name}.czi")
            outcome = target.run(path, _ALL_READ)
            assert (outcome.problems, outcome.refused) == ([], []), name


def test_a_crash_is_noticed_and_the_next_file_is_tried(tmp_path: Path) -> None:
    """A file that no check has seen, to be sure that crashing is what would be found."""
    path = seeds_by_name()["plain"].build().write(tmp_path / "right.czi")
    with WatchedTarget() as target:
        target.run(path, ["properties"])
        target._running().kill()
        (problem,) = target.run(path, ["properties"]).problems
        assert problem.kind == "crash"
        assert "it died with" in problem.text
        assert target.run(path, ["properties"]).problems == []


def test_an_error_that_the_last_defence_caught_is_told_apart() -> None:
    trials = Trials()

    def fails() -> None:
        raise UnexpectedError("reading failed") from ZeroDivisionError("division by zero")

    assert trials.attempt(fails) is None
    assert trials.refused == []
    assert [str(error) for error in trials.unexpected] == ["division by zero"]


def test_problems_of_one_place_are_one(tmp_path: Path) -> None:
    tally = Tally()
    text = 'File "/x/tiles.py", line 3, in read\nFile "/x/pixels.py", line 9, in get\nKeyError: {}'
    with WatchedTarget() as target:
        path = seeds_by_name()["plain"].build().write(tmp_path / "right.czi")
        outcome = target.run(path, ["properties"])
    for number in (5, 77):
        problem = Problem("unexpected", "regions", text.format(number))
        tally.add(make_case(number, ["regions"]), outcome._replace(problems=[problem]), path)
    assert len(tally.problems) == 1
    assert "2 x unexpected in regions: KeyError: # < pixels.py" in str(tally)
    assert "case 5 (" in str(tally)


def test_a_case_is_the_same_every_time() -> None:
    parts = list(PARTS)
    assert make_case(7, parts) == make_case(7, parts)
    assert make_case(7, parts).data != make_case(19, parts).data


@pytest.mark.slow
def test_no_mutation_crashes_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(seeds.VARIABLE, SEED)
    tally = list(run_cases(range(COUNT), available_parts(), tmp_path))[-1]
    print(f"seed {SEED}: {tally}")
    assert not tally.problems, f"CZICTYPES_FUZZ_SEED={SEED}\n{tally}"
    counts = tally.outcomes
    assert min(counts["refused in part"], counts["read whole"]) > COUNT // 20, counts
