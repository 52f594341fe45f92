"""``czictypes check``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from container.czi_bytes import Tile
from good_file import good_file, good_tiles, xml_of

Run = Callable[..., Any]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Give a good file, one with a warning and one with an error."""
    broken = good_file()
    return {
        "good": good_file().write(tmp_path / "good.czi"),
        "odd": good_file(xml=xml_of(channels=3)).write(tmp_path / "odd.czi"),
        "bad": broken.patched(broken.subblocks[1], "<4s", b"NONE").write(tmp_path / "bad.czi"),
    }


@pytest.mark.parametrize(("name", "code"), [("good", 0), ("odd", 1), ("bad", 2)])
def test_exit_codes(name: str, code: int, files: dict[str, Path], run: Run) -> None:
    result = run("check", files[name])
    assert (result.code, result.err) == (code, "")
    assert str(files[name]) in result.out


def test_infos_alone_give_0(tmp_path: Path, run: Run) -> None:
    tiles = [Tile(x=3 * m, coordinates={"C": c, "B": 0}, m=m) for c in (0, 1) for m in (0, 1)]
    path = good_file(tiles, xml_of("<SizeB>1</SizeB>")).write(tmp_path / "b.czi")
    result = run("check", path)
    assert result.code == 0
    assert "info: the sub-block directory [benabled]" in result.out


def test_the_worst_file_counts(files: dict[str, Path], tmp_path: Path, run: Run) -> None:
    assert run("check", files["bad"], files["good"]).code == 2
    result = run("check", files["good"], tmp_path / "missing.czi", files["odd"])
    assert result.code == 5
    assert "missing.czi" in result.err
    assert "odd.czi" in result.out


def test_each_finding_has_place_message_and_remedy(files: dict[str, Path], run: Run) -> None:
    lines = run("check", files["bad"]).out.splitlines()
    assert lines[0] == f"{files['bad']}: 2 errors"
    assert any("sub-block 1 (C0, M1, x 3, y 0) at byte" in line for line in lines)
    assert sum("what to do:" in line for line in lines) == 2


def test_the_advice_names_commands(files: dict[str, Path], run: Run) -> None:
    out = run("check", files["bad"]).out
    assert "czictypes repair" in out
    assert "czi.repair" not in out


def test_json(files: dict[str, Path], run: Run) -> None:
    result = run("check", "--json", "--pixels", files["good"], files["bad"])
    good, bad = result.json
    assert (good["ok"], bad["ok"], result.code) == (True, False, 2)
    assert good["pixels"] is True
    assert bad["findings"][0]["severity"] == "error"


def test_quick_reads_no_tiles(files: dict[str, Path], run: Run) -> None:
    assert run("check", "--quick", files["bad"]).code == 0


def test_quick_and_pixels_exclude_each_other(files: dict[str, Path], run: Run) -> None:
    result = run("check", "--quick", "--pixels", files["good"])
    assert (result.code, result.out) == (2, "")


def test_names_cannot_reach_the_terminal(tmp_path: Path, run: Run) -> None:
    xml = xml_of(channel="<PixelType>\x9b31m</PixelType><ComponentBitCount>8</ComponentBitCount>")
    result = run("check", good_file(good_tiles(), xml).write(tmp_path / "odd.czi"))
    assert "\x9b" not in result.out


def test_info_tells_the_worst(tmp_path: Path, run: Run, extra: Callable[[str], Any]) -> None:
    extra("rich")
    broken = good_file([*good_tiles(), Tile(x=9, w=0, coordinates={"C": 0}, m=2)])
    path = broken.write(tmp_path / "bad.czi")
    (values,) = run("info", "--json", path).json
    assert values["check"]["worst"] == "error"
    assert values["check"]["finding"]["check"] == "subblkentries"
    assert "check" in run("info", path).out
    good = good_file().write(tmp_path / "good.czi")
    (values,) = run("info", "--json", good).json
    assert values["check"]["worst"] is None
    assert "error" not in run("info", good).out
