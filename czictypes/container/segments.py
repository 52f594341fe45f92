"""Read the segments of a CZI file, in particular the file header and the document's XML."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import NamedTuple

from czictypes.container.byte_source import ByteSource
from czictypes.container.layout import (
    DELETED,
    FILE_HEADER,
    FILE_HEADER_FIELDS,
    FILE_HEADER_SIZE,
    METADATA,
    METADATA_SIZES,
    SEGMENT_HEADER,
    SEGMENT_HEADER_SIZE,
    XML_OFFSET,
    id_bytes,
)
from czictypes.model.errors import CorruptFileError, NotCziError


class SegmentHeader(NamedTuple):
    """The header of a segment; sizes are in bytes, without the header itself."""

    id: str
    position: int
    allocated_size: int
    used_size: int

    @property
    def data_position(self) -> int:
        """The position of the segment's data in the file."""
        return self.position + SEGMENT_HEADER_SIZE

    @property
    def data_size(self) -> int:
        """The used size, or the allocated size if an old writer left the used size at 0."""
        return self.used_size or self.allocated_size

    @property
    def end(self) -> int:
        """The position of the next segment."""
        return self.data_position + max(self.allocated_size, self.used_size)


class FileHeader(NamedTuple):
    """The contents of the file header segment.

    Positions are those of segment headers in the file. `metadata_position` and
    `attachment_directory_position` are 0 if the file has no such segment.
    """

    major: int
    minor: int
    primary_file_guid: uuid.UUID
    file_guid: uuid.UUID
    file_part: int
    directory_position: int
    metadata_position: int
    update_pending: int
    attachment_directory_position: int


def require_range(
    source: ByteSource, position: int, count: int, where: str, size: int | None = None
) -> None:
    """Raise CorruptFileError unless `count` bytes at `position` lie inside the file.

    `where` is the owner of the bytes, for messages; `size` is the file's size, if known already.
    """
    size = source.end_of(position) if size is None else size
    if position < 0 or count < 0:
        raise CorruptFileError(
            f"{where} of {source.name} is damaged: it claims {count} bytes at {position}"
        )
    if position + count > size:
        raise CorruptFileError(
            f"{where} of {source.name} should reach up to {source.place(position + count)}, but "
            f"the file ends at {source.place(size)}; it is truncated or damaged"
        )


def read_whole(source: ByteSource, offset: int, size: int, where: str) -> bytes:
    """Read a range that was checked before; CorruptFileError if the file was truncated since."""
    data = source.read_at(offset, size)
    if len(data) < size:
        raise CorruptFileError(
            f"{where} was cut off while it was read: {size} bytes asked for, {len(data)} found"
        )
    return data


def parse_segment_header(
    source: ByteSource, data: bytes, position: int, expected: str, where: str
) -> SegmentHeader:
    """Read the segment header at the start of `data`, and check its id.

    Raises
    ------
    CorruptFileError
        If the file ends before the header, or the id is not the expected one.
    """
    if len(data) < SEGMENT_HEADER_SIZE:
        raise CorruptFileError(
            f"{where} of {source.name} should be at {source.place(position)}, but the file ends at "
            f"{source.place(source.end_of(position))}; it is truncated or damaged"
        )
    identifier, allocated, used = SEGMENT_HEADER.unpack_from(data)
    if identifier != id_bytes(expected):
        raise CorruptFileError(
            f"{where} of {source.name} is not where it should be: {source.place(position)} should "
            f"begin a {expected} segment, but has {identifier!r}; the file is damaged"
        )
    return SegmentHeader(expected, position, allocated, used)


def read_segment_header(
    source: ByteSource, position: int, expected: str, where: str = ""
) -> SegmentHeader:
    """Read the header of a segment and check its id and sizes.

    `expected` is the id, such as ``"ZISRAWMETADATA"``; `where` is the segment's name in messages.

    Raises
    ------
    CorruptFileError
        If there is no such segment, or it extends past the end of the file.
    """
    where = where or f"the {expected} segment"
    require_range(source, position, SEGMENT_HEADER_SIZE, where)
    data = source.read_at(position, SEGMENT_HEADER_SIZE)
    header = parse_segment_header(source, data, position, expected, where)
    require_range(source, header.data_position, header.data_size, where)
    return header


def read_file_header(source: ByteSource) -> FileHeader:
    """Read the file header, the segment at byte 0.

    Raises
    ------
    NotCziError
        If the file does not start like a CZI file.
    CorruptFileError
        If the file ends inside the header.
    """
    data = source.read_at(0, FILE_HEADER_SIZE)
    if not data:
        raise NotCziError(f"{source.name} is empty, so it is not a CZI file")
    if data[:16] != id_bytes(FILE_HEADER):
        raise NotCziError(
            f"{source.name} is not a CZI file: it begins with {data[:16]!r}, not with "
            f"{FILE_HEADER.encode()!r}; czictypes.open_image opens images of other formats, which "
            "the ending of the name tells"
        )
    if len(data) < FILE_HEADER_SIZE:
        raise CorruptFileError(
            f"{source.name} is cut off inside its file header: it has {len(data)} bytes, the "
            f"header alone needs {FILE_HEADER_SIZE}"
        )
    major, minor, primary, own, part, directory, metadata, pending, attachments = (
        FILE_HEADER_FIELDS.unpack_from(data, SEGMENT_HEADER_SIZE)
    )
    primary_guid = uuid.UUID(bytes_le=primary)
    return FileHeader(
        major,
        minor,
        primary_guid,
        primary_guid if own == primary else uuid.UUID(bytes_le=own),
        part,
        directory,
        0 if metadata == -1 else metadata,  # both mean that there is none, as in libCZI
        pending,
        attachments,
    )


def iter_segments(source: ByteSource) -> Iterator[SegmentHeader]:
    """Yield the headers of all segments in file order, including deleted ones.

    This reads 32 bytes per segment. Trailing bytes too short for a segment header are ignored.

    Raises
    ------
    CorruptFileError
        At a position without a segment, or if a segment extends past the end of the file.
    """
    size = source.size()
    position = 0
    while position + SEGMENT_HEADER_SIZE <= size:
        data = source.read_at(position, SEGMENT_HEADER_SIZE)
        identifier = data[:16].rstrip(b"\0").decode("ascii", "replace")
        if not identifier.startswith(("ZISRAW", DELETED)):
            raise CorruptFileError(
                f"{source.name} has no segment at byte {position}, where the one before ends: "
                f"there is {data[:16]!r}; the file is damaged"
            )
        _, allocated, used = SEGMENT_HEADER.unpack_from(data)
        header = SegmentHeader(identifier, position, allocated, used)
        where = f"the segment {identifier} at byte {position}"
        require_range(source, header.data_position, min(allocated, used), where)
        require_range(source, header.data_position, max(allocated, used), where)
        yield header
        position = header.end


class MetadataSegment(NamedTuple):
    """The position of the document's XML in the file, and the room in its segment, in bytes."""

    position: int
    allocated_size: int
    xml_offset: int
    xml_size: int
    attachment_size: int


def read_metadata_segment(source: ByteSource, header: FileHeader) -> MetadataSegment | None:
    """Read the head of the metadata segment; return None if the file has none.

    The checks protect libCZI's ReaderGetMetadataSegment from crashes.

    Raises
    ------
    CorruptFileError
        If there is no metadata segment where the header says, or it extends past the end of the
        file.
    """
    if header.metadata_position == 0:
        return None
    return read_metadata_segment_at(source, header.metadata_position)


def read_metadata_segment_at(source: ByteSource, position: int) -> MetadataSegment:
    """Read the head of the metadata segment at a position; errors as `read_metadata_segment`."""
    where = "the metadata segment"
    require_range(source, position, XML_OFFSET, where)
    data = source.read_at(position, XML_OFFSET)
    segment = parse_segment_header(source, data, position, METADATA, where)
    xml_size, attachment_size = METADATA_SIZES.unpack_from(data, SEGMENT_HEADER_SIZE)
    start = position + XML_OFFSET
    require_range(source, start, xml_size, where)
    require_range(source, start + xml_size, attachment_size, f"the attachment of {where}")
    return MetadataSegment(position, segment.allocated_size, start, xml_size, attachment_size)


def read_metadata_xml(source: ByteSource, header: FileHeader) -> bytes:
    """Return the document's XML as stored; empty if the file has none.

    Raises
    ------
    CorruptFileError
        As `read_metadata_segment`, and if the file was truncated in the meantime.
    """
    segment = read_metadata_segment(source, header)
    return b"" if segment is None else read_xml(source, segment)


def read_xml(source: ByteSource, segment: MetadataSegment) -> bytes:
    """Return the XML of a segment; CorruptFileError if the file was truncated in the meantime."""
    return read_whole(source, segment.xml_offset, segment.xml_size, f"the XML of {source.name}")
