"""Pixels of any type become pictures of 8 bits."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files.block import Block
from files.builder import AttachmentSpec, write_czi
from files.patterns import noise

from czictypes import czi
from czictypes.model.pixel_types import PixelType
from czictypes.reading.conversion import dark_and_bright, eight_bit, finite_range, stretch

INF, NAN = np.inf, np.nan


def test_8_bits_stay_and_16_give_their_high_byte() -> None:
    assert eight_bit(np.array([0, 7, 255], np.uint8)).tolist() == [0, 7, 255]
    assert eight_bit(np.array([0, 255, 256, 65535], np.uint16)).tolist() == [0, 0, 1, 255]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0, 2**31, 2**32 - 1], np.uint32), [0, 128, 255]),
        (np.array([-1, 0, 1], np.float32), [0, 128, 255]),
        (np.array([-1.7e308, 0, 1.7e308]), [0, 128, 255]),
        (np.array([NAN, 3, INF, 5, -INF]), [0, 0, 255, 255, 0]),
        (np.array([NAN, INF, -INF]), [0, 255, 0]),
        (np.array([7.5, 7.5]), [0, 0]),
        (np.array([3 + 4j, 0, 10j], np.complex64), [128, 0, 255]),
        (np.array([3e38 + 3e38j, 0], np.complex64), [255, 0]),
        (np.array([False, True]), [0, 255]),
        (np.zeros((0, 4), np.float32), []),
    ],
)  # fmt: skip
def test_what_has_no_range_is_stretched(values: np.ndarray, expected: list[int]) -> None:
    assert eight_bit(values).tolist() == expected


def test_a_window_and_another_type() -> None:
    values = np.array([0, 10, 15, 20, 30])
    assert stretch(values, (10, 20), np.uint16).tolist() == [0, 0, 32768, 65535, 65535]


def test_bands_do_not_show(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = rng.normal(size=(50, 7, 3))
    whole = stretch(pixels)
    monkeypatch.setattr("czictypes.reading.conversion._AT_ONCE", 40)
    assert finite_range(pixels) == (pixels.min(), pixels.max())
    np.testing.assert_array_equal(stretch(pixels), whole)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(1,), (2,), (3, 1), (300, 301)])
@pytest.mark.parametrize("largest", [0, 1, 77, 255])
def test_whole_numbers_are_counted_and_looked_up(
    rng: np.random.Generator, dtype: Any, shape: tuple[int, ...], largest: int
) -> None:
    pixels = rng.integers(0, largest + 1, shape).astype(dtype)
    pixels *= 1 if dtype == np.uint8 else 200
    window = dark_and_bright(pixels)
    np.testing.assert_allclose(window, np.percentile(pixels, (0.2, 99.8)))
    np.testing.assert_allclose(window, dark_and_bright(pixels.astype(float)))
    for given in (None, (3.5, 90.25)):
        np.testing.assert_array_equal(stretch(pixels, given), stretch(pixels.astype(float), given))


@pytest.mark.parametrize("kind", list(PixelType))
def test_attached_pictures_keep_their_values(tmp_path: Path, kind: PixelType) -> None:
    pixels = noise(kind, 6, 9, 1)
    nested = write_czi(tmp_path / "label.czi", [Block(pixels)]).read_bytes()
    attachments = [AttachmentSpec(name, "CZI", nested) for name in ("Label", "Prescan")]
    path = write_czi(tmp_path / "a.czi", [Block(np.zeros((2, 2), "u1"))], attachments=attachments)
    with czi.open_czi(path) as document:
        found = document.attachments
        expected = pixels[..., 0] if pixels.shape[2] == 1 else pixels[..., 2::-1]
        np.testing.assert_array_equal(found.label, expected)
        np.testing.assert_array_equal(found.preview, expected)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_16_bit_tiff_keeps_its_values(tmp_path: Path, order: str) -> None:
    images = pytest.importorskip("PIL.Image", reason="Pillow is needed: extra 'cli'")
    gray = np.arange(60, dtype=np.uint16).reshape(6, 10) * 1000
    mode, stream = ("I;16" if order == "<" else "I;16B"), io.BytesIO()
    images.frombytes(mode, (10, 6), gray.astype(f"{order}u2").tobytes()).save(stream, "TIFF")
    attachments = [AttachmentSpec("Thumbnail", "TIF", stream.getvalue())]
    path = write_czi(tmp_path / "a.czi", [Block(gray)], attachments=attachments)
    with czi.open_czi(path) as document:
        np.testing.assert_array_equal(document.attachments.thumbnail, gray)
