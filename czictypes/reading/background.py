"""The value of pixels that no tile covers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from czictypes.model.geometry import Color
from czictypes.model.pixel_types import PixelType, pixel_format

__all__ = ["Background", "background_value", "fill"]

Background = Union[
    Color, tuple[float, float, float], tuple[float, float, float, float], Sequence[float], float
]

#: The value of full brightness in the types whose samples are whole numbers.
_WHITE = {
    PixelType.Gray8: 255,
    PixelType.Gray16: 65535,
    PixelType.Bgr24: 255,
    PixelType.Bgr48: 65535,
    PixelType.Bgra32: 255,
    PixelType.Gray32: 2**32 - 1,
}


def background_value(pixel_type: PixelType, background: Background) -> tuple[Any, ...]:
    """Return the samples of a background pixel.

    Parameters
    ----------
    pixel_type
        The type of the result.
    background
        Blue, green and red from 0 to 1, of which gray types take the mean. They become pixel
        values as in libCZI: in float32, clamped and rounded to the nearest. A fourth one is for
        alpha, which is opaque else. For a gray type also one number in its own range, which is
        taken as it is.

    Returns
    -------
    tuple
        One number per sample.

    Raises
    ------
    ValueError
        For a single number with a colour type.
    """
    samples = pixel_format(pixel_type).samples
    if isinstance(background, Sequence):
        blue, green, red, *alpha = (_precise(pixel_type)(component) for component in background)
        if samples == 1:
            return (_scaled(pixel_type, red + green + blue, 3),)
        colour = (blue, green, red, *(alpha or [_precise(pixel_type)(1)]))
        return tuple(_scaled(pixel_type, component, 1) for component in colour[:samples])
    if samples != 1:
        raise ValueError(f"the background of {pixel_type.name} must be three numbers, not one")
    return (background,)


def _precise(pixel_type: PixelType) -> Any:
    """Return float32, in which libCZI computes, or float64 where it would lose digits."""
    lossy = pixel_type in (PixelType.Gray32, PixelType.Gray64Float, PixelType.Gray64ComplexFloat)
    return np.float64 if lossy else np.float32


def _scaled(pixel_type: PixelType, value: Any, divisor: int) -> Any:
    number = type(value)
    white = _WHITE.get(pixel_type)
    if white is None:
        return value / number(divisor)
    scaled = number(white) * value / number(divisor)
    if scaled <= 0:
        return 0
    return white if scaled >= white else int(scaled + number(0.5))


def fill(out: NDArray[Any], samples: tuple[Any, ...]) -> None:
    """Set every pixel of an array (height, width, samples) to the same value."""
    if len(set(samples)) == 1:
        out[...] = samples[0]
    elif out.size:
        out[0] = samples
        out[1:] = out[0]  # whole rows are copied much faster than single pixels are set
