"""The segments of a new file, packed one after the other, and the directories that list them.

The bytes are those that libCZI's writer makes of the same parts (`tests/writing/test_assembly.py`
compares), without a call of Python code for each piece: a small tile takes 60 us less of 140.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from czictypes.container.directory import Directory, parse_entries
from czictypes.container.entries import locate_entries
from czictypes.container.layout import (
    ALIGNMENT,
    ATTACHMENT,
    ATTACHMENT_DIRECTORY,
    ATTACHMENT_ENTRY,
    COUNT,
    DATA_SIZE,
    DIMENSION_SIZE,
    ENTRY_OFFSET,
    ENTRY_SIZE,
    FIXED_SIZES,
    METADATA,
    METADATA_SIZES,
    SEGMENT_HEADER,
    SEGMENT_HEADER_SIZE,
    SUBBLOCK,
    SUBBLOCK_DIRECTORY,
    SUBBLOCK_SIZES,
    id_bytes,
    subblock_head,
)
from czictypes.model.errors import InvalidArgumentError
from czictypes.model.geometry import ABSENT, DIMENSIONS, NO_M, Rectangle, Size, format_coordinate
from czictypes.model.pixel_types import PixelType

# libCZI reads no sub-block of 2 GiB or more, and counts metadata and attachments in 32 bits.
_LARGEST = 2**31 - 1
_SUBBLOCK_ID = id_bytes(SUBBLOCK)
#: By the number of dimensions: X, Y, M and those of a coordinate.
_HEADS = tuple(subblock_head(count) for count in range(len(DIMENSIONS) + 4))
_ENTRY_SIZES = tuple(ENTRY_SIZE + DIMENSION_SIZE * count for count in range(len(_HEADS)))
#: libCZI takes sub-blocks for tiles of one level whose zooms differ by no more.
_SAME_ZOOM = 1e-4


class EncodedSubBlock(NamedTuple):
    """A sub-block, its pixels encoded already."""

    coordinate: Mapping[str, int]  # S included
    rectangle: Rectangle  # the area covered, in layer-0 pixels
    size: Size  # of the bitmap itself; smaller than the area in a pyramid
    pixel_type: PixelType
    compression: int
    data: Any  # the pixels as they stand in the file: any contiguous buffer
    m_index: int | None = None
    pyramid_type: int = 0  # the byte that stands for it in the directory
    metadata: Any = b""
    attachment: Any = b""
    #: How many planes the data hold along a dimension, where that is not one; the dimension that
    #: varies fastest comes first.
    sizes: Mapping[str, int] = {}


class NewSubBlocks:
    """Packs the heads of sub-blocks, and lists them for the directory."""

    def __init__(self) -> None:
        self._count = 0
        self._entries = bytearray()
        #: The last coordinate, its number of dimensions, and its part of an entry: a file may have
        #: a million sub-blocks, and most have the coordinate of the one before.
        self._coordinate: dict[str, int] | None = None
        self._dimensions: tuple[Any, ...] = ()

    def pack(self, block: EncodedSubBlock, position: int) -> list[Any]:
        """List a sub-block; return the pieces of its segment, which begins at `position`.

        Raises
        ------
        ValueError
            If a CZI cannot hold it.
        """
        x, y, w, h = block.rectangle
        stored_w, stored_h = block.size
        pieces = [_bytes(block.metadata), _bytes(block.data), _bytes(block.attachment)]
        metadata, data, attachment = map(len, pieces)
        if w <= 0 or h <= 0 or stored_w <= 0 or stored_h <= 0 or not 0 < data <= _LARGEST:
            raise _refused(block, f"{data} bytes")
        if block.sizes or block.coordinate != self._coordinate:
            self._take_coordinate(block)
        m = block.m_index
        dimensions = self._dimensions if m is None else (b"M", m, 1, 0.0, 1, *self._dimensions)
        count = 2 + len(dimensions) // 5
        head = _HEADS[count]
        size = head.size - SEGMENT_HEADER_SIZE + metadata + data + attachment
        try:
            if m in (NO_M, ABSENT):
                raise struct.error("the M-index stands for none")
            packed = head.pack(
                _SUBBLOCK_ID, _aligned(size), size,
                metadata, attachment, data,
                b"DV", block.pixel_type, position, 0, block.compression, block.pyramid_type, count,
                b"X", x, w, 0.0, stored_w,
                b"Y", y, h, 0.0, stored_h,
                *dimensions,
            )  # fmt: skip
        except struct.error as error:
            raise _refused(block, str(error)) from None
        self._count += 1
        self._entries += packed[ENTRY_OFFSET : ENTRY_OFFSET + _ENTRY_SIZES[count]]
        return [packed, *pieces, bytes(-size % ALIGNMENT)]

    def _take_coordinate(self, block: EncodedSubBlock) -> None:
        sizes, coordinate = block.sizes, block.coordinate
        if not coordinate.keys() <= set(DIMENSIONS):
            raise _refused(block, f"the dimensions of a CZI are {', '.join(DIMENSIONS)}")
        listed = iter(sizes)
        letters = [letter for letter in DIMENSIONS if letter in coordinate]
        letters = [next(listed) if letter in sizes else letter for letter in letters]
        self._dimensions = tuple(
            value
            for one in letters
            for value in (one.encode(), coordinate[one], sizes.get(one, 1), 0.0, sizes.get(one, 1))
        )
        self._coordinate = None if sizes else dict(coordinate)

    def written(self) -> tuple[int, bytes]:
        """Return the number of sub-blocks, and their entries in the order of `pack`."""
        return self._count, bytes(self._entries)

    def pack_directory(self) -> list[Any]:
        """Return the pieces of the directory's segment, the entries in the order of libCZI."""
        order = _order(parse_entries(self._entries, self._count, "the new file"))
        entries = _reordered(memoryview(self._entries), order)
        return _directory(SUBBLOCK_DIRECTORY, self._count, entries)


def _order(listed: Directory) -> NDArray[np.int64]:
    """Return the order of a directory: by level, coordinate, then M-index, or else position."""
    is_wide = listed.stored_w > listed.stored_h
    zooms = np.where(is_wide, listed.stored_w, listed.stored_h).astype(np.float32)
    zooms /= np.where(is_wide, listed.w, listed.h).astype(np.float32)
    found, which = np.unique(zooms, return_inverse=True)
    levels: NDArray[np.int64] = np.cumsum(np.diff(found, prepend=found[:1]) > _SAME_ZOOM)
    lacks_m = listed.m == ABSENT
    places = [np.where(lacks_m, one, 0) for one in (listed.y, listed.x)]
    m, coordinates = np.where(lacks_m, NO_M, listed.m), listed.coordinates.values()
    return np.lexsort([*places, m, *reversed(coordinates), -levels[which.ravel()]])


def _reordered(entries: memoryview, order: NDArray[np.int64]) -> Any:
    if (np.diff(order) == 1).all():
        return entries
    located = locate_entries(entries, len(order), "the new file", strict=True)
    offsets = np.append(located.offsets, len(entries))
    sizes = np.diff(offsets)
    if (sizes == sizes[0]).all():
        return np.frombuffer(entries, np.uint8).reshape(-1, sizes[0])[order].tobytes()
    bounds = zip(offsets[order].tolist(), offsets[order + 1].tolist())
    return b"".join([entries[start:end] for start, end in bounds])


class NewAttachments:
    """Packs attachments, and lists them for their directory."""

    def __init__(self) -> None:
        self.entries: list[bytes] = []

    def pack(
        self, name: str, content_file_type: str, data: Any, guid: UUID, position: int
    ) -> list[Any]:
        """List an attachment; return the pieces of its segment, which begins at `position`."""
        content = _bytes(data)
        if len(content) > _LARGEST:
            raise InvalidArgumentError(f"the attachment {name!r} must have less than 2 GiB")
        names = _fixed(content_file_type, 8), _fixed(name, 79)
        self.entries.append(ATTACHMENT_ENTRY.pack(b"A1", position, 0, guid.bytes_le, *names))
        fixed = DATA_SIZE.pack(len(content)).ljust(SUBBLOCK_SIZES.size, b"\0") + self.entries[-1]
        return _segment(ATTACHMENT, fixed, content)

    def pack_directory(self) -> list[Any]:
        """Return the pieces of the directory's segment."""
        return _directory(ATTACHMENT_DIRECTORY, len(self.entries), b"".join(self.entries))


def pack_metadata(xml: bytes) -> list[Any]:
    """Return the pieces of a segment with a document's XML (UTF-8)."""
    return _segment(METADATA, METADATA_SIZES.pack(len(xml), 0), xml)


def _directory(identifier: str, count: int, entries: Any) -> list[Any]:
    return _segment(identifier, COUNT.pack(count), entries)


def _segment(identifier: str, fixed: bytes, content: Any) -> list[Any]:
    size = FIXED_SIZES[identifier] + len(content)
    header = SEGMENT_HEADER.pack(id_bytes(identifier), _aligned(size), size)
    return [
        header + fixed.ljust(FIXED_SIZES[identifier], b"\0"), content, bytes(-size % ALIGNMENT)
    ]  # fmt: skip


def _aligned(size: int) -> int:
    return size + -size % ALIGNMENT


def _bytes(data: Any) -> Any:
    """Return a buffer whose length is its number of bytes."""
    if type(data) is bytes:
        return data
    view = memoryview(data)
    return view if view.ndim == 1 and view.itemsize == 1 else view.cast("B")


def _fixed(text: str, room: int) -> bytes:
    raw = text.encode()
    if len(raw) > room or b"\0" in raw:
        raise InvalidArgumentError(f"{text!r} must have at most {room} bytes, none of them zero")
    return raw


def _refused(block: EncodedSubBlock, why: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"a CZI cannot hold the sub-block {format_coordinate(block.coordinate)}, M "
        f"{block.m_index}, at {tuple(block.rectangle)} (x, y, w, h), of {tuple(block.size)} "
        f"pixels: {why}"
    )
