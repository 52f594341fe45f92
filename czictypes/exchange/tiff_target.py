"""Writes a CZI as OME-TIFF, tiled and with a pyramid, or as a plain TIFF."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.container.workers import feed
from czictypes.exchange.choice import Choice
from czictypes.exchange.level_rows import LevelRows, level_sizes
from czictypes.exchange.ome_pages import ome_text
from czictypes.exchange.series import Series, image_series
from czictypes.model.errors import UnsupportedDataError
from czictypes.model.lazy import require
from czictypes.reading.threads import thread_count
from czictypes.writing.atomic import PathType, atomic_output
from czictypes.writing.progress import Progress, show_progress

if TYPE_CHECKING:
    from czictypes.arrays.image_base import Image

__all__ = ["DEFAULT_TIFF_COMPRESSION", "write_ome_tiff", "write_tiff"]

DEFAULT_TIFF_COMPRESSION = "zlib"

_EXTRA = "ome-tiff"
# the order of the planes in the file: the last runs fastest
_PLANE_ORDER = "TCZM"
_CLASSIC_LIMIT = 1 << 31
_MICROMETRES_IN_CENTIMETRE = 1e4
#: Micrometres: a tag holds fractions of two numbers of 32 bits.
_SMALLEST, _LARGEST = 1e-5, 1e12


class _Page(NamedTuple):
    """The properties that all pages of a level share."""

    shape: tuple[int, ...]
    tile: int
    options: dict[str, Any]


def write_ome_tiff(
    image: Image,
    dest: PathType,
    *,
    scenes: Choice = "all",
    levels: int | None = None,
    tile: int = 512,
    compression: str | None = DEFAULT_TIFF_COMPRESSION,
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress = None,
) -> None:
    """Write scenes as the images of an OME-TIFF; it appears when it is complete.

    Each plane is a page in tiles, its pyramid levels are SubIFDs, and the OME-XML stands in the
    first page (OME-TIFF specification 2016-06, "sub-resolutions"). Dimensions that OME does not
    have (H, V, R, I, B) give an image for each of their places.

    Parameters
    ----------
    image
        What to write; it is at another scene afterwards.
    dest
        The path.
    scenes
        ``"all"``, or names or indices.
    levels
        How many resolutions; by default all that are stored, and as many more as bring the
        last one down to 1024 pixels.
    tile
        The sides of a tile in pixels, a multiple of 16.
    compression
        As tifffile names it: ``"zlib"``, ``"lzw"``, ``"zstd"``..., None for none; all but
        ``"zlib"`` need imagecodecs.
    overwrite
        Whether an existing file is replaced.
    threads
        The number of threads that compress.
    progress
        True for a bar, or ``progress(done, total)``, called with numbers of rows of tiles.

    Raises
    ------
    FileExistsError
        If the file is there and `overwrite` is not set.
    ValueError
        For a scene that is not there, or a size of tiles that TIFF does not have.
    MissingExtraError
        Without the extra ``ome-tiff``.
    """
    series = list(image_series(image, scenes))
    text: bytes | None = ome_text(image, series)
    total = sum(_bands(image, one, levels, tile) for one in series)
    with ExitStack() as stack:
        writer = _opened(stack, image, series, dest, overwrite)
        advance = stack.enter_context(show_progress(progress, total, f"writing {dest!s}"))
        for one in series:
            image.set_scene(one.scene)
            sizes = level_sizes(image, levels)
            for plane in _planes(image, one):
                rows = LevelRows(image, plane, sizes, tile)
                for level in range(len(sizes)):
                    page = _page(image, sizes, level, tile, compression, threads)
                    first = {"subifds": len(sizes) - 1} if level == 0 else {"subfiletype": 1}
                    bands = _counted(rows.bands(level), advance)
                    _write(writer, page, bands, description=text, **first)
                    text = None


def write_tiff(
    image: Image,
    dest: PathType,
    *,
    scenes: Choice = "all",
    tile: int = 512,
    compression: str | None = DEFAULT_TIFF_COMPRESSION,
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress = None,
) -> None:
    """Write scenes as the series of a plain TIFF, in full resolution.

    The axes stand in the description as tifffile and its friends read them; the size of a pixel
    in the resolution tags. The parameters and errors are those of `write_ome_tiff`.
    """
    series = list(image_series(image, scenes))
    total = sum(_bands(image, one, 1, tile) for one in series)
    with ExitStack() as stack:
        writer = _opened(stack, image, series, dest, overwrite)
        advance = stack.enter_context(show_progress(progress, total, f"writing {dest!s}"))
        for one in series:
            image.set_scene(one.scene)
            sizes = level_sizes(image, 1)
            page = _page(image, sizes, 0, tile, compression, threads)
            bands = itertools.chain.from_iterable(
                LevelRows(image, plane, sizes, tile).bands(0) for plane in _planes(image, one)
            )
            axes = [letter for letter in _PLANE_ORDER if letter in image.sizes]
            page = page._replace(shape=(*(image.sizes[axis] for axis in axes), *page.shape))
            # M is no letter of tifffile's in this place; R (tile) is
            letters = "".join(axes).replace("M", "R") + ("YXS" if "S" in image.sizes else "YX")
            # tifffile's own description would take an X of one pixel for samples
            told = {"shape": page.shape, "axes": letters, "Name": one.name}
            _write(writer, page, _counted(bands, advance), description=json.dumps(told))


def _opened(
    stack: ExitStack, image: Image, series: list[Series], dest: PathType, overwrite: bool
) -> Any:
    tifffile = require("tifffile", extra=_EXTRA, doing="writing TIFF")
    stream = stack.enter_context(atomic_output(dest, overwrite=overwrite))
    size = 0
    for scene in {one.scene for one in series}:
        image.set_scene(scene)
        size += image.nbytes
    # uncompressed pixels and a pyramid of a third more may come near the limit of classic TIFF
    return stack.enter_context(
        tifffile.TiffWriter(stream, bigtiff=size > _CLASSIC_LIMIT, shaped=False)
    )


def _planes(image: Image, series: Series) -> Iterator[dict[str, int]]:
    letters = [letter for letter in _PLANE_ORDER if letter in image.sizes]
    for place in itertools.product(*(range(image.sizes[letter]) for letter in letters)):
        yield {**series.place, **dict(zip(letters, place))}


def _bands(image: Image, series: Series, levels: int | None, tile: int) -> int:
    if tile < 16 or tile % 16:
        raise ValueError(f"the sides of a TIFF's tiles are multiples of 16, not {tile}")
    image.set_scene(series.scene)
    rows = sum(-(-height // tile) for height, _ in level_sizes(image, levels))
    return rows * sum(1 for _ in _planes(image, series))


def _page(
    image: Image,
    sizes: list[tuple[int, int]],
    level: int,
    tile: int,
    compression: str | None,
    threads: int | None,
) -> _Page:
    samples = image.sizes.get("S", 0)
    if samples and image.dtype == np.bool_:  # tifffile packs the bits of a row, not of a sample
        raise UnsupportedDataError(
            "the image has colours with pixels of type bool, which a TIFF cannot have; save it as "
            "uint8"
        )
    options: dict[str, Any] = {
        "dtype": image.dtype,
        "compression": compression,
        "photometric": "rgb" if samples >= 3 else "minisblack",
        "maxworkers": thread_count(threads),
        "software": "czictypes",
        "metadata": None,
    }
    if samples:
        options["planarconfig"] = "contig"
    if samples == 4:
        options["extrasamples"] = ["unassalpha"]
    resolution = _resolution(image, sizes, level)
    if resolution is not None:
        options["resolution"], options["resolutionunit"] = resolution, "CENTIMETER"
    shape = (*sizes[level], samples) if samples else sizes[level]
    return _Page(shape, tile, options)


def _resolution(
    image: Image, sizes: list[tuple[int, int]], level: int
) -> tuple[float, float] | None:
    """Return pixels in a centimetre along x and y, None for sizes that no tag can hold."""
    pixel = image._pixel_sizes()
    if not pixel.X or not pixel.Y:
        return None
    (full_height, full_width), (height, width) = sizes[0], sizes[level]
    across, down = pixel.X * full_width / width, pixel.Y * full_height / height
    if not all(_SMALLEST < size < _LARGEST for size in (across, down)):
        return None
    return _MICROMETRES_IN_CENTIMETRE / across, _MICROMETRES_IN_CENTIMETRE / down


def _write(writer: Any, page: _Page, bands: Iterable[NDArray[Any]], **more: Any) -> None:
    """Write pages; tifffile has threads of its own, which an interrupt would break."""
    options = {**page.options, **more, "shape": page.shape, "tile": (page.tile, page.tile)}
    feed(bands, lambda taken: writer.write(_tiles(taken, page.tile), **options))


def _counted(bands: Iterable[NDArray[Any]], advance: Any) -> Iterator[NDArray[Any]]:
    for band in bands:
        advance(1)  # before, as the last one is taken without asking for another
        yield band


def _tiles(bands: Iterable[NDArray[Any]], tile: int) -> Iterator[NDArray[Any]]:
    """Cut bands of rows into tiles, those at the edges filled up with zeros."""
    for band in bands:
        for left in range(0, band.shape[1], tile):
            part = band[:, left : left + tile]
            if part.shape[:2] != (tile, tile):
                whole = np.zeros((tile, tile, part.shape[2]), part.dtype)
                whole[: part.shape[0], : part.shape[1]] = part
                part = whole
            yield np.ascontiguousarray(part)
