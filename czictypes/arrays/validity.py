"""The pixels of an image's array that the file has; all others are read as 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.layout import Indices, Selection
from czictypes.arrays.view import ArrayView
from czictypes.model.geometry import Rectangle
from czictypes.model.pixel_types import PixelType
from czictypes.reading.plane_reads import open_document_of
from czictypes.reading.reader import CziReader
from czictypes.reading.request import PlaneRequest

__all__ = ["valid_block"]

_BLACK = (0.0, 0.0, 0.0)


def valid_block(
    reader: CziReader, view: ArrayView, selection: Mapping[str, Selection], level: int
) -> NDArray[np.bool_]:
    """Return which pixels of a block come from a tile; see `CziImage.valid_pixels`."""
    masks = reader._options.enable_mask_awareness
    with open_document_of(reader) as document:
        layout = view.layout(document)
        samples = {"S": 0} if layout.samples else {}
        block = layout.block({**selection, **samples}, level)
        found = document.memory.make(block.shape, np.dtype(bool), np.zeros)
        if not found.size:
            return found
        dropped = [place for place, name in enumerate(block.indices) if name in block.dropped]
        target = np.expand_dims(found, tuple(dropped))
        rows, columns = block.indices["Y"], block.indices["X"]
        left, top = min(columns), min(rows)
        roi = Rectangle(left, top, max(columns) + 1 - left, max(rows) + 1 - top)
        planes = view.planes(document, block)
        for place, plane in layout.coordinates(block):
            request = PlaneRequest(roi, plane, view.scene, 1.0, PixelType.Gray8, _BLACK, masks)
            part = planes.part(document, request)
            if part is None:
                continue
            valid = document.painter.valid(part, roi.w, roi.h)
            valid = valid[_within(rows, top)][:, _within(columns, left)]
            target[place][...] = valid[..., np.newaxis] if layout.samples else valid
    return found


def _within(indices: Indices, first: int) -> Any:
    """Return how to take indices out of a region that begins at one of them."""
    if isinstance(indices, range) and indices.step > 0:
        return slice(0, None, indices.step)
    return np.array(indices, np.intp) - first
