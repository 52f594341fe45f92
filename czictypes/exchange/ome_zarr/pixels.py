"""The pixels of an image as OME-Zarr wants them: five axes, t, c, z, y, x."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.image_base import Image
from czictypes.writing.pyramid.reduce import reduce_pixels

__all__ = ["FiveAxes", "Region", "reduce_block", "reduced_region"]

#: First and end along each axis.
Region = Sequence[tuple[int, int]]


class FiveAxes:
    """A level of an image with exactly the axes t, c, z, y and x.

    The samples of a colour pixel become channels that follow each other: red, green, blue.

    Parameters
    ----------
    image
        The scene.
    plane
        The index along each dimension beyond these (V, H, I, R, B).
    level
        The index of the level.
    """

    def __init__(self, image: Image, plane: Mapping[str, int], level: int = 0) -> None:
        self._image = image
        self._plane = dict(plane)
        self._level = level
        sizes, found = image.sizes, image.levels[level]
        self.samples = sizes.get("S", 1)
        self.dtype = image.dtype
        channels = sizes["C"] * self.samples
        self.shape = (sizes["T"], channels, sizes["Z"], found.height, found.width)
        self.ndim = len(self.shape)

    def read(self, region: Region) -> NDArray[Any]:
        """Return a region; it may begin and end within the samples of a channel."""
        t, c, z, y, x = (slice(*span) for span in region)
        if self.samples == 1:
            wanted: dict[str, Any] = {"T": t, "C": c, "Z": z, "Y": y, "X": x}
            return self._image.read_block({**self._plane, **wanted}, level=self._level)
        first, end = c.start // self.samples, -(-c.stop // self.samples)
        wanted = {"T": t, "C": slice(first, end), "Z": z, "Y": y, "X": x}
        found = self._image.read_block({**self._plane, **wanted}, level=self._level)
        apart = np.moveaxis(found, -1, 2)
        joined = apart.reshape(len(apart), -1, *apart.shape[3:])
        return joined[:, c.start - first * self.samples : c.stop - first * self.samples]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Return a part: slices with step 1, as dask asks for, and numbers."""
        keys = list(key) if isinstance(key, tuple) else [key]
        keys += [slice(None)] * (self.ndim - len(keys))
        spans = [_span(one, size) for one, size in zip(keys, self.shape)]
        drop = tuple(at for at, one in enumerate(keys) if not isinstance(one, slice))
        found: NDArray[Any] = self.read(spans).squeeze(drop) if drop else self.read(spans)
        return found


def _span(key: Any, size: int) -> tuple[int, int]:
    if isinstance(key, slice):
        start, stop, step = key.indices(size)
        if step != 1:
            raise IndexError(f"pixels are taken without gaps, not in steps of {step}")
        return start, max(stop, start)
    at = range(size)[key]
    return at, at + 1


def reduce_block(block: NDArray[Any], factor: int) -> NDArray[Any]:
    """Return a block `factor` times smaller along y and x; whole numbers are rounded means."""
    planes = block.reshape(-1, *block.shape[-2:])
    height, width = block.shape[-2] // factor, block.shape[-1] // factor
    small = np.empty((len(planes), height, width), block.dtype)
    for plane, target in zip(planes, small):
        target[...] = reduce_pixels(plane[..., np.newaxis], factor, "mean")[..., 0]
    return small.reshape(*block.shape[:-2], height, width)


def reduced_region(region: Region, factor: int) -> list[tuple[int, int]]:
    """Return where the block of a region lies in the level that is `factor` times smaller."""
    return [*region[:-2], *((first // factor, end // factor) for first, end in region[-2:])]
