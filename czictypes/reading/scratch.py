"""Memory that a thread uses again: new memory for every tile costs more than to fill it."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

__all__ = ["Scratch"]

#: This part more than asked for, since packed tiles have about the same size, but not quite.
_SPARE = 16


class Scratch:
    """Gives each thread a buffer of its own."""

    def __init__(self) -> None:
        self._buffers = threading.local()

    def take(self, size: int) -> NDArray[np.uint8]:
        """Return so many bytes, which belong to the calling thread until it takes others."""
        buffer: NDArray[np.uint8] | None = getattr(self._buffers, "bytes", None)
        if buffer is None or len(buffer) < size:
            buffer = self._buffers.bytes = None  # given back first: never two of them at a time
            buffer = self._buffers.bytes = np.empty(size + size // _SPARE, np.uint8)
        return buffer[:size]
