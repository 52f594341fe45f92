"""The chunks that the tiles of a file make cheap: whole planes, or blocks of whole tiles."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.layout import Layout
from czictypes.model.geometry import ABSENT
from czictypes.model.pixel_types import Compression
from czictypes.reading.levels import LevelGrid
from czictypes.reading.table import SubBlockTable

__all__ = ["chunks_of_planes", "extent_of_chunks", "native_chunks"]

#: From one tile to the next, down and to the right; and whether tiles may be cut.
Steps = tuple[tuple[int, int], bool]

#: A plane of at most so many bytes is one chunk; otherwise chunks have about half as many.
_MOST = 64 << 20


def native_chunks(
    table: SubBlockTable, layout: Layout, scene: int | None, level: int
) -> dict[str, int]:
    """Return the chunk size along each dimension of a level.

    Each chunk lies in one plane. A plane of up to 64 MB is one chunk; a larger one is cut into
    chunks of 16 to 64 MB along the borders of tiles, so that no tile is read for two of them. One
    tile larger than that is a chunk, or is cut into bands of rows where it is not compressed.
    """

    def tiles() -> Steps:
        grid = layout.grid(level)
        members = _tiles(table, grid, scene)
        stored = table.directory.compression[members] == Compression.Uncompressed.value
        return _step(table, grid, members), bool(stored.all())

    return chunks_of_planes(layout, level, None if "M" in layout.planes else tiles)


def chunks_of_planes(
    layout: Layout, level: int, tiles: Callable[[], Steps] | None
) -> dict[str, int]:
    """Return the chunk size along each dimension: a plane, or a part of one that is large.

    Parameters
    ----------
    tiles
        Tells of a large plane how far it is from one tile to the next, down and to the right, and
        whether tiles may be cut. None where all planes stay whole.
    """
    grid, pixel = layout.grid(level), layout.dtype.itemsize * max(layout.samples, 1)
    extent = grid.height, grid.width
    if tiles is not None and grid.height * grid.width * pixel > _MOST:
        step, can_cut = tiles()
        extent = extent_of_chunks(extent, step, pixel, can_cut=can_cut)
    sizes = {"Y": extent[0], "X": extent[1], "S": layout.samples}
    return {name: sizes.get(name, 1) for name in layout.dims(level)}


def extent_of_chunks(
    size: tuple[int, int], step: tuple[int, int], pixel: int, *, can_cut: bool
) -> tuple[int, int]:
    """Return height and width of the chunks of a plane.

    Parameters
    ----------
    size
        Height and width of the plane.
    step
        From one tile to the next, down and to the right.
    pixel
        The bytes of a pixel.
    can_cut
        Whether to read a part of a tile takes no more than that part.
    """
    area = _MOST // 2 // pixel
    step = min(step[0], size[0]), min(step[1], size[1])
    if step[0] * step[1] > 2 * area and can_cut:
        return max(area // step[1], 1), step[1]
    width = _whole(min(int(area**0.5), area // step[0]), step[1], size[1])
    height = _whole(area // width, step[0], size[0])
    if height == size[0]:  # a low plane: longer chunks
        width = _whole(area // height, step[1], size[1])
    return height, width


def _whole(pixels: int, step: int, size: int) -> int:
    """Return what of a number of pixels is whole steps, at least one, at most the size."""
    return min(max(pixels // step, 1) * step, size)


def _tiles(table: SubBlockTable, grid: LevelGrid, scene: int | None) -> NDArray[np.intp]:
    """Return the tiles of a level; those of the pyramid need not have a scene."""
    chosen = table.levels == grid.number
    if scene is not None:
        own = table.directory.scene
        chosen &= (own == scene) | (own == ABSENT)
    return np.flatnonzero(chosen)


def _step(table: SubBlockTable, grid: LevelGrid, members: NDArray[np.intp]) -> tuple[int, int]:
    """Return the usual distance of a tile from the next one, in pixels of the level."""
    rows = table.directory
    return (
        _distance(rows.y[members], rows.physical_h[members], grid.factor, grid.height),
        _distance(rows.x[members], rows.physical_w[members], grid.factor, grid.width),
    )


def _distance(
    start: NDArray[np.int32], stored: NDArray[np.int32], factor: float, extent: int
) -> int:
    if not len(start):
        return extent
    usual = _most_common(stored)
    places = np.unique(np.rint(start / factor).astype(np.int64))
    step = _most_common(np.diff(places)) if len(places) > 1 else usual
    # Where tiles stand anywhere, their distances say nothing.
    return step if usual // 2 < step <= 2 * usual else max(usual, 1)


def _most_common(values: NDArray[np.generic]) -> int:
    found, counts = np.unique(values, return_counts=True)
    return int(found[counts.argmax()])
