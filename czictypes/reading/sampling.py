"""Maps the pixels of a tile to the pixels of the result, along one axis.

At zoom 1 stored pixels are copied. At any other zoom each pixel of the result takes the nearest
pixel of the tile, with exactly the arithmetic of libCZI's scaling accessor (in double, without a
shift by half a pixel), so that results agree bit for bit. native/kernel/choose.cpp does the same.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Union

import numpy as np
from numpy.typing import NDArray

Source = Union[slice, NDArray[np.intp]]


class Span(NamedTuple):
    """The pixels `first` up to `end` that a tile paints along an axis, none unless `end` is larger.

    They take their values from the `pixels` of the tile.
    """

    first: int
    end: int
    pixels: Source


_NONE = Span(0, 0, slice(0, 0))


def copied_span(start: int, stored: int, roi_start: int, roi_size: int) -> Span:
    """Return the pixels that a tile paints at zoom 1."""
    offset = start - roi_start
    first, end = max(offset, 0), min(offset + stored, roi_size)
    return Span(first, end, slice(first - offset, end - offset))


def scaled_span(
    start: int, size: int, stored: int, roi_start: int, roi_size: int, out_size: int
) -> Span:
    """Return the pixels that a tile, which meets the region, paints at any other zoom."""
    if stored < 1:
        return _NONE
    low, high = max(start, roi_start), min(start + size, roi_start + roi_size)
    # The overlap as fractions of the tile and of the region, then in their pixels.
    source_low = (low - start) / size
    source = source_low * stored
    source_size = ((high - start) / size - source_low) * stored
    target_low = (low - roi_start) / roi_size
    target = target_low * out_size
    target_size = ((high - roi_start) / roi_size - target_low) * out_size
    least = math.ceil((0 - source) * target_size / source_size + target)
    most = math.ceil((stored - 1 - source) * target_size / source_size + target)
    first = max(least, int(target), 0)
    end = min(most, int(target + target_size), out_size - 1) + 1
    pixels = np.arange(first, end, dtype=np.float64)
    positions = (pixels - target) * (source_size / target_size) + source
    nearest = round_half_away(positions).astype(np.intp)
    return Span(first, end, nearest.clip(0, stored - 1))


def gridded_span(
    start: int, size: int, stored: int, factor: float, roi_start: int, roi_size: int
) -> Span:
    """Return the pixels that a tile paints of a grid with one pixel per `factor` pixels.

    A pixel of the grid takes the pixel at its top left corner.
    """
    first = max(math.ceil(start / factor) - roi_start, 0)
    end = min(math.ceil((start + size) / factor) - roi_start, roi_size)
    if stored < 1:
        return _NONE
    corners = (np.arange(first, end) + roi_start) * factor
    position = np.floor((corners - start) * stored / size).astype(np.intp)
    return Span(first, end, position.clip(0, stored - 1))


def round_half_away(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round to whole numbers, halves away from zero (numpy's own rint rounds them to even)."""
    whole = np.trunc(values)
    return whole + np.copysign(np.abs(values - whole) >= 0.5, values)
