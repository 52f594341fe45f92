"""Makes the tiles of the higher levels, each from those of the level below, as these come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.writing.pyramid_plan import PyramidGrid
from czictypes.writing.pyramid_reduce import reduce_pixels

__all__ = ["LevelStack"]

#: Takes level, column, row and pixels of a tile that is complete.
Emit = Callable[[int, int, int, NDArray[Any]], None]


class _Unfinished(NamedTuple):
    column: int
    row: int
    pixels: NDArray[Any]


class LevelStack:
    """One unfinished tile for each higher level of a plane; there are never more in memory.

    That is enough because tiles come in the order of `PlanePlan.cells`: all those that make one
    tile follow each other, on each level.

    Parameters
    ----------
    grid
        The levels of the scene.
    kind
        The filter, as for `reduce_pixels`.
    emit
        Takes every tile of level 2 and above, as soon as it is complete.
    """

    def __init__(self, grid: PyramidGrid, kind: str, emit: Emit) -> None:
        self._grid, self._kind, self._emit = grid, kind, emit
        self._open: dict[int, _Unfinished] = {}

    def add(self, level: int, column: int, row: int, pixels: NDArray[Any]) -> None:
        """Take a complete tile of a level (the first, from outside) into the one above."""
        factor = self._grid.factor
        small = reduce_pixels(pixels, factor, self._kind) if level < self._grid.levels else None
        if small is None or 0 in small.shape:
            return
        parent = self._parent(level + 1, column // factor, row // factor, small)
        share = self._grid.tile // factor
        top, left = row % factor * share, column % factor * share
        parent[top : top + small.shape[0], left : left + small.shape[1]] = small

    def finish(self) -> None:
        """Complete what is unfinished: no tile follows."""
        for level in range(2, self._grid.levels + 1):
            self._complete(level)

    def _parent(self, level: int, column: int, row: int, like: NDArray[Any]) -> NDArray[Any]:
        """Return the pixels of a tile that takes some; another one of its level is complete."""
        tile = self._open.get(level)
        if tile is not None and (tile.column, tile.row) == (column, row):
            return tile.pixels
        for below in range(2, level + 1):
            self._complete(below)
        size = self._grid.size(level, column, row)
        pixels = np.zeros((size.h, size.w, like.shape[2]), like.dtype)
        self._open[level] = _Unfinished(column, row, pixels)
        return pixels

    def _complete(self, level: int) -> None:
        tile = self._open.pop(level, None)
        if tile is not None:
            self._emit(level, *tile)
            self.add(level, *tile)
