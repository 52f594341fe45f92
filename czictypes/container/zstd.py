"""Parse and decode the zstd data of sub-blocks.

The frame header is defined by RFC 8878, the header before it by the CZI format. zstd0 data are a
bare frame. zstd1 data start with a header of 1 byte (``01``) or 3 bytes (``03 01 xx``; the lowest
bit of the last one means HiLo packing).

libCZI 0.64.0 to 0.67.4 unpack Bgr48 with HiLo packing wrongly: only a third of each row.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.container.limits import ZSTD_GROWTH, bitmap_size, check_difference, check_growth
from czictypes.kernel.codec import unpack_zstd
from czictypes.kernel.library import get_kernel
from czictypes.model.errors import CorruptFileError, MissingExtraError
from czictypes.model.pixel_types import Compression, PixelFormat, PixelType

#: The number of bytes at the start of the data that `parse_zstd_head` needs.
HEAD_SIZE = 24

#: The start of a zstd frame (RFC 8878).
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_RESERVED_BIT = 0x08
#: Larger frames are not decoded by blocks without the kernel.
_LARGEST_WINDOW = 1 << 31


class ZstdHead(NamedTuple):
    """The offset of the frame in the data, whether it is HiLo-packed, and its content size."""

    frame_offset: int
    hilo: bool
    content_size: int


def parse_zstd_head(data: bytes, compression: int, where: str) -> ZstdHead:
    """Parse the headers at the start of zstd0 or zstd1 data.

    The first `HEAD_SIZE` bytes of `data` suffice; `where` is their owner, for messages.

    Raises
    ------
    CorruptFileError
        If the headers are invalid, or lack the content size, which the CZI format requires.
    """
    offset, hilo = 0, False
    if compression == Compression.Zstd1:
        offset, hilo = _parse_packing(data, where)
    return ZstdHead(offset, hilo, _content_size(data[offset:], where))


def _parse_packing(data: bytes, where: str) -> tuple[int, bool]:
    if data[:1] == b"\x01":
        return 1, False
    if data[:2] == b"\x03\x01" and len(data) > 2:
        return 3, bool(data[2] & 1)
    raise CorruptFileError(f"{where} has an invalid zstd1 header: {data[:3]!r}")


def find_zstd_end(data: bytes | memoryview, head: ZstdHead) -> int | None:
    """Return the end of the frame in the data, or None if it is truncated."""
    at = deque(_block_ends(data, head), maxlen=1)[0]
    if at is None:
        return None
    at += 4 if data[head.frame_offset + 4] & 0x04 else 0
    return at if at <= len(data) else None


def _block_ends(data: bytes | memoryview, head: ZstdHead) -> Iterator[int | None]:
    """Yield where each block of the frame ends in the data, and None if it is truncated.

    A frame is a sequence of blocks, each with its size in front (RFC 8878, 3.1.1.2).
    """
    at = head.frame_offset + _head_size(data[head.frame_offset + 4])
    last = False
    while not last:
        field = int.from_bytes(data[at : at + 3], "little")
        last, repeats, size = bool(field & 1), field >> 1 & 3 == 1, field >> 3
        at += 3 + (1 if repeats else size)
        if at > len(data):
            yield None
            return
        yield at


def _head_size(descriptor: int) -> int:
    """Return the size of a frame's header."""
    single_segment = descriptor >> 5 & 1
    return 5 + (1 - single_segment) + (0, 1, 2, 4)[descriptor & 3] + (1 << (descriptor >> 6))


def _content_size(frame: bytes, where: str) -> int:
    if frame[:4] != ZSTD_MAGIC or len(frame) < 5 or frame[4] & _RESERVED_BIT:
        raise CorruptFileError(f"{where} is no zstd frame: it begins with {frame[:5]!r}")
    descriptor = frame[4]
    single_segment = bool(descriptor & 0x20)
    size_code = descriptor >> 6
    if size_code == 0 and not single_segment:
        raise CorruptFileError(f"{where} does not tell the size of its content, as CZI requires")
    width = 1 << size_code
    end = _head_size(descriptor)
    field = frame[end - width : end]
    if len(field) < width:
        raise CorruptFileError(f"{where} is cut off inside the header of its zstd frame")
    # A field of two bytes counts from 256 on, because smaller sizes fit into one byte.
    return int.from_bytes(field, "little") + (256 if width == 2 else 0)


def decode_zstd(
    data: bytes,
    compression: int,
    width: int,
    height: int,
    layout: PixelFormat,
    where: str = "the zstd data of a sub-block",
    rows: int | None = None,
) -> NDArray[np.generic]:
    """Decode zstd0 or zstd1 data, and undo HiLo packing.

    Excess bytes are cut, within the bounds that `limits` explains.

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
    rows
        The number of rows that are needed, from the first on; by default all. Damage behind them
        does not matter.

    Returns
    -------
    ndarray
        The pixels, of the shape (rows, width, samples) and the dtype of `layout`.

    Raises
    ------
    CorruptFileError
        If the data cannot be decoded or do not fit the bitmap.
    MissingExtraError
        If neither the kernel nor a decoding package is installed.
    """
    claimed = bitmap_size(width, height, layout.bytes_per_pixel, where)
    head = parse_zstd_head(bytes(data[:HEAD_SIZE]), compression, where)
    if head.hilo and layout.dtype != "<u2":
        raise CorruptFileError(f"{where} claims HiLo packing, which there is for 16-bit alone")
    check_growth(head.content_size, len(data), ZSTD_GROWTH, where)
    check_difference(claimed, head.content_size, where)
    row = width * layout.bytes_per_pixel
    needed = head.content_size if rows is None else rows * row
    kernel = get_kernel()
    if kernel is None:
        content = _decompressed(data, head, where, needed)
    else:
        kind = PixelType.Gray16 if head.hilo else PixelType.Gray8
        content = unpack_zstd(kernel, data, compression, kind, head.content_size, where, needed)
    return content[:claimed].view(layout.dtype).reshape(-1, width, layout.samples)


def _decompressed(data: bytes, head: ZstdHead, where: str, needed: int) -> NDArray[np.uint8]:
    """Decode with zstandard, or from Python 3.14 on with the standard library."""
    wanted = (head.content_size + needed) // 2 if head.hilo else needed
    try:
        found = _first_bytes(data, head, wanted)
    except ImportError:
        raise MissingExtraError(
            "sub-blocks in this compression are decoded with zstandard where the kernel of "
            "czictypes is missing: pip install 'czictypes[zstd]'"
        ) from None
    except MemoryError:
        raise
    except Exception as error:  # each package has its own class
        raise CorruptFileError(
            f"{where} cannot be decompressed ({error}); the file is damaged"
        ) from error
    if len(found) < wanted:
        raise CorruptFileError(
            f"{where} gives {len(found)} bytes in place of {wanted}; the file is damaged"
        )
    content = np.frombuffer(found, np.uint8)
    if not head.hilo:
        return content[:needed]
    # The low bytes of all words come first, then their high bytes.
    half, words = head.content_size // 2, needed // 2
    return np.stack((content[:words], content[half : half + words]), axis=1).reshape(-1)


def _first_bytes(data: bytes, head: ZstdHead, wanted: int) -> bytes:
    """Decode a frame, or its blocks up to the one that holds the last wanted byte."""
    is_all = wanted == head.content_size or head.content_size > _LARGEST_WINDOW
    if sys.version_info >= (3, 14):
        from compression.zstd import DecompressionParameter, ZstdDecompressor

        options = {DecompressionParameter.window_log_max: _LARGEST_WINDOW.bit_length() - 1}
        decoder = ZstdDecompressor(options=options)
        if is_all:
            return decoder.decompress(data[head.frame_offset :], head.content_size)
    else:
        from zstandard import ZstdDecompressor

        whole = ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
        if is_all:
            found: bytes = whole.decompress(data[head.frame_offset :], allow_extra_data=True)
            return found
        decoder = whole.decompressobj()
    content, begin = bytearray(), head.frame_offset
    for end in _block_ends(data, head):
        if end is None or len(content) >= wanted:
            break
        content += decoder.decompress(data[begin:end])
        begin = end
    return bytes(content)
