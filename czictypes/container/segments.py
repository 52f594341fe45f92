"""The segments a CZI file is made of, and the file header that points at the main ones.

A segment is a header of 32 bytes (an id of 16 bytes, the allocated and the used size of what
follows, both int64), then its data. All numbers are little-endian.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator
from typing import NamedTuple

from czictypes.container.byte_source import ByteSource
from czictypes.model.errors import CorruptFileError, NotCziError

__all__ = [
    "ATTACHMENT",
    "ATTACHMENT_DIRECTORY",
    "DELETED",
    "FILE_HEADER",
    "METADATA",
    "SEGMENT_HEADER_SIZE",
    "SUBBLOCK",
    "SUBBLOCK_DIRECTORY",
    "FileHeader",
    "SegmentHeader",
    "iter_segments",
    "parse_segment_header",
    "read_file_header",
    "read_segment_header",
    "require_range",
]

SEGMENT_HEADER_SIZE = 32

FILE_HEADER = "ZISRAWFILE"
SUBBLOCK_DIRECTORY = "ZISRAWDIRECTORY"
SUBBLOCK = "ZISRAWSUBBLOCK"
METADATA = "ZISRAWMETADATA"
ATTACHMENT_DIRECTORY = "ZISRAWATTDIR"
ATTACHMENT = "ZISRAWATTACH"
DELETED = "DELETED"

_HEADER = struct.Struct("<16sqq")
_FILE_HEADER = struct.Struct("<ii8x16s16siqqiq")
_FILE_HEADER_SIZE = SEGMENT_HEADER_SIZE + 512


class SegmentHeader(NamedTuple):
    """The header of a segment; sizes in bytes, the header itself not counted."""

    id: str
    position: int
    allocated_size: int
    used_size: int

    @property
    def data_position(self) -> int:
        """Where the segment's data begin in the file."""
        return self.position + SEGMENT_HEADER_SIZE

    @property
    def data_size(self) -> int:
        """The used size; old writers leave that 0, then the allocated size counts."""
        return self.used_size or self.allocated_size

    @property
    def end(self) -> int:
        """Where the next segment begins."""
        return self.data_position + max(self.allocated_size, self.used_size)


class FileHeader(NamedTuple):
    """The contents of the file header segment.

    Positions are those of segment headers in the file. `metadata_position` and
    `attachment_directory_position` are 0 where the file has no such segment.
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
    """Check that `count` bytes at `position` lie inside the file.

    Parameters
    ----------
    source, position, count
        Which bytes.
    where
        Whose bytes they are, for messages.
    size
        The file's size, where it is known already.

    Raises
    ------
    CorruptFileError
        If they do not.
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


def parse_segment_header(
    source: ByteSource, data: bytes, position: int, expected: str, where: str
) -> SegmentHeader:
    """Read the segment header at the start of `data`, and check its id.

    Raises
    ------
    CorruptFileError
        If the file ends before, or the id is not the expected one.
    """
    if len(data) < SEGMENT_HEADER_SIZE:
        raise CorruptFileError(
            f"{where} of {source.name} should be at {source.place(position)}, but the file ends at "
            f"{source.place(source.end_of(position))}; it is truncated or damaged"
        )
    identifier, allocated, used = _HEADER.unpack_from(data)
    if identifier != expected.encode().ljust(16, b"\0"):
        raise CorruptFileError(
            f"{where} of {source.name} is not where it should be: {source.place(position)} should "
            f"begin a {expected} segment, but has {identifier!r}; the file is damaged"
        )
    return SegmentHeader(expected, position, allocated, used)


def read_segment_header(
    source: ByteSource, position: int, expected: str, where: str = ""
) -> SegmentHeader:
    """Read the header of a segment and check its id and sizes.

    Parameters
    ----------
    source, position
        Where to read.
    expected
        The id it must have, such as ``"ZISRAWMETADATA"``.
    where
        What to call the segment in a message.

    Raises
    ------
    CorruptFileError
        If the segment is not there, or its used size goes beyond the end of the file.
    """
    where = where or f"the {expected} segment"
    require_range(source, position, SEGMENT_HEADER_SIZE, where)
    data = source.read_at(position, SEGMENT_HEADER_SIZE)
    header = parse_segment_header(source, data, position, expected, where)
    require_range(source, header.data_position, header.data_size, where)
    return header


def read_file_header(source: ByteSource) -> FileHeader:
    """Read the file header, which is the segment at byte 0.

    Raises
    ------
    NotCziError
        If the file does not begin as a CZI does.
    CorruptFileError
        If it is cut off inside the header.
    """
    data = source.read_at(0, _FILE_HEADER_SIZE)
    if not data:
        raise NotCziError(f"{source.name} is empty, so it is not a CZI file")
    if data[:16] != FILE_HEADER.encode().ljust(16, b"\0"):
        raise NotCziError(
            f"{source.name} is not a CZI file: it begins with {data[:16]!r}, not with "
            f"{FILE_HEADER.encode()!r}; czictypes.open_image opens images of other formats, which "
            "the ending of the name tells"
        )
    if len(data) < _FILE_HEADER_SIZE:
        raise CorruptFileError(
            f"{source.name} is cut off inside its file header: it has {len(data)} bytes, the "
            f"header alone needs {_FILE_HEADER_SIZE}"
        )
    major, minor, primary, own, part, directory, metadata, pending, attachments = (
        _FILE_HEADER.unpack_from(data, SEGMENT_HEADER_SIZE)
    )
    return FileHeader(
        major,
        minor,
        uuid.UUID(bytes_le=primary),
        uuid.UUID(bytes_le=own),
        part,
        directory,
        0 if metadata == -1 else metadata,  # libCZI takes both as "there is none"
        pending,
        attachments,
    )


def iter_segments(source: ByteSource) -> Iterator[SegmentHeader]:
    """Walk over all segments in file order, the file header and deleted ones included.

    Reads 32 bytes for each. Bytes after the last segment, fewer than a segment header, are
    passed over.

    Raises
    ------
    CorruptFileError
        At a place that is not a segment, or where a segment goes beyond the end of the file.
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
        _, allocated, used = _HEADER.unpack_from(data)
        header = SegmentHeader(identifier, position, allocated, used)
        where = f"the segment {identifier} at byte {position}"
        require_range(source, header.data_position, min(allocated, used), where)
        require_range(source, header.data_position, max(allocated, used), where)
        yield header
        position = header.end
