"""The tiles that a part of a level needs, and the pixels that each of them paints.

What a pixel of a level shows does not depend on the part that is read: it comes from the coarsest
level down to the one asked for that has a tile there; among the tiles of one level, from the one
that libCZI paints last. (libCZI itself chooses one level for each region that is read.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.model.geometry import ABSENT, Rectangle
from czictypes.reading.coverage import Box, area, visible_parts
from czictypes.reading.hidden import hidden_below
from czictypes.reading.level_grid import GridAxis, LevelGrid
from czictypes.reading.plan import Job, Plan
from czictypes.reading.plane_index import PlaneIndex
from czictypes.reading.sampling import Axis, CopiedAxis
from czictypes.reading.selection import NO_M
from czictypes.reading.table import SubBlockTable

__all__ = ["make_level_plan"]

Indices = NDArray[np.intp]


def make_level_plan(
    index: PlaneIndex,
    grid: LevelGrid,
    roi: Rectangle,
    plane: Mapping[str, int],
    scenes: NDArray[np.int64],
    *,
    mask_aware: bool = False,
) -> Plan:
    """Work out how a part of a level is put together; no pixel is touched yet.

    Parameters
    ----------
    index
        The sub-blocks of the document.
    grid
        The level.
    roi
        The part of it, in its own pixels.
    plane
        A value for each dimension in which the document has a choice.
    scenes
        The scenes that are shown, ascending; none in a document without scenes.
    mask_aware
        Whether masks will let the tiles below be seen.
    """
    table = index.table
    region = grid.around(roi)
    own = _shown(table, _own(index, grid, region, plane), scenes)
    plan = _plan(index, grid, roi, own, scenes, mask_aware)
    if grid.number == 0 or plan.covers_all:
        return plan
    finer = _shown(table, _finer(index, grid, region, plane), scenes)
    below, painting, _ = _boxes(table, grid, roi, finer)
    above, _, _ = _boxes(table, grid, roi, own)
    # A tile that lacks a dimension lies below finer ones, and one with a mask shows them.
    hides = not (index.is_mixed or mask_aware)
    hidden = hidden_below(below, above) if hides else np.zeros(len(painting), bool)
    finer = finer[painting[~hidden]]
    if not len(finer):
        return plan
    return _plan(index, grid, roi, np.concatenate([finer, own]), scenes, mask_aware)


def _own(
    index: PlaneIndex, grid: LevelGrid, region: Rectangle, plane: Mapping[str, int]
) -> Indices:
    """Return the tiles of a level in a region of full resolution."""
    table = index.table
    least, most = grid.zooms
    found = [np.empty(0, np.intp)]
    for variant in index.variants(plane):
        for lowest, members in index.layers(variant, region, least):
            if lowest > most:
                break
            found.append(members)
    members = np.concatenate(found)
    is_own = table.levels[members] == grid.number if grid.number else table.zoom[members] >= least
    return members[is_own]


def _finer(
    index: PlaneIndex, grid: LevelGrid, region: Rectangle, plane: Mapping[str, int]
) -> Indices:
    """Return the tiles of all finer levels in a region of full resolution."""
    found = [np.empty(0, np.intp)]
    for variant in index.variants(plane):
        found += [members for _, members in index.layers(variant, region)]
    members = np.concatenate(found)
    return members[index.table.levels[members] < grid.number]


def _shown(table: SubBlockTable, members: Indices, scenes: NDArray[np.int64]) -> Indices:
    """Return those tiles that belong to the scenes that are shown.

    As in libCZI, a tile without a scene counts unless several scenes are shown; one of the pyramid
    does always: it may span scenes.
    """
    scene = table.directory.scene[members]
    without = scene == ABSENT
    if len(scenes) > 1:
        without &= ~table.is_layer0[members]
    shown: Indices = members[without | np.isin(scene, scenes)]
    return shown


def _plan(
    index: PlaneIndex,
    grid: LevelGrid,
    roi: Rectangle,
    members: Indices,
    scenes: NDArray[np.int64],
    in_turns: bool,
) -> Plan:
    members = _in_order(index, grid, members, scenes)
    boxes, painting, (x, y) = _boxes(index.table, grid, roi, members)
    parts = None if in_turns else visible_parts(boxes)
    if parts is None:
        in_turns = True
        parts = [[_as_box(box)] for box in boxes.tolist()]
    jobs: list[Job] = []
    for position, sub_block, some in zip(painting.tolist(), members[painting].tolist(), parts):
        if some:
            jobs.append(Job(len(jobs), position, sub_block, some))
    covered = 0 if in_turns else sum(area(part) for job in jobs for part in job.parts)
    return Plan(jobs, in_turns, covered == roi.w * roi.h, x, y)


def _boxes(
    table: SubBlockTable, grid: LevelGrid, roi: Rectangle, members: Indices
) -> tuple[NDArray[np.int64], Indices, tuple[Axis, Axis]]:
    """Return the boxes of a part that some tiles paint, which ones do, and the axes of all."""
    x, y = _axes(table, grid, roi, members)
    boxes = np.column_stack([x.first, y.first, x.end, y.end])
    painting = np.flatnonzero((boxes[:, 0] < boxes[:, 2]) & (boxes[:, 1] < boxes[:, 3]))
    return boxes[painting], painting, (x, y)


def _as_box(box: list[int]) -> Box:
    left, top, right, bottom = box
    return left, top, right, bottom


def _in_order(
    index: PlaneIndex, grid: LevelGrid, members: Indices, scenes: NDArray[np.int64]
) -> Indices:
    """Sort tiles in the order of painting: finer levels first, then as libCZI does.

    Those that lack a dimension come before all others.
    """
    table = index.table
    rows = table.directory
    m = rows.m[members]
    m = np.where(table.is_layer0[members] & (m != NO_M), m, ABSENT)
    level = table.levels[members] if grid.number else np.zeros(len(members), np.int16)
    group = np.searchsorted(scenes, rows.scene[members])
    keys: list[NDArray[Any]] = [members, m, table.zoom[members], group, level]
    if index.is_mixed:
        keys.append(-index.lacks(members))
    return members[np.lexsort(keys)]


def _axes(
    table: SubBlockTable, grid: LevelGrid, roi: Rectangle, members: Indices
) -> tuple[Axis, Axis]:
    rows = table.directory
    stored_w, stored_h = rows.physical_w[members], rows.physical_h[members]
    x = rows.x[members].astype(np.int64) - grid.box.x
    y = rows.y[members].astype(np.int64) - grid.box.y
    if grid.number == 0:
        return CopiedAxis(x, stored_w, roi.x, roi.w), CopiedAxis(y, stored_h, roi.y, roi.h)
    own = table.levels[members] == grid.number
    return (
        GridAxis(x, rows.w[members], stored_w, own, grid.factor, roi.x, roi.w),
        GridAxis(y, rows.h[members], stored_h, own, grid.factor, roi.y, roi.h),
    )
