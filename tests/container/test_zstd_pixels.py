"""Zstd data are decoded as far as their pixels are used."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from files.encode import zstd_frame
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from czictypes.container.zstd import unpack_zstd
from czictypes.container.zstd_pixels import ZstdPixels
from czictypes.model.errors import CorruptFileError
from czictypes.model.pixel_types import Compression, PixelType, pixel_format

GRAY16 = pixel_format(PixelType.Gray16)
WIDTH, HEIGHT = 256, 1024  # four blocks of zstd, each of 128 KiB

PIXELS = np.random.default_rng(0).integers(0, 60_000, (HEIGHT, WIDTH, 1)).astype("<u2")
WORDS = PIXELS.tobytes()
PLAIN = b"\x01" + zstd_frame(WORDS)
HILO = b"\x03\x01\x01" + zstd_frame(WORDS[0::2] + WORDS[1::2])


def unpacked(data: bytes) -> ZstdPixels:
    def new_memory(size: int) -> NDArray[np.uint8]:
        return np.full(size, 0xEE, np.uint8)

    pixels = unpack_zstd(data, Compression.Zstd1, WIDTH, HEIGHT, GRAY16, "tile 7", new_memory)
    assert isinstance(pixels, ZstdPixels)
    return pixels


@pytest.mark.parametrize("data", [PLAIN, HILO], ids=["plain", "hilo"])
@given(rows=st.tuples(st.integers(0, HEIGHT), st.integers(0, HEIGHT)), more=st.integers(0, HEIGHT))
def test_the_rows_that_are_used_are_right(data: bytes, rows: Any, more: int) -> None:
    first, end = sorted(rows)
    pixels = unpacked(data)
    pixels.use_rows(min(end + more, HEIGHT))
    np.testing.assert_array_equal(pixels[first:end, 3:99], PIXELS[first:end, 3:99])


@pytest.mark.parametrize("data", [PLAIN, HILO], ids=["plain", "hilo"])
def test_all_rows_are_decoded_unless_fewer_are_used(data: bytes) -> None:
    np.testing.assert_array_equal(unpacked(data)[:, :], PIXELS)


def test_what_is_not_used_is_not_decoded() -> None:
    pixels = unpacked(PLAIN)
    pixels.use_rows(300)
    assert (pixels[900:, :] == 0xEEEE).all()


def test_damage_is_found_where_pixels_are_used() -> None:
    pixels = unpacked(PLAIN[: len(PLAIN) // 2])
    pixels.use_rows(100)
    np.testing.assert_array_equal(pixels[:100, :], PIXELS[:100])
    with pytest.raises(CorruptFileError, match="tile 7"):
        _ = unpacked(PLAIN[: len(PLAIN) // 2])[:, :]
