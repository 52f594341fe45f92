"""Decides what a damaged file holds: the segments found in it against what its directories list.

The head of a sub-block is believed, not its entry in the directory. The directory tells which
sub-blocks belong to the document as long as it is whole itself, and what is lost as far as it can
be read. Without it, all sub-blocks belong to the document that are where their own entries say, and
those that missing bytes have moved; of several at the same place, the later one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from czictypes.container.attachments import AttachmentEntry, parse_attachment_entries
from czictypes.container.byte_source import ByteSource
from czictypes.container.directory import Directory, join_directories, parse_entries
from czictypes.container.listed import (
    ListedAttachments,
    ListedTiles,
    read_attachment_list,
    read_tile_list,
)
from czictypes.container.lost import LostPart, LostTiles
from czictypes.container.parts import ITSELF, part_numbers
from czictypes.container.scan import CUT_OFF, FAULTS, KINDS, WITHIN, FoundSegments
from czictypes.container.segments import (
    ATTACHMENT,
    ATTACHMENT_DIRECTORY,
    FILE_HEADER,
    METADATA,
    SUBBLOCK,
    SUBBLOCK_DIRECTORY,
    FileHeader,
    read_file_header,
)
from czictypes.model.errors import CorruptFileError

__all__ = ["Salvage", "salvage"]

Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]
Positions = NDArray[np.int64]

_HEADER_END = 544
#: So many directories are looked at besides the one that the header names.
_MOST_LISTS = 16
_ALIGNMENT = 32
_PLACE = ("x", "y", "w", "h", "physical_w", "physical_h", "m")
_CONTENT = (*_PLACE, "pixel_type", "compression")
_DESTROYED = "its segment is destroyed"
_LIST_DESTROYED = "it is destroyed; attachments that were not found are not known"
_DOUBTFUL = "its entry in the directory says otherwise"
_BEHIND_END = "the file ends before it"


@dataclass(frozen=True)
class Salvage:
    """The parts of one file that can be recovered, and those that cannot.

    Attributes
    ----------
    tiles
        The sub-blocks to take, in the order of the file; their positions are where they were found.
    lost
        The sub-blocks that are known and destroyed.
    directory_is_whole
        Whether the file's own directory of sub-blocks tells all of this.
    unlisted, superseded
        How many whole sub-blocks are left out: because the whole directory does not list them, and
        because a later one has the same place.
    elsewhere
        The entries of sub-blocks that the file lists for other files of the document.
    doubtful
        Sub-blocks that are taken as their segments say, although their entries say otherwise.
    metadata
        Where segments with XML were found, the best first.
    had_metadata
        Whether the file may have had any.
    attachments, lost_attachments
        The attachments to take, and those that are destroyed.
    unknown_bytes
        How many bytes belong to nothing that was found.
    """

    tiles: Directory
    lost: LostTiles
    directory_is_whole: bool
    unlisted: int
    superseded: int
    elsewhere: Directory
    doubtful: LostTiles
    metadata: list[int]
    had_metadata: bool
    attachments: list[AttachmentEntry]
    lost_attachments: list[LostPart]
    unknown_bytes: int


def salvage(
    source: ByteSource, found: FoundSegments, number: int = 0, listed: Directory | None = None
) -> Salvage:
    """Decide what a file holds.

    Parameters
    ----------
    source, found
        The file, and what may be its segments.
    number
        The number of the file among those of the document.
    listed
        What the master of the document lists for this file.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    header = _header(source)
    tiles = _Tiles(source, found, header, number, listed)
    attachments = _Attachments(source, found, header, number)
    return Salvage(
        tiles=tiles.found(tiles.taken),
        lost=tiles.lost(),
        directory_is_whole=tiles.directory_is_whole,
        unlisted=tiles.unlisted,
        superseded=tiles.superseded,
        elsewhere=tiles.elsewhere,
        doubtful=tiles.doubtful(),
        metadata=_metadata(found, header, tiles.nested),
        had_metadata=header is None or header.metadata_position != 0,
        attachments=attachments.taken,
        lost_attachments=attachments.lost,
        unknown_bytes=0 if tiles.directory_is_whole else _unknown_bytes(found),
    )


def _header(source: ByteSource) -> FileHeader | None:
    try:
        return read_file_header(source)
    except CorruptFileError:
        return None


def _lists(found: FoundSegments, kind: str, named: int | None) -> Iterator[tuple[int, int]]:
    """Give where directories of a kind begin, the one that the header names first, and their ends.

    No two of them share bytes.
    """
    outer = found.fault != WITHIN
    positions = found.position[(found.kind == KINDS.index(kind)) & outer]
    positions = positions[~_are_nested(found, positions) | (positions == named)]
    stops = np.append(found.position[outer], found.size)
    if named is not None and _HEADER_END <= named < found.size and named not in positions:
        whole = np.flatnonzero(found.fault == 0)
        before = np.searchsorted(found.position[whole], named, side="right") - 1
        if before < 0 or found.end[whole[before]] <= named:  # its id may be overwritten
            yield named, int(stops[np.searchsorted(stops, named, side="right")])
    latest = positions[-_MOST_LISTS:].tolist()
    first = [named] if named in positions else []
    for position in first + [one for one in latest if one != named]:
        yield position, int(stops[np.searchsorted(stops, position, side="right")])


def _are_nested(
    found: FoundSegments, positions: Positions, implied: Positions | None = None
) -> Mask:
    """Tell which places are in documents in attachments that are lost.

    Such a document begins with a file header, or where its sub-blocks imply that it did. It reaches
    up to the next segment that is certain.
    """
    nested, known = _nested_headers(found), found.position[found.is_reliable]
    if implied is not None:
        nested = np.union1d(nested, implied)
    ends = np.append(known, found.size)[np.searchsorted(known, nested)]
    last = np.searchsorted(nested, positions, side="right") - 1
    within: Mask = (last >= 0) & (positions < np.append(ends, 0)[last])
    return within


def _nested_headers(found: FoundSegments) -> Positions:
    headers = found.position[found.kind == KINDS.index(FILE_HEADER)]
    nested: Positions = headers[(headers > 0) & (headers != found.position[:1])]
    return nested


class _Tiles:
    """The sub-blocks that are whole, and those that the directory lists."""

    def __init__(
        self,
        source: ByteSource,
        found: FoundSegments,
        header: FileHeader | None,
        number: int,
        listed: Directory | None,
    ) -> None:
        self._found, self._source, self._number = found, source, number
        self._rows = found.rows(SUBBLOCK)
        self._heads = self._parsed(self._rows)
        self._positions = found.position[self._rows]
        self._own = found.own_position[self._rows]
        chosen = self._choose(None if header is None else header.directory_position)
        self._listed, self.elsewhere = self._split(chosen.tiles)
        complete = chosen.is_complete and not (header is not None and header.update_pending)
        if listed is not None and listed.count:
            new = ~np.isin(listed.file_position, self._listed.file_position)
            self._listed = join_directories(self._listed, listed, np.flatnonzero(new))
            complete |= self._listed.count == listed.count
        self._matches = self._match(self._listed)
        self.directory_is_whole = complete and not self._contradicts_file()
        self._decide()

    def found(self, rows: Rows) -> Directory:
        """Return some of the whole sub-blocks, with where they were found as their positions."""
        heads = self._heads.select(rows)
        nothing = np.zeros(len(rows), np.int32)
        return replace(heads, file_position=self._positions[rows], file_part=nothing)

    def lost(self) -> LostTiles:
        """Return the sub-blocks that are known, and not whole."""
        missing = np.flatnonzero(self._matches < 0)
        positions = self._listed.file_position[missing]
        broken = self._found.rows(SUBBLOCK, *range(1, WITHIN))
        faults = dict(
            zip(self._found.position[broken].tolist(), self._found.fault[broken].tolist())
        )
        reasons = [
            FAULTS[faults[position]]
            if position in faults
            else _BEHIND_END
            if position >= self._found.size
            else _DESTROYED
            for position in positions.tolist()
        ]
        tiles = self._listed.select(missing)
        if not self.directory_is_whole:
            known = np.isin(self._found.position[broken], positions)
            broken = broken[self._found.is_located[broken] & ~known]
            reasons += [FAULTS[fault] for fault in self._found.fault[broken].tolist()]
            more = self._parsed(broken)
            tiles = join_directories(tiles, more, np.arange(more.count))
        return LostTiles((tiles, reasons))

    def doubtful(self) -> LostTiles:
        """Return the sub-blocks whose entries in the directory say something else."""
        listed = np.flatnonzero(self._matches >= 0)
        rows = self._matches[listed]
        rows = rows[~_agree(self._heads, rows, self._listed, listed)]
        tiles = self.found(np.intersect1d(rows, self.taken))
        return LostTiles((tiles, [_DOUBTFUL] * tiles.count))

    def _parsed(self, rows: Rows) -> Directory:
        entries = b"".join(map(self._found.entry, rows.tolist()))
        return parse_entries(entries, len(rows), self._source.name)

    # The directory

    def _choose(self, named: int | None) -> ListedTiles:
        """Return the directory that fits the file best; of several, that of the header."""
        best, best_score = ListedTiles(parse_entries(b"", 0, ""), is_complete=False), 0
        for position, limit in _lists(self._found, SUBBLOCK_DIRECTORY, named):
            read = read_tile_list(self._source, position, limit)
            score = self._score(read.tiles)
            if position == named:
                best, best_score = read, score
                if read.is_complete and score:
                    break
            elif score and score >= best_score:
                most = 2 * score > int((self._own == self._positions).sum())
                best, best_score = read._replace(is_complete=read.is_complete and most), score
        return best

    def _score(self, listed: Directory) -> int:
        """Return how many entries say the same as the sub-blocks that they mean."""
        rows = self._match(listed)
        matched = np.flatnonzero(rows >= 0)
        return int(_agree(self._heads, rows[matched], listed, matched).sum())

    def _split(self, listed: Directory) -> tuple[Directory, Directory]:
        """Split entries into those of this file and those of others of the document."""
        if not listed.count:
            return listed, listed
        ours = part_numbers(listed, self._number) == ITSELF
        rows = self._match(listed)
        matched = np.flatnonzero(rows >= 0)
        ours[matched] |= _agree(self._heads, rows[matched], listed, matched)
        own, others = np.flatnonzero(ours), np.flatnonzero(~ours)
        return listed.select(own), listed.select(others)

    def _match(self, listed: Directory) -> Rows:
        """Return for each entry the whole sub-block that it means; -1 where there is none."""
        wanted = listed.file_position
        moved = self._own != self._positions
        order = np.lexsort((moved, self._own))
        rows = _look_up(self._own[order], wanted)
        rows[rows >= 0] = order[rows[rows >= 0]]
        doubtful = np.flatnonzero(rows >= 0)
        doubtful = doubtful[moved[rows[doubtful]]]
        rows[doubtful[~_agree(self._heads, rows[doubtful], listed, doubtful)]] = -1
        rest = np.flatnonzero(rows < 0)  # maybe a program that writes no positions into heads
        here = _look_up(self._positions, wanted[rest])
        rest, here = rest[here >= 0], here[here >= 0]
        same = _agree(self._heads, here, listed, rest)
        rows[rest[same]] = here[same]
        return rows

    def _contradicts_file(self) -> bool:
        """Whether entries of the directory cannot be right, so that it is damaged."""
        matched = self._matches[self._matches >= 0]
        if len(np.unique(matched)) < len(matched) or not self._listed.count:
            return True
        missing = self._listed.file_position[self._matches < 0]
        whole = np.flatnonzero(self._found.fault == 0)
        starts, ends = self._found.position[whole], self._found.end[whole]
        end = int(ends.max()) if len(ends) else 0
        is_cut = -(-end // _ALIGNMENT) * _ALIGNMENT < self._found.size
        before = np.searchsorted(starts, missing, side="right") - 1
        inside = (before >= 0) & (missing < ends[before]) if len(ends) else missing < 0
        wrong = inside | (missing < _HEADER_END) | (missing >= self._found.size) & (not is_cut)
        return bool(wrong.any())

    # What is taken

    def _decide(self) -> None:
        listed = np.zeros(len(self._rows), bool)
        listed[self._matches[self._matches >= 0]] = True
        located = self._own == self._positions
        shift = self._positions - self._own
        self.nested = shift[(shift > 0) & ~listed & (self._own >= _HEADER_END)]
        if self.directory_is_whole:
            self.taken = np.flatnonzero(listed)
            self.unlisted, self.superseded = int((located & ~listed).sum()), 0
            return
        moved = self._moved_by_cuts(located)
        self.nested = np.setdiff1d(self.nested, shift[moved])
        candidates = np.flatnonzero(listed | located | moved)
        rank = np.where(listed, 2, located)[candidates]
        kept = _latest(self._heads, candidates, rank)
        self.taken = candidates[kept]
        self.unlisted, self.superseded = 0, int((~kept).sum())

    def _moved_by_cuts(self, located: Mask) -> Mask:
        """Tell which sub-blocks are not where their entries say, but belong to the document.

        Those of a document in an attachment do not: their positions count from its beginning.
        Bytes that were added move all that follows, which stays in its order.
        """
        shift = self._positions - self._own
        nested = _nested_headers(self._found)
        before = np.maximum.accumulate(np.where(located, self._own, -1))
        in_order = (self._own > before) & ((before >= 0) | (not located.any()))
        moved: Mask = (self._own >= 0) & ((shift < 0) | in_order & ~np.isin(shift, nested))
        return moved & ~located


def _look_up(known: Positions, wanted: Positions) -> Rows:
    """Return the first place of each wanted number among sorted ones; -1 where it is not."""
    if not len(known):
        return np.full(len(wanted), -1, np.intp)
    places = np.searchsorted(known, wanted)
    inside = places.clip(max=len(known) - 1)
    return np.where(known[inside] == wanted, inside, -1)


def _agree(first: Directory, rows: Rows, second: Directory, others: Rows) -> Mask:
    """Tell which rows of two directories say the same of a sub-block."""
    same = np.ones(len(rows), bool)
    for name in _CONTENT:
        same &= getattr(first, name)[rows] == getattr(second, name)[others]
    for letter in {*first.coordinates, *second.coordinates}:
        absent = np.int32(-(2**31))
        one, other = first.coordinates.get(letter), second.coordinates.get(letter)
        same &= (absent if one is None else one[rows]) == (
            absent if other is None else other[others]
        )
    return same


def _latest(tiles: Directory, rows: Rows, rank: NDArray[np.int64]) -> Mask:
    """Tell which rows stay if one sub-block is to be at each place: of the highest rank, the last.

    All of rank 2 stay.
    """
    columns = [getattr(tiles, name)[rows] for name in _PLACE]
    columns += [column[rows] for column in (*tiles.coordinates.values(), *tiles.sizes.values())]
    order = np.lexsort((np.arange(len(rows)), rank, *columns))
    is_last = np.zeros(len(rows), bool)
    is_last[-1:] = True
    for column in columns:
        sorted_column = column[order]
        is_last[:-1] |= sorted_column[1:] != sorted_column[:-1]
    kept: Mask = rank == 2
    kept[order[is_last]] = True
    return kept


class _Attachments:
    """The attachments that are whole, and those that their directory lists."""

    def __init__(
        self, source: ByteSource, found: FoundSegments, header: FileHeader | None, number: int
    ) -> None:
        self._found, self._source = found, source
        self._whole = {
            int(found.position[row]): row
            for row in found.rows(ATTACHMENT).tolist()
            if found.is_located[row]
        }
        self._broken = {
            int(found.position[row]): row
            for row in found.rows(ATTACHMENT, CUT_OFF).tolist()
            if found.is_located[row]
        }
        self.taken: list[AttachmentEntry] = []
        self.lost: list[LostPart] = []
        listed = self._choose(None if header is None else header.attachment_directory_position)
        self._decide(listed, number)
        if not listed.is_complete and header is not None and header.attachment_directory_position:
            self.lost.append(LostPart("the list of attachments", _LIST_DESTROYED))

    def _choose(self, named: int | None) -> ListedAttachments:
        best, best_score = ListedAttachments([], is_complete=False), 0
        for position, limit in _lists(self._found, ATTACHMENT_DIRECTORY, named or None):
            read = read_attachment_list(self._source, position, limit)
            score = sum(entry.file_position in self._whole for entry in read.entries)
            if position == named:
                best, best_score = read, score
                if read.is_complete:
                    break
            elif score and score >= best_score:
                best, best_score = read, score
        return best

    def _decide(self, listed: ListedAttachments, number: int) -> None:
        positions = set()
        for entry in listed.entries:
            position = entry.file_position
            positions.add(position)
            if position in self._whole:
                self._take(position)
            elif entry.file_part in (0, number):
                self._lose(entry.name, position)
        if listed.is_complete:
            return
        for position in {*self._whole} - positions:
            self._take(position)
        self.taken.sort(key=lambda entry: entry.file_position)
        for position, row in self._broken.items():
            if position not in positions:
                self._lose(self._entry(row).name, position)

    def _entry(self, row: int) -> AttachmentEntry:
        entries = parse_attachment_entries(self._found.entry(row))
        return entries[0]

    def _take(self, position: int) -> None:
        entry = self._entry(self._whole[position])
        self.taken.append(replace(entry, file_position=position, file_part=0))

    def _lose(self, name: str, position: int) -> None:
        row = self._broken.get(position)
        behind = _BEHIND_END if position >= self._found.size else _DESTROYED
        reason = behind if row is None else FAULTS[int(self._found.fault[row])]
        self.lost.append(LostPart(name, reason))


def _metadata(found: FoundSegments, header: FileHeader | None, nested: Positions) -> list[int]:
    """Return where XML is, the best first; that of documents in attachments is left out."""
    positions = found.position[found.rows(METADATA)][::-1]
    named = -1 if header is None else header.metadata_position
    kept = positions[~_are_nested(found, positions, nested)].tolist()
    others = [position for position in kept if position != named]
    return [named, *others] if named in positions else others


def _unknown_bytes(found: FoundSegments) -> int:
    """Return how many bytes lie between segments, and in no room that one of these claims."""
    whole = np.flatnonzero(found.fault == 0)
    starts = np.append(found.position[whole], found.size)
    ends = -(-found.end[whole] // _ALIGNMENT) * _ALIGNMENT
    before = np.concatenate([[_HEADER_END if found.size >= _HEADER_END else 0], ends])
    rooms = np.concatenate([[0], found.room[whole]])
    gaps = starts - np.maximum.accumulate(before)
    gaps[(gaps < _ALIGNMENT) | (rooms == starts)] = 0
    return int(gaps.sum())
