"""Pixels of any type as whole numbers to look at: 8 bits for pictures, 16 for libCZI's blending."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["dark_and_bright", "eight_bit", "finite_range", "real_values", "stretch"]

#: The percentiles of the pixels that become black and white.
_DARK, _BRIGHT = 0.2, 99.8
#: So many samples at a time: float64 takes up to eight times their memory.
_AT_ONCE = 1 << 18


def eight_bit(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return pixels of any dtype as uint8, in the same shape.

    8 bits stay as they are, 16 bits give their high byte, as in libCZI and OpenSlide. All others
    have no range of their own and are stretched, see `stretch`.
    """
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.uint16:
        return (pixels >> 8).astype(np.uint8)
    return stretch(pixels)


def stretch(
    pixels: NDArray[Any],
    window: tuple[float, float] | None = None,
    dtype: DTypeLike = np.uint8,
) -> NDArray[Any]:
    """Map pixels of any dtype linearly to the whole range of an unsigned type.

    Parameters
    ----------
    pixels
        Of any shape. Complex numbers count by their magnitude.
    window
        The values that become 0 and the largest number; what lies beyond becomes these, and so
        do infinities. By default `finite_range`.
    dtype
        An unsigned type, of 8 bits by default.

    Returns
    -------
    numpy.ndarray
        In the shape of the pixels; NaN is 0.
    """
    low, high = window or finite_range(pixels)
    largest = np.iinfo(dtype).max
    result = np.empty(pixels.shape, dtype)
    for part, values in _bands(pixels):
        with np.errstate(all="ignore"):  # halves, since the span of all floats is no float
            share = (values / 2 - low / 2) / (high / 2 - low / 2)
        share = np.nan_to_num(share, nan=0, posinf=1, neginf=0).clip(0, 1)
        result[part] = np.rint(share * largest)
    return result


def real_values(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Return pixels as float64, complex numbers by their magnitude."""
    if pixels.dtype.kind == "c":
        pixels = np.abs(pixels.astype(np.complex128, copy=False))
    return pixels.astype(np.float64, copy=False)


def dark_and_bright(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the values below and above which 0.2 percent of the finite ones lie.

    They may be the same, and are 0 where there is no finite value.
    """
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 0.0
    low, high = np.percentile(finite / 2, (_DARK, _BRIGHT)) * 2  # the span may be no float
    return float(low), float(high)


def finite_range(pixels: NDArray[Any]) -> tuple[float, float]:
    """Return the smallest and the largest finite value, two that differ.

    Complex numbers count by their magnitude. Without any finite value it is 0 and 1, and of one
    value alone that and the next whole number.
    """
    lows, highs = [], []
    for _, values in _bands(pixels):
        finite = values[np.isfinite(values)]
        if finite.size:
            lows.append(float(finite.min()))
            highs.append(float(finite.max()))
    if not lows:
        return 0.0, 1.0
    low, high = min(lows), max(highs)
    return low, high if high > low else low + 1


def _bands(pixels: NDArray[Any]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Give rows of pixels after each other: where they are, and their values or magnitudes."""
    row = max(pixels[:1].size, 1)
    rows = max(_AT_ONCE // row, 1)
    for top in range(0, len(pixels), rows):
        part = slice(top, top + rows)
        yield part, real_values(pixels[part])
