"""The place of an image on the stage."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from czictypes.arrays.scene_layout import scene_box
from czictypes.metadata.scenes import SceneInfo
from czictypes.model.geometry import Rectangle
from czictypes.reading.plane_reads import open_document_of
from czictypes.reading.reader import CziReader

__all__ = ["stage_origin"]

_LOOKED_AT = 16  # a tile need not tell of the axis along which the stage rested


def stage_origin(
    reader: CziReader,
    number: int | None,
    scenes: Mapping[int | None, SceneInfo],
    pixel: tuple[float, float],
) -> tuple[float, float] | None:
    """Return where on the stage the centre of the first pixel lies, in micrometres.

    Parameters
    ----------
    reader
        The document.
    number
        The number of the scene; None for all of the document.
    scenes
        What the metadata tell of the scenes, by their numbers.
    pixel
        The size of a pixel in micrometres.

    Notes
    -----
    The centre of a scene is that of its tiles, unless the file is a part of the one that was
    acquired: then the contour of the scene is larger than what there is of it. There, and without
    scenes, the position of the stage at the first tiles tells, which is that of their centres.
    """
    with open_document_of(reader) as document:
        table = document.table
        told = number if number is not None else next(iter(table.scene_rectangles), None)
        box, whole = scene_box(table, told), scene_box(table, number)
    scene = scenes.get(told)
    if scene is not None and scene.center is not None and _is_whole(scene, box, pixel):
        x = scene.center[0] - (box.w - 1) / 2 * pixel[0]
        y = scene.center[1] - (box.h - 1) / 2 * pixel[1]
    else:
        found = _from_tiles(reader, told, box, pixel)
        if found is None:
            return None
        x, y = found
    return x - (box.x - whole.x) * pixel[0], y - (box.y - whole.y) * pixel[1]


def _is_whole(scene: SceneInfo, box: Rectangle, pixel: tuple[float, float]) -> bool:
    if scene.size is None:
        return True
    return all(
        (extent + 1) * size >= contour
        for extent, size, contour in zip((box.w, box.h), pixel, scene.size)
    )


def _from_tiles(
    reader: CziReader, number: int | None, box: Rectangle, pixel: tuple[float, float]
) -> tuple[float, float] | None:
    with open_document_of(reader) as document:
        table = document.table
        wanted = table.is_layer0
        if number is not None:
            wanted = wanted & (table.directory.scene == number)
        rows = np.flatnonzero(wanted)[:_LOOKED_AT]
        indices = table.rows.sub_blocks(rows).tolist()
        columns = table.directory
        left = (columns.x[rows] - box.x + (columns.w[rows] - 1) / 2) * pixel[0]
        top = (columns.y[rows] - box.y + (columns.h[rows] - 1) / 2) * pixel[1]
    found = reader.subblock_metadata(["stage_x", "stage_y"], indices=indices)
    x, y = found["stage_x"] - left, found["stage_y"] - top
    x, y = x[np.isfinite(x)], y[np.isfinite(y)]
    return (float(x[0]), float(y[0])) if len(x) and len(y) else None
