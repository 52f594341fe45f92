"""``czictypes montage`` and ``movie``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from real_files import find_real_file

from czictypes import CziImage, czi, write_montage, write_movie


@pytest.fixture
def stack(tmp_path: Path, extra: Callable[[str], Any]) -> Path:
    extra("PIL.Image")
    pixels = np.random.default_rng(1).integers(1, 4000, (3, 2, 4, 30, 50)).astype("u2")
    names = {"channel_names": ["DAPI", "GFP"], "pixel_size": (1e-6, 1e-6, 1e-6), "times": 2.0}
    czi.imwrite(tmp_path / "stack.czi", pixels, "TCZYX", **names)
    return tmp_path / "stack.czi"


def test_a_montage_is_that_of_python(stack: Path, tmp_path: Path, run: Any) -> None:
    result = run(
        "montage", stack, tmp_path / "out.png", "--along", "C,T", "--plane", "T=0-2/2,Z=1",
        "--contrast", "GFP=5,900", "--size", 100, "--no-labels", "--scale-bar", "20um",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert "out.png: " in result.out
    assert "6 pictures, along C, T" in result.out
    write_montage(
        stack, tmp_path / "other.png", along="CT", plane={"T": [0, 2], "Z": 1}, size=100,
        contrast={"GFP": (5, 900)}, labels=False, scale_bar=20,
    )  # fmt: skip
    assert (tmp_path / "out.png").read_bytes() == (tmp_path / "other.png").read_bytes()


def test_a_movie_is_that_of_python(stack: Path, tmp_path: Path, run: Any) -> None:
    result = run("movie", stack, tmp_path / "out.gif", "--project", "max", "--fps", 5)
    assert result.code == 0, result.err
    assert "500 x 300 pixels, 3 frames along T, 5 in a second" in result.out
    write_movie(stack, tmp_path / "other.gif", project="max", fps=5)
    assert (tmp_path / "out.gif").read_bytes() == (tmp_path / "other.gif").read_bytes()


@pytest.mark.parametrize("command", ["montage", "movie"])
def test_exit_codes_and_messages(stack: Path, tmp_path: Path, run: Any, command: str) -> None:
    out = tmp_path / ("out.png" if command == "montage" else "out.gif")
    result = run(command, stack, tmp_path / "out.tif")
    assert (result.code, "must end in ." in result.err) == (2, True)
    result = run(command, tmp_path / "none.czi", out)
    assert (result.code, "none.czi" in result.err) == (1, True)
    result = run(command, stack, out, "--size", 60_000)
    assert (result.code, "--size " in result.err) == (1, True)
    result = run(command, stack, out, "--scene", "B7")
    assert (result.code, "stack.czi" in result.err) == (2, True)
    result = run(command, stack, out, "--plane", "T=0,Z=0,C=DAPI")
    assert (result.code, "czictypes plane" in result.err) == (2, True)
    assert run(command, stack, out).code == 0
    result = run(command, stack, out)
    assert (result.code, "--overwrite replaces it" in result.err) == (3, True)
    assert run(command, stack, out, "--overwrite").code == 0


def test_a_length_needs_the_size_of_a_pixel(tmp_path: Path, run: Any, extra: Any) -> None:
    extra("PIL.Image")
    czi.imwrite(tmp_path / "a.czi", np.ones((2, 30, 50), "u1"), "TYX")
    result = run("movie", tmp_path / "a.czi", tmp_path / "out.gif", "--scale-bar", "5um")
    assert (result.code, "leave --scale-bar out" in result.err) == (2, True)
    assert "czictypes edit --pixel-size or --z-step changes it in place" in result.err
    assert run("movie", tmp_path / "a.czi", tmp_path / "out.gif").code == 0


def test_a_real_time_series(tmp_path: Path, run: Any, extra: Any) -> None:
    pictures = extra("PIL.Image")
    path = find_real_file("CellDivision_T3_Z5_CH2_X240_Y170.czi")
    assert run("movie", path, tmp_path / "out.gif", "--no-labels", "--no-scale-bar").code == 0
    with CziImage(path) as image, pictures.open(tmp_path / "out.gif") as movie:
        assert movie.n_frames == image.sizes["T"]
        shown = np.array(movie.convert("RGB"))[::2, ::2].astype(int)
        assert abs(image.to_rgb() - shown).mean() < 5
