"""Files cut and overwritten at random: everything whose segment is whole is recovered.

Set CZICTYPES_TEST_REPAIRS for more than 60; the seed is that of all random tests (`seeds.py`).
"""

from __future__ import annotations

import contextlib
import io
import os
from collections import Counter
from pathlib import Path

import pytest
import seeds
from container.mutations import mutate, seed_files
from writing.repair.damage import (
    Stored,
    contents_of,
    damage,
    segments_of,
    write_source,
)

from czictypes.model.errors import CorruptFileError, CziError, UnsupportedDataError
from czictypes.reading.reader import CziReader
from czictypes.writing.repair import RepairReport, repair

COUNT = int(os.environ.get("CZICTYPES_TEST_REPAIRS", "60"))


def run(folder: Path, number: int) -> tuple[str, Counter[str]]:
    """Damage a file and repair it; return what is wrong with the result, and counts."""
    rng = seeds.generator_for(f"repair {number}")
    source = write_source(folder / "source.czi", rng)
    before, contents = segments_of(source.read_bytes()), contents_of(source.read_bytes())
    damaged = damage(source.read_bytes(), rng)
    source.write_bytes(damaged.data)
    whole = [one for one in before if damaged.is_whole(one.start, one.end)]
    kept = [one for one in contents if damaged.is_whole(one.start, one.end)]
    counts = Counter(files=1, segments=len(before), whole=len(whole), contents=len(kept))
    target = folder / "target.czi"
    target.unlink(missing_ok=True)
    try:
        report = repair(source, target)
    except CorruptFileError as error:
        counts["nothing"] += 1
        problem = f"{len(whole)} are whole: {error}" if whole else ""
        return problem or ("a file is left" if target.exists() else ""), counts
    after = [one.content for one in segments_of(target.read_bytes())]
    counts["recovered"] += len(after)
    if source.read_bytes() != damaged.data:
        return "the source was changed", counts
    label = segments_of(source.with_suffix(".label.czi").read_bytes())
    # If nothing else is left, it could be a file that lost its header.
    if (whole or kept) and any(one.content in after for one in label):
        counts["limits"] += 1
    there = [one.data for one in contents_of(target.read_bytes())]
    gone = [one.start for one in kept if one.data not in there]
    counts["limits"] += bool(gone)
    return problem_with(before, whole, after, report) or unreadable(target), counts


def problem_with(
    before: list[Stored],
    whole: list[Stored],
    after: list[tuple[bytes, ...]],
    report: RepairReport,
) -> str:
    missing = [one.start for one in whole if one.content not in after]
    if missing:
        return f"the sub-blocks at {missing} are whole, but not recovered: {report}"
    if len(after) != report.sub_blocks:
        return f"{len(after)} sub-blocks are there, {report.sub_blocks} reported"
    if len(set(after)) < len(after):
        return "a sub-block is there twice"
    if len(whole) == len(before) and report.lost and report.directory == "kept":
        return f"all are whole, but {list(map(str, report.lost))}"
    if len(whole) < len(before) and report.directory == "kept":
        told = [tile.position for tile in (*report.lost, *report.doubtful)]
        entries = [one[0] for one in after]
        silent = [one.start for one in before if one.entry not in entries and one.start not in told]
        moved = set(told) - {one.start for one in before}  # told of where they were found
        if len(silent) > len(moved):
            return f"nothing is said of the sub-blocks at {silent}"
    return ""


def unreadable(target: Path) -> str:
    with CziReader(target) as document:
        for index in range(len(document.subblocks)):
            with contextlib.suppress(UnsupportedDataError):  # the label is damaged
                document.read_subblock(index).pixels()
        if "<ImageDocument>" not in document.raw_metadata:
            return "there is no XML"
    return ""


def test_what_is_whole_is_recovered_bit_for_bit(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    problems = []
    for number in range(COUNT):
        problem, more = run(tmp_path, number)
        counts += more
        if problem:
            problems.append(f"repair {number}: {problem}")
    print(f"seed {seeds.run_seed()}: {dict(counts)}")
    assert not problems, "\n".join(problems[:20])
    assert counts["whole"] > COUNT
    # Other parts than sub-blocks: one in some thousand files, see docs/repairing.md.
    assert counts["limits"] <= 1 + COUNT // 500


@pytest.mark.filterwarnings("ignore::czictypes.model.errors.MetadataWarning")
def test_absurd_fields_are_repaired_or_refused() -> None:
    """Fields of files of every kind are set to anything, consistently or not."""
    files = seed_files()
    outcomes: Counter[str] = Counter()
    for number in range(COUNT):
        name = sorted(files)[number % len(files)]
        data = mutate(files[name], seeds.generator_for(f"absurd {number}"))
        target = io.BytesIO()
        try:
            report = repair(io.BytesIO(data), target)
        except CziError:
            outcomes["refused"] += 1
            assert target.getvalue() == b""
            continue
        outcomes["repaired"] += 1
        report.to_dict()
        with CziReader(io.BytesIO(target.getvalue())) as document:
            assert len(document.subblocks) >= report.sub_blocks
    print(f"seed {seeds.run_seed()}: {dict(outcomes)}")
    assert outcomes["repaired"] > COUNT // 4
