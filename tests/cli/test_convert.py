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
