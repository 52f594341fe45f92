"""The chunks of the levels of an image, as the bytes that a zarr store holds for them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.exchange.ome_zarr.pixels import FiveAxes
from czictypes.exchange.ome_zarr.plan import LevelPlan

__all__ = ["ZarrLevel"]


class ZarrLevel:
    """One array: its chunks are read from the CZI when they are asked for.

    Parameters
    ----------
    pixels
        The pixels of the level.
    plan
        How it is cut.
    """

    def __init__(self, pixels: FiveAxes, plan: LevelPlan) -> None:
        self._pixels = pixels
        self.shape = plan.shape
        self.chunk = plan.chunking.chunk
        self.dtype: np.dtype[Any] = pixels.dtype.newbyteorder("<")
        self._counts = [-(-size // step) for size, step in zip(self.shape, self.chunk)]
        #: The size of every chunk in bytes.
        self.nbytes = math.prod(self.chunk) * self.dtype.itemsize

    def place(self, key: str) -> tuple[int, ...] | None:
        """Return the place of a chunk in the grid from its key, ``c/0/1/0/3/2``, or None."""
        first, *numbers = key.split("/")
        if first != "c" or len(numbers) != len(self._counts):
            return None
        # Only the one way of writing a number is a key: no sign, no zero before it.
        if not all(one.isascii() and one.isdigit() and str(int(one)) == one for one in numbers):
            return None
        place = tuple(int(one) for one in numbers)
        return place if all(at < n for at, n in zip(place, self._counts)) else None

    def chunk_keys(self) -> Iterator[str]:
        """Give the key of every chunk."""
        for place in itertools.product(*(range(count) for count in self._counts)):
            yield "/".join(["c", *map(str, place)])

    def read(self, place: tuple[int, ...], first: int = 0, end: int | None = None) -> bytes:
        """Return the bytes of a chunk, or the part from `first` to `end` (excluded).

        Of a part, only the rows that it touches are read from the file.
        """
        end = self.nbytes if end is None else end
        row = self.chunk[-1] * self.dtype.itemsize
        rows = (0, self.chunk[-2])
        if math.prod(self.chunk[:-2]) == 1:
            rows = first // row, -(-end // row)
        pixels = self._filled(place, rows)
        start = first - (rows[0] * row if rows != (0, self.chunk[-2]) else 0)
        return pixels.tobytes()[start : start + end - first]

    def _filled(self, place: tuple[int, ...], rows: tuple[int, int]) -> NDArray[Any]:
        """Return some rows of a chunk in its full size, 0 beyond the edge of the array."""
        starts = [at * step for at, step in zip(place, self.chunk)]
        ends = [start + step for start, step in zip(starts, self.chunk)]
        starts[-2], ends[-2] = starts[-2] + rows[0], starts[-2] + rows[1]
        region = [
            (min(start, size), min(end, size)) for start, end, size in zip(starts, ends, self.shape)
        ]
        full = tuple(end - start for start, end in zip(starts, ends))
        pixels = np.zeros(full, self.dtype)
        inside = tuple(slice(end - start) for start, end in region)
        if all(end > start for start, end in region):
            pixels[inside] = self._pixels.read(region)
        return pixels
