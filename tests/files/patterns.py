"""Pixels for test tiles: every tile differs, every pixel matters, no chance involved."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.model.pixel_types import PixelType, pixel_format

__all__ = ["noise", "pattern", "reduced"]

_LARGEST = {"u1": 255, "u2": 65535, "u4": 2**32 - 1}


def noise(pixel_type: PixelType, height: int, width: int, seed: int) -> NDArray[Any]:
    """Return unordered pixels (height, width, samples) over the whole range of the type.

    Floats lie between -100 and 1000 and are whole quarters, so that arithmetic is exact.
    """
    layout = pixel_format(pixel_type)
    shape = (height, width, layout.samples)
    generator = np.random.default_rng(seed)
    largest = _LARGEST.get(layout.dtype[1:])
    if largest is not None:
        return generator.integers(0, largest, shape, endpoint=True).astype(layout.dtype)
    values = generator.integers(-400, 4000, shape) / 4
    if layout.dtype[1] == "c":
        values = values + 1j * generator.integers(-400, 4000, shape) / 4
    return values.astype(layout.dtype)


def pattern(pixel_type: PixelType, height: int, width: int) -> NDArray[Any]:
    """Return smooth pixels (height, width, samples) that compress well."""
    layout = pixel_format(pixel_type)
    y, x, sample = np.ogrid[:height, :width, : layout.samples]
    step = 1 if layout.dtype[1:] == "u1" else 150
    return ((5 * x + 11 * y + 40 * sample) * step).astype(layout.dtype)


def reduced(pixels: NDArray[Any], factor: int) -> NDArray[Any]:
    """Return every `factor`-th pixel of every `factor`-th row: a pyramid tile."""
    return np.ascontiguousarray(pixels[::factor, ::factor])
