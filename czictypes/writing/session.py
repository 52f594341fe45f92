"""A document that is being written: its tiles on their way into the file, all or nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from czictypes.model.errors import ClosedError, CziError
from czictypes.model.geometry import Location, Rectangle, Size
from czictypes.model.pixel_types import Compression, PixelType
from czictypes.writing.assembly import MULTI_TILE_PYRAMID, Assembly, Block
from czictypes.writing.compression import CompressionOptions, encode
from czictypes.writing.pipeline import OrderedPipeline
from czictypes.writing.tiles import Tile, TileExtras

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Draft",
    "TileSource",
    "TileWriter",
]


class Draft:
    """The file of a document and its tiles on their way; all of it is written, or given up.

    Parameters
    ----------
    assembly
        The file.
    threads
        How many threads compress tiles.
    """

    def __init__(self, assembly: Assembly, threads: int) -> None:
        self.assembly = assembly
        self.tiles = TileWriter(threads, assembly)
        self.lock = threading.RLock()
        self._failure: BaseException | None = None

    @property
    def is_open(self) -> bool:
        """Whether more can be written."""
        return self.assembly.is_open

    def require_open(self) -> None:
        """Raise if nothing more can be written.

        Raises
        ------
        ClosedError
            If the document is complete.
        CziError
            If it was given up.
        """
        if self._failure is not None:
            raise self._given_up(self._failure) from self._failure
        if not self.is_open:
            name = self.assembly.name
            raise ClosedError(f"the document {name} is closed; nothing can be written to it")

    def tell_failure(self) -> None:
        """Raise what the document was given up for, once.

        Raises
        ------
        CziError
            If it was given up.
        """
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

    def abort(self) -> None:
        """Leave nothing behind; does nothing when the file is complete."""
        self.tiles.close()
        self.assembly.abort()

    def _given_up(self, failure: BaseException) -> CziError:
        why = str(failure) or type(failure).__name__
        return CziError(
            f"the document {self.assembly.name} was given up, because writing to it failed: {why}"
        )


_WORTH_A_THREAD = 1 << 16  # bytes of pixels


class TileSource(NamedTuple):
    """The properties that all tiles of one array share.

    Parameters
    ----------
    coordinate
        The plane, S included.
    location
        Where the array's top-left pixel lies.
    first_m
        The M-index of the first tile.
    pixel_type
        What their pixels are.
    options, extras
        How they are compressed, and what goes with them.
    factor
        How many pixels of full resolution a pixel stands for, along each axis; above 1, the tiles
        belong to a pyramid.
    """

    coordinate: Mapping[str, int]
    location: Location
    first_m: int
    pixel_type: PixelType
    options: CompressionOptions
    extras: TileExtras
    factor: int = 1


class TileWriter:
    """Encodes tiles in threads and adds them to an assembly in order.

    Parameters
    ----------
    threads
        How many threads encode; the file is the same for any number.
    assembly
        Where the sub-blocks go.
    """

    def __init__(self, threads: int, assembly: Assembly) -> None:
        self._pipeline: OrderedPipeline[Block] = OrderedPipeline(threads, assembly.add)

    def write(self, tiles: list[Tile], source: TileSource) -> None:
        """Write the tiles of one array, which the caller may change after this call.

        Few tiles are copied, and encoded while the caller goes on; many are waited for.
        """
        plain = source.options.method == Compression.Uncompressed
        wait = plain or len(tiles) > self._pipeline.threads
        for m_index, tile in enumerate(tiles, source.first_m):
            at_once = plain or tile.pixels.nbytes < _WORTH_A_THREAD
            later = not (wait or at_once) and self._pipeline.threads > 1
            pixels = tile.pixels.copy() if later else tile.pixels
            work = partial(_make_block, tile, pixels, m_index, source)
            self._pipeline.submit(work, at_once=at_once)
        if wait:
            self._pipeline.drain()

    def drain(self) -> None:
        """Wait until all tiles are written."""
        self._pipeline.drain()

    def close(self) -> None:
        """Drop what is not written yet, and end the threads."""
        self._pipeline.close()


def _make_block(tile: Tile, pixels: NDArray[Any], m_index: int, source: TileSource) -> Block:
    height, width = pixels.shape[:2]
    factor = source.factor
    x, y = source.location.x + tile.x * factor, source.location.y + tile.y * factor
    return Block(
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
