"""Where tiles lie: those that hide each other, scenes that overlap, pyramids with holes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from czictypes.checking.findings import Finding, counted
from czictypes.checking.view import FileView
from czictypes.model.geometry import ABSENT, format_coordinate
from czictypes.reading.pyramid import needs_pyramid
from czictypes.reading.tile_grid import Boxes, pairs_by_centre

__all__ = ["hidden_tiles", "overlapping_scenes", "pyramid"]

#: So many comparisons of tiles of two scenes are made, in pieces of so many; to begin with two
#: scenes takes as long as so many comparisons.
_MOST_PAIRS, _PIECE, _BEGIN = 1 << 27, 1 << 20, 1 << 14
_ADD_PYRAMID = "czi.add_pyramid makes a new one"

Rows = NDArray[np.intp]


def _boxes(view: FileView, rows: Rows) -> Boxes:
    tiles = view.table.directory
    x, y = tiles.x[rows].astype(np.int64), tiles.y[rows].astype(np.int64)
    return Boxes(x, y, x + tiles.w[rows], y + tiles.h[rows])


def _groups(columns: list[NDArray[np.int32]], rows: Rows) -> NDArray[np.int64]:
    """Return numbers for the rows, the same one for those that are equal in all columns."""
    found = np.zeros(len(rows), np.int64)
    for column in columns:
        values, codes = np.unique(column[rows], return_inverse=True)
        both = found * len(values) + codes.reshape(-1)
        found = np.unique(both, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return found


def hidden_tiles(view: FileView) -> Iterator[Finding]:
    """Look for tiles whose centre lies under another tile of their plane and scene."""
    rows = np.flatnonzero(view.table.is_layer0)
    if len(rows) < 2:
        return
    boxes, groups = _boxes(view, rows), _groups(view.planes(), rows)
    over = np.full(len(rows), -1)
    for box, other in pairs_by_centre(boxes, groups, boxes, groups):
        same = (boxes.left[box] == boxes.left[other]) & (boxes.top[box] == boxes.top[other])
        same &= view.m[rows[box]] == view.m[rows[other]]  # `coordinates_unique` tells
        kept = (box != other) & ~same
        over[other[kept]] = box[kept]
    for at in np.flatnonzero(over >= 0).tolist():
        yield Finding(
            "overlappingtiles",
            "warning",
            message=f"its centre lies under sub-block {view.numbers[rows[over[at]]]} of the same "
            "plane and scene, so that large parts of one of the two are not seen",
            remedy="read_subblock, or CziImage(mosaic=False), gives each tile whole",
            **view.about(int(view.numbers[rows[at]])),
        )


def overlapping_scenes(view: FileView) -> Iterator[Finding]:
    """Look for scenes whose tiles of full resolution overlap in the same plane."""
    tiles = view.table.directory
    rows = np.flatnonzero(view.table.is_layer0 & (tiles.scene != ABSENT))
    if not len(rows):
        return
    rows = rows[np.argsort(tiles.scene[rows], kind="stable")]
    scenes, firsts = np.unique(tiles.scene[rows], return_index=True)
    members = np.split(rows, firsts[1:])
    planes = np.zeros(len(tiles.x), np.int64)
    planes[rows] = _groups(view.planes(scenes=False), rows)
    left = _MOST_PAIRS
    for first, second in _scene_pairs(view, members):
        found, compared = _overlap(view, members[first], members[second], planes, left)
        left -= compared
        if found is not None:
            yield Finding(
                "overlappingscenes",
                "warning",
                message=f"it overlaps sub-block {view.numbers[found[1]]}: scenes {scenes[first]} "
                f"and {scenes[second]} overlap, so that one hides parts of the other where both "
                "are read together",
                remedy="read each scene by itself (scene=)",
                **view.about(int(view.numbers[found[0]])),
            )
        if left <= 0:
            yield Finding(
                "overlappingscenes",
                "info",
                "the sub-block directory",
                "so many scenes overlap that not all were compared",
                "read each scene by itself (scene=)",
            )
            return


def _scene_pairs(view: FileView, members: list[Rows]) -> Iterator[tuple[int, int]]:
    """Give the pairs of scenes whose bounding rectangles overlap, by a sweep from left to right."""
    extents = []
    for rows in members:
        boxes = _boxes(view, rows)
        extents.append((boxes.left.min(), boxes.top.min(), boxes.right.max(), boxes.bottom.max()))
    left, top, right, bottom = np.array(extents, np.int64).T
    order = np.argsort(left, kind="stable")
    for place, first in enumerate(order.tolist()):
        end = int(np.searchsorted(left[order], right[first]))
        others = order[place + 1 : end]
        hit = (top[others] < bottom[first]) & (top[first] < bottom[others])
        for second in others[hit].tolist():
            yield min(first, second), max(first, second)


def _overlap(
    view: FileView, first: Rows, second: Rows, planes: NDArray[np.int64], most: int
) -> tuple[tuple[int, int] | None, int]:
    """Return a pair of tiles of two scenes that overlap, and how many pairs were compared."""
    boxes, others = _boxes(view, first), _boxes(view, second)
    near = boxes.left < others.right.max()
    near &= (boxes.right > others.left.min()) & (boxes.top < others.bottom.max())
    near &= boxes.bottom > others.top.min()
    first, boxes = first[near], boxes.take(np.flatnonzero(near))
    compared, step = _BEGIN, max(_PIECE // max(len(second), 1), 1)
    for start in range(0, len(first), step):
        if compared > most:
            break
        some = boxes.take(slice(start, start + step))
        hit = planes[first[start : start + step], np.newaxis] == planes[second]
        hit &= (some.left[:, np.newaxis] < others.right) & (some.right[:, np.newaxis] > others.left)
        hit &= (some.top[:, np.newaxis] < others.bottom) & (some.bottom[:, np.newaxis] > others.top)
        compared += hit.size
        at = int(hit.argmax())
        if hit.size and hit.flat[at]:
            one, other = divmod(at, len(second))
            return (int(first[start + one]), int(second[other])), compared
    return None, compared


def pyramid(view: FileView) -> Iterator[Finding]:
    """Compare the pyramid with the full resolution: factors, extents, holes, missing levels."""
    if needs_pyramid(view.table):
        yield Finding(
            "pyramid",
            "info",
            "the sub-block directory",
            "the image is large and has no pyramid, so that overviews take long",
            _ADD_PYRAMID,
        )
    if not view.table.has_pyramid:
        return
    yield from _stretched(view)
    yield from _levels(view)


def _stretched(view: FileView) -> Iterator[Finding]:
    """Look for reduced tiles whose factors differ along the axes by more than rounding does."""
    tiles = view.table.directory
    rows = _reduced(view)
    stored_w, stored_h = (one[rows].astype(float) for one in (tiles.physical_w, tiles.physical_h))
    across, down = tiles.w[rows] / stored_w, tiles.h[rows] / stored_h
    odd = np.abs(tiles.w[rows] / down - stored_w) > 1.5
    odd &= np.abs(tiles.h[rows] / across - stored_h) > 1.5
    for at in np.flatnonzero(odd).tolist():
        yield Finding(
            "pyramid",
            "warning",
            message=f"it is reduced by {across[at]:.3g} along X, but by {down[at]:.3g} along Y",
            remedy=_ADD_PYRAMID,
            **view.about(int(view.numbers[rows[at]])),
        )


def _reduced(view: FileView) -> Rows:
    """Return the tiles of levels; those of the stored resolution alone have no extent here."""
    tiles = view.table.directory
    return np.flatnonzero(~view.table.is_layer0 & (tiles.w > 0) & (tiles.h > 0))


def _levels(view: FileView) -> Iterator[Finding]:
    """Look for tiles of full resolution that a level does not show, and levels beside the image.

    A small scene may have fewer levels than others, so only those that it has are compared.
    """
    everything = np.arange(view.table.count)
    planes = _groups(view.planes(scenes=False), everything)
    scenes = _groups(view.planes(), everything)
    base = np.flatnonzero(view.table.is_layer0)
    reduced = _reduced(view)
    full = _boxes(view, base)
    yield from _missed(view, base[~np.isin(planes[base], planes[reduced])], planes, "the pyramid")
    for level in np.unique(view.table.levels[reduced]).tolist():
        rows = reduced[view.table.levels[reduced] == level]
        boxes = _boxes(view, rows)
        missed, useless = np.ones(len(base), bool), np.ones(len(rows), bool)
        for box, tile in pairs_by_centre(boxes, planes[rows], full, planes[base]):
            missed[tile], useless[box] = False, False
        for _, box in pairs_by_centre(full, planes[base], boxes, planes[rows]):
            useless[box] = False
        of_all = rows[view.table.directory.scene[rows] == ABSENT]
        missed &= np.isin(scenes[base], scenes[rows]) | np.isin(planes[base], planes[of_all])
        yield from _missed(view, base[missed], planes, f"pyramid level {level}")
        for at in np.flatnonzero(useless).tolist():
            yield Finding(
                "pyramid",
                "warning",
                message=f"it belongs to pyramid level {level}, but there is no full resolution "
                "where it lies",
                remedy="zoomed reads show it, reads of full resolution show background",
                **view.about(int(view.numbers[rows[at]])),
            )


def _missed(view: FileView, rows: Rows, planes: NDArray[np.int64], what: str) -> Iterator[Finding]:
    """Tell of the planes in which the pyramid has holes, one finding each."""
    _, firsts, counts = np.unique(planes[rows], return_index=True, return_counts=True)
    for row, count in zip(rows[firsts].tolist(), counts.tolist()):
        number = int(view.numbers[row])
        plane = view.columns.coordinate(number)
        plane.pop("S", None)
        yield Finding(
            "pyramid",
            "warning",
            f"{what} in plane {format_coordinate(plane) or 'X and Y'}",
            f"it does not show {counted(count, 'tile')} of full resolution, sub-block {number} "
            "first",
            f"zoomed reads may show background there; {_ADD_PYRAMID}",
            number,
            view.own_position(number),
        )
