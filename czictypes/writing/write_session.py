"""A document that is being written: its tiles on their way into the file, all or nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from numpy.typing import NDArray

from czictypes.model.errors import ClosedError, CziError
from czictypes.model.geometry import Location, Rectangle, Size
from czictypes.model.pixel_types import Compression, PixelType
from czictypes.writing.array_tiles import ArrayTile, SubBlockExtras
from czictypes.writing.assembly import (
    MULTI_TILE_PYRAMID,
    Assembly,
    EncodedSubBlock,
    OrderedPipeline,
)
from czictypes.writing.compression import CompressionOptions, encode

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

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Give the document up when something fails: it may be half in the file."""
        try:
            yield
        except BaseException as error:
            self._failure = error
            self.abort()
            raise

    def write(self, tiles: list[ArrayTile], source: TileSource) -> None:
        """Write the tiles of one array, which the caller may change after this call.

        Few tiles are copied, and encoded while the caller goes on; many are waited for.
        """
        threads = self._pipeline.threads
        plain = source.options.method == Compression.Uncompressed
        wait = plain or len(tiles) > threads
        for m_index, tile in enumerate(tiles, source.first_m):
            at_once = plain or tile.pixels.nbytes < _WORTH_A_THREAD
            later = not (wait or at_once) and threads > 1
            pixels = tile.pixels.copy() if later else tile.pixels
            work = partial(_encoded, tile, pixels, m_index, source)
            self._pipeline.submit(work, at_once=at_once)
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
    height, width = pixels.shape[:2]
    factor = source.factor
    x, y = source.location.x + tile.x * factor, source.location.y + tile.y * factor
    return EncodedSubBlock(
        coordinate=source.coordinate,
        rectangle=Rectangle(x, y, width * factor, height * factor),
        size=Size(width, height),
        pixel_type=source.pixel_type,
        compression=source.options.method,
        data=encode(pixels, source.options, source.pixel_type),
        m_index=m_index if factor == 1 else None,
        pyramid_type=0 if factor == 1 else MULTI_TILE_PYRAMID,
        metadata=source.extras.metadata,
        attachment=source.extras.attachment_of(tile),
    )
