"""The pixels of all levels of a pyramid, made from those of the full resolution.

Neighbouring tiles share a row and a column of pixels. libCZI draws a level up to 1.05 times as
large as it is stored, pixel by pixel from each tile; a pixel of the result that lies between the
last pixel of one tile and the first of the next one is drawn by neither then, and the background
shows as a line. So each tile begins with the last column of its left neighbour and the last row of
the one above.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.model.geometry import Size
from czictypes.writing.pyramid.tile_plan import PyramidGrid

Pixels = NDArray[Any]
#: The bytes of the sums that are worked on at a time: more fall out of the processor's cache.
_IN_CACHE = 1 << 20
#: Takes level, column, row and pixels of a tile that is complete.
Emit = Callable[[int, int, int, NDArray[Any]], None]


def reduce_pixels(pixels: Pixels, factor: int, kind: str) -> Pixels:
    """Reduce an image (h, w, samples) of any numeric type to (h // factor, w // factor, samples).

    Blocks of `factor` by `factor` pixels become one; rows and columns that do not fill a block are
    left out. With ``"mean"``, that of whole numbers is exact and then rounded, halves up; of floats
    it is computed in double precision. ``"nearest"`` takes the top left pixel. The result is
    contiguous, of the same dtype.
    """
    height, width = pixels.shape[0] // factor, pixels.shape[1] // factor
    pixels = pixels[: height * factor, : width * factor]
    made = np.empty((height, width, pixels.shape[2]), pixels.dtype)
    if kind == "nearest":
        for sample in range(pixels.shape[2]):  # as in `_sums`
            made[..., sample] = pixels[::factor, ::factor, sample]
        return made
    dtype = _sum_type(pixels.dtype, factor)
    step = max(_IN_CACHE // max(pixels[:1].size * dtype.itemsize, 1), 1)
    with np.errstate(invalid="ignore", over="ignore"):  # infinities and NaNs stay what they are
        for first in range(0, height, step):
            band = made[first : first + step]
            total = _sums(pixels[first * factor :][: len(band) * factor], factor, dtype)
            band[...] = _divided(total, factor * factor)
    return made


def _sum_type(dtype: np.dtype[Any], factor: int) -> np.dtype[Any]:
    """Return the smallest type that holds the sum of a block exactly (for floats: well)."""
    if dtype.kind == "c":
        return np.dtype(np.complex128)
    if dtype.kind == "f":
        return np.dtype(np.float64)
    needed = int(np.iinfo(dtype).max + 1) * factor * factor
    for wide in (np.uint16, np.uint32):
        if needed <= np.iinfo(wide).max:
            return np.dtype(wide)
    return np.dtype(np.uint64)


def _sums(pixels: Pixels, factor: int, dtype: np.dtype[Any]) -> Pixels:
    """Add up the blocks: rows first, which is fast as they are contiguous, then columns.

    Columns sample by sample, because numpy's innermost loop would be over the few samples else
    (three times slower; and np.sum over blocks takes thirty times as long as this).
    """
    rows = np.add(pixels[0::factor], pixels[1::factor], dtype=dtype)
    for number in range(2, factor):
        rows += pixels[number::factor]
    height, width, samples = rows.shape
    total = np.empty((height, width // factor, samples), dtype)
    for sample in range(samples):
        sums = total[..., sample]
        np.add(rows[:, 0::factor, sample], rows[:, 1::factor, sample], out=sums)
        for number in range(2, factor):
            sums += rows[:, number::factor, sample]
    return total


def _divided(total: Pixels, count: int) -> Pixels:
    """Return the rounded means of blocks with these sums, in the memory of the sums."""
    if total.dtype.kind in "fc":
        total /= count
    else:
        total += total.dtype.type(count // 2)
        total //= total.dtype.type(count)
    return total


class Seams:
    """The edges of the tiles of a plane, kept until their neighbours have come.

    `blank` gives an image of a size in which every pixel is as where there is no tile.
    """

    def __init__(self, blank: Callable[[Size], NDArray[Any]]) -> None:
        self._blank = blank
        self._right: dict[tuple[int, int, int], NDArray[Any]] = {}
        self._bottom: dict[tuple[int, int, int], NDArray[Any]] = {}
        self._corner: dict[tuple[int, int, int], NDArray[Any]] = {}

    def widened(self, level: int, column: int, row: int, pixels: NDArray[Any]) -> NDArray[Any]:
        """Return a tile with what it shares with its left and its upper neighbour, if any.

        Tiles come in an order in which those to the left and above were there before, as that
        of `PlanePlan.cells`.
        """
        place = level, column, row
        self._right[place] = pixels[:, -1].copy()
        self._bottom[place] = pixels[-1].copy()
        self._corner[place] = pixels[-1, -1].copy()
        left = self._right.pop((level, column - 1, row), None)
        above = self._bottom.pop((level, column, row - 1), None)
        if left is None and above is None:
            return pixels
        x, y = int(left is not None), int(above is not None)
        wide = self._blank(Size(pixels.shape[1] + x, pixels.shape[0] + y))
        wide[y:, x:] = pixels
        if left is not None:
            wide[y:, 0] = left
        if above is not None:
            wide[0, x:] = above
        corner = self._corner.get((level, column - 1, row - 1))
        if x and y and corner is not None:
            wide[0, 0] = corner
        return wide


class _Unfinished(NamedTuple):
    column: int
    row: int
    pixels: NDArray[Any]


class LevelStack:
    """One unfinished tile for each higher level of a plane; there are never more in memory.

    That is enough because tiles come in the order of `PlanePlan.cells`: all those that make one
    tile follow each other, on each level. `blank` is that of `Seams`; `emit` takes every tile of
    every level as soon as it is complete, widened by `Seams`.
    """

    def __init__(
        self, grid: PyramidGrid, kind: str, blank: Callable[[Size], NDArray[Any]], emit: Emit
    ) -> None:
        self._grid, self._kind = grid, kind
        self._blank, self._emit = blank, emit
        self._open: dict[int, _Unfinished] = {}
        self._seams = Seams(blank)

    def add(self, column: int, row: int, pixels: NDArray[Any]) -> None:
        """Take a tile of level 1."""
        self._take(1, column, row, pixels)

    def finish(self) -> None:
        """Complete what is unfinished: no tile follows."""
        for level in range(2, self._grid.levels + 1):
            self._complete(level)

    def _take(self, level: int, column: int, row: int, pixels: NDArray[Any]) -> None:
        """Give out a complete tile, and put it into the one of the level above."""
        self._emit(level, column, row, self._seams.widened(level, column, row, pixels))
        factor = self._grid.factor
        small = reduce_pixels(pixels, factor, self._kind) if level < self._grid.levels else None
        if small is None or 0 in small.shape:
            return
        parent = self._parent(level + 1, column // factor, row // factor)
        share = self._grid.tile // factor
        top, left = row % factor * share, column % factor * share
        parent[top : top + small.shape[0], left : left + small.shape[1]] = small

    def _parent(self, level: int, column: int, row: int) -> NDArray[Any]:
        """Return the pixels of a tile that takes some; another one of its level is complete."""
        tile = self._open.get(level)
        if tile is not None and (tile.column, tile.row) == (column, row):
            return tile.pixels
        for below in range(2, level + 1):
            self._complete(below)
        pixels = self._blank(self._grid.size(level, column, row))
        self._open[level] = _Unfinished(column, row, pixels)
        return pixels

    def _complete(self, level: int) -> None:
        tile = self._open.pop(level, None)
        if tile is not None:
            self._take(level, *tile)
