"""Zstd data decoded here, HiLo packing undone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from files.encode import zstd_frame
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps
from numpy.typing import NDArray

from czictypes.container.zstd import decode_zstd
from czictypes.model.errors import CorruptFileError
from czictypes.model.pixel_types import Compression, PixelType, pixel_format

ZSTD0, ZSTD1 = Compression.Zstd0, Compression.Zstd1
GRAY8, GRAY16 = pixel_format(PixelType.Gray8), pixel_format(PixelType.Gray16)


def hilo(pixels: NDArray[Any]) -> bytes:
    """Zstd1 data with all low bytes first, then all high bytes."""
    words = pixels.astype("<u2").tobytes()
    return b"\x03\x01\x01" + zstd_frame(words[0::2] + words[1::2])


def pixels_of(pixel_type: PixelType, height: int = 5, width: int = 7) -> NDArray[Any]:
    layout = pixel_format(pixel_type)
    count = height * width * layout.samples
    values = np.arange(count, dtype=np.uint32) * 40503 % 65521
    return values.astype(layout.dtype).reshape(height, width, layout.samples)


@pytest.mark.parametrize("pixel_type", list(PixelType))
@pytest.mark.parametrize("header", [None, b"\x01", b"\x03\x01\x00"])
def test_every_pixel_type_comes_back(pixel_type: PixelType, header: bytes | None) -> None:
    pixels = pixels_of(pixel_type)
    data = (header or b"") + zstd_frame(pixels.tobytes())
    compression = ZSTD0 if header is None else ZSTD1
    decoded = decode_zstd(data, compression, 7, 5, pixel_format(pixel_type))
    assert decoded.dtype == pixels.dtype
    np.testing.assert_array_equal(decoded, pixels)


@given(nps.arrays("<u2", st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]))))
def test_hilo_packing_is_undone(pixels: NDArray[Any]) -> None:
    height, width, samples = pixels.shape
    layout = pixel_format(PixelType.Gray16 if samples == 1 else PixelType.Bgr48)
    decoded = decode_zstd(hilo(pixels), ZSTD1, width, height, layout)
    np.testing.assert_array_equal(decoded, pixels)


@pytest.mark.parametrize("content", [b"", b"\1\2\3"])
def test_too_few_bytes_are_refused(content: bytes) -> None:
    message = f"tile 7 claims a bitmap of 4 bytes, but its data give {len(content)}"
    with pytest.raises(CorruptFileError, match=message):
        decode_zstd(zstd_frame(content), ZSTD0, 2, 2, GRAY8, "tile 7")


def test_too_many_bytes_are_cut() -> None:
    decoded = decode_zstd(zstd_frame(bytes(range(9))), ZSTD0, 2, 2, GRAY8)
    assert decoded[:, :, 0].tolist() == [[0, 1], [2, 3]]


def test_hilo_packing_counts_from_the_content_not_from_the_bitmap() -> None:
    long = decode_zstd(hilo(np.array([300, 400, 500, 600, 700])), ZSTD1, 2, 2, GRAY16)
    assert long[:, :, 0].tolist() == [[300, 400], [500, 600]]


def test_an_odd_byte_of_packed_content_is_dropped() -> None:
    data = b"\x03\x01\x01" + zstd_frame(b"\x2c\x01\xff")
    assert decode_zstd(data, ZSTD1, 1, 1, GRAY16)[:, :, 0].tolist() == [[300]]


def test_damaged_data_are_refused_with_what_they_are_called() -> None:
    frame = bytearray(zstd_frame(bytes(range(256)) * 8))
    frame[-20:] = bytes(20)
    with pytest.raises(CorruptFileError, match="tile 7 cannot be decompressed"):
        decode_zstd(bytes(frame), ZSTD0, 64, 32, GRAY8, "tile 7")


def test_truncated_data_are_refused() -> None:
    frame = zstd_frame(np.random.default_rng(1).bytes(2048))
    with pytest.raises(CorruptFileError):
        decode_zstd(frame[:-500], ZSTD0, 64, 32, GRAY8)


def test_damage_behind_the_needed_rows_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    words = np.random.default_rng(2).integers(0, 1 << 16, (400, 500), dtype=np.uint16)  # 4 blocks
    plain, packed = zstd_frame(words.tobytes()), hilo(words)
    for kernel in ("", "0"):
        monkeypatch.setenv("CZICTYPES_KERNEL", kernel)
        cut = (plain[:-1000], ZSTD0, 390), (packed[:-50_000], ZSTD1, 100)
        for data, compression, rows in cut:
            found = decode_zstd(data, compression, 500, 400, GRAY16, rows=rows)
            np.testing.assert_array_equal(found[:, :, 0], words[:rows])
            with pytest.raises(CorruptFileError):
                decode_zstd(data, compression, 500, 400, GRAY16)


def test_what_is_too_large_is_refused_before_it_is_decompressed() -> None:
    with pytest.raises(CorruptFileError, match="claims a bitmap"):
        decode_zstd(zstd_frame(b"abc"), ZSTD0, 65536, 65536, GRAY8)


def test_hilo_packing_of_other_pixels_is_refused() -> None:
    with pytest.raises(CorruptFileError, match="HiLo"):
        decode_zstd(b"\x03\x01\x01" + zstd_frame(bytes(4)), ZSTD1, 2, 2, GRAY8)


@pytest.mark.parametrize("size", [1, 255, 256, 257, 65535, 65536, 65791, 65792, 200_000])
def test_every_width_of_the_content_size_is_read(size: int) -> None:
    data = np.random.default_rng(size).bytes(size)
    decoded = decode_zstd(zstd_frame(data), ZSTD0, size, 1, GRAY8)
    assert decoded.tobytes() == data
