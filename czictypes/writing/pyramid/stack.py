"""Makes the tiles of all levels from those of level 1, as these come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from numpy.typing import NDArray

from czictypes.model.geometry import Size
from czictypes.writing.pyramid.plan import PyramidGrid
from czictypes.writing.pyramid.reduce import reduce_pixels
from czictypes.writing.pyramid.seams import Seams

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
    blank
        Gives an image of a size in which every pixel is as where there is no tile.
    emit
        Takes every tile of every level as soon as it is complete, widened by `Seams`.
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
