"""The limits of display settings that are written: those of the pixels, channel by channel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from czictypes import CziImage, czi
from czictypes.writing import new_metadata

COLORS = ["#0000FF", "#00FF00"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new.czi"


def limits_of(path: Path) -> list[Any]:
    with CziImage(path) as image:
        return image.contrast_limits


def percentiles(pixels: Any) -> Any:
    return pytest.approx(tuple(np.percentile(pixels[pixels > 0], (0.2, 99.8))), rel=1e-9)


@pytest.fixture
def two_channels(rng: np.random.Generator) -> Any:
    return np.stack([rng.integers(200, 900, (90, 70)), rng.integers(0, 4096, (90, 70))])


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_the_limits_of_an_array_are_exact(path: Path, two_channels: Any, dtype: str) -> None:
    pixels = (two_channels % 200 + 20 if dtype == "u1" else two_channels).astype(dtype)
    czi.imwrite(path, pixels, "CYX", channel_colors=COLORS, tile=40)
    assert limits_of(path) == [percentiles(pixels[0]), percentiles(pixels[1])]
    with czi.open_czi(path) as document:
        assert document.composite()[..., 1].max() == 255


def test_the_limits_of_what_is_streamed_are_those_of_all_planes(
    path: Path, rng: np.random.Generator
) -> None:
    stack = rng.integers(1, 5000, (4, 30, 40)).astype("u2")
    channel = czi.ChannelInfo(0, color=czi.Rgb8Color(255, 0, 0))
    with czi.create_czi(path) as document:
        for z, plane in enumerate(stack):
            document.write(plane, plane={"Z": z})
        document.write_metadata(content=czi.DocumentContent(channels=[channel]))
    assert limits_of(path) == [percentiles(stack)]


def test_large_channels_are_sampled(
    path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_metadata, "_MOST_SAMPLES", 3000)
    monkeypatch.setattr(new_metadata, "_MOST_PARTS", 4)
    pixels = rng.integers(1000, 2000, (2, 300, 256)).astype("u2")
    czi.imwrite(path, pixels, "CYX", channel_colors=COLORS, tile=32)
    for low, high in limits_of(path):
        assert 1000 <= low < 1020
        assert 1980 < high <= 2000


def test_all_samples_of_a_colour_have_the_same_limits(path: Path) -> None:
    pixels = np.linspace(100, 3000, 30 * 20 * 3).astype("u2").reshape(30, 20, 3)
    czi.imwrite(path, pixels, "YXS", channel_colors=["#FFFFFF"])
    assert limits_of(path) == [percentiles(pixels)]


@pytest.mark.parametrize(("dtype", "axes"), [("u1", "YXS"), ("f4", "CYX")])
def test_colours_of_8_bits_and_floats_have_the_whole_range(
    path: Path, dtype: str, axes: str
) -> None:
    shape = (20, 30, 3) if axes == "YXS" else (1, 20, 30)
    czi.imwrite(path, np.arange(np.prod(shape)).reshape(shape).astype(dtype), axes,
                channel_colors=["#FFFFFF"])  # fmt: skip
    with czi.open_czi(path) as document:
        shown = document.display_settings[0]
        assert (shown.black_point, shown.white_point) == (0, 1)
        assert document.composite().max() > 200


def test_a_channel_without_a_colour_beside_one_with_it_has_limits(
    path: Path, two_channels: Any
) -> None:
    pixels = two_channels.astype("u2")
    czi.imwrite(path, pixels, "CYX", channel_colors={1: "#00FF00"})
    assert limits_of(path) == [percentiles(pixels[0]), percentiles(pixels[1])]


def test_settings_that_are_given_stay(path: Path, two_channels: Any) -> None:
    given = {0: czi.ChannelDisplaySettingsDataClass(
        True, czi.TintingMode.Color, czi.Rgb8Color(1, 2, 3), 0.25, 0.5
    )}  # fmt: skip
    with czi.create_czi(path) as document:
        for channel, pixels in enumerate(two_channels.astype("u2")):
            document.write(pixels, plane={"C": channel})
        document.write_metadata(display_settings=given)
    assert limits_of(path)[0] == (0.25 * 65535, 0.5 * 65535)


@pytest.mark.parametrize("values", [[0, 0], [7, 7], [0, 65535], [65535, 65535]])
def test_pictures_of_one_or_two_values(path: Path, values: Sequence[int]) -> None:
    pixels = np.repeat(np.array([values], "u2"), 5, 0)
    czi.imwrite(path, pixels, "YX", channel_colors=["#FF0000"])
    ((low, high),) = limits_of(path)
    assert 0 <= low < high <= 65535
