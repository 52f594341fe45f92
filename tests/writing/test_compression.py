"""libCZI's compression strings, and pixels to the bytes of a sub-block and back."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from czictypes.model.errors import MissingExtraError
from czictypes.model.pixel_types import Compression, PixelType
from czictypes.writing.compression import (
    UNCOMPRESSED,
    CompressionOptions,
    check_codec,
    encode,
    parse_compression,
    resolve_compression,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("uncompressed:", UNCOMPRESSED),
        ("Uncompressed:", UNCOMPRESSED),
        ("zstd0:", CompressionOptions(Compression.Zstd0)),
        ("zstd0:ExplicitLevel=10", CompressionOptions(Compression.Zstd0, level=10)),
        (" zstd0 : explicitlevel = -5 ", CompressionOptions(Compression.Zstd0, level=-5)),
        ("zstd0:ExplicitLevel=2;", CompressionOptions(Compression.Zstd0, level=2)),
        ("zstd0:ExplicitLevel=99", CompressionOptions(Compression.Zstd0, level=22)),
        ("zstd0:ExplicitLevel=-999999", CompressionOptions(Compression.Zstd0, level=-131072)),
        ("zstd1:PreProcess=HiLoByteUnpack", CompressionOptions(Compression.Zstd1, hilo=True)),
        (
            "ZSTD1:ExplicitLevel=3; preprocess=hilobyteunpack",
            CompressionOptions(Compression.Zstd1, level=3, hilo=True),
        ),
        ("jpgxr:", CompressionOptions(Compression.JpegXr)),
        ("JpgXr: Quality=800", CompressionOptions(Compression.JpegXr, quality=800)),
        ("jpgxr:Quality=-1", CompressionOptions(Compression.JpegXr, quality=0)),
        ("jpgxr:Quality=5000", CompressionOptions(Compression.JpegXr, quality=1000)),
    ],
)
def test_every_valid_form_is_understood(text: str, expected: CompressionOptions) -> None:
    assert parse_compression(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "zstd0",
        "zstd2:",
        "jpg:",
        ":",
        "zstd0:ExplicitLevel",
        "zstd0:ExplicitLevel=",
        "zstd0:ExplicitLevel=three",
        "zstd0:ExplicitLevel=3.5",
        "zstd0:ExplicitLevel=99999999999",
        "zstd0:Level=3",
        "zstd1:PreProcess=HiLo",
        "zstd1:ExplicitLevel=3,PreProcess=HiLoByteUnpack",
        "jpgxr:Quality=best",
    ],
)
def test_a_wrong_string_names_the_valid_ones(text: str) -> None:
    with pytest.raises(ValueError, match=r"valid are 'uncompressed:'.*zstd0.*zstd1.*jpgxr"):
        parse_compression(text)


def test_something_that_is_no_string_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="a string such as"):
        parse_compression(7)  # type: ignore[arg-type]


def test_none_and_the_empty_string_mean_the_default() -> None:
    default = parse_compression("zstd0:")
    assert resolve_compression(None, default) is default
    assert resolve_compression("", default) is default
    assert resolve_compression("uncompressed:", default) == UNCOMPRESSED


@given(st.text(max_size=40))
def test_any_text_gives_options_or_a_value_error(text: str) -> None:
    try:
        options: object = parse_compression(text)
    except ValueError as error:
        options = str(error)
    assert isinstance(options, CompressionOptions) or "valid are" in str(options)


TYPES = {
    ("uint8", 1): PixelType.Gray8,
    ("uint16", 1): PixelType.Gray16,
    ("float32", 1): PixelType.Gray32Float,
    ("uint8", 3): PixelType.Bgr24,
    ("uint16", 3): PixelType.Bgr48,
    ("float32", 3): PixelType.Bgr96Float,
}


def pixel_type(pixels: Any) -> PixelType:
    return TYPES[pixels.dtype.name, pixels.shape[2]]


def encoded(pixels: Any, text: str) -> bytes:
    return bytes(encode(pixels, parse_compression(text), pixel_type(pixels)))


def unzstd(frame: bytes) -> bytes:
    zstandard = pytest.importorskip("zstandard", reason="decodes what the writer compressed")
    size = zstandard.frame_content_size(frame)
    assert size >= 0, "libCZI needs the content size in the frame's header"
    data: bytes = zstandard.ZstdDecompressor().decompress(frame)
    assert len(data) == size
    return data


def arrays() -> st.SearchStrategy[Any]:
    """(h, w, samples) arrays of every type the writer knows, in many memory layouts."""
    shapes = st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]))
    dtypes = st.sampled_from(["|u1", "<u2", ">u2", "<f4"]).map(np.dtype)
    plain = hnp.arrays(dtypes, shapes)
    layouts = [
        lambda a: a,
        lambda a: a[::-1],
        lambda a: a[:, ::-1],
        lambda a: np.asfortranarray(a),
        lambda a: np.repeat(np.repeat(a, 2, axis=0), 2, axis=1)[::2, ::2],
        lambda a: np.pad(a, ((1, 1), (1, 1), (0, 0)))[1:-1, 1:-1],
        lambda a: np.ascontiguousarray(np.moveaxis(a, 2, 0)).transpose(1, 2, 0),
    ]
    return st.builds(lambda a, change: change(a), plain, st.sampled_from(layouts))


@given(arrays())
def test_uncompressed_are_the_rows_whatever_their_layout(pixels: Any) -> None:
    expected = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    assert encoded(pixels, "uncompressed:") == expected


def test_uncompressed_pixels_in_the_files_own_layout_are_not_copied() -> None:
    pixels = np.zeros((20, 30, 1), "<u2")
    data = encode(pixels, parse_compression("uncompressed:"), PixelType.Gray16)
    assert np.shares_memory(data, pixels)


@given(arrays())
def test_zstd0_is_one_frame_of_the_rows(pixels: Any) -> None:
    expected = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    assert unzstd(encoded(pixels, "zstd0:ExplicitLevel=1")) == expected


@given(arrays())
def test_zstd1_is_a_header_and_a_frame(pixels: Any) -> None:
    expected = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    data = encoded(pixels, "zstd1:ExplicitLevel=1")
    assert data[:3] == b"\x03\x01\x00"
    assert unzstd(data[3:]) == expected


@given(arrays())
def test_hilo_packs_gray16_only_and_says_so(pixels: Any) -> None:
    words = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    data = encoded(pixels, "zstd1:ExplicitLevel=1;PreProcess=HiLoByteUnpack")
    if pixel_type(pixels) == PixelType.Gray16:
        assert data[:3] == b"\x03\x01\x01"
        assert unzstd(data[3:]) == words[::2] + words[1::2]
    else:
        assert data[:3] == b"\x03\x01\x00"
        assert unzstd(data[3:]) == words


@pytest.mark.parametrize("level", [-131072, -1, 0, 22])
def test_every_level_of_zstd_works(level: int) -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8, 1)
    assert unzstd(encoded(pixels, f"zstd0:ExplicitLevel={level}")) == pixels.tobytes()


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (17, 33)])
def test_jpeg_xr_is_lossless(dtype: str, samples: int, size: tuple[int, int]) -> None:
    imagecodecs = pytest.importorskip("imagecodecs", reason="the extra 'jpegxr'")
    generator = np.random.default_rng(3)
    pixels = generator.integers(0, np.iinfo(dtype).max, (*size, samples)).astype(dtype)
    rgb = imagecodecs.jpegxr_decode(encoded(pixels, "jpgxr:"))
    assert np.array_equal(rgb.reshape(pixels.shape)[..., ::-1], pixels)


def test_jpeg_xr_of_lower_quality_is_smaller() -> None:
    pytest.importorskip("imagecodecs", reason="the extra 'jpegxr'")
    pixels = np.random.default_rng(3).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    assert len(encoded(pixels, "jpgxr:Quality=500")) < len(encoded(pixels, "jpgxr:")) / 2


def test_jpeg_xr_refuses_what_it_would_change_or_cannot_hold() -> None:
    with pytest.raises(ValueError, match="does not keep float32 pixels exactly"):
        check_codec(parse_compression("jpgxr:"), PixelType.Gray32Float)
    with pytest.raises(ValueError, match="cannot hold Bgr96Float"):
        check_codec(parse_compression("jpgxr:"), PixelType.Bgr96Float)


def test_a_missing_jpeg_xr_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(MissingExtraError, match=r"czictypes\[jpegxr\]"):
        check_codec(parse_compression("jpgxr:"), PixelType.Gray8)
