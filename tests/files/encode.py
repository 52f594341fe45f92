"""Encodes pixels as sub-block data, independently of czictypes' own codecs."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from czictypes.model.pixel_types import Compression
from files.block import Block

__all__ = ["encode", "zstd_frame"]

_PIXEL_FORMAT = bytes.fromhex("24c3dd6f034efe4bb1853d77768dc9")  # JPEG XR's, but for a last byte


def encode(block: Block) -> bytes:
    """Return the data of a sub-block: the payload it names, or its pixels encoded."""
    if block.payload is not None:
        return block.payload
    pixels = np.ascontiguousarray(block.pixels)
    if block.compression == Compression.Uncompressed:
        return pixels.tobytes()
    if block.compression == Compression.Zstd0:
        return zstd_frame(pixels.tobytes())
    if block.compression == Compression.Zstd1:
        return _zstd1(pixels, hilo=block.hilo)
    if block.compression == Compression.JpegXr:
        return _jpeg_xr(pixels)
    raise ValueError(f"the tests have no encoder for {block.compression.name}")


def zstd_frame(data: bytes) -> bytes:
    """Compress to one zstd frame that tells its content's size."""
    if sys.version_info >= (3, 14):
        from compression import zstd

        return zstd.compress(data)
    import zstandard

    return zstandard.ZstdCompressor(write_content_size=True).compress(data)


def _zstd1(pixels: NDArray[Any], *, hilo: bool) -> bytes:
    if not hilo:
        return b"\x01" + zstd_frame(pixels.tobytes())
    words = pixels.reshape(-1).view(np.uint8).reshape(-1, 2)
    return b"\x03\x01\x01" + zstd_frame(words.T.tobytes())


def _jpeg_xr(pixels: NDArray[Any]) -> bytes:
    """Encode without loss; the encoder takes colours as R, G, B."""
    imagecodecs: Any = pytest.importorskip(
        "imagecodecs", reason="encodes JPEG XR tiles; pip install imagecodecs (CPython only)"
    )
    if pixels.shape[2] == 1:
        return bytes(imagecodecs.jpegxr_encode(pixels[:, :, 0], level=1.0))
    stream = bytes(imagecodecs.jpegxr_encode(np.ascontiguousarray(pixels[:, :, ::-1]), level=1.0))
    # libCZI knows 8-bit colours only by the format called BGR; the two differ in the name alone.
    return stream.replace(_PIXEL_FORMAT + b"\x0d", _PIXEL_FORMAT + b"\x0c")
