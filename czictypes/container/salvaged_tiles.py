"""Decide which sub-blocks of a damaged file belong to its document, and which are lost."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from czictypes.container.byte_source import ByteSource
from czictypes.container.columns import unique_rows
from czictypes.container.directory import Directory, join_directories, parse_entries
from czictypes.container.found import FAULTS, WITHIN, FoundSegments, trust
from czictypes.container.layout import ALIGNMENT, FILE_HEADER_SIZE, SUBBLOCK, SUBBLOCK_DIRECTORY
from czictypes.container.listed import (
    ListedTiles,
    directory_places,
    read_tile_list,
)
from czictypes.container.parts import ITSELF, part_numbers
from czictypes.container.segments import FileHeader
from czictypes.model.geometry import ABSENT, NO_M, Rectangle

Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]
Positions = NDArray[np.int64]

_PLACE = ("x", "y", "w", "h", "stored_w", "stored_h", "m")
_CONTENT = (*_PLACE, "pixel_type", "compression")
_DOUBTFUL = "its entry in the directory differs"


class SalvagedTiles:
    """The intact sub-blocks, and those that the directory lists.

    Parameters
    ----------
    source, found, header
        The file, its possible segments, and its header if intact.
    number
        The part number of the file in the document.
    listed
        The entries for this file in the master file of the document.

    Attributes
    ----------
    taken : ndarray of int
        The intact sub-blocks that belong to the document; an argument for `found`.
    directory_is_whole : bool
        Whether the directory is intact.
    directory_position : int
        The position of the best directory; -1 if there is none.
    elsewhere : Directory
        The entries for other files of the document.
    unlisted, superseded : int
        The numbers of intact sub-blocks that are left out, as in `Salvage`.
    """

    def __init__(
        self,
        source: ByteSource,
        found: FoundSegments,
        header: FileHeader | None,
        number: int,
        listed: Directory | None,
    ) -> None:
        self._found, self._source, self._number = found, source, number
        rows = found.rows(SUBBLOCK)
        rows = rows[~(np.isin(found.shift[rows], found.nested) & found.is_placed[rows])]
        self._rows = np.setdiff1d(rows, self._copies(rows))
        self.superseded = len(rows) - len(self._rows)
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
        """Return some of the intact sub-blocks, with the positions where they were found."""
        heads = self._heads.select(rows)
        nothing = np.zeros(len(rows), np.int32)
        return replace(heads, file_position=self._positions[rows], file_part=nothing)

    def lost(self) -> LostTiles:
        """Return the known sub-blocks that are not intact."""
        found = self._found
        broken = found.rows(SUBBLOCK, *range(1, WITHIN))
        faults = dict(zip(found.position[broken].tolist(), found.fault[broken].tolist()))
        missing = np.flatnonzero(self._matches < 0)
        if not self.directory_is_whole:  # perhaps only the position in an entry is wrong
            taken = self.found(self.taken)
            missing = missing[~_replaced(self._listed.select(missing), taken)]
        tiles = self._listed.select(missing)
        reasons = []
        for position in tiles.file_position.tolist():
            gone = BEHIND_END if position >= found.size else DESTROYED
            reasons.append(FAULTS[faults[position]] if position in faults else gone)
        if not self.directory_is_whole:
            known = np.isin(found.position[broken], tiles.file_position)
            broken = broken[found.is_located[broken] & ~known]
            reasons += [FAULTS[fault] for fault in found.fault[broken].tolist()]
            more = self._parsed(broken)
            tiles = join_directories(tiles, more, np.arange(more.count))
        return LostTiles((tiles, reasons))

    def doubtful(self) -> LostTiles:
        """Return the sub-blocks whose entries in the directory differ from their heads."""
        listed = np.flatnonzero(self._matches >= 0)
        rows = self._matches[listed]
        same = _agree(self._heads, rows, self._listed, listed)
        same &= self._heads.pyramid_type[rows] == self._listed.pyramid_type[listed]
        rows = rows[~same]
        tiles = self.found(np.intersect1d(rows, self.taken))
        return LostTiles((tiles, [_DOUBTFUL] * tiles.count))

    def _copies(self, rows: Rows) -> Rows:
        """Return the sub-blocks that have a more credible copy."""
        own = self._found.own_position[rows]
        number, counts = np.unique(own, return_inverse=True, return_counts=True)[1:]
        rows = rows[(counts[number.reshape(-1)] > 1) & (own >= FILE_HEADER_SIZE)]
        if not len(rows):
            return rows
        order = trust(self._found, rows)
        keys = (self._found.own_position[rows], _place_numbers(self._parsed(rows)))
        return rows[~_last_of_each(order, *keys)]

    def _parsed(self, rows: Rows) -> Directory:
        entries = b"".join(map(self._found.entry, rows.tolist()))
        return parse_entries(entries, len(rows), self._source.name)

    # The directory

    def _choose(self, named: int | None) -> ListedTiles:
        """Return the directory that fits the file best; prefer the one that the header names."""
        best, best_score = ListedTiles(parse_entries(b"", 0, ""), is_complete=False), 0
        self.directory_position = -1
        for position, limit in directory_places(self._found, SUBBLOCK_DIRECTORY, named):
            read = read_tile_list(self._source, position, limit)
            score = self._score(read.tiles)
            if position == named:
                best, best_score, self.directory_position = read, score, position
                if read.is_complete and read.tiles.count:
                    break
            elif score and score >= best_score:
                most = 2 * score > len(self._rows) and not (self._positions > self._own).any()
                best, best_score = read._replace(is_complete=read.is_complete and most), score
                self.directory_position = position
        return best

    def _score(self, listed: Directory) -> int:
        """Return how many entries agree with their sub-blocks."""
        rows = self._match(listed)
        matched = np.flatnonzero(rows >= 0)
        return int(_agree(self._heads, rows[matched], listed, matched).sum())

    def _split(self, listed: Directory) -> tuple[Directory, Directory]:
        """Split entries into those of this file and those of other files of the document."""
        if not listed.count:
            return listed, listed
        ours = part_numbers(listed.file_part, self._number) == ITSELF
        rows = self._match(listed)
        matched = np.flatnonzero(rows >= 0)
        ours[matched] |= _agree(self._heads, rows[matched], listed, matched)
        own, others = np.flatnonzero(ours), np.flatnonzero(~ours)
        return listed.select(own), listed.select(others)

    def _match(self, listed: Directory) -> Rows:
        """Return the intact sub-block of each entry; -1 where there is none."""
        wanted = listed.file_position
        moved = self._own != self._positions
        order = np.lexsort((moved, self._own))
        rows = _look_up(self._own[order], wanted)
        rows[rows >= 0] = order[rows[rows >= 0]]
        doubtful = np.flatnonzero(rows >= 0)
        doubtful = doubtful[moved[rows[doubtful]]]
        rows[doubtful[~_agree(self._heads, rows[doubtful], listed, doubtful)]] = -1
        rest = np.flatnonzero(rows < 0)  # perhaps the program wrote no positions into heads
        here = _look_up(self._positions, wanted[rest])
        rest, here = rest[here >= 0], here[here >= 0]
        same = _agree(self._heads, here, listed, rest)
        rows[rest[same]] = here[same]
        return rows

    def _contradicts_file(self) -> bool:
        """Return whether entries of the directory are impossible, so that it must be damaged."""
        matched = self._matches[self._matches >= 0]
        if len(np.unique(matched)) < len(matched) or not self._listed.count:
            return True
        missing = self._listed.file_position[self._matches < 0]
        whole = np.flatnonzero(self._found.fault == 0)
        starts, ends = self._found.position[whole], self._found.end[whole]
        rooms = self._found.room[whole]
        end = int(np.maximum(ends, np.where(rooms <= self._found.size, rooms, 0)).max(initial=0))
        is_cut = -(-end // ALIGNMENT) * ALIGNMENT < self._found.size
        before = np.searchsorted(starts, missing, side="right") - 1
        inside = (before >= 0) & (missing < ends[before]) if len(ends) else missing < 0
        wrong = inside | (missing < FILE_HEADER_SIZE) | (missing >= self._found.size) & (not is_cut)
        return bool(wrong.any())

    def _decide(self) -> None:
        listed = np.zeros(len(self._rows), bool)
        listed[self._matches[self._matches >= 0]] = True
        located = self._own == self._positions
        moved = self._own >= (FILE_HEADER_SIZE if located.any() else 0)
        self.unlisted = 0
        if self.directory_is_whole:
            others = np.flatnonzero((located | moved) & ~listed)
            meant = others[self._are_meant(others)]
            self.directory_is_whole = not len(meant)
            self.unlisted = len(others) - len(meant)
            candidates = np.union1d(np.flatnonzero(listed), meant)
        else:
            candidates = np.flatnonzero(listed | located | moved)
        kept = _latest(self._heads.select(candidates), np.where(listed, 2, located)[candidates])
        self.taken = candidates[kept]
        self.superseded += int((~kept).sum())
        if self.elsewhere.count and not self.directory_is_whole:
            found = _replaced(self.elsewhere, self.found(self.taken))
            self.elsewhere = self.elsewhere.select(np.flatnonzero(~found))

    def _are_meant(self, rows: Rows) -> Mask:
        """Return a mask of sub-blocks with the coordinates of an entry without a sub-block.

        Such an entry has a wrong position or file number, or a later sub-block is destroyed.
        """
        missing = self._listed.select(np.flatnonzero(self._matches < 0))
        missing = join_directories(missing, self.elsewhere, np.arange(self.elsewhere.count))
        return _replaced(self._heads.select(rows), missing)


def _look_up(known: Positions, wanted: Positions) -> Rows:
    """Return the first index of each wanted number in a sorted array; -1 where it is missing."""
    if not len(known):
        return np.full(len(wanted), -1, np.intp)
    places = np.searchsorted(known, wanted)
    inside = places.clip(max=len(known) - 1)
    return np.where(known[inside] == wanted, inside, -1)


def _agree(first: Directory, rows: Rows, second: Directory, others: Rows) -> Mask:
    """Return a mask of the rows that describe the same sub-block in two directories."""
    same = np.ones(len(rows), bool)
    for name in _CONTENT:
        same &= getattr(first, name)[rows] == getattr(second, name)[others]
    for one, other, lacking in (
        (first.coordinates, second.coordinates, ABSENT),
        (first.sizes, second.sizes, 1),
    ):
        for letter in {*one, *other}:
            left = one[letter][rows] if letter in one else lacking
            right = other[letter][others] if letter in other else lacking
            same &= left == right
    return same


def _place_numbers(tiles: Directory) -> NDArray[np.int64]:
    """Return a number for each sub-block, equal for those with the same coordinates."""
    columns = [getattr(tiles, name) for name in _PLACE]
    columns += [*tiles.coordinates.values(), *tiles.sizes.values()]
    return unique_rows(np.column_stack(columns))[1]


def _latest(tiles: Directory, rank: NDArray[np.int64]) -> Mask:
    """Return a mask that keeps one sub-block at each place: the last one of the highest rank.

    All sub-blocks of rank 2 are kept.
    """
    if not tiles.count:
        return np.zeros(0, bool)
    order = np.lexsort((np.arange(tiles.count), rank))
    kept: Mask = (rank == 2) | _last_of_each(order, _place_numbers(tiles))
    return kept


def _last_of_each(order: Rows, *keys: NDArray[np.int64]) -> Mask:
    """Return a mask of the rows that come last, in the given order, among those with equal keys."""
    order = order[np.lexsort([key[order] for key in keys])]
    kept = np.zeros(len(order), bool)
    differs = np.any([key[order][1:] != key[order][:-1] for key in keys], axis=0)
    kept[order[np.append(differs, True)]] = True
    return kept


def _replaced(tiles: Directory, others: Directory) -> Mask:
    """Return a mask of the sub-blocks that have the same coordinates as one of the others."""
    if not tiles.count:
        return np.zeros(0, bool)
    numbers = _place_numbers(join_directories(others, tiles, np.arange(tiles.count)))
    found: Mask = np.isin(numbers[others.count :], numbers[: others.count])
    return found


#: The reasons for parts without any segment.
DESTROYED = "its segment is destroyed"
BEHIND_END = "the file ends before it"


class LostTile(NamedTuple):
    """A sub-block that could not be recovered.

    Attributes
    ----------
    plane
        Its plane, such as ``{"C": 0, "T": 3}``.
    scene, m_index
        Its scene and M-index; None if it has none.
    rectangle
        The area that it covers, in layer-0 pixels.
    is_pyramid
        True for a tile of a reduced level, without which no pixel of the image is lost.
    position
        Its position in the file, in bytes.
    reason
        The damage.
    """

    plane: dict[str, int]
    scene: int | None
    m_index: int | None
    rectangle: Rectangle
    is_pyramid: bool
    position: int
    reason: str

    def __str__(self) -> str:
        """Describe the plane, the tile and the reason."""
        plane = " ".join(f"{letter}={place}" for letter, place in self.plane.items())
        scene = "" if self.scene is None else f"scene {self.scene}"
        tile = "" if self.m_index is None else f"M={self.m_index}"
        level = "pyramid tile" if self.is_pyramid else ""
        x, y, w, h = self.rectangle
        where = f"{w} x {h} at {x}, {y}"
        named = ", ".join(part for part in (plane, scene, tile, level, where) if part)
        return f"{named}: {self.reason}"


class LostTiles(Sequence[LostTile]):
    """The lost sub-blocks: a sequence that creates its items on demand, because there may be many.

    Each of `parts` is a directory and the reason for each of its rows.
    """

    def __init__(self, *parts: tuple[Directory, Sequence[str]]) -> None:
        self._parts = parts
        self._ends = list(accumulate(tiles.count for tiles, _ in parts))

    @classmethod
    def joined(cls, several: Iterable[LostTiles]) -> LostTiles:
        """Return several sequences joined to one."""
        return cls(*(part for one in several for part in one._parts))

    def __len__(self) -> int:
        """Return the number of lost sub-blocks."""
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, which: int) -> LostTile: ...

    @overload
    def __getitem__(self, which: slice) -> list[LostTile]: ...

    def __getitem__(self, which: int | slice) -> LostTile | list[LostTile]:
        """Return one sub-block, or those of a slice."""
        numbers = range(len(self))[which]
        if isinstance(numbers, range):
            return [self._made(number) for number in numbers]
        return self._made(numbers)

    def _made(self, number: int) -> LostTile:
        part = bisect_right(self._ends, number)
        tiles, reasons = self._parts[part]
        row = number - (self._ends[part - 1] if part else 0)
        return _lost_tile(tiles, row, reasons[row])


def _lost_tile(tiles: Directory, row: int, reason: str) -> LostTile:
    """Return a row of a directory as a `LostTile`."""
    plane = tiles.coordinate(row)
    scene = plane.pop("S", None)
    m = int(tiles.m[row])
    names = ("x", "y", "w", "h", "stored_w", "stored_h")
    x, y, w, h, stored_w, stored_h = (int(getattr(tiles, name)[row]) for name in names)
    pyramid = stored_w < w and stored_h < h
    position = int(tiles.file_position[row])
    area = Rectangle(x, y, w, h)
    return LostTile(
        plane, scene, None if m in (ABSENT, NO_M) else m, area, pyramid, position, reason
    )


class LostPart(NamedTuple):
    """An attachment that could not be recovered: its name and the reason."""

    name: str
    reason: str

    def __str__(self) -> str:
        """Return the name and the reason."""
        return f"{self.name}: {self.reason}"
