"""Reads the pixels of a block of an image's array: planes into their places, colours as RGB."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.layout import Block, Indices, Layout
from czictypes.model.geometry import Rectangle
from czictypes.model.pixel_types import PixelType, pixel_format
from czictypes.reading.document import OpenDocument
from czictypes.reading.plane_reads import Compose, Planes, read_planes
from czictypes.reading.reader import CziReader

__all__ = ["read_pixels"]

#: Rows of about so many bytes are turned from BGR to RGB at a time, while they are in the cache.
_BAND = 256 * 1024
#: The alpha of pixels that have none of their own: as in Bgra32, the only type that has one.
_OPAQUE = 255

Pixels = NDArray[Any]
Place = tuple[tuple[int, ...], dict[str, int]]


def read_pixels(
    reader: CziReader,
    document: OpenDocument,
    planes: Planes,
    layout: Layout,
    block: Block,
    out: Pixels,
    threads: int | None = None,
) -> None:
    """Fill an array with the pixels of a block.

    Parameters
    ----------
    reader, document, planes
        What is read, its document, held open, and what composes its planes.
    layout, block
        Its array, and the part of it.
    out
        The array to fill, of the shape of the block.
    threads
        How many threads may work at most.
    """
    if not out.size:
        return
    dropped = [place for place, name in enumerate(block.indices) if name in block.dropped]
    full = np.expand_dims(out, tuple(dropped))
    rows, columns = _span(block.indices["Y"]), _span(block.indices["X"])
    roi = Rectangle(columns.start, rows.start, len(columns), len(rows))
    taken = _Taken(block, rows, columns, layout.samples)

    def read(place: Place, compose: Compose) -> None:
        where, coordinate = place
        kind = layout.kinds[coordinate["C"]]
        target = full[where]
        whole = taken.whole(kind, target)
        buffer = taken.buffer(kind) if whole is None else whole
        compose(coordinate, kind, buffer)
        if buffer.shape[2] > 1:
            _swap_red_and_blue(buffer)
        if layout.is_opaque:
            buffer[..., 3:] = _OPAQUE
        if whole is None:
            taken.put(buffer, target)

    count = math.prod(full.shape[: len(layout.planes)])
    places = layout.coordinates(block)
    read_planes(reader, document, planes, roi, places, count, lambda place: place[1], read, threads)


class _Taken:
    """The selection within each plane: rows, columns and samples of the region that is read."""

    def __init__(self, block: Block, rows: range, columns: range, samples: int) -> None:
        self._shape = len(rows), len(columns)
        self._rows = _within(block.indices["Y"], rows)
        self._columns = _within(block.indices["X"], columns)
        self._all_samples = range(samples)
        self._samples = block.indices["S"] if samples else None
        self._is_all = block.indices["Y"] == rows and block.indices["X"] == columns

    def whole(self, kind: PixelType, target: Pixels) -> Pixels | None:
        """Return the place of a plane as (height, width, samples) if pixels can go right there."""
        layout = pixel_format(kind)
        if not self._is_all or target.dtype != np.dtype(layout.dtype):
            return None
        if self._samples is None:
            return target[..., np.newaxis]
        is_same = layout.samples == len(self._all_samples) and self._samples == self._all_samples
        return target if is_same else None

    def buffer(self, kind: PixelType) -> Pixels:
        """Return an array for the region, in the type of a channel."""
        layout = pixel_format(kind)
        return np.empty((*self._shape, layout.samples), layout.dtype)

    def put(self, pixels: Pixels, target: Pixels) -> None:
        """Copy what is taken of the region to the place of a plane."""
        pixels = pixels[self._rows][:, self._columns]
        if self._samples is None:
            target[...] = pixels[..., 0]
            return
        for place, sample in enumerate(self._samples):
            if pixels.shape[2] > sample:
                target[..., place] = pixels[..., sample]
            elif pixels.shape[2] == 1 and sample < 3:
                target[..., place] = pixels[..., 0]
            else:
                target[..., place] = _OPAQUE


def _span(indices: Indices) -> range:
    """Return the smallest range that holds some indices; there is one at least."""
    return range(min(indices), max(indices) + 1)


def _within(indices: Indices, span: range) -> Any:
    """Return how to take indices out of the span that was read."""
    if isinstance(indices, range) and indices.step > 0:
        return slice(None) if indices == span else slice(None, None, indices.step)
    return np.array(indices, np.intp) - span.start


def _swap_red_and_blue(pixels: Pixels) -> None:
    """Turn B, G, R (and alpha) into R, G, B in place."""
    rows = max(_BAND // max(pixels[:1].nbytes, 1), 1)
    for first in range(0, len(pixels), rows):
        band = pixels[first : first + rows]
        blue = band[..., 0].copy()
        band[..., 0] = band[..., 2]
        band[..., 2] = blue
