"""``--parts``: the other files of a CZI in several files, for the commands that read pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from container.czi_bytes import Tile, build_parts, write_parts
from extras import needs
from files.patterns import noise

from czictypes import czi
from czictypes.model.pixel_types import PixelType

PLANES = [noise(PixelType.Gray8, 40, 50, 70 + t) for t in range(3)]


@pytest.fixture
def scan(tmp_path: Path) -> tuple[Path, list[Path]]:
    """Give a document of a file for each T, and the other files under names of their own."""
    tiles = [
        [Tile(w=50, h=40, coordinates={"T": t}, data=plane.tobytes())]
        for t, plane in enumerate(PLANES)
    ]
    master = write_parts(tmp_path / "scan.czi", build_parts(*tiles))
    others = [
        master.with_name(f"scan ({number}).czi").rename(tmp_path / name)
        for number, name in enumerate(["b.czi", "c.czi"], 1)
    ]
    return master, others


@pytest.fixture(params=["by their headers", "by number"])
def given(request: pytest.FixtureRequest, scan: tuple[Path, list[Path]]) -> list[str]:
    """Give the option in both of its forms."""
    if request.param == "by number":
        return ["--parts", *(f"{number}={path}" for number, path in enumerate(scan[1], 1))]
    return ["--parts", *map(str, scan[1])]


def assert_whole(path: Path) -> None:
    with czi.open_czi(path) as document:
        for t, plane in enumerate(PLANES):
            assert np.array_equal(document.read(plane={"T": t}), plane)


def test_info_knows_the_files(scan: Any, given: list[str], run: Callable[..., Any]) -> None:
    result = run("info", "--json", scan[0], *given)
    assert result.json[0]["parts"] == {"1": str(scan[1][0]), "2": str(scan[1][1])}
    assert result.json[0]["dimensions"]["T"] == [0, 3]


def test_check_finds_no_fault(scan: Any, given: list[str], run: Callable[..., Any]) -> None:
    assert run("check", scan[0]).code == 2
    found = [one["check"] for one in run("check", "--json", scan[0], *given).json[0]["findings"]]
    assert "fileparts" not in found


@pytest.mark.parametrize("command", ["copy", "convert"])
def test_a_copy_is_whole(
    command: str, scan: Any, given: list[str], tmp_path: Path, run: Callable[..., Any]
) -> None:
    assert run(command, scan[0], tmp_path / "one.czi", *given).code == 0
    assert_whole(tmp_path / "one.czi")


def test_a_pyramid_is_of_the_whole(
    scan: Any, given: list[str], tmp_path: Path, run: Callable[..., Any]
) -> None:
    small = ["--tile", "16", "--until", "16"]
    assert run("pyramid", scan[0], "-o", tmp_path / "deep.czi", *small, *given).code == 0
    assert_whole(tmp_path / "deep.czi")


def test_a_plane_of_another_file(
    scan: Any, given: list[str], tmp_path: Path, run: Callable[..., Any]
) -> None:
    assert run("plane", scan[0], tmp_path / "p.npy", "--plane", "T=2", *given).code == 0
    assert np.array_equal(np.load(tmp_path / "p.npy"), PLANES[2])


def test_other_formats_have_all_planes(
    scan: Any, given: list[str], tmp_path: Path, run: Callable[..., Any]
) -> None:
    tifffile = needs("tifffile", "ome-tiff")
    assert run("convert", scan[0], tmp_path / "scan.ome.tif", *given).code == 0
    pixels = tifffile.imread(tmp_path / "scan.ome.tif")
    assert np.array_equal(pixels, np.stack(PLANES)[..., 0])


def test_the_message_of_a_missing_file_names_the_option(
    scan: Any, tmp_path: Path, run: Callable[..., Any]
) -> None:
    result = run("copy", scan[0], tmp_path / "one.czi")
    assert result.code == 1
    assert "--parts 1=path" in result.err


@pytest.mark.parametrize(
    ("files", "parts", "message"),
    [
        (["scan.czi"], ["1=b.czi", "c.czi"], "number all files"),
        (["scan.czi"], ["1=b.czi", "1=c.czi"], "number all files"),
        (["scan.czi", "other.czi"], ["b.czi"], "give one FILE"),
    ],
)
def test_a_wrong_use_is_refused(
    files: list[str], parts: list[str], message: str, run: Callable[..., Any]
) -> None:
    result = run("info", "--json", *files, "--parts", *parts)
    assert result.code == 2
    assert message in result.err
