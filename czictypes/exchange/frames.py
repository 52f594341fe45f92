"""Frames of a file as one array, each decoded when it is read."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Frames"]

#: So many frames are kept of a file that is decoded in its order, and more if they are small.
_FEWEST, _MOST_BYTES = 8, 1 << 26


class Frames:
    """Frames of one shape along a first axis, or the only one without that axis.

    Threads may read at once; they are served one after the other.

    Parameters
    ----------
    shape
        The shape of a frame.
    dtype
        The type of its values.
    read
        Decodes a part of a frame, by the number of the frame and a slice for each of its axes.
    lock
        Is held meanwhile; all that decode from the same file have the same.
    count
        How many frames there are; None for one frame without an axis of its own.
    ordered
        Whether a frame is made of those before it, so that only reading in order is fast. The
        last frames are then kept, for threads that come out of order.
    in_parts
        Whether reading parts of an only frame is cheap, so that it need not be kept here.
    """

    def __init__(
        self,
        shape: Sequence[int],
        dtype: np.dtype[Any],
        read: Callable[[int, tuple[slice, ...]], NDArray[Any]],
        lock: threading.Lock,
        *,
        count: int | None = None,
        ordered: bool = False,
        in_parts: bool = False,
    ) -> None:
        self.dtype = np.dtype(dtype)
        self.shape = (*(() if count is None else (count,)), *map(int, shape))
        self._frame, self._read, self._count = tuple(map(int, shape)), read, count
        size = int(np.prod(self._frame, dtype=object)) * self.dtype.itemsize
        self._room = max(_FEWEST, _MOST_BYTES // max(size, 1)) if ordered else 1
        self._kept: OrderedDict[int, NDArray[Any]] = OrderedDict()
        self._next, self._lock, self._in_parts = 0, lock, in_parts

    def __getitem__(self, key: tuple[slice, ...]) -> NDArray[Any]:
        """Return a part, which has a slice for each axis."""
        if self._count is None:
            with self._lock:
                return self._read(0, key) if self._in_parts else self._whole(0)[key]
        numbers = range(self._count)[key[0]]
        kept = [range(size)[part] for size, part in zip(self._frame, key[1:])]
        found = np.empty((len(numbers), *map(len, kept)), self.dtype)
        for place, number in enumerate(numbers):
            with self._lock:
                found[place] = self._whole(number)[key[1:]]
        return found

    def _whole(self, number: int) -> NDArray[Any]:
        """Return a frame; those between it and the last one are kept too, if they are few."""
        if number in self._kept:
            return self._kept[number]
        start = self._next if 0 < number - self._next < self._room else number
        for at in range(start, number + 1):
            self._next = 0  # where nothing is known, if decoding fails
            frame = self._read(at, tuple(slice(0, size) for size in self._frame))
            self._next = at + 1
            self._kept[at] = frame
            while len(self._kept) > self._room:
                self._kept.popitem(last=False)
        return frame
