"""Compression: the strings that name it, as libCZI knows them, and the bytes it makes of pixels.

A string is ``method:key=value;key=value``, letters in any case, spaces around the parts allowed. A
key that a method has no use for is ignored (``PreProcess`` with `zstd0`); an unknown key, which
libCZI would ignore too, is an error here, since it is nearly always a slip of the pen.

The bytes are those libCZI reads: zstd0 is one frame of the rows without gaps, its content size in
the frame's header; zstd1 puts a three-byte header before such a frame; JPEG XR is a complete file
of that format. They do not depend on how many threads compress.
"""

from __future__ import annotations

import re
import sys
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.container.pictures import PIXEL_FORMAT_TAG, jpegxr_tags
from czictypes.kernel.codec import pack_zstd
from czictypes.kernel.library import get_kernel
from czictypes.model.errors import InvalidArgumentError
from czictypes.model.lazy import require
from czictypes.model.pixel_types import Compression, PixelType

#: zstd's own bounds; libCZI clips a level to them.
_MIN_LEVEL, _MAX_LEVEL = -131072, 22
_MAX_QUALITY = 1000
_INT32 = range(-(2**31), 2**31)

_METHODS = {
    "uncompressed": Compression.Uncompressed,
    "zstd0": Compression.Zstd0,
    "zstd1": Compression.Zstd1,
    "jpgxr": Compression.JpegXr,
}
_VALID = (
    "'uncompressed:', 'zstd0:ExplicitLevel=N' (N from -131072 to 22, 0 or none for the default), "
    "'zstd1:ExplicitLevel=N;PreProcess=HiLoByteUnpack' (PreProcess packs 16-bit pixels better), "
    "'jpgxr:' (lossless; 'jpgxr:Quality=N' with N from 0 to 999 loses detail)"
)
_WHOLE = re.compile(r"\s*([a-zA-Z0-9]+)\s*:(.*)", re.DOTALL)
_PART = re.compile(r"\s*([a-zA-Z0-9]+)\s*=\s*([a-zA-Z0-9.+-]+)\s*")
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
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


class CompressionOptions(NamedTuple):
    """The compression of the pixels of a sub-block."""

    method: Compression  # `Uncompressed`, `Zstd0`, `Zstd1` or `JpegXr`
    level: int = 0  # of zstd; 0 for its default
    hilo: bool = False  # whether `Zstd1` packs low and high bytes of 16-bit pixels apart
    quality: int = _MAX_QUALITY  # of JPEG XR, 0 to 1000; 1000 is lossless


UNCOMPRESSED = CompressionOptions(Compression.Uncompressed)


def parse_compression(text: str) -> CompressionOptions:
    """Turn one of libCZI's compression strings into options.

    An InvalidArgumentError says what is wrong with the text, and lists the valid strings.
    """
    if not isinstance(text, str):
        raise TypeError(f"compression options are a string such as {_VALID}; not {text!r}")
    match = _WHOLE.fullmatch(text)
    if match is None:
        raise _error(text, "it is not of the form 'method:key=value;key=value'")
    method = _METHODS.get(match.group(1).lower())
    if method is None:
        raise _error(text, f"there is no method {match.group(1)!r}")
    options = CompressionOptions(method)
    for part in match.group(2).split(";"):
        if part.strip():
            options = _with_part(options, part, text)
    return options


def resolve_compression(
    text: str | None, default: CompressionOptions = UNCOMPRESSED
) -> CompressionOptions:
    """Return the options of `text`, or `default` for None and the empty string."""
    return parse_compression(text) if text else default


def _with_part(options: CompressionOptions, part: str, text: str) -> CompressionOptions:
    match = _PART.fullmatch(part)
    if match is None:
        raise _error(text, f"{part.strip()!r} is not of the form 'key=value'")
    key, value = match.group(1).lower(), match.group(2)
    if key == "explicitlevel":
        level = _number(value, text)
        if level not in _INT32:
            raise _error(text, f"the level {value} is out of range")
        return options._replace(level=min(max(level, _MIN_LEVEL), _MAX_LEVEL))
    if key == "preprocess":
        if value.lower() != "hilobyteunpack":
            raise _error(text, f"there is no preprocessing {value!r}")
        return options._replace(hilo=True)
    if key == "quality":
        return options._replace(quality=min(max(_number(value, text), 0), _MAX_QUALITY))
    raise _error(text, f"there is no key {match.group(1)!r}")


def _number(value: str, text: str) -> int:
    if _NUMBER.fullmatch(value) is None:
        raise _error(text, f"{value!r} is not a whole number")
    return int(value)


def _error(text: str, reason: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"compression options {text!r}: {reason}; valid are {_VALID}")


def check_codec(options: CompressionOptions, pixel_type: PixelType) -> None:
    """Check that pixels of this type can be written with this compression, before any are.

    A ValueError says that JPEG XR cannot hold them (without loss, if that was asked for), a
    MissingExtraError that the package which compresses JPEG XR is not installed.
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
    """Return the bytes of a sub-block as a contiguous buffer.

    Pixels are (h, w, samples), of any memory layout, samples in the file's order (blue first);
    `check_codec` says what must hold. Uncompressed pixels that lie in memory as they do in the file
    are not copied: the buffer is their own memory then.
    """
    if options.method == Compression.Uncompressed:
        return _packed(pixels)
    if options.method in (Compression.Zstd0, Compression.Zstd1):
        return _zstd(pixels, options, pixel_type)
    return _jpeg_xr(pixels, options)


def _packed(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    if not (_LITTLE_ENDIAN and pixels.dtype.isnative):
        pixels = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False)
    return np.ascontiguousarray(pixels).reshape(-1).view(np.uint8)


def _zstd(pixels: NDArray[Any], options: CompressionOptions, pixel_type: PixelType) -> bytes:
    """Compress with zstd0 or zstd1.

    The packing of low and high bytes is left out for Bgr48, though asked for: libCZI up to 0.67.4
    unpacks only a third of each of its rows, and so would show wrong pixels. The file's header says
    so, and every reader decodes it rightly.
    """
    packed, method = _packed(pixels), options.method
    hilo = options.hilo and pixel_type == PixelType.Gray16 and method == Compression.Zstd1
    kernel = get_kernel()
    if kernel is not None:
        words = packed.view("<u2") if hilo else packed
        return pack_zstd(kernel, words, method, hilo=hilo, level=options.level)
    if hilo:
        packed = np.ascontiguousarray(packed.reshape(-1, 2).T).reshape(-1)
    header = (_HEADER_HILO if hilo else _HEADER_PLAIN) if method == Compression.Zstd1 else b""
    return header + _compressed(packed, options.level)


def _compressed(data: NDArray[np.uint8], level: int) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd

        return zstd.compress(data.data, level)
    zstandard = require("zstandard", extra="zstd", doing="compressing with zstd without the kernel")
    packed: bytes = zstandard.ZstdCompressor(level=level).compress(data.data)
    return packed


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
