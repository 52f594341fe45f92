"""The metadata of one sub-block: ``METADATA/Tags`` and what its attachment is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from czictypes.metadata.fields import Node, root_node
from czictypes.metadata.xml import XmlSource, parse
from czictypes.model.errors import CorruptFileError

__all__ = ["SubBlockMetadata", "has_chunk_container", "read_subblock_metadata"]

_CHUNK_CONTAINER = "CHUNKCONTAINER"


@dataclass(frozen=True)
class SubBlockMetadata:
    """The metadata of a sub-block; None for fields that are missing.

    Parameters
    ----------
    tags
        All tags as text, by name; a tag that has child elements is left out (use the dict).
    stage_x, stage_y, focus_z
        Where the stage and the focus stood, in micrometres; each may be there without the others.
    roi_center_offset
        The offset of the camera's region of interest from its centre (x, y), in micrometres.
    acquisition_time
        When the tile was taken.
    exposure_time
        In seconds, from the state of the camera.
    camera
        The camera's name.
    attachment_format
        ``CHUNKCONTAINER`` when the sub-block's attachment may hold a mask.
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


def has_chunk_container(source: XmlSource) -> bool:
    """Tell whether a sub-block's XML calls its attachment a chunk container, as masks are in.

    XML that is not well-formed says nothing of the kind.
    """
    if isinstance(source, (bytes, str)) and not _mentions_container(source):
        return False  # spares parsing, which nearly every sub-block of a file would cost
    try:
        root = root_node(source, "METADATA")
    except CorruptFileError:
        return False
    return root.text("AttachmentSchema/DataFormat") == _CHUNK_CONTAINER


def _mentions_container(source: bytes | str) -> bool:
    if isinstance(source, str):
        return _CHUNK_CONTAINER in source
    return _CHUNK_CONTAINER.encode() in source or b"\0" in source


def read_subblock_metadata(source: XmlSource) -> SubBlockMetadata:
    """Return the tags of a sub-block and what is commonly wanted of them.

    Raises
    ------
    CorruptFileError
        The XML is not well-formed.
    """
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
