"""DeepZoom: the tiles of a slide for viewers in a browser, one by one or in a folder."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from czictypes.arrays.image_base import layout_of
from czictypes.model.errors import OutOfBoundsError
from czictypes.model.geometry import whole_number
from czictypes.model.public import Progress, defended, renamed, show_progress
from czictypes.plugins.slide import CziSlide
from czictypes.remote.urls import describe_target
from czictypes.writing.atomic import remove_folder

if TYPE_CHECKING:
    from PIL.Image import Image

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
        tile_size, overlap = whole_number(tile_size, "tile_size"), whole_number(overlap, "overlap")
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
        right = min((x + width) * downsample, whole_width)
        bottom = min((y + height) * downsample, whole_height)
        extent = (right - left, bottom - top)
        return self._slide.read_resized((left, top, *extent), (width, height), self._background)

    def get_tile_dimensions(self, level: int, address: tuple[int, int]) -> tuple[int, int]:
        """Return width and height of a tile, overlap included."""
        return self._box(level, address)[1]

    def get_tile_coordinates(
        self, level: int, address: tuple[int, int]
    ) -> tuple[tuple[int, int], int, tuple[int, int]]:
        """Return the arguments of `CziSlide.read_region` for the region of a tile.

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


@renamed(path="dest")
@defended(describe_target)
def write_deepzoom(
    source: Any,
    dest: Any,
    *,
    tile_size: int = 254,
    overlap: int = 1,
    picture_format: str = "jpeg",
    quality: int = 90,
    progress: Progress = None,
    **slide_options: Any,
) -> Path:
    """Write a slide as DeepZoom: ``NAME.dzi``, and the tiles in the folder ``NAME_files``.

    If it fails or is interrupted, nothing of it stays behind.

    Parameters
    ----------
    source
        A `CziSlide`, or what `CziSlide` opens.
    dest
        The path of the ``.dzi``; it is written when all tiles are there.
    tile_size, overlap
        Width and height of a tile in pixels, and how many more it shows of each neighbour.
    picture_format, quality
        ``"jpeg"`` or ``"png"``, and the quality of the former (1 to 95).
    progress
        True for a bar, or a function of the tiles done and all tiles.
    **slide_options
        As for `CziSlide`: scene, plane, display_settings, contrast, storage_options, threads, ...

    Returns
    -------
    pathlib.Path
        The path of the ``.dzi``.

    Raises
    ------
    FileExistsError
        If the ``.dzi`` or its folder is there.
    ValueError
        If the format is neither, or a tile has no size.

    Examples
    --------
    >>> write_deepzoom("slide.czi", "slide.dzi")  # doctest: +SKIP
    """
    if picture_format not in ("jpeg", "png"):
        raise ValueError(f'picture_format must be "jpeg" or "png", not {picture_format!r}')
    target = Path(dest)
    folder = target.with_name(f"{target.stem}_files")
    for there in (target, folder):
        if there.exists():
            raise FileExistsError(f"{there} exists; remove it first, or choose another name")
    options = {"quality": quality} if picture_format == "jpeg" else {}
    slide = source if isinstance(source, CziSlide) else CziSlide(source, **slide_options)
    try:
        layout_of(slide._image).check_extent()
        tiles = DeepZoomTiles(slide, tile_size, overlap)
        _write_tiles(tiles, folder, picture_format, options, progress)
        target.write_text(tiles.get_dzi(picture_format), encoding="utf-8")
    except BaseException:
        target.unlink(missing_ok=True)
        if folder.exists():
            remove_folder(folder)
        raise
    finally:
        if slide is not source:
            slide.close()
    return target


def _write_tiles(
    tiles: DeepZoomTiles, folder: Path, form: str, options: dict[str, int], progress: Progress
) -> None:
    with show_progress(progress, tiles.tile_count, "DeepZoom") as step:
        for level, (columns, rows) in enumerate(tiles.level_tiles):
            inside = folder / str(level)
            inside.mkdir(parents=True)
            for row in range(rows):
                for column in range(columns):
                    tile = tiles.get_tile(level, (column, row))
                    tile.save(inside / f"{column}_{row}.{form}", form, **options)
                    step(1)
