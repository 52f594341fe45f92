"""``czictypes copy``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from files.block import Block
from files.builder import write_czi
from files.patterns import noise
from files.recipes import Made
from files.xml import document_xml, subblock_xml
from stored import stored_blocks

from czictypes.cli.main import main
from czictypes.model.pixel_types import PixelType
from czictypes.reading.reader import CziReader

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> tuple[int, str, str]:
        code = main(["copy", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "copy.czi"


@pytest.fixture
def source(made: Callable[[str], Made]) -> Path:
    return made("multi_scene_pyramid").path


def test_a_file_is_copied(run: Run, source: Path, target: Path) -> None:
    code, said, errors = run(source, target)
    assert (code, errors) == (0, "")
    assert said == f"{target}: 62 sub-blocks, {target.stat().st_size / 1e6:.1f} MB\n"
    assert stored_blocks(target) == stored_blocks(source)


def test_scenes_and_planes_are_chosen(run: Run, source: Path, target: Path) -> None:
    code, _, _ = run(source, target, "--scene", 0, 2, "--plane", "c=1", "--plane", "Z=0", "T=0-0")
    assert code == 0
    with CziReader(target) as read:
        assert set(read.scenes_bounding_rectangle) == {0, 2}
        assert set(read.subblocks["C"].tolist()) == {1}


def test_tiles_are_cut_to_a_region(run: Run, source: Path, target: Path) -> None:
    code, _, errors = run(source, target, "--roi", "5,6,40,30", "--crop")
    assert (code, errors) == (0, "")
    with CziReader(target) as read:
        assert read.total_bounding_rectangle == (5, 6, 40, 30)


def test_a_crop_without_a_region_is_refused(run: Run, source: Path, target: Path) -> None:
    code, _, errors = run(source, target, "--crop")
    assert code != 0
    assert "give --roi X,Y,W,H with it" in errors
    assert not target.exists()


def test_what_was_left_out_is_listed(run: Run, source: Path, target: Path) -> None:
    how = ("--renumber", "--compression", "zstd0:")
    _, said, _ = run(source, target, "--roi", "-5,-5,20,20", *how)
    assert said.splitlines()[1:] == [
        "removed: pyramid level 1 of scene 0 (it shows more than the region)",
        "removed: pyramid level 2 of scene 0 (it shows more than the region)",
    ]
    with CziReader(target) as read:
        assert set(read.subblocks["compression"].tolist()) == {5}


def test_the_former_names_of_options_work_and_are_not_shown(
    run: Run, source: Path, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        code, _, told = run(source, target, "--recompress", "zstd0:", "--force")
        assert (code, told) == (0, "")
    with CziReader(target) as read:
        assert set(read.subblocks["compression"].tolist()) == {5}
    assert main(["pyramid", str(source), "--output", str(target), "--force"]) == 0
    assert capsys.readouterr().out.startswith(str(target))
    for command in ("copy", "pyramid", "convert", "repair"):
        assert main([command, "--help"]) == 0
        shown = capsys.readouterr().out
        assert "--overwrite" in shown
        assert not any(old in shown for old in ("--recompress", "--force", "--output"))


def test_attachments_are_chosen(run: Run, made: Callable[[str], Made], target: Path) -> None:
    source = made("attached").path
    run(source, target, "--attachment", "Notes", "EventList")
    with CziReader(target) as read:
        assert read.attachments.names == ["EventList", "Notes"]
    _, said, _ = run(source, target, "--overwrite", "--anonymize")
    assert "removed: attachment EventList\nremoved: attachment Notes\n" in said
    run(source, target, "--force", "--no-attachments")
    with CziReader(target) as read:
        assert read.attachments.names == []


def test_an_anonymized_copy_lists_values_if_asked_to(run: Run, tmp_path: Path) -> None:
    block = Block(noise(PixelType.Gray8, 4, 4, 1), metadata=subblock_xml({"FocusPosition": "5"}))
    xml = document_xml(document="<Title>Jane</Title><Comment />", attributes="<Who>Doe</Who>")
    source = write_czi(tmp_path / "source.czi", [block], metadata=xml)
    _, said, _ = run(source, tmp_path / "copy.czi", "--anonymize")
    assert said.splitlines()[1:] == [
        "removed: values of the metadata in 3 places (--report lists them)"
    ]
    _, said, _ = run(source, tmp_path / "other.czi", "--anonymize", "--report")
    assert said.splitlines()[1:] == [
        "removed: ImageDocument/Metadata/Information/CustomAttributes/KeyValue/Who = 'Doe'",
        "removed: ImageDocument/Metadata/Information/Document/Comment",
        "removed: ImageDocument/Metadata/Information/Document/Title = 'Jane'",
        "kept: sub-block METADATA/Tags/FocusPosition = '5'",
    ]


def test_options_of_anonymizing(run: Run, made: Callable[[str], Made], target: Path) -> None:
    source = made("attached").path
    run(source, target, "--anonymize", "--keep-relative-times", "--keep-attachment", "Notes")
    with CziReader(target) as read:
        assert read.attachments.names == ["TimeStamps", "Notes"]
    code, _, errors = run(source, target, "--overwrite", "--keep-relative-times")
    assert code == 2
    assert "--keep-relative-times and --keep-attachment need --anonymize" in errors


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--scene", "9"], 2, "there is no scene 9; the document has the scenes"),
        (["--compression", "best"], 2, "compression options 'best'"),
        (["--plane", "C"], 2, "'C' is not of the form"),
        (["--plane", "Z=a"], 2, "'Z=a' is not of the form"),
        (["--plane", "Z=1-"], 2, "is not of the form"),
        (["--plane", "C=a"], 2, "there is no channel 'a'"),
        (["--scene", "a"], 2, "there is no scene 'a'"),
        (["--plane", "S=1"], 2, "use --scene"),
        (["--plane", "Q=1"], 2, "no dimension Q"),
        (["--roi", "1,2,3"], 2, "is not X,Y,W,H"),
    ],
)
def test_wrong_options_are_explained(
    run: Run, source: Path, target: Path, options: list[Any], code: int, message: str
) -> None:
    found, _, errors = run(source, target, *options)
    assert found == code
    assert message in errors
    assert not target.exists()


def test_a_file_that_is_there_is_kept(run: Run, source: Path, target: Path) -> None:
    target.write_bytes(b"mine")
    code, _, errors = run(source, target)
    assert code == 3
    assert "--overwrite replaces it" in errors
    assert target.read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("T=0-9/4", [0, 4, 8]), ("Z=2-5", [2, 3, 4, 5]), ("C= 0 , 3", [0, 3]), ("t=1,3-4", [1, 3, 4])],
)
def test_places_are_numbers_and_ranges(text: str, expected: list[int]) -> None:
    from czictypes.cli.arguments import places

    assert places(text) == (text[0].upper(), expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("C=0,Z=3", {"C": 0, "Z": 3}),
        ("z=2-4, T=0-99/50,C=1", {"Z": [2, 3, 4], "T": [0, 50], "C": 1}),
        ("C=DAPI,GFP,Z=1", {"C": ["DAPI", "GFP"], "Z": 1}),
    ],
)
def test_several_dimensions_may_be_one_word_as_in_plane(text: str, expected: object) -> None:
    from czictypes.cli.arguments import planes

    assert planes(text) == expected
