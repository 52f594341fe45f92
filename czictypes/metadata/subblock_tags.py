"""The metadata of sub-blocks, ``METADATA/Tags``: read, built, and those of many read as columns."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from operator import attrgetter
from typing import Any, Callable, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.metadata.document_info import CustomValue
from czictypes.metadata.fields import Node, ensure, format_number, parse_datetime, put, root_node
from czictypes.metadata.xml import XmlSource, parse, to_bytes, to_text
from czictypes.model.errors import CorruptFileError, MetadataWarning
from czictypes.model.public import warn_caller

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


def move_stage(xml: bytes, by: tuple[float, float]) -> bytes:
    """Return the XML of a sub-block with its stage position moved (x, y), in micrometres.

    XML without a position, or that is not well-formed, is returned as it is.
    """
    try:
        root = parse(xml) if b"StageXPosition" in xml or b"\0" in xml else None
    except CorruptFileError:
        return xml
    tags = Node(None if root is None else root.find("Tags"), "Tags")
    places = [(name, tags.number(name)) for name in ("StageXPosition", "StageYPosition")]
    if root is None or any(place is None for _, place in places):
        return xml
    for (name, place), step in zip(places, by):
        put(root, f"Tags/{name}", _position((place or 0.0) + step))
    return to_bytes(root)


def _position(micrometres: float | None) -> str | None:
    """Return a position as ZEN writes it, with all digits if its four would round."""
    if micrometres is None:
        return None
    if not math.isfinite(micrometres):
        raise ValueError(f"a stage or focus position must be a finite number, not {micrometres}")
    text = f"{micrometres:+018.4f}"
    return text if float(text) == micrometres else format_number(micrometres)


class _Field(NamedTuple):
    """A field: the pattern of its text, the conversion, and its value in parsed metadata."""

    pattern: re.Pattern[bytes]
    convert: Callable[[bytes], Any]
    parsed: Callable[[SubBlockMetadata], Any]
    dtype: str = "f8"


def _number(text: bytes) -> float:
    value = float(text)
    if b"_" in text or math.isinf(value):
        raise ValueError
    return value


def _moment(text: bytes) -> datetime | None:
    if len(text) == _ZEN_TIME and text[10:11] == b"T" and text[-1:] == b"Z" and text[:3] != b"000":
        return datetime.fromisoformat(text[:26].decode("ascii"))  # in a tenth of the time
    return _utc(parse_datetime(text.strip().decode("ascii")))


def _text(text: bytes) -> str | None:
    return text.strip().decode() or None


def _utc(moment: datetime | None) -> datetime | None:
    """Return the time without its zone, as numpy wants it."""
    if moment is None or moment.tzinfo is None:
        return moment
    return moment.astimezone(timezone.utc).replace(tzinfo=None)


def _simple(tag: str) -> re.Pattern[bytes]:
    name = re.escape(tag.encode())
    return re.compile(rb"<" + name + rb">([^<]*)</" + name + rb">")


def _offset(position: int) -> Callable[[SubBlockMetadata], float | None]:
    return lambda parsed: parsed.roi_center_offset and parsed.roi_center_offset[position]


_ZEN_TIME = len("2016-02-12T09:47:10.0715848Z")

#: The fields with a type of their own.
FIELDS: dict[str, _Field] = {
    "stage_x": _Field(_simple("StageXPosition"), _number, attrgetter("stage_x")),
    "stage_y": _Field(_simple("StageYPosition"), _number, attrgetter("stage_y")),
    "focus_z": _Field(_simple("FocusPosition"), _number, attrgetter("focus_z")),
    "roi_center_offset_x": _Field(_simple("RoiCenterOffsetX"), _number, _offset(0)),
    "roi_center_offset_y": _Field(_simple("RoiCenterOffsetY"), _number, _offset(1)),
    "acquisition_time": _Field(
        _simple("AcquisitionTime"),
        _moment,
        lambda parsed: _utc(parsed.acquisition_time),
        "datetime64[us]",
    ),
    "exposure_time": _Field(
        # The camera's state is stored as text with entities.
        re.compile(rb"&lt;ExposureTime&gt;([^&<]*)&lt;/"),
        lambda text: _number(text) / 1e9,  # stored in nanoseconds
        attrgetter("exposure_time"),
    ),
}


class SubBlockColumns:
    """The columns of selected fields of sub-blocks.

    Parameters
    ----------
    names
        A name of `FIELDS`, or several; ``"xml"`` for the whole XML as text; any other name for the
        text of the tag. One that no tag can have raises a ValueError.
    """

    def __init__(self, names: str | Sequence[str]) -> None:
        names = [names] if isinstance(names, str) else names
        if not isinstance(names, Iterable):
            raise TypeError(f"names of fields are wanted, such as ['stage_x'], not {names!r}")
        for name in names:
            if not isinstance(name, str) or _TAG.fullmatch(name) is None:
                raise ValueError(
                    f"{name!r} is no field of a sub-block's metadata; give some of "
                    f"{', '.join(FIELDS)}, 'xml' or the name of a tag"
                )
        self._values: dict[str, list[Any]] = {name: [] for name in names}
        self._odd: dict[str, tuple[int, str, int]] = {}
        self._fields = {
            name: FIELDS.get(name) or _tag_field(name) for name in names if name != "xml"
        }
        self._plan = [
            (field, field.pattern.search, field.convert, self._values[name], name)
            for name, field in self._fields.items()
        ]

    def add(self, index: int, xml: bytes) -> None:
        """Take the fields of one sub-block."""
        if "xml" in self._values:
            self._values["xml"].append(to_text(xml))
        if b"<!" in xml or b"\0" in xml or xml.startswith(b"\xef"):
            parsed = self._parse(index, xml)
            for field, _, _, values, _ in self._plan:
                values.append(field.parsed(parsed))
            return
        for field, search, convert, values, name in self._plan:
            found = search(xml)
            if found is None:
                values.append(None)
                continue
            text = found.group(1)
            try:
                plain = b"&" not in text
                values.append(convert(text) if plain else field.parsed(self._parse(index, xml)))
            except (ValueError, OverflowError):
                values.append(None)
                if text.strip():
                    self._note(name, index, repr(text.decode("utf-8", "replace")[:60]))

    def miss(self, index: int, error: Exception) -> None:
        """Note a sub-block that could not be read: it has no value in any column."""
        self._note("the metadata", index, str(error))
        for values in self._values.values():
            values.append(None)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return a column for each name; warn of fields that could not be understood.

        Numbers are NaN, times NaT and texts None where a sub-block does not have them.
        """
        for name, (index, text, count) in self._odd.items():
            others = f" (and of {count - 1} others)" if count > 1 else ""
            warn_caller(
                f"metadata: {name} of sub-block {index}{others} cannot be understood: {text}; "
                "it is taken as missing",
                MetadataWarning,
            )
        dtypes = {name: field.dtype for name, field in self._fields.items()}
        return {
            name: np.array(values, dtypes.get(name, "O")) for name, values in self._values.items()
        }

    def _parse(self, index: int, xml: bytes) -> SubBlockMetadata:
        try:
            return read_subblock_metadata(xml)
        except CorruptFileError as error:
            self._note("the XML", index, str(error))
            return SubBlockMetadata()

    def _note(self, name: str, index: int, text: str) -> None:
        first, shown, count = self._odd.get(name, (index, text, 0))
        self._odd[name] = (first, shown, count + 1)


def _tag_field(name: str) -> _Field:
    return _Field(_simple(name), _text, lambda parsed: parsed.tags.get(name), "O")
