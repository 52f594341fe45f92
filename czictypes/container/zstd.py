"""Decodes zstd data of sub-blocks, by the library that libCZI uses, too.

It takes a tenth less time than through libCZI, since no bitmap is filled in between, and gets
right what libCZI gets wrong: 0.64.0 to 0.67.4 undo the HiLo packing of Bgr48 for a third of each
row alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from czictypes.container.limits import ZSTD_GROWTH, bitmap_size, check_difference, check_growth
from czictypes.container.pixels import PixelArray
from czictypes.container.zstd_frame import HEAD_SIZE, parse_zstd_head
from czictypes.container.zstd_pixels import ZstdPixels
from czictypes.container.zstd_stream import ZstdStream
from czictypes.model.errors import CorruptFileError
from czictypes.model.pixel_types import PixelFormat

__all__ = ["decode_zstd", "unpack_zstd"]


def decode_zstd(
    data: bytes,
    compression: int,
    width: int,
    height: int,
    layout: PixelFormat,
    where: str = "the zstd data of a sub-block",
) -> NDArray[np.generic]:
    """Decode zstd0 or zstd1 data; a HiLo packing is undone.

    Bytes beyond the bitmap's are cut, within the bounds told in `limits`.

    Parameters
    ----------
    data
        The sub-block's data as stored.
    compression
        `Compression.Zstd0` or `Compression.Zstd1`.
    width, height
        The bitmap's size in pixels.
    layout
        The layout of its pixels.
    where
        The owner of the data, for messages.

    Returns
    -------
    ndarray
        (height, width, samples), dtype as in `layout`; perhaps not writable.

    Raises
    ------
    CorruptFileError
        If the data cannot be decoded, or do not fit the bitmap.
    """
    return unpack_zstd(data, compression, width, height, layout, where)[:, :]


def unpack_zstd(
    data: bytes | memoryview,
    compression: int,
    width: int,
    height: int,
    layout: PixelFormat,
    where: str = "the zstd data of a sub-block",
    buffer: Callable[[int], NDArray[np.uint8]] | None = None,
) -> PixelArray:
    """Decode as `decode_zstd`; with a `buffer`, when pixels are used, and as far as they are.

    `buffer` gives memory of a size for what is decoded: new memory for each sub-block takes a tenth
    more time than memory that is used again. A HiLo packing is then undone only for the pixels
    that are used, which saves a pass over them where they are copied on.
    """
    claimed = bitmap_size(width, height, layout.bytes_per_pixel, where)
    head = parse_zstd_head(bytes(data[:HEAD_SIZE]), compression, where)
    if head.hilo and layout.dtype != "<u2":
        raise CorruptFileError(f"{where} claims HiLo packing, which there is for 16-bit alone")
    check_growth(head.content_size, len(data), ZSTD_GROWTH, where)
    check_difference(claimed, head.content_size, where)
    stream = ZstdStream(memoryview(data)[head.frame_offset :], where)
    shape = height, width, layout.samples
    if buffer is not None and head.content_size == claimed:
        return ZstdPixels(stream, shape, np.dtype(layout.dtype), buffer, hilo=head.hilo)
    values = np.empty(head.content_size, np.uint8)
    stream.read_into(values)
    if head.hilo:
        values = _undo_hilo(values)
    return values[:claimed].view(layout.dtype).reshape(shape)


def _undo_hilo(packed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Interleave the low bytes of all words, which come first, with their high bytes."""
    words = len(packed) // 2
    pairs = np.empty((words, 2), np.uint8)
    pairs[:, 0] = packed[:words]
    pairs[:, 1] = packed[words : 2 * words]
    return pairs.reshape(-1)
