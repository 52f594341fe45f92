"""The pyramid level of a sub-block, worked out from its stored and its logical size.

A CZI file does not store the level. Adjacent levels differ by one factor throughout a file, 2
or 3 in what ZEISS software writes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["pyramid_levels"]


def pyramid_levels(
    minification: NDArray[np.float64],
    is_layer0: NDArray[np.bool_],
    weights: NDArray[Any],
) -> NDArray[np.int16]:
    """Return the level of each sub-block, 0 for layer 0 and at least 1 for any other.

    Parameters
    ----------
    minification
        Logical over physical size. It is inexact at the edge of an image, where sizes are
        rounded to whole pixels, so the level is that of the nearest power of the factor.
    is_layer0
        Which sub-blocks are in full resolution.
    weights
        How much a sub-block counts when the file's factor is determined: its stored extent, as
        large bitmaps suffer least from rounding.
    """
    levels = np.zeros(len(minification), np.int16)
    pyramid = ~is_layer0
    if not pyramid.any():
        return levels
    scale = np.log(np.maximum(minification[pyramid], 1e-9))
    factor = min((2.0, 3.0), key=lambda f: _misfit(scale, weights[pyramid], f))
    levels[pyramid] = np.maximum(np.rint(scale / np.log(factor)), 1).astype(np.int16)
    return levels


def _misfit(scale: NDArray[np.float64], weights: NDArray[Any], factor: float) -> float:
    """Return how far the scales lie from the powers of a factor, on average."""
    step = np.log(factor)
    distance = np.abs(scale - np.maximum(np.rint(scale / step), 1) * step)
    return float((distance * weights).sum())
