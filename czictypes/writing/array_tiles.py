"""Cuts an array into the tiles that are written, and prepares what goes with a tile.

Shape and type are checked; an array that is too large is cut as pylibCZIrw cuts it. The parts of a
sub-block besides its pixels are tags, stage position, mask and attachment.
"""

from __future__ import annotations

import operator
import os
import struct
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.container.attachments import MASK_GUID
from czictypes.metadata.document_info import CustomValue
from czictypes.metadata.subblock_tags import build_subblock_metadata
from czictypes.model.geometry import Location
from czictypes.model.pixel_types import PixelType

#: By numpy's kind of number, bytes of a sample, and samples.
_PIXEL_TYPES = {
    ("u", 1, 1): PixelType.Gray8,
    ("u", 2, 1): PixelType.Gray16,
    ("f", 4, 1): PixelType.Gray32Float,
    ("u", 1, 3): PixelType.Bgr24,
    ("u", 2, 3): PixelType.Bgr48,
    ("f", 4, 3): PixelType.Bgr96Float,
}
_LARGEST_UNCUT = 10_000_000  # bytes
_LARGEST_SIDE = {1: 3100, 3: 1800}  # by samples per pixel
_INT32 = range(-(2**31), 2**31)
_LARGEST = 2**31 - 1


class ArrayTile(NamedTuple):
    """A part of an array: its position there, and its pixels (h, w, samples)."""

    x: int
    y: int
    pixels: NDArray[Any]


def to_pixels(data: Any) -> NDArray[Any]:
    """Return an array as (h, w, samples), without copying it.

    It is (y, x), (y, x, 1) or (y, x, 3), else (1, y, x) or (3, y, x); any other raises a
    ValueError.
    """
    array = np.asarray(data)
    if array.size == 0:
        raise ValueError(f"data of shape {array.shape} has no pixels")
    if array.ndim == 2:
        array = array[:, :, np.newaxis]
    elif array.ndim != 3 or not {array.shape[0], array.shape[2]} & {1, 3}:
        raise ValueError(
            f"data of shape {array.shape} is no plane; it must be (y, x), (y, x, 1), (y, x, 3), "
            "(1, y, x) or (3, y, x)"
        )
    elif array.shape[2] not in (1, 3):
        array = np.moveaxis(array, 0, 2)
    return array


def mask_of(data: Any, mask: Any = None) -> Any:
    """Return the mask of valid pixels (h, w) that is given, or that of a numpy masked array.

    The samples of a pixel must be masked alike: the mask of a CZI is one of pixels.
    """
    if not isinstance(data, np.ma.MaskedArray) or not np.ma.is_masked(data):
        return mask
    if mask is not None:
        raise ValueError("the data are a masked array and have a mask; give no other as mask=")
    masked = to_pixels(np.ma.getmaskarray(data))
    if (masked != masked[..., :1]).any():
        raise ValueError(
            "the colours of some pixels are masked apart, but a CZI has one mask for all; mask "
            "whole pixels, or fill the array: data.filled(0)"
        )
    return ~masked[..., 0]


def pixel_type_of(pixels: NDArray[Any]) -> PixelType:
    """Return the pixel type of an array (h, w, samples), samples in the order blue, green, red."""
    dtype = pixels.dtype
    pixel_type = _PIXEL_TYPES.get((dtype.kind, dtype.itemsize, pixels.shape[2]))
    if pixel_type is None:
        raise ValueError(
            f"data of type {pixels.dtype} cannot be written; convert it to uint8, uint16 or float32"
        )
    return pixel_type


def check_location(location: Any, width: int, height: int) -> Location:
    """Return the position of the top-left pixel; all pixels must lie within 32-bit positions."""
    try:
        x, y = location
        x, y = operator.index(x), operator.index(y)
    except (TypeError, ValueError):
        raise ValueError(f"the location {location!r} is not two whole numbers (x, y)") from None
    if min(x, y) < _INT32.start or x + width >= _INT32.stop or y + height >= _INT32.stop:
        fits = x >= _INT32.start and x + width < _INT32.stop
        start, size, axis = (y, height, "y") if fits else (x, width, "x")
        raise ValueError(
            f"{size} pixels from {axis} = {start} on go past what a CZI can hold: positions "
            "have 32 bits"
        )
    return Location(x, y)


def cut(pixels: NDArray[Any]) -> list[ArrayTile]:
    """Cut an array (h, w, samples) of more than 10 MB into tiles, row by row; no copies."""
    if pixels.nbytes <= _LARGEST_UNCUT:
        return [ArrayTile(0, 0, pixels)]
    height, width, samples = pixels.shape
    return [
        ArrayTile(left, top, pixels[top:bottom, left:right])
        for top, bottom in _parts(height, _LARGEST_SIDE[samples])
        for left, right in _parts(width, _LARGEST_SIDE[samples])
    ]


def _parts(extent: int, largest: int) -> Iterator[tuple[int, int]]:
    """Cut into equal parts; what is left over goes to the last one."""
    count = -(-extent // largest)
    size = extent // count
    for number in range(count):
        yield number * size, extent if number == count - 1 else (number + 1) * size


@dataclass(frozen=True)
class TileInfo:
    """The metadata that the microscope has for a tile.

    Parameters
    ----------
    stage_x, stage_y, focus_z
        Where stage and focus stood, in micrometres.
    acquisition_time
        When the tile was taken.
    tags
        Any other tags by name; a name is an XML name.
    """

    stage_x: float | None = None
    stage_y: float | None = None
    focus_z: float | None = None
    acquisition_time: datetime | None = None
    tags: Mapping[str, CustomValue | datetime] = field(default_factory=dict)


class SubBlockExtras(NamedTuple):
    """The checked extras of one array: the same XML for all its tiles, a part of the mask each."""

    metadata: bytes
    mask: NDArray[np.bool_] | None
    attachment: bytes

    def attachment_of(self, tile: ArrayTile) -> bytes:
        """Return the attachment that goes with a tile."""
        if self.mask is None:
            return self.attachment
        height, width = tile.pixels.shape[:2]
        return encode_mask(self.mask[tile.y : tile.y + height, tile.x : tile.x + width])


def make_subblock_extras(
    pixels: NDArray[Any],
    tiles: int,
    info: TileInfo | None = None,
    mask: Any = None,
    attachment: bytes | None = None,
) -> SubBlockExtras:
    """Check and prepare the extras of an array (h, w, samples) that is cut into some tiles.

    Like pylibCZIrw, each call marks its tiles with one RetilingId.
    """
    if info is not None and not isinstance(info, TileInfo):
        raise TypeError(f"info must be a TileInfo, not {info!r}")
    if attachment is not None and not isinstance(attachment, (bytes, bytearray, memoryview)):
        raise TypeError(f"an attachment must be bytes, not {type(attachment).__name__}")
    if mask is not None and attachment:
        raise ValueError("a mask stands in the attachment: give one of the two, not both")
    if attachment and tiles > 1:
        raise ValueError(
            f"pixels {pixels.shape[:2]} are cut into {tiles} tiles, but there is one attachment; "
            "write tiles of at most 10 MB"
        )
    if len(attachment or b"") > _LARGEST:
        raise ValueError("an attachment must have less than 2 GiB")
    if info is None and mask is None:
        # the XML that nearly all tiles have, without the detour through a tree
        tag = f"<METADATA><Tags><RetilingId>{_new_id()}</RetilingId></Tags></METADATA>"
        return SubBlockExtras(tag.encode(), None, bytes(attachment or b""))
    info = info or TileInfo()
    metadata = build_subblock_metadata(
        {"RetilingId": _new_id(), **info.tags},
        stage_x=info.stage_x,
        stage_y=info.stage_y,
        focus_z=info.focus_z,
        acquisition_time=info.acquisition_time,
        has_mask=mask is not None,
    )
    checked = None if mask is None else _checked_mask(mask, *pixels.shape[:2])
    return SubBlockExtras(metadata, checked, bytes(attachment or b""))


def _new_id() -> str:
    """Return the text of a random UUID, version 4, in a fifth of the time that `uuid` takes."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def _checked_mask(mask: Any, height: int, width: int) -> NDArray[np.bool_]:
    """Return a mask as a bool array (height, width); it may be given as 0 and 1."""
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
    return encode_chunk(MASK_GUID, payload)


def encode_chunk(kind: uuid.UUID, payload: bytes) -> bytes:
    """Return a chunk of an attachment that is a chunk container."""
    return kind.bytes_le + struct.pack("<I", len(payload)) + payload
