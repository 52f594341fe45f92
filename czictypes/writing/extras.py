"""The parts of a sub-block besides its pixels: tags, stage position, mask, attachment."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from czictypes.metadata.document import CustomValue
from czictypes.metadata.subblock import build_subblock_metadata
from czictypes.writing.masks import check_mask, encode_mask
from czictypes.writing.tiles import Tile

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TileExtras", "TileInfo", "make_extras"]

_LARGEST = 2**31 - 1


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


class TileExtras(NamedTuple):
    """The checked extras of one array: the same XML for all its tiles, a part of the mask each."""

    metadata: bytes
    mask: NDArray[np.bool_] | None
    attachment: bytes

    def attachment_of(self, tile: Tile) -> bytes:
        """Return the attachment that goes with a tile."""
        if self.mask is None:
            return self.attachment
        height, width = tile.pixels.shape[:2]
        return encode_mask(self.mask[tile.y : tile.y + height, tile.x : tile.x + width])


def make_extras(
    pixels: NDArray[Any], tiles: int, info: TileInfo | None, mask: Any, attachment: bytes | None
) -> TileExtras:
    """Check and prepare the extras of an array (h, w, samples) that is cut into some tiles.

    Like pylibCZIrw, each call marks its tiles with one RetilingId.

    Raises
    ------
    TypeError
        If the info is no `TileInfo`, or the attachment no bytes.
    ValueError
        For a tag that XML cannot hold, a mask of another shape, both a mask and an attachment,
        or an attachment of an array that is cut into several tiles.
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
        return TileExtras(_retiling_tag(), None, bytes(attachment or b""))
    info = info or TileInfo()
    metadata = build_subblock_metadata(
        {"RetilingId": str(uuid.uuid4()), **info.tags},
        stage_x=info.stage_x,
        stage_y=info.stage_y,
        focus_z=info.focus_z,
        acquisition_time=info.acquisition_time,
        has_mask=mask is not None,
    )
    checked = None if mask is None else check_mask(mask, *pixels.shape[:2])
    return TileExtras(metadata, checked, bytes(attachment or b""))


def _retiling_tag() -> bytes:
    """Return the XML that nearly all tiles have, without the detour through a tree."""
    tag = f"<METADATA><Tags><RetilingId>{uuid.uuid4()}</RetilingId></Tags></METADATA>"
    return tag.encode()
