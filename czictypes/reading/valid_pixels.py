"""Tells the pixels of a read that come from a tile from those that are background."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from czictypes.reading.plan import Plan, PlaneRequest, make_plan, output_shape, sample
from czictypes.reading.plane_index import PlaneIndex

__all__ = ["MaskOf", "valid_in_read", "valid_pixels"]

#: Gives the mask of a sub-block in the size of its bitmap, or None.
MaskOf = Callable[[int], "NDArray[np.bool_] | None"]


def valid_in_read(index: PlaneIndex, request: PlaneRequest, mask_of: MaskOf) -> NDArray[np.bool_]:
    """Return where a read finds pixels, (y, x) of bool; masks count if the request says so."""
    height, width, _ = output_shape(request)
    if not height * width:
        return np.zeros((height, width), bool)
    plan = make_plan(index, request)
    return valid_pixels(plan, height, width, mask_of if request.mask_aware else None)


def valid_pixels(
    plan: Plan, height: int, width: int, mask_of: MaskOf | None = None
) -> NDArray[np.bool_]:
    """Return where the tiles of a plan paint; none of them is decoded.

    Parameters
    ----------
    plan
        What each tile paints.
    height, width
        The size of the result.
    mask_of
        Where masks count, the source of them.

    Returns
    -------
    numpy.ndarray
        (y, x) of bool.
    """
    found = np.zeros((height, width), bool)
    for job in plan.jobs:
        mask = None if mask_of is None else mask_of(job.sub_block)
        for box in job.parts:
            left, top, right, bottom = box
            place = found[top:bottom, left:right]
            place |= True if mask is None else sample(plan, mask, job.position, box)
    return found
