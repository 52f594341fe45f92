"""Arrays to PNG files that show what is in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.model.errors import UnsupportedDataError
from czictypes.model.lazy import require
from czictypes.reading.conversion import dark_and_bright, real_values, stretch

__all__ = ["display_range", "require_pillow", "save_png"]

_ENOUGH_PIXELS = 1 << 22


def require_pillow() -> Any:
    """Return Pillow's module `Image`, or raise `MissingExtraError`."""
    return require("PIL.Image", extra="cli", doing="writing a PNG")


def save_png(path: Path, pixels: NDArray[Any], *, raw: bool) -> str:
    """Write a picture.

    Parameters
    ----------
    path
        The file; one that is there is replaced.
    pixels
        (h, w, 1) gray, (h, w, 3) R, G, B or (h, w, 4) with alpha; whole numbers or floats.
    raw
        Whether the values are kept; else gray pictures, and colours of more than 8 bits, are
        stretched to where most of their values lie.

    Returns
    -------
    str
        How the pixels were shown, for a message.

    Raises
    ------
    UnsupportedDataError
        If a PNG cannot hold the pixels unchanged though `raw` asks for it.
    MissingExtraError
        Without Pillow.
    """
    image = require_pillow()
    said = "values as they are"
    samples = pixels.shape[2]
    if not raw and (samples == 1 or pixels.dtype != np.uint8):
        low, high = display_range(pixels)
        pixels = stretch(pixels, (low, high))
        said = f"shown from {low:g} (black) to {high:g} (white)"
    elif pixels.dtype != np.uint8 and (pixels.dtype != np.uint16 or samples != 1):
        raise UnsupportedDataError(
            f"a PNG cannot hold {samples} x {pixels.dtype} per pixel; write an .npy or leave --raw "
            "out"
        )
    plain = pixels[..., 0] if samples == 1 else pixels
    image.fromarray(np.ascontiguousarray(plain)).save(str(path), "PNG")
    return said


def display_range(pixels: NDArray[Any]) -> tuple[float, float]:
    """Return the values to show as black and as white.

    They are the percentiles 0.2 and 99.8 of the finite pixels that are not 0: 0 is where no tile
    lies. A picture of one value, or of none, is shown from 0, or that value, on.
    """
    step = int(np.ceil(np.sqrt(max(pixels.size / _ENOUGH_PIXELS, 1))))
    sample = real_values(pixels[::step, ::step])
    low, high = dark_and_bright(sample[sample != 0])
    if high > low:
        return low, high
    if low == 0:
        return 0.0, 1.0
    return (0.0, high) if high > 0 else (low, 0.0)
