"""libCZI's compression strings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from czictypes.model.pixel_types import Compression
from czictypes.writing.compression import (
    UNCOMPRESSED,
    CompressionOptions,
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
