"""Decide what a damaged file contains, from its segments and its directories.

The head of a sub-block is trusted more than its entry in the directory. An intact directory
determines which sub-blocks belong to the document; even a damaged one shows what is lost. Without
a directory, sub-blocks belong to the document if they are at the position in their own entry, or
were moved by missing bytes. Of several at the same coordinates, the last one counts.
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

#: The name of this as a lost part.
LIST_OF_ATTACHMENTS = "the list of attachments"
_LIST_DESTROYED = "it is destroyed; attachments that were not found are unknown"


@dataclass(frozen=True)
class Salvage:
    """The recoverable and the lost parts of a file.

    Attributes
    ----------
    tiles
        The sub-blocks to recover, in file order, with the positions where they were found.
    lost
        The known sub-blocks that are destroyed.
    directory_is_whole
        Whether the sub-block directory of the file is intact.
    unlisted, superseded
        The numbers of intact sub-blocks that are left out, because the intact directory does not
        list them, or because a later one has the same coordinates.
    elsewhere
        The entries of sub-blocks in other files of the document.
    doubtful
        Recovered sub-blocks whose directory entries differ from their segments.
    metadata
        The positions of segments with XML, the best first.
    had_metadata
        Whether the file may have had metadata.
    attachments, lost_attachments
        The attachments to recover, and those that are destroyed.
    unknown_bytes
        The number of bytes that belong to no segment.
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
    """Decide what a file contains.

    Parameters
    ----------
    source, found
        The file, and its possible segments.
    number
        The part number of the file in the document.
    listed
        The entries for this file in the master file of the document.
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
    """The intact attachments, and those that are lost."""

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
            self.lost.append(LostPart(LIST_OF_ATTACHMENTS, _LIST_DESTROYED))

    def _by_place(self, rows: NDArray[np.intp]) -> dict[int, int]:
        """Return the most credible row for each original position.

        Attachments of documents in attachments are left out.
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
        if missing or not listed.is_complete:  # perhaps only the position in an entry is wrong
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
    """Return the positions of the XML, except in documents in attachments.

    First comes the one that the header names, then one just before the directory, then the last.
    """
    named = None if header is None else header.metadata_position
    rows = found.rows(METADATA)
    rows = rows[np.isin(found.position[rows], outer_places(found, METADATA, named))]
    keys = (found.position[rows], found.room[rows] == directory, found.position[rows] == named)
    places: list[int] = found.position[rows][np.lexsort(keys)][::-1].tolist()
    return places


def _unknown_bytes(found: FoundSegments) -> int:
    """Return the number of bytes between segments that no segment has allocated."""
    whole = np.flatnonzero(found.fault == 0)
    starts = np.append(found.position[whole], found.size)
    ends = -(-found.end[whole] // ALIGNMENT) * ALIGNMENT
    before = np.concatenate([[FILE_HEADER_SIZE if found.size >= FILE_HEADER_SIZE else 0], ends])
    rooms = np.concatenate([[0], found.room[whole]])
    gaps = starts - np.maximum.accumulate(before)
    gaps[(gaps < ALIGNMENT) | (rooms == starts)] = 0
    return int(gaps.sum())
