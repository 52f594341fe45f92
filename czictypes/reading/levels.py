"""The stored pyramid levels, and the pixel grid of each."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.model.geometry import ABSENT, Rectangle
from czictypes.reading.sampling import Span, copied_span, gridded_span
from czictypes.reading.table import SubBlockTable

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
    usable = ~table.is_layer0 & (rows.physical_w > 0) & (rows.physical_h > 0)
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
    width = _extent(box.x, box.w, rows.x[members], rows.physical_w[members], factor)
    height = _extent(box.y, box.h, rows.y[members], rows.physical_h[members], factor)
    return LevelGrid(number, factor, box, width, height)


def _factor(table: SubBlockTable, members: NDArray[np.intp], number: int) -> float:
    """Return the factor of a level: a power of 2 or 3 or a whole number, if one fits.

    The largest tile decides, because rounding its size to whole pixels matters least.
    """
    rows = table.directory
    w, h = rows.physical_w[members], rows.physical_h[members]
    at = int(np.maximum(w, h).argmax())
    largest = members[at]
    if w[at] > h[at]:
        stored, size = int(w[at]), int(rows.w[largest])
    else:
        stored, size = int(h[at]), int(rows.h[largest])
    for factor in (2.0**number, 3.0**number, float(round(size / stored))):
        if abs(stored - size / factor) < 1:
            return factor
    return size / stored


def _extent(
    origin: int, size: int, start: NDArray[np.int32], stored: NDArray[np.int32], factor: float
) -> int:
    """Return the size of a level; it includes the last, partial pixel if a tile does."""
    reach = np.floor((start.astype(np.int64) - origin) / factor + 0.5) + stored
    whole = math.floor(size / factor)
    return max(math.ceil(size / factor) if reach.max() > whole else whole, 1)
