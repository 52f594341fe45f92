"""Pixels of zstd data, decoded when they are used, and no further than they are used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.container.pixels import HiLoPixels, PixelArray, Which, in_bands
from czictypes.container.zstd_stream import ZstdStream

__all__ = ["ZstdPixels"]

#: To decode more than this part takes no less time than to decode all, which is done in one go.
#: (1024 x 1024 of 16 bits: all 3.1 ms, 0.77 2.6 ms, 0.5 1.8 ms; all in two parts 3.3 ms.)
_WORTH = 0.85


class ZstdPixels:
    """Pixels that are decoded at their first use.

    Parameters
    ----------
    stream
        Their bytes; with `hilo` all low bytes of 16-bit samples come first, then the high ones.
    shape, dtype
        Height, width, samples, and their type.
    buffer
        Gives memory of a size, which is not used for anything else as long as the pixels are.
    """

    def __init__(
        self,
        stream: ZstdStream,
        shape: tuple[int, int, int],
        dtype: np.dtype[Any],
        buffer: Callable[[int], NDArray[np.uint8]],
        *,
        hilo: bool,
    ) -> None:
        self.shape = shape
        self._stream, self._dtype, self._buffer, self._hilo = stream, dtype, buffer, hilo
        self._rows = shape[0]
        self._pixels: PixelArray | None = None

    def use_rows(self, end: int) -> None:
        """Say before the first access that only the rows before `end` will be used."""
        self._rows = end

    def __getitem__(self, which: tuple[Which, Which]) -> NDArray[Any]:
        """Return some rows and columns."""
        return self._decoded()[which]

    def bands(self, rows: Which, columns: Which) -> Iterator[NDArray[Any]]:
        """Give some rows and columns as `in_bands` does."""
        return in_bands(self._decoded(), rows, columns)

    def _decoded(self) -> PixelArray:
        if self._pixels is None:
            self._pixels = self._decode()
        return self._pixels

    def _decode(self) -> PixelArray:
        height, width, samples = self.shape
        size = height * width * samples * self._dtype.itemsize
        values = self._buffer(size)
        used = size // height * self._rows
        if self._hilo:
            used = (size + used) // 2
        self._stream.read_into(values[: used if used < size * _WORTH else size])
        if self._hilo:
            return HiLoPixels(values, self.shape)
        return values.view(self._dtype).reshape(self.shape)
