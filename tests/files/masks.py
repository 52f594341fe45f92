"""Sub-block attachments with a valid-pixel mask, as libczi-facts.md describes the format."""

from __future__ import annotations

import struct
import uuid

import numpy as np
from numpy.typing import NDArray

__all__ = ["CHUNK_CONTAINER_XML", "chunk", "mask_chunk"]

#: The sub-block XML that tells that the attachment is a list of chunks.
CHUNK_CONTAINER_XML = (
    b"<METADATA><AttachmentSchema><DataFormat>CHUNKCONTAINER</DataFormat></AttachmentSchema>"
    b"</METADATA>"
)

_MASK = uuid.UUID("CBE3EA67-5BFC-492B-A16A-ECE378031448")


def chunk(kind: uuid.UUID, payload: bytes) -> bytes:
    """Return one chunk of an attachment."""
    return kind.bytes_le + struct.pack("<I", len(payload)) + payload


def mask_chunk(mask: NDArray[np.bool_]) -> bytes:
    """Return the chunk of a mask: one bit a pixel, the most significant first."""
    height, width = mask.shape
    rows = np.packbits(mask, axis=1)
    return chunk(_MASK, struct.pack("<4I", width, height, 0, rows.shape[1]) + rows.tobytes())
