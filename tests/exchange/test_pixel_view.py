"""Pixels of other formats as a CZI can hold them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from czictypes.exchange.pixel_view import pixels_for_czi
from czictypes.model.errors import UnsupportedDataError


def all_of(pixels: Any, axes: str, dtype: Any = None) -> tuple[np.ndarray[Any, Any], str]:
    view, letters = pixels_for_czi(pixels, axes, dtype)
    found = view[(slice(None),) * view.ndim]
    assert found.shape == view.shape
    assert found.dtype == view.dtype
    return found, letters


def test_samples_move_to_the_end(rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 255, (2, 3, 5, 7), np.uint8)
    found, letters = all_of(pixels, "TSYX")
    assert letters == "TYXS"
    np.testing.assert_array_equal(found, pixels.transpose(0, 2, 3, 1))


def test_transparency_is_left_out(rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 255, (5, 7, 4), np.uint8)
    np.testing.assert_array_equal(all_of(pixels, "YXS")[0], pixels[..., :3])
    np.testing.assert_array_equal(all_of(pixels[..., :2], "YXS")[0], pixels[..., :1])


def test_five_samples_are_refused() -> None:
    with pytest.raises(UnsupportedDataError, match="5 samples"):
        pixels_for_czi(np.zeros((2, 2, 5), np.uint8), "YXS")


def test_the_order_of_bytes_becomes_that_of_the_machine() -> None:
    pixels = np.arange(6, dtype=">u2").reshape(2, 3)
    found, _ = all_of(pixels, "YX")
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, pixels)


def test_truth_values_become_zero_and_one() -> None:
    found, _ = all_of(np.array([[True, False]]), "YX")
    assert found.dtype == np.uint8
    assert found.tolist() == [[1, 0]]


def test_other_types_are_refused_with_what_to_do() -> None:
    with pytest.raises(UnsupportedDataError, match=r"int32.*--dtype"):
        pixels_for_czi(np.zeros((2, 2), np.int32), "YX")


def test_a_value_that_does_not_fit_is_named() -> None:
    with pytest.raises(UnsupportedDataError, match="-3"):
        all_of(np.array([[5, -3]]), "YX", "uint16")


@given(values=st.lists(st.floats(width=64), min_size=1), dtype=st.sampled_from(["f4", "u1"]))
def test_a_change_of_type_keeps_every_value_or_is_refused(values: list[float], dtype: str) -> None:
    pixels = np.array([values])
    try:
        found, _ = all_of(pixels, "YX", dtype)
    except UnsupportedDataError:
        return
    np.testing.assert_allclose(found.astype(float), pixels, rtol=1e-6)


@given(data=st.data())
def test_a_part_is_that_part_of_the_whole(data: st.DataObject) -> None:
    axes = data.draw(st.sampled_from(["YX", "SYX", "YXS", "CSYX", "TCYX"]))
    shape = [3 if axis == "S" else data.draw(st.integers(1, 6)) for axis in axes]
    pixels = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    whole, letters = all_of(pixels, axes)
    view, _ = pixels_for_czi(pixels, axes)
    box = tuple(
        slice(None) if letter == "S" else slice(data.draw(st.integers(0, size - 1)), size)
        for letter, size in zip(letters, whole.shape)
    )
    np.testing.assert_array_equal(view[box], whole[box])
