"""Paints tiles onto a plane, plainly: what a reader must give at zoom 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.model.geometry import Rectangle
from files.block import Block

__all__ = ["box_of", "paint", "scenes_meeting"]

_NO_M = -(2**31)


def box_of(blocks: Sequence[Block]) -> Rectangle:
    """Return the smallest rectangle around the tiles."""
    left = min(block.rectangle.x for block in blocks)
    top = min(block.rectangle.y for block in blocks)
    right = max(block.rectangle.x + block.rectangle.w for block in blocks)
    bottom = max(block.rectangle.y + block.rectangle.h for block in blocks)
    return Rectangle(left, top, right - left, bottom - top)


def paint(
    blocks: Sequence[Block],
    roi: Rectangle,
    plane: Mapping[str, int],
    *,
    scene: int | None = None,
    background: Any = 0,
    masks: bool = False,
) -> NDArray[Any]:
    """Return the pixels (h, w, samples) of the layer-0 tiles of a plane, the highest M on top.

    A plane that has none shows its reduced tiles, of which there may be one, in their full size.

    Where several scenes meet the roi, they are painted one after the other and tiles without a
    scene are left out. Tiles without M lie lowest.
    """
    out = np.empty((roi.h, roi.w, _samples(blocks, plane).shape[2]), _samples(blocks, plane).dtype)
    out[:] = background
    scenes = [one for one in scenes_meeting(blocks, roi) if scene in (None, one)]
    there = [block for block in blocks if block.is_in(plane)]
    tiles = [block for block in there if block.is_layer0] or list(map(_enlarged, there))
    if len(scenes) > 1:
        tiles = [block for block in tiles if "S" in block.plane]
    else:
        tiles = [block for block in tiles if block.plane.get("S") in (None, *scenes)]
    for tile in sorted(tiles, key=_height):
        _paint_tile(out, roi, tile, masks)
    return out


def _enlarged(tile: Block) -> Block:
    _, _, w, h = tile.rectangle
    rows = [y * tile.pixels.shape[0] // h for y in range(h)]
    columns = [x * tile.pixels.shape[1] // w for x in range(w)]
    return replace(tile, pixels=tile.pixels[rows][:, columns], logical=None)


def scenes_meeting(blocks: Sequence[Block], roi: Rectangle) -> list[int]:
    """Return the scenes whose box meets the roi, ascending."""
    found = []
    for scene in sorted({block.plane["S"] for block in blocks if "S" in block.plane}):
        box = box_of([block for block in blocks if block.plane.get("S") == scene])
        if not box.intersect(roi).is_empty:
            found.append(scene)
    return found


def _samples(blocks: Sequence[Block], plane: Mapping[str, int]) -> NDArray[Any]:
    """Return pixels of the type in which the plane is read: its channel's first sub-block."""
    channel = plane.get("C")
    of_channel = [block for block in blocks if channel in (None, block.plane.get("C"))]
    return (of_channel or blocks)[0].pixels


def _height(block: Block) -> tuple[int, int]:
    return block.plane.get("S", 0), _NO_M if block.m is None else block.m


def _paint_tile(out: NDArray[Any], roi: Rectangle, tile: Block, masks: bool) -> None:
    common = tile.rectangle.intersect(roi)
    if common.is_empty:
        return
    source = np.s_[
        common.y - tile.y : common.y - tile.y + common.h,
        common.x - tile.x : common.x - tile.x + common.w,
    ]
    target = out[
        common.y - roi.y : common.y - roi.y + common.h,
        common.x - roi.x : common.x - roi.x + common.w,
    ]
    if masks and tile.mask is not None:
        valid = _fitted(tile.mask, tile.pixels.shape[:2])[source]
        target[valid] = tile.pixels[source][valid]
    else:
        target[:] = tile.pixels[source]


def _fitted(mask: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Bring a mask to the bitmap's shape; outside the mask nothing is valid."""
    fitted = np.zeros(shape, dtype=bool)
    rows, columns = min(shape[0], mask.shape[0]), min(shape[1], mask.shape[1])
    fitted[:rows, :columns] = mask[:rows, :columns]
    return fitted
