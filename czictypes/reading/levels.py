"""The pyramid levels that a file stores, and the grid of pixels of each."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.model.geometry import ABSENT, Rectangle
from czictypes.reading.sampling import Span, copied_span, gridded_span
from czictypes.reading.table import SubBlockTable

__all__ = [
    "NEEDS_PYRAMID_ABOVE",
    "LevelGrid",
    "PyramidLevel",
    "level_grids",
    "needs_pyramid",
    "pyramid_levels",
]


#: The extent in pixels up to which an image is shown well without a pyramid.
NEEDS_PYRAMID_ABOVE = 4096


class PyramidLevel(NamedTuple):
    """One stored level: its number (0 is full resolution), reduction, and sub-blocks.

    `minification` is the number of layer-0 pixels that one pixel stands for along an axis;
    `zoom`, its inverse, makes `CziReader.read` use this level.
    """

    level: int
    minification: float
    zoom: float
    sub_block_count: int


def pyramid_levels(table: SubBlockTable, scene: int | None = None) -> list[PyramidLevel]:
    """Return the levels of a scene (of all by default), the full resolution first."""
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
    """Tell whether the image is larger than 4096 x 4096 pixels and stores no pyramid."""
    box = table.total_rectangle_no_pyramid
    return max(box.w, box.h) > NEEDS_PYRAMID_ABOVE and not table.has_pyramid


#: libCZI takes a tile of slightly less zoom for one of full resolution.
_FULL_ZOOMS = (float(np.float32(1) / np.float32(1.05)), math.inf)


class LevelGrid(NamedTuple):
    """The grid of one level.

    Attributes
    ----------
    number
        The level that `SubBlockTable.levels` gives its tiles; 0 is the full resolution.
    factor
        How many pixels of full resolution a pixel stands for, along each axis.
    box
        What the whole level shows, in pixels of full resolution.
    width, height
        Its size in pixels of its own.
    zooms
        The least and the greatest zoom (as in `SubBlockTable.zoom`) of its tiles.
    """

    number: int
    factor: float
    box: Rectangle
    width: int
    height: int
    zooms: tuple[float, float]

    def around(self, roi: Rectangle) -> Rectangle:
        """Return the region of full resolution in which the tiles of a part of the level lie."""
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
        """Return what a tile paints of a part of the level, along x (0) or y (1).

        Parameters
        ----------
        axis
            0 for x, 1 for y.
        start, size, stored
            Its position and logical size in pixels of full resolution, and its stored size.
        is_own
            Whether it is of this very level.
        roi_start, roi_size
            The part.
        """
        start -= self.box[axis]
        if self.number == 0:
            return copied_span(start, stored, roi_start, roi_size)
        if is_own and abs(stored - size / self.factor) < 1:
            return copied_span(math.floor(start / self.factor + 0.5), stored, roi_start, roi_size)
        return gridded_span(start, size, stored, self.factor, roi_start, roi_size)


def level_grids(table: SubBlockTable, scene: int | None, box: Rectangle) -> list[LevelGrid]:
    """Return the grids of the levels that are stored, the full resolution first.

    Parameters
    ----------
    table
        The sub-blocks of the document.
    scene
        The scene that is shown, or None for all.
    box
        What is shown of it, in pixels of full resolution.
    """
    found = [LevelGrid(0, 1.0, box, box.w, box.h, _FULL_ZOOMS)]
    rows = table.directory
    usable = ~table.is_layer0 & (rows.physical_w > 0) & (rows.physical_h > 0)
    usable &= (rows.w > 0) & (rows.h > 0)
    if scene is not None:
        usable &= (rows.scene == scene) | (rows.scene == ABSENT) & _meets(table, box)
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
    zooms = table.zoom[members]
    return LevelGrid(number, factor, box, width, height, (float(zooms.min()), float(zooms.max())))


def _factor(table: SubBlockTable, members: NDArray[np.intp], number: int) -> float:
    """Return the factor of a level: a power of 2 or 3, or a whole number, where it can be.

    The largest tile decides, which suffers least from sizes that are rounded to whole pixels.
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
    """Return the size of a level: with the last pixel, which is not whole, if a tile has it."""
    reach = np.floor((start.astype(np.int64) - origin) / factor + 0.5) + stored
    whole = math.floor(size / factor)
    return max(math.ceil(size / factor) if reach.max() > whole else whole, 1)


def _meets(table: SubBlockTable, box: Rectangle) -> NDArray[np.bool_]:
    rows = table.directory
    x, y = rows.x.astype(np.int64), rows.y.astype(np.int64)
    meets: NDArray[np.bool_] = (
        (x < box.x + box.w) & (x + rows.w > box.x) & (y < box.y + box.h) & (y + rows.h > box.y)
    )
    return meets
