"""Checks of content: the XML of the document; heads, XML, pixels and masks of sub-blocks."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from typing import Any
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from czictypes.checking.file_view import REPAIR, Check, FileView, Finding, Severity, counted, noted
from czictypes.container.subblock import (
    HEAD_ROOM,
    SubBlockSegment,
    check_pixels,
    describe_subblock,
    read_metadata_bytes,
    read_subblock_segment,
)
from czictypes.metadata.annotations import read_annotations
from czictypes.metadata.channels import channels, display_settings
from czictypes.metadata.document_info import axis, custom_attributes, document_info, scaling, skew
from czictypes.metadata.fields import Node
from czictypes.metadata.scenes import plate, scenes
from czictypes.metadata.xml import parse
from czictypes.metadata.xml_editor import edit_advice
from czictypes.model.errors import (
    CorruptFileError,
    CziError,
    FileChangedError,
    LibraryNotFoundError,
    MissingExtraError,
    MissingPartError,
    UnsupportedDataError,
)
from czictypes.model.geometry import ABSENT, DIMENSIONS
from czictypes.model.pixel_types import Compression, PixelType, pixel_type_from_name
from czictypes.model.public import Defence
from czictypes.reading.decode import SubBlockDecoder
from czictypes.reading.planes import PlaneRows
from czictypes.reading.threads import ThreadPool, each

_IMAGE = "Metadata/Information/Image"
_EDIT = edit_advice("set_xml(...)")
_NAME_SCENE = edit_advice("set_scene_name(...)")
#: What changes a field, by the end of its place.
_SETTERS = {
    r"/Document/Rating": "set_general_document_info(rating=...)",
    r"/Document/CreationDate": "set_general_document_info(creation_date_time=...)",
    r"/Channel\[\d+\]/Color": "set_channel_info(color=...)",
    r"/Channel\[\d+\]/ExcitationWavelength": "set_channel_info(excitation_wavelength=...)",
    r"/Channel\[\d+\]/EmissionWavelength": "set_channel_info(emission_wavelength=...)",
    r"/Scaling/Items/Distance\[\d+\]/Value": "set_scaling_info(...)",
    r"/CustomAttributes/KeyValue/\w+": "set_custom_key_value(...)",
}
#: The bits of a component of the types that are whole numbers.
_BITS = {
    PixelType.Gray8: 8, PixelType.Bgr24: 8, PixelType.Bgra32: 8,
    PixelType.Gray16: 16, PixelType.Bgr48: 16, PixelType.Gray32: 32,
}  # fmt: skip
_READERS: tuple[Callable[[Node], Any], ...] = (
    document_info, scaling, channels, scenes, plate, display_settings, custom_attributes,
    read_annotations, skew, lambda root: [axis(root, letter) for letter in "TZ"],
)  # fmt: skip


def _values_of_metadata(view: FileView) -> Iterator[Finding]:
    """Read every known value of the XML, and report those of a wrong type."""
    if view.root is None:
        return
    messages: list[str] = []
    for read in _READERS:
        noted(lambda read=read: read(view.root), into=messages)  # type: ignore[misc]
    for message in dict.fromkeys(messages):
        place, separator, rest = message.removeprefix("metadata: ").partition(" is ")
        if not separator:
            place, rest = "the metadata XML", message
        yield Finding("xmlmetadataschema", "warning", place, rest, _remedy(place))


def _remedy(place: str) -> str:
    """Return what changes the field at a place, which may have its value behind it."""
    path = place.partition(": ")[0]
    found = (call for pattern, call in _SETTERS.items() if re.search(f"{pattern}$", path))
    return next(map(edit_advice, found), _EDIT)


def _basic_metadata(view: FileView) -> Iterator[Finding]:
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
            message = f"it is {claimed}, but the sub-blocks have {extent}"
            yield _basic(f"{_IMAGE}/{field}", "warning", message)
        elif letter not in ("X", "Y"):
            message = f"it is missing, but sub-blocks have the dimension {letter}, of size {extent}"
            yield _basic(f"{_IMAGE}/{field}", "warning" if extent > 1 else "info", message)


def _basic(place: str, severity: Severity, message: str) -> Finding:
    return Finding("basicxmlmetadata", severity, place, message, _EDIT)


def _extents(view: FileView) -> dict[str, int]:
    """Return the size of the document along each dimension, by its sub-blocks."""
    found: dict[str, int] = {}
    box = view.table.total_rectangle_no_pyramid
    if not box.is_empty:
        found.update(X=box.w, Y=box.h)
    if view.table.m_bounds is not None:
        found["M"] = sum(view.table.m_bounds)
    for letter in DIMENSIONS:
        along = view.places_along(letter)
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
        yield from _named_type(place, named, stored)
    yield from _bit_count(place, channel, stored)


def _named_type(place: str, named: str, stored: PixelType | None) -> Iterator[Finding]:
    try:
        claimed = pixel_type_from_name(named)
    except ValueError as error:
        yield _basic(place, "warning", str(error))
    else:
        if stored is None:
            yield _basic(place, "info", f"it is {claimed.name}, but has no sub-blocks")
        elif stored != claimed:
            message = f"it is {claimed.name}, its sub-blocks are {stored.name}"
            yield _basic(place, "warning", message)


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


def _scenes_described(view: FileView) -> Iterator[Finding]:
    """Compare the scenes that the XML lists with those of the sub-blocks."""
    numbers = sorted(view.table.scene_rectangles)
    if view.root is None or not numbers:
        return
    place, messages = f"{_IMAGE}/Dimensions/S/Scenes", list[str]()
    known = noted(lambda: scenes(view.root, numbers), into=messages)
    if not known:
        if len(numbers) > 1:
            message = f"it lists no scene, but the sub-blocks have {len(numbers)}"
            yield Finding("scenes", "info", place, message, _NAME_SCENE)
        return
    lacking = sorted(set(numbers) - {scene.index for scene in known})
    unused = sorted({scene.index for scene in known} - set(numbers))
    if lacking:
        message = f"the scenes {_some(lacking)} of the sub-blocks are not described"
        yield Finding("scenes", "warning", place, message, _EDIT if unused else _NAME_SCENE)
    if unused:
        message = f"it lists the scenes {_some(unused)}, which have no sub-block"
        yield Finding("scenes", "warning", place, message, _EDIT)


def _some(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:5]))
    return f"{shown} and {len(numbers) - 5} more" if len(numbers) > 5 else shown


def _topography(view: FileView) -> Iterator[Finding]:
    """Compare the textures and height maps of topography data with the channels."""
    if view.root is None:
        return
    appliances = view.root.child("Metadata/Appliances").children("Appliance")
    for one in appliances:
        if one.attribute("Id") == "Topography:1" and one.element is not None:
            yield from _topography_of(view, one)


def _topography_of(view: FileView, appliance: Node) -> Iterator[Finding]:
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


_AT_ONCE = 256
_LARGEST_XML = 16 << 20
_RAW = "read_subblock(...).raw_data gives its bytes as they are stored"


def _heads(view: FileView) -> Iterator[Finding]:
    """Compare the head of each sub-block with its entry, its data's first bytes, and its XML."""
    ends = np.zeros(view.columns.count, np.int64)
    for numbers in _in_file_order(view):
        with view.source.read_ahead(_head_ranges(view, numbers)):
            for number in numbers:
                yield from _head(view, number, ends)
        view.step(len(numbers))
    yield from _run_together(view, ends)


def _in_file_order(view: FileView) -> Iterator[list[int]]:
    """Yield the numbers of all sub-blocks in the order of the file, in lists."""
    order = np.argsort(view.columns.file_position, kind="stable")
    for start in range(0, len(order), _AT_ONCE):
        yield order[start : start + _AT_ONCE].tolist()


def _head_ranges(view: FileView, numbers: list[int]) -> list[tuple[int, int]]:
    positions = view.columns.file_position[numbers].tolist()
    return [(position, HEAD_ROOM) for position in positions if position >= 0]


def _head(view: FileView, number: int, ends: NDArray[np.int64]) -> Iterator[Finding]:
    try:
        segment = read_subblock_segment(view.source, view.columns, number)
        ends[number] = segment.attachment_offset + segment.attachment_size
        if segment.attachment_size:
            view.masked.add(number)
        yield from _subblock_xml(view, number, segment)
        stored = check_pixels(view.source, segment).compression
        if stored != segment.compression:
            yield _mislabelled(view, number, stored, segment.compression)
    except MissingPartError:  # `file_parts` tells
        view.unreadable.add(number)
    except (CziError, OSError) as error:
        if not _is_of_tile(view, error):
            raise
        view.unreadable.add(number)
        yield _unreadable(view, number, "subblksegmentsvalid", error)


def _mislabelled(view: FileView, number: int, stored: int, label: int) -> Finding:
    """Report data of another compression than the directory names."""
    message = (
        f"it is labelled {_scheme(label)}, but its data are {_scheme(stored)}; czictypes reads it "
        "by its data, and other programs may not"
    )
    remedy = 'czi.copy(..., compression="zstd1:") writes data and label anew'
    return view.finding("subblksegmentsvalid", "warning", number, message, remedy)


def _scheme(number: int) -> str:
    return Compression(number).name if number in list(Compression) else f"as {number}"


def _is_of_tile(view: FileView, error: Exception) -> bool:
    """Return whether an error is about one sub-block; that of a server is about all."""
    if isinstance(error, (FileChangedError, LibraryNotFoundError)):
        return False
    return not isinstance(error, OSError) or not view.source.is_remote


def _unreadable(view: FileView, number: int, check: str, error: Exception) -> Finding:
    """Report why a sub-block cannot be read: an error if it is damaged, else less."""
    severity: Severity = "error"
    named = describe_subblock(view.source, number, int(view.columns.file_position[number]))
    message = str(error) or type(error).__name__
    remedy = REPAIR
    if message.startswith(named) and not message.startswith(f"{named} ("):  # the place says that
        message = "it" + message[len(named) :]
    if isinstance(error, MissingExtraError):
        severity, remedy = "info", "install the extra, and check again"
    elif isinstance(error, MemoryError):
        severity, remedy = "warning", "check it with more memory, or with threads=1"
    elif isinstance(error, UnsupportedDataError):
        severity, remedy = "warning", _RAW
    return view.finding(check, severity, number, message, remedy)


def _subblock_xml(view: FileView, number: int, segment: SubBlockSegment) -> Iterator[Finding]:
    if not 0 < segment.metadata_size <= _LARGEST_XML:
        return
    xml, messages = read_metadata_bytes(view.source, segment), list[str]()
    if _is_well_formed(xml):
        return
    try:
        noted(lambda: parse(xml), into=messages)
    except CorruptFileError as error:
        messages.append(str(error))
    remedy = "its pixels can be read; positions and times of this tile may be unknown"
    for message in messages:
        yield view.finding("subblkmetadata", "warning", number, message, remedy)


def _is_well_formed(xml: bytes) -> bool:
    """Return whether XML is well-formed, in a tenth of the time that building a tree takes."""
    if b"<!" in xml:
        return False
    try:
        expat.ParserCreate().Parse(xml, True)
    except (expat.ExpatError, ValueError, LookupError):
        return False
    return True


def _run_together(view: FileView, ends: NDArray[np.int64]) -> Iterator[Finding]:
    """Look for sub-blocks that overlap the next one in the file."""
    order = np.argsort(view.columns.file_position, kind="stable")
    begins, reach = view.columns.file_position[order], ends[order]
    into = (reach[:-1] > begins[1:]) & (begins[1:] > begins[:-1])
    for index in np.flatnonzero(into).tolist():
        excess = reach[index] - begins[index + 1]
        message = f"it reaches {excess} bytes into sub-block {order[index + 1]}"
        yield view.finding("subblksegmentsvalid", "error", int(order[index]), message, REPAIR)


def _bitmaps(view: FileView) -> Iterator[Finding]:
    """Decode the pixels and the mask of each sub-block whose head is whole."""
    decoder = SubBlockDecoder(view.source, PlaneRows(view.columns, view.columns))
    failures, lock = dict[int, Exception](), threading.Lock()
    counts = _bit_counts(view)
    widest: dict[int, tuple[int, int]] = {}  # by channel: the largest value, and where, negated

    def decode(number: int) -> None:
        try:
            with Defence(view.main.name):
                pixels = decoder.pixels(number)
                channel = _channel_of(view, number)
                if channel in counts and _is_16_bit(view, number) and pixels.size:
                    largest = int(pixels.max())
                    with lock:
                        widest[channel] = max(widest.get(channel, (0, 0)), (largest, -number))
                if number in view.masked:
                    noted(lambda: decoder.mask(number))
        except (CziError, OSError, MemoryError) as error:
            if not _is_of_tile(view, error):
                raise
            with lock:
                failures[number] = error

    pool = ThreadPool(view.threads)
    try:
        for numbers in _in_file_order(view):
            whole = [number for number in numbers if number not in view.unreadable]
            with view.source.read_ahead(_head_ranges(view, whole)):
                each(whole, decode, view.threads, pool.workers)
            for number in filter(failures.__contains__, whole):
                yield _unreadable(view, number, "subblkbitmapvalid", failures.pop(number))
            view.step(len(numbers))
    finally:
        pool.close()
    for channel, (largest, negated) in sorted(widest.items()):
        if largest >> counts[channel]:
            message = (
                f"a pixel of channel {channel} is {largest}, more than the {counts[channel]} bits "
                "that the XML tells (ComponentBitCount) can hold"
            )
            remedy = f"set the display range by the pixels; of the metadata, {_EDIT}"
            yield view.finding("bitcount", "warning", -negated, message, remedy)


def _bit_counts(view: FileView) -> dict[int, int]:
    """Return the bits that each channel should use, if fewer than 16."""
    if view.root is None:
        return {}
    first = view.table.plane_bounds.get("C", (0, 0))[0]
    known = noted(lambda: channels(view.root, first))
    counts = ((one.index, one.component_bit_count) for one in known)
    return {index: count for index, count in counts if count is not None and 0 < count < 16}


def _channel_of(view: FileView, number: int) -> int:
    column = view.columns.coordinates.get("C")
    return 0 if column is None or column[number] == ABSENT else int(column[number])


def _is_16_bit(view: FileView, number: int) -> bool:
    return view.columns.pixel_type.item(number) in (PixelType.Gray16, PixelType.Bgr48)


QUICK = (
    Check("xmlmetadataschema", _values_of_metadata, needs_directory=False),
    Check("basicxmlmetadata", _basic_metadata),
    Check("scenes", _scenes_described),
    Check("topographymetadata", _topography),
)
FULL = (Check(("subblksegmentsvalid", "subblkmetadata"), _heads),)
PIXELS = (Check(("subblkbitmapvalid", "bitcount"), _bitmaps),)
