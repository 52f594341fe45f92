"""The stored pyramid levels, the pixel grid of each, and how the pixels of a tile map to a grid.

At zoom 1 stored pixels are copied. At any other zoom each pixel of the result takes the nearest
pixel of the tile, with exactly the arithmetic of libCZI's scaling accessor (in double, without a
shift by half a pixel), so that results agree bit for bit. native/kernel/choose.cpp does the same.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Union

import numpy as np
from numpy.typing import NDArray

from czictypes.model.geometry import ABSENT, Rectangle
from czictypes.reading.table import SubBlockTable

Source = Union[slice, NDArray[np.intp]]


class Span(NamedTuple):
    """The pixels `first` up to `end` that a tile paints along an axis, none unless `end` is larger.

    They take their values from the `pixels` of the tile.
    """

    first: int
    end: int
    pixels: Source

    def part(self, first: int, end: int) -> Span:
        """Return some of the pixels, counted from the first one on."""
        pixels = self.pixels
        if isinstance(pixels, slice):
            chosen: Source = slice(pixels.start + first, pixels.start + end)
        else:
            chosen = pixels[first:end]
        return Span(self.first + first, self.first + end, chosen)


_NONE = Span(0, 0, slice(0, 0))


def copied_span(start: int, stored: int, roi_start: int, roi_size: int) -> Span:
    """Return the pixels that a tile paints at zoom 1."""
    offset = start - roi_start
    first, end = max(offset, 0), min(offset + stored, roi_size)
    return Span(first, end, slice(first - offset, end - offset))


def scaled_span(
    start: int, size: int, stored: int, roi_start: int, roi_size: int, out_size: int
) -> Span:
    """Return the pixels that a tile, which meets the region, paints at any other zoom."""
    if stored < 1:
        return _NONE
    low, high = max(start, roi_start), min(start + size, roi_start + roi_size)
    # The overlap as fractions of the tile and of the region, then in their pixels.
    source_low = (low - start) / size
    source = source_low * stored
    source_size = ((high - start) / size - source_low) * stored
    target_low = (low - roi_start) / roi_size
    target = target_low * out_size
    target_size = ((high - roi_start) / roi_size - target_low) * out_size
    least = math.ceil((0 - source) * target_size / source_size + target)
    most = math.ceil((stored - 1 - source) * target_size / source_size + target)
    first = max(least, int(target), 0)
    end = min(most, int(target + target_size), out_size - 1) + 1
    pixels = np.arange(first, end, dtype=np.float64)
    positions = (pixels - target) * (source_size / target_size) + source
    nearest = round_half_away(positions).astype(np.intp)
    return Span(first, end, nearest.clip(0, stored - 1))


def gridded_span(
    start: int, size: int, stored: int, factor: float, roi_start: int, roi_size: int
) -> Span:
    """Return the pixels that a tile paints of a grid with one pixel per `factor` pixels.

    A pixel of the grid takes the pixel at its top left corner.
    """
    first = max(math.ceil(start / factor) - roi_start, 0)
    end = min(math.ceil((start + size) / factor) - roi_start, roi_size)
    if stored < 1:
        return _NONE
    corners = (np.arange(first, end) + roi_start) * factor
    position = np.floor((corners - start) * stored / size).astype(np.intp)
    return Span(first, end, position.clip(0, stored - 1))


def round_half_away(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round to whole numbers, halves away from zero (numpy's own rint rounds them to even)."""
    whole = np.trunc(values)
    return whole + np.copysign(np.abs(values - whole) >= 0.5, values)


#: The largest extent in pixels that shows well without a pyramid.
_WITHOUT_PYRAMID = 4096


class PyramidLevel(NamedTuple):
    """A stored resolution level.

    Attributes
    ----------
    level
        Its number; 0 is full resolution.
    minification
        The number of layer-0 pixels along an axis that one pixel stands for.
    zoom
        The inverse of `minification`; `CziReader.read` uses this level at this zoom.
    sub_block_count
        The number of its sub-blocks.
    """

    level: int
    minification: float
    zoom: float
    sub_block_count: int


def pyramid_levels(table: SubBlockTable, scene: int | None = None) -> list[PyramidLevel]:
    """Return the levels of a scene (by default of all), full resolution first."""
    rows, sub_block = table.directory, table.rows.sub_blocks(np.arange(table.count))
    usable = np.isfinite(table.minification) & (table.minification > 0)  # else a damaged entry
    chosen = usable if scene is None else usable & (rows.scene == scene)
    levels = table.levels[chosen]
    minifications, sub_block = table.minification[chosen], sub_block[chosen]
    found = []
    for level in np.unique(levels):
        members = levels == level
        minification = float(np.median(minifications[members]))
        count = len(np.unique(sub_block[members]))
        found.append(PyramidLevel(int(level), minification, 1 / minification, count))
    return found


def needs_pyramid(table: SubBlockTable) -> bool:
    """Return whether the image exceeds 4096 x 4096 pixels and has no pyramid."""
    box = table.total_rectangle_no_pyramid
    return max(box.w, box.h) > _WITHOUT_PYRAMID and not table.has_pyramid


class LevelGrid(NamedTuple):
    """The grid of one level.

    Attributes
    ----------
    number
        Its tiles' number in `SubBlockTable.levels`; 0 is full resolution.
    factor
        The full-resolution pixels per pixel along each axis.
    box
        The rectangle of the whole level, in full-resolution pixels.
    width, height
        Its size in its own pixels.
    """

    number: int
    factor: float
    box: Rectangle
    width: int
    height: int

    def around(self, roi: Rectangle) -> Rectangle:
        """Return the full-resolution region that contains the tiles of a part of the level."""
        left, top = (math.floor((start - 1) * self.factor) for start in roi[:2])
        right = math.ceil((roi.x + roi.w + 1) * self.factor)
        bottom = math.ceil((roi.y + roi.h + 1) * self.factor)
        return Rectangle(left + self.box.x, top + self.box.y, right - left, bottom - top)

    def span(
        self,
        axis: int,
        start: int,
        size: int,
        stored: int,
        is_own: bool,
        roi_start: int,
        roi_size: int,
    ) -> Span:
        """Return the pixels that a tile paints of a part of the level, along x (0) or y (1).

        `start`, `size` and `stored` are the tile's position and size in full-resolution pixels, and
        its stored size; `is_own` is true for a tile of this level.
        """
        start -= self.box[axis]
        if self.number == 0:
            return copied_span(start, stored, roi_start, roi_size)
        if is_own and abs(stored - size / self.factor) < 1:
            return copied_span(math.floor(start / self.factor + 0.5), stored, roi_start, roi_size)
        return gridded_span(start, size, stored, self.factor, roi_start, roi_size)


def level_grids(table: SubBlockTable, scene: int | None, box: Rectangle) -> list[LevelGrid]:
    """Return the grids of the stored levels, full resolution first.

    `scene` is None for all scenes; `box` is their rectangle in full-resolution pixels.
    """
    found = [LevelGrid(0, 1.0, box, box.w, box.h)]
    rows = table.directory
    usable = ~table.is_layer0 & (rows.stored_w > 0) & (rows.stored_h > 0)
    usable &= (rows.w > 0) & (rows.h > 0)
    if scene is not None:
        usable &= (rows.scene == scene) | (rows.scene == ABSENT) & table.meets(box)
    members = np.flatnonzero(usable)
    levels = table.levels[members]
    for number in np.unique(levels).tolist():
        found.append(_grid(table, members[levels == number], number, box))
    return found


def _grid(
    table: SubBlockTable, members: NDArray[np.intp], number: int, box: Rectangle
) -> LevelGrid:
    rows = table.directory
    factor = _factor(table, members, number)
    width = _extent(box.x, box.w, rows.x[members], rows.stored_w[members], factor)
    height = _extent(box.y, box.h, rows.y[members], rows.stored_h[members], factor)
    return LevelGrid(number, factor, box, width, height)


def _factor(table: SubBlockTable, members: NDArray[np.intp], number: int) -> float:
    """Return the factor of a level: a power of 2 or 3 or a whole number, if one fits.

    The largest tile decides, because rounding its size to whole pixels matters least.
    """
    rows = table.directory
    w, h = rows.stored_w[members], rows.stored_h[members]
    at = int(np.maximum(w, h).argmax())
    largest = members[at]
    if w[at] > h[at]:
        stored, size = int(w[at]), int(rows.w[largest])
    else:
        stored, size = int(h[at]), int(rows.h[largest])
    scale = max(size / stored, 1.0)  # a tile one pixel high may be stored in more rows
    for factor in (2.0**number, 3.0**number, float(round(scale))):
        if abs(stored - size / factor) < 1:
            return factor
    return scale


def _extent(
    origin: int, size: int, start: NDArray[np.int32], stored: NDArray[np.int32], factor: float
) -> int:
    """Return the size of a level; it includes the last, partial pixel if a tile does."""
    reach = np.floor((start.astype(np.int64) - origin) / factor + 0.5) + stored
    whole = math.floor(size / factor)
    return max(math.ceil(size / factor) if reach.max() > whole else whole, 1)
