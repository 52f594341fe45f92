"""Checks of the XML against the sub-blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import numpy as np

from czictypes.checking.findings import Finding, Severity, counted
from czictypes.checking.planes import places_along
from czictypes.checking.view import FileView, noted
from czictypes.metadata.annotations import read_annotations
from czictypes.metadata.axes import axis, scaling, skew
from czictypes.metadata.channels import channels, display_settings
from czictypes.metadata.document import custom_attributes, document_info
from czictypes.metadata.fields import Node
from czictypes.metadata.scenes import plate, scenes
from czictypes.model.geometry import DIMENSIONS
from czictypes.model.pixel_types import PixelType, pixel_type_from_name

__all__ = ["basic_metadata", "bit_counts", "scenes_described", "topography", "values_of_metadata"]

_IMAGE = "Metadata/Information/Image"
_EDIT = "czi.edit_czi changes the metadata in place"
#: The bits of a component of the types that are whole numbers.
_BITS = {
    PixelType.Gray8: 8, PixelType.Bgr24: 8, PixelType.Bgra32: 8,
    PixelType.Gray16: 16, PixelType.Bgr48: 16, PixelType.Gray32: 32,
}  # fmt: skip
_READERS: tuple[Callable[[Node], Any], ...] = (
    document_info, scaling, channels, scenes, plate, display_settings, custom_attributes,
    read_annotations, skew, lambda root: [axis(root, letter) for letter in "TZ"],
)  # fmt: skip


def values_of_metadata(view: FileView) -> Iterator[Finding]:
    """Read every value that is known of the XML; tell of those that are not of their type."""
    if view.root is None:
        return
    messages: list[str] = []
    for read in _READERS:
        noted(lambda read=read: read(view.root), into=messages)  # type: ignore[misc]
    for message in dict.fromkeys(messages):
        place, separator, rest = message.removeprefix("metadata: ").partition(" is ")
        if not separator:
            place, rest = "the metadata XML", message
        yield Finding("xmlmetadataschema", "warning", place, rest, _EDIT)


def basic_metadata(view: FileView) -> Iterator[Finding]:
    """Compare sizes, channels and pixel types."""
    if view.root is None:
        return
    image = view.root.child(_IMAGE)
    yield from _sizes(view, image)
    yield from _channels(view, image)


def _sizes(view: FileView, image: Node) -> Iterator[Finding]:
    for letter, extent in _extents(view).items():
        field = f"Size{letter}"
        claimed = noted(lambda field=field: image.integer(field))  # type: ignore[misc]
        if claimed == extent:
            continue
        if claimed is not None:
            yield _basic(
                f"{_IMAGE}/{field}", "warning",
                f"it is {claimed}, but the sub-blocks have {extent}",
            )  # fmt: skip
        elif letter not in ("X", "Y"):
            yield _basic(
                f"{_IMAGE}/{field}", "warning" if extent > 1 else "info",
                f"it is missing, but sub-blocks have the dimension {letter}, of size {extent}",
            )  # fmt: skip


def _basic(place: str, severity: Severity, message: str, remedy: str = _EDIT) -> Finding:
    return Finding("basicxmlmetadata", severity, place, message, remedy)


def _extents(view: FileView) -> dict[str, int]:
    """Return the sizes of the document by its sub-blocks, in all dimensions that they have."""
    found: dict[str, int] = {}
    box = view.table.total_rectangle_no_pyramid
    if not box.is_empty:
        found.update(X=box.w, Y=box.h)
    if view.table.m_bounds is not None:
        found["M"] = sum(view.table.m_bounds)
    for letter in DIMENSIONS:
        along = places_along(view.columns, letter)
        if along is not None:
            found[letter] = int(along[1].max() - along[0].min())
    return found


def _channels(view: FileView, image: Node) -> Iterator[Finding]:
    place = f"{_IMAGE}/Dimensions/Channels"
    listed = image.child("Dimensions/Channels").children("Channel")
    first, size = view.table.plane_bounds.get("C", (0, 0))
    if size and len(listed) != size:
        count = counted(len(listed), "channel")
        yield _basic(place, "warning", f"it lists {count}, but the sub-blocks have {size}")
    for number, channel in enumerate(listed, first):
        yield from _channel(view, number, channel)


def _channel(view: FileView, number: int, channel: Node) -> Iterator[Finding]:
    place = f"channel {number} ({channel.attribute('Name') or channel.attribute('Id') or ''})"
    stored = _stored_type(view, number)
    named = channel.text("PixelType")
    if named is None:
        yield _basic(place, "info", "its pixel type is missing")
    else:
        try:
            claimed = pixel_type_from_name(named)
        except ValueError as error:
            yield _basic(place, "warning", str(error))
        else:
            if stored is None:
                yield _basic(place, "info", f"it is {claimed.name}, but has no sub-blocks")
            elif stored != claimed:
                yield _basic(
                    place, "warning", f"it is {claimed.name}, its sub-blocks are {stored.name}"
                )
    yield from _bit_count(place, channel, stored)


def _bit_count(place: str, channel: Node, stored: PixelType | None) -> Iterator[Finding]:
    most = _BITS.get(stored) if stored is not None else None
    count = noted(lambda: channel.integer("ComponentBitCount"))
    if count is None:
        if most in (8, 16):
            yield _basic(place, "warning", "its ComponentBitCount is missing")
    elif most is not None and not 0 < count <= most:
        yield _basic(
            place, "warning", f"its ComponentBitCount is {count}, but a component has {most} bits"
        )


def _stored_type(view: FileView, channel: int) -> PixelType | None:
    """Return the pixel type of the first sub-block of a channel."""
    columns = view.columns
    column = columns.coordinates.get("C")
    rows = np.flatnonzero(column == channel) if column is not None else np.arange(columns.count)
    number = int(columns.pixel_type[rows[0]]) if len(rows) else -1
    return PixelType(number) if number in set(PixelType) else None


def bit_counts(view: FileView) -> dict[int, int]:
    """Return the bits that a component of each channel should use; those of 16-bit types alone."""
    if view.root is None:
        return {}
    first = view.table.plane_bounds.get("C", (0, 0))[0]
    known = noted(lambda: channels(view.root, first))
    counts = ((one.index, one.component_bit_count) for one in known)
    return {index: count for index, count in counts if count is not None and 0 < count < 16}


def scenes_described(view: FileView) -> Iterator[Finding]:
    """Compare the scenes that the XML lists with those of the sub-blocks."""
    numbers = sorted(view.table.scene_rectangles)
    if view.root is None or not numbers:
        return
    place, messages = f"{_IMAGE}/Dimensions/S/Scenes", list[str]()
    known = noted(lambda: scenes(view.root, numbers), into=messages)
    if not known:
        if len(numbers) > 1:
            message = f"it lists no scene, but the sub-blocks have {len(numbers)}"
            yield Finding("scenes", "info", place, message, _EDIT)
        return
    lacking = sorted(set(numbers) - {scene.index for scene in known})
    unused = sorted({scene.index for scene in known} - set(numbers))
    if lacking:
        message = f"the scenes {_some(lacking)} of the sub-blocks are not described"
        yield Finding("scenes", "warning", place, message, _EDIT)
    if unused:
        message = f"it lists the scenes {_some(unused)}, which have no sub-block"
        yield Finding("scenes", "warning", place, message, _EDIT)


def _some(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:5]))
    return f"{shown} and {len(numbers) - 5} more" if len(numbers) > 5 else shown


def topography(view: FileView) -> Iterator[Finding]:
    """Compare the textures and height maps of topography data with the channels that there are."""
    if view.root is None:
        return
    appliances = view.root.child("Metadata/Appliances").children("Appliance")
    for one in appliances:
        if one.attribute("Id") == "Topography:1" and one.element is not None:
            yield from _topography(view, one)


def _topography(view: FileView, appliance: Node) -> Iterator[Finding]:
    assert appliance.element is not None
    place, check = appliance.path, "topographymetadata"
    maps = {name: list(appliance.element.iter(name)) for name in ("Texture", "HeightMap")}
    if not any(maps.values()):
        return
    for name, found in maps.items():
        if not found:
            yield Finding(check, "warning", place, f"it has no {name}, so it is incomplete", _EDIT)
    column = view.columns.coordinates.get("C")
    present = set(np.unique(column).tolist()) if column is not None else set()
    for name, found in maps.items():
        for number, element in enumerate(found):
            where = f"{place}/{name}[{number}]"
            start = element.get("StartC", "")
            if not start.isdecimal():
                yield Finding(check, "error", where, "it names no channel (StartC)", _EDIT)
            elif int(start) not in present:
                message = f"it names channel {start}, which has no sub-block"
                yield Finding(check, "error", where, message, _EDIT)
            if set(element.keys()) - {"StartC", "SizeC"}:
                more = ", ".join(sorted(set(element.keys()) - {"StartC", "SizeC"}))
                message = f"it names more than a channel: {more}"
                yield Finding(check, "warning", where, message, _EDIT)
