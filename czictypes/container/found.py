"""The segments that the search of a damaged file found, and those of them that are believed.

A segment may be none: pixels can hold the bytes of an id, a copy of a head may have been written
over other data, a size may be wrong. Sub-blocks and attachments carry a copy of their directory
entry, which tells where they were written; the file header is at byte 0, and tells where the
directories and the XML are. Each segment that tells its place so has a shift: how far from it it
was found. A segment that another of the same shift follows has all its bytes.
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
    ATTACHMENT_ENTRY_SIZE,
    DELETED,
    FILE_HEADER,
    FILE_HEADER_SIZE,
    METADATA,
    SUBBLOCK,
    SUBBLOCK_DIRECTORY,
    entry_size,
)

__all__ = [
    "CUT_OFF",
    "FAULTS",
    "KINDS",
    "WHOLE",
    "WITHIN",
    "FoundSegment",
    "FoundSegments",
    "trust",
]

Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]
Positions = NDArray[np.int64]

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
        Its fault: an index of `FAULTS`.
    entry
        The copy of its directory entry; empty for other kinds than sub-blocks and attachments.
    own_position
        Where that entry, or the file header, says that it is; -1 where nothing tells. The file
        header may mean another segment of the kind.
    is_exact
        Whether the sizes of its parts add up to that of the segment, as programs write them.
    link
        2 if the segment that belongs behind it is there, 1 if there is one that does not tell its
        place, 0 if there is none.
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
    """Places that may be segments, as columns in the order of the file.

    Attributes
    ----------
    kind, fault, link : ndarray of int8
        Indices of `KINDS` and `FAULTS`; as in `FoundSegment`.
    position, end, room, own_position : ndarray of int64
        As in `FoundSegment`; the ends are at most a little behind that of the file.
    shift : ndarray of int64
        How far behind its own position each was found.
    is_exact : ndarray of bool
        As in `FoundSegment`.
    is_placed : ndarray of bool
        Whether a segment tells its place credibly.
    nested : ndarray of int64
        Where documents in attachments begin that are lost themselves.
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
        """Take one more, which lies behind all others."""
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
        """Make the columns, and settle which segment owns bytes that several claim."""
        self.kind, self.fault, exact, self.link = (
            np.frombuffer(column, np.int8).copy() for column in self._small.values()
        )
        self.is_exact: Mask = exact.astype(bool)
        self.position, self.end, self.room, self.own_position, self._starts = (
            np.frombuffer(column, np.int64) for column in self._large.values()
        )
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
        """Return the copy of its directory entry that a sub-block or attachment has."""
        start = int(self._starts[row])
        if KINDS[self.kind[row]] == ATTACHMENT:
            return bytes(self._entries[start : start + ATTACHMENT_ENTRY_SIZE])
        return bytes(self._entries[start : start + entry_size(self._entries, start)])

    def is_kind(self, *kinds: str) -> Mask:
        """Tell which are of some kinds."""
        return np.isin(self.kind, [KINDS.index(kind) for kind in kinds])

    def rows(self, kind: str, *faults: int) -> Rows:
        """Return the whole ones of a kind, or those with some faults."""
        return np.flatnonzero(self.is_kind(kind) & np.isin(self.fault, faults or (WHOLE,)))

    @property
    def is_located(self) -> Mask:
        """The segments that are where they say."""
        located: Mask = self.own_position == self.position
        return located

    def _refuse_inexact(self) -> None:
        """Refuse sub-blocks whose sizes do not add up, unless the file has no others.

        Every known program writes sizes that do; where metadata seem longer than they are, pixels
        would be taken from a wrong place.
        """
        for kind in (SUBBLOCK, ATTACHMENT):
            ours = self.is_kind(kind) & (self.fault == WHOLE)
            if (ours & self.is_exact & self.is_located).any():
                self.fault[ours & ~self.is_exact] = CONTRADICTS

    def _hide_content(self) -> None:
        """Mark what lies in attachments, whose content may be a document.

        The positions in it count from its beginning. An attachment in which a segment begins that
        is found in front of its own position, or that reaches behind its end, is damaged.
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
        """Decide between segments that claim the same bytes.

        Those count first that others follow, then those that tell their places; of two, the later
        one: where it begins, the other one was overwritten, or has lost bytes.
        """
        rival = (self.fault == WHOLE) | (self.fault == CUT_OFF) & self.is_placed
        rows = np.flatnonzero(rival)
        reach = np.append(0, np.maximum.accumulate(self.end[rows]))[:-1]
        group = np.cumsum(self.position[rows] >= reach)
        rows = rows[np.bincount(group, minlength=1)[group] > 1]
        placed = self.is_placed & ~self.is_kind(FILE_HEADER)  # which has much room for nothing
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
    """Return where documents in attachments begin that are lost, by all that tells of them.

    Their own headers do, the heads of damaged attachments, and segments that are behind their own
    positions. Those may also be where they are because bytes were added to the file. Then
    everything behind them has moved as far at least, and they follow on what is in front of them,
    which is not moved: something is, unless nothing of the file is.
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
    # One document ends where segments without a gap between them have moved differently.
    inner = np.append((run[1:] == run[:-1]) & (shift[1:] < shift[:-1]), False)[: len(rows)]
    kept = (shift <= 0) & ~np.isin(shift, shift[inner & (shift != 0)])
    ends = np.where(kept & (own > 0), own + found.end[rows] - found.position[rows], -1)
    before = np.append(-1, np.maximum.accumulate(ends))[:-1]
    behind = np.minimum.accumulate(shift[::-1])[::-1]
    added = (own >= before) & (shift <= behind) & ((before >= 0) | (not kept.any()))
    implied = shift[~kept & ~added]
    implied = implied[~_are_copies(found, rows[~kept & ~added], rows[kept])]
    if not kept.any():  # a document has one directory and one text of XML: the others are behind
        several = [found.position[found.rows(kind)] for kind in (METADATA, SUBBLOCK_DIRECTORY)]
        limit = max(int(positions[:-1].max(initial=-1)) for positions in several)
        implied = np.append(implied, shift[shift < limit])
    return np.unique(np.concatenate([headers, torn, implied])).astype(np.int64)


def _are_copies(found: FoundSegments, rows: Rows, others: Rows) -> Mask:
    """Tell which segments tell the same of themselves as some others."""
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

    The last are where they say they are; of the others, those that others follow, then those that
    moved as far as most others, then the later ones.
    """
    shifts, number = np.unique(found.shift[found.is_placed], return_inverse=True)
    counts = np.append(np.bincount(number.reshape(-1), minlength=len(shifts)), 0)
    places = np.searchsorted(shifts, found.shift[rows])
    support = np.where(np.isin(found.shift[rows], shifts), counts[places], 0)
    keys = (found.position[rows], support, found.link[rows] > 0, found.is_located[rows])
    order: Rows = np.lexsort(keys)
    return order
