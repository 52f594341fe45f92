"""Read the sub-block directory into a table of numpy columns.

Its segment holds the number of entries, then the entries: 32 bytes each, plus 20 per dimension.
Rows of the table are in the order of the entries, which is how libCZI numbers sub-blocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.container.attachments import AttachmentEntry, read_attachment_directory
from czictypes.container.byte_source import ByteSource, Range
from czictypes.container.columns import Columns
from czictypes.container.entries import StrictChecks, fill_columns, locate_entries
from czictypes.container.file_source import FileSource
from czictypes.container.layout import (
    COUNT,
    DIRECTORY_ENTRIES,
    ENTRY_SIZE,
    FIXED_SIZES,
    SEGMENT_HEADER_SIZE,
    SUBBLOCK_CONTENT,
    SUBBLOCK_DIRECTORY,
)
from czictypes.container.segments import (
    FileHeader,
    parse_segment_header,
    read_file_header,
    require_range,
)
from czictypes.kernel.codec import EntryColumns, EntryParser
from czictypes.kernel.library import get_kernel
from czictypes.model.errors import CorruptFileError
from czictypes.model.geometry import ABSENT
from czictypes.model.pixel_types import Compression, PixelType, pixel_format

_NOT_PLAIN = ("scene", "coordinates", "sizes")
_FIXED_SIZE = FIXED_SIZES[SUBBLOCK_DIRECTORY]
_FIRST_READ = 1 << 16  # enough for the directories of most files
_PIECE = 1 << 20  # larger directories are read in pieces that fit into the processor's cache
_REMOTE_PIECE = 1 << 24  # remote ones in larger pieces, to save requests

_METADATA_ROOM = 4096  # metadata of sub-blocks are rarely longer
_PACKED_ROOM = 16 << 10  # compressed pixels rarely exceed their uncompressed size by more
_SMALL = 256 << 10  # tiles up to this size are read as a whole, not by rows

_PIXEL_SIZES = {int(one): pixel_format(one).bytes_per_pixel for one in PixelType}


@dataclass(frozen=True, eq=False, repr=False)
class Directory:
    """The sub-blocks of a document: a read-only array per property, with a row per sub-block.

    An array of equal values may have the stride 0 and take no memory.

    Attributes
    ----------
    x, y, w, h : ndarray of int32
        The logical rectangle, in pixels of layer 0.
    stored_w, stored_h : ndarray of int32
        The size of the stored bitmap in pixels; the logical size if the entry stores 0.
        All six are `ABSENT` where an entry has no X or Y. They may be negative or wrong in a
        damaged file; `check_pixels` refuses such values.
    m : ndarray of int32
        The M-index, `ABSENT` where there is none. libCZI also treats 2147483647 as none.
    scene : ndarray of int32
        The scene (S), `ABSENT` where there is none.
    pixel_type, compression : ndarray of int32
        The numbers in the file, which may be unknown.
    file_position : ndarray of int64
        The position of the sub-block's segment.
    pyramid_type : ndarray of uint8
        0 none, 1 single, 2 multiple sub-blocks; kept only for editing.
    file_part : ndarray of int32
        0 except in documents of several files (`parts`); libCZI ignores it.
    coordinates : dict of str to ndarray of int32
        A column for each dimension that any entry has, S included, in libCZI's order.
    sizes : dict of str to ndarray of int32
        The sizes, at least 1, in each dimension in which an entry has a size above 1. Such a
        sub-block claims a plane at each of so many positions from its coordinate on.
    """

    x: NDArray[np.int32]
    y: NDArray[np.int32]
    w: NDArray[np.int32]
    h: NDArray[np.int32]
    stored_w: NDArray[np.int32]
    stored_h: NDArray[np.int32]
    m: NDArray[np.int32]
    scene: NDArray[np.int32]
    pixel_type: NDArray[np.int32]
    compression: NDArray[np.int32]
    file_position: NDArray[np.int64]
    pyramid_type: NDArray[np.uint8]
    file_part: NDArray[np.int32]
    coordinates: dict[str, NDArray[np.int32]]
    sizes: dict[str, NDArray[np.int32]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """The number of sub-blocks."""
        return len(self.x)

    def __len__(self) -> int:
        """Return `count`."""
        return self.count

    def __repr__(self) -> str:
        """Show the size and the dimensions, not the columns."""
        return f"<Directory of {self.count} sub-blocks, dimensions {''.join(self.coordinates)}>"

    def coordinate(self, index: int) -> dict[str, int]:
        """Return the position of a sub-block in each dimension that it has, S included."""
        places = ((name, int(column[index])) for name, column in self.coordinates.items())
        return {name: place for name, place in places if place != ABSENT}

    def take(
        self, rows: NDArray[np.intp], coordinates: Mapping[str, NDArray[np.int32]]
    ) -> Directory:
        """Return some rows, with new coordinates and without sizes."""
        names = (one.name for one in fields(self) if one.name not in _NOT_PLAIN)
        columns = {name: getattr(self, name)[rows] for name in names}
        absent = np.full(len(rows), ABSENT, np.int32)
        return _read_only(columns, {**coordinates}, {}, absent)

    def select(self, rows: NDArray[np.intp]) -> Directory:
        """Return some rows unchanged."""
        coordinates = {name: column[rows] for name, column in self.coordinates.items()}
        sizes = {name: column[rows] for name, column in self.sizes.items()}
        return replace(self.take(rows, coordinates), sizes=sizes)

    def bytes_per_pixel(self) -> NDArray[np.int64]:
        """Return the size of a pixel of each sub-block; 1 for unknown pixel types."""
        found, which = np.unique(self.pixel_type, return_inverse=True)
        sizes = [_PIXEL_SIZES.get(pixel_type, 1) for pixel_type in found.tolist()]
        return np.array(sizes, np.int64)[which.ravel()]

    def sizes_of(self, index: int) -> dict[str, int]:
        """Return the sizes above 1 of a sub-block in dimensions other than X, Y and M."""
        found = ((name, int(column[index])) for name, column in self.sizes.items())
        return {name: size for name, size in found if size > 1}


def read_directory(
    source: ByteSource,
    header: FileHeader,
    *,
    strict: bool = False,
    ignore_sizem_for_pyramid: bool = False,
) -> Directory:
    """Read the sub-block directory and check what would crash libCZI.

    Parameters
    ----------
    source, header
        The file and its header.
    strict
        Refuse what pylibCZIrw's strict checks refuse: entries without X or Y, or with a size
        other than 1 in another dimension. Also refuse entries of an unknown schema, which are
        skipped otherwise, as in libCZI.
    ignore_sizem_for_pyramid
        With `strict`, allow any size of M in pyramid sub-blocks.

    Raises
    ------
    CorruptFileError
        If the segment is missing or truncated, or an entry violates the format; the message
        names the entry or sub-block.
    UnsupportedDataError
        If an entry has the old schema DE, which libCZI does not read either.
    """
    entries = _locate_entries_of(source, header.directory_position)
    found = None if strict else _fill_quickly(source, entries)
    if found is None:
        columns = _fill_with_care(source, entries, strict, ignore_sizem_for_pyramid)
        return _as_directory(columns)
    return Directory(
        **found.plain, scene=found.scene, coordinates=found.coordinates, sizes=found.sizes
    )


def parse_entries(data: bytes | bytearray, count: int, name: str) -> Directory:
    """Parse consecutive entries; raise CorruptFileError if one violates the format."""
    view = memoryview(data)
    located = locate_entries(view, count, name, strict=True)
    columns = Columns(count, name)
    fill_columns(columns, view, located, None)
    return _as_directory(columns)


def join_directories(first: Directory, second: Directory, rows: NDArray[np.intp]) -> Directory:
    """Return the rows of one directory followed by some rows of another."""
    plain = {
        one.name: np.concatenate([getattr(first, one.name), getattr(second, one.name)[rows]])
        for one in fields(Directory)
        if one.name not in _NOT_PLAIN
    }
    columns = Columns(first.count + len(rows), "")
    columns.plain.update(plain)
    for letter, column in first.coordinates.items():
        columns.coordinate(letter)[: first.count] = column
    for letter, column in second.coordinates.items():
        columns.coordinate(letter)[first.count :] = column[rows]
    for letter in {**first.sizes, **second.sizes}:
        for part, start, chosen in ((first, 0, slice(None)), (second, first.count, rows)):
            if letter in part.sizes:
                sizes = part.sizes[letter][chosen]
                columns.set_sizes(letter, slice(start, start + len(sizes)), sizes)
    return _as_directory(columns)


class _Entries(NamedTuple):
    """The entries in the file: number, position, size in bytes, and the bytes read so far."""

    number: int
    position: int
    size: int
    first_bytes: memoryview


def _locate_entries_of(source: ByteSource, position: int) -> _Entries:
    """Read the beginning of the segment."""
    where = "the sub-block directory"
    if position == 0:
        raise CorruptFileError(
            f"{source.name} names no sub-block directory in its header; the program that wrote "
            "it did not finish, or the file is damaged"
        )
    file_size = source.size()
    require_range(source, position, DIRECTORY_ENTRIES, where, file_size)
    data = source.read_at(position, min(_FIRST_READ, file_size - position))
    segment = parse_segment_header(source, data, position, SUBBLOCK_DIRECTORY, where)
    require_range(source, segment.data_position, segment.data_size, where, file_size)
    if segment.data_size < _FIXED_SIZE:
        raise CorruptFileError(
            f"{where} of {source.name} has the impossible size {segment.data_size}; the file is "
            "damaged"
        )
    (count,) = COUNT.unpack_from(data, SEGMENT_HEADER_SIZE)
    if count < 0:
        raise CorruptFileError(
            f"{where} of {source.name} claims {count} entries; the file is damaged"
        )
    size = segment.data_size - _FIXED_SIZE
    first_bytes = memoryview(data)[DIRECTORY_ENTRIES : DIRECTORY_ENTRIES + size]
    return _Entries(count, position + DIRECTORY_ENTRIES, size, first_bytes)


def _fill_quickly(source: ByteSource, entries: _Entries) -> EntryColumns | None:
    """Parse entries with the kernel; return None without a kernel or if an entry is unusual."""
    kernel = get_kernel()
    if kernel is None or entries.number * ENTRY_SIZE > entries.size:
        return None
    parser = EntryParser(kernel, entries.number)
    taken = parser.add(entries.first_bytes)
    buffer = memoryview(b"")
    while taken is not None and not parser.is_complete:
        if not buffer:
            size = _PIECE if isinstance(source, FileSource) else _REMOTE_PIECE
            buffer = memoryview(bytearray(size))
        piece = buffer[: entries.size - taken]
        if source.read_into(entries.position + taken, piece) < len(piece):
            return None
        more = parser.add(piece)
        taken = taken + more if more else None
    return None if taken is None else parser.columns()


def _fill_with_care(
    source: ByteSource, entries: _Entries, strict: bool, ignore_sizem_for_pyramid: bool
) -> Columns:
    """Fill columns from entries of any kind; raise an error if one is invalid."""
    data = entries.first_bytes
    if len(data) < entries.size:
        data = memoryview(source.read_at(entries.position, entries.size))
    located = locate_entries(data, entries.number, source.name, strict=strict)
    columns = Columns(len(located.offsets), source.name)
    checks = StrictChecks(columns, ignore_sizem_for_pyramid) if strict else None
    fill_columns(columns, data, located, checks)
    if checks is not None:
        checks.finish()
    return columns


def _as_directory(columns: Columns) -> Directory:
    columns.fill_stored_sizes()
    absent = np.full(columns.count, ABSENT, np.int32)
    coordinates, sizes = columns.ordered_coordinates(), columns.ordered_sizes()
    return _read_only(columns.plain, coordinates, sizes, absent)


def _read_only(
    plain: Mapping[str, NDArray[Any]],
    coordinates: dict[str, NDArray[np.int32]],
    sizes: dict[str, NDArray[np.int32]],
    absent: NDArray[np.int32],
) -> Directory:
    scene = coordinates.get("S", absent)
    for column in (*plain.values(), *coordinates.values(), *sizes.values(), scene):
        column.setflags(write=False)
    return Directory(**plain, scene=scene, coordinates=coordinates, sizes=sizes)


class SubBlockExtents:
    """The byte ranges of sub-blocks in a file of `size` bytes, and of their pixels.

    A sub-block ends at the latest where the next one begins, or a segment that `header` names.
    """

    def __init__(self, directory: Directory, size: int, header: FileHeader | None = None) -> None:
        self._directory = directory
        ends = [size]
        if header is not None:
            ends += [
                header.directory_position,
                header.metadata_position,
                header.attachment_directory_position,
            ]
        found = np.concatenate([directory.file_position, np.array(ends, np.int64)])
        self._ends: NDArray[np.int64] = np.unique(found[found > 0])

    def room(self, indices: NDArray[np.intp] | slice) -> NDArray[np.int64]:
        """Return the number of bytes between the start of each sub-block and the next segment."""
        begins = self._directory.file_position[indices]
        places = np.searchsorted(self._ends, begins, side="right")
        ends = self._ends[np.minimum(places, len(self._ends) - 1)]
        room: NDArray[np.int64] = np.maximum(ends - begins, 0)
        return room

    def whole(self, indices: NDArray[np.intp]) -> list[Range]:
        """Return the range from the start of each sub-block to the next segment."""
        begins = self._directory.file_position[indices]
        return list(zip(begins.tolist(), self.room(indices).tolist()))

    def pixels(self, indices: NDArray[np.intp], rows: list[tuple[int, int]]) -> list[Range]:
        """Return the ranges of heads and needed pixels of sub-blocks, one or two for each.

        `rows` has the first and the end of the needed rows of pixels for each sub-block.
        """
        found: list[Range] = []
        columns = self._directory
        packed = (columns.compression[indices] != Compression.Uncompressed.value).tolist()
        pixel_types = columns.pixel_type[indices].tolist()
        sizes = zip(columns.stored_w[indices].tolist(), columns.stored_h[indices].tolist())
        for (begin, room), pixel_type, (width, height), is_packed, (first, end) in zip(
            self.whole(indices), pixel_types, sizes, packed, rows
        ):
            row = max(width, 0) * _PIXEL_SIZES.get(pixel_type, 1)
            claimed = row * max(height, end)  # a sub-block may hold several planes
            most = SUBBLOCK_CONTENT + _METADATA_ROOM + claimed
            if is_packed or claimed <= _SMALL or (end - first) * row > claimed - _SMALL:
                found.append((begin, min(room, most + (_PACKED_ROOM if is_packed else 0))))
                continue
            start = min(SUBBLOCK_CONTENT + first * row, room)
            stop = min(SUBBLOCK_CONTENT + _METADATA_ROOM + end * row, room)
            found += [
                (begin, min(SUBBLOCK_CONTENT + _METADATA_ROOM, room)),
                (begin + start, stop - start),
            ]
        return found


class CheckedDocument(NamedTuple):
    """The file header and both directories."""

    header: FileHeader
    directory: Directory
    attachments: list[AttachmentEntry]


def check_document(
    source: ByteSource, *, strict: bool = False, ignore_sizem_for_pyramid: bool = False
) -> CheckedDocument:
    """Check what libCZI's ReaderOpen reads: the file header and both directories.

    Sub-blocks, attachments and metadata are checked when they are read, by
    `read_subblock_segment`, `check_pixels`, `read_attachment_segment` and
    `read_metadata_segment`.

    Parameters
    ----------
    source
        The file.
    strict, ignore_sizem_for_pyramid
        As for `read_directory`.

    Raises
    ------
    NotCziError
        If the file is not a CZI file.
    CorruptFileError
        If one of these parts is damaged or truncated; the message names the part.
    UnsupportedDataError
        If libCZI does not read this kind of file.
    """
    header = read_file_header(source)
    directory = read_directory(
        source, header, strict=strict, ignore_sizem_for_pyramid=ignore_sizem_for_pyramid
    )
    return CheckedDocument(header, directory, read_attachment_directory(source, header))
