"""Reducing an image: exact means, halves rounded up, or the top left pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyramid_reference import block_mean

from czictypes.writing.pyramid.reduce import reduce_pixels

DTYPES = ["u1", "<u2", "<u4", "<f4", "<f8", "<c8", "<c16"]


@st.composite
def images(draw: st.DrawFn) -> tuple[Any, int]:
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    factor = draw(st.integers(2, 5))
    shape = (draw(st.integers(factor, 17)), draw(st.integers(factor, 17)), draw(st.integers(1, 4)))
    values = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if dtype.kind == "u":
        largest = int(np.iinfo(dtype).max)
        low = draw(st.sampled_from([0, largest - 1]))
        return values.integers(low, largest, shape, endpoint=True).astype(dtype), factor
    return (values.integers(-400, 4000, shape) / 4).astype(dtype), factor


@given(images(), st.sampled_from(["mean", "nearest"]))
def test_it_agrees_with_a_plain_reference(image: tuple[Any, int], kind: str) -> None:
    pixels, factor = image
    expected = block_mean(pixels, factor, kind)
    reduced = reduce_pixels(pixels, factor, kind)
    assert reduced.dtype == pixels.dtype
    assert reduced.flags.c_contiguous
    assert np.array_equal(reduced, expected)


@pytest.mark.parametrize(
    ("values", "mean"),
    [((0, 0, 0, 1), 0), ((0, 0, 1, 1), 1), ((0, 1, 1, 1), 1), ((255, 255, 255, 254), 255)],
)
def test_a_half_is_rounded_up(values: tuple[int, ...], mean: int) -> None:
    pixels = np.array(values, np.uint8).reshape(2, 2, 1)
    assert reduce_pixels(pixels, 2, "mean").tolist() == [[[mean]]]


def test_the_largest_factor_does_not_overflow() -> None:
    pixels = np.full((256, 256, 1), 65535, np.uint16)
    assert reduce_pixels(pixels, 256, "mean").tolist() == [[[65535]]]


def test_samples_do_not_mix() -> None:
    pixels = np.array([[[0, 100, 200]] * 2] * 2, np.uint8)
    assert reduce_pixels(pixels, 2, "mean").tolist() == [[[0, 100, 200]]]


def test_floats_that_are_no_numbers_stay_so_without_a_warning() -> None:
    pixels = np.zeros((2, 6, 1), np.float32)
    pixels[0, 0], pixels[0, 2], pixels[:, 4:] = np.nan, np.inf, [[[np.inf]], [[-np.inf]]]
    reduced = reduce_pixels(pixels, 2, "mean")[0, :, 0]
    assert np.isnan(reduced[0])
    assert reduced[1] == np.inf
    assert np.isnan(reduced[2])


def test_the_mean_of_large_floats_does_not_overflow() -> None:
    pixels = np.full((2, 2, 1), 3e38, np.float32)
    assert np.array_equal(reduce_pixels(pixels, 2, "mean"), pixels[:1, :1])


@pytest.mark.parametrize("kind", ["mean", "nearest"])
def test_views_of_any_layout_are_taken(kind: str) -> None:
    pixels = np.arange(8 * 12 * 3, dtype=np.uint16).reshape(3, 12, 8).transpose(2, 1, 0)[::-1]
    assert np.array_equal(reduce_pixels(pixels, 2, kind), block_mean(pixels.copy(), 2, kind))
