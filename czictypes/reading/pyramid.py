"""The pyramid levels that a file stores."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from czictypes.reading.table import SubBlockTable

__all__ = ["NEEDS_PYRAMID_ABOVE", "PyramidLevel", "needs_pyramid", "pyramid_levels"]

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
