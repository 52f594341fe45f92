"""The mask of valid pixels that a sub-block's attachment may hold.

The attachment is then a chunk container: chunks of a 16-byte GUID, a uint32 payload size and
the payload, one behind the other. The payload of a mask is uint32 width, height, type of
representation (0), stride, and rows of one bit per pixel, most significant first.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.model.errors import CorruptFileError, UnsupportedDataError

__all__ = ["MASK_GUID", "Mask", "find_mask", "iter_chunks"]

#: Marks the chunk with the mask of valid pixels.
MASK_GUID = uuid.UUID("CBE3EA67-5BFC-492B-A16A-ECE378031448")

_CHUNK_HEADER = struct.Struct("<16sI")
_MASK_HEADER = struct.Struct("<4I")


class Mask(NamedTuple):
    """The valid pixels of a bitmap: `bits` is a bool array (height, width)."""

    width: int
    height: int
    bits: NDArray[np.bool_]


def iter_chunks(
    attachment: bytes, where: str = "the attachment of a sub-block"
) -> Iterator[tuple[uuid.UUID, memoryview]]:
    """Give the GUID and payload of each chunk of a chunk container.

    Fewer bytes than a chunk header at the end are passed over.

    Raises
    ------
    CorruptFileError
        If a chunk goes beyond the end of the attachment.
    """
    view = memoryview(attachment)
    position = 0
    while position + _CHUNK_HEADER.size <= len(view):
        guid, size = _CHUNK_HEADER.unpack_from(view, position)
        position += _CHUNK_HEADER.size
        if position + size > len(view):
            raise CorruptFileError(
                f"{where} has a chunk of {size} bytes at {position}, but only {len(view)} bytes in "
                "all; the file is damaged"
            )
        yield uuid.UUID(bytes_le=guid), view[position : position + size]
        position += size


def find_mask(attachment: bytes, where: str = "the attachment of a sub-block") -> Mask | None:
    """Return the mask in a chunk container, at whatever place, or None where it has none.

    Call it only for an attachment that the sub-block's XML calls a CHUNKCONTAINER.

    Raises
    ------
    CorruptFileError
        If the container or the mask contradicts its sizes.
    UnsupportedDataError
        If the mask has another representation than plain bits.
    """
    for guid, payload in iter_chunks(attachment, where):
        if guid == MASK_GUID:
            return _parse_mask(payload, where)
    return None


def _parse_mask(payload: memoryview, where: str) -> Mask:
    if len(payload) < _MASK_HEADER.size:
        raise CorruptFileError(
            f"{where} has a mask of {len(payload)} bytes, less than its header; the file is damaged"
        )
    width, height, representation, stride = _MASK_HEADER.unpack_from(payload)
    if representation != 0:
        raise UnsupportedDataError(
            f"{where} has a mask of the representation {representation}; 0, plain bits, is known"
        )
    row = (width + 7) // 8
    needed = (height - 1) * stride + row
    available = len(payload) - _MASK_HEADER.size
    if not width or not height or stride < row or needed > available:
        raise CorruptFileError(
            f"{where} has a mask that claims {width} x {height} pixels in rows of {stride} bytes, "
            f"but {available} bytes; the file is damaged"
        )
    # The last row may be shorter than the stride, so rows are laid out by strides, not reshaped.
    data = np.frombuffer(payload, np.uint8, needed, _MASK_HEADER.size)
    rows = np.lib.stride_tricks.as_strided(data, (height, row), (stride, 1), writeable=False)
    bits = np.unpackbits(rows, axis=1, count=width).view(np.bool_)
    return Mask(width, height, bits)
