"""The plan of a read: its tiles, the visible part of each, and its place in the result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.model.geometry import Rectangle
from czictypes.model.pixel_types import PixelType, pixel_format
from czictypes.reading.background import Background
from czictypes.reading.coverage import Box, area, visible_parts
from czictypes.reading.plane_index import PlaneIndex
from czictypes.reading.sampling import Axis, CopiedAxis, ScaledAxis, Source
from czictypes.reading.selection import select_tiles

__all__ = ["Job", "Plan", "PlaneRequest", "make_plan", "output_shape", "sample", "window"]


class PlaneRequest(NamedTuple):
    """The request of a read, checked and complete.

    Parameters
    ----------
    roi
        The region, in pixels of the raw-sub-block coordinate system.
    plane
        A value for each plane dimension of the document.
    scene
        The only scene that contributes, or None for all.
    zoom
        Above 0 and at most 1; counts as float32.
    pixel_type
        The type of the result.
    background
        The value where no tile is, see `background_value`.
    mask_aware
        Leave out the pixels that a tile's mask calls invalid.
    """

    roi: Rectangle
    plane: Mapping[str, int]
    scene: int | None
    zoom: float
    pixel_type: PixelType
    background: Background
    mask_aware: bool = False


class Job(NamedTuple):
    """One tile to paint.

    Attributes
    ----------
    number
        Its place in the order of painting.
    position
        Its place in the axes of the plan.
    sub_block
        The index of the sub-block.
    parts
        The boxes (left, top, right, bottom) of the result that it paints.
    """

    number: int
    position: int
    sub_block: int
    parts: list[Box]


class Plan(NamedTuple):
    """The work of a read.

    Attributes
    ----------
    jobs
        The tiles, in the order in which they are painted.
    in_turns
        Whether that order matters; otherwise no two jobs paint the same pixel.
    covers_all
        Whether the jobs certainly set every pixel of the result.
    x, y
        Which pixels of a tile go where.
    """

    jobs: list[Job]
    in_turns: bool
    covers_all: bool
    x: Axis
    y: Axis


def output_shape(request: PlaneRequest) -> tuple[int, int, int]:
    """Return the shape (height, width, samples) of the result.

    Each side is ``int(float32(side) * float32(zoom))`` as in libCZI; a small zoom may leave none.
    At zoom 1 the side is exact, where libCZI's float32 deviates above 2**24 pixels.
    """
    _, _, width, height = request.roi
    if request.zoom != 1:
        zoom = np.float32(request.zoom)
        if zoom != 1:
            width, height = int(np.float32(width) * zoom), int(np.float32(height) * zoom)
    return height, width, pixel_format(request.pixel_type).samples


def make_plan(index: PlaneIndex, request: PlaneRequest) -> Plan:
    """Work out what a read has to do; no pixel is touched yet."""
    is_copy = np.float32(request.zoom) == 1
    selected = select_tiles(
        index,
        request.plane,
        request.roi,
        request.zoom,
        request.scene,
        # A mask may let a lower tile show; and a copy finds the hidden tiles by itself, below.
        drop_hidden=not request.mask_aware and not is_copy,
    )
    height, width, _ = output_shape(request)
    x, y = _axes(index, selected, request, width, height)
    boxes = np.column_stack([x.first, y.first, x.end, y.end])
    painting = np.flatnonzero((boxes[:, 0] < boxes[:, 2]) & (boxes[:, 1] < boxes[:, 3]))
    boxes = boxes[painting]
    parts = None if request.mask_aware or not is_copy else visible_parts(boxes)
    in_turns = parts is None
    if parts is None:
        parts = [[tuple(box)] for box in boxes.tolist()]
    seen = [number for number, some in enumerate(parts) if some]
    jobs = [
        Job(number, position, sub_block, parts[place])
        for number, (place, position, sub_block) in enumerate(
            zip(seen, painting[seen].tolist(), selected[painting[seen]].tolist())
        )
    ]
    covered = 0 if in_turns else sum(area(part) for job in jobs for part in job.parts)
    return Plan(jobs, in_turns, covered == height * width, x, y)


def window(plan: Plan, position: int, box: Box) -> tuple[Source, Source]:
    """Return which rows and columns of a tile, at a position in the plan, go to a box."""
    left, top, right, bottom = box
    return plan.y.source(position, top, bottom), plan.x.source(position, left, right)


def sample(plan: Plan, pixels: NDArray[Any], position: int, box: Box) -> NDArray[Any]:
    """Return the pixels of a tile, at a position in the plan, that go to a box of the result."""
    rows, columns = window(plan, position, box)
    if isinstance(columns, slice):
        return pixels[:, columns][rows]
    if isinstance(rows, slice):
        return pixels[rows][:, columns]
    return pixels[rows[:, np.newaxis], columns]  # never whole rows, which may be very long


def _axes(
    index: PlaneIndex, selected: NDArray[np.intp], request: PlaneRequest, width: int, height: int
) -> tuple[Axis, Axis]:
    """Return how the selected tiles map to the result, in x and in y."""
    rows, roi = index.table.directory, request.roi
    stored_w, stored_h = rows.physical_w[selected], rows.physical_h[selected]
    x, y = rows.x[selected], rows.y[selected]
    if np.float32(request.zoom) == 1:
        return CopiedAxis(x, stored_w, roi.x, roi.w), CopiedAxis(y, stored_h, roi.y, roi.h)
    return (
        ScaledAxis(x, rows.w[selected], stored_w, roi.x, roi.w, width),
        ScaledAxis(y, rows.h[selected], stored_h, roi.y, roi.h, height),
    )
