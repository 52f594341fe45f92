"""The attachments of a document: their directory, and their bytes.

The directory's segment holds an entry count in 256 bytes, then 128 bytes for each entry; an
attachment's segment has 256 bytes before its data, the first eight of them the data's size.
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass
from typing import NamedTuple

from czictypes.container.byte_source import ByteSource
from czictypes.container.segments import (
    ATTACHMENT,
    ATTACHMENT_DIRECTORY,
    SEGMENT_HEADER_SIZE,
    FileHeader,
    parse_segment_header,
    require_range,
)
from czictypes.model.errors import CorruptFileError

__all__ = [
    "ATTACHMENT_ENTRY_SIZE",
    "AttachmentEntry",
    "AttachmentSegment",
    "parse_attachment_entries",
    "read_attachment_data",
    "read_attachment_directory",
    "read_attachment_segment",
]

_FIXED_SIZE = 256
_ENTRY = struct.Struct("<2s10xqi16s8s80s")
ATTACHMENT_ENTRY_SIZE = _ENTRY.size
_FIRST_READ = 1 << 13


@dataclass(frozen=True)
class AttachmentEntry:
    """An entry of the attachment directory; `index` counts as libCZI does."""

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

    Entries of another schema than A1 are passed over, as in libCZI.

    Raises
    ------
    CorruptFileError
        If the header points at none, or it goes beyond the end of the file.
    """
    position = header.attachment_directory_position
    if position == 0:
        return []
    where = "the attachment directory"
    start = SEGMENT_HEADER_SIZE + _FIXED_SIZE
    require_range(source, position, start, where)
    data = source.read_at(position, _FIRST_READ)
    parse_segment_header(source, data, position, ATTACHMENT_DIRECTORY, where)
    (count,) = struct.unpack_from("<i", data, SEGMENT_HEADER_SIZE)
    if count < 0:
        raise CorruptFileError(
            f"{where} of {source.name} claims {count} entries; the file is damaged"
        )
    size = count * ATTACHMENT_ENTRY_SIZE
    require_range(source, position + start, size, where)
    whole = start + size <= len(data)
    entries = data[start : start + size] if whole else source.read_at(position + start, size)
    return parse_attachment_entries(entries)


def parse_attachment_entries(data: bytes) -> list[AttachmentEntry]:
    """Return the entries that lie one behind the other, but for those of unknown schemas."""
    entries: list[AttachmentEntry] = []
    for schema, position, part, guid, file_type, name in _ENTRY.iter_unpack(data):
        if schema == b"A1":
            entry = AttachmentEntry(
                len(entries),
                uuid.UUID(bytes_le=guid),
                _text(file_type),
                _text(name[:-1]),  # libCZI puts an end to the name in its last byte
                position,
                part,
            )
            entries.append(entry)
    return entries


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "replace")


def read_attachment_segment(source: ByteSource, entry: AttachmentEntry) -> AttachmentSegment:
    """Read the head of an attachment, with the checks that keep libCZI's ReadAttachment safe.

    Raises
    ------
    CorruptFileError
        If there is no attachment where the directory says, or it goes beyond the file's end.
    """
    where = f"attachment {entry.index} ({entry.name!r}, at byte {entry.file_position})"
    position = entry.file_position
    start = SEGMENT_HEADER_SIZE + _FIXED_SIZE
    require_range(source, position, start, where)
    data = source.read_at(position, start)
    parse_segment_header(source, data, position, ATTACHMENT, where)
    (size,) = struct.unpack_from("<q", data, SEGMENT_HEADER_SIZE)
    require_range(source, position + start, size, where)
    return AttachmentSegment(position, position + start, size)


def read_attachment_data(source: ByteSource, entry: AttachmentEntry) -> bytes:
    """Return the bytes of an attachment.

    Raises
    ------
    CorruptFileError
        As `read_attachment_segment`, and if the file was cut off meanwhile.
    """
    segment = read_attachment_segment(source, entry)
    data = source.read_at(segment.data_offset, segment.data_size)
    if len(data) < segment.data_size:
        raise CorruptFileError(
            f"attachment {entry.index} ({entry.name!r}) of {source.name} was cut off while it was "
            f"read: {segment.data_size} bytes asked for, {len(data)} found"
        )
    return data
