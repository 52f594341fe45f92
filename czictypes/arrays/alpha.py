"""The alpha of Bgra32 pixels. ZEN mostly leaves it 0, and then it means nothing."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from czictypes.container.pixels import stored_pixels
from czictypes.model.errors import CorruptFileError, UnsupportedDataError
from czictypes.model.geometry import ABSENT
from czictypes.model.pixel_types import PixelType
from czictypes.reading.document import OpenDocument

__all__ = ["EMPTY_ALPHA", "EmptyAlpha", "has_alpha"]

#: The treatment of an alpha that is 0 everywhere.
EmptyAlpha = Literal["keep", "drop", "opaque"]
EMPTY_ALPHA = get_args(EmptyAlpha)


def has_alpha(document: OpenDocument, scene: int | None) -> bool:
    """Tell whether a pixel of Bgra32 has an alpha; decodes sub-blocks until one is found.

    Pyramid tiles do not count: programs make them opaque even in places without pixels.

    Parameters
    ----------
    document
        The open document; the answer is kept for the state of its file.
    scene
        The number of the scene, or None for all.
    """
    return document.once(f"alpha of scene {scene}", lambda: _find_alpha(document, scene))


def _find_alpha(document: OpenDocument, scene: int | None) -> bool:
    rows = document.table.directory
    chosen = rows.pixel_type == PixelType.Bgra32.value
    if scene is not None:
        chosen &= (rows.scene == scene) | (rows.scene == ABSENT)
    full = chosen & document.table.is_layer0
    for index in np.flatnonzero(full if full.any() else chosen).tolist():
        try:
            with document.decoder.tile(index) as tile:
                if stored_pixels(tile.pixels)[..., 3].any():
                    return True
        except (CorruptFileError, UnsupportedDataError):  # told of when its pixels are needed
            continue
    return False
