"""The planes of a document: a row for each plane of each sub-block, in the size that is read.

Almost always these are the entries of the sub-block directory. There are three exceptions:

- A sub-block whose entry has a size above 1 in T, Z or another dimension holds that many planes,
  one after the other, if its data are long enough. Line scans are stored like this. The dimension
  that the entry lists first varies fastest.
- A full-resolution sub-block (`full_resolution`) that is stored in another size is read in the
  size that it covers. Each pixel is the nearest stored one to the left and above: ``floor(i *
  stored / logical)``. A pyramid tile that is finer than these pixels has a row without width and
  height, which no read meets.
- A sub-block whose stored size is negative has an ordinary row, and reads that need it raise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.container.byte_source import ByteSource
from czictypes.container.columns import lowest, unique_rows
from czictypes.container.directory import Directory, SubBlockExtents
from czictypes.container.limits import Bounds, planes_believed
from czictypes.container.subblock import HEAD_ROOM, check_pixels, read_subblock_segment
from czictypes.model.errors import CorruptFileError, MissingPartError, UnsupportedDataError
from czictypes.model.geometry import ABSENT
from czictypes.model.pixel_types import Compression, PixelType, pixel_format
from czictypes.reading.full_resolution import full_resolution, is_larger

Mask = NDArray[np.bool_]

#: The size of the sample of sub-blocks that is read from a remote file.
_SAMPLES = 16
#: The number of sub-blocks whose heads are read together.
_AT_ONCE = 4096
_INT32 = 2**31


@dataclass(frozen=True)
class PlaneRows:
    """The rows that reads work with, and their origin.

    Attributes
    ----------
    directory
        Coordinate, position and size of each row. The stored size of full resolution equals its
        logical size here.
    stored
        The entries of the file's directory: a row for each sub-block.
    sub_block
        The sub-block of each row; None if row n is sub-block n.
    part
        The index of each row's plane in its sub-block; None if all are the first.
    special
        The rows whose pixels are not simply those of their sub-block; None if there are none.
    magnification
        The pixels of the rows per pixel of the file's coordinate system, in x and in y.
    """

    directory: Directory
    stored: Directory
    sub_block: NDArray[np.intp] | None = None
    part: NDArray[np.int64] | None = None
    special: Mask | None = None
    magnification: tuple[float, float] = (1.0, 1.0)

    def sub_blocks(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the sub-block numbers of some rows."""
        return rows if self.sub_block is None else self.sub_block[rows]

    def sub_block_of(self, row: int) -> int:
        """Return the sub-block number of a row."""
        return row if self.sub_block is None else self.sub_block.item(row)

    def parts(self, rows: NDArray[np.intp]) -> NDArray[np.int64]:
        """Return the plane indices of some rows within their sub-blocks."""
        return np.zeros(len(rows), np.int64) if self.part is None else self.part[rows]

    def part_of(self, row: int) -> int:
        """Return the plane index of a row within its sub-block."""
        return 0 if self.part is None else self.part.item(row)

    def is_special(self, row: int) -> bool:
        """Return whether the pixels of a row are not simply those of its sub-block."""
        return self.special is not None and self.special.item(row)

    def rows_of(self, sub_block: int) -> range:
        """Return the rows of a sub-block."""
        if self.sub_block is None:
            return range(sub_block, sub_block + 1)
        first, end = np.searchsorted(self.sub_block, [sub_block, sub_block + 1]).tolist()
        return range(first, end)


def plane_rows(
    source: ByteSource,
    directory: Directory,
    *,
    stored_resolution: bool = False,
    bounds: Bounds | None = None,
) -> PlaneRows:
    """Return the planes of a document; reads only the heads of sub-blocks that claim several.

    With `stored_resolution` all coordinates are magnified so that the tile with the most stored
    pixels for its size shows each of them. Raises SparseDocumentError if there are more planes than
    `bounds` allows, and OSError if the file cannot be read.
    """
    rows = _one_row_each(source, directory, bounds)
    columns = _with_possible_sizes(rows.directory)
    other = full_resolution(columns)
    if other is None:
        if columns is rows.directory:
            return rows
        other = np.zeros(columns.count, bool)
    full = other | (columns.w == columns.stored_w) & (columns.h == columns.stored_h)
    scale = (1.0, 1.0)
    if stored_resolution:
        scale = (
            _most_pixels(columns.stored_w, columns.w, other),
            _most_pixels(columns.stored_h, columns.h, other),
        )
    x, w = _magnified(columns.x, columns.w, scale[0], source.name)
    y, h = _magnified(columns.y, columns.h, scale[1], source.name)
    unused = ~full & is_larger(w, h, columns.stored_w, columns.stored_h)
    w, h = np.where(unused, np.int32(0), w), np.where(unused, np.int32(0), h)
    stored_w = np.where(full, w, columns.stored_w)
    stored_h = np.where(full, h, columns.stored_h)
    stored = rows.directory
    special = (stored_w != stored.stored_w) | (stored_h != stored.stored_h)
    if rows.special is not None:
        special |= rows.special
    for column in (x, y, w, h, stored_w, stored_h):
        column.setflags(write=False)
    as_read = replace(columns, x=x, y=y, w=w, h=h, stored_w=stored_w, stored_h=stored_h)
    return replace(rows, directory=as_read, special=special, magnification=scale)


def _with_possible_sizes(directory: Directory) -> Directory:
    """Replace negative stored sizes by plausible ones.

    The other axis determines the ratio of stored to logical size, so that a damaged pyramid tile
    stays in its level.
    """
    columns = directory
    if lowest(columns.stored_w) >= 0 and lowest(columns.stored_h) >= 0:
        return directory
    damaged = (columns.stored_w < 0) | (columns.stored_h < 0)
    rows = np.flatnonzero(damaged & (columns.w > 0) & (columns.h > 0))
    if not len(rows):
        return directory
    logical = np.column_stack([columns.w[rows], columns.h[rows]])
    stored = np.column_stack([columns.stored_w[rows], columns.stored_h[rows]])
    share = np.where(stored > 0, stored / logical, 0).max(axis=1)
    unknown = np.where(columns.pyramid_type[rows] > 0, 0.5, 1)
    share = np.where(share > 0, share, unknown)[:, np.newaxis]
    possible = np.where(stored > 0, stored, np.rint(logical * share).clip(1, _INT32 - 1))
    stored_w, stored_h = columns.stored_w.copy(), columns.stored_h.copy()
    stored_w[rows], stored_h[rows] = possible.T
    return replace(directory, stored_w=stored_w, stored_h=stored_h)


def _most_pixels(stored: NDArray[np.int32], size: NDArray[np.int32], full: Mask) -> float:
    """Return the largest number of stored pixels per pixel along an axis; at least 1."""
    return float((stored[full] / size[full].astype(np.float64)).max(initial=1.0))


def _magnified(
    start: NDArray[np.int32], size: NDArray[np.int32], scale: float, name: str
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return positions and sizes along an axis in magnified pixels."""
    if scale == 1:
        return start, size
    first = np.rint(start * scale)
    end = np.rint((start.astype(np.int64) + size) * scale)
    if max(abs(first).max(), abs(end).max()) >= _INT32:
        raise UnsupportedDataError(
            f"the stored resolution of {name} is {scale:g} times the logical one, so its "
            "coordinates do not fit into 32 bits; read the file without stored_resolution"
        )
    return first.astype(np.int32), (end - first).astype(np.int32)


# A row for each plane


def _one_row_each(source: ByteSource, directory: Directory, bounds: Bounds | None) -> PlaneRows:
    if not directory.sizes:
        return PlaneRows(directory, directory)
    claimed = _claimed(directory)
    several = np.flatnonzero(claimed > 1)
    counts = np.ones(directory.count, np.int64)
    counts[several] = _planes_in(source, directory, several, claimed[several])
    total = int(counts.sum())
    if bounds is not None:
        bounds.check_rows(total - directory.count)
    if (counts == 1).all():
        return PlaneRows(directory, directory)
    sub_block = np.repeat(np.arange(directory.count, dtype=np.intp), counts)
    part = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
    coordinates = {name: column[sub_block] for name, column in directory.coordinates.items()}
    for name, step in _steps(source, directory, counts).items():
        here = counts[sub_block] > 1
        place = part // step[sub_block] % directory.sizes[name][sub_block]
        coordinates[name] += np.where(here, place, 0).astype(np.int32)
    expanded = directory.take(sub_block, coordinates)
    return PlaneRows(expanded, directory, sub_block, part, counts[sub_block] > 1)


def _claimed(directory: Directory) -> NDArray[np.int64]:
    """Return the planes that each entry claims: at most 2**62, and 1 if coordinates overflow."""
    sizes = [column.astype(np.float64) for column in directory.sizes.values()]
    product: NDArray[np.int64] = np.minimum(reduce(np.multiply, sizes), 2.0**62).astype(np.int64)
    for name, column in directory.sizes.items():
        product[directory.coordinates[name] + column.astype(np.int64) > _INT32] = 1
    return product


def _planes_in(
    source: ByteSource, directory: Directory, several: NDArray[np.intp], claimed: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the number of planes in the data of some sub-blocks.

    Each head costs a remote file a request or 32 KB. So if there are many sub-blocks, and all of a
    sample hold as many planes as they claim, the others are trusted as far as the file has room for
    their claims; reading one that holds fewer raises.
    """
    found: NDArray[np.int64] = claimed.copy()
    unsure = np.arange(len(several))
    if source.is_remote and len(several) > 4 * _SAMPLES and len(directory.sizes) == 1:
        some = np.linspace(0, len(several) - 1, _SAMPLES).astype(np.intp)
        counted = _counted(source, directory, several[some], claimed[some])
        if (counted == claimed[some]).all():
            unsure = np.flatnonzero(~_have_room(source, directory, several, claimed))
    found[unsure] = _counted(source, directory, several[unsure], claimed[unsure])
    return found


def _have_room(
    source: ByteSource, columns: Directory, several: NDArray[np.intp], claimed: NDArray[np.int64]
) -> Mask:
    """Return which sub-blocks may hold all that they claim before the next segment begins."""
    room = SubBlockExtents(columns, source.size()).room(several)
    pixels = columns.stored_w[several].astype(np.float64) * columns.stored_h[several] * claimed
    kinds, which = np.unique(columns.pixel_type[several], return_inverse=True)
    known = list(PixelType)
    sizes = [
        pixel_format(one).bytes_per_pixel if one in known else math.inf for one in kinds.tolist()
    ]
    packed = columns.compression[several] != Compression.Uncompressed.value
    fits: Mask = packed | (pixels * np.array(sizes)[which.reshape(-1)] < room)
    return fits & (claimed <= planes_believed())


def _counted(
    source: ByteSource, directory: Directory, several: NDArray[np.intp], claimed: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the number of planes in some sub-blocks, from the head of each."""
    found = np.ones(len(several), np.int64)
    for first in range(0, len(several), _AT_ONCE):
        some = several[first : first + _AT_ONCE].tolist()
        heads = [(at, HEAD_ROOM) for at in directory.file_position[some].tolist()]
        with source.read_ahead(heads):
            for place, index in enumerate(some, first):
                found[place] = _planes_held(source, directory, index, claimed.item(place))
    return found


def _planes_held(source: ByteSource, directory: Directory, index: int, claimed: int) -> int:
    """Return the planes of one sub-block; the claimed number if it cannot be read."""
    try:
        segment = read_subblock_segment(source, directory, index)
        planes, size = check_pixels(source, segment).planes, segment.data_size
    except (CorruptFileError, UnsupportedDataError, MissingPartError):
        return claimed if claimed <= planes_believed() else 1
    return 1 if planes > planes_believed(size) else planes


def _steps(
    source: ByteSource, directory: Directory, counts: NDArray[np.int64]
) -> dict[str, NDArray[np.int64]]:
    """Return for each dimension after how many planes its position changes, for each sub-block."""
    steps = {name: np.ones(directory.count, np.int64) for name in directory.sizes}
    dimensions = sum((column > 1).astype(np.int8) for column in directory.sizes.values())
    for index in np.flatnonzero((counts > 1) & (dimensions > 1)).tolist():
        sizes, step = directory.sizes_of(index), 1
        try:
            letters = read_subblock_segment(source, directory, index).entry.letters
        except (CorruptFileError, MissingPartError):
            letters = ""  # its pixels cannot be read anyway
        for name in sorted(sizes, key=letters.find):
            steps[name][index] = step
            step *= sizes[name]
    return steps


_MOST = 1 << 62
#: The number of planes for which `PlaneKeys.shown` is cached.
_KEPT = 4096


class ShownPlane(NamedTuple):
    """A plane that shows in a read: its key and its rank; lower ranks are painted first."""

    key: int
    rank: int


class PlaneKeys:
    """The planes of the tiles of a document.

    Dimensions of size 1 do not distinguish planes, because tiles may lack them. `keys` has a number
    for each tile, equal for tiles of the same plane.
    """

    def __init__(self, columns: Directory, bounds: Mapping[str, tuple[int, int]]) -> None:
        several = {name: one for name, one in bounds.items() if one[1] > 1}
        places = [columns.coordinates[name] for name in several]
        self._steps: dict[str, tuple[int, int, int]] = {}
        step = 1
        for name, (start, size) in several.items():
            self._steps[name] = start - 1, size, step
            step *= size + 1
        self._numbers: dict[tuple[int, ...], int] | None = None
        if step < _MOST:
            self.keys = np.zeros(columns.count, np.int64)
            for column, (least, _, width) in zip(places, self._steps.values()):
                place = np.where(column == ABSENT, 0, column.astype(np.int64) - least)
                self.keys += place * width
        else:
            planes, self.keys = unique_rows(np.column_stack(places))
            self._numbers = {tuple(plane): at for at, plane in enumerate(planes.tolist())}
        self._lacking = self._combinations(places)
        self._found: dict[tuple[Any, ...], list[ShownPlane]] = {}

    def _combinations(self, places: list[NDArray[np.int32]]) -> list[frozenset[str]]:
        """Return the sets of dimensions that tiles lack together, the largest first."""
        lacked = [
            (name, column == ABSENT)
            for name, column in zip(self._steps, places)
            if column.min(initial=0) == ABSENT
        ]
        if not lacked:
            return []
        names = np.array([name for name, _ in lacked])
        patterns = unique_rows(np.column_stack([absent for _, absent in lacked]))[0]
        found = [frozenset(names[pattern].tolist()) for pattern in patterns if pattern.any()]
        return sorted(found, key=lambda one: (-len(one), sorted(one)))

    def shown(self, plane: Mapping[str, int], *, by_lacking: bool = False) -> list[ShownPlane]:
        """Return the planes that show in a plane, for a position in each dimension of size above 1.

        A tile that lacks a dimension (one channel without Z beside a stack) shows at every position
        in it, below the tiles that have that position. With `by_lacking`, tiles that lack the same
        number of dimensions have the same rank.
        """
        asked = (by_lacking, *plane.items())
        found = self._found.get(asked)
        if found is None:
            if len(self._found) >= _KEPT:
                self._found.clear()
            found = self._found[asked] = self._shown(plane, by_lacking)
        return found

    def _shown(self, plane: Mapping[str, int], by_lacking: bool) -> list[ShownPlane]:
        found: list[ShownPlane] = []
        for names in (*self._lacking, frozenset[str]()):
            places = [ABSENT if name in names else plane.get(name, ABSENT) for name in self._steps]
            rank = -places.count(ABSENT) if by_lacking else len(found)
            key = self._key(places)
            if key is not None and all(one.key != key for one in found):
                found.append(ShownPlane(key, rank))
        return found

    def _key(self, places: list[int]) -> int | None:
        if self._numbers is not None:
            return self._numbers.get(tuple(places))
        key = 0
        for at, (least, size, step) in zip(places, self._steps.values()):
            if at != ABSENT:
                if not 0 < at - least <= size:
                    return None
                key += (at - least) * step
        return key
