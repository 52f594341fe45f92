"""Decoded tiles, their cache, and the prefetch of their bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from czictypes.container.byte_source import ByteSource
from czictypes.container.directory import SubBlockExtents
from czictypes.container.segments import FileHeader
from czictypes.kernel.tiles import Given
from czictypes.model.options import CacheInfo, CacheOptions
from czictypes.reading.planes import PlaneRows


@dataclass(eq=False)
class DecodedTile:
    """The stored pixels of a tile, or some of its rows.

    `pixels` are (rows, width, samples) in the dtype of the sub-block's pixel type; they begin at
    row `first` of `height` rows. `mask` is True for valid pixels, (height, width) in the size in
    which the tile is read; None if all are valid. `given` is the same for the kernel, once made.
    """

    pixels: NDArray[Any]
    first: int
    height: int
    mask: NDArray[np.bool_] | None = None
    given: Given | None = None


class TileProvider(Protocol):
    """A source of decoded tiles; called from many threads at once."""

    def tile(self, row: int, first: int, end: int) -> DecodedTile:
        """Return at least the pixel rows `first` up to `end` of a row; nobody changes them."""


class SubBlockCache:
    """Decoded tiles by row, within the limits of `CacheOptions`; safe to use from many threads.

    The limits hold at every moment, so a tile that exceeds the memory limit by itself is not kept.
    """

    def __init__(self, options: CacheOptions) -> None:
        self._max_bytes = options.max_memory_usage
        self._max_count = options.max_sub_block_count
        self._tiles: OrderedDict[int, DecodedTile] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, index: int) -> DecodedTile | None:
        """Return the tile of a row, or None."""
        with self._lock:
            tile = self._tiles.get(index)
            if tile is not None:
                self._tiles.move_to_end(index)
            return tile

    def __contains__(self, index: int) -> bool:
        """Return whether the cache has the tile of a row now."""
        return index in self._tiles

    def put(self, index: int, tile: DecodedTile) -> None:
        """Keep a tile whose arrays do not change any more."""
        with self._lock:
            before = self._tiles.pop(index, None)
            if before is not None:
                self._bytes -= _size(before)
            self._tiles[index] = tile
            self._bytes += _size(tile)
            while self._tiles and self._is_over():
                _, oldest = self._tiles.popitem(last=False)
                self._bytes -= _size(oldest)

    def info(self) -> CacheInfo:
        """Return the current number of sub-blocks and bytes of pixels."""
        with self._lock:
            return CacheInfo(elements_count=len(self._tiles), memory_usage=self._bytes)

    def _is_over(self) -> bool:
        too_many = self._max_count is not None and len(self._tiles) > self._max_count
        too_large = self._max_bytes is not None and self._bytes > self._max_bytes
        return too_many or too_large


def _size(tile: DecodedTile) -> int:
    return tile.pixels.nbytes + (0 if tile.mask is None else int(tile.mask.nbytes))


#: A row of `PlaneRows`, and the range of its pixel rows that is needed (end excluded).
Wanted = tuple[int, int, int]


class Prefetcher:
    """Locates the bytes of sub-blocks and fetches them ahead, for a source that answers slowly.

    Tiles in the `cache` are skipped. `masks` includes the attachments of sub-blocks.
    """

    def __init__(
        self,
        source: ByteSource,
        rows: PlaneRows,
        header: FileHeader,
        *,
        cache: SubBlockCache | None = None,
        masks: bool = False,
    ) -> None:
        self._source = source
        self._rows = rows
        self._extents = SubBlockExtents(rows.stored, source.size(), header)
        self._cache = cache
        self._masks = masks

    def prefetch(self, wanted: Sequence[Wanted]) -> AbstractContextManager[None]:
        """Fetch the bytes of sub-blocks during a `with` block."""
        if self._cache is not None:
            wanted = [one for one in wanted if one[0] not in self._cache]
        indices = self._rows.sub_blocks(np.array([row for row, _, _ in wanted], np.intp))
        if self._masks:
            return self._source.read_ahead(self._extents.whole(indices))
        stored = [self._as_stored(*one) for one in wanted]
        return self._source.read_ahead(self._extents.pixels(indices, stored))

    def room(self, sub_block: int) -> int:
        """Return the bytes from a sub-block to the next segment."""
        return int(self._extents.room(np.array([sub_block]))[0])

    def _as_stored(self, row: int, first: int, end: int) -> tuple[int, int]:
        """Return the range of stored pixel rows for a range of rows as they are read."""
        if not self._rows.is_special(row):
            return first, end
        height = self._rows.directory.stored_h.item(row)
        stored = max(self._rows.stored.stored_h.item(self._rows.sub_block_of(row)), 0)
        start = self._rows.part_of(row) * stored
        return start + first * stored // height, start + (end - 1) * stored // height + 1
