"""Finds the sub-blocks of a plane that meet a region, without looking at all the others."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.container.columns import unique_rows
from czictypes.model.geometry import ABSENT, Rectangle
from czictypes.reading.table import SubBlockTable
from czictypes.reading.tile_grid import SMALL, Boxes, TileGrid

__all__ = ["PlaneIndex"]


class _Layer(NamedTuple):
    """The tiles of a plane that have about one zoom and one size."""

    lowest: float
    highest: float
    tiles: TileGrid


class _Sorted(NamedTuple):
    """The sub-blocks sorted by plane: `order[k]` is the index of the k-th.

    `lacking` has which dimensions of several places sub-blocks lack: each combination, those of
    most dimensions first.
    """

    order: NDArray[np.intp]
    columns: dict[str, NDArray[np.int32]]
    constants: dict[str, int]
    boxes: Boxes
    zoom: NDArray[np.float32]
    lacking: list[frozenset[str]]


class PlaneIndex:
    """An index over the sub-blocks of a document; safe to use from many threads.

    Sub-blocks are sorted by plane at the first search, and the tiles of a large plane by place at
    the first search in that plane, so opening a file costs nothing here.

    Parameters
    ----------
    table
        The sub-blocks.
    """

    def __init__(self, table: SubBlockTable) -> None:
        self.table = table
        self._lock = threading.Lock()
        self._sorted: _Sorted | None = None
        self._planes: dict[tuple[int, int], list[_Layer]] = {}

    @property
    def is_mixed(self) -> bool:
        """Whether a sub-block lacks a dimension in which others lie at several places."""
        return bool(self._rows().lacking)

    def variants(self, plane: Mapping[str, int]) -> list[Mapping[str, int]]:
        """Return the planes of which the sub-blocks show in a plane, those on top last.

        A sub-block that lacks a dimension (one channel without Z beside a stack) shows at every
        place in it, below those that lie at that place.
        """
        found: list[Mapping[str, int]] = []
        for names in self._rows().lacking:
            variant = {name: ABSENT if name in names else at for name, at in plane.items()}
            if variant != plane and variant not in found:
                found.append(variant)
        return [*found, plane]

    def lacks(self, members: NDArray[np.intp]) -> NDArray[np.int64]:
        """Return how many dimensions of several places some sub-blocks lack."""
        bounds, coordinates = self.table.plane_bounds, self.table.directory.coordinates
        several = [name for name, (_, size) in bounds.items() if size > 1]
        absent = [(coordinates[name][members] == ABSENT).astype(np.int64) for name in several]
        return sum(absent, np.zeros(len(members), np.int64))

    def candidates(self, plane: Mapping[str, int], roi: Rectangle | None) -> NDArray[np.intp]:
        """Return the sub-blocks of a plane that share a pixel with `roi`, ascending.

        Parameters
        ----------
        plane
            A value for each plane dimension. A sub-block must have exactly these; in dimensions
            that are left out it may lie anywhere.
        roi
            The region, or None for all of the plane.
        """
        found = [members for _, members in self.layers(plane, roi)]
        return np.sort(np.concatenate(found)) if found else np.empty(0, np.intp)

    def members(self, plane: Mapping[str, int]) -> NDArray[np.intp]:
        """Return all sub-blocks of a plane, in no special order."""
        rows = self._rows()
        if not _may_have(rows, plane):
            return np.empty(0, np.intp)
        first, end, loose = _range(rows, plane)
        return self._scan(rows, first, end, {name: plane[name] for name in loose}, None)

    def layers(
        self,
        plane: Mapping[str, int],
        roi: Rectangle | None,
        least_zoom: float = 0,
    ) -> Iterator[tuple[float, NDArray[np.intp]]]:
        """Give the same sub-blocks group by group, the coarse layers of the pyramid first.

        Parameters
        ----------
        plane, roi
            As for `candidates`.
        least_zoom
            Layers that lie wholly below this zoom are passed over.

        Yields
        ------
        float, numpy.ndarray
            A bound that no zoom in this group or a later one is below, and the sub-blocks.
        """
        rows = self._rows()
        if not _may_have(rows, plane):
            return
        first, end, loose = _range(rows, plane)
        if loose:
            yield 0, self._scan(rows, first, end, {name: plane[name] for name in loose}, roi)
        elif end - first <= SMALL:
            yield 0, self._scan(rows, first, end, {}, roi)
        else:
            for layer in self._plane(rows, first, end):
                if layer.highest >= least_zoom:
                    yield layer.lowest, layer.tiles.search(roi)

    def _scan(
        self,
        rows: _Sorted,
        first: int,
        end: int,
        loose: Mapping[str, int],
        roi: Rectangle | None,
    ) -> NDArray[np.intp]:
        """Compare the sub-blocks of a range one by one."""
        if roi is None and not loose:
            return rows.order[first:end]
        found = np.arange(first, end)
        if roi is not None:
            found = found[rows.boxes.take(slice(first, end)).meeting(roi)]
        for name, value in loose.items():
            found = found[rows.columns[name][found] == value]
        return rows.order[found]

    def _rows(self) -> _Sorted:
        if self._sorted is None:
            with self._lock:
                if self._sorted is None:
                    self._sorted = _sort(self.table)
        return self._sorted

    def _plane(self, rows: _Sorted, first: int, end: int) -> list[_Layer]:
        key = first, end
        if key not in self._planes:
            with self._lock:
                if key not in self._planes:
                    self._planes[key] = _split_layers(rows, first, end)
        return self._planes[key]


def _sort(table: SubBlockTable) -> _Sorted:
    directory = table.directory
    columns: dict[str, NDArray[np.int32]] = {}
    constants = {}
    for name, column in directory.coordinates.items():
        if name == "S" or not table.count:
            continue
        if (column == column[0]).all():
            constants[name] = int(column[0])
        else:
            columns[name] = column
    # A dimension of one value, which some sub-blocks lack, comes last: a plane may leave it out.
    columns = dict(sorted(columns.items(), key=lambda item: table.plane_bounds[item[0]][1] == 1))
    order = np.arange(table.count)
    if columns:
        order = np.lexsort(list(columns.values())[::-1])
    x, y = directory.x[order].astype(np.int64), directory.y[order].astype(np.int64)
    w, h = directory.w[order], directory.h[order]
    nowhere = -(2**40)
    boxes = Boxes(x, y, np.where(w > 0, x + w, nowhere), np.where(h > 0, y + h, nowhere))
    lacking = _combinations_lacked(table, columns)
    columns = {name: column[order] for name, column in columns.items()}
    return _Sorted(order, columns, constants, boxes, table.zoom[order], lacking)


def _combinations_lacked(
    table: SubBlockTable, columns: Mapping[str, NDArray[np.int32]]
) -> list[frozenset[str]]:
    """Return which dimensions of several places are lacking together in some sub-block."""
    absent = {
        name: column == ABSENT
        for name, column in columns.items()
        if table.plane_bounds[name][1] > 1 and column.min() == ABSENT
    }
    if not absent:
        return []
    names = np.array(list(absent))
    patterns = unique_rows(np.column_stack(list(absent.values())))[0]
    found = [frozenset(names[pattern].tolist()) for pattern in patterns if pattern.any()]
    return sorted(found, key=lambda one: (-len(one), sorted(one)))


def _may_have(rows: _Sorted, plane: Mapping[str, int]) -> bool:
    """Tell whether any sub-block lies where a plane does in the dimensions that have one value."""
    return all(
        name in rows.columns or rows.constants.get(name, ABSENT) == value
        for name, value in plane.items()
    )


def _range(rows: _Sorted, plane: Mapping[str, int]) -> tuple[int, int, list[str]]:
    """Return where a plane lies among the sorted sub-blocks, and what is still to be compared.

    Within equal values of the dimensions before it, each column is sorted.
    """
    first, end = 0, len(rows.order)
    names = list(rows.columns)
    for position, name in enumerate(names):
        if name not in plane:
            return first, end, [other for other in names[position:] if other in plane]
        column = rows.columns[name][first:end]
        wanted = np.int32(plane[name])  # of the column's type, or numpy converts all of it
        low = int(np.searchsorted(column, wanted))
        high = int(np.searchsorted(column, wanted, side="right"))
        first, end = first + low, first + high
    return first, end, []


def _split_layers(rows: _Sorted, first: int, end: int) -> list[_Layer]:
    """Split a plane into groups of like zoom and size, the lowest zoom first."""
    here = slice(first, end)
    boxes, zoom, order = rows.boxes.take(here), rows.zoom[here], rows.order[here]
    octave = np.rint(np.log2(np.maximum(zoom, 1e-9))).astype(np.int64)
    extent = np.maximum(boxes.right - boxes.left, boxes.bottom - boxes.top)
    size = np.frexp(np.maximum(extent, 1).astype(np.float64))[1]
    kind = octave * 64 + size
    layers = []
    for number in np.unique(kind):
        members = np.flatnonzero(kind == number)
        zooms = zoom[members]
        tiles = TileGrid(order[members], boxes.take(members))
        layers.append(_Layer(float(zooms.min()), float(zooms.max()), tiles))
    return sorted(layers, key=lambda layer: layer.lowest)
