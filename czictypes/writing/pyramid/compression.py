"""The compression of the tiles of a pyramid."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.model.errors import MissingExtraError
from czictypes.model.pixel_types import Compression, PixelType
from czictypes.writing.codecs import check_codec
from czictypes.writing.compression import CompressionOptions, parse_compression

__all__ = ["choose_compression"]

_ZSTD1 = CompressionOptions(Compression.Zstd1, hilo=True)


def choose_compression(
    schemes: NDArray[Any],
    pixel_type: PixelType,
    asked: str | None,
    preferred: CompressionOptions | None = None,
) -> CompressionOptions:
    """Return how to compress the pyramid of a plane.

    Parameters
    ----------
    schemes
        The compression numbers of the plane's sub-blocks in full resolution.
    pixel_type
        What its pixels are.
    asked
        What the caller wants, if anything.
    preferred
        The options to use if their method is the one that most of `schemes` have.

    Returns
    -------
    CompressionOptions
        zstd1 where JPEG XR is wanted but cannot be had, or not without loss.
    """
    if asked is not None:
        return _possible(parse_compression(asked), pixel_type)
    numbers, counts = np.unique(schemes, return_counts=True)
    number = int(numbers[counts.argmax()])
    if preferred is not None and preferred.method == number:
        return _possible(preferred, pixel_type)
    if number in (Compression.Uncompressed, Compression.Zstd0, Compression.JpegXr):
        return _possible(CompressionOptions(Compression(number)), pixel_type)
    return _ZSTD1


def _possible(options: CompressionOptions, pixel_type: PixelType) -> CompressionOptions:
    try:
        check_codec(options, pixel_type)
    except (ValueError, MissingExtraError):
        return _ZSTD1
    return options
