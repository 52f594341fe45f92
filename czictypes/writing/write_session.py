"""A document that is being written: its tiles on their way into the file, all or nothing."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from numpy.typing import NDArray

from czictypes.model.errors import ClosedError, CziError
from czictypes.model.geometry import Location, Rectangle, Size
from czictypes.model.pixel_types import Compression, PixelType
from czictypes.writing.array_tiles import ArrayTile, SubBlockExtras
from czictypes.writing.assembly import MULTI_TILE_PYRAMID, Assembly, OrderedPipeline
from czictypes.writing.compression import CompressionOptions, encode
from czictypes.writing.new_segments import EncodedSubBlock

_WORTH_A_THREAD = 1 << 16  # bytes of pixels


class TileSource(NamedTuple):
    """The properties that all tiles of one array share.

    A pixel stands for `factor` pixels of full resolution along each axis; above 1, the tiles
    belong to a pyramid.
    """

    coordinate: Mapping[str, int]  # of the plane, S included
    location: Location  # of the array's top-left pixel
    first_m: int  # the M-index of the first tile
    pixel_type: PixelType
    options: CompressionOptions
    extras: SubBlockExtras
    factor: int = 1


class WriteSession:
    """The file of a document and its tiles on their way; all of it is written, or given up.

    Tiles are encoded in `threads` threads and added in order: the file is the same for any number.
    A ``with`` block is a step after whose failure the document is given up.
    """

    def __init__(self, assembly: Assembly, threads: int) -> None:
        self.assembly = assembly
        self.lock = threading.RLock()
        self._pipeline: OrderedPipeline[EncodedSubBlock] = OrderedPipeline(threads, assembly.add)
        self._failure: BaseException | None = None

    def require_open(self) -> None:
        """Raise a `ClosedError` if the document is complete, a `CziError` if it was given up."""
        if self._failure is not None:
            raise self._given_up(self._failure) from self._failure
        if not self.assembly.is_open:
            name = self.assembly.name
            raise ClosedError(f"the document {name} is closed; nothing can be written to it")

    def tell_failure(self) -> None:
        """Raise, once, a `CziError` that says why the document was given up."""
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise self._given_up(failure) from failure

    def __enter__(self) -> None:
        """Begin a step that gives the document up if it fails: it may be half in the file."""

    def __exit__(self, exc_type: object, error: BaseException | None, traceback: object) -> None:
        if error is not None:
            self._failure = error
            self.abort()

    def write(self, tiles: list[ArrayTile], source: TileSource) -> None:
        """Write the tiles of one array, which the caller may change after this call.

        Few tiles are copied, and encoded while the caller goes on; many are waited for.
        """
        pipeline, plain = self._pipeline, source.options.method == Compression.Uncompressed
        wait = plain or len(tiles) > pipeline.threads
        for m_index, tile in enumerate(tiles, source.first_m):
            pixels = tile.pixels
            if plain or pixels.nbytes < _WORTH_A_THREAD:
                pipeline.put(_encoded(tile, pixels, m_index, source))
                continue
            if not wait and pipeline.threads > 1:
                pixels = pixels.copy()
            pipeline.submit(partial(_encoded, tile, pixels, m_index, source))
        if wait:
            self.drain()

    def drain(self) -> None:
        """Wait until all tiles are written."""
        self._pipeline.drain()

    def end_threads(self) -> None:
        """Drop what is not written yet, and end the threads."""
        self._pipeline.close()

    def abort(self) -> None:
        """Leave nothing behind; does nothing when the file is complete."""
        self.end_threads()
        self.assembly.abort()

    def _given_up(self, failure: BaseException) -> CziError:
        why = str(failure) or type(failure).__name__
        return CziError(
            f"the document {self.assembly.name} was given up, because writing to it failed: {why}"
        )


def _encoded(
    tile: ArrayTile, pixels: NDArray[Any], m_index: int, source: TileSource
) -> EncodedSubBlock:
    height, width, _ = pixels.shape
    coordinate, (x, y), _, pixel_type, options, extras, factor = source
    area = x + tile.x * factor, y + tile.y * factor, width * factor, height * factor
    full = factor == 1
    return EncodedSubBlock(
        coordinate,
        Rectangle(*area),
        Size(width, height),
        pixel_type,
        options.method,
        encode(pixels, options, pixel_type),
        m_index if full else None,
        0 if full else MULTI_TILE_PYRAMID,
        extras.metadata,
        extras.attachment_of(tile),
    )
