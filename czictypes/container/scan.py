"""Find the segments of a damaged file by their ids, without its directories.

If the expected segment follows a segment, the search continues there; all between, such as a
document in an attachment, is content. Otherwise, every byte is searched for ids, once. Not every
id that is found belongs to a segment; `found.py` decides.
"""

from __future__ import annotations

from collections.abc import Callable

from czictypes.container.byte_source import ByteSource
from czictypes.container.entries import SubBlockEntry
from czictypes.container.found import (
    CONTRADICTS,
    CUT_OFF,
    KINDS,
    WHOLE,
    FoundSegment,
    FoundSegments,
)
from czictypes.container.layout import (
    ALIGNMENT,
    ATTACHMENT,
    ATTACHMENT_CONTENT,
    ATTACHMENT_DIRECTORY,
    ATTACHMENT_ENTRY,
    ATTACHMENT_ENTRY_SIZE,
    DATA_SIZE,
    DELETED,
    ENTRY_OFFSET,
    ENTRY_SIZE,
    FILE_HEADER,
    FIXED_SIZES,
    METADATA,
    METADATA_SIZES,
    SEGMENT_HEADER,
    SEGMENT_HEADER_SIZE,
    SUBBLOCK,
    SUBBLOCK_DIRECTORY,
    SUBBLOCK_HEAD_SIZE,
    XML_OFFSET,
    id_bytes,
)
from czictypes.container.segments import read_file_header
from czictypes.container.subblock import parse_subblock_head
from czictypes.model.errors import CorruptFileError
from czictypes.model.geometry import ABSENT

_NUMBERS = {id_bytes(kind): number for number, kind in enumerate(KINDS)}
_IDS = (b"ZISRAW", DELETED.encode())
_AT_ONCE = 4 << 20  # bytes that are searched at a time
_NONE, _SILENT, _EXPECTED = range(3)  # links


def find_segments(
    source: ByteSource, advance: Callable[[int], object] = lambda _: None
) -> FoundSegments:
    """Return all possible segments of a file.

    This takes time in proportion to the size of the file, but reads little of intact segments.
    `advance` is called with the number of bytes passed since the last call.
    """
    window, found = _Window(source, advance), FoundSegments(source.size())
    place = window.find(0)
    while place is not None:
        segment = window.segment(place)
        while segment is not None:  # follow the chain of segments
            place = segment.position
            window.pass_to(place)
            after, link = window.follower(segment)
            found.add(segment._replace(link=link))
            segment = after if link == _EXPECTED else None
        place = window.find(place + len(_IDS[0]))
    window.pass_to(window.size)
    found.finish()
    return found


class _Window:
    """The bytes of a file, searched from beginning to end."""

    def __init__(self, source: ByteSource, advance: Callable[[int], object]) -> None:
        self.size = source.size()
        self._source, self._advance, self._passed = source, advance, 0
        self._start, self._bytes = 0, b""
        self._places: dict[str, int] = {}  # positions of directories and XML in the file header
        self._next: dict[bytes, int] = {}  # the next occurrence of each id in the bytes

    def pass_to(self, position: int) -> None:
        """Report the progress of the search."""
        if position > self._passed:
            self._advance(position - self._passed)
            self._passed = position

    def head(self, position: int) -> bytes:
        """Return as many bytes at a position as the longest head of a segment has."""
        inside = position - self._start
        if inside >= 0 and inside + SUBBLOCK_HEAD_SIZE <= len(self._bytes):
            return self._bytes[inside : inside + SUBBLOCK_HEAD_SIZE]
        return self._source.read_at(position, SUBBLOCK_HEAD_SIZE)

    def find(self, position: int) -> int | None:
        """Return the next position of an id, from a position on, or None."""
        if not self._bytes and _begins_segment(self._source.read_at(position, 16)):
            return position  # the common case: the file has no damage at its start
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

    def segment(self, position: int) -> FoundSegment | None:
        """Return the possible segment at a position, or None."""
        found = _examine(self.head(position), position, self.size)
        if found is not None and found.kind == FILE_HEADER:
            if not position:
                self._read_places()
            return found._replace(own_position=0)
        if found is None or found.kind not in self._places:
            return found
        return found._replace(own_position=self._places[found.kind])

    def follower(self, segment: FoundSegment) -> tuple[FoundSegment | None, int]:
        """Return the segment that follows an intact segment, and how the two are linked.

        Unused room may follow the content. Segments without an expected successor are searched
        inside, too: the last segment, which may only seem to reach the end because bytes are
        missing in it, and a segment followed by an unrelated one.
        """
        content = segment.end + (segment.position - segment.end) % ALIGNMENT
        for end in (content, segment.room) if segment.fault == WHOLE else ():
            if segment.position < end < self.size and _begins_segment(self.head(end)):
                after = self.segment(end)
                link = _link(segment, after)
                if link:
                    return after, link
        return None, _NONE

    def _read_places(self) -> None:
        try:
            header = read_file_header(self._source)
        except CorruptFileError:
            return
        self._places = {
            SUBBLOCK_DIRECTORY: header.directory_position,
            METADATA: header.metadata_position,
            ATTACHMENT_DIRECTORY: header.attachment_directory_position,
        }

    def _load(self, position: int) -> None:
        self._bytes = self._source.read_at(position, _AT_ONCE)
        self._start = position
        self._next = {}

    def _next_of(self, name: bytes, inside: int) -> int:
        """Return the next occurrence of an id; each byte is searched for it once."""
        known = self._next.get(name, -1)
        if known < inside:
            found = self._bytes.find(name, inside)
            known = self._next[name] = len(self._bytes) if found < 0 else found
        return known


def _room(position: int, head: bytes) -> int:
    _, allocated, used = SEGMENT_HEADER.unpack_from(head)
    return position + SEGMENT_HEADER_SIZE + max(int(allocated), int(used))


def _begins_segment(data: bytes) -> bool:
    return data[:16] in _NUMBERS


def _link(first: FoundSegment, second: FoundSegment | None) -> int:
    """Return how a segment is linked to the one that starts where it ends."""
    if second is None:
        return _SILENT
    if second.kind == FILE_HEADER:
        return _NONE
    if DELETED in (first.kind, second.kind):
        return _EXPECTED
    distance = second.own_position - first.own_position
    tells = min(first.own_position, second.own_position) >= 0
    if tells and distance == second.position - first.position:
        return _EXPECTED
    carry = (SUBBLOCK, ATTACHMENT)  # kinds that store their position
    return _NONE if first.kind in carry and second.kind in carry else _SILENT


def _examine(head: bytes, position: int, size: int) -> FoundSegment | None:
    """Parse the head of a possible segment; return None if it cannot be one."""
    number = _NUMBERS.get(head[:16])
    if number is None or len(head) < SEGMENT_HEADER_SIZE:
        return None
    kind = KINDS[number]
    _, allocated, used = SEGMENT_HEADER.unpack_from(head)
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
    if kind != DELETED and end < position + SEGMENT_HEADER_SIZE + FIXED_SIZES[kind]:
        return None
    return FoundSegment(kind, position, end, room, CUT_OFF if end > size else WHOLE)


def _examine_subblock(
    head: bytes, position: int, size: int, allocated: int, used: int
) -> FoundSegment | None:
    if len(head) < ENTRY_OFFSET + ENTRY_SIZE or head[ENTRY_OFFSET : ENTRY_OFFSET + 2] != b"DV":
        return None
    try:
        segment = parse_subblock_head(head, 0, position, 1, "a sub-block")
    except CorruptFileError:
        return None
    if not is_usable(segment.entry):
        return None
    entry = head[ENTRY_OFFSET : ENTRY_OFFSET + segment.entry.size]
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
    """Return whether an entry has the position, the size and the plane of its pixels."""
    placed = "X" in entry.letters and "Y" in entry.letters
    sized = min(entry.w, entry.h, entry.stored_w, entry.stored_h) > 0
    return placed and sized and ABSENT not in entry.coordinate.values()


def _examine_attachment(
    head: bytes, position: int, size: int, room: int, content: int
) -> FoundSegment | None:
    entry = head[ENTRY_OFFSET : ENTRY_OFFSET + ATTACHMENT_ENTRY_SIZE]
    if len(entry) < ATTACHMENT_ENTRY_SIZE or entry[:2] != b"A1":
        return None
    (data_size,) = DATA_SIZE.unpack_from(head, SEGMENT_HEADER_SIZE)
    _, own, *_ = ATTACHMENT_ENTRY.unpack(entry)
    end = position + ATTACHMENT_CONTENT + data_size
    parts = end - position - SEGMENT_HEADER_SIZE
    fault = WHOLE
    if data_size < 0 or content < parts:
        fault = CONTRADICTS
    elif end > size:
        fault = CUT_OFF
    return FoundSegment(ATTACHMENT, position, end, room, fault, entry, own, content == parts)


def _examine_metadata(head: bytes, position: int, size: int, room: int) -> FoundSegment | None:
    if len(head) < SEGMENT_HEADER_SIZE + METADATA_SIZES.size:
        return None
    xml_size, attachment_size = METADATA_SIZES.unpack_from(head, SEGMENT_HEADER_SIZE)
    if min(xml_size, attachment_size) < 0:
        return None
    end = position + XML_OFFSET + xml_size + attachment_size
    return FoundSegment(METADATA, position, end, room, CUT_OFF if end > size else WHOLE)
