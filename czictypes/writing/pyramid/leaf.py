"""Makes the tiles of level 1 from the full resolution of a plane."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.container.directory import Directory
from czictypes.model.geometry import Rectangle, Size
from czictypes.model.pixel_types import PixelType, pixel_format
from czictypes.reading.background import background_value, fill
from czictypes.reading.compositor import PlaneRequest, TileProvider, compose
from czictypes.reading.conversion import common_type
from czictypes.reading.plane_index import PlaneIndex
from czictypes.reading.table import SubBlockTable
from czictypes.reading.tile import Tile
from czictypes.writing.pyramid.plan import PlanePlan
from czictypes.writing.pyramid.reduce import reduce_pixels

__all__ = ["FullResolution", "plane_pixel_type"]

_EMPTY = (0.0, 0.0, 0.0, 0.0)  # black, and transparent where there is an alpha
_BAND = 32 << 20  # bytes of the full resolution that are composed at once


class FullResolution:
    """The full resolution of one plane of one scene; safe to use from many threads.

    Parameters
    ----------
    directory, tiles
        The sub-blocks of the document, and where their pixels come from.
    plan
        The plane.
    kind
        The filter, as for `reduce_pixels`.
    """

    def __init__(
        self, directory: Directory, tiles: TileProvider, plan: PlanePlan, kind: str
    ) -> None:
        self.plan = plan
        self.pixel_type = plane_pixel_type(directory, plan)
        self._kind = kind
        rows = directory.take(plan.sub_blocks, {})  # in the order of painting, which M stands for
        rows = replace(rows, m=np.arange(rows.count, dtype=np.int32))
        self._index = PlaneIndex(SubBlockTable(rows))
        self._tiles = _Chosen(tiles, plan.sub_blocks)

    def reduced(self, column: int, row: int) -> NDArray[Any]:
        """Return the pixels of a tile of level 1, (h, w, samples)."""
        grid = self.plan.grid
        area = grid.rectangle(1, column, row)
        made = self._empty(grid.size(1, column, row))
        bytes_per_row = area.w * grid.factor * pixel_format(self.pixel_type).bytes_per_pixel
        for first, end in _bands(len(made), bytes_per_row):
            top, height = area.y + first * grid.factor, (end - first) * grid.factor
            pixels = self._compose(Rectangle(area.x, top, area.w, height))
            made[first:end] = reduce_pixels(pixels, grid.factor, self._kind)
        return made

    def blank(self, size: Size) -> NDArray[Any]:
        """Return an image as it is where there is no tile."""
        pixels = self._empty(size)
        fill(pixels, background_value(self.pixel_type, _EMPTY))
        return pixels

    def _empty(self, size: Size) -> NDArray[Any]:
        layout = pixel_format(self.pixel_type)
        return np.empty((size.h, size.w, layout.samples), layout.dtype)

    def _compose(self, roi: Rectangle) -> NDArray[Any]:
        request = PlaneRequest(roi, {}, None, 1.0, self.pixel_type, _EMPTY)
        out = self._empty(Size(roi.w, roi.h))
        compose(self._index, request, self._tiles, out, threads=1)
        return out


def plane_pixel_type(directory: Directory, plan: PlanePlan) -> PixelType:
    """Return the pixel type that holds all sub-blocks of a plane.

    Raises
    ------
    UnsupportedDataError
        If there is none, or libCZI does not know their type.
    """
    types = dict.fromkeys(directory.pixel_type[plan.sub_blocks].tolist())
    plane = ", ".join(f"{name}={at}" for name, at in plan.coordinate.items())
    return common_type(types, f"the plane {plane}" if plane else "the image")


class _Chosen:
    """Some sub-blocks of a document under the numbers that they have among themselves."""

    def __init__(self, tiles: TileProvider, chosen: NDArray[np.intp]) -> None:
        self._tiles, self._chosen = tiles, chosen

    def tile(self, index: int) -> AbstractContextManager[Tile]:
        return self._tiles.tile(int(self._chosen[index]))


def _bands(height: int, bytes_per_row: int) -> Iterator[tuple[int, int]]:
    step = max(_BAND // bytes_per_row, 1)
    for first in range(0, height, step):
        yield first, min(first + step, height)
