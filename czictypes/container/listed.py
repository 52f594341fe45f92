"""Read the readable entries of damaged directories."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.container.attachments import AttachmentEntry, parse_attachment_entries
from czictypes.container.byte_source import ByteSource
from czictypes.container.directory import Directory, parse_entries
from czictypes.container.entries import parse_entry
from czictypes.container.found import WITHIN, FoundSegments
from czictypes.container.layout import (
    ATTACHMENT_CONTENT,
    ATTACHMENT_DIRECTORY,
    ATTACHMENT_ENTRY_SIZE,
    COUNT,
    DIRECTORY_ENTRIES,
    ENTRY_SIZE,
    FILE_HEADER_SIZE,
    FIXED_SIZES,
    LARGEST_ENTRY,
    SEGMENT_HEADER,
    SEGMENT_HEADER_SIZE,
    SUBBLOCK_DIRECTORY,
    entry_size,
    id_bytes,
)
from czictypes.container.scan import is_usable
from czictypes.model.errors import CorruptFileError, UnsupportedDataError
from czictypes.model.geometry import ABSENT

#: The number of directories to examine besides the one that the header names.
_MOST_LISTS = 16


class ListedTiles(NamedTuple):
    """The readable entries of a sub-block directory, and whether these are all."""

    tiles: Directory
    is_complete: bool


class ListedAttachments(NamedTuple):
    """The readable entries of an attachment directory, and whether these are all."""

    entries: list[AttachmentEntry]
    is_complete: bool


def read_tile_list(source: ByteSource, position: int, limit: int) -> ListedTiles:
    """Read the sub-block directory at a position, where its segment may be damaged.

    Another segment begins at `limit`.
    """
    head = source.read_at(position, DIRECTORY_ENTRIES)
    count, room = _claims(head, SUBBLOCK_DIRECTORY)
    start = position + DIRECTORY_ENTRIES
    size = max(limit - start, 0)
    fits = count is not None and 0 <= room <= size
    data = source.read_at(start, room if fits else size)
    found = _parse_all(data, count, source.name) if fits and count is not None else None
    if found is not None:
        return ListedTiles(found, is_complete=True)
    entries, number = _readable_entries(data)
    return ListedTiles(parse_entries(entries, number, source.name), is_complete=False)


def _claims(head: bytes, identifier: str) -> tuple[int | None, int]:
    """Return the claimed number of entries, None if invalid, and their size in bytes."""
    if len(head) < SEGMENT_HEADER_SIZE + COUNT.size or head[:16] != id_bytes(identifier):
        return None, 0
    _, allocated, used = SEGMENT_HEADER.unpack_from(head)
    (count,) = COUNT.unpack_from(head, SEGMENT_HEADER_SIZE)
    room = (used or allocated) - FIXED_SIZES[identifier]
    return (count if min(count, room) >= 0 else None), room


def _parse_all(data: bytes, count: int, name: str) -> Directory | None:
    """Return the entries if they fill their segment and all are usable, else None."""
    if count * ENTRY_SIZE > len(data):
        return None
    try:
        tiles = parse_entries(data, count, name)
    except (CorruptFileError, UnsupportedDataError):
        return None
    if _size_of(data, count) != len(data):
        return None
    sizes = (tiles.w, tiles.h, tiles.stored_w, tiles.stored_h)
    usable = all((size > 0).all() for size in sizes)
    usable &= bool((tiles.x != ABSENT).all() and (tiles.y != ABSENT).all())
    return tiles if usable else None


def _size_of(data: bytes, count: int) -> int:
    """Return the size in bytes of so many consecutive entries."""
    position = 0
    for _ in range(count):
        position += entry_size(data, position)
    return position


def _readable_entries(data: bytes) -> tuple[bytes, int]:
    """Return the readable entries, joined, and their number."""
    found, number, position = bytearray(), 0, 0
    while position + ENTRY_SIZE <= len(data):
        size = _usable_size(data, position)
        if size:
            found += data[position : position + size]
            number += 1
            position += size
            continue
        position = data.find(b"DV", position + 1)
        if position < 0:
            break
    return bytes(found), number


def _usable_size(data: bytes, position: int) -> int:
    """Return the size of the entry at a position; 0 if there is no usable entry."""
    is_entry = data[position : position + 2] == b"DV"
    if not (is_entry and ENTRY_SIZE < entry_size(data, position) <= LARGEST_ENTRY):
        return 0
    try:
        entry = parse_entry(data[position : position + LARGEST_ENTRY], "an entry")
    except CorruptFileError:
        return 0
    return entry.size if is_usable(entry) else 0


def read_attachment_list(source: ByteSource, position: int, limit: int) -> ListedAttachments:
    """Read the attachment directory at a position, as `read_tile_list` does."""
    head = source.read_at(position, ATTACHMENT_CONTENT)
    count, room = _claims(head, ATTACHMENT_DIRECTORY)
    start = position + ATTACHMENT_CONTENT
    size = max(limit - start, 0)
    # A damaged number of entries may be too small.
    wanted = size if count is None else max(room, count * ATTACHMENT_ENTRY_SIZE)
    data = source.read_at(start, min(size, wanted))
    entries = parse_attachment_entries(data[: len(data) - len(data) % ATTACHMENT_ENTRY_SIZE])
    return ListedAttachments(entries, is_complete=count == len(entries) and wanted <= size)


def directory_places(
    found: FoundSegments, kind: str, named: int | None
) -> Iterator[tuple[int, int]]:
    """Yield the start and end of directories of a kind, first of the one that the header names.

    They do not overlap.
    """
    outer = found.fault != WITHIN
    positions = outer_places(found, kind, named)
    stops = np.append(found.position[outer], found.size)
    if named is not None and FILE_HEADER_SIZE <= named < found.size and named not in positions:
        whole = np.flatnonzero(found.fault == 0)
        before = np.searchsorted(found.position[whole], named, side="right") - 1
        if before < 0 or found.end[whole[before]] <= named:  # its id may have been overwritten
            yield named, int(stops[np.searchsorted(stops, named, side="right")])
    latest = positions[-_MOST_LISTS:].tolist()
    first = [named] if named in positions else []
    for position in first + [one for one in latest if one != named]:
        yield position, int(stops[np.searchsorted(stops, position, side="right")])


def outer_places(found: FoundSegments, kind: str, named: int | None) -> NDArray[np.int64]:
    """Return where segments of a kind begin, except those of documents in attachments.

    Such a document extends to the next segment of a different shift and has one segment of each
    kind. The segment that the header names is never part of it.
    """
    positions = found.position[found.is_kind(kind) & (found.fault != WITHIN)]
    certain = found.is_placed & (found.fault != WITHIN) & ~np.isin(found.shift, found.nested)
    known = found.position[certain]
    ends = np.append(known, found.size)[np.searchsorted(known, found.nested)]
    last = np.searchsorted(found.nested, positions, side="right") - 1
    is_first = np.append(-2, last)[:-1] != last
    nested = (last >= 0) & (positions < np.append(ends, 0)[last]) & is_first
    outer: NDArray[np.int64] = positions[~nested | (positions == named)]
    return outer
