"""Builds the pyramids of a document: decodes, reduces, compresses and writes, tile after tile.

Memory does not depend on the size of the image: the tiles of level 1 are made in an order in
which each higher level needs one unfinished tile, and a bounded cache keeps the decoded
sub-blocks that the next tiles need again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.container.byte_source import ByteSource
from czictypes.container.part_files import PartFiles
from czictypes.model.geometry import Rectangle, Size
from czictypes.model.options import CacheOptions, ReaderOptions
from czictypes.model.pixel_types import pixel_format
from czictypes.reading.cache import SubBlockCache
from czictypes.reading.decode import SubBlockDecoder
from czictypes.reading.document import OpenDocument
from czictypes.writing.assembly import MULTI_TILE_PYRAMID, Block
from czictypes.writing.codecs import encode
from czictypes.writing.compression import CompressionOptions
from czictypes.writing.pipeline import OrderedPipeline
from czictypes.writing.pyramid.compression import choose_compression
from czictypes.writing.pyramid.leaf import FullResolution, plane_pixel_type
from czictypes.writing.pyramid.options import PyramidOptions
from czictypes.writing.pyramid.plan import PlanePlan
from czictypes.writing.pyramid.stack import LevelStack

__all__ = ["build_pyramid", "open_document"]

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
