"""Which pixels of a read come from a tile, and which are background."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from czictypes.reading.plan import PlaneRequest, make_plan, output_shape, sample
from czictypes.reading.plane_index import PlaneIndex

__all__ = ["valid_pixels"]

_Mask = Callable[[int], "NDArray[np.bool_] | None"]


def valid_pixels(index: PlaneIndex, request: PlaneRequest, mask_of: _Mask) -> NDArray[np.bool_]:
    """Return where a read finds pixels; none is decoded.

    Parameters
    ----------
    index
        The sub-blocks of the document.
    request
        What is read. Only where it is mask-aware are masks looked at.
    mask_of
        Gives the mask of a sub-block in the size of its bitmap, or None.

    Returns
    -------
    numpy.ndarray
        (y, x) of bool, of the height and width of the read.
    """
    height, width, _ = output_shape(request)
    found = np.zeros((height, width), bool)
    if not found.size:
        return found
    plan = make_plan(index, request)
    for job in plan.jobs:
        mask = mask_of(job.sub_block) if request.mask_aware else None
        for box in job.parts:
            left, top, right, bottom = box
            place = found[top:bottom, left:right]
            place |= True if mask is None else sample(plan, mask, job.position, box)
    return found
