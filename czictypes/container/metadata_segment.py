"""The segment with the document's XML: where it is, and its bytes.

Segment header (32 bytes), int32 XML size, int32 attachment size, reserved bytes up to 288,
then the XML and the (never used) attachment.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from czictypes.container.byte_source import ByteSource
from czictypes.container.segments import (
    METADATA,
    SEGMENT_HEADER_SIZE,
    FileHeader,
    parse_segment_header,
    require_range,
)
from czictypes.model.errors import CorruptFileError

__all__ = [
    "MetadataSegment",
    "read_metadata_segment",
    "read_metadata_segment_at",
    "read_metadata_xml",
    "read_xml",
]

_XML_OFFSET = SEGMENT_HEADER_SIZE + 256
_SIZES = struct.Struct("<ii")


class MetadataSegment(NamedTuple):
    """The place of the document's XML in the file, and the room in its segment, in bytes."""

    position: int
    allocated_size: int
    xml_offset: int
    xml_size: int
    attachment_size: int


def read_metadata_segment(source: ByteSource, header: FileHeader) -> MetadataSegment | None:
    """Read the head of the metadata segment; None where the file has none.

    Does the checks that keep libCZI's ReaderGetMetadataSegment safe.

    Raises
    ------
    CorruptFileError
        If the header points at none, or it goes beyond the end of the file.
    """
    if header.metadata_position == 0:
        return None
    return read_metadata_segment_at(source, header.metadata_position)


def read_metadata_segment_at(source: ByteSource, position: int) -> MetadataSegment:
    """Read the head of the metadata segment at a position; errors as `read_metadata_segment`."""
    where = "the metadata segment"
    require_range(source, position, _XML_OFFSET, where)
    data = source.read_at(position, _XML_OFFSET)
    segment = parse_segment_header(source, data, position, METADATA, where)
    xml_size, attachment_size = _SIZES.unpack_from(data, SEGMENT_HEADER_SIZE)
    start = position + _XML_OFFSET
    require_range(source, start, xml_size, where)
    require_range(source, start + xml_size, attachment_size, f"the attachment of {where}")
    return MetadataSegment(position, segment.allocated_size, start, xml_size, attachment_size)


def read_metadata_xml(source: ByteSource, header: FileHeader) -> bytes:
    """Return the document's XML as it is stored; empty where the file has none.

    Raises
    ------
    CorruptFileError
        As `read_metadata_segment`, and if the file was cut off meanwhile.
    """
    segment = read_metadata_segment(source, header)
    return b"" if segment is None else read_xml(source, segment)


def read_xml(source: ByteSource, segment: MetadataSegment) -> bytes:
    """Return the XML of a segment.

    Raises
    ------
    CorruptFileError
        If the file was cut off meanwhile.
    """
    xml = source.read_at(segment.xml_offset, segment.xml_size)
    if len(xml) < segment.xml_size:
        raise CorruptFileError(
            f"the metadata of {source.name} were cut off while they were read: "
            f"{segment.xml_size} bytes asked for, {len(xml)} found"
        )
    return xml
