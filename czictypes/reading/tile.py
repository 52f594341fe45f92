"""The result of decoding a sub-block, and where it comes from."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from czictypes.container.pixels import PixelArray

__all__ = ["Tile", "TileProvider"]


class Tile(NamedTuple):
    """A decoded sub-block.

    `pixels` has the shape (height, width, samples) and the dtype of the sub-block's pixel type.
    They may be anything that is indexed by rows and columns. `mask`, of the shape (height, width),
    is True for valid pixels; None means that all are valid.
    """

    pixels: PixelArray
    mask: NDArray[np.bool_] | None = None


class TileProvider(Protocol):
    """A source of decoded tiles; called from many threads at once."""

    def tile(self, row: int) -> AbstractContextManager[Tile]:
        """Give the tile of a row of the table; its arrays are read only in the `with` block."""
