"""Pixels of other formats: as a CZI can hold them, and decoded frame by frame."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from czictypes.exchange.pixel_view import Frames, pixels_for_czi
from czictypes.model.errors import UnsupportedDataError

PIXELS = np.arange(400 * 6 * 8, dtype=np.uint16).reshape(400, 6, 8)


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


class Decoder:
    """Decodes frames in their order: another one costs all that come before it."""

    def __init__(self) -> None:
        self.decoded = self.position = 0

    def __call__(self, number: int, part: tuple[slice, ...]) -> NDArray[Any]:
        if number < self.position:
            self.position = 0
        self.decoded += number + 1 - self.position
        self.position = number + 1
        return PIXELS[number][part].copy()


def frames(decoder: Decoder, ordered: bool = True) -> Frames:
    return Frames((6, 8), np.dtype("u2"), decoder, threading.Lock(), count=400, ordered=ordered)


@pytest.mark.parametrize("ordered", [False, True])
def test_any_part_is_that_of_an_array(ordered: bool) -> None:
    made = frames(Decoder(), ordered)
    assert (made.shape, made.dtype) == (PIXELS.shape, PIXELS.dtype)
    for key in (
        (slice(0, 9), slice(1, 4), slice(0, 8, 3)),
        (slice(390, 5, -60), slice(2), slice(1)),
    ):
        np.testing.assert_array_equal(made[key], PIXELS[key])


ORDERS = [range(400), [at ^ 1 for at in range(400)], [at ^ 3 for at in range(400)]]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("backwards", [False, True])
def test_reading_on_is_not_quadratic_out_of_order_or_backwards(
    order: Sequence[int], backwards: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As threads come to it that read one frame each; dask begins with the last ones."""
    monkeypatch.setattr("czictypes.exchange.pixel_view._MOST_BYTES", 100 * PIXELS[0].nbytes)
    decoder = Decoder()
    made = frames(decoder)
    for at in reversed(order) if backwards else order:
        np.testing.assert_array_equal(made[at : at + 1, :, :][0], PIXELS[at])
    assert decoder.decoded <= (400 if not backwards else 2000)  # not 400 * 400 / 2


def test_tiles_of_a_frame_are_decoded_once() -> None:
    decoder = Decoder()
    made = frames(decoder, ordered=False)
    for at in range(3):
        for row in range(6):
            np.testing.assert_array_equal(
                made[at : at + 1, row : row + 1, :][0, 0], PIXELS[at, row]
            )
    assert decoder.decoded == 3


def test_an_only_frame_has_no_axis_of_its_own() -> None:
    made = Frames((6, 8), np.dtype("u2"), Decoder(), threading.Lock())
    assert made.shape == (6, 8)
    np.testing.assert_array_equal(made[1:3, 2:4], PIXELS[0, 1:3, 2:4])


def test_few_frames_are_kept_of_large_ones() -> None:
    kept: list[int] = []

    def decoded(number: int, part: tuple[slice, ...]) -> NDArray[Any]:
        kept.append(number)
        return np.zeros((4096, 4096), np.uint8)[part]

    made = Frames((4096, 4096), np.dtype("u1"), decoded, threading.Lock(), count=40, ordered=True)
    for at in [*range(20), 12, 4]:  # eight are kept, of 16 MiB each
        made[at : at + 1, :1, :1]
    assert kept == [*range(20), 4]
