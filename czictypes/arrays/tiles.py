"""The single tiles of a scene's mosaic: where they lie, and their sub-blocks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.layout import Layout, one_index
from czictypes.model.errors import InvalidArgumentError
from czictypes.model.geometry import ABSENT, NO_M, Rectangle
from czictypes.reading.levels import LevelGrid
from czictypes.reading.table import SubBlockTable

_NOWHERE, _EVERYWHERE = -2, -1  # places of tiles along a dimension that they are not in, or lack


class MosaicTiles:
    """The tiles of a scene in full resolution, numbered along a dimension M in each plane.

    The number is the M-index. Tiles that have none follow after those that have one, in the order
    of the file's directory.

    Parameters
    ----------
    table
        The sub-blocks of the document.
    scene
        The scene; None in a document that has none.
    planes
        The coordinates along each dimension of a plane, as `Layout.planes` has them.
    """

    def __init__(
        self, table: SubBlockTable, scene: int | None, planes: Mapping[str, range]
    ) -> None:
        rows, self._sub_blocks = table.directory, table.rows.sub_blocks
        usable = table.is_layer0 & (rows.w > 0) & (rows.h > 0)
        if scene is not None:
            usable &= rows.scene == scene
        places = []
        for name, values in planes.items():
            place = _place(table, name, values)
            usable &= (place >= _EVERYWHERE) & (place < len(values))
            places.append(place)
        self.indices = np.flatnonzero(usable)
        self._rows, self._bounds = rows, table.bounds
        self._planes = dict(planes)
        self.places = np.array([place[self.indices] for place in places], np.int64)
        everywhere = {tuple(one) for one in (self.places == _EVERYWHERE).T.tolist()}
        #: Which dimensions tiles lack, those of the fewest first.
        self._lacking = sorted(everywhere, key=sum)
        plane = np.zeros(len(self.indices), np.int64)
        for place, values in zip(self.places, planes.values()):
            plane = plane * (len(values) + 1) + place - _EVERYWHERE
        m = _numbered(rows.m[self.indices], plane)
        first = int(m.min()) if len(m) else 0
        self.numbers = range(first, int(m.max()) + 1) if len(m) else range(1)
        self.m = m - first
        key = plane * len(self.numbers) + self.m
        self._order = np.argsort(key, kind="stable")
        self._keys = key[self._order]

    def find(self, coordinate: Mapping[str, int]) -> int | None:
        """Return the row of the tile at a coordinate (M among it), or None.

        A tile that lacks dimensions is at every place in them where there is no other.
        """
        rows = (self._find(coordinate, lacking) for lacking in self._lacking)
        return next((row for row in rows if row is not None), None)

    def _find(self, coordinate: Mapping[str, int], lacking: Sequence[bool]) -> int | None:
        key = 0
        for (name, values), is_lacking in zip(self._planes.items(), lacking):
            place = _EVERYWHERE if is_lacking else coordinate[name] - values.start
            key = key * (len(values) + 1) + place - _EVERYWHERE
        key = key * len(self.numbers) + coordinate["M"] - self.numbers.start
        at = int(np.searchsorted(self._keys, key, side="right")) - 1
        if at < 0 or self._keys[at] != key:
            return None
        return int(self.indices[self._order[at]])

    @property
    def size(self) -> tuple[int, int]:
        """The width and height that hold each of the tiles."""
        w, h = self._rows.stored_w[self.indices], self._rows.stored_h[self.indices]
        return (int(w.max()), int(h.max())) if len(w) else (1, 1)

    def layout(self, stitched: Layout) -> Layout:
        """Return the layout of the tiles, where `stitched` is that of the whole mosaic.

        Raises
        ------
        SparseDocumentError
            If there are far fewer tiles than M-indices, as one damaged number makes it.
        """
        if self._bounds is not None:
            planes = math.prod(map(len, self._planes.values())) * len(self.numbers)
            ends = f"M {self.numbers[0]} to {self.numbers[-1]}, tile by tile"
            self._bounds.check_planes(planes, len(self.indices), ends)
        width, height = self.size
        grid = LevelGrid(0, 1.0, Rectangle(0, 0, width, height), width, height)
        return replace(stitched, planes={**stitched.planes, "M": self.numbers}, grids=(grid,))

    def positions(self) -> NDArray[np.void]:
        """Return `CziImage.tile_positions`; an index is 0 where a tile lacks the dimension."""
        rows, indices = self._rows, self.indices[self._order]
        columns: dict[str, Any] = dict(zip(self._planes, self.places[:, self._order].clip(min=0)))
        columns["M"] = self.m[self._order]
        columns.update({name: getattr(rows, name)[indices] for name in ("x", "y", "w", "h")})
        found = np.empty(
            len(indices), [*((name, np.int32) for name in columns), ("index", np.int64)]
        )
        for name, column in columns.items():
            found[name] = column
        found["index"] = self._sub_blocks(indices)
        return found

    def corners(self, where: Mapping[str, int]) -> dict[int, tuple[int, int]]:
        """Return (y, x) of the first tile of each M, at indices in other dimensions."""
        found = self.positions()
        sizes = {**{name: len(one) for name, one in self._planes.items()}, "M": len(self.numbers)}
        for name, item in where.items():
            if name not in sizes:
                known = ", ".join(sizes)
                raise InvalidArgumentError(f"tiles have no dimension {name}; they have {known}")
            found = found[found[name] == one_index(name, item, sizes[name])]
        m, first = np.unique(found["M"], return_index=True)
        found = found[first]
        return dict(zip(m.tolist(), zip(found["y"].tolist(), found["x"].tolist())))


def _place(table: SubBlockTable, name: str, values: range) -> NDArray[np.int64]:
    """Return the index of each sub-block along a dimension; `_NOWHERE` for those before the first.

    A dimension of one value need not be there; one of several values that is lacking gives
    `_EVERYWHERE`.
    """
    column = table.directory.coordinates.get(name)
    if column is None or table.plane_bounds.get(name, (0, 1))[1] == 1:
        return np.zeros(table.count, np.int64)
    place = column.astype(np.int64) - values.start
    place[place < 0] = _NOWHERE
    place[column == ABSENT] = _EVERYWHERE
    return place


def _numbered(m: NDArray[np.int32], plane: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the M-indices, and numbers for those that are missing."""
    numbers = m.astype(np.int64)
    without = np.flatnonzero((m == ABSENT) | (m == NO_M))
    if not len(without):
        return numbers
    numbers[without] = -1
    after = max(int(numbers.max()) + 1, 0)
    order = np.argsort(plane[without], kind="stable")
    sorted_planes = plane[without][order]
    first = np.searchsorted(sorted_planes, sorted_planes)
    numbers[without[order]] = after + np.arange(len(order)) - first
    return numbers
