"""Scenes, planes and channels have the numbers of the file in every command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.block import Block
from files.builder import write_czi
from files.patterns import noise

from czictypes import czi, imread
from czictypes.exchange import montage
from czictypes.model.pixel_types import PixelType

SCENES, CHANNELS, DEPTHS = (1, 4), (2, 3), (3, 4, 5)


def value(scene: int, channel: int, z: int) -> int:
    return scene * 40 + channel * 10 + z


def write_gaps(path: Path, first: dict[int, int] | None = None) -> Path:
    """Write two scenes with a gap between them, whose planes do not begin at 0."""
    with czi.create_czi(path) as writer:
        for scene in SCENES:
            for channel in CHANNELS:
                for z in range((first or {}).get(scene, DEPTHS[0]), DEPTHS[-1] + 1):
                    pixels = np.full((40, 50), value(scene, channel, z), np.uint8)
                    plane = {"C": channel, "Z": z, "T": 0}
                    writer.write(pixels, location=(100 * scene, 0), plane=plane, scene=scene)
        writer.write_metadata("gaps", channel_names={2: "DAPI", 3: "GFP"})
    return path


@pytest.fixture
def gaps(tmp_path: Path) -> Path:
    return write_gaps(tmp_path / "gaps.czi")


@pytest.fixture
def pictures(extra: Callable[[str], Any]) -> Callable[[Path], np.ndarray[Any, Any]]:
    """Read a picture."""
    package = extra("PIL.Image")

    def read(path: Path) -> np.ndarray[Any, Any]:
        with package.open(path) as picture:
            return np.array(picture.convert("RGB"))

    return read


CHOICE = ("--scene", 4, "--plane", "C=3,Z=5")
GREY = ("--contrast", "0,255")


def test_plane_and_convert_choose_the_same(gaps: Path, tmp_path: Path, run: Any) -> None:
    assert run("plane", gaps, tmp_path / "a.npy", *CHOICE).code == 0
    assert run("convert", gaps, tmp_path / "b.czi", *CHOICE).code == 0
    assert np.unique(np.load(tmp_path / "a.npy")).tolist() == [value(4, 3, 5)]
    assert np.unique(imread(tmp_path / "b.czi")).tolist() == [value(4, 3, 5)]


def test_copy_and_tiles_choose_the_same(gaps: Path, tmp_path: Path, run: Any) -> None:
    assert run("copy", gaps, tmp_path / "c.czi", *CHOICE).code == 0
    assert np.unique(imread(tmp_path / "c.czi")).tolist() == [value(4, 3, 5)]
    rows = run("tiles", gaps, "--csv", "--scene", 4).out.splitlines()[1:]
    assert len(rows) == len(CHANNELS) * len(DEPTHS)
    assert all(row.startswith("Image:4,4,") for row in rows)


def test_convert_of_many_files_chooses_the_same(gaps: Path, tmp_path: Path, run: Any) -> None:
    options = ("--to", "czi", "-o", tmp_path / "out")
    assert run("convert", gaps, *CHOICE, *options).code == 0
    assert np.unique(imread(tmp_path / "out" / "gaps.czi")).tolist() == [value(4, 3, 5)]


def test_a_montage_shows_the_numbers_that_are_given(
    gaps: Path, tmp_path: Path, run: Any, pictures: Any
) -> None:
    options = ("--no-labels", "--no-scale-bar", "--size", 50, "--contrast", "DAPI=0,255")
    for scene in SCENES:
        out = tmp_path / f"{scene}.png"
        where = ("--scene", scene, "--along", "Z", "--plane", "C=2,Z=4-5")
        assert run("montage", gaps, out, *where, *options).code == 0
        shown = set(np.unique(pictures(out)).tolist())
        assert {value(scene, 2, 4), value(scene, 2, 5)} <= shown
        assert value(scene, 2, 3) not in shown


def test_a_movie_and_a_contrast_by_number(
    gaps: Path, tmp_path: Path, run: Any, pictures: Any
) -> None:
    out = tmp_path / "out.gif"
    options = ("--no-labels", "--no-scale-bar", "--along", "Z", "--contrast", "3=0,255")
    result = run("movie", gaps, out, "--scene", 4, "--plane", "C=3,Z=4-5", *options)
    assert result.code == 0, result.err
    assert "2 frames" in result.out
    first = int(pictures(out)[5, 5].max())
    assert abs(first - value(4, 3, 4)) < 8  # a GIF has few colours


@pytest.mark.parametrize("excerpt", [(), ("--roi", "400,0,40,30"), ("--project", "T=max")])
def test_labels_have_the_numbers_of_the_file(
    gaps: Path, tmp_path: Path, run: Any, extra: Any, monkeypatch: Any, excerpt: Any
) -> None:
    extra("PIL.Image")
    drawn: list[str] = []
    draw = montage.draw_label
    monkeypatch.setattr(
        montage, "draw_label", lambda *given: (drawn.append(given[1]), draw(*given))
    )
    options = ("--scene", 4, "--along", "Z", "--plane", "Z=4-5", *excerpt)
    result = run("montage", gaps, tmp_path / "a.png", *options)
    assert result.code == 0, result.err
    assert drawn == ["Z=4", "Z=5"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--scene", 0), "there is no scene 0; the scenes are 1 ('Image:1'), 4 ('Image:4')"),
        (("--scene", 1, "--plane", "Z=0"), "there is no Z 0; Z goes from 3 to 5"),
        (("--scene", 1, "--plane", "T=1"), "there is no T 1; T is always 0"),
        (("--scene", 1, "--contrast", "0=auto"), "there is no C 0; C goes from 2 to 3"),
    ],
)
@pytest.mark.parametrize("command", ["convert", "montage", "movie"])
def test_a_number_that_there_is_not_is_told(
    gaps: Path, tmp_path: Path, run: Any, extra: Any, command: str, options: Any, message: str
) -> None:
    extra("PIL.Image")
    out = tmp_path / ("out.gif" if command == "movie" else "out.png")
    result = run(command, gaps, out, *options)
    assert (result.code, message in result.err) == (2, True), result.err
    assert "gaps.czi" in result.err


def test_tiles_and_edit_tell_the_scenes_that_there_are(gaps: Path, run: Any) -> None:
    for arguments in (("tiles", gaps, "--scene", 0), ("edit", gaps, "--scene-name", "0=a")):
        result = run(*arguments)
        assert result.code == 2
        assert "there is no scene 0; the scenes are 1 ('Image:1'), 4 ('Image:4')" in result.err


def test_scenes_that_begin_at_other_planes_are_chosen_one_at_a_time(
    tmp_path: Path, run: Any
) -> None:
    path = write_gaps(tmp_path / "gaps.czi", first={4: 4})
    result = run("convert", path, tmp_path / "out.czi", "--plane", "Z=5")
    assert (result.code, "one --scene at a time" in result.err) == (2, True), result.err
    assert run("convert", path, tmp_path / "out.czi", "--plane", "Z=5", "--scene", 4).code == 0
    assert np.unique(imread(tmp_path / "out.czi")[:, 0]).tolist() == [value(4, 2, 5)]


@pytest.mark.parametrize("scene", [0, "Image:0"])
@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("plane", "a.png"),
        ("copy", "b.czi"),
        ("convert", "c.czi"),
        ("montage", "d.png"),
        ("movie", "e.gif"),
        ("tiles", None),
    ],
)
def test_the_only_scene_of_a_file_without_scenes_is_0(
    tmp_path: Path, run: Any, extra: Any, command: str, name: str | None, scene: Any
) -> None:
    extra("PIL.Image")
    blocks = [Block(noise(PixelType.Gray8, 30, 40, z), plane={"Z": z}, m=0) for z in range(2)]
    path = write_czi(tmp_path / "bare.czi", blocks)
    out = [] if name is None else [tmp_path / name]
    result = run(command, path, *out, "--scene", scene)
    assert result.code == 0, result.err
    result = run(command, path, *out, "--scene", 1)
    assert (result.code, "there is no scene 1" in result.err) == (2, True), result.err


def test_other_formats_count_from_0(tmp_path: Path, run: Any, extra: Any, pictures: Any) -> None:
    tifffile = needs("tifffile", "ome-tiff")
    pixels = np.arange(1, 4, dtype=np.uint8)[:, None, None] * np.full((30, 40), 50, np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack")
    assert run("convert", tmp_path / "a.tif", tmp_path / "a.png", "--plane", "Z=1").code == 0
    assert pictures(tmp_path / "a.png")[0, 0].tolist() == [100] * 3
    result = run("montage", tmp_path / "a.tif", tmp_path / "b.png", "--plane", "Z=9")
    assert (result.code, "Z goes from 0 to 2" in result.err) == (2, True)
