"""Decide which of the segments found in a damaged file are genuine.

A segment may be an illusion: pixels can contain the bytes of an id, a copy of a head may have been
written over other data, a size may be wrong. Sub-blocks and attachments carry a copy of their
directory entry, which has their original position. The file header, at byte 0, has the positions
of the directories and the XML. A segment with a known original position has a shift: the distance
from there to where it was found. If another segment of the same shift follows, it is complete.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.container.layout import (
    ATTACHMENT,
    ATTACHMENT_CONTENT,
    ATTACHMENT_DIRECTORY,
    DELETED,
    FILE_HEADER,
    FILE_HEADER_SIZE,
    METADATA,
    SUBBLOCK,
    SUBBLOCK_DIRECTORY,
)

Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]
Positions = NDArray[np.int64]

#: The kinds of segments; `FoundSegments.kind` holds indices into this.
KINDS = (
    FILE_HEADER, SUBBLOCK_DIRECTORY, SUBBLOCK, METADATA, ATTACHMENT_DIRECTORY, ATTACHMENT, DELETED,
)  # fmt: skip
#: The faults of a segment; `FoundSegments.fault` holds indices into this, 0 for none.
FAULTS = (
    "",
    "the file ends within it",
    "its sizes contradict each other",
    "another segment begins within it",
    "it is part of another segment",
)
WHOLE, CUT_OFF, CONTRADICTS, OVERLAPPED, WITHIN = range(len(FAULTS))

_NOWHERE = -1


class FoundSegment(NamedTuple):
    """A possible segment.

    Attributes
    ----------
    kind
        Its id, one of `KINDS`.
    position, end
        Where it begins, and where its content ends according to its sizes.
    room
        The end of the allocated room; the content need not fill it.
    fault
        Its fault: an index into `FAULTS`.
    entry
        The copy of its directory entry; only in sub-blocks and attachments.
    own_position
        Its position according to that entry or to the file header; -1 if unknown. The file
        header may refer to another segment of the kind.
    is_exact
        Whether the sizes of its parts add up to the size of the segment, as programs write them.
    link
        2 if the expected segment follows, 1 if a segment of unknown original position follows,
        0 if none does.
    """

    kind: str
    position: int
    end: int
    room: int
    fault: int = WHOLE
    entry: bytes = b""
    own_position: int = _NOWHERE
    is_exact: bool = True
    link: int = 0


class FoundSegments:
    """Possible segments, as columns in the order of the file.

    Attributes
    ----------
    kind, fault, link : ndarray of int8
        Indices into `KINDS` and `FAULTS`, and the link, as in `FoundSegment`.
    position, end, room, own_position : ndarray of int64
        As in `FoundSegment`; ends beyond the file are limited to its size plus 1.
    shift : ndarray of int64
        The distance from the original position to the one found.
    is_exact : ndarray of bool
        As in `FoundSegment`.
    is_placed : ndarray of bool
        Whether the original position is credible.
    nested : ndarray of int64
        The starts of documents in attachments that are lost.
    size : int
        The size of the file.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._small = {name: array("b") for name in ("kind", "fault", "is_exact", "link")}
        self._large = {
            name: array("q") for name in ("position", "end", "room", "own_position", "entry")
        }
        self._entries = bytearray()

    def add(self, segment: FoundSegment) -> None:
        """Append a segment, which lies behind all others."""
        for name, small in (
            ("kind", KINDS.index(segment.kind)),
            ("fault", segment.fault),
            ("is_exact", segment.is_exact),
            ("link", segment.link),
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
        """Build the columns, and decide between segments that overlap."""
        self.kind, self.fault, exact, self.link = (
            np.frombuffer(column, np.int8).copy() for column in self._small.values()
        )
        self.is_exact: Mask = exact.astype(bool)
        self.position, self.end, self.room, self.own_position, starts = (
            np.frombuffer(column, np.int64) for column in self._large.values()
        )
        self._starts = np.append(starts, len(self._entries))
        self.shift: Positions = self.position - self.own_position
        self._refuse_inexact()
        self.is_placed: Mask = self.is_exact & (self.fault != CONTRADICTS)
        agree = self.link == 2
        agree[1:] |= agree[:-1].copy()
        agree |= self.is_kind(SUBBLOCK, ATTACHMENT)
        self.is_placed &= self.is_located | (agree & (self.own_position >= FILE_HEADER_SIZE))
        self._hide_content()
        self._settle()
        self.nested = _nested_documents(self)

    def entry(self, row: int) -> bytes:
        """Return the copy of its directory entry that a segment holds; b"" if its kind has none."""
        return bytes(self._entries[self._starts[row] : self._starts[row + 1]])

    def is_kind(self, *kinds: str) -> Mask:
        """Return a mask of the segments of some kinds."""
        return np.isin(self.kind, [KINDS.index(kind) for kind in kinds])

    def rows(self, kind: str, *faults: int) -> Rows:
        """Return the rows of the intact segments of a kind, or of those with some faults."""
        return np.flatnonzero(self.is_kind(kind) & np.isin(self.fault, faults or (WHOLE,)))

    @property
    def is_located(self) -> Mask:
        """A mask of the segments that are at their original position."""
        located: Mask = self.own_position == self.position
        return located

    def _refuse_inexact(self) -> None:
        """Refuse segments whose sizes do not add up, unless the file has no others.

        All known programs write sizes that add up. If the size of the metadata were wrong, pixels
        would be read from the wrong position.
        """
        for kind in (SUBBLOCK, ATTACHMENT):
            ours = self.is_kind(kind) & (self.fault == WHOLE)
            if (ours & self.is_exact & self.is_located).any():
                self.fault[ours & ~self.is_exact] = CONTRADICTS

    def _hide_content(self) -> None:
        """Mark segments within attachments, whose content may be a document.

        Positions in that document count from its start. An attachment is damaged if it contains a
        segment that lies before its own original position or extends past the attachment's end.
        """
        rows = self.rows(ATTACHMENT)
        first = np.searchsorted(self.position, self.position[rows], side="right")
        last = np.searchsorted(self.position, self.end[rows])
        foreign = np.cumsum(np.append(0, self.is_placed & (self.shift <= 0)))
        reach = np.where((self.link > 0) & (self.fault == WHOLE), self.end, 0)
        torn = (self.link[rows] == 0) & (last > first) & (reach[last - 1] > self.end[rows])
        owners = rows[~torn & (foreign[last] == foreign[first])]
        ends = np.append(0, np.maximum.accumulate(self.end[owners]))
        before = np.searchsorted(self.position[owners], self.position)
        self.fault[(self.position < ends[before]) & (self.fault == WHOLE)] = WITHIN

    def _settle(self) -> None:
        """Decide between segments that overlap.

        Segments with a successor win, then those with a credible position, then the later one:
        the other was overwritten at its start, or has lost bytes.
        """
        rival = (self.fault == WHOLE) | (self.fault == CUT_OFF) & self.is_placed
        rows = np.flatnonzero(rival)
        reach = np.append(0, np.maximum.accumulate(self.end[rows]))[:-1]
        group = np.cumsum(self.position[rows] >= reach)
        rows = rows[np.bincount(group, minlength=1)[group] > 1]
        placed = self.is_placed & ~self.is_kind(FILE_HEADER)  # it is mostly unused room
        order = np.lexsort((self.position[rows], placed[rows], self.link[rows]))
        starts: list[int] = []
        ends: list[int] = []
        for row in rows[order[::-1]].tolist():
            start, end = int(self.position[row]), int(self.end[row])
            at = bisect_right(starts, start)
            fault = WHOLE
            if at and ends[at - 1] > start:
                fault = WITHIN
            elif at < len(starts) and starts[at] < end:
                fault = OVERLAPPED
            else:
                starts.insert(at, start)
                ends.insert(at, end)
            self.fault[row] = self.fault[row] or fault


def _nested_documents(found: FoundSegments) -> Positions:
    """Return the starts of documents in lost attachments.

    The evidence is their own file headers, the heads of damaged attachments, and segments behind
    their original positions. Such segments may also have moved because bytes were inserted into
    the file. Then everything behind them has moved at least as far, and they follow unmoved
    segments directly in original order; there are some, unless nothing of the file is unmoved.
    """
    headers = found.position[found.is_kind(FILE_HEADER) & (found.fault != WITHIN)]
    headers = headers[(headers > 0) & (headers != found.position[:1])]
    damaged = (found.fault != WHOLE) & (found.fault != WITHIN) & found.is_placed
    torn = found.position[damaged & found.is_kind(ATTACHMENT)] + ATTACHMENT_CONTENT

    rows = np.flatnonzero(found.fault != WITHIN)
    joined = (found.link[rows[:-1]] > 0) & (found.position[rows[1:]] <= found.room[rows[:-1]])
    run = np.cumsum(np.append(True, ~joined))[: len(rows)][found.is_placed[rows]]
    rows = rows[found.is_placed[rows]]
    shift, own = found.shift[rows], found.own_position[rows]
    # A document ends between adjacent segments that have different shifts.
    inner = np.append((run[1:] == run[:-1]) & (shift[1:] < shift[:-1]), False)[: len(rows)]
    kept = (shift <= 0) & ~np.isin(shift, shift[inner & (shift != 0)])
    ends = np.where(kept & (own > 0), own + found.end[rows] - found.position[rows], -1)
    before = np.append(-1, np.maximum.accumulate(ends))[:-1]
    behind = np.minimum.accumulate(shift[::-1])[::-1]
    added = (own >= before) & (shift <= behind) & ((before >= 0) | (not kept.any()))
    implied = shift[~kept & ~added]
    implied = implied[~_are_copies(found, rows[~kept & ~added], rows[kept])]
    if not kept.any():  # a document has one directory and one XML: earlier ones are nested
        several = [found.position[found.rows(kind)] for kind in (METADATA, SUBBLOCK_DIRECTORY)]
        limit = max(int(positions[:-1].max(initial=-1)) for positions in several)
        implied = np.append(implied, shift[shift < limit])
    return np.unique(np.concatenate([headers, torn, implied])).astype(np.int64)


def _are_copies(found: FoundSegments, rows: Rows, others: Rows) -> Mask:
    """Return a mask of the rows that have the same kind and entry as some of the others."""
    others = others[np.argsort(found.own_position[others])]
    known = found.own_position[others]
    at = np.searchsorted(known, found.own_position[rows])
    copies = np.isin(found.own_position[rows], known)
    for number in np.flatnonzero(copies).tolist():
        one, other = int(rows[number]), int(others[at[number]])
        copies[number] = found.kind[one] == found.kind[other] and found.entry(one) == found.entry(
            other
        )
    return copies


def trust(found: FoundSegments, rows: Rows) -> Rows:
    """Return the order of some rows from the least to the most credible.

    Segments at their original position are the most credible, then those with a successor, then
    those with the most common shift, then the later ones.
    """
    shifts, number = np.unique(found.shift[found.is_placed], return_inverse=True)
    counts = np.append(np.bincount(number.reshape(-1), minlength=len(shifts)), 0)
    places = np.searchsorted(shifts, found.shift[rows])
    support = np.where(np.isin(found.shift[rows], shifts), counts[places], 0)
    keys = (found.position[rows], support, found.link[rows] > 0, found.is_located[rows])
    order: Rows = np.lexsort(keys)
    return order
