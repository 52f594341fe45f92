"""Builds the pyramids of a document: decodes, reduces, compresses and writes, tile after tile.

Memory does not depend on the size of the image: the tiles of level 1 are made in an order in
which each higher level needs one unfinished tile, and a bounded cache keeps the decoded
sub-blocks that the next tiles need again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.container.byte_source import ByteSource
from czictypes.container.directory import Directory
from czictypes.model.errors import MissingExtraError
from czictypes.model.geometry import Rectangle, Size
from czictypes.model.options import CacheOptions, ReaderOptions
from czictypes.model.pixel_types import Compression, PixelType, pixel_format
from czictypes.reading.conversion import common_type
from czictypes.reading.decode import SubBlockDecoder
from czictypes.reading.document import OpenDocument
from czictypes.reading.paint import Painter, Part
from czictypes.reading.request import PlaneRequest, background_value, fill
from czictypes.reading.table import SubBlockTable
from czictypes.reading.tiles import SubBlockCache, Tile, TileProvider
from czictypes.remote.part_files import PartFiles
from czictypes.writing.assembly import MULTI_TILE_PYRAMID, Assembly, Block
from czictypes.writing.compression import CompressionOptions, check_codec, encode, parse_compression
from czictypes.writing.pipeline import OrderedPipeline
from czictypes.writing.pyramid.plan import PlanePlan, PyramidOptions, plan_pyramid
from czictypes.writing.pyramid.reduce import LevelStack, reduce_pixels

__all__ = [
    "FullResolution",
    "build_pyramid",
    "choose_compression",
    "open_document",
    "plane_pixel_type",
    "write_pyramid",
]


_CACHE = 160 << 20  # bytes of decoded sub-blocks
_WORK = 256 << 20  # bytes of pixels that all threads together work on


def open_document(source: ByteSource, parts: PartFiles | None = None) -> OpenDocument:
    """Open a document for `build_pyramid`; it closes the source with itself.

    Parameters
    ----------
    source, parts
        As for `OpenDocument`.

    Raises
    ------
    CorruptFileError, UnsupportedDataError
        If it is damaged, or none that libCZI reads.
    """
    try:
        return OpenDocument(source, None, ReaderOptions(), 1, parts)
    except BaseException:
        source.close()
        raise


def build_pyramid(
    document: OpenDocument,
    plans: list[PlanePlan],
    options: PyramidOptions,
    consume: Callable[[Block], None],
    *,
    threads: int,
    preferred: CompressionOptions | None = None,
    step: Callable[[int], None] | None = None,
) -> None:
    """Build pyramids.

    Parameters
    ----------
    document
        Where the full resolution is.
    plans
        What to build, by `plan_pyramid`.
    options
        The filter and the compression; all else stands in the plans.
    consume
        Takes the sub-blocks, in the calling thread and in the same order for any number of
        threads.
    threads
        How many threads work at most; fewer where their pixels would take much memory.
    preferred
        How to compress where the full resolution has that method.
    step
        Called with 1 after every tile of level 1, which is when most of the work is done.

    Raises
    ------
    CorruptFileError, UnsupportedDataError
        If a sub-block cannot be decoded.
    """
    threads = _useful_threads(document, plans, threads)
    encoders = OrderedPipeline(threads, consume)
    builder = _Builder(document, options, preferred, encoders.submit, step or _ignore)
    makers = OrderedPipeline(threads, builder.take)
    try:
        for plan in plans:
            plane = builder.plane(plan)
            for column, row in plan.cells.tolist():
                makers.submit(partial(builder.make, plane, column, row))
        makers.drain()
        builder.finish()
        encoders.drain()
    finally:
        makers.close()
        encoders.close()


class _Plane(NamedTuple):
    """A plane that is being worked on."""

    pixels: FullResolution
    levels: LevelStack


class _Made(NamedTuple):
    """A tile of level 1."""

    plane: _Plane
    column: int
    row: int
    pixels: NDArray[Any]


class _Builder:
    """Does the work of `build_pyramid`: `make` in any thread, all else in one."""

    def __init__(
        self,
        document: OpenDocument,
        options: PyramidOptions,
        preferred: CompressionOptions | None,
        encode_later: Callable[[Callable[[], Block]], None],
        step: Callable[[int], None],
    ) -> None:
        self._directory, self._options, self._preferred = (
            document.table.directory,
            options,
            preferred,
        )
        self._encode_later, self._step = encode_later, step
        self._tiles = _cached_decoder(document)
        self._current: LevelStack | None = None

    def plane(self, plan: PlanePlan) -> _Plane:
        pixels = FullResolution(self._directory, self._tiles, plan, self._options.filter)
        schemes = self._directory.compression[plan.sub_blocks]
        compression = choose_compression(
            schemes, pixels.pixel_type, self._options.compression, self._preferred
        )

        def emit(level: int, column: int, row: int, tile: NDArray[Any]) -> None:
            self._encode_later(partial(_block, pixels, compression, level, column, row, tile))

        return _Plane(pixels, LevelStack(plan.grid, self._options.filter, pixels.blank, emit))

    def make(self, plane: _Plane, column: int, row: int) -> _Made:
        return _Made(plane, column, row, plane.pixels.reduced(column, row))

    def take(self, made: _Made) -> None:
        levels = made.plane.levels
        if levels is not self._current:
            self.finish()
            self._current = levels
        levels.add(made.column, made.row, made.pixels)
        self._step(1)

    def finish(self) -> None:
        if self._current is not None:
            self._current.finish()
            self._current = None


def _block(
    plane: FullResolution,
    compression: CompressionOptions,
    level: int,
    column: int,
    row: int,
    pixels: NDArray[Any],
) -> Block:
    """Return a sub-block of a tile that begins, maybe, with an edge of its neighbours."""
    height, width = pixels.shape[:2]
    scale = plane.plan.grid.factor**level
    inner = plane.plan.grid.rectangle(level, column, row)
    x, y = inner.x + inner.w - width * scale, inner.y + inner.h - height * scale
    return Block(
        coordinate=plane.plan.coordinate,
        rectangle=Rectangle(x, y, width * scale, height * scale),
        size=Size(width, height),
        pixel_type=plane.pixel_type,
        compression=compression.method,
        data=encode(pixels, compression, plane.pixel_type),
        pyramid_type=MULTI_TILE_PYRAMID,
    )


def _cached_decoder(document: OpenDocument) -> SubBlockDecoder:
    """Return a decoder that keeps tiles, for each is needed by several tiles of level 1."""
    limit = max(_CACHE, _largest_tile(document))
    cache = SubBlockCache(CacheOptions(max_memory_usage=limit))
    return SubBlockDecoder(document.source, document.rows, cache=cache, cache_uncompressed=True)


def _useful_threads(document: OpenDocument, plans: list[PlanePlan], threads: int) -> int:
    """Return how many threads may work without taking much memory."""
    most = _largest_tile(document)
    for plan in plans:
        layout = pixel_format(plane_pixel_type(document.table.directory, plan))
        grid = plan.grid
        side = grid.tile * grid.factor
        pixels = min(side, grid.box.w) * min(side, grid.box.h)
        most = max(most, min(pixels * layout.bytes_per_pixel * 2, _WORK))
    return max(min(threads, _WORK // max(most, 1)), 1)


def _largest_tile(document: OpenDocument) -> int:
    """Return about how many bytes the pixels of the largest sub-block take."""
    rows = document.table.directory
    if not rows.count:
        return 0
    largest = (rows.physical_w.astype(np.int64) * rows.physical_h).argmax()
    number = int(rows.pixel_type[largest])
    try:
        size = pixel_format(number).bytes_per_pixel
    except ValueError:
        return 0
    return int(rows.physical_w[largest]) * int(rows.physical_h[largest]) * size


def _ignore(_: int) -> None:
    pass


_EMPTY = (0.0, 0.0, 0.0, 0.0)  # black, and transparent where there is an alpha
_BAND = 32 << 20  # bytes of the full resolution that are composed at once


class FullResolution:
    """The full resolution of one plane of one scene; safe to use from many threads.

    Parameters
    ----------
    directory, tiles
        The sub-blocks of the document, and where their pixels come from.
    plan
        The plane.
    kind
        The filter, as for `reduce_pixels`.
    """

    def __init__(
        self, directory: Directory, tiles: TileProvider, plan: PlanePlan, kind: str
    ) -> None:
        self.plan = plan
        self.pixel_type = plane_pixel_type(directory, plan)
        self._kind = kind
        rows = directory.take(plan.sub_blocks, {})  # in the order of painting, which M stands for
        rows = replace(rows, m=np.arange(rows.count, dtype=np.int32))
        self._painter = Painter(SubBlockTable(rows), _Chosen(tiles, plan.sub_blocks))

    def reduced(self, column: int, row: int) -> NDArray[Any]:
        """Return the pixels of a tile of level 1, (h, w, samples)."""
        grid = self.plan.grid
        area = grid.rectangle(1, column, row)
        made = self._empty(grid.size(1, column, row))
        bytes_per_row = area.w * grid.factor * pixel_format(self.pixel_type).bytes_per_pixel
        for first, end in _bands(len(made), bytes_per_row):
            top, height = area.y + first * grid.factor, (end - first) * grid.factor
            pixels = self._compose(Rectangle(area.x, top, area.w, height))
            made[first:end] = reduce_pixels(pixels, grid.factor, self._kind)
        return made

    def blank(self, size: Size) -> NDArray[Any]:
        """Return an image as it is where there is no tile."""
        pixels = self._empty(size)
        fill(pixels, background_value(self.pixel_type, _EMPTY))
        return pixels

    def _empty(self, size: Size) -> NDArray[Any]:
        layout = pixel_format(self.pixel_type)
        return np.empty((size.h, size.w, layout.samples), layout.dtype)

    def _compose(self, roi: Rectangle) -> NDArray[Any]:
        request = PlaneRequest(roi, {}, None, 1.0, self.pixel_type, _EMPTY)
        out = self._empty(Size(roi.w, roi.h))
        self._painter.paint([Part(request)], [out])
        return out


def plane_pixel_type(directory: Directory, plan: PlanePlan) -> PixelType:
    """Return the pixel type that holds all sub-blocks of a plane.

    Raises
    ------
    UnsupportedDataError
        If there is none, or libCZI does not know their type.
    """
    types = dict.fromkeys(directory.pixel_type[plan.sub_blocks].tolist())
    plane = ", ".join(f"{name}={at}" for name, at in plan.coordinate.items())
    return common_type(types, f"the plane {plane}" if plane else "the image")


class _Chosen:
    """Some sub-blocks of a document under the numbers that they have among themselves."""

    def __init__(self, tiles: TileProvider, chosen: NDArray[np.intp]) -> None:
        self._tiles, self._chosen = tiles, chosen

    def tile(self, row: int) -> AbstractContextManager[Tile]:
        return self._tiles.tile(int(self._chosen[row]))


def _bands(height: int, bytes_per_row: int) -> Iterator[tuple[int, int]]:
    step = max(_BAND // bytes_per_row, 1)
    for first in range(0, height, step):
        yield first, min(first + step, height)


_ZSTD1 = CompressionOptions(Compression.Zstd1, hilo=True)


def choose_compression(
    schemes: NDArray[Any],
    pixel_type: PixelType,
    asked: str | None,
    preferred: CompressionOptions | None = None,
) -> CompressionOptions:
    """Return how to compress the pyramid of a plane.

    Parameters
    ----------
    schemes
        The compression numbers of the plane's sub-blocks in full resolution.
    pixel_type
        What its pixels are.
    asked
        What the caller wants, if anything.
    preferred
        The options to use if their method is the one that most of `schemes` have.

    Returns
    -------
    CompressionOptions
        zstd1 where JPEG XR is wanted but cannot be had, or not without loss.
    """
    if asked is not None:
        return _possible(parse_compression(asked), pixel_type)
    numbers, counts = np.unique(schemes, return_counts=True)
    number = int(numbers[counts.argmax()])
    if preferred is not None and preferred.method == number:
        return _possible(preferred, pixel_type)
    if number in (Compression.Uncompressed, Compression.Zstd0, Compression.JpegXr):
        return _possible(CompressionOptions(Compression(number)), pixel_type)
    return _ZSTD1


def _possible(options: CompressionOptions, pixel_type: PixelType) -> CompressionOptions:
    try:
        check_codec(options, pixel_type)
    except (ValueError, MissingExtraError):
        return _ZSTD1
    return options


def write_pyramid(
    assembly: Assembly,
    options: PyramidOptions,
    *,
    threads: int,
    preferred: CompressionOptions | None = None,
) -> None:
    """Add a pyramid of the sub-blocks that an assembly has.

    They are read back from the file under assembly, so it does not matter in which order they
    came, and memory does not depend on the size of the images.

    Parameters
    ----------
    assembly
        Made with `read_back`, all its sub-blocks in full resolution.
    options
        What the pyramid is like.
    threads
        The number of threads.
    preferred
        How to compress where the full resolution has that method.

    Raises
    ------
    OSError
        If the file cannot be read back or written.
    """
    document = open_document(assembly.written())
    try:
        plans = plan_pyramid(document.table, options)
        build_pyramid(document, plans, options, assembly.add, threads=threads, preferred=preferred)
    finally:
        document.close()
