"""How arrays become pictures that show what is in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from czictypes.cli.picture import display_range, save_png
from czictypes.model.errors import UnsupportedDataError
from czictypes.reading.conversion import stretch

FLOATS = st.floats(allow_nan=True, allow_infinity=True)


@given(arrays(np.float64, array_shapes(min_dims=3, max_dims=3, max_side=6), elements=FLOATS))
def test_every_array_has_a_range_and_a_picture(pixels: Any) -> None:
    low, high = display_range(pixels)
    assert low < high
    picture = stretch(pixels, (low, high))
    assert (picture.shape, picture.dtype) == (pixels.shape, np.uint8)
    order = np.argsort(pixels[np.isfinite(pixels)])
    assert (np.diff(picture[np.isfinite(pixels)][order].astype(int)) >= 0).all()
    assert (picture[np.isnan(pixels)] == 0).all()


def test_the_ends_of_the_range_are_black_and_white() -> None:
    pixels = np.array([[[100], [200], [300], [50], [900]]], np.uint16)
    assert stretch(pixels, (100, 300)).ravel().tolist() == [0, 128, 255, 0, 255]


def test_a_few_hot_pixels_do_not_darken_a_picture(rng: np.random.Generator) -> None:
    pixels = rng.integers(1000, 1200, (100, 100, 1)).astype(np.uint16)
    pixels[5, 7:12] = 65535
    low, high = display_range(pixels)
    assert 1000 <= low < 1002
    assert 1197 < high < 1200


def test_the_holes_of_a_mosaic_are_not_counted(rng: np.random.Generator) -> None:
    pixels = rng.integers(1000, 1200, (100, 100, 1)).astype(np.uint16)
    pixels[:, 10:] = 0
    low, _ = display_range(pixels)
    assert low >= 1000
    assert (stretch(pixels, display_range(pixels))[:, 10:] == 0).all()


def test_a_large_picture_is_sampled_for_its_range() -> None:
    column = np.arange(1, 5001, dtype=np.uint16).reshape(-1, 1, 1)
    low, high = display_range(np.broadcast_to(column, (5000, 4000, 1)))
    assert low == pytest.approx(10, abs=5)
    assert high == pytest.approx(4990, abs=5)


@pytest.mark.parametrize(
    ("pixels", "expected"), [([0, 0], (0, 1)), ([7, 7], (0, 7)), ([-7.0, -7.0], (-7, 0))]
)
def test_pictures_of_one_value(pixels: list[float], expected: tuple[float, float]) -> None:
    assert display_range(np.array(pixels).reshape(1, -1, 1)) == expected


@pytest.mark.parametrize(
    ("dtype", "samples"), [("u2", 3), ("f4", 1), ("f4", 3), ("u4", 1), ("f8", 1)]
)
def test_what_a_png_cannot_hold_is_refused(
    dtype: str, samples: int, tmp_path: Path, extra: Callable[[str], Any]
) -> None:
    extra("PIL.Image")
    with pytest.raises(UnsupportedDataError, match=r"write an \.npy"):
        save_png(tmp_path / "x.png", np.ones((2, 3, samples), dtype), raw=True)
    assert not (tmp_path / "x.png").exists()
