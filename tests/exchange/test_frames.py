"""Frames that are decoded one by one, as one array."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from czictypes.exchange.pixel_view import Frames

PIXELS = np.arange(400 * 6 * 8, dtype=np.uint16).reshape(400, 6, 8)


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
