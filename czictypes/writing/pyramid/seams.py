"""Lets neighbouring tiles of a pyramid share a row and a column of pixels.

libCZI draws a level up to 1.05 times as large as it is stored, pixel by pixel from each tile; a
pixel of the result that lies between the last pixel of one tile and the first of the next one is
drawn by neither then, and the background shows as a line. So each tile begins with the last
column of its left neighbour and the last row of the one above.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from czictypes.model.geometry import Size

__all__ = ["Seams"]


class Seams:
    """The edges of the tiles of a plane, kept until their neighbours have come.

    Parameters
    ----------
    blank
        Gives an image of a size in which every pixel is as where there is no tile.
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
