"""Finds the segments of a damaged file by their ids, whatever its directories say.

From a whole segment that another one follows, the search goes on there: what lies within it, such
as a document in an attachment, is its content. Everywhere else each byte is searched for ids, once.
What is found may be no segment: pixels can hold the bytes of an id, a size may be wrong. Sub-blocks
and attachments carry a copy of their directory entry, which tells where they are; such a one is
believed where another segment claims the same bytes.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.container.attachments import ATTACHMENT_ENTRY_SIZE
from czictypes.container.byte_source import ByteSource
from czictypes.container.entries import DIMENSION_SIZE, ENTRY_SIZE
from czictypes.container.segments import (
    ATTACHMENT,
    ATTACHMENT_DIRECTORY,
    DELETED,
    FILE_HEADER,
    METADATA,
    SEGMENT_HEADER_SIZE,
    SUBBLOCK,
    SUBBLOCK_DIRECTORY,
)
from czictypes.container.subblock import SUBBLOCK_HEAD_SIZE, parse_subblock_head
from czictypes.container.subblock_entry import SubBlockEntry
from czictypes.model.dimensions import ABSENT
from czictypes.model.errors import CorruptFileError

__all__ = [
    "CUT_OFF",
    "FAULTS",
    "KINDS",
    "WHOLE",
    "WITHIN",
    "FoundSegment",
    "FoundSegments",
    "find_segments",
    "is_usable",
    "scan_segments",
]

#: The kinds of segment that are looked for; a column of `FoundSegments` has their places in here.
KINDS = (
    FILE_HEADER, SUBBLOCK_DIRECTORY, SUBBLOCK, METADATA, ATTACHMENT_DIRECTORY, ATTACHMENT, DELETED,
)  # fmt: skip
#: The faults of a segment; a column of `FoundSegments` has their places in here, 0 for none.
FAULTS = (
    "",
    "the file ends within it",
    "its sizes contradict each other",
    "another segment begins within it",
    "it is part of another segment",
)
WHOLE, CUT_OFF, CONTRADICTS, OVERLAPPED, WITHIN = range(len(FAULTS))

# Where a sub-block or attachment has the copy of its directory entry, from its beginning.
_ENTRY_OFFSET = SEGMENT_HEADER_SIZE + 16

_NUMBERS = {kind.encode().ljust(16, b"\0"): number for number, kind in enumerate(KINDS)}
_FIXED = {SUBBLOCK_DIRECTORY: 128, ATTACHMENT_DIRECTORY: 256, FILE_HEADER: 512}
_IDS = (b"ZISRAW", DELETED.encode())
_SIZES = struct.Struct("<qq")
_ATTACHMENT_POSITION = 12  # within an entry
_ATTACHMENT_DATA = SEGMENT_HEADER_SIZE + 256
_ALIGNMENT = 32
_AT_ONCE = 4 << 20  # bytes that are searched at a time
_NOWHERE = -1


class FoundSegment(NamedTuple):
    """A place that may be a segment.

    Attributes
    ----------
    kind
        Its id, one of `KINDS`.
    position, end
        Where it begins, and where its content ends, by the sizes that it claims.
    room
        Where the room ends that it claims; its content need not fill it.
    fault
        What is wrong with it: an index of `FAULTS`.
    entry
        The copy of its directory entry; empty for other kinds than sub-blocks and attachments.
    own_position
        Where that entry says it is; -1 where there is none.
    is_exact
        Whether the sizes of its parts add up to that of the segment, as programs write them.
    """

    kind: str
    position: int
    end: int
    room: int
    fault: int = WHOLE
    entry: bytes = b""
    own_position: int = _NOWHERE
    is_exact: bool = True


def scan_segments(
    source: ByteSource, advance: Callable[[int], object] = lambda _: None
) -> Iterator[FoundSegment]:
    """Give what may be a segment, in the order of the file.

    Takes time in proportion to the size of the file, and reads little of whole segments.

    Parameters
    ----------
    source
        The file.
    advance
        Called with the number of bytes that were passed since the last call.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    window, position = _Window(source, advance), 0
    while True:
        found_at = window.find(position)
        if found_at is None:
            window.pass_to(window.size)
            return
        after: int | None = found_at
        while after is not None:  # from one segment to the next
            position = after
            window.pass_to(position)
            head = window.head(position)
            segment = _examine(head, position, window.size)
            after = None
            if segment is not None:
                yield segment
                after = None if segment.fault else window.follower(segment)
        position += len(_IDS[0])


class _Window:
    """The bytes of a file, looked at from the beginning to the end."""

    def __init__(self, source: ByteSource, advance: Callable[[int], object]) -> None:
        self.size = source.size()
        self._source, self._advance, self._passed = source, advance, 0
        self._start, self._bytes = 0, b""
        self._next: dict[bytes, int] = {}  # where each id is met next in the bytes, or their end

    def pass_to(self, position: int) -> None:
        """Tell how far the search has come."""
        if position > self._passed:
            self._advance(position - self._passed)
            self._passed = position

    def head(self, position: int) -> bytes:
        """Return the bytes of the longest head of a segment."""
        inside = position - self._start
        if inside >= 0 and inside + SUBBLOCK_HEAD_SIZE <= len(self._bytes):
            return self._bytes[inside : inside + SUBBLOCK_HEAD_SIZE]
        return self._source.read_at(position, SUBBLOCK_HEAD_SIZE)

    def find(self, position: int) -> int | None:
        """Return the next place of an id, from a position on; None where there is none."""
        if not self._bytes and _begins_segment(self._source.read_at(position, 16)):
            return position  # as in all files that are not damaged at once
        while position < self.size:
            if not 0 <= position - self._start < len(self._bytes) - 15:
                self._load(position)
            inside = position - self._start
            found = min(self._next_of(name, inside) for name in _IDS)
            while found < len(self._bytes) - 15:
                if self._bytes[found : found + 16] in _NUMBERS:
                    return self._start + found
                found = min(self._next_of(name, found + 1) for name in _IDS)
            if self._start + len(self._bytes) >= self.size or len(self._bytes) < 16:
                return None
            position = self._start + len(self._bytes) - 15
            self.pass_to(position)
        return None

    def follower(self, segment: FoundSegment) -> int | None:
        """Return where the segment behind a whole one begins; None where there is none.

        Its content may be followed by room that is not used. The last one is searched as well: if
        bytes are missing in it, it only seems to reach up to the end.
        """
        content = segment.end + (segment.position - segment.end) % _ALIGNMENT
        for end in (content, segment.room):
            inside = segment.position < end < self.size
            if inside and _begins_segment(self._source.read_at(end, 16)):
                return end
        return None

    def _load(self, position: int) -> None:
        self._bytes = self._source.read_at(position, _AT_ONCE)
        self._start = position
        self._next = {}

    def _next_of(self, name: bytes, inside: int) -> int:
        """Return the next place of an id; each byte is searched for it once."""
        known = self._next.get(name, -1)
        if known < inside:
            found = self._bytes.find(name, inside)
            known = self._next[name] = len(self._bytes) if found < 0 else found
        return known


def _room(position: int, head: bytes) -> int:
    allocated, used = _SIZES.unpack_from(head, 16)
    return position + SEGMENT_HEADER_SIZE + max(int(allocated), int(used))


def _begins_segment(data: bytes) -> bool:
    return data[:16] in _NUMBERS


def _examine(head: bytes, position: int, size: int) -> FoundSegment | None:
    """Return what a head tells; None where it cannot be that of a segment."""
    number = _NUMBERS.get(head[:16])
    if number is None or len(head) < SEGMENT_HEADER_SIZE:
        return None
    kind = KINDS[number]
    allocated, used = _SIZES.unpack_from(head, 16)
    if kind == SUBBLOCK:
        return _examine_subblock(head, position, size, allocated, used)
    if min(allocated, used) < 0:
        return None
    room = _room(position, head)
    if kind == ATTACHMENT:
        return _examine_attachment(head, position, size, room, used or allocated)
    if kind == METADATA:
        return _examine_metadata(head, position, size, room)
    end = position + SEGMENT_HEADER_SIZE + (used or allocated)
    if kind in _FIXED and end < position + SEGMENT_HEADER_SIZE + _FIXED[kind]:
        return None
    return FoundSegment(kind, position, end, room, CUT_OFF if end > size else WHOLE)


def _examine_subblock(
    head: bytes, position: int, size: int, allocated: int, used: int
) -> FoundSegment | None:
    if len(head) < _ENTRY_OFFSET + ENTRY_SIZE or head[_ENTRY_OFFSET : _ENTRY_OFFSET + 2] != b"DV":
        return None
    try:
        segment = parse_subblock_head(head, 0, position, 1, "a sub-block")
    except CorruptFileError:
        return None
    if not is_usable(segment.entry):
        return None
    entry = head[_ENTRY_OFFSET : _ENTRY_OFFSET + segment.entry.size]
    end = segment.attachment_offset + segment.attachment_size
    parts = end - position - SEGMENT_HEADER_SIZE
    sizes = (segment.metadata_size, segment.data_size, segment.attachment_size)
    fault = WHOLE
    if min(sizes) < 0 or (used > 0 and used < parts) or min(allocated, used) < 0:
        fault = CONTRADICTS
    elif end > size:
        fault = CUT_OFF
    own, room = segment.entry.file_position, _room(position, head)
    return FoundSegment(SUBBLOCK, position, end, room, fault, entry, own, used in (0, parts))


def is_usable(entry: SubBlockEntry) -> bool:
    """Tell whether an entry tells of pixels: where they are, how many, and in which plane."""
    placed = "X" in entry.letters and "Y" in entry.letters
    sized = min(entry.w, entry.h, entry.physical_w, entry.physical_h) > 0
    return placed and sized and ABSENT not in entry.coordinate.values()


def _examine_attachment(
    head: bytes, position: int, size: int, room: int, content: int
) -> FoundSegment | None:
    entry = head[_ENTRY_OFFSET : _ENTRY_OFFSET + ATTACHMENT_ENTRY_SIZE]
    if len(entry) < ATTACHMENT_ENTRY_SIZE or entry[:2] != b"A1":
        return None
    (data_size,) = struct.unpack_from("<q", head, SEGMENT_HEADER_SIZE)
    (own,) = struct.unpack_from("<q", entry, _ATTACHMENT_POSITION)
    end = position + _ATTACHMENT_DATA + data_size
    parts = end - position - SEGMENT_HEADER_SIZE
    fault = WHOLE
    if data_size < 0 or content < parts:
        fault = CONTRADICTS
    elif end > size:
        fault = CUT_OFF
    return FoundSegment(ATTACHMENT, position, end, room, fault, entry, own, content == parts)


def _examine_metadata(head: bytes, position: int, size: int, room: int) -> FoundSegment | None:
    if len(head) < SEGMENT_HEADER_SIZE + 8:
        return None
    xml_size, attachment_size = struct.unpack_from("<ii", head, SEGMENT_HEADER_SIZE)
    if min(xml_size, attachment_size) < 0:
        return None
    end = position + SEGMENT_HEADER_SIZE + 256 + xml_size + attachment_size
    return FoundSegment(METADATA, position, end, room, CUT_OFF if end > size else WHOLE)


class FoundSegments:
    """Places that may be segments, as columns in the order of the file.

    Attributes
    ----------
    kind, fault : ndarray of int8
        Indices of `KINDS` and `FAULTS`.
    position, end, room, own_position : ndarray of int64
        As in `FoundSegment`; the ends are at most a little behind that of the file.
    is_exact : ndarray of bool
        As in `FoundSegment`.
    size : int
        The size of the file.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._small = {name: array("b") for name in ("kind", "fault", "is_exact")}
        self._large = {
            name: array("q") for name in ("position", "end", "room", "own_position", "entry")
        }
        self._entries = bytearray()

    def add(self, segment: FoundSegment) -> None:
        """Take one more, which lies behind all others."""
        for name, small in (
            ("kind", KINDS.index(segment.kind)),
            ("fault", segment.fault),
            ("is_exact", segment.is_exact),
        ):
            self._small[name].append(small)
        for name, large in (
            ("position", segment.position),
            ("end", min(max(segment.end, 0), self.size + 1)),
            ("room", min(max(segment.room, 0), self.size + 1)),
            ("own_position", segment.own_position),
            ("entry", len(self._entries)),
        ):
            self._large[name].append(large)
        self._entries += segment.entry

    def finish(self) -> None:
        """Make the columns, and settle who owns bytes that several claim."""
        self.kind, self.fault, exact = (
            np.frombuffer(column, np.int8).copy() for column in self._small.values()
        )
        self.is_exact: NDArray[np.bool_] = exact.astype(bool)
        self.position, self.end, self.room, self.own_position, self._starts = (
            np.frombuffer(column, np.int64) for column in self._large.values()
        )
        self._refuse_inexact()
        self._settle()

    def entry(self, row: int) -> bytes:
        """Return the copy of its directory entry that a sub-block or attachment has."""
        start = int(self._starts[row])
        if KINDS[self.kind[row]] == ATTACHMENT:
            return bytes(self._entries[start : start + ATTACHMENT_ENTRY_SIZE])
        (dimensions,) = struct.unpack_from("<i", self._entries, start + ENTRY_SIZE - 4)
        return bytes(self._entries[start : start + ENTRY_SIZE + DIMENSION_SIZE * dimensions])

    def rows(self, kind: str, *faults: int) -> NDArray[np.intp]:
        """Return the whole ones of a kind, or those with some faults."""
        return np.flatnonzero(
            (self.kind == KINDS.index(kind)) & np.isin(self.fault, faults or (WHOLE,))
        )

    @property
    def is_located(self) -> NDArray[np.bool_]:
        """Which are where their own entries say."""
        located: NDArray[np.bool_] = self.own_position == self.position
        return located

    @property
    def is_reliable(self) -> NDArray[np.bool_]:
        """Which are segments for sure: they are where they say, and as long as they say."""
        reliable: NDArray[np.bool_] = self.is_located & self.is_exact
        reliable &= self.fault != CONTRADICTS
        return reliable

    def _refuse_inexact(self) -> None:
        """Refuse sub-blocks whose sizes do not add up, unless the file has no others.

        Every known program writes sizes that do; where metadata seem longer than they are, pixels
        would be taken from a wrong place.
        """
        for kind in (SUBBLOCK, ATTACHMENT):
            ours = (self.kind == KINDS.index(kind)) & (self.fault == WHOLE)
            if (ours & self.is_exact & self.is_located).any():
                self.fault[ours & ~self.is_exact] = CONTRADICTS

    def _settle(self) -> None:
        """Find the segments that others overlap, and what is only the content of others.

        What seems to lie within another one is a segment of its own if it is where it says, or if
        bytes are missing: then it says that it was behind the other one.
        """
        own = np.where(self.own_position < 0, self.position, self.own_position)
        behind = own + (self.end - self.position)
        reliable = self.is_exact & (self.own_position >= 0) & (self.fault != CONTRADICTS)
        outer = -1
        for row in range(len(self.position)):
            if outer >= 0 and self.position[row] < self.end[outer]:
                located = own[row] == self.position[row]
                if reliable[row] and (located or own[row] >= behind[outer]):
                    self.fault[outer] = OVERLAPPED
                elif not self.fault[row]:
                    self.fault[row] = WITHIN
            if not self.fault[row]:
                outer = row


def find_segments(
    source: ByteSource, advance: Callable[[int], object] = lambda _: None
) -> FoundSegments:
    """Return all that may be segments of a file, as `scan_segments` finds them.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    found = FoundSegments(source.size())
    for segment in scan_segments(source, advance):
        found.add(segment)
    found.finish()
    return found
