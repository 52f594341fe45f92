"""The options of a pyramid, and its tiles: levels by scene, tiles by plane.

The tiles of a level lie in a grid that begins at the top left corner of their scene's
full-resolution box, and so do those of the next level, which makes a tile out of whole tiles.

Every tile covers exactly `factor ** level` pixels per pixel of its own, along both axes. libCZI
takes the layer to show from the tiles' physical over logical size: were that of an edge tile
only a thousandth larger, there would be zooms at which the edge tiles alone were drawn. And no
tile reaches beyond the scene's box, which would grow otherwise. So what is left over at the right
and the bottom of a level, less than one of its pixels, is in no tile of it; at the zooms that
show the level, that is less than a pixel of the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Union

import numpy as np
from numpy.typing import NDArray

from czictypes.model.errors import UnsupportedDataError
from czictypes.model.geometry import ABSENT, Rectangle, Size, whole_number
from czictypes.reading.fallback import painting_rank
from czictypes.reading.table import SubBlockTable
from czictypes.writing.compression import parse_compression
from czictypes.writing.transfer import bounding_box

_FILTERS = ("mean", "nearest")

#: What callers may give: True for the default options, False or None for no pyramid.
PyramidChoice = Union[bool, "PyramidOptions", None]
_LONGEST = 2**31 - 1  # pixels that a tile may cover along an axis
_ROW = 32  # bits of a column in the number of a cell


@dataclass(frozen=True)
class PyramidOptions:
    """The options of a pyramid.

    Parameters
    ----------
    factor
        How much smaller than the level before each level is, along both axes; 2 to 256. ZEISS
        software writes 2 or 3.
    tile
        The sides of a level's tiles in pixels, up to 8192; rounded down to a multiple of
        `factor`, and at least `factor`. A tile begins with one row and column more, those where
        its neighbours end: no gap shows between them at any zoom.
    until
        Levels are made until the longer side of one has at most so many pixels.
    filter
        ``"mean"`` averages the pixels that make one (whole numbers are rounded, halves up);
        ``"nearest"`` takes the top left one of them, for labels and masks.
    compression
        How the tiles are compressed, as in `create_czi`; by default as the full resolution of
        their plane is. Where JPEG XR cannot hold the pixels without loss, or is not installed,
        zstd1 is used.

    Raises
    ------
    ValueError
        For values out of range.
    """

    factor: int = 2
    tile: int = 1024
    until: int = 1024
    filter: str = "mean"
    compression: str | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        _check_number("factor", self.factor, 2, 256)
        _check_number("tile", self.tile, 1, 8192)
        _check_number("until", self.until, 1, 2**31 - 1)
        if self.filter not in _FILTERS:
            raise ValueError(f'the filter is "mean" or "nearest", not {self.filter!r}')
        if self.compression is not None:
            parse_compression(self.compression)

    @property
    def tile_size(self) -> int:
        """The side of a tile in pixels: a multiple of `factor`."""
        return max(self.tile // self.factor, 1) * self.factor


def resolve_pyramid(choice: PyramidChoice) -> PyramidOptions | None:
    """Return the options that a caller's choice stands for, or None for no pyramid."""
    if choice is None or choice is False:
        return None
    if choice is True:
        return PyramidOptions()
    if not isinstance(choice, PyramidOptions):
        raise ValueError(f"pyramid is True, False or PyramidOptions(...), not {choice!r}")
    return choice


def _check_number(name: str, value: object, least: int, most: int) -> None:
    try:
        number = whole_number(value)
    except TypeError:
        raise ValueError(f"{name} must be a whole number, not {value!r}") from None
    if not least <= number <= most:
        raise ValueError(f"{name} must be from {least} to {most}, not {number}")


class PyramidGrid(NamedTuple):
    """The levels of a scene and their grids."""

    box: Rectangle  # the scene in full resolution
    factor: int  # from one level to the next
    tile: int  # the side of a tile in pixels, a multiple of the factor
    levels: int  # above the full resolution

    def size(self, level: int, column: int, row: int) -> Size:
        """Return the size of a tile in its own pixels; not above 0 where there is none."""
        scale = self.factor**level
        width = self.box.w // scale - column * self.tile
        height = self.box.h // scale - row * self.tile
        return Size(min(self.tile, width), min(self.tile, height))

    def rectangle(self, level: int, column: int, row: int) -> Rectangle:
        """Return what a tile covers, in pixels of the full resolution; without its `Seams`."""
        scale = self.factor**level
        width, height = self.size(level, column, row)
        step = self.tile * scale
        x, y = self.box.x + column * step, self.box.y + row * step
        return Rectangle(x, y, width * scale, height * scale)


class PlanePlan(NamedTuple):
    """The pyramid of one plane of one scene."""

    coordinate: dict[str, int]  # with the scene if there is one
    #: The sub-blocks that show in it in full resolution, those on top last: its own, and below
    #: them those that lack a dimension.
    sub_blocks: NDArray[np.intp]
    grid: PyramidGrid
    #: (n, 2) columns and rows of the tiles on level 1, those of one tile of a higher level one
    #: after the other.
    cells: NDArray[np.int64]


def make_grid(box: Rectangle, options: PyramidOptions) -> PyramidGrid:
    """Return the grid of a scene, with as many levels as `options` ask for.

    A level has at least one pixel along both axes: of less, no reader could show any.
    """
    levels, scale = 0, options.factor
    longer, shorter = max(box.w, box.h), min(box.w, box.h)
    while longer // (scale // options.factor) > options.until and shorter // scale:
        levels, scale = levels + 1, scale * options.factor
    return PyramidGrid(box, options.factor, options.tile_size, levels)


def plan_pyramid(table: SubBlockTable, options: PyramidOptions) -> list[PlanePlan]:
    """Plan the pyramids of all planes that are large enough to get one.

    A SparseDocumentError says that the sub-blocks claim to cover far more pixels than the file
    could fill, an UnsupportedDataError that a scene spans more than a sub-block of a CZI can.
    """
    rows = table.directory
    usable = np.flatnonzero(table.is_layer0 & (rows.w > 0) & (rows.h > 0))
    if table.bounds is not None:
        areas = (rows.bytes_per_pixel()[usable], rows.w[usable], rows.h[usable])
        table.bounds.check_bytes(zip(*(column.tolist() for column in areas)))
    grids = {
        int(scene): make_grid(_box(table, usable[rows.scene[usable] == scene]), options)
        for scene in np.unique(rows.scene[usable])
    }
    plans = []
    planes = _by_plane(table, usable)
    for own, below in zip(planes, _below(table, planes)):
        grid = grids[int(rows.scene[own[0]])]
        if not grid.levels:
            continue
        members = np.concatenate([*below, own])
        cells = _cells(table, members, grid)
        if len(cells):
            plans.append(PlanePlan(rows.coordinate(int(own[0])), members, grid, cells))
    return plans


def _box(table: SubBlockTable, members: NDArray[np.intp]) -> Rectangle:
    box = bounding_box(table.directory, members)
    if max(box.w, box.h) > _LONGEST:
        name = "the document" if table.bounds is None else table.bounds.source.name
        raise UnsupportedDataError(
            f"a scene of {name} spans {box.w} x {box.h} pixels, more than a tile of "
            "a pyramid can cover: a sub-block is damaged, or far from the others"
        )
    return box


def _by_plane(table: SubBlockTable, members: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Split sub-blocks by their plane and scene, each group in the order of painting."""
    columns = [column[members] for column in _choices(table).values()]
    if not len(members):
        return []
    rank = painting_rank(table, members)
    order = np.lexsort([rank, *columns[::-1]])
    differs = np.zeros(len(members) - 1, bool)
    for column in columns:
        differs |= np.diff(column[order].astype(np.int64)) != 0
    return np.split(members[order], np.flatnonzero(differs) + 1)


def _choices(table: SubBlockTable) -> dict[str, NDArray[np.int32]]:
    """Return the scene, and the coordinates along dimensions of several places.

    A sub-block that lacks a dimension of one place lies in the same plane as the others.
    """
    bounds = table.plane_bounds
    return {
        name: column
        for name, column in table.directory.coordinates.items()
        if name == "S" or bounds.get(name, (0, 1))[1] > 1
    }


def _below(table: SubBlockTable, planes: list[NDArray[np.intp]]) -> list[list[NDArray[np.intp]]]:
    """Return for each plane those that show below it, as they lack dimensions; the lowest first."""
    columns = _choices(table)
    if not any(name != "S" and column.min() == ABSENT for name, column in columns.items()):
        return [[] for _ in planes]
    places = [tuple(column.item(plane[0]) for column in columns.values()) for plane in planes]
    by_place = dict(zip(places, planes))
    patterns = {
        tuple(at == ABSENT and name != "S" for at, name in zip(place, columns)) for place in places
    }
    found = []
    for place in places:
        lower = [
            tuple(ABSENT if lacks else at for at, lacks in zip(place, pattern))
            for pattern in sorted(patterns, key=sum, reverse=True)
        ]
        there = [one for one in dict.fromkeys(lower) if one != place and one in by_place]
        found.append([by_place[one] for one in there])
    return found


def _cells(table: SubBlockTable, members: NDArray[np.intp], grid: PyramidGrid) -> NDArray[np.int64]:
    """Return the tiles of level 1 that have a sub-block to show."""
    rows, box = table.directory, grid.box
    left, width = _covered(rows.x[members], rows.w[members], box.x, box.w, grid)
    top, height = _covered(rows.y[members], rows.h[members], box.y, box.h, grid)
    counts = width * height
    which = np.repeat(np.arange(len(members)), counts)
    number = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    columns = left[which] + number % width[which]
    cells = np.unique((top[which] + number // width[which]) << _ROW | columns)
    return _in_order(cells & (1 << _ROW) - 1, cells >> _ROW, grid)


def _covered(
    start: NDArray[np.int32], size: NDArray[np.int32], origin: int, extent: int, grid: PyramidGrid
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return along one axis the first tile of level 1 that a sub-block meets, and how many."""
    span = grid.tile * grid.factor
    end = extent // grid.factor * grid.factor
    first = start.astype(np.int64) - origin
    last = np.minimum(first + size, end) - 1
    return first // span, np.where(first > last, 0, last // span - first // span + 1)


def _in_order(
    columns: NDArray[np.int64], rows: NDArray[np.int64], grid: PyramidGrid
) -> NDArray[np.int64]:
    """Sort cells so that those which make one tile follow each other, on each level."""
    keys = []
    for level in range(grid.levels):
        keys += [columns // grid.factor**level, rows // grid.factor**level]
    order = np.lexsort(keys)
    return np.column_stack([columns[order], rows[order]])
