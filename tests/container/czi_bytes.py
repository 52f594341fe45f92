"""Makes the bytes of small CZI files by hand, odd and damaged ones too; no libCZI is needed.

    built = build_czi([Tile(w=4, h=3, coordinates={"C": 0}, data=bytes(12))])
    built.data                            # the file
    built.patched(built.entries[0] + 28, "<i", 41).data   # one with 41 dimensions in an entry

`build_czi` lays out: file header, sub-blocks, metadata, attachments, attachment directory,
sub-block directory. Every position that a test may want to damage is in the `Built`.
"""

from __future__ import annotations

import io
import struct
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from czictypes.container.file_source import StreamSource
from czictypes.model.pixel_types import pixel_format

__all__ = [
    "ATTACHMENT_ENTRY_SIZE",
    "FIRST_ENTRY",
    "GUID",
    "AttachedFile",
    "Built",
    "Dimension",
    "Tile",
    "build_czi",
    "build_directory",
    "build_parts",
    "mask_chunk",
    "segment",
    "write_parts",
]

GUID = uuid.UUID("12345678-9abc-def0-1234-56789abcdef0")
MASK_GUID = uuid.UUID("CBE3EA67-5BFC-492B-A16A-ECE378031448")
FIRST_ENTRY = 32 + 128  # of the sub-block directory, from the start of its segment
ATTACHMENT_ENTRY_SIZE = 128


@dataclass(frozen=True)
class Dimension:
    """A dimension of a directory entry; `stored` is as `size` where not given."""

    letter: bytes
    start: int
    size: int = 1
    stored: int | None = None

    def to_bytes(self) -> bytes:
        stored = self.size if self.stored is None else self.stored
        return struct.pack("<4siifi", self.letter, self.start, self.size, 0.0, stored)


@dataclass(frozen=True)
class Tile:
    """A sub-block.

    Parameters
    ----------
    x, y, w, h, physical, coordinates, m
        Its place; the physical size is the logical one where not given.
    pixel_type, compression, data, metadata, attachment
        Its content; the data are zeros of the right length where not given.
    dimensions
        In place of those that follow from the place.
    dimension_count, schema, pyramid_type, file_part
        What the entry says, right or wrong.
    listed
        What the directory says in place of this, where it shall differ.
    data_size, metadata_size, attachment_size
        What the segment says, where that shall be wrong.
    """

    x: int = 0
    y: int = 0
    w: int = 4
    h: int = 3
    physical: tuple[int, int] | None = None
    coordinates: dict[str, int] = field(default_factory=dict)
    m: int | None = None
    pixel_type: int = 0
    compression: int = 0
    data: bytes | None = None
    metadata: bytes = b""
    attachment: bytes = b""
    dimensions: Sequence[Dimension] | None = None
    dimension_count: int | None = None
    schema: bytes = b"DV"
    pyramid_type: int = 0
    file_part: int = 0
    listed: Tile | None = None
    data_size: int | None = None
    metadata_size: int | None = None
    attachment_size: int | None = None

    @property
    def content(self) -> bytes:
        """The data, as given or zeros."""
        if self.data is not None:
            return self.data
        w, h = self.physical or (self.w, self.h)
        return bytes(w * h * pixel_format(self.pixel_type).bytes_per_pixel)

    def all_dimensions(self) -> Sequence[Dimension]:
        """Return the dimensions of the entry, X and Y first, M last."""
        if self.dimensions is not None:
            return self.dimensions
        stored_w, stored_h = self.physical or (self.w, self.h)
        found = [
            Dimension(b"X", self.x, self.w, stored_w),
            Dimension(b"Y", self.y, self.h, stored_h),
        ]
        found += [Dimension(name.encode(), at) for name, at in self.coordinates.items()]
        if self.m is not None:
            found.append(Dimension(b"M", self.m))
        return found

    def entry(self, position: int) -> bytes:
        """Return the directory entry of the tile when its segment is at `position`."""
        dimensions = self.all_dimensions()
        count = len(dimensions) if self.dimension_count is None else self.dimension_count
        fixed = struct.pack(
            "<2siqiiB5xi",
            self.schema,
            self.pixel_type,
            position,
            self.file_part,
            self.compression,
            self.pyramid_type,
            count,
        )
        return fixed + b"".join(dimension.to_bytes() for dimension in dimensions)

    def segment(self, position: int) -> bytes:
        """Return the segment of the tile."""
        sizes = (
            len(self.metadata) if self.metadata_size is None else self.metadata_size,
            len(self.attachment) if self.attachment_size is None else self.attachment_size,
            len(self.content) if self.data_size is None else self.data_size,
        )
        head = struct.pack("<iiq", *sizes) + self.entry(position)
        return segment(
            b"ZISRAWSUBBLOCK",
            head.ljust(256, b"\0") + self.metadata + self.content + self.attachment,
        )


@dataclass(frozen=True)
class AttachedFile:
    """An attachment of the document."""

    name: bytes = b"Thumbnail"
    file_type: bytes = b"JPG"
    data: bytes = b"not a picture"
    schema: bytes = b"A1"
    guid: uuid.UUID = GUID
    file_part: int = 0

    def entry(self, position: int) -> bytes:
        """Return the directory entry."""
        return struct.pack(
            "<2s10xqi16s8s80s",
            self.schema,
            position,
            self.file_part,
            self.guid.bytes_le,
            self.file_type,
            self.name,
        )

    def segment(self, position: int) -> bytes:
        """Return the segment."""
        head = struct.pack("<q8x", len(self.data)) + self.entry(position)
        return segment(b"ZISRAWATTACH", head.ljust(256, b"\0") + self.data)


@dataclass(frozen=True)
class Built:
    """The bytes of a file, and where its parts begin."""

    data: bytes
    directory: int
    entries: list[int]
    subblocks: list[int]
    metadata: int
    attachment_directory: int
    attachments: list[int]

    def source(self) -> StreamSource:
        """Return a byte source on the file."""
        return StreamSource(io.BytesIO(self.data), name="built.czi")

    def write(self, path: Path) -> Path:
        """Write the file, and return its path."""
        path.write_bytes(self.data)
        return path

    def patched(self, offset: int, layout: str, *values: int | bytes) -> Built:
        """Return the same with some bytes replaced, as `struct.pack_into` does."""
        data = bytearray(self.data)
        struct.pack_into(layout, data, offset, *values)
        return replace(self, data=bytes(data))

    def cut(self, size: int) -> Built:
        """Return the same with only the first `size` bytes."""
        return replace(self, data=self.data[:size])


def segment(name: bytes, content: bytes, used: int | None = None) -> bytes:
    """Return a segment, its content filled up to a multiple of 32 bytes as programs do."""
    size = (len(content) + 31) // 32 * 32
    header = struct.pack("<16sqq", name, size, len(content) if used is None else used)
    return header + content.ljust(size, b"\0")


def build_directory(entries: Sequence[bytes], count: int | None = None) -> bytes:
    """Return the segment of a sub-block directory of these entries."""
    fixed = struct.pack("<i124x", len(entries) if count is None else count)
    return segment(b"ZISRAWDIRECTORY", fixed + b"".join(entries))


def build_czi(
    tiles: Sequence[Tile] = (),
    *,
    metadata: bytes | None = b"<ImageDocument><Metadata/></ImageDocument>",
    attachments: Sequence[AttachedFile] = (),
    entry_count: int | None = None,
    elsewhere: Sequence[bytes] = (),
    attached_elsewhere: Sequence[bytes] = (),
    part: int = 0,
    guids: tuple[uuid.UUID, uuid.UUID] = (GUID, GUID),
) -> Built:
    """Return the bytes of a file; `entry_count` is what its directory claims.

    With `metadata` None there is no metadata segment, without attachments no directory of them.
    Of a document of several files, `elsewhere` are entries of sub-blocks (`attached_elsewhere` of
    attachments) in others, `part` is the file's number, `guids` are the master's and its own.
    """
    data = bytearray(544)
    subblocks = _append(data, [tile.segment for tile in tiles])
    metadata_at = 0
    if metadata is not None:
        metadata_at = len(data)
        head = struct.pack("<ii248x", len(metadata), 0)
        data += segment(b"ZISRAWMETADATA", head + metadata)
    attached = _append(data, [attachment.segment for attachment in attachments])
    attachment_directory = 0
    if attachments or attached_elsewhere:
        attachment_directory = len(data)
        pairs = zip(attachments, attached)
        listed = b"".join(attachment.entry(position) for attachment, position in pairs)
        listed += b"".join(attached_elsewhere)
        head = struct.pack("<i252x", len(attachments) + len(attached_elsewhere))
        data += segment(b"ZISRAWATTDIR", head + listed)
    directory = len(data)
    entries = [(tile.listed or tile).entry(position) for tile, position in zip(tiles, subblocks)]
    entries += elsewhere
    data += build_directory(entries, entry_count)
    data[:544] = _file_header(directory, metadata_at, attachment_directory, part, guids)
    starts, start = [], directory + FIRST_ENTRY
    for entry in entries:
        starts.append(start)
        start += len(entry)
    return Built(
        bytes(data), directory, starts, subblocks, metadata_at, attachment_directory, attached
    )


def _append(data: bytearray, makers: Sequence[object]) -> list[int]:
    positions = []
    for make in makers:
        positions.append(len(data))
        data += make(len(data))  # type: ignore[operator]
    return positions


def build_parts(
    *files: Sequence[Tile], attachments: Sequence[AttachedFile] = (), number: bool = True
) -> list[Built]:
    """Return the files of a document, given the tiles of each: the master, part 1, part 2...

    Each part lists its own tiles, the master all of them. The attachments are in part 1, and the
    master alone lists them. Without `number`, the master lists none but its own.
    """
    parts, listed, attached = [], [], []
    for part, tiles in enumerate(files[1:], 1):
        numbered = [replace(tile, file_part=part) for tile in tiles]
        guids = (GUID, uuid.UUID(int=part))
        more = [replace(one, file_part=1) for one in attachments if part == 1]
        built = build_czi(numbered, attachments=more, part=part, guids=guids)
        listed += [tile.entry(at) for tile, at in zip(numbered, built.subblocks)]
        attached += [one.entry(at) for one, at in zip(more, built.attachments)]
        parts.append(built)
    elsewhere = listed if number else []
    return [build_czi(files[0], elsewhere=elsewhere, attached_elsewhere=attached), *parts]


def write_parts(path: Path, files: Sequence[Built], name: str = "{} ({})") -> Path:
    """Write the files of a document, the others named as said; return the path of the master."""
    for part, built in enumerate(files[1:], 1):
        built.write(path.with_name(name.format(path.stem, part) + path.suffix))
    return files[0].write(path)


def _file_header(
    directory: int,
    metadata: int,
    attachments: int,
    part: int,
    guids: tuple[uuid.UUID, uuid.UUID],
) -> bytes:
    primary, own = (guid.bytes_le for guid in guids)
    content = struct.pack(
        "<ii8x16s16siqqiq432x", 1, 0, primary, own, part, directory, metadata, 0, attachments
    )
    return segment(b"ZISRAWFILE", content)


def mask_chunk(
    width: int,
    height: int,
    bits: bytes,
    stride: int | None = None,
    *,
    representation: int = 0,
    guid: uuid.UUID = MASK_GUID,
) -> bytes:
    """Return a chunk of a sub-block's attachment with a mask; the bits are given by rows."""
    stride = (width + 7) // 8 if stride is None else stride
    payload = struct.pack("<4I", width, height, representation, stride) + bits
    return guid.bytes_le + struct.pack("<I", len(payload)) + payload
