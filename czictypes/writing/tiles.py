"""An array to the tiles that are written: shape and type checked, cut where it is too large.

The cuts are those of pylibCZIrw.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from czictypes.model.geometry import Location
from czictypes.model.pixel_types import PixelType

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Tile", "check_location", "cut", "mask_of", "pixel_type_of", "to_pixels"]

#: By numpy's kind of number, bytes of a sample, and samples.
_PIXEL_TYPES = {
    ("u", 1, 1): PixelType.Gray8,
    ("u", 2, 1): PixelType.Gray16,
    ("f", 4, 1): PixelType.Gray32Float,
    ("u", 1, 3): PixelType.Bgr24,
    ("u", 2, 3): PixelType.Bgr48,
    ("f", 4, 3): PixelType.Bgr96Float,
}
_LARGEST_UNCUT = 10_000_000  # bytes
_LARGEST_SIDE = {1: 3100, 3: 1800}  # by samples per pixel
_INT32 = range(-(2**31), 2**31)


class Tile(NamedTuple):
    """A part of an array: where it lies in it, and its pixels (h, w, samples)."""

    x: int
    y: int
    pixels: NDArray[Any]


def to_pixels(data: Any) -> NDArray[Any]:
    """Return an array as (h, w, samples), without copying it.

    Parameters
    ----------
    data
        (y, x), (y, x, 1) or (y, x, 3); else (1, y, x) or (3, y, x).

    Raises
    ------
    ValueError
        For another shape, or no pixels.
    """
    array = np.asarray(data)
    if array.size == 0:
        raise ValueError(f"data of shape {array.shape} has no pixels")
    if array.ndim == 2:
        array = array[:, :, np.newaxis]
    elif array.ndim != 3 or not {array.shape[0], array.shape[2]} & {1, 3}:
        raise ValueError(
            f"data of shape {array.shape} is no plane; it must be (y, x), (y, x, 1), (y, x, 3), "
            "(1, y, x) or (3, y, x)"
        )
    elif array.shape[2] not in (1, 3):
        array = np.moveaxis(array, 0, 2)
    return array


def mask_of(data: Any) -> NDArray[np.bool_] | None:
    """Return which pixels (h, w) of a numpy masked array are valid; None if all are.

    Raises
    ------
    ValueError
        If the samples of a pixel are not masked alike: the mask of a CZI is one of pixels.
    """
    if not isinstance(data, np.ma.MaskedArray) or not np.ma.is_masked(data):
        return None
    masked = to_pixels(np.ma.getmaskarray(data))
    if (masked != masked[..., :1]).any():
        raise ValueError(
            "the colours of some pixels are masked apart, but a CZI has one mask for all; mask "
            "whole pixels, or fill the array: data.filled(0)"
        )
    return ~masked[..., 0]


def pixel_type_of(pixels: NDArray[Any]) -> PixelType:
    """Return the pixel type of an array (h, w, samples), samples in the order blue, green, red.

    Raises
    ------
    ValueError
        If there is none for this dtype.
    """
    dtype = pixels.dtype
    pixel_type = _PIXEL_TYPES.get((dtype.kind, dtype.itemsize, pixels.shape[2]))
    if pixel_type is None:
        raise ValueError(
            f"data of type {pixels.dtype} cannot be written; convert it to uint8, uint16 or float32"
        )
    return pixel_type


def check_location(location: Any, width: int, height: int) -> Location:
    """Return the location of the top-left pixel, checked for what lies there.

    Raises
    ------
    ValueError
        If it is not two whole numbers, or the pixels go past the format's 32-bit positions.
    """
    try:
        x, y = (operator.index(value) for value in location)
    except (TypeError, ValueError):
        raise ValueError(f"the location {location!r} is not two whole numbers (x, y)") from None
    for start, size, axis in ((x, width, "x"), (y, height, "y")):
        if start not in _INT32 or start + size not in _INT32:
            raise ValueError(
                f"{size} pixels from {axis} = {start} on go past what a CZI can hold: positions "
                "have 32 bits"
            )
    return Location(x, y)


def cut(pixels: NDArray[Any]) -> Iterator[Tile]:
    """Cut an array (h, w, samples) of more than 10 MB into tiles, row by row; no copies."""
    height, width, samples = pixels.shape
    if pixels.nbytes <= _LARGEST_UNCUT:
        yield Tile(0, 0, pixels)
        return
    for top, bottom in _parts(height, _LARGEST_SIDE[samples]):
        for left, right in _parts(width, _LARGEST_SIDE[samples]):
            yield Tile(left, top, pixels[top:bottom, left:right])


def _parts(extent: int, largest: int) -> Iterator[tuple[int, int]]:
    """Cut into equal parts; what is left over goes to the last one."""
    count = -(-extent // largest)
    size = extent // count
    for number in range(count):
        yield number * size, extent if number == count - 1 else (number + 1) * size
