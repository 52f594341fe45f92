"""Tiles that stand in rows and columns: those that meet a region are found without a search.

Most planes are of this kind: one tile alone, or the tiles into which a writer cut a picture. Tiles
on a lattice never overlap, so neither M-index nor file order decides what is seen of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.container.directory import Directory
from czictypes.model.geometry import Rectangle
from czictypes.model.pixel_types import Compression

__all__ = ["Lattice", "find_lattice"]

Indices = NDArray[np.intp]

_STORED = int(Compression.Uncompressed)
#: A lattice may be so many times as large as the number of its tiles; a sparser one is none.
_SPARSE = 4


class Lattice(NamedTuple):
    """The tiles of a plane, each in a cell of its own.

    Attributes
    ----------
    x, y
        The position of the first cell, in pixels of layer 0.
    width, height
        The size of a cell. A tile begins in its corner and is not larger.
    cells
        (rows, columns): the index of the sub-block in each cell, -1 where there is none.
    kind
        The number of the pixel type, where all tiles are of one type and stored uncompressed;
        otherwise None.
    last_width, last_height
        The width of all tiles in the last column, and the height of all in the last row. In the
        other ones all tiles are as large as their cell. 0 where the sizes do not follow that.
    """

    x: int
    y: int
    width: int
    height: int
    cells: Indices
    kind: int | None
    last_width: int
    last_height: int

    def rows(self, top: int, bottom: int) -> tuple[int, int]:
        """Return the first row that pixels from `top` to `bottom` (excluded) meet, and the end."""
        height = self.height
        first, end = (top - self.y) // height, -((self.y - bottom) // height)
        return max(first, 0), min(end, self.cells.shape[0])

    def columns(self, left: int, right: int) -> tuple[int, int]:
        """Return the same of columns."""
        width = self.width
        first, end = (left - self.x) // width, -((self.x - right) // width)
        return max(first, 0), min(end, self.cells.shape[1])

    def covers(self, roi: Rectangle) -> bool:
        """Tell whether tiles cover a region, if there is one in each cell; needs `last_width`."""
        rows, columns = self.cells.shape
        right = self.x + (columns - 1) * self.width + self.last_width
        bottom = self.y + (rows - 1) * self.height + self.last_height
        inside = roi.x >= self.x and roi.x + roi.w <= right
        return inside and roi.y >= self.y and roi.y + roi.h <= bottom


def find_lattice(directory: Directory, members: Indices) -> Lattice | None:
    """Return the lattice on which some sub-blocks of layer 0 stand; None where they do not."""
    if len(members) == 1:
        return _single(directory, members)
    x, y = (column[members].astype(np.int64) for column in (directory.x, directory.y))
    w, h = (column[members].astype(np.int64) for column in (directory.w, directory.h))
    if not len(members) or w.min() < 1 or h.min() < 1:
        return None
    left, top, width, height = int(x.min()), int(y.min()), int(w.max()), int(h.max())
    x -= left
    y -= top
    columns, rows = x // width, y // height  # by one number this is fast, and divmod is not
    shape = int(rows.max()) + 1, int(columns.max()) + 1
    if shape[0] * shape[1] > _SPARSE * len(members):
        return None
    if (columns * width != x).any() or (rows * height != y).any():
        return None
    cells = np.full(shape, -1, np.intp)
    cells[rows, columns] = members
    if np.count_nonzero(cells >= 0) < len(members):  # several in one cell
        return None
    kind = _common(directory.pixel_type[members])
    plain = _common(directory.compression[members]) == _STORED
    last_width = _last(w, columns, shape[1] - 1, width)
    last_height = _last(h, rows, shape[0] - 1, height)
    if not (last_width and last_height):
        last_width = last_height = 0
    return Lattice(
        left, top, width, height, cells, kind if plain else None, last_width, last_height
    )


def _single(directory: Directory, members: Indices) -> Lattice | None:
    index = members.item(0)
    w, h = directory.w.item(index), directory.h.item(index)
    if w < 1 or h < 1:
        return None
    plain = directory.compression.item(index) == _STORED
    kind = directory.pixel_type.item(index) if plain else None
    x, y = directory.x.item(index), directory.y.item(index)
    return Lattice(x, y, w, h, members.reshape(1, 1), kind, w, h)


def _common(values: NDArray[np.int32]) -> int | None:
    first = values.item(0)
    return first if (values == first).all() else None


def _last(sizes: NDArray[np.int64], places: NDArray[np.int64], last: int, size: int) -> int:
    """Return the one size of the tiles in the last place, if all others have the full one."""
    at_end = places == last
    common = _common(sizes[at_end])
    return 0 if common is None or (sizes[~at_end] != size).any() else common


def spans(first: int, end: int, count: int, size: int, last: int) -> Iterable[tuple[int, int, int]]:
    """Split a range of rows or columns of a lattice into parts of equal size: first, end, size."""
    if last == size:
        return [(first, end, size)]
    border = min(end, count - 1)
    parts = [(first, border, size), (max(first, count - 1), end, last)]
    return [part for part in parts if part[0] < part[1]]
