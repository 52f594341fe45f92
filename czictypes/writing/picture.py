"""Encodes small pictures as the files that stand in attachments."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["EncodedPicture", "encode_picture"]

_QUALITY = 90


class EncodedPicture(NamedTuple):
    """A picture and what kind of file it is: ``"JPG"`` or ``"PNG"``."""

    content_file_type: str
    data: bytes


def encode_picture(pixels: NDArray[np.uint8]) -> EncodedPicture:
    """Encode a picture (h, w, 1) or (h, w, 3) in the order red, green, blue.

    As JPEG, as ZEN does, where Pillow or imagecodecs is installed; else as PNG.
    """
    squeezed = np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    jpeg = _with_pillow(squeezed) or _with_imagecodecs(squeezed)
    if jpeg is not None:
        return EncodedPicture("JPG", jpeg)
    return EncodedPicture("PNG", _png(squeezed))


def _with_pillow(pixels: NDArray[np.uint8]) -> bytes | None:
    try:
        from PIL import Image
    except ImportError:
        return None
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


def _with_imagecodecs(pixels: NDArray[np.uint8]) -> bytes | None:
    try:
        from imagecodecs import jpeg8_encode
    except ImportError:
        return None
    return bytes(jpeg8_encode(pixels, level=_QUALITY))


def _png(pixels: NDArray[np.uint8]) -> bytes:
    height, width = pixels.shape[:2]
    color_type = 0 if pixels.ndim == 2 else 2
    rows = np.zeros((height, 1 + pixels[0].size), np.uint8)  # a row begins with its filter, 0
    rows[:, 1:] = pixels.reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, color_type, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
