"""``czictypes check`` and ``czictypes repair``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from container.czi_bytes import AttachedFile, Tile, build_czi
from good_file import good_file, good_tiles, xml_of

from czictypes.cli.main import main

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


@pytest.mark.parametrize(
    ("fields", "remedy"),
    [
        ("<Scaling><Items><Distance Id='X'><Value>?</Value></Distance></Items></Scaling>",
         "czictypes edit --pixel-size or --z-step changes it in place"),
        ("<Information><Document><Rating>?</Rating></Document></Information>",
         "czictypes edit --rating changes it in place"),
        ("<Information><Document><CreationDate>?</CreationDate></Document></Information>",
         "czictypes edit --creation-date changes it in place"),
        ("<DisplaySetting><Channels><Channel Id='Channel:0'><Color>?</Color></Channel></Channels>"
         "</DisplaySetting>", "czictypes edit --channel-color changes it in place"),
        ("<Information><CustomAttributes><KeyValue><a Type='Int32'>?</a></KeyValue>"
         "</CustomAttributes></Information>", "czictypes edit --attribute changes it in place"),
        ("<Information><Image><SizeC>9</SizeC></Image></Information>",
         "in Python, czi.edit_czi changes it in place: set_xml(...)"),
    ],
)  # fmt: skip
def test_the_advice_names_the_option_that_changes_a_field(
    tmp_path: Path, run: Run, fields: str, remedy: str
) -> None:
    xml = f"<ImageDocument><Metadata>{fields}</Metadata></ImageDocument>"
    path = good_file(xml=xml.encode()).write(tmp_path / "odd.czi")
    result = run("check", "--quick", path)
    assert f"what to do: {remedy}\n" in result.out, result.out


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


Repair = Callable[..., tuple[int, str, str]]

FILE = build_czi(
    [Tile(x=4 * m, coordinates={"C": 0, "S": 1}, m=m) for m in range(3)],
    attachments=[AttachedFile(b"Notes", b"TXT", b"free")],
)


@pytest.fixture
def repair(capsys: pytest.CaptureFixture[str]) -> Repair:
    def call(*arguments: object) -> tuple[int, str, str]:
        code = main(["repair", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    data = bytearray(FILE.data)
    for lost in (FILE.subblocks[1], FILE.metadata, FILE.attachments[0]):
        data[lost : lost + 60] = bytes(60)
    path = tmp_path / "broken.czi"
    path.write_bytes(data)
    return path


def test_what_is_lost_is_listed(repair: Repair, broken: Path, tmp_path: Path) -> None:
    code, said, errors = repair(broken, tmp_path / "repaired.czi")
    assert (code, errors) == (3, "")
    assert said.splitlines()[1:] == [
        "rebuilt: the metadata, from the pixels",
        "lost: C=0, scene 1, M=1, 4 x 3 at 4, 0: its segment is destroyed",
        "lost: attachment Notes: its segment is destroyed",
    ]


def test_a_lost_list_of_attachments_is_no_attachment(repair: Repair, tmp_path: Path) -> None:
    (tmp_path / "cut.czi").write_bytes(FILE.data[: FILE.attachments[0]])
    _, said, _ = repair(tmp_path / "cut.czi", tmp_path / "repaired.czi")
    assert any(line.startswith("lost: the list of attachments: ") for line in said.splitlines())


def test_a_whole_file_loses_nothing(repair: Repair, tmp_path: Path) -> None:
    path = FILE.write(tmp_path / "whole.czi")
    code, said, _ = repair(path, tmp_path / "repaired.czi")
    assert (code, said.splitlines()[-1]) == (0, "nothing is lost")


def test_the_report_is_printed_as_json(repair: Repair, broken: Path, tmp_path: Path) -> None:
    code, said, _ = repair(broken, tmp_path / "repaired.czi", "--json")
    report = json.loads(said)
    assert code == 3
    assert (report["complete"], report["sub_blocks"], report["directory"]) == (False, 2, "kept")
    (lost,) = report["lost"]
    assert lost == {
        "plane": {"C": 0}, "scene": 1, "m_index": 1, "is_pyramid": False,
        "rectangle": {"x": 4, "y": 0, "w": 4, "h": 3}, "position": FILE.subblocks[1],
        "reason": "its segment is destroyed",
    }  # fmt: skip


def test_the_source_is_not_replaced(repair: Repair, broken: Path) -> None:
    before = broken.read_bytes()
    code, _, errors = repair(broken, broken, "--overwrite")
    assert (code, broken.read_bytes()) == (2, before)
    assert "name another file to write" in errors


def test_an_existing_file_is_replaced_only_if_told(
    repair: Repair, broken: Path, tmp_path: Path
) -> None:
    target = tmp_path / "repaired.czi"
    target.write_bytes(b"before")
    code, _, errors = repair(broken, target)
    assert (code, target.read_bytes()) == (1, b"before")
    assert "--overwrite replaces it" in errors
    assert repair(broken, target, "--overwrite")[0] == 3


def test_nothing_to_recover_is_an_error(repair: Repair, tmp_path: Path) -> None:
    broken, target = tmp_path / "broken.czi", tmp_path / "repaired.czi"
    broken.write_bytes(FILE.data[:700])
    code, said, errors = repair(broken, target)
    assert (code, said, target.exists()) == (1, "", False)
    assert "nothing can be recovered" in errors
