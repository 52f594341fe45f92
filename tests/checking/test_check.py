"""`czi.check` as a whole: what it reads, what it gives back, on any file and source."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from container.czi_bytes import Tile
from container.mutations import mutate, seed_files
from extras import needs
from good_file import good_file, good_tiles, xml_of
from pages import ROOT
from remote.server import serving

from czictypes import czi
from czictypes.checking import check as module
from czictypes.checking.file_view import Check


class Counting(io.BytesIO):
    """Counts the bytes that are read."""

    count = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        number = super().readinto(buffer)
        self.count += number
        return number


def test_real_files_have_no_error(every_real_file: Path) -> None:
    report = czi.check(every_real_file, pixels=True)
    assert report, str(report)
    assert {one.check for one in report.findings if one.severity == "warning"} <= {
        "basicxmlmetadata",
        "bitcount",
    }


def test_quick_reads_the_directory_alone() -> None:
    tiles = [Tile(x=100 * n, w=100, h=100, m=n, data=bytes(10_000)) for n in range(200)]
    built = good_file(tiles)
    stream = Counting(built.data)
    report = czi.check(stream, quick=True)
    assert report.quick
    assert stream.count < len(built.data) - built.metadata + (1 << 17)
    assert len(built.data) > 2_000_000
    whole = Counting(built.data)
    czi.check(whole)
    assert whole.count < len(built.data) / 2
    everything = Counting(built.data)
    czi.check(everything, pixels=True)
    assert everything.count > 2_000_000


def test_a_report_as_plain_values() -> None:
    broken = good_file([*good_tiles(), Tile(w=0, coordinates={"C": 0}, m=2)])
    report = czi.check(io.BytesIO(broken.data), quick=True)
    values = json.loads(json.dumps(report.to_dict()))
    assert values["ok"] is False
    assert values["worst"] == "error"
    assert values["counts"]["error"] == 1
    assert values["sub_blocks"] == 5
    assert values["quick"] is True
    assert values["checks"] == list(report.checks)
    first = values["findings"][0]
    assert set(first) == {
        "check", "severity", "place", "message", "remedy", "sub_block", "offset",
    }  # fmt: skip
    assert first["check"] == "subblkentries"
    assert first["sub_block"] == 4


def test_the_worst_comes_first() -> None:
    tiles = [*good_tiles(), Tile(w=0, coordinates={"C": 0, "B": 0}, m=2)]
    built = good_file(tiles, xml_of(channels=3))
    severities = [one.severity for one in czi.check(io.BytesIO(built.data)).findings]
    assert severities == sorted(severities, key=["error", "warning", "info"].index)
    assert {"error", "warning", "info"} == set(severities)


def test_many_findings_are_counted_not_listed() -> None:
    tiles = [Tile(x=4 * n, m=n, pixel_type=99, data=bytes(12)) for n in range(250)]
    report = czi.check(io.BytesIO(good_file(tiles).data), quick=True)
    assert len(report.of("subblkentries")) == 100
    assert report.unlisted["subblkentries"] == 150
    assert report.counts["error"] == 250
    assert "150 more of subblkentries" in str(report)


def test_progress_counts_sub_blocks() -> None:
    told: list[tuple[int, int]] = []
    czi.check(
        io.BytesIO(good_file().data),
        pixels=True,
        progress=lambda done, all: told.append((done, all)),
    )
    assert told[-1] == (8, 8)


def test_an_error_of_the_callers_progress_reaches_the_caller() -> None:
    def stop(done: int, total: int) -> None:
        raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        czi.check(io.BytesIO(good_file().data), progress=stop)


def test_a_check_that_fails_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(view: Any) -> Any:
        np.zeros(2)[5]
        yield

    checks = (Check("newcheck", fails),)
    monkeypatch.setattr(module, "_QUICK", checks)
    monkeypatch.setitem(fails.__globals__, "__name__", "czictypes.checking.new")
    (finding,) = czi.check(io.BytesIO(good_file().data), quick=True).findings
    assert (finding.check, finding.severity) == ("newcheck", "error")
    assert "the check stopped" in finding.message


def test_quick_and_pixels_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="pixels=True"):
        czi.check(io.BytesIO(), quick=True, pixels=True)


def test_the_page_names_every_check() -> None:
    page = (ROOT / "docs" / "checking.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.endswith(("| q |", "| p |"))]
    rows += [line.split("|")[1] for line in page.splitlines() if line.endswith("| |")]
    named = {name for row in rows for name in re.findall(r"`([a-z]+)`", row)}
    assert named == set(czi.check(io.BytesIO(good_file().data), pixels=True).checks)


def test_a_repaired_file_has_no_error(tmp_path: Path) -> None:
    built = good_file()
    for number, broken in enumerate(
        (
            built.cut(built.subblocks[3] + 290),
            built.patched(84, "<q", 0),
            built.patched(built.subblocks[2], "<4s", b"NONE"),
        )
    ):
        damaged = broken.write(tmp_path / f"damaged{number}.czi")
        repaired = tmp_path / f"repaired{number}.czi"
        assert not czi.check(damaged)
        czi.repair(damaged, repaired)
        assert czi.check(repaired, pixels=True)


def test_what_is_not_there_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        czi.check(tmp_path / "missing.czi")


def test_an_empty_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "empty.czi").write_bytes(b"")
    report = czi.check(tmp_path / "empty.czi", pixels=True)
    assert not report
    assert report.sub_blocks is None


def test_a_file_object_stays_open() -> None:
    stream = io.BytesIO(good_file().data)
    czi.check(stream)
    assert not stream.closed


def test_a_remote_file() -> None:
    needs("fsspec.implementations.http")
    with serving() as server:
        url = server.put("/cells.czi", good_file().data)
        report = czi.check(url, pixels=True)
        assert report.findings == ()
        assert report.file == url
        with pytest.raises(FileNotFoundError):
            czi.check(url + "x")


def test_a_path_may_be_bytes(tmp_path: Path) -> None:
    path = good_file().write(tmp_path / "cells.czi")
    assert czi.check(str(path).encode()).file == str(path)


@pytest.mark.parametrize("name", sorted(seed_files()))
def test_damage_is_reported_never_raised(name: str, rng: np.random.Generator) -> None:
    built = seed_files()[name]
    assert not any("stopped" in one.message for one in czi.check(_opened(built.data)).findings)
    for _ in range(20):
        report = czi.check(_opened(mutate(built, rng)), pixels=True)
        assert not [one for one in report.findings if "the check stopped" in one.message]
        json.dumps(report.to_dict())


def _opened(data: bytes) -> io.BytesIO:
    return io.BytesIO(data)
