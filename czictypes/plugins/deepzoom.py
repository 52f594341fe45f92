"""DeepZoom: the tiles of a slide that viewers in a browser ask for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from czictypes.model.errors import OutOfBoundsError
from czictypes.plugins.slide import CziSlide

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["DeepZoomTiles"]

_NAMESPACE = "http://schemas.microsoft.com/deepzoom/2008"


class DeepZoomTiles:
    """The DeepZoom pyramid of a slide, with the methods of OpenSlide's DeepZoomGenerator.

    Level 0 is a single pixel, and each level has twice the width and height of the one before;
    the last is full resolution.

    Parameters
    ----------
    slide
        The slide; it stays the caller's to close.
    tile_size
        Width and height of a tile without its overlap.
    overlap
        How many pixels a tile shows of each neighbour.
    limit_bounds
        As OpenSlide has it, to leave out the empty margin of a slide; a CZI tells of none.
    background
        Red, green and blue of what shows where the file has no pixels.
    """

    def __init__(
        self,
        slide: CziSlide,
        tile_size: int = 254,
        overlap: int = 1,
        limit_bounds: bool = False,
        *,
        background: tuple[int, int, int] = (255, 255, 255),
    ) -> None:
        if tile_size < 1 or overlap < 0:
            raise ValueError(
                f"tile_size must be at least 1 and overlap at least 0, not {tile_size}, {overlap}"
            )
        if not hasattr(slide, "read_resized"):
            raise TypeError(
                f"tiles are made of a CziSlide (CziSlide(path) opens one), not {slide!r}"
            )
        self._slide, self._background = slide, background
        self.tile_size, self.overlap = tile_size, overlap
        self._size = slide.dimensions
        count = math.ceil(math.log2(max(self._size))) + 1
        self._downsamples = [2 ** (count - 1 - level) for level in range(count)]

    @property
    def level_count(self) -> int:
        """The number of levels."""
        return len(self._downsamples)

    @property
    def level_dimensions(self) -> tuple[tuple[int, int], ...]:
        """Width and height of each level."""
        width, height = self._size
        return tuple(
            (-(-width // downsample), -(-height // downsample)) for downsample in self._downsamples
        )

    @property
    def level_tiles(self) -> tuple[tuple[int, int], ...]:
        """The number of columns and of rows of tiles in each level."""
        size = self.tile_size
        return tuple(
            (-(-width // size), -(-height // size)) for width, height in self.level_dimensions
        )

    @property
    def tile_count(self) -> int:
        """The number of all tiles."""
        return sum(columns * rows for columns, rows in self.level_tiles)

    def get_tile(self, level: int, address: tuple[int, int]) -> Image:
        """Return a tile as a Pillow picture of mode RGB.

        Parameters
        ----------
        level
            The DeepZoom level.
        address
            Column and row.

        Raises
        ------
        OutOfBoundsError
            If there is no such tile.
        """
        (x, y), (width, height) = self._box(level, address)
        downsample = self._downsamples[level]
        whole_width, whole_height = self._size
        left, top = x * downsample, y * downsample
        extent = (
            min(width * downsample, whole_width - left),
            min(height * downsample, whole_height - top),
        )
        return self._slide.read_resized((left, top), extent, (width, height), self._background)

    def get_tile_dimensions(self, level: int, address: tuple[int, int]) -> tuple[int, int]:
        """Return width and height of a tile, overlap included."""
        return self._box(level, address)[1]

    def get_tile_coordinates(
        self, level: int, address: tuple[int, int]
    ) -> tuple[tuple[int, int], int, tuple[int, int]]:
        """Return what `CziSlide.read_region` takes for the region of a tile.

        Parameters
        ----------
        level, address
            As for `get_tile`.

        Returns
        -------
        tuple
            Location, level and size. The size is that of the slide's level, which may be finer
            than the tile.

        Raises
        ------
        OutOfBoundsError
            If there is no such tile.
        """
        corner, size = self._box(level, address)
        wanted = self._downsamples[level]
        found = self._slide.get_best_level_for_downsample(wanted)
        stored = self._slide.level_downsamples[found]
        ratio = wanted / stored
        places = [ratio * at for at in corner]
        x, y = (int(stored * at) for at in places)
        width, height = (
            min(math.ceil(ratio * side), whole - math.ceil(at))
            for side, whole, at in zip(size, self._slide.level_dimensions[found], places)
        )
        return (x, y), found, (width, height)

    def get_dzi(self, format: str) -> str:
        """Return the XML that describes the tiles; the format is ``"jpeg"`` or ``"png"``."""
        width, height = self._size
        return (
            f'<Image TileSize="{self.tile_size}" Overlap="{self.overlap}" Format="{format}" '
            f'xmlns="{_NAMESPACE}"><Size Width="{width}" Height="{height}" /></Image>'
        )

    def _box(self, level: int, address: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return corner and size of a tile, overlap included, in pixels of its level."""
        if not 0 <= level < self.level_count:
            raise OutOfBoundsError(
                f"there is no DeepZoom level {level}; they go from 0 to {self.level_count - 1}"
            )
        corner, size = [], []
        for at, count, side in zip(address, self.level_tiles[level], self.level_dimensions[level]):
            if not 0 <= at < count:
                columns, rows = self.level_tiles[level]
                raise OutOfBoundsError(
                    f"there is no tile {address} in level {level}, which has {columns} x {rows}"
                )
            first = max(0, at * self.tile_size - self.overlap)
            end = min(side, (at + 1) * self.tile_size + self.overlap)
            corner.append(first)
            size.append(end - first)
        return (corner[0], corner[1]), (size[0], size[1])
