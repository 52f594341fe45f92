"""Decides what a damaged file holds, by the segments found in it and by its directories.

The head of a sub-block is believed, not its entry in the directory. The directory tells which
sub-blocks belong to the document as long as it is whole itself, and what is lost as far as it can
be read. Without it, all sub-blocks belong to the document that are where their own entries say, and
those that missing bytes have moved; of several at the same place, the later one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from czictypes.container.attachments import AttachmentEntry, parse_attachment_entries
from czictypes.container.byte_source import ByteSource
from czictypes.container.directory import Directory
from czictypes.container.found import CUT_OFF, FAULTS, FoundSegments, trust
from czictypes.container.layout import (
    ALIGNMENT,
    ATTACHMENT,
    ATTACHMENT_DIRECTORY,
    FILE_HEADER_SIZE,
    METADATA,
)
from czictypes.container.listed import (
    ListedAttachments,
    directory_places,
    outer_places,
    read_attachment_list,
)
from czictypes.container.salvaged_tiles import (
    BEHIND_END,
    DESTROYED,
    LostPart,
    LostTiles,
    SalvagedTiles,
)
from czictypes.container.segments import FileHeader, read_file_header
from czictypes.model.errors import CorruptFileError

__all__ = ["Salvage", "salvage"]

_LIST_DESTROYED = "it is destroyed; attachments that were not found are not known"


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
        The entries that the master of the document has for this file.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    header = _header(source)
    tiles = SalvagedTiles(source, found, header, number, listed)
    attachments = _Attachments(source, found, header, number)
    return Salvage(
        tiles=tiles.found(tiles.taken),
        lost=tiles.lost(),
        directory_is_whole=tiles.directory_is_whole,
        unlisted=tiles.unlisted,
        superseded=tiles.superseded,
        elsewhere=tiles.elsewhere,
        doubtful=tiles.doubtful(),
        metadata=_metadata(found, header, tiles.directory_position),
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


class _Attachments:
    """The attachments that are whole, and those that their directory lists."""

    def __init__(
        self, source: ByteSource, found: FoundSegments, header: FileHeader | None, number: int
    ) -> None:
        self._found, self._source = found, source
        self._whole = self._by_place(found.rows(ATTACHMENT))
        self._broken = self._by_place(found.rows(ATTACHMENT, CUT_OFF))
        self.taken: list[AttachmentEntry] = []
        self.lost: list[LostPart] = []
        listed = self._choose(None if header is None else header.attachment_directory_position)
        self._decide(listed, number)
        if not listed.is_complete and header is not None and header.attachment_directory_position:
            self.lost.append(LostPart("the list of attachments", _LIST_DESTROYED))

    def _by_place(self, rows: NDArray[np.intp]) -> dict[int, int]:
        """Return rows by where they say that they are; of several, the one that is most credible.

        Those of documents in attachments are left out.
        """
        found = self._found
        rows = rows[found.is_placed[rows] & ~np.isin(found.shift[rows], found.nested)]
        rows = rows[trust(found, rows)]
        return dict(zip(found.own_position[rows].tolist(), rows.tolist()))

    def _choose(self, named: int | None) -> ListedAttachments:
        best, best_score = ListedAttachments([], is_complete=False), 0
        for position, limit in directory_places(self._found, ATTACHMENT_DIRECTORY, named or None):
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
        missing: list[AttachmentEntry] = []
        for entry in listed.entries:
            if entry.file_position in self._whole:
                self._take(entry.file_position)
            else:
                missing.append(entry)
        positions = {entry.file_position for entry in listed.entries}
        others: set[tuple[str, object]] = set()
        if missing or not listed.is_complete:  # an entry may only be wrong about the position
            for position in sorted({*self._whole} - positions):
                self._take(position)
            others = {(entry.name, entry.guid) for entry in self.taken}
            self.taken.sort(key=lambda entry: entry.file_position)
        for entry in missing:
            if entry.file_part in (0, number) and (entry.name, entry.guid) not in others:
                self._lose(entry.name, entry.file_position)
        if not listed.is_complete:
            for position, row in self._broken.items():
                if position not in positions:
                    self._lose(self._entry(row).name, position)

    def _entry(self, row: int) -> AttachmentEntry:
        entries = parse_attachment_entries(self._found.entry(row))
        return entries[0]

    def _take(self, position: int) -> None:
        row = self._whole[position]
        place = int(self._found.position[row])
        self.taken.append(replace(self._entry(row), file_position=place, file_part=0))

    def _lose(self, name: str, position: int) -> None:
        row = self._broken.get(position)
        behind = BEHIND_END if position >= self._found.size else DESTROYED
        reason = behind if row is None else FAULTS[int(self._found.fault[row])]
        self.lost.append(LostPart(name, reason))


def _metadata(found: FoundSegments, header: FileHeader | None, directory: int) -> list[int]:
    """Return where XML is, that of documents in attachments left out.

    First comes that which the header names, then what is in front of the directory, then the last.
    """
    named = None if header is None else header.metadata_position
    rows = found.rows(METADATA)
    rows = rows[np.isin(found.position[rows], outer_places(found, METADATA, named))]
    keys = (found.position[rows], found.room[rows] == directory, found.position[rows] == named)
    places: list[int] = found.position[rows][np.lexsort(keys)][::-1].tolist()
    return places


def _unknown_bytes(found: FoundSegments) -> int:
    """Return how many bytes lie between segments, and in no room that one of these claims."""
    whole = np.flatnonzero(found.fault == 0)
    starts = np.append(found.position[whole], found.size)
    ends = -(-found.end[whole] // ALIGNMENT) * ALIGNMENT
    before = np.concatenate([[FILE_HEADER_SIZE if found.size >= FILE_HEADER_SIZE else 0], ends])
    rooms = np.concatenate([[0], found.room[whole]])
    gaps = starts - np.maximum.accumulate(before)
    gaps[(gaps < ALIGNMENT) | (rooms == starts)] = 0
    return int(gaps.sum())
