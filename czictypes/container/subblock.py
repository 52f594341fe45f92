"""Read and check the segments of sub-blocks: their metadata, pixel data and attachments."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import SupportsIndex, Union

import numpy as np
from numpy.typing import NDArray

from czictypes.container.byte_source import ByteSource
from czictypes.container.directory import Directory
from czictypes.container.entries import SubBlockEntry, parse_entry
from czictypes.container.layout import (
    ENTRY_OFFSET,
    ENTRY_SIZE,
    LARGEST_ENTRY,
    SEGMENT_HEADER_SIZE,
    SUBBLOCK,
    SUBBLOCK_CONTENT,
    SUBBLOCK_HEAD_SIZE,
    SUBBLOCK_SIZES,
    entry_size,
    id_bytes,
)
from czictypes.container.limits import (
    JPEGXR_GROWTH,
    ZSTD_GROWTH,
    bitmap_size,
    check_difference,
    check_growth,
)
from czictypes.container.payload import Payload, examine_payload, read_jpegxr_picture
from czictypes.container.segments import parse_segment_header, read_whole, require_range
from czictypes.container.zstd import HEAD_SIZE, parse_zstd_head
from czictypes.model.errors import CorruptFileError, MissingPartError, UnsupportedDataError
from czictypes.model.geometry import ABSENT, NO_M, format_coordinate, whole_number
from czictypes.model.pixel_types import Compression, PixelType, pixel_format

#: The data of most sub-blocks start at most so many bytes after the start of their segment.
HEAD_ROOM = SUBBLOCK_CONTENT + 1024

_DATA_LIMIT = 1 << 31
_RAW_DATA = 100  # the ZISRAW specification reserves numbers from here on for cameras and systems

_XML_ROOM = 2048  # nearly all sub-blocks have less XML than this
_GAP = 16 << 10  # reading so many unneeded bytes is faster than another call
_LONGEST = 1 << 20

#: The XML of a sub-block, or the error of a damaged one.
_StoredXml = Union[bytes, CorruptFileError, MissingPartError]

_SIXTEEN_BIT = (PixelType.Gray16, PixelType.Bgr48)


@dataclass(frozen=True)
class SubBlockSegment:
    """The head of a sub-block's segment, checked against the file and its directory.

    Offsets are positions in the file; sizes are in bytes.
    """

    index: int
    position: int
    entry: SubBlockEntry
    #: The number of planes according to the directory.
    planes: int
    metadata_offset: int
    metadata_size: int
    data_offset: int
    data_size: int
    attachment_offset: int
    attachment_size: int

    @property
    def pixel_type(self) -> int:
        """The number of the pixel type."""
        return self.entry.pixel_type

    @property
    def compression(self) -> int:
        """The number of the compression scheme."""
        return self.entry.compression

    @property
    def stored_w(self) -> int:
        """The width of the stored bitmap in pixels."""
        return self.entry.stored_w

    @property
    def stored_h(self) -> int:
        """The height of the stored bitmap in pixels."""
        return self.entry.stored_h


def describe_subblock(source: ByteSource, index: int, position: int) -> str:
    """Return the name of a sub-block in messages."""
    return f"sub-block {index} (at {source.place(position)}) of {source.name}"


def read_subblock_segment(
    source: ByteSource, directory: Directory, index: SupportsIndex
) -> SubBlockSegment:
    """Read the head of a sub-block and check what would crash libCZI's ReadSubBlock.

    This takes one read of 880 bytes.

    Parameters
    ----------
    source, directory
        The file and its sub-block directory.
    index
        The sub-block's row in the directory.

    Raises
    ------
    IndexError
        If there is no such sub-block.
    CorruptFileError
        If there is no sub-block where the directory says, it contradicts its directory entry
        (libCZI also refuses it then), or it extends past the end of the file.
    """
    index = whole_number(index, "the index of a sub-block")
    if not 0 <= index < directory.count:
        raise IndexError(
            f"there is no sub-block {index} in {source.name}; it has {directory.count}, numbered "
            "from 0"
        )
    position = int(directory.file_position[index])
    name = f"sub-block {index} (at {source.place(position)})"
    file_size = source.end_of(position)
    require_range(source, position, SUBBLOCK_CONTENT, name, file_size)
    data = source.read_at(position, SUBBLOCK_HEAD_SIZE)
    parse_segment_header(source, data, position, SUBBLOCK, name)
    where = describe_subblock(source, index, position)
    planes = math.prod(directory.sizes_of(index).values())
    segment = parse_subblock_head(data, index, position, planes, where)
    _check_agreement(segment.entry, directory, index, where)
    _check_parts(source, segment, name, file_size)
    return segment


def _check_agreement(entry: SubBlockEntry, directory: Directory, index: int, where: str) -> None:
    found = _differences(entry, directory, index)
    if found:
        raise CorruptFileError(
            f"{where} contradicts its entry in the sub-block directory ({found}); the file is "
            "damaged"
        )


def _differences(entry: SubBlockEntry, directory: Directory, index: int) -> str:
    """Describe how an entry differs from its row in the directory; return "" if it does not.

    The compared fields are those that libCZI compares before it reads a sub-block.
    """
    fields = ("pixel_type", "compression", "x", "y", "w", "h", "stored_w", "stored_h")
    found = []
    for name in fields:
        own, listed = getattr(entry, name), int(getattr(directory, name)[index])
        if own != listed:
            found.append(f"{name} {own}, there {listed}")
    own_m, listed_m = _valid_m(entry.m), _valid_m(int(directory.m[index]))
    if own_m != listed_m:
        found.append(f"M {own_m}, there {listed_m}")
    listed_place = directory.coordinate(index)
    if entry.coordinate != listed_place:
        own_text, listed_text = map(format_coordinate, (entry.coordinate, listed_place))
        found.append(f"coordinate {own_text}, there {listed_text}")
    return "; ".join(found)


def _valid_m(m: int) -> int | None:
    return None if m in (ABSENT, NO_M) else m


def parse_subblock_head(
    data: bytes, index: int, position: int, planes: int, where: str
) -> SubBlockSegment:
    """Locate the parts of a sub-block from the sizes in its segment, without checks.

    `data` are the first 880 bytes of the segment, fewer at the end of the file.

    Raises
    ------
    CorruptFileError
        If its entry is invalid.
    """
    entry = parse_entry(data[ENTRY_OFFSET:], where)
    metadata_size, attachment_size, data_size = SUBBLOCK_SIZES.unpack_from(
        data, SEGMENT_HEADER_SIZE
    )
    metadata_at = position + max(SUBBLOCK_CONTENT, ENTRY_OFFSET + entry.size)
    data_at = metadata_at + metadata_size
    return SubBlockSegment(
        index=index,
        position=position,
        entry=entry,
        planes=planes,
        metadata_offset=metadata_at,
        metadata_size=metadata_size,
        data_offset=data_at,
        data_size=data_size,
        attachment_offset=data_at + data_size,
        attachment_size=attachment_size,
    )


def _check_parts(source: ByteSource, segment: SubBlockSegment, name: str, file_size: int) -> None:
    for part, offset, size in (
        ("metadata", segment.metadata_offset, segment.metadata_size),
        ("pixel data", segment.data_offset, segment.data_size),
        ("attachment", segment.attachment_offset, segment.attachment_size),
    ):
        require_range(source, offset, size, f"the {part} of {name}", file_size)


def check_pixels(source: ByteSource, segment: SubBlockSegment) -> Payload:
    """Check that decoding a sub-block neither crashes nor takes excessive memory.

    This reads the first bytes of the data. The module `limits` explains the rules.

    Returns
    -------
    Payload
        The actual compression of the pixels, and the number of planes.

    Raises
    ------
    CorruptFileError
        If the claimed bitmap, or the number of planes, does not fit the stored data.
    UnsupportedDataError
        If there is no decoder for the pixel type or the compression.
    """
    where = describe_subblock(source, segment.index, segment.position)
    try:
        layout = pixel_format(segment.pixel_type)
    except ValueError:
        raise UnsupportedDataError(
            f"{where} has the pixel type {segment.pixel_type}, which libCZI does not know"
        ) from None
    plane = bitmap_size(segment.stored_w, segment.stored_h, layout.bytes_per_pixel, where)
    payload = examine_payload(
        source, segment.data_offset, segment.data_size, segment.compression,
        plane, segment.planes, segment.stored_h, where,
    )  # fmt: skip
    scheme, claimed = payload.compression, plane * payload.planes
    if segment.data_size >= _DATA_LIMIT and scheme != Compression.Uncompressed:
        raise UnsupportedDataError(
            f"{where} has {segment.data_size} bytes of compressed data; czictypes decodes only "
            "less than 2 GiB at once"
        )
    if scheme == Compression.Uncompressed:
        check_difference(claimed, segment.data_size, where)
    elif scheme in (Compression.Zstd0, Compression.Zstd1):
        _check_zstd(source, segment, scheme, claimed, where)
    elif scheme in (Compression.JpegXr, Compression.Jpg):
        check_growth(claimed, segment.data_size, JPEGXR_GROWTH, where)
        if scheme == Compression.JpegXr:
            _check_jpegxr(source, segment, payload.planes, where)
    else:
        raise UnsupportedDataError(
            f"{where} has the compression {_compression_name(scheme)}, which czictypes does not "
            "decode; read_subblock(...).raw_data gives its bytes as they are stored"
        )
    return payload


def _check_zstd(
    source: ByteSource, segment: SubBlockSegment, scheme: int, claimed: int, where: str
) -> None:
    data = source.read_at(segment.data_offset, min(segment.data_size, HEAD_SIZE))
    head = parse_zstd_head(data, scheme, where)
    if head.hilo and segment.pixel_type not in _SIXTEEN_BIT:
        raise CorruptFileError(
            f"{where} claims HiLo packing, which there is for 16-bit pixels alone; the file is "
            "damaged"
        )
    check_growth(head.content_size, segment.data_size, ZSTD_GROWTH, where)
    check_difference(claimed, head.content_size, where)


def _check_jpegxr(source: ByteSource, segment: SubBlockSegment, planes: int, where: str) -> None:
    """Check the size and the pixel type of the JPEG XR picture.

    libCZI pads a smaller picture with black, and cuts a larger one after decoding all of it.
    """
    picture = read_jpegxr_picture(source, segment.data_offset, segment.data_size)
    claimed = segment.stored_w, segment.stored_h * planes
    width = claimed[0] if picture.width is None else picture.width
    height = claimed[1] if picture.height is None else picture.height
    if width < claimed[0] or height < claimed[1]:
        raise CorruptFileError(
            f"{where} claims a bitmap of {claimed[0]} x {claimed[1]} pixels, but its JPEG XR "
            f"picture has {width} x {height}; the file is damaged"
        )
    held = picture.pixel_type
    if held is None:  # libCZI refuses it
        return
    if not picture.converts_to(segment.pixel_type):
        raise CorruptFileError(
            f"{where} claims {PixelType(segment.pixel_type).name} pixels, but its JPEG XR picture "
            f"has {held.name} pixels; the file is damaged"
        )
    size = width * height * pixel_format(held).bytes_per_pixel
    check_growth(size, segment.data_size, JPEGXR_GROWTH, where)


def _compression_name(number: int) -> str:
    if number in set(Compression):
        return f"{Compression(number).name} ({number})"
    if number >= _RAW_DATA:
        return f"{number} (raw data of a camera or a system)"
    return f"{number}, which is unknown"


def read_metadata_bytes(source: ByteSource, segment: SubBlockSegment) -> bytes:
    """Return the sub-block's XML as stored; empty if there is none."""
    return _read(source, segment, segment.metadata_offset, segment.metadata_size)


def read_data_bytes(source: ByteSource, segment: SubBlockSegment) -> bytes:
    """Return the pixel data as stored, compressed or not."""
    return _read(source, segment, segment.data_offset, segment.data_size)


def read_attachment_bytes(source: ByteSource, segment: SubBlockSegment) -> bytes:
    """Return the sub-block's attachment; empty if there is none."""
    return _read(source, segment, segment.attachment_offset, segment.attachment_size)


def _read(source: ByteSource, segment: SubBlockSegment, offset: int, size: int) -> bytes:
    where = describe_subblock(source, segment.index, segment.position)
    return read_whole(source, offset, size, where)


def read_many_metadata(
    source: ByteSource, directory: Directory, indices: Sequence[int]
) -> list[_StoredXml]:
    """Return the XML of some sub-blocks as stored, empty where there is none.

    For a damaged sub-block, the error is returned instead. Only the location of the XML is
    checked, because libCZI is not involved; unusual sub-blocks get all checks of
    `read_subblock_segment`.
    """
    rows = np.asarray(indices, np.intp)
    rows = rows[directory.file_position[rows].argsort(kind="stable")]
    found: dict[int, _StoredXml] = {}
    for index, head in zip(rows.tolist(), _heads(source, directory.file_position[rows])):
        found[index] = _metadata_in(head, source, directory, index)
    return [found[index] for index in indices]


def _heads(source: ByteSource, ascending: NDArray[np.int64]) -> Iterator[bytes]:
    """Yield the first bytes of segments; nearby segments are read together."""
    size = source.size()
    outside = (ascending < 0) | (ascending >= size)
    positions = np.where(outside, 0, ascending).tolist()
    spans = np.where(outside, 0, SUBBLOCK_CONTENT + _XML_ROOM).tolist()
    parts = list(_runs(positions, spans)) if positions else []
    ranges = [(positions[first], length) for first, _, length in parts]
    for (first, end, _), data in zip(parts, source.read_ranges(ranges)):
        begin = positions[first]
        for position, span in zip(positions[first:end], spans[first:end]):
            yield data[position - begin : position - begin + span]


def _metadata_in(head: bytes, source: ByteSource, directory: Directory, index: int) -> _StoredXml:
    """Return the XML of a sub-block, from the first bytes of its segment if they contain it."""
    if len(head) >= SUBBLOCK_CONTENT and head.startswith(id_bytes(SUBBLOCK)):
        length, _, _ = SUBBLOCK_SIZES.unpack_from(head, SEGMENT_HEADER_SIZE)
        entry = entry_size(head, ENTRY_OFFSET)
        start = max(SUBBLOCK_CONTENT, ENTRY_OFFSET + entry)
        usual = head[ENTRY_OFFSET:].startswith(b"DV") and ENTRY_SIZE <= entry <= LARGEST_ENTRY
        if usual and 0 <= length <= len(head) - start:
            return head[start : start + length]
    try:
        return read_metadata_bytes(source, read_subblock_segment(source, directory, index))
    except (CorruptFileError, MissingPartError) as error:
        return error


def _runs(positions: list[int], spans: list[int]) -> Iterator[tuple[int, int, int]]:
    """Yield runs of ascending positions to be read by one call: first, end, length."""
    first, reach = 0, positions[0] + spans[0]
    for number in range(1, len(positions)):
        position = positions[number]
        end = position + spans[number]
        if position > reach + _GAP or end - positions[first] > _LONGEST:
            yield first, number, reach - positions[first]
            first, reach = number, end
        reach = max(reach, end)
    yield first, len(positions), reach - positions[first]
