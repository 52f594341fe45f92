"""The tiles that a read needs, in the order of painting: libCZI's rules.

From libCZI's scaling accessor: a pyramid layer is chosen by the zoom, tiles of higher zoom come
above those of lower zoom, on layer 0 the highest M-index comes on top, and where a region meets
several scenes they are painted one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from czictypes.model.geometry import ABSENT, Rectangle
from czictypes.reading.coverage import visible_parts
from czictypes.reading.plane_index import PlaneIndex
from czictypes.reading.table import SubBlockTable

__all__ = [
    "LAYER_STEP",
    "LEAST_ZOOM",
    "NO_M",
    "TOLERANCE",
    "involved_scenes",
    "only_scene",
    "painting_rank",
    "select_tiles",
    "without_hidden",
]

Indices = NDArray[np.intp]

#: libCZI's other mark of a missing M-index.
NO_M = 2**31 - 1
#: A tile of slightly less zoom than asked for still does, as sizes are rounded at edges.
TOLERANCE = np.float32(1.05)
#: The least zoom of a tile that contributes to a read at zoom 1.
LEAST_ZOOM = np.float32(1) / TOLERANCE
#: Tiles from this much above the lowest chosen zoom belong to the next pyramid layer.
LAYER_STEP = np.float32(1.9)


def select_tiles(
    index: PlaneIndex,
    plane: Mapping[str, int],
    roi: Rectangle,
    zoom: float,
    scene: int | None = None,
    *,
    drop_hidden: bool = True,
) -> Indices:
    """Return the sub-blocks that a read paints, the lowest first.

    Parameters
    ----------
    index
        The sub-blocks of the document.
    plane
        A value for each plane dimension.
    roi
        The region.
    zoom
        Between 0 (excluded) and 1; counts as float32.
    scene
        The only scene that contributes, or None for all.
    drop_hidden
        Leave out tiles whose part of the region is wholly covered by later ones.
    """
    scenes = involved_scenes(index.table, roi, scene)
    planes = index.variants(plane) if index.is_mixed else [plane]
    found = [_select_in_plane(index, one, roi, zoom, scenes, drop_hidden) for one in planes]
    return np.concatenate(found) if len(found) > 1 else found[0]


def _select_in_plane(
    index: PlaneIndex,
    plane: Mapping[str, int],
    roi: Rectangle,
    zoom: float,
    scenes: NDArray[np.int64],
    drop_hidden: bool,
) -> Indices:
    table = index.table
    chosen, group = _choose_layer(index, plane, roi, np.float32(zoom) / TOLERANCE, scenes)
    if len(chosen) < 2:
        return chosen
    order = np.lexsort((chosen, painting_rank(table, chosen), table.zoom[chosen], group))
    chosen, group = chosen[order], group[order]
    if drop_hidden:
        chosen = without_hidden(table, chosen, group, roi)
    return chosen


def painting_rank(table: SubBlockTable, tiles: Indices) -> NDArray[np.int32]:
    """Return the M-index of tiles on layer 0; without one, and in the pyramid, they come first."""
    rank = np.where(table.is_layer0[tiles], table.directory.m[tiles], np.int32(ABSENT))
    rank[rank == NO_M] = ABSENT
    return rank


def only_scene(table: SubBlockTable, roi: Rectangle, scene: int | None) -> int | None:
    """Return the only scene of which tiles contribute to a read, beside those of no scene.

    `ABSENT` in a document without scenes; None where several scenes contribute, or none does.
    """
    scenes = table.scene_rectangles
    if scene is not None or len(scenes) < 2:
        return next(iter(scenes), ABSENT) if scene is None else scene
    involved = involved_scenes(table, roi, None)
    return int(involved[0]) if len(involved) == 1 else None


def involved_scenes(table: SubBlockTable, roi: Rectangle, scene: int | None) -> NDArray[np.int64]:
    """Return the scenes whose box (pyramid included) meets a region, ascending."""
    numbers, boxes = table.scene_boxes
    meets = (
        (boxes[:, 0] < roi.x + roi.w)
        & (boxes[:, 2] > roi.x)
        & (boxes[:, 1] < roi.y + roi.h)
        & (boxes[:, 3] > roi.y)
    )
    if scene is not None:
        meets &= numbers == scene
    return numbers[meets]


def _choose_layer(
    index: PlaneIndex,
    plane: Mapping[str, int],
    roi: Rectangle,
    least_zoom: np.float32,
    scenes: NDArray[np.int64],
) -> tuple[Indices, Indices]:
    """Return the tiles of the layer to paint, and the group of each.

    Each scene is a group of its own, with its own layer, unless there are fewer than two.
    """
    zoom = index.table.zoom
    limits = np.full(max(len(scenes), 1), np.inf, np.float32)
    chosen, groups = [], []
    for lowest, found in index.layers(plane, roi, float(least_zoom)):
        if lowest >= limits.max():
            break
        found = found[zoom[found] >= least_zoom]
        found, group = _group(index.table, found, scenes)
        np.minimum.at(limits, group, zoom[found] * LAYER_STEP)
        chosen.append(found)
        groups.append(group)
    if not chosen:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    found, group = np.concatenate(chosen), np.concatenate(groups)
    keep = zoom[found] < limits[group]
    return found[keep], group[keep]


def _group(
    table: SubBlockTable, found: Indices, scenes: NDArray[np.int64]
) -> tuple[Indices, Indices]:
    """Drop the tiles of scenes that are not involved, and tell the group of each other one.

    A tile without a scene contributes unless several scenes are involved.
    """
    own = table.directory.scene[found]
    if len(scenes) < 2:
        keep = own == ABSENT
        for scene in scenes:
            keep |= own == scene
        found = found[keep]
        return found, np.zeros(len(found), np.intp)
    known = np.isin(own, scenes)
    return found[known], np.searchsorted(scenes, own[known])


def without_hidden(
    table: SubBlockTable, chosen: Indices, group: Indices, roi: Rectangle
) -> Indices:
    """Leave out the tiles that add nothing to the covered area, group by group."""
    rows = table.directory
    x, y = rows.x[chosen].astype(np.int64), rows.y[chosen].astype(np.int64)
    boxes = np.column_stack(
        [
            np.maximum(x, roi.x),
            np.maximum(y, roi.y),
            np.minimum(x + rows.w[chosen], roi.x + roi.w),
            np.minimum(y + rows.h[chosen], roi.y + roi.h),
        ]
    )
    kept = []
    borders = np.flatnonzero(np.r_[True, group[1:] != group[:-1], True])
    for first, end in zip(borders[:-1].tolist(), borders[1:].tolist()):
        parts = visible_parts(boxes[first:end])
        members = chosen[first:end]
        kept.append(members if parts is None else members[[bool(part) for part in parts]])
    return np.concatenate(kept)
