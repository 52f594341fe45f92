"""The result of decoding a sub-block."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.container.pixels import PixelArray

__all__ = ["Tile"]


class Tile(NamedTuple):
    """A decoded sub-block.

    `pixels` has the shape (height, width, samples) and the dtype of the sub-block's pixel type.
    They may be anything of which `container.pixels.in_bands` makes arrays. `mask`, of the shape
    (height, width), is True for valid pixels; None means that all are valid.
    """

    pixels: PixelArray
    mask: NDArray[np.bool_] | None = None
