"""A cache of decoded sub-blocks; what was used least recently leaves first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np

from czictypes.model.options import CacheInfo, CacheOptions

if TYPE_CHECKING:
    from czictypes.reading.tile import Tile

__all__ = ["SubBlockCache"]


class SubBlockCache:
    """Decoded tiles by sub-block index, within the limits of `CacheOptions`.

    Safe to use from many threads. The limits hold at every moment, so a tile that alone
    exceeds the memory limit is not kept at all.
    """

    def __init__(self, options: CacheOptions) -> None:
        self._max_bytes = options.max_memory_usage
        self._max_count = options.max_sub_block_count
        self._tiles: OrderedDict[int, Tile] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, index: int) -> Tile | None:
        """Return the tile of that sub-block, or None where it is not kept."""
        with self._lock:
            tile = self._tiles.get(index)
            if tile is not None:
                self._tiles.move_to_end(index)
            return tile

    def __contains__(self, index: int) -> bool:
        """Return whether the tile of that sub-block is kept now."""
        return index in self._tiles

    def put(self, index: int, tile: Tile) -> None:
        """Keep a tile whose arrays nobody will change any more."""
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
        """Return how many sub-blocks and bytes of pixels are kept now."""
        with self._lock:
            return CacheInfo(elements_count=len(self._tiles), memory_usage=self._bytes)

    def _is_over(self) -> bool:
        too_many = self._max_count is not None and len(self._tiles) > self._max_count
        too_large = self._max_bytes is not None and self._bytes > self._max_bytes
        return too_many or too_large


def _size(tile: Tile) -> int:
    return int(np.asarray(tile.pixels).nbytes) + (0 if tile.mask is None else int(tile.mask.nbytes))
