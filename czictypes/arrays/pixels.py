"""Reads the pixels of a block of an image's array: planes into their places, colours as RGB."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.layout import Block, Indices, Layout
from czictypes.model.geometry import Rectangle
from czictypes.model.pixel_types import PixelType, pixel_format
from czictypes.reading.document import OpenDocument
from czictypes.reading.plane_reads import Planes, read_planes
from czictypes.reading.reader import CziReader
from czictypes.reading.threads import each

__all__ = ["read_pixels"]

#: Rows of about so many bytes are turned from BGR to RGB at a time, while they are in the cache.
_BAND = 256 * 1024
#: The alpha of pixels that have none of their own: as in Bgra32, the only type that has one.
_OPAQUE = 255

#: So many planes are read together, of about so many pixels in all.
_PLANES, _PIXELS = 256, 16 << 20

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
    pool = document.pool
    most = pool.threads if threads is None else min(threads, pool.threads)
    for kind, places in _together(layout, block, roi.w * roi.h):
        targets = [full[where] for where, _ in places]
        buffers = taken.buffers(kind, targets)
        coordinates = [coordinate for _, coordinate in places]
        read_planes(reader, document, planes, roi, kind, coordinates, buffers, most)

        def finish(place: int) -> None:
            buffer, target = buffers[place], targets[place]  # noqa: B023
            if buffer.shape[2] > 1:
                _swap_red_and_blue(buffer)
            if layout.is_opaque:
                buffer[..., 3:] = _OPAQUE
            if not np.may_share_memory(buffer, target):
                taken.put(buffer, target)

        each(range(len(places)), finish, most, pool.workers if len(places) > 1 else None)


def _together(layout: Layout, block: Block, area: int) -> Iterator[tuple[PixelType, list[Place]]]:
    """Give the planes of a block in groups of one pixel type that are read together."""
    most = min(max(_PIXELS // area, 1), _PLANES)
    for kind, places in groupby(layout.coordinates(block), lambda one: layout.kinds[one[1]["C"]]):
        while some := list(islice(places, most)):
            yield kind, some


class _Taken:
    """The selection within each plane: rows, columns and samples of the region that is read."""

    def __init__(self, block: Block, rows: range, columns: range, samples: int) -> None:
        self._shape = len(rows), len(columns)
        self._rows = _within(block.indices["Y"], rows)
        self._columns = _within(block.indices["X"], columns)
        self._all_samples = range(samples)
        self._samples = block.indices["S"] if samples else None
        self._is_all = block.indices["Y"] == rows and block.indices["X"] == columns

    def buffers(self, kind: PixelType, targets: list[Pixels]) -> list[Pixels]:
        """Return arrays (height, width, samples) for planes, their own places where that can be."""
        if self._goes_in_place(kind, targets[0]):
            return (
                targets if self._samples is not None else [one[..., np.newaxis] for one in targets]
            )
        layout = pixel_format(kind)
        return list(np.empty((len(targets), *self._shape, layout.samples), layout.dtype))

    def _goes_in_place(self, kind: PixelType, target: Pixels) -> bool:
        layout = pixel_format(kind)
        if not self._is_all or target.dtype != np.dtype(layout.dtype):
            return False
        is_same = layout.samples == len(self._all_samples) and self._samples == self._all_samples
        return self._samples is None or is_same

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
    first, last = indices[0], indices[-1]
    if not isinstance(indices, range):
        first, last = min(indices), max(indices)
    return range(min(first, last), max(first, last) + 1)


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
