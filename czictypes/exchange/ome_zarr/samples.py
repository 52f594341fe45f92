"""Channels that are the samples of one colour image, put together again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["JoinedSamples"]


class JoinedSamples:
    """An array whose channels become samples, as the last axis.

    Parameters
    ----------
    array
        Anything with shape, dtype, chunks and slices.
    axis
        The axis of channels; it has red, green and blue of the first one, then of the next.
    samples
        How many samples a pixel has.
    """

    def __init__(self, array: Any, axis: int, samples: int) -> None:
        self._array, self._axis, self._samples = array, axis, samples
        self.dtype = array.dtype
        self.ndim = array.ndim + 1
        self.shape = self._changed(array.shape)
        self.chunks = self._changed(array.chunks)

    def _changed(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        listed = list(sizes)
        listed[self._axis] = max(listed[self._axis] // self._samples, 1)
        return (*listed, self._samples)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Return a part; `key` has a slice with step 1 for each axis, or fewer."""
        keys = list(key) if isinstance(key, tuple) else [key]
        keys += [slice(None)] * (self.ndim - len(keys))
        last = keys.pop()
        first, end, _ = keys[self._axis].indices(self.shape[self._axis])
        keys[self._axis] = slice(first * self._samples, end * self._samples)
        found = np.asarray(self._array[tuple(keys)])
        apart = found.reshape(
            *found.shape[: self._axis], -1, self._samples, *found.shape[self._axis + 1 :]
        )
        joined: NDArray[Any] = np.moveaxis(apart, self._axis + 1, -1)[..., last]
        return joined
