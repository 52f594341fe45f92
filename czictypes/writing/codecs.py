"""Pixels to the bytes that stand in a sub-block, for each compression method.

The layouts are those libCZI reads: zstd0 is one frame of the rows without gaps, its content
size in the frame's header; zstd1 puts a three-byte header before such a frame; JPEG XR is a
complete file of that format. Every function is a pure one, so the bytes do not depend on how
many threads compress.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from czictypes.container.jpegxr import PIXEL_FORMAT_TAG, jpegxr_tags
from czictypes.model.extras import require
from czictypes.model.pixel_types import Compression, PixelType
from czictypes.writing.compression import CompressionOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["check_codec", "encode"]

_HEADER_PLAIN = b"\x03\x01\x00"
_HEADER_HILO = b"\x03\x01\x01"
_LOSSLESS = 1000
_LITTLE_ENDIAN = sys.byteorder == "little"
#: What libCZI's JPEG XR decoder accepts.
_JPEG_XR_TYPES = (
    PixelType.Gray8,
    PixelType.Gray16,
    PixelType.Gray32Float,
    PixelType.Bgr24,
    PixelType.Bgr48,
)
_RGB24, _BGR24 = b"\x0d", b"\x0c"


def check_codec(options: CompressionOptions, pixel_type: PixelType) -> None:
    """Check that pixels of this type can be written with this compression, before any are.

    Raises
    ------
    ValueError
        If JPEG XR cannot hold the pixel type, or not without loss though asked to.
    MissingExtraError
        If the package that compresses JPEG XR is not installed.
    """
    if options.method != Compression.JpegXr:
        return
    if pixel_type not in _JPEG_XR_TYPES:
        names = ", ".join(known.name for known in _JPEG_XR_TYPES)
        raise ValueError(f"jpgxr: cannot hold {pixel_type.name} pixels, only {names}")
    if pixel_type == PixelType.Gray32Float and options.quality == _LOSSLESS:
        raise ValueError(
            "jpgxr: does not keep float32 pixels exactly; use 'zstd1:' or, to accept the loss, "
            "'jpgxr:Quality=999'"
        )
    _jpegxr_encode()


def encode(pixels: NDArray[Any], options: CompressionOptions, pixel_type: PixelType) -> Any:
    """Return the bytes of a sub-block.

    Parameters
    ----------
    pixels
        (h, w, samples), of any memory layout; samples in the file's order (blue first).
    options
        The method; see `check_codec` for what must hold.
    pixel_type
        The pixel type that `pixels` has.

    Returns
    -------
    buffer
        Contiguous bytes. Uncompressed pixels that lie in memory as they do in the file are not
        copied: the buffer is `pixels`' own memory then.
    """
    if options.method == Compression.Uncompressed:
        return _packed(pixels)
    if options.method == Compression.Zstd0:
        return _zstd(_packed(pixels), options.level)
    if options.method == Compression.Zstd1:
        return _zstd1(pixels, options, pixel_type)
    return _jpeg_xr(pixels, options)


def _packed(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    if not (_LITTLE_ENDIAN and pixels.dtype.isnative):
        pixels = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False)
    return np.ascontiguousarray(pixels).reshape(-1).view(np.uint8)


def _zstd1(pixels: NDArray[Any], options: CompressionOptions, pixel_type: PixelType) -> bytes:
    """Compress with zstd1.

    The packing of low and high bytes is left out for Bgr48, though asked for: libCZI up to
    0.67.4 unpacks only a third of each of its rows, and so would show wrong pixels. The file's
    header says so, and every reader decodes it rightly.
    """
    if options.hilo and pixel_type == PixelType.Gray16:
        return _HEADER_HILO + _zstd(_low_then_high_bytes(pixels), options.level)
    return _HEADER_PLAIN + _zstd(_packed(pixels), options.level)


def _low_then_high_bytes(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    packed = np.empty((2, *pixels.shape), np.uint8)
    np.copyto(packed[0], pixels, casting="unsafe")
    np.right_shift(pixels, 8, out=packed[1], casting="unsafe")
    return packed.reshape(-1)


def _zstd(data: NDArray[np.uint8], level: int) -> bytes:
    buffer = data.data
    if sys.version_info >= (3, 14):
        from compression import zstd

        return zstd.compress(buffer, level)
    import zstandard

    return zstandard.ZstdCompressor(level=level).compress(buffer)


def _jpeg_xr(pixels: NDArray[Any], options: CompressionOptions) -> bytes:
    native = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    rgb = native[..., 0] if native.shape[2] == 1 else native[..., ::-1]
    level = None if options.quality == _LOSSLESS else options.quality / _LOSSLESS
    encoded = bytearray(_jpegxr_encode()(np.ascontiguousarray(rgb), level=level))
    if rgb.ndim == 3 and rgb.dtype == np.uint8:
        _name_bgr24(encoded)
    return bytes(encoded)


def _name_bgr24(encoded: bytearray) -> None:
    """Change the pixel format that the file names from 24-bit RGB to 24-bit BGR.

    libCZI decodes no other; the coded picture is the same, for the name says only in which
    order a decoder gives the samples out.
    """
    tags = jpegxr_tags(lambda offset, count: bytes(encoded[offset : offset + count]))
    last = tags[PIXEL_FORMAT_TAG] + 15
    if encoded[last : last + 1] == _RGB24:
        encoded[last : last + 1] = _BGR24


def _jpegxr_encode() -> Any:
    return require("imagecodecs", extra="jpegxr", doing="compressing with 'jpgxr:'").jpegxr_encode
