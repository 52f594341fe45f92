"""Read the attachments of a document: their directory and their bytes.

The segment of the directory holds the number of entries in 256 bytes, then 128 bytes per entry.
The segment of an attachment has 256 bytes before its data; the first eight are the data's size.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.container.byte_source import ByteSource
from czictypes.container.layout import (
    ATTACHMENT,
    ATTACHMENT_CONTENT,
    ATTACHMENT_DIRECTORY,
    ATTACHMENT_ENTRY,
    ATTACHMENT_ENTRY_SIZE,
    COUNT,
    DATA_SIZE,
    SEGMENT_HEADER_SIZE,
)
from czictypes.container.segments import FileHeader, parse_segment_header, read_whole, require_range
from czictypes.model.errors import CorruptFileError, UnsupportedDataError

_FIRST_READ = 1 << 13


@dataclass(frozen=True)
class AttachmentEntry:
    """An entry of the attachment directory; `index` is libCZI's number of the attachment."""

    index: int
    guid: uuid.UUID
    content_file_type: str
    name: str
    file_position: int
    file_part: int


class AttachmentSegment(NamedTuple):
    """The place of an attachment's data in the file, in bytes."""

    position: int
    data_offset: int
    data_size: int


def read_attachment_directory(source: ByteSource, header: FileHeader) -> list[AttachmentEntry]:
    """Read the attachment directory; a file without one has no attachments.

    Like libCZI, skip entries whose schema is not A1.

    Raises
    ------
    CorruptFileError
        If there is no directory where the header says, or it extends past the end of the file.
    """
    position = header.attachment_directory_position
    if position == 0:
        return []
    where = "the attachment directory"
    start = ATTACHMENT_CONTENT
    end = source.end_of(position)
    require_range(source, position, start, where, end)
    data = source.read_at(position, min(_FIRST_READ, end - position))
    parse_segment_header(source, data, position, ATTACHMENT_DIRECTORY, where)
    (count,) = COUNT.unpack_from(data, SEGMENT_HEADER_SIZE)
    if count < 0:
        raise CorruptFileError(
            f"{where} of {source.name} claims {count} entries; the file is damaged"
        )
    size = count * ATTACHMENT_ENTRY_SIZE
    require_range(source, position + start, size, where, end)
    whole = start + size <= len(data)
    entries = data[start : start + size] if whole else source.read_at(position + start, size)
    return parse_attachment_entries(entries)


def parse_attachment_entries(data: bytes) -> list[AttachmentEntry]:
    """Parse consecutive entries; skip those of unknown schemas."""
    entries: list[AttachmentEntry] = []
    for schema, position, part, guid, file_type, name in ATTACHMENT_ENTRY.iter_unpack(data):
        if schema == b"A1":
            entry = AttachmentEntry(
                len(entries),
                uuid.UUID(bytes_le=guid),
                _text(file_type),
                _text(name[:-1]),  # libCZI overwrites the last byte with a terminator
                position,
                part,
            )
            entries.append(entry)
    return entries


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "replace")


def read_attachment_segment(source: ByteSource, entry: AttachmentEntry) -> AttachmentSegment:
    """Read the head of an attachment and check what would crash libCZI's ReadAttachment.

    Raises
    ------
    CorruptFileError
        If there is no attachment where the directory says, or it extends past the end of the file.
    """
    where = f"attachment {entry.index} ({entry.name!r}, at byte {entry.file_position})"
    position = entry.file_position
    start = ATTACHMENT_CONTENT
    require_range(source, position, start, where)
    data = source.read_at(position, start)
    parse_segment_header(source, data, position, ATTACHMENT, where)
    (size,) = DATA_SIZE.unpack_from(data, SEGMENT_HEADER_SIZE)
    require_range(source, position + start, size, where)
    return AttachmentSegment(position, position + start, size)


def read_attachment_data(source: ByteSource, entry: AttachmentEntry) -> bytes:
    """Return the bytes of an attachment.

    Raises
    ------
    CorruptFileError
        As `read_attachment_segment`, and if the file was truncated in the meantime.
    """
    segment = read_attachment_segment(source, entry)
    where = f"attachment {entry.index} ({entry.name!r}) of {source.name}"
    return read_whole(source, segment.data_offset, segment.data_size, where)


#: The GUID of the chunk that holds the mask of valid pixels.
MASK_GUID = uuid.UUID("CBE3EA67-5BFC-492B-A16A-ECE378031448")

_CHUNK_HEADER = struct.Struct("<16sI")
_MASK_HEADER = struct.Struct("<4I")


class Mask(NamedTuple):
    """The valid pixels of a bitmap: `bits` is a bool array (height, width)."""

    width: int
    height: int
    bits: NDArray[np.bool_]


def iter_chunks(
    attachment: bytes, where: str = "the attachment of a sub-block"
) -> Iterator[tuple[uuid.UUID, memoryview]]:
    """Yield the GUID and payload of each chunk of a chunk container.

    Trailing bytes too short for a chunk header are ignored.

    Raises
    ------
    CorruptFileError
        If a chunk extends past the end of the attachment.
    """
    view = memoryview(attachment)
    position = 0
    while position + _CHUNK_HEADER.size <= len(view):
        guid, size = _CHUNK_HEADER.unpack_from(view, position)
        position += _CHUNK_HEADER.size
        if position + size > len(view):
            raise CorruptFileError(
                f"{where} has a chunk of {size} bytes at {position}, but only {len(view)} bytes in "
                "all; the file is damaged"
            )
        yield uuid.UUID(bytes_le=guid), view[position : position + size]
        position += size


def find_mask(attachment: bytes, where: str = "the attachment of a sub-block") -> Mask | None:
    """Return the first mask in a chunk container, or None.

    Call this only for an attachment that the sub-block's XML calls a CHUNKCONTAINER.

    Raises
    ------
    CorruptFileError
        If the container or the mask contradicts its sizes.
    UnsupportedDataError
        If the mask is not stored as plain bits.
    """
    for guid, payload in iter_chunks(attachment, where):
        if guid == MASK_GUID:
            return _parse_mask(payload, where)
    return None


def _parse_mask(payload: memoryview, where: str) -> Mask:
    if len(payload) < _MASK_HEADER.size:
        raise CorruptFileError(
            f"{where} has a mask of {len(payload)} bytes, less than its header; the file is damaged"
        )
    width, height, representation, stride = _MASK_HEADER.unpack_from(payload)
    if representation != 0:
        raise UnsupportedDataError(
            f"{where} has a mask of the representation {representation}; 0, plain bits, is known"
        )
    row = (width + 7) // 8
    needed = (height - 1) * stride + row
    available = len(payload) - _MASK_HEADER.size
    if not width or not height or stride < row or needed > available:
        raise CorruptFileError(
            f"{where} has a mask that claims {width} x {height} pixels in rows of {stride} bytes, "
            f"but {available} bytes; the file is damaged"
        )
    # The last row may be shorter than the stride, so `reshape` would fail.
    data = np.frombuffer(payload, np.uint8, needed, _MASK_HEADER.size)
    rows = np.lib.stride_tricks.as_strided(data, (height, row), (stride, 1), writeable=False)
    bits = np.unpackbits(rows, axis=1, count=width).view(np.bool_)
    return Mask(width, height, bits)
