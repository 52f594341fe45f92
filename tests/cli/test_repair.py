"""``czictypes repair``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from container.czi_bytes import AttachedFile, Tile, build_czi

from czictypes.cli.main import main

Run = Callable[..., tuple[int, str, str]]

FILE = build_czi(
    [Tile(x=4 * m, coordinates={"C": 0, "S": 1}, m=m) for m in range(3)],
    attachments=[AttachedFile(b"Notes", b"TXT", b"free")],
)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> tuple[int, str, str]:
        code = main(["repair", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def source(tmp_path: Path) -> Path:
    data = bytearray(FILE.data)
    for lost in (FILE.subblocks[1], FILE.metadata, FILE.attachments[0]):
        data[lost : lost + 60] = bytes(60)
    path = tmp_path / "broken.czi"
    path.write_bytes(data)
    return path


def test_what_is_lost_is_listed(run: Run, source: Path, tmp_path: Path) -> None:
    code, said, errors = run(source, tmp_path / "repaired.czi")
    assert (code, errors) == (3, "")
    assert said.splitlines()[1:] == [
        "rebuilt: the metadata, from the pixels",
        "lost: C=0, scene 1, M=1, 4 x 3 at 4, 0: its segment is destroyed",
        "lost: attachment Notes: its segment is destroyed",
    ]


def test_a_whole_file_loses_nothing(run: Run, tmp_path: Path) -> None:
    path = FILE.write(tmp_path / "whole.czi")
    code, said, _ = run(path, tmp_path / "repaired.czi")
    assert (code, said.splitlines()[-1]) == (0, "nothing is lost")


def test_the_report_is_printed_as_json(run: Run, source: Path, tmp_path: Path) -> None:
    code, said, _ = run(source, tmp_path / "repaired.czi", "--json")
    report = json.loads(said)
    assert code == 3
    assert (report["complete"], report["sub_blocks"], report["directory"]) == (False, 2, "kept")
    (lost,) = report["lost"]
    assert lost == {
        "plane": {"C": 0}, "scene": 1, "m_index": 1, "is_pyramid": False,
        "rectangle": {"x": 4, "y": 0, "w": 4, "h": 3}, "position": FILE.subblocks[1],
        "reason": "its segment is destroyed",
    }  # fmt: skip


def test_the_source_is_not_replaced(run: Run, source: Path) -> None:
    before = source.read_bytes()
    code, _, errors = run(source, source, "--overwrite")
    assert (code, source.read_bytes()) == (1, before)
    assert "name another file to write" in errors


def test_an_existing_file_is_replaced_only_if_told(run: Run, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "repaired.czi"
    target.write_bytes(b"before")
    code, _, errors = run(source, target)
    assert (code, target.read_bytes()) == (1, b"before")
    assert "--overwrite replaces it" in errors
    assert run(source, target, "--overwrite")[0] == 3


def test_nothing_to_recover_is_an_error(run: Run, tmp_path: Path) -> None:
    source, target = tmp_path / "broken.czi", tmp_path / "repaired.czi"
    source.write_bytes(FILE.data[:700])
    code, said, errors = run(source, target)
    assert (code, said, target.exists()) == (1, "", False)
    assert "nothing can be recovered" in errors
