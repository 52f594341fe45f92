"""The metadata of one sub-block, ``METADATA/Tags``: read and built."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from czictypes.metadata.document_info import CustomValue
from czictypes.metadata.elements import ensure, format_number, put
from czictypes.metadata.fields import Node, root_node
from czictypes.metadata.xml import XmlSource, parse, to_bytes
from czictypes.model.errors import CorruptFileError

_CHUNK_CONTAINER = "CHUNKCONTAINER"
_TAG = re.compile(r"[^\W\d][\w.-]*")


@dataclass(frozen=True)
class SubBlockMetadata:
    """The metadata of a sub-block; None for fields that are missing.

    Parameters
    ----------
    tags
        All tags as text, by name; without those that have child elements (see the dict).
    stage_x, stage_y, focus_z
        The positions of stage and focus in micrometres; each may be there without the others.
    roi_center_offset
        The offset of the camera's region of interest from its centre (x, y), in micrometres.
    acquisition_time
        The time at which the tile was taken.
    exposure_time
        In seconds, from the state of the camera.
    camera
        The name of the camera.
    attachment_format
        ``CHUNKCONTAINER`` if the attachment of the sub-block may hold a mask.
    """

    tags: dict[str, str] = field(default_factory=dict)
    stage_x: float | None = None
    stage_y: float | None = None
    focus_z: float | None = None
    roi_center_offset: tuple[float, float] | None = None
    acquisition_time: datetime | None = None
    exposure_time: float | None = None
    camera: str | None = None
    attachment_format: str | None = None


def has_chunk_container(xml: bytes) -> bool:
    """Return whether the XML calls the attachment a chunk container, in which masks are stored.

    Return False for XML that is not well-formed.
    """
    if _CHUNK_CONTAINER.encode() not in xml and b"\0" not in xml:
        return False  # spares parsing, which nearly every sub-block of a file would cost
    try:
        root = root_node(xml, "METADATA")
    except CorruptFileError:
        return False
    return root.text("AttachmentSchema/DataFormat") == _CHUNK_CONTAINER


def read_subblock_metadata(source: XmlSource) -> SubBlockMetadata:
    """Return the tags of a sub-block; raise a CorruptFileError for XML that is not well-formed."""
    root = root_node(source, "METADATA")
    tags = root.child("Tags")
    camera = _camera_state(tags)
    exposure = camera.number("ExposureTime")
    roi_x, roi_y = tags.number("RoiCenterOffsetX"), tags.number("RoiCenterOffsetY")
    return SubBlockMetadata(
        tags=_tag_texts(tags),
        stage_x=tags.number("StageXPosition"),
        stage_y=tags.number("StageYPosition"),
        focus_z=tags.number("FocusPosition"),
        roi_center_offset=None if roi_x is None or roi_y is None else (roi_x, roi_y),
        acquisition_time=tags.moment("AcquisitionTime"),
        exposure_time=None if exposure is None else exposure / 1e9,  # stored in nanoseconds
        camera=camera.text("CameraDisplayName"),
        attachment_format=root.text("AttachmentSchema/DataFormat"),
    )


def _tag_texts(tags: Node) -> dict[str, str]:
    if tags.element is None:
        return {}
    return {
        element.tag: (element.text or "").strip()
        for element in tags.element
        if isinstance(element.tag, str) and not len(element)
    }


def _camera_state(tags: Node) -> Node:
    """Return the camera's state, which ZEN stores as XML within the text of a tag."""
    path = f"{tags.path}/DetectorState/CameraState"
    text = tags.text("DetectorState")
    if text is None or not text.startswith("<"):
        return Node(None, path)
    try:
        element = parse(text)
    except CorruptFileError as error:
        tags.warn(f"{tags.path}/DetectorState: {error}; it is taken as missing")
        return Node(None, path)
    return Node(element if element.tag == "CameraState" else None, path)


def build_subblock_metadata(
    tags: Mapping[str, CustomValue | datetime] | None = None,
    *,
    stage_x: float | None = None,
    stage_y: float | None = None,
    focus_z: float | None = None,
    acquisition_time: datetime | None = None,
    has_mask: bool = False,
) -> bytes:
    """Return the XML of a sub-block; empty if it has no metadata.

    `tags` has any tags by name, such as ``{"RetilingId": "..."}``. Positions are in micrometres.
    A mask needs an attachment that is a chunk container (`has_mask`). Raises a ValueError if the
    name of a tag is no XML name, XML cannot store a text, or a position is not finite.
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
        put(root, "AttachmentSchema/DataFormat", _CHUNK_CONTAINER)
    return to_bytes(root) if len(root) else b""


def _position(micrometres: float | None) -> str | None:
    """Return a position as ZEN writes it, with all digits if its four would round."""
    if micrometres is None:
        return None
    if not math.isfinite(micrometres):
        raise ValueError(f"a stage or focus position must be a finite number, not {micrometres}")
    text = f"{micrometres:+018.4f}"
    return text if float(text) == micrometres else format_number(micrometres)
