"""Chooses the tiles of a read in planes of few tiles: as `select_tiles`, in a tenth of the time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.model.geometry import ABSENT, Rectangle
from czictypes.reading.plane_index import PlaneIndex
from czictypes.reading.selection import (
    LAYER_STEP,
    TOLERANCE,
    only_scene,
    painting_rank,
    without_hidden,
)

__all__ = ["FewTiles"]

#: Planes of more tiles than this are searched by `PlaneIndex`.
_MOST = 256
#: The tiles of so many are kept as Python's numbers, 200 bytes each.
_KEPT = 50_000


class _Tile(NamedTuple):
    """A tile: in the order of painting, but for overlaps with tiles of higher zoom."""

    zoom: float
    rank: int
    sub_block: int
    left: int
    top: int
    right: int
    bottom: int


class FewTiles:
    """The tiles of planes that have few; safe to use from many threads.

    Parameters
    ----------
    index
        The sub-blocks of the document.
    """

    def __init__(self, index: PlaneIndex) -> None:
        self._index = index
        self._found: dict[tuple[object, ...], list[_Tile] | None] = {}
        self._kept = 0

    def select(
        self, plane: Mapping[str, int], roi: Rectangle, zoom: float, scene: int | None
    ) -> list[int] | None:
        """Return the sub-blocks that a read paints, the lowest first.

        Parameters
        ----------
        plane, roi, zoom, scene
            As for `select_tiles`; at zoom 1 what is hidden is not left out.

        Returns
        -------
        list of int or None
            None where the plane has many tiles, or those of several scenes contribute.
        """
        scene = only_scene(self._index.table, roi, scene)
        tiles = None if scene is None else self._tiles(plane, scene)
        if tiles is None:
            return None
        left, top, w, h = roi
        right, bottom = left + w, top + h
        least, limit = float(np.float32(zoom) / TOLERANCE), float("inf")
        chosen: list[int] = []
        for tile in tiles:
            if tile.zoom >= limit:
                break
            meets = tile.left < right and tile.right > left and tile.top < bottom
            if meets and tile.bottom > top and tile.zoom >= least:
                if not chosen:
                    limit = float(np.float32(tile.zoom) * LAYER_STEP)
                chosen.append(tile.sub_block)
        if zoom == 1 or len(chosen) < 2:
            return chosen
        group = np.zeros(len(chosen), np.intp)
        kept: list[int] = without_hidden(
            self._index.table, np.array(chosen, np.intp), group, roi
        ).tolist()
        return kept

    def _tiles(self, plane: Mapping[str, int], scene: int) -> list[_Tile] | None:
        key = (scene, *plane.items())
        try:
            return self._found[key]
        except KeyError:
            pass
        if self._kept > _KEPT:
            self._found, self._kept = {}, 0
        found = self._found[key] = self._look(plane, scene)
        self._kept += 1 + len(found or [])
        return found

    def _look(self, plane: Mapping[str, int], scene: int) -> list[_Tile] | None:
        table = self._index.table
        members = self._index.members(plane)
        if len(members) > _MOST:
            return None
        rows = table.directory
        x, y = rows.x[members].astype(np.int64), rows.y[members].astype(np.int64)
        w, h = rows.w[members], rows.h[members]
        own = rows.scene[members]
        counts = (w > 0) & (h > 0)
        if scene != ABSENT:
            counts &= (own == scene) | (own == ABSENT)
        rank = painting_rank(table, members)
        columns: tuple[NDArray[Any], ...] = (table.zoom[members], rank, members, x, y, x + w, y + h)
        return sorted(_Tile(*one) for one in zip(*(column[counts].tolist() for column in columns)))
