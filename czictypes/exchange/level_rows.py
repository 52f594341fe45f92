"""The levels of a plane in bands of rows: stored ones, and coarser ones made while they pass by.

A format that is written level after level needs each coarser level when the one before is done.
What is made is kept in a temporary file, a quarter of the pixels of its plane, and never in memory.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from czictypes.model.defence import file_errors
from czictypes.writing.pyramid.reduce import reduce_pixels

if TYPE_CHECKING:
    from czictypes.arrays.image_base import Image

__all__ = ["LevelRows", "level_sizes"]

_FACTOR = 2
_ENOUGH = 1024


def level_sizes(image: Image, count: int | None = None) -> list[tuple[int, int]]:
    """Return (height, width) of the levels to write, full resolution first.

    Parameters
    ----------
    image
        Its stored levels come first; halves of the last follow.
    count
        How many levels; by default so many that the last has at most 1024 pixels a side, and at
        least all that are stored.
    """
    sizes = [(level.height, level.width) for level in image.levels]
    while (count is None and max(sizes[-1]) > _ENOUGH) or len(sizes) < (count or 0):
        height, width = sizes[-1]
        if min(height, width) < _FACTOR:
            break
        sizes.append((height // _FACTOR, width // _FACTOR))
    return sizes if count is None else sizes[: max(count, 1)]


class LevelRows:
    """Gives the levels of one plane, one after the other, in bands of rows.

    Parameters
    ----------
    image
        Where the pixels come from.
    plane
        Which plane: an index for each dimension but Y, X and S.
    sizes
        What `level_sizes` gave.
    rows
        How many rows a band has; even. The last of a level may have fewer.
    """

    def __init__(
        self, image: Image, plane: Mapping[str, int], sizes: list[tuple[int, int]], rows: int
    ) -> None:
        self._image = image
        self._plane = plane
        self._sizes = sizes
        self._rows = rows
        self._made: NDArray[Any] | None = None

    def bands(self, level: int) -> Iterator[NDArray[Any]]:
        """Give the bands of a level, each (rows, width, samples); levels in their order."""
        height, _ = self._sizes[level]
        stored = len(self._image.levels)
        kept = self._coarser(level + 1) if stored <= level + 1 < len(self._sizes) else None
        # set here and not at the end, which whoever counts the bands does not ask for
        source, self._made = self._made, kept
        for top in range(0, height, self._rows):
            bottom = min(top + self._rows, height)
            if level < stored:
                band = self._read(level, top, bottom)
            else:
                assert source is not None
                band = np.asarray(source[top:bottom])
            if kept is not None:
                reduced = reduce_pixels(band, _FACTOR, "mean")
                kept[top // _FACTOR : top // _FACTOR + len(reduced)] = reduced
            yield band

    def _read(self, level: int, top: int, bottom: int) -> NDArray[Any]:
        box: dict[str, int | slice] = {**self._plane, "Y": slice(top, bottom)}
        found: NDArray[Any] = self._image.read_block(box, level=level)
        return found if "S" in self._image.dims.order else found[..., np.newaxis]

    def _coarser(self, level: int) -> NDArray[Any]:
        samples = self._image.sizes.get("S", 1)
        shape = (*self._sizes[level], samples)
        # has no name; the map keeps it. A full disk is to be told here, not by a crash at the map.
        with file_errors(tempfile.gettempdir()), tempfile.TemporaryFile() as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, math.prod(shape) * self._image.dtype.itemsize)
            return np.memmap(file, self._image.dtype, "w+", shape=shape)
