"""Which pixels of an image's array the file has; the others are 0 in what is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.layout import Selection
from czictypes.model.geometry import Rectangle
from czictypes.reading.blocks import open_document_of
from czictypes.reading.level_plan import make_level_plan
from czictypes.reading.valid_pixels import valid_pixels

if TYPE_CHECKING:
    from czictypes.arrays.image import CziImage

__all__ = ["valid_block"]


def valid_block(
    image: CziImage, selection: Mapping[str, Selection], level: int = 0
) -> NDArray[np.bool_]:
    """Return which pixels of a block come from a tile; none is decoded.

    Parameters
    ----------
    image
        The image.
    selection, level
        As for `CziImage.read_block`, but for S: all samples of a pixel are valid or none.

    Returns
    -------
    numpy.ndarray
        Of bool, in the shape of the block without S. Pixels that a mask leaves out are False with
        ``ReaderOptions(enable_mask_awareness=True)``.

    Raises
    ------
    ValueError, OutOfBoundsError, CorruptFileError
        As `CziImage.read_block`.
    """
    layout = image._layout
    samples = {"S": 0} if layout.samples else {}
    block = layout.block({**selection, **samples}, level)
    found = np.zeros(block.shape, bool)
    if not found.size:
        return found
    dropped = [place for place, name in enumerate(block.indices) if name in block.dropped]
    planes = np.expand_dims(found, tuple(dropped))
    rows, columns = (np.array(block.indices[name], np.intp) for name in "YX")
    left, top = int(columns.min()), int(rows.min())
    roi = Rectangle(left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top)
    with open_document_of(image.reader) as document:
        table = document.table
        scene = image.scene_index
        scenes = np.array(sorted(table.scene_rectangles) if scene is None else [scene], np.int64)
        choices = {name for name, (_, size) in table.plane_bounds.items() if size > 1}
        masks = image.reader._options.enable_mask_awareness
        for place, coordinate in layout.coordinates(block):
            plane = {name: at for name, at in coordinate.items() if name in choices}
            plan = make_level_plan(document.index, block.grid, roi, plane, scenes, mask_aware=masks)
            valid = valid_pixels(plan, roi.h, roi.w, document.decoder.mask if masks else None)
            valid = valid[np.ix_(rows - top, columns - left)]
            planes[place][...] = valid[..., np.newaxis] if layout.samples else valid
    return found
