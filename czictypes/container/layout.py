"""The layout of a CZI file: its segments and their contents.

A file is a sequence of segments. Each has a header of 32 bytes (an id of 16 bytes, the allocated
size and the used size of the rest), a part of fixed size that depends on its kind, then its
content. All numbers are little-endian.

==================== ===== ====================================================================
segment              fixed content
==================== ===== ====================================================================
file header            512 `FILE_HEADER_FIELDS`: the positions of the others
sub-block directory    128 the number of entries; then the entries
sub-block              256 `SUBBLOCK_SIZES`, a copy of its entry; then XML, pixels, attachment
metadata               256 `METADATA_SIZES`; then XML and an attachment that is never used
attachment directory   256 the number of entries; then `ATTACHMENT_ENTRY`
attachment             256 the size of the data, a copy of its entry at 16; then the data
==================== ===== ====================================================================

The entry of a sub-block (schema DV) is an `ENTRY`, then a `DIMENSION` for each of its dimensions.
The fixed part of a sub-block is longer if its entry does not fit.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterable
from typing import Any

import numpy as np

FILE_HEADER = "ZISRAWFILE"
SUBBLOCK_DIRECTORY = "ZISRAWDIRECTORY"
SUBBLOCK = "ZISRAWSUBBLOCK"
METADATA = "ZISRAWMETADATA"
ATTACHMENT_DIRECTORY = "ZISRAWATTDIR"
ATTACHMENT = "ZISRAWATTACH"
DELETED = "DELETED"

#: Id, allocated size, used size.
SEGMENT_HEADER = struct.Struct("<16sqq")
SEGMENT_HEADER_SIZE = SEGMENT_HEADER.size
#: Programs start segments at multiples of this.
ALIGNMENT = 32
FIXED_SIZES = {
    FILE_HEADER: 512,
    SUBBLOCK_DIRECTORY: 128,
    SUBBLOCK: 256,
    METADATA: 256,
    ATTACHMENT_DIRECTORY: 256,
    ATTACHMENT: 256,
}

#: Version (two numbers), GUIDs of the master file and of this file, part number, positions of the
#: directory and the metadata, update pending, position of the attachment directory.
FILE_HEADER_FIELDS = struct.Struct("<ii8x16s16siqqiq")
FILE_HEADER_SIZE = SEGMENT_HEADER_SIZE + FIXED_SIZES[FILE_HEADER]
#: The position of the file header's field with the position of the metadata.
METADATA_POSITION = SEGMENT_HEADER_SIZE + struct.calcsize("<ii8x16s16siq")

#: The number of entries of a directory.
COUNT = struct.Struct("<i")
DIRECTORY_ENTRIES = SEGMENT_HEADER_SIZE + FIXED_SIZES[SUBBLOCK_DIRECTORY]

#: Schema, pixel type, file position, file part, compression, pyramid type, number of dimensions.
ENTRY = struct.Struct("<2siqiiB5xi")
ENTRY_SIZE = ENTRY.size
#: Letter, start, size, start coordinate, stored size.
DIMENSION = struct.Struct("<c3xiifi")
DIMENSION_SIZE = DIMENSION.size
#: libCZI has room for so many dimensions of an entry on its stack, and crashes with more.
MAX_DIMENSIONS = 40
LARGEST_ENTRY = ENTRY_SIZE + DIMENSION_SIZE * MAX_DIMENSIONS
_DIMENSION_COUNT = struct.Struct(f"<{ENTRY_SIZE - 4}xi")

#: The sizes of XML, attachment and pixels of a sub-block.
SUBBLOCK_SIZES = struct.Struct("<iiq")
#: The offset of the copy of the entry in the segment of a sub-block or an attachment.
ENTRY_OFFSET = SEGMENT_HEADER_SIZE + SUBBLOCK_SIZES.size
#: The smallest possible offset of the XML of a sub-block.
SUBBLOCK_CONTENT = SEGMENT_HEADER_SIZE + FIXED_SIZES[SUBBLOCK]
#: The size of the longest head of a sub-block.
SUBBLOCK_HEAD_SIZE = ENTRY_OFFSET + LARGEST_ENTRY

#: The sizes of the XML and of its attachment.
METADATA_SIZES = struct.Struct("<ii")
XML_OFFSET = SEGMENT_HEADER_SIZE + FIXED_SIZES[METADATA]

#: Schema, file position, file part, GUID, file type of the content, name.
ATTACHMENT_ENTRY = struct.Struct("<2s10xqi16s8s80s")
ATTACHMENT_ENTRY_SIZE = ATTACHMENT_ENTRY.size
#: The size of an attachment's data.
DATA_SIZE = struct.Struct("<q")
#: The offset of the data of an attachment, and of the entries of the attachment directory.
ATTACHMENT_CONTENT = SEGMENT_HEADER_SIZE + FIXED_SIZES[ATTACHMENT]

_DIMENSION_TYPE = np.dtype(
    [
        ("letter", "u1"),
        ("more_letters", "V3"),
        ("start", "<i4"),
        ("size", "<i4"),
        ("start_coordinate", "<f4"),
        ("stored_size", "<i4"),
    ]
)


def entry_type(dimensions: int) -> np.dtype[Any]:
    """Return the structured type of an entry with so many dimensions."""
    return np.dtype(
        [
            ("schema", "S2"),
            ("pixel_type", "<i4"),
            ("file_position", "<i8"),
            ("file_part", "<i4"),
            ("compression", "<i4"),
            ("pyramid_type", "u1"),
            ("spare", "V5"),
            ("dimension_count", "<i4"),
            ("dimensions", _DIMENSION_TYPE, (dimensions,)),
        ]
    )


def entry_offset(field: str) -> int:
    """Return the offset of a field of `entry_type`."""
    return _offset(entry_type(0), field)


def dimension_offset(field: str) -> int:
    """Return the offset of a field within a dimension of an entry."""
    return _offset(_DIMENSION_TYPE, field)


def _offset(kind: np.dtype[Any], field: str) -> int:
    assert kind.fields is not None
    return kind.fields[field][1]


def entry_size(data: bytes | bytearray | memoryview, position: int = 0) -> int:
    """Return the size in bytes of the entry at a position."""
    (dimensions,) = _DIMENSION_COUNT.unpack_from(data, position)
    return ENTRY_SIZE + DIMENSION_SIZE * int(dimensions)


def id_bytes(identifier: str) -> bytes:
    """Return the id of a segment as stored in its header."""
    return identifier.encode().ljust(16, b"\0")


def pack_segment(identifier: str, content: bytes, following: int = 0) -> bytes:
    """Return a segment; `following` bytes of its content are written separately."""
    size = len(content) + following
    return SEGMENT_HEADER.pack(id_bytes(identifier), size, size) + content


def pack_file_header(
    guid: uuid.UUID, directory: int = 0, metadata: int = 0, attachment_directory: int = 0
) -> bytes:
    """Return the file header of a single-file document, with positions; 0 for what is not there."""
    own = guid.bytes_le
    places = directory, metadata, 0, attachment_directory
    fields = FILE_HEADER_FIELDS.pack(1, 0, own, own, 0, *places)
    return pack_segment(FILE_HEADER, fields.ljust(FIXED_SIZES[FILE_HEADER], b"\0"))


def pack_directory(count: int, entries: bytes) -> bytes:
    """Return a sub-block directory."""
    fixed = COUNT.pack(count).ljust(FIXED_SIZES[SUBBLOCK_DIRECTORY], b"\0")
    return pack_segment(SUBBLOCK_DIRECTORY, fixed + entries)


def subblock_head(dimensions: int) -> struct.Struct:
    """Return the segment header and the fixed part of a sub-block with so many dimensions."""
    parts = (SEGMENT_HEADER, SUBBLOCK_SIZES, ENTRY, *[DIMENSION] * dimensions)
    spare = SUBBLOCK_CONTENT - ENTRY_OFFSET - ENTRY_SIZE - DIMENSION_SIZE * dimensions
    return struct.Struct("<" + "".join(part.format[1:] for part in parts) + f"{max(spare, 0)}x")


def pack_entry(
    pixel_type: int, position: int, compression: int, extents: Iterable[tuple[bytes, int, int]]
) -> bytes:
    """Return an entry; `extents` has the letter, start and size of each dimension."""
    dimensions = [DIMENSION.pack(one, start, size, start, size) for one, start, size in extents]
    fixed = ENTRY.pack(b"DV", pixel_type, position, 0, compression, 0, len(dimensions))
    return fixed + b"".join(dimensions)
