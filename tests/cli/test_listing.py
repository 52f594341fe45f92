"""``czictypes ls`` and ``czictypes attachments``."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.recipes import Made

from czictypes import czi

Run = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with two files, one in a folder below, and one that is no CZI."""
    below = tmp_path / "data" / "below"
    below.mkdir(parents=True)
    czi.imwrite(tmp_path / "data" / "wide.czi", np.zeros((2, 20, 90), np.uint16), "ZYX")
    czi.imwrite(tmp_path / "data" / "Small.CZI", np.zeros((3, 10, 11), np.uint8), "CYX")
    czi.imwrite(below / "deep.czi", np.zeros((4, 30, 31), np.uint8), "TYX", pixel_size=1e-7)
    (tmp_path / "data" / "notes.txt").write_text("no image")
    return tmp_path / "data"


def names(out: str) -> list[str]:
    return [Path(row["file"]).name for row in csv.DictReader(io.StringIO(out))]


def test_a_folder_is_listed_one_file_a_line(run: Run, folder: Path) -> None:
    result = run("ls", folder)
    assert result.code == 0
    lines = result.out.splitlines()
    assert len(lines) == 3
    assert lines[0].split()[:4] == ["file", "bytes", "width", "height"]
    assert "Small.CZI" in lines[1]
    assert "wide.czi" in lines[2]


def test_csv_has_exact_values(run: Run, folder: Path) -> None:
    result = run("ls", folder / "below" / "deep.czi", "--csv")
    (row,) = csv.DictReader(io.StringIO(result.out))
    assert row["bytes"] == str((folder / "below" / "deep.czi").stat().st_size)
    assert (row["width"], row["height"], row["t"], row["z"]) == ("31", "30", "4", "1")
    assert (row["pixel_type"], row["pixel_size_um"], row["tiles"]) == ("Gray8", "0.1", "4")
    assert row["objective"] == ""


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--sort", "width"], ["Small.CZI", "deep.czi", "wide.czi"]),
        (["--sort", "width", "--reverse"], ["wide.czi", "deep.czi", "Small.CZI"]),
        (["--sort", "pixel_size_um"], ["deep.czi", "Small.CZI", "wide.czi"]),
        (["--sort", "channels", "--reverse"], ["Small.CZI", "deep.czi", "wide.czi"]),
    ],
)
def test_the_lines_are_sorted_by_a_column(
    run: Run, folder: Path, options: list[str], expected: list[str]
) -> None:
    """What is missing comes last in either order."""
    assert names(run("ls", folder, "-r", "--csv", *options).out) == expected


def break_segment(path: Path, segment: bytes) -> None:
    """Overwrite the name of the last segment of a kind."""
    data = path.read_bytes()
    at = data.rfind(segment)
    path.write_bytes(data[:at] + b"x" * len(segment) + data[at + len(segment) :])


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def break_xml(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"<Metadata>", b"<Metadata<"))


@pytest.mark.parametrize(
    ("damage", "problem", "width"),
    [
        (cut, "but the file ends at byte 1000", ""),
        (lambda path: path.write_bytes(b""), "is empty, so it is not a CZI file", ""),
        (lambda path: path.write_bytes(b"no CZI" * 100), "is not a CZI file", ""),
        (lambda path: break_segment(path, b"ZISRAWDIRECTORY"), "is not where it should be", ""),
        (lambda path: break_segment(path, b"ZISRAWSUBBLOCK"), "sub-block 1 (Z1", "90"),
        (break_xml, "the metadata XML is not well-formed", "90"),
    ],
)
def test_a_damaged_file_has_a_row_that_says_what_is_wrong(
    run: Run, folder: Path, damage: Callable[[Path], Any], problem: str, width: str
) -> None:
    damage(folder / "wide.czi")
    result = run("ls", folder, "--csv")
    good, bad = csv.DictReader(io.StringIO(result.out))
    assert (Path(good["file"]).name, good["problem"]) == ("Small.CZI", "")
    assert bad["bytes"] == str((folder / "wide.czi").stat().st_size)
    assert (problem in bad["problem"], bad["width"]) == (True, width), bad
    assert "wide.czi" not in bad["problem"]
    assert result.code == 1
    assert "wide.czi; czictypes check tells more" in result.err
    assert problem[:30] in run("ls", folder).out


@pytest.mark.parametrize("option", ["bytes", "width", "file", "problem"])
def test_damaged_files_are_sorted_with_the_others(run: Run, folder: Path, option: str) -> None:
    (folder / "broken.czi").write_bytes(b"no CZI" * 10)
    expected = {
        "bytes": ["broken.czi", "wide.czi", "Small.CZI"],
        "width": ["Small.CZI", "wide.czi", "broken.czi"],  # its width is not known
        "file": ["broken.czi", "Small.CZI", "wide.czi"],
        "problem": ["broken.czi", "Small.CZI", "wide.czi"],
    }
    assert names(run("ls", folder, "--csv", "--sort", option).out) == expected[option]


def test_a_name_without_a_file_has_no_row(run: Run, folder: Path) -> None:
    result = run("ls", folder / "none.czi", folder / "wide.czi", "--csv")
    assert (result.code, names(result.out)) == (1, ["wide.czi"])
    assert "none.czi: No such file" in result.err


def test_files_without_a_fault_have_no_column_of_problems(run: Run, folder: Path) -> None:
    assert "problem" not in run("ls", folder).out


def test_attachments_are_listed(run: Run, made: Callable[[str], Made]) -> None:
    result = run("attachments", made("attached").path)
    assert result.code == 0
    assert [line.split("  ")[1] for line in result.out.splitlines()] == [
        "TimeStamps", "EventList", "Notes",
    ]  # fmt: skip


def test_attachments_are_written_as_they_are_stored(
    run: Run, made: Callable[[str], Made], tmp_path: Path
) -> None:
    path = made("attached").path
    assert run("attachments", path, "-o", tmp_path / "out").code == 0
    with czi.open_czi(path) as document:
        for one in document.attachments:
            file = tmp_path / "out" / f"{one.name}.{one.content_file_type.lower()}"
            assert file.read_bytes() == one.data
    result = run("attachments", path, "-o", tmp_path / "out")
    assert result.code == 3
    assert "--overwrite replaces it" in result.err
    assert run("attachments", path, "-o", tmp_path / "out", "--overwrite").code == 0


def test_pictures_are_written_as_png(run: Run, demo: Path, tmp_path: Path) -> None:
    images = needs("PIL.Image", "cli")
    assert run("attachments", demo, "-o", tmp_path, "--name", "thumbnail").code == 0
    with czi.open_czi(demo) as document, images.open(tmp_path / "Thumbnail.png") as picture:
        assert picture.format == "PNG"
        np.testing.assert_array_equal(np.array(picture), document.attachments.thumbnail)
        assert run("attachments", demo, "-o", tmp_path, "--name", "Thumbnail", "--raw").code == 0
        raw = document.attachments["Thumbnail"]
        stored = tmp_path / f"Thumbnail.{raw.content_file_type.lower()}"
        assert stored.read_bytes() == raw.data


def test_an_attachment_that_is_not_there_is_wrong_usage(
    run: Run, made: Callable[[str], Made], tmp_path: Path
) -> None:
    result = run("attachments", made("attached").path, "-o", tmp_path / "out", "--name", "Label")
    assert result.code == 2
    assert "there is no attachment Label; the file has: TimeStamps" in result.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--raw", "--overwrite"])
def test_how_to_write_needs_a_folder(run: Run, made: Callable[[str], Made], option: str) -> None:
    result = run("attachments", made("attached").path, option)
    assert result.code == 2
    assert f"{option} says how to write; name a folder with -o DIR" in result.err


def test_save_keeps_what_is_there(made: Callable[[str], Made], tmp_path: Path) -> None:
    target = tmp_path / "notes.txt"
    target.write_bytes(b"mine")
    with czi.open_czi(made("attached").path) as document:
        notes = document.attachments["Notes"]
        with pytest.raises(FileExistsError, match="overwrite=True"):
            notes.save(target)
        assert target.read_bytes() == b"mine"
        notes.save(target, overwrite=True)
        assert target.read_bytes() == notes.data
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
