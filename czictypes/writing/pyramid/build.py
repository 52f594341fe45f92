"""Builds the pyramids of a document: decodes, reduces, compresses and writes, tile after tile.

Memory does not depend on the size of the image: the tiles of level 1 are made in an order in
which each higher level needs one unfinished tile, and a bounded cache keeps the decoded
sub-blocks that the next tiles need again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

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
from czictypes.reading.planes import PlaneRows
from czictypes.reading.request import PlaneRequest, background_value, fill
from czictypes.reading.table import SubBlockTable
from czictypes.reading.tiles import DecodedTile, SubBlockCache, TileProvider
from czictypes.remote.part_files import PartFiles
from czictypes.writing.assembly import MULTI_TILE_PYRAMID, Assembly, OrderedPipeline
from czictypes.writing.compression import CompressionOptions, check_codec, encode, parse_compression
from czictypes.writing.new_segments import EncodedSubBlock
from czictypes.writing.pyramid.reduce import LevelStack, reduce_pixels
from czictypes.writing.pyramid.tile_plan import PlanePlan, PyramidOptions, plan_pyramid
from czictypes.writing.transfer import decoded_sizes

_CACHE = 160 << 20  # bytes of decoded sub-blocks
_WORK = 256 << 20  # bytes of pixels that all threads together work on
_EMPTY = (0.0, 0.0, 0.0, 0.0)  # black, and transparent where there is an alpha
_BAND = 32 << 20  # bytes of the full resolution that are composed at once
_ZSTD1 = CompressionOptions(Compression.Zstd1, hilo=True)


def open_document(source: ByteSource, parts: PartFiles | None = None) -> OpenDocument:
    """Open a document for `build_pyramid`; it closes the source with itself."""
    try:
        return OpenDocument(source, None, ReaderOptions(), 1, parts)
    except BaseException:
        source.close()
        raise


def build_pyramid(
    document: OpenDocument,
    plans: list[PlanePlan],
    options: PyramidOptions,
    consume: Callable[[EncodedSubBlock], None],
    *,
    threads: int,
    preferred: CompressionOptions | None = None,
    step: Callable[[int], None] | None = None,
) -> None:
    """Build the pyramids that are planned of a document, as `options` filter and compress.

    `consume` takes the sub-blocks, in the calling thread and in the same order for any number of
    threads; fewer of these work where their pixels would take much memory. `preferred` is how to
    compress where the full resolution has that method. `step` is called with 1 after every tile of
    level 1, which is when most of the work is done.
    """
    threads = _useful_threads(document, plans, threads)
    rows, decoder = document.rows, _cached_decoder(document)
    encoders = OrderedPipeline(threads, consume)
    #: What threads make is what to do then, in this thread and in order.
    makers: OrderedPipeline[Callable[[], None]] = OrderedPipeline(threads, lambda act: act())

    def make(plane: _FullResolution, levels: LevelStack, column: int, row: int) -> Any:
        return partial(take, levels, column, row, plane.reduced(column, row))

    def take(levels: LevelStack, column: int, row: int, pixels: NDArray[Any]) -> None:
        levels.add(column, row, pixels)
        if step is not None:
            step(1)

    try:
        for plan in plans:
            plane = _FullResolution(rows, decoder, plan, options.filter)
            schemes = rows.directory.compression[plan.sub_blocks]
            asked = options.compression
            compression = _choose_compression(schemes, plane.pixel_type, asked, preferred)
            emit = partial(_encode_later, encoders, plane, compression)
            levels = LevelStack(plan.grid, options.filter, plane.blank, emit)
            for column, row in plan.cells.tolist():
                makers.submit(partial(make, plane, levels, column, row))
            makers.put(levels.finish)
        makers.drain()
        encoders.drain()
    finally:
        makers.close()
        encoders.close()


def _encode_later(
    encoders: OrderedPipeline[EncodedSubBlock],
    plane: _FullResolution,
    compression: CompressionOptions,
    *tile: Any,
) -> None:
    encoders.submit(partial(_encoded, plane, compression, *tile))


def _encoded(
    plane: _FullResolution,
    compression: CompressionOptions,
    level: int,
    column: int,
    row: int,
    pixels: NDArray[Any],
) -> EncodedSubBlock:
    """Return the sub-block of a tile, which may begin with an edge of its neighbours."""
    height, width = pixels.shape[:2]
    scale = plane.plan.grid.factor**level
    inner = plane.plan.grid.rectangle(level, column, row)
    x, y = inner.x + inner.w - width * scale, inner.y + inner.h - height * scale
    return EncodedSubBlock(
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
    """Return how many threads may work within the memory that is allowed."""
    most = _largest_tile(document)
    for plan in plans:
        layout = pixel_format(_plane_pixel_type(document.table.directory, plan))
        grid = plan.grid
        side = grid.tile * grid.factor
        pixels = min(side, grid.box.w) * min(side, grid.box.h)
        most = max(most, min(pixels * layout.bytes_per_pixel * 2, _WORK))
    return max(min(threads, _WORK // max(most, 1)), 1)


def _largest_tile(document: OpenDocument) -> int:
    """Return about how many bytes the pixels of the largest sub-block take."""
    return int(decoded_sizes(document.table.directory).max(initial=0))


class _FullResolution:
    """The full resolution of one plane of one scene; safe to use from many threads."""

    def __init__(self, rows: PlaneRows, tiles: TileProvider, plan: PlanePlan, kind: str) -> None:
        self.plan = plan
        self.pixel_type = _plane_pixel_type(rows.directory, plan)
        self._kind = kind
        chosen = plan.sub_blocks  # in the order of painting, which M stands for
        order = np.arange(len(chosen), dtype=np.int32)
        plane = PlaneRows(
            replace(rows.directory.take(chosen, {}), m=order),
            rows.stored,
            rows.sub_blocks(chosen),
            special=None if rows.special is None else rows.special[chosen],
        )
        self._painter = Painter(SubBlockTable(plane), _Chosen(tiles, chosen))

    def reduced(self, column: int, row: int) -> NDArray[Any]:
        """Return the pixels of a tile of level 1, (h, w, samples)."""
        grid = self.plan.grid
        area = grid.rectangle(1, column, row)
        made = self._empty(grid.size(1, column, row))
        bytes_per_row = area.w * grid.factor * pixel_format(self.pixel_type).bytes_per_pixel
        step = max(_BAND // bytes_per_row, 1)
        for first in range(0, len(made), step):
            end = min(first + step, len(made))
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


def _plane_pixel_type(directory: Directory, plan: PlanePlan) -> PixelType:
    """Return the pixel type that holds all sub-blocks of a plane."""
    types = dict.fromkeys(directory.pixel_type[plan.sub_blocks].tolist())
    plane = ", ".join(f"{name}={at}" for name, at in plan.coordinate.items())
    return common_type(types, f"the plane {plane}" if plane else "the image")


class _Chosen:
    """Some sub-blocks of a document, numbered among themselves."""

    def __init__(self, tiles: TileProvider, chosen: NDArray[np.intp]) -> None:
        self._tiles, self._chosen = tiles, chosen

    def tile(self, row: int, first: int, end: int) -> DecodedTile:
        return self._tiles.tile(int(self._chosen[row]), first, end)


def _choose_compression(
    schemes: NDArray[Any],
    pixel_type: PixelType,
    asked: str | None,
    preferred: CompressionOptions | None = None,
) -> CompressionOptions:
    """Return how to compress the pyramid of a plane: as asked, else as most of its sub-blocks are.

    `schemes` are the compression numbers of these; `preferred` is used if it has their method. It
    is zstd1 where JPEG XR is wanted but cannot be had, or not without loss.
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
    threads: int,
    preferred: CompressionOptions,
) -> None:
    """Add a pyramid of the sub-blocks that an assembly, made with `read_back`, has.

    They are read back from the file under assembly, so it does not matter in which order they came,
    and memory does not depend on the size of the images.
    """
    document = open_document(assembly.written())
    try:
        plans = plan_pyramid(document.table, options)
        build_pyramid(document, plans, options, assembly.add, threads=threads, preferred=preferred)
    finally:
        document.close()
