"""``czictypes convert``: what it prints, and its exit codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.recipes import Made

from czictypes import imread


@pytest.fixture(autouse=True)
def _tiff() -> None:
    needs("tifffile", "ome-tiff")
    needs("ome_types", "ome-tiff")


def test_there_and_back(
    run: Callable[..., Any], made: Callable[[str], Made], tmp_path: Path
) -> None:
    source, there, back = made("stack").path, tmp_path / "out.ome.tif", tmp_path / "back.czi"
    result = run("convert", source, there)
    assert result.code == 0, result.err
    assert "1 OME-TIFF image" in result.out
    assert "T 3, C 2, Z 4, Y 15, X 21, uint16" in result.out
    needs("zarr", "ome-tiff")  # which reads parts of a TIFF
    assert run("convert", there, back).code == 0
    np.testing.assert_array_equal(imread(back), imread(source))


def test_a_dry_run_as_json(
    run: Callable[..., Any], made: Callable[[str], Made], tmp_path: Path
) -> None:
    target = tmp_path / "out.ome.tif"
    found = run("convert", made("stack").path, target, "--dry-run", "--json").json
    assert (found["dest"], found["format"], found["written"]) == (str(target), "OME-TIFF", False)
    assert found["images"][0]["shape"] == [3, 2, 4, 15, 21]
    assert not target.exists()


def test_scenes_by_number_and_by_name(
    run: Callable[..., Any], made: Callable[[str], Made], tmp_path: Path
) -> None:
    source = made("multi_scene_pyramid").path
    options = "--scene", "1", "Image:0", "--dry-run", "--json"
    found = run("convert", source, tmp_path / "out.tif", *options)
    assert [one["name"] for one in found.json["images"]] == ["Image:1", "Image:0"], found.err


def test_a_target_that_exists_has_an_exit_code_of_its_own(
    run: Callable[..., Any], made: Callable[[str], Made], tmp_path: Path
) -> None:
    (tmp_path / "out.tif").touch()
    result = run("convert", made("stack").path, tmp_path / "out.tif")
    assert result.code == 3
    assert "--overwrite" in result.err
    assert run("convert", made("stack").path, tmp_path / "out.tif", "--overwrite").code == 0


def test_what_does_not_fit_fails_in_one_line(
    run: Callable[..., Any], made: Callable[[str], Made], tmp_path: Path
) -> None:
    result = run("convert", made("stack").path, tmp_path / "out.tif", "--shards", "512")
    assert result.code == 1
    assert "shards" in result.err
    assert len(result.err.splitlines()) == 1
    assert run("convert", made("stack").path, tmp_path / "out.tif", "--levels", "0").code == 2


def test_a_projection_of_a_region_of_some_planes(
    run: Callable[..., Any], made: Callable[[str], Made], tmp_path: Path
) -> None:
    source, target = made("stack").path, tmp_path / "out.czi"
    how = "--roi", "3,2,10,8", "--project", "max", "--plane", "C=1,T=0-1"
    result = run("convert", source, target, *how)
    assert result.code == 0, result.err
    whole = imread(source)
    x, y = made("stack").box[:2]
    expected = whole[:2, 1:2, :, 2 - y : 10 - y, 3 - x : 13 - x].max(2)
    np.testing.assert_array_equal(imread(target)[:, :, 0], expected)


def test_a_projection_along_another_dimension(
    run: Callable[..., Any], made: Callable[[str], Made], tmp_path: Path
) -> None:
    result = run("convert", made("stack").path, tmp_path / "out.czi", "--project", "T=mean")
    assert "T 1, C 2, Z 4" in result.out, result.err


def test_a_file_for_each_scene(
    run: Callable[..., Any], made: Callable[[str], Made], tmp_path: Path
) -> None:
    source = made("multi_scene_pyramid").path
    result = run("convert", source, tmp_path / "out.czi", "--split-scenes", "--scene", 0, 2)
    assert result.code == 0, result.err
    names = ["out_Image_0.czi", "out_Image_2.czi"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert all(name in result.out for name in names)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--project", "median", "is not max, mean, sum"),
        ("--project", "Q=max", "there is no dimension Q"),
        ("--plane", "Z=a", "is not of the form"),
        ("--plane", "Z=1,Z=2", "has Z twice"),
    ],
)
def test_an_excerpt_that_cannot_be_read_is_wrong_usage(
    run: Callable[..., Any], tmp_path: Path, option: str, value: str, message: str
) -> None:
    result = run("convert", tmp_path / "in.czi", tmp_path / "out.czi", option, value)
    assert result.code == 2
    assert message in result.err
