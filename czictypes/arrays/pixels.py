"""Reads the pixels of a block of an image's array."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.layout import Block, Indices, Layout
from czictypes.reading.reader import CziReader

__all__ = ["read_pixels"]

#: Where red, green, blue and alpha stand in a pixel of the file.
_RGBA = (2, 1, 0, 3)


def read_pixels(
    reader: CziReader, scene: int | None, layout: Layout, block: Block, out: NDArray[Any]
) -> None:
    """Fill an array with the pixels of a block."""
    if not out.size:
        return
    dropped = [place for place, name in enumerate(block.indices) if name in block.dropped]
    planes = np.expand_dims(out, tuple(dropped))
    for place, coordinate in layout.coordinates(block):
        pixels = _plane(reader, scene, layout, block, coordinate)
        target = planes[place]
        if layout.samples:
            target[...] = _colour(pixels, layout.samples)[..., _index(block.indices["S"])]
        else:
            target[...] = pixels[..., 0]


def _plane(
    reader: CziReader, scene: int | None, layout: Layout, block: Block, coordinate: dict[str, int]
) -> NDArray[Any]:
    zoom = None if block.level.index == 0 else block.level.zoom
    pixels = reader.read(layout.box, coordinate, scene, zoom)
    part: NDArray[Any] = pixels[_index(block.indices["Y"])][:, _index(block.indices["X"])]
    return part


def _index(indices: Indices) -> Any:
    if isinstance(indices, range) and indices.step > 0:
        return slice(indices.start, indices.stop, indices.step)
    return np.array(indices, np.intp)


def _colour(pixels: NDArray[Any], samples: int) -> NDArray[Any]:
    """Return pixels as red, green, blue (and alpha); gray is the same in all."""
    if pixels.shape[2] == 1:
        return np.broadcast_to(pixels, (*pixels.shape[:2], samples))
    return pixels[..., list(_RGBA[:samples])]
