"""The lower resolutions that images bring along, written as the pyramid of a CZI."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.exchange.pixel_view import PixelView
from czictypes.model.geometry import Location, Size
from czictypes.writing.array_source import ArraySource, Axes
from czictypes.writing.pyramid.reduce import Seams

__all__ = ["ReducedTile", "count_tiles", "level_tiles", "pyramid_factor"]

_FACTORS = (2, 3)  # readers of CZI tell levels apart by powers of one of these
_TILE = 1024


class ReducedTile(NamedTuple):
    """A tile of a level: its plane, its place in full resolution, its pixels (h, w, samples)."""

    plane: dict[str, int]
    place: Location
    factor: int
    pixels: NDArray[Any]


def pyramid_factor(sizes: Sequence[Sequence[Size]]) -> int | None:
    """Return how much smaller each level is than the one before, if that is the same everywhere.

    Parameters
    ----------
    sizes
        For each image the sizes of all levels, the full resolution first.

    Returns
    -------
    int or None
        2 or 3; None where a CZI could not hold these levels.
    """
    for factor in _FACTORS:
        if all(_is_pyramid(levels, factor) for levels in sizes):
            return factor
    return None


def _is_pyramid(levels: Sequence[Size], factor: int) -> bool:
    full = levels[0]
    return all(
        _fits(have, whole, factor**number)
        for number, level in enumerate(levels)
        for have, whole in zip(level, full)
    )


def _fits(have: int, whole: int, scale: int) -> bool:
    """Tell whether a level has all whole pixels, and no more than one that is not whole."""
    return whole // scale >= 1 and whole // scale <= have <= -(-whole // scale)


def level_tiles(
    level: PixelView, axes: Axes, corner: Location, full: Size, scale: int
) -> Iterator[ReducedTile]:
    """Give the tiles of a level, each with an edge of its neighbours, as `Seams` explains.

    A row or column that stands for fewer than `scale` pixels is left out: a tile of a pyramid
    must not reach beyond what it shows.

    Parameters
    ----------
    level, axes
        The pixels, and what their axes are.
    corner, full
        The place of the image in full resolution, and its size.
    scale
        How much smaller the level is.
    """
    width, height = full.w // scale, full.h // scale
    seams: dict[tuple[int, ...], Seams] = {}
    columns: dict[int, int] = {}
    rows: dict[int, int] = {}
    for part in ArraySource(level, axes, _TILE):
        pixels = part.pixels[: height - part.y, : width - part.x]
        if not pixels.size:
            continue
        samples, dtype = pixels.shape[2], pixels.dtype

        def blank(size: Size, samples: int = samples, dtype: Any = dtype) -> NDArray[Any]:
            return np.zeros((size.h, size.w, samples), dtype)

        edges = seams.setdefault(tuple(part.plane.values()), Seams(blank))
        column = columns.setdefault(part.x, len(columns))
        row = rows.setdefault(part.y, len(rows))
        wide = edges.widened(0, column, row, pixels)
        x = part.x - (wide.shape[1] - pixels.shape[1])
        y = part.y - (wide.shape[0] - pixels.shape[0])
        place = Location(corner.x + x * scale, corner.y + y * scale)
        yield ReducedTile(part.plane, place, scale, wide)


def count_tiles(level: PixelView, axes: Axes) -> int:
    """Return about how many tiles a level has."""
    return len(ArraySource(level, axes, _TILE))
