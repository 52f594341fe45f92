"""Makes the pixels of a pyramid level from those of the level before."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["reduce_pixels"]

Pixels = NDArray[Any]


def reduce_pixels(pixels: Pixels, factor: int, kind: str) -> Pixels:
    """Reduce an image.

    Parameters
    ----------
    pixels
        (h, w, samples) of any numeric type. Rows and columns that do not fill a block of
        `factor` by `factor` pixels are left out.
    factor
        The sides of the blocks that become one pixel.
    kind
        ``"mean"``: the mean, sample by sample. That of whole numbers is exact and then rounded,
        halves up; of floats it is computed in double precision. ``"nearest"``: the top left pixel.

    Returns
    -------
    ndarray
        (h // factor, w // factor, samples) of the same dtype; contiguous.
    """
    height, width = pixels.shape[0] // factor, pixels.shape[1] // factor
    pixels = pixels[: height * factor, : width * factor]
    if kind == "nearest":
        return np.ascontiguousarray(pixels[::factor, ::factor])
    with np.errstate(invalid="ignore", over="ignore"):  # infinities and NaNs stay what they are
        total = _sums(pixels, factor, _sum_type(pixels.dtype, factor))
        return _divided(total, factor * factor, pixels.dtype)


def _sum_type(dtype: np.dtype[Any], factor: int) -> np.dtype[Any]:
    """Return the smallest type that holds the sum of a block exactly (for floats: well)."""
    if dtype.kind == "c":
        return np.dtype(np.complex128)
    if dtype.kind == "f":
        return np.dtype(np.float64)
    needed = int(np.iinfo(dtype).max + 1) * factor * factor
    for wide in (np.uint16, np.uint32):
        if needed <= np.iinfo(wide).max:
            return np.dtype(wide)
    return np.dtype(np.uint64)


def _sums(pixels: Pixels, factor: int, dtype: np.dtype[Any]) -> Pixels:
    """Add up the blocks: rows first, which is fast as they are contiguous, then columns.

    Columns sample by sample, because numpy's innermost loop would be over the few samples else
    (three times slower; and np.sum over blocks takes thirty times as long as this).
    """
    rows = np.add(pixels[0::factor], pixels[1::factor], dtype=dtype)
    for number in range(2, factor):
        rows += pixels[number::factor]
    height, width, samples = rows.shape
    total = np.empty((height, width // factor, samples), dtype)
    for sample in range(samples):
        sums = total[..., sample]
        np.add(rows[:, 0::factor, sample], rows[:, 1::factor, sample], out=sums)
        for number in range(2, factor):
            sums += rows[:, number::factor, sample]
    return total


def _divided(total: Pixels, count: int, dtype: np.dtype[Any]) -> Pixels:
    if dtype.kind in "fc":
        total /= count
    else:
        total += total.dtype.type(count // 2)
        total //= total.dtype.type(count)
    return total.astype(dtype)
