"""The mask of valid pixels, as it stands in a sub-block's attachment (see container.masks)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from czictypes.container.masks import MASK_GUID

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["check_mask", "encode_mask"]


def check_mask(mask: Any, height: int, width: int) -> NDArray[np.bool_]:
    """Return a mask as a bool array (height, width).

    Raises
    ------
    ValueError
        If it has another shape, or is not bool (or 0 and 1).
    """
    array = np.asarray(mask)
    if array.shape != (height, width):
        raise ValueError(f"a mask of shape {array.shape} does not fit pixels ({height}, {width})")
    if array.dtype != np.bool_ and not ((array == 0) | (array == 1)).all():
        raise ValueError(f"a mask tells valid (True) from invalid pixels; it is {array.dtype}")
    return array.astype(np.bool_, copy=False)


def encode_mask(mask: NDArray[np.bool_]) -> bytes:
    """Return the attachment that holds a mask (h, w), True where a pixel is valid."""
    height, width = mask.shape
    rows = np.packbits(mask, axis=1)
    payload = struct.pack("<4I", width, height, 0, rows.shape[1]) + rows.tobytes()
    return MASK_GUID.bytes_le + struct.pack("<I", len(payload)) + payload
