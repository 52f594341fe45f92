"""Build the XML of a sub-block."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from datetime import datetime

from czictypes.metadata.attributes import CustomValue
from czictypes.metadata.elements import ensure, format_number, put
from czictypes.metadata.serialize import to_bytes

__all__ = ["build_subblock_metadata"]

_TAG = re.compile(r"[^\W\d][\w.-]*")


def build_subblock_metadata(
    tags: Mapping[str, CustomValue | datetime] | None = None,
    *,
    stage_x: float | None = None,
    stage_y: float | None = None,
    focus_z: float | None = None,
    acquisition_time: datetime | None = None,
    has_mask: bool = False,
) -> bytes:
    """Return the XML of a sub-block; empty when there is nothing to say.

    Parameters
    ----------
    tags
        Any tags by name, such as ``{"RetilingId": "..."}``.
    stage_x, stage_y, focus_z
        Where the stage and the focus stood, in micrometres.
    acquisition_time
        When the tile was taken.
    has_mask
        The sub-block's attachment is a chunk container, as a mask needs it.

    Raises
    ------
    ValueError
        A tag's name is no XML name, its text has a character that XML cannot store, or a
        position is not finite.
    """
    root = ET.Element("METADATA")
    put(root, "Tags/AcquisitionTime", acquisition_time)
    put(root, "Tags/StageXPosition", _position(stage_x))
    put(root, "Tags/StageYPosition", _position(stage_y))
    put(root, "Tags/FocusPosition", _position(focus_z))
    for name, value in (tags or {}).items():
        if not _TAG.fullmatch(name) or name.lower().startswith("xml"):
            raise ValueError(f"{name!r} cannot be the name of a tag: it must be an XML name")
        put(ensure(root, "Tags"), name, value)
    if has_mask:
        put(root, "AttachmentSchema/DataFormat", "CHUNKCONTAINER")
    return to_bytes(root) if len(root) else b""


def _position(micrometres: float | None) -> str | None:
    """Return a position as ZEN writes it, with all digits where its four would round."""
    if micrometres is None:
        return None
    if not math.isfinite(micrometres):
        raise ValueError(f"a stage or focus position must be a finite number, not {micrometres}")
    text = f"{micrometres:+018.4f}"
    return text if float(text) == micrometres else format_number(micrometres)
