"""Checks of the segments of a file: its header, parts, attachments, and the bytes between them."""

from __future__ import annotations

import io
import uuid
from array import array
from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from czictypes.checking.file_view import (
    REPAIR,
    Check,
    FileView,
    Finding,
    Severity,
    counted,
    noted,
    view_of,
)
from czictypes.container.attachments import (
    AttachmentEntry,
    AttachmentSegment,
    read_attachment_data,
    read_attachment_segment,
)
from czictypes.container.byte_source import PartSource
from czictypes.container.directory import Directory
from czictypes.container.found import FAULTS, KINDS, FoundSegments
from czictypes.container.layout import FILE_HEADER, SEGMENT_HEADER_SIZE, SUBBLOCK
from czictypes.container.parts import JoinedSource
from czictypes.container.pictures import MOST_PIXELS, decoded_picture
from czictypes.container.scan import find_segments
from czictypes.container.segments import iter_segments
from czictypes.metadata.records import read_event_list, read_focus_positions, read_time_stamps
from czictypes.model.errors import (
    CorruptFileError,
    MissingExtraError,
    MissingPartError,
    UnsupportedDataError,
)
from czictypes.model.pixel_types import Compression, PixelType

_HEADER = "the file header"
_CUT_OFF = FAULTS.index("the file ends within it")
_NOBODY = uuid.UUID(int=0)
_SEGMENT_HEAD = 288  # the least size of a sub-block or attachment before its data
_PICTURES = ("JPG", "JPEG", "PNG", "BMP", "TIF", "TIFF")
_FORMATS = ("JPEG", "PNG", "BMP", "TIFF")
_NESTED = ("CZI", "ZISRAW")
_LARGEST_RECORD = 64 << 20  # an attachment of records is looked into up to this size
_RECORDS = {"CZTIMS": read_time_stamps, "CZFOC": read_focus_positions, "CZEVL": read_event_list}
#: The first bytes of the pictures and documents that attachments hold.
_MAGIC = {
    "JPG": (b"\xff\xd8\xff",),
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n",),
    "BMP": (b"BM",),
    "TIF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "CZI": (FILE_HEADER.encode(),),
    "ZISRAW": (FILE_HEADER.encode(),),
    "ZIP": (b"PK",),
}


def _opening(view: FileView) -> Iterator[Finding]:
    """Report which parts of the file could not be opened, and what is odd in its header."""
    yield from view.failures
    header = view.header
    if header is None:
        return
    if header.major != 1:
        message = (
            f"it names version {header.major}.{header.minor} of the format; known is version 1"
        )
        remedy = "compare what you read with what ZEN shows"
        yield Finding("fileheader", "warning", _HEADER, message, remedy)
    if header.file_part < 0:
        message = f"it names the impossible part {header.file_part}"
        remedy = "a copy (czi.copy) has a header without fault"
        yield Finding("fileheader", "warning", _HEADER, message, remedy)


def _update_pending(view: FileView) -> Iterator[Finding]:
    """Look at the mark that programs set while they change a file."""
    if view.header is not None and view.header.update_pending:
        yield Finding(
            "updatepending",
            "warning",
            _HEADER,
            "the mark of an unfinished change is set: the program that wrote the file is still at "
            "work, or was interrupted, and the directory may be older than the tiles",
            f"wait for the program to end; if there is none, {REPAIR}",
        )


def _file_guid(view: FileView) -> Iterator[Finding]:
    """Look at the GUIDs of the file and of its master."""
    header = view.header
    if header is None:
        return
    remedy = "a copy (czi.copy) gets a GUID of its own"
    if not header.file_guid.int:
        message = "the file has no GUID, by which programs know it again"
        yield Finding("fileguid", "info", _HEADER, message, remedy)
    elif header.file_part == 0 and header.primary_file_guid not in (header.file_guid, _NOBODY):
        yield Finding(
            "fileguid",
            "warning",
            _HEADER,
            f"the file names another one as its master (GUID {header.primary_file_guid}), but has "
            "no part number",
            f"if it belongs to a document of several files, check their master; {remedy}",
        )


def _file_parts(view: FileView) -> Iterator[Finding]:
    """Look for the other files of a document of several."""
    header = view.header
    if header is not None and header.file_part > 0:
        yield Finding(
            "fileparts",
            "info",
            _HEADER,
            f"the file is part {header.file_part} of a document (its GUID is "
            f"{header.primary_file_guid})",
            "check the master, which has no number in its name, to check the whole document",
        )
    if not isinstance(view.source, JoinedSource):
        return
    numbers = view.columns.file_part
    for number, name in view.source.parts().items():
        if name is None:
            count = int(np.count_nonzero(numbers == number))
            yield Finding(
                "fileparts",
                "error",
                f"part {number} of the document",
                f"the file is missing, and with it {counted(count, 'sub-block')}",
                "put it beside the others, or say where it is with parts=; "
                'on_error="blank" reads what is there',
            )


def _segments(view: FileView) -> Iterator[Finding]:
    """Walk over all segments of the file, and compare them with the directory.

    Where a segment does not follow the one before, the others are found by a search.
    """
    found, last, end = array("q"), 0, 0
    try:
        with view.main.read_ahead(_expected(view)):
            for segment in iter_segments(view.main):
                last, end = segment.position, segment.end
                if segment.id == SUBBLOCK:
                    found.append(last)
                if segment.used_size > segment.allocated_size:
                    place = f"the {segment.id} segment at byte {last}"
                    message = (
                        f"it uses {segment.used_size} bytes of {segment.allocated_size} that it has"
                    )
                    remedy = "a copy (czi.copy) has segments without fault"
                    yield Finding("segments", "warning", place, message, remedy, offset=last)
    except CorruptFileError as error:
        everything = find_segments(view.main)
        if not _is_behind(view, everything, end):
            place = f"the segments from byte {last} on"
            yield Finding("segments", "error", place, str(error), REPAIR, offset=last)
            end = view.main.size()
        found = array("q", everything.position[everything.rows(SUBBLOCK)].tobytes())
        yield from _cut_off(view, everything)
    yield from _behind(view, end)
    yield from _orphans(view, np.frombuffer(found, np.int64))


def _is_behind(view: FileView, found: FoundSegments, end: int) -> bool:
    """Return whether no segment, and nothing that the directory names, follows a position."""
    begins = view.main.read_at(end, 16) if 0 < end < view.main.size() else b"ZISRAW"
    if begins.startswith((b"ZISRAW", b"DELETED")) or view.directory is None:
        return False
    return not (found.position >= end).any() and not (view.directory.file_position >= end).any()


def _behind(view: FileView, end: int) -> Iterator[Finding]:
    """Report bytes after the last segment, which nothing needs."""
    size = view.main.size()
    if end + SEGMENT_HEADER_SIZE <= size:
        yield Finding(
            "segments",
            "warning",
            f"the end of the file, from byte {end} on",
            f"{counted(size - end, 'byte')} after the last segment belong to nothing; everything "
            "is read without them",
            "a copy (czi.copy) leaves them out",
            offset=end,
        )


def _cut_off(view: FileView, found: FoundSegments) -> Iterator[Finding]:
    """Report segments that reach beyond the end of the file."""
    for kind in KINDS:
        for position in found.position[found.rows(kind, _CUT_OFF)].tolist():
            place = f"the {kind} segment at byte {position}"
            message = "the file ends within it; the file is truncated"
            yield Finding("segments", "error", place, message, REPAIR, offset=position)


def _expected(view: FileView) -> list[tuple[int, int]]:
    """Return where sub-blocks of a remote file should begin; each costs a request."""
    if not view.main.is_remote or view.directory is None:
        return []
    positions, size = np.sort(view.directory.file_position), view.main.size()
    inside = positions[(positions >= 0) & (positions < size)]
    return [(position, SEGMENT_HEADER_SIZE) for position in inside.tolist()]


def _orphans(view: FileView, found: NDArray[np.int64]) -> Iterator[Finding]:
    """Report sub-blocks that the directory does not list."""
    if view.directory is None:
        if len(found):
            message = f"{counted(len(found), 'sub-block')} can be found without the directory"
            yield Finding("segments", "info", "the file", message, REPAIR)
        return
    for position in np.setdiff1d(found, view.directory.file_position).tolist():
        yield Finding(
            "segments",
            "warning",
            f"the sub-block at byte {position}",
            "no directory lists it, so it is not read",
            "if it was not removed on purpose, the file was changed by a program that did not "
            "finish; compare with an older copy",
            offset=position,
        )


def _segments_in_file(view: FileView) -> Iterator[Finding]:
    """Compare the positions of sub-blocks, and the pixels they must have, with the file's size."""
    check = "subblksegmentsinfile"
    ends, begins = _ends(view), view.columns.file_position
    least = _SEGMENT_HEAD + _plain_size(view.columns)
    outside = (begins < 0) | (begins > ends - _SEGMENT_HEAD)
    for number in np.flatnonzero(outside).tolist():
        message = "the file ends before it; the file is truncated, or the directory is damaged"
        yield view.finding(check, "error", number, message, REPAIR)
    for number in np.flatnonzero(~outside & (begins > ends - least)).tolist():
        message = (
            f"its pixels need {least[number]} bytes, but the file ends after "
            f"{ends[number] - begins[number]}; the file is truncated"
        )
        yield view.finding(check, "error", number, message, REPAIR)


def _ends(view: FileView) -> NDArray[np.int64]:
    """Return where the file of each sub-block ends; if that is missing, the largest number."""
    positions, parts = view.columns.file_position, view.columns.file_part
    ends = np.full(len(positions), np.iinfo(np.int64).max)
    for part in np.unique(parts).tolist():
        numbers = np.flatnonzero((parts == part) & (positions >= 0))
        try:
            if len(numbers):
                ends[numbers] = view.source.end_of(int(positions[numbers[0]]))
        except MissingPartError:  # `file_parts` tells
            continue
    return ends


def _plain_size(columns: Directory) -> NDArray[np.int64]:
    """Return the least number of bytes that the pixels of each sub-block need; 0 if unknown."""
    width, height = columns.stored_w.astype(np.int64), columns.stored_h.astype(np.int64)
    known = (columns.compression == Compression.Uncompressed.value) & (width > 0) & (height > 0)
    known &= np.isin(columns.pixel_type, [one.value for one in PixelType])
    known &= np.maximum(width, height) < 1 << 24
    return np.where(known, width * height * columns.bytes_per_pixel(), 0)


def _attachments_in_file(view: FileView) -> Iterator[Finding]:
    """Compare the positions of attachments with the size of the file."""
    for entry in view.attachments:
        if not _is_inside(view, entry):
            yield _attachment(entry, "attachmentsinfile", "error", "it is not within the file")
        elif not entry.guid.int:
            yield _attachment(entry, "attachmentsinfile", "info", "it has no GUID")


def _attachments_valid(view: FileView) -> Iterator[Finding]:
    """Read the attachments whose content is of a known kind."""
    for entry in _attachments_inside(view):
        try:
            for message in _oddities(view, entry):
                yield _attachment(entry, "attachmentsvalid", "warning", message)
        except CorruptFileError as error:
            yield _attachment(entry, "attachmentsvalid", "error", str(error))


def _attachments_inside(view: FileView) -> Iterator[AttachmentEntry]:
    return (entry for entry in view.attachments if _is_inside(view, entry))


def _is_inside(view: FileView, entry: AttachmentEntry) -> bool:
    """Return whether the head of an attachment lies within its file; never in a missing one."""
    position = entry.file_position
    try:
        return 0 <= position <= view.source.end_of(position) - _SEGMENT_HEAD
    except MissingPartError:
        return False


def _oddities(view: FileView, entry: AttachmentEntry) -> list[str]:
    """Return messages about the content of an attachment."""
    kind, found = entry.content_file_type.upper(), list[str]()
    segment = read_attachment_segment(view.source, entry)
    read = _RECORDS.get(kind)
    if read is not None and segment.data_size <= _LARGEST_RECORD:
        noted(partial(read, read_attachment_data(view.source, entry)), into=found)
    head = bytes(view.source.read_at(segment.data_offset, min(segment.data_size, 16)))
    if not head.startswith(_MAGIC.get(kind, b"")):
        return [*found, f"its kind is {kind}, but it begins with {head[:8]!r}"]
    return found + (_nested(view, segment) if kind in _NESTED else [])


def _nested(view: FileView, segment: AttachmentSegment) -> list[str]:
    """Return why a CZI in an attachment cannot be opened."""
    name = "the CZI in the attachment"
    inside = view_of(PartSource(view.source, segment.data_offset, segment.data_size, name))
    return [one.message for one in inside.failures if one.severity == "error"]


def _attachment_pictures(view: FileView) -> Iterator[Finding]:
    """Decode the pictures in attachments."""
    for entry in _attachments_inside(view):
        kind = entry.content_file_type.upper()
        if kind not in _PICTURES:
            continue
        try:
            data = read_attachment_data(view.source, entry)
            if data.startswith(_MAGIC[kind]):
                _decode(data)
        except MissingExtraError as error:
            yield _attachment(entry, "attachmentpictures", "info", str(error))
        except (CorruptFileError, UnsupportedDataError) as error:
            yield _attachment(entry, "attachmentpictures", "warning", str(error))


def _decode(data: bytes) -> None:
    doing = "decoding a picture in an attachment"
    with decoded_picture(
        io.BytesIO(data), _FORMATS, "it", extra="cli", doing=doing, most_pixels=MOST_PIXELS
    ) as picture:
        picture.load()


def _attachment(entry: AttachmentEntry, check: str, severity: Severity, message: str) -> Finding:
    place = f"attachment {entry.index} ({entry.name!r})"
    remedy = "leave it out with czi.copy(attachments=[...]), which names those to keep"
    return Finding(check, severity, place, message, remedy, offset=entry.file_position)


QUICK = (
    Check(
        ("fileheader", "subblkdirectory", "attachmentdirectory", "xml"),
        _opening,
        needs_directory=False,
    ),
    Check("fileguid", _file_guid, needs_directory=False),
    Check("updatepending", _update_pending, needs_directory=False),
    Check("fileparts", _file_parts),
    Check("attachmentsinfile", _attachments_in_file, needs_directory=False),
    Check("subblksegmentsinfile", _segments_in_file),
)
FULL = (
    Check("segments", _segments, needs_directory=False),
    Check("attachmentsvalid", _attachments_valid, needs_directory=False),
)
PIXELS = (Check("attachmentpictures", _attachment_pictures, needs_directory=False),)
