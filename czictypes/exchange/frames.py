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
_FEWEST, _MOST_BYTES = 8, 3 << 25


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
        last frames are then kept, for threads that come out of order, and those before a frame
        when frames are read backwards, as dask does.
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
        self._room = min(self._room, count or 1)
        self._buffer: NDArray[Any] | None = None
        self._kept: OrderedDict[int, int] = OrderedDict()  # the places of frames in the buffer
        self._next, self._last = 0, 0
        self._lock, self._in_parts = lock, in_parts

    def __getitem__(self, key: tuple[slice, ...]) -> NDArray[Any]:
        """Return a part, which has a slice for each axis."""
        if self._count is None:
            with self._lock:
                return self._read(0, key) if self._in_parts else self._whole(0)[key].copy()
        numbers = range(self._count)[key[0]]
        kept = [range(size)[part] for size, part in zip(self._frame, key[1:])]
        found = np.empty((len(numbers), *map(len, kept)), self.dtype)
        for place, number in enumerate(numbers):
            with self._lock:
                found[place] = self._whole(number)[key[1:]]
        return found

    def _whole(self, number: int) -> NDArray[Any]:
        """Return a frame; of a file in order, others that will be asked for are kept too."""
        last, self._last = self._last, number
        if number in self._kept:
            return self._at(self._kept[number])
        start = number
        if 0 < number - self._next < self._room:
            start = self._next
        elif 0 < last - number < self._room:
            start = max(0, number + 1 - self._room)
        for at in range(start, number + 1):
            self._next = 0  # where nothing is known, if decoding fails
            self._keep(at, self._read(at, tuple(slice(0, size) for size in self._frame)))
            self._next = at + 1
        return self._at(self._kept[number])

    def _keep(self, number: int, frame: NDArray[Any]) -> None:
        """Put a frame into the buffer, in the place of the one that is there for longest."""
        self._kept.pop(number, None)
        if len(self._kept) == self._room:
            self._kept.popitem(last=False)
        # an interrupt may have come between any two of these lines
        place = min(set(range(self._room)).difference(self._kept.values()))
        self._at(place)[...] = frame
        self._kept[number] = place

    def _at(self, place: int) -> NDArray[Any]:
        if self._buffer is None:
            self._buffer = np.empty((self._room, *self._frame), self.dtype)
        found: NDArray[Any] = self._buffer[place]
        return found
