"""Random damage to small files: everything is read or refused, nothing crashes or hangs.

Set CZICTYPES_TEST_MUTATIONS for more than 1,000, CZICTYPES_TEST_SEED to repeat a run.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
import seeds

from container.mutations import mutate, seed_files
from container.watched import WatchedTarget

COUNT = int(os.environ.get("CZICTYPES_TEST_MUTATIONS", "1000"))


def test_the_files_are_read_whole_before_they_are_damaged(tmp_path: Path) -> None:
    with WatchedTarget() as target:
        for name, built in seed_files().items():
            path = built.write(tmp_path / f"{name}.czi")
            problem, refused = target.run(path)
            refused = [text for text in refused if "the strict checks refuse" not in text]
            assert (problem, refused) == ("", []), name


def test_a_crash_is_noticed_and_the_next_file_is_tried(tmp_path: Path) -> None:
    """A file that no check has seen, to be sure that crashing is what would be found."""
    built = seed_files()["plain"]
    with WatchedTarget() as target:
        target.run(built.write(tmp_path / "right.czi"))
        process = target._running()
        process.kill()
        problem, _ = target.run(tmp_path / "right.czi")
        assert "it died with" in problem
        assert target.run(tmp_path / "right.czi") == ("", [])


@pytest.mark.slow
def test_no_mutation_crashes_the_process(tmp_path: Path) -> None:
    files = seed_files()
    names = sorted(files)
    outcomes: Counter[str] = Counter()
    problems: list[str] = []
    with WatchedTarget() as target:
        for number in range(COUNT):
            name = names[number % len(names)]
            path = tmp_path / f"{number}.czi"
            path.write_bytes(mutate(files[name], seeds.generator_for(f"mutation {number}")))
            problem, refused = target.run(path)
            if problem:
                problems.append(f"mutation {number} of {name}, kept as {path}: {problem}")
            else:
                outcomes["refused in part" if refused else "read whole"] += 1
                path.unlink()
    print(f"seed {seeds.run_seed()}: {dict(outcomes)}, {len(problems)} problems")
    assert not problems, f"{seeds.VARIABLE}={seeds.run_seed()}\n" + "\n".join(problems[:20])
    assert min(outcomes["refused in part"], outcomes["read whole"]) > COUNT // 20, outcomes
