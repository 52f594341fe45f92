"""The scenes of a document: their layouts, metadata and names, and their places on the stage."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.layout import Layout
from czictypes.metadata.scenes import SceneInfo, Well, covers_contour
from czictypes.model.errors import OutOfBoundsError
from czictypes.model.geometry import ABSENT, Rectangle
from czictypes.model.pixel_types import PixelType, pixel_format
from czictypes.reading.document import OpenDocument
from czictypes.reading.levels import level_grids
from czictypes.reading.names import find_scene, scene_infos, scene_names
from czictypes.reading.request import type_of_all
from czictypes.reading.subblock import read_columns
from czictypes.reading.table import SubBlockTable

#: The dimensions of planes in the order of an array. All but T, C and Z are there only where a
#: document has several values of them.
PLANE_ORDER = "VHIRBTCZ"
_ALWAYS = "TCZ"
_LOOKED_AT = 16  # a tile need not tell of the axis along which the stage rested


def scene_wells(document: OpenDocument) -> list[str | None]:
    """Return the name of the well of each scene of a document, None for one without."""
    infos = scene_infos(document)
    numbers: list[int | None] = [*document.table.scene_rectangles] or [None]
    found = [infos.get(number) for number in numbers]
    return [info.well.name if info and info.well else None for info in found]


def scene_index(document: OpenDocument, scene: int | str, count: int) -> int:
    """Return the index of a scene; names are looked at only where one is given."""
    is_number = isinstance(scene, (int, np.integer)) and not isinstance(scene, bool)
    if is_number and -count <= int(scene) < count:
        return int(scene) % count
    return find_scene(scene_names(document), scene)


def scene_layout(table: SubBlockTable, scene: int | None) -> Layout:
    """Return the layout of the array of a scene, or of all scenes for None.

    Raises
    ------
    OutOfBoundsError
        If there are no sub-blocks.
    UnsupportedDataError
        If a channel is of an unknown pixel type, or of several that none holds.
    SparseDocumentError
        If a coordinate is far beyond all others.
    """
    box = scene_box(table, scene)
    planes = plane_ranges(table, None if scene is None else table.directory.scene == scene)
    pixel_types = channel_types(table, planes["C"], scene)
    samples = max(pixel_format(one).samples for one in pixel_types.values())
    return Layout(
        planes=planes,
        samples=samples if samples > 1 else 0,
        grids=tuple(level_grids(table, scene, box)),
        pixel_types=pixel_types,
        dtype=common_dtype(pixel_types.values()),
        bounds=table.bounds,
        rows=table.count,
    )


def channel_types(
    table: SubBlockTable, channels: range, scene: int | None = None
) -> dict[int, PixelType]:
    """Return for every channel the pixel type that holds all of its sub-blocks in a scene.

    A channel without sub-blocks there has the type of its first one elsewhere.
    """
    found = {}
    for channel in channels:
        pixel_type = type_of_all(table, channel, scene)
        if pixel_type is None:
            raise _nothing_to_read()
        found[channel] = pixel_type
    return found


def common_dtype(pixel_types: Iterable[int]) -> np.dtype[Any]:
    """Return the dtype that holds pixels of several types, as `numpy.result_type` has it."""
    return np.result_type(*(np.dtype(pixel_format(one).dtype) for one in pixel_types))


def scene_box(table: SubBlockTable, scene: int | None) -> Rectangle:
    """Return the box of the full resolution, or of the pyramid where there is no more."""
    if scene is None:
        full, any_level = table.total_rectangle_no_pyramid, table.total_rectangle
    else:
        full = table.scene_rectangles_no_pyramid[scene]
        any_level = table.scene_rectangles[scene]
    box = any_level if full.is_empty else full
    if box.is_empty:
        raise _nothing_to_read()
    return box


def _nothing_to_read() -> OutOfBoundsError:
    return OutOfBoundsError("the document has no sub-blocks, so there is nothing to read")


def plane_ranges(table: SubBlockTable, members: NDArray[Any] | None) -> dict[str, range]:
    """Return the coordinates along each dimension: those of a scene, but all channels.

    `members` are the sub-blocks of the scene (a mask, or row numbers), or None for all.

    Raises
    ------
    SparseDocumentError
        If there are far more planes than the sub-blocks could fill, as one damaged number makes it.
    """
    found = _ranges(table, members)
    if table.bounds is not None:
        several = [f"{name} {one[0]} to {one[-1]}" for name, one in found.items() if len(one) > 1]
        count = math.prod(map(len, found.values()))
        table.bounds.check_planes(count, table.count, ", ".join(several))
    return found


def claimed_array(
    table: SubBlockTable, scene: int | None
) -> tuple[str, tuple[int, ...], np.dtype[Any]]:
    """Return the dimensions, shape and dtype that the array of a scene would have.

    No layout is made for it, which would take long for a document that is far from full.
    """
    box = scene_box(table, scene)
    ranges = _ranges(table, None if scene is None else table.directory.scene == scene)
    pixel_types = table.pixel_types_of(None, scene)
    samples = max(pixel_format(one).samples for one in pixel_types)
    order = "".join(ranges) + ("YXS" if samples > 1 else "YX")
    shape = *map(len, ranges.values()), box.h, box.w, *([samples] if samples > 1 else [])
    return order, shape, common_dtype(pixel_types)


def _ranges(table: SubBlockTable, members: NDArray[Any] | None) -> dict[str, range]:
    found = {}
    for name in PLANE_ORDER:
        start, size = table.plane_bounds.get(name, (0, 1))
        if name not in _ALWAYS and size < 2:
            continue
        found[name] = range(start, start + size)
        if members is not None and name != "C" and size > 1:
            column = table.directory.coordinates[name][members]
            present = column[column != ABSENT]
            if len(present):
                found[name] = range(int(present.min()), int(present.max()) + 1)
    return found


def field_numbers(scenes: Mapping[int | None, SceneInfo]) -> dict[int | None, int]:
    """Return the number of each scene among those of its well, from 0 on, by scene number."""
    counts: dict[tuple[object, ...], int] = {}
    fields = {}
    for number, scene in sorted(scenes.items(), key=lambda item: item[1].index):
        if scene.well is not None:
            key = _well_key(scene.well)
            fields[number] = counts.get(key, 0)
            counts[key] = fields[number] + 1
    return fields


def _well_key(well: Well) -> tuple[object, ...]:
    """Return what is equal for scenes of one well: its place on the plate, else its name."""
    if well.row is not None and well.column is not None:
        return well.row, well.column
    return (well.name,)


def stage_origin(
    document: OpenDocument, scene: int | None, pixel: tuple[float, float]
) -> tuple[float, float] | None:
    """Return where on the stage the centre of the first pixel lies, in micrometres.

    Parameters
    ----------
    document
        The document.
    scene
        The number of the scene; None for all of the document.
    pixel
        The width and height of a pixel in micrometres.

    Notes
    -----
    The centre of a scene is that of its tiles, unless the file is a part of the one that was
    acquired: then the contour of the scene is larger than what there is of it. There, and without
    scenes, the position of the stage at the first tiles tells, which is that of their centres.
    """
    table = document.table
    known = scene if scene is not None else next(iter(table.scene_rectangles), None)
    box, whole = scene_box(table, known), scene_box(table, scene)
    info = scene_infos(document).get(known)
    if info and info.center is not None and covers_contour(info.size, box, pixel):
        x = info.center[0] - (box.w - 1) / 2 * pixel[0]
        y = info.center[1] - (box.h - 1) / 2 * pixel[1]
    else:
        found = _origin_by_tiles(document, known, box, pixel)
        if found is None:
            return None
        x, y = found
    return x - (box.x - whole.x) * pixel[0], y - (box.y - whole.y) * pixel[1]


def _origin_by_tiles(
    document: OpenDocument, scene: int | None, box: Rectangle, pixel: tuple[float, float]
) -> tuple[float, float] | None:
    table = document.table
    wanted = table.is_layer0
    if scene is not None:
        wanted = wanted & (table.directory.scene == scene)
    rows = np.flatnonzero(wanted)[:_LOOKED_AT]
    columns = table.directory
    left = (columns.x[rows] - box.x + (columns.w[rows] - 1) / 2) * pixel[0]
    top = (columns.y[rows] - box.y + (columns.h[rows] - 1) / 2) * pixel[1]
    found = read_columns(document, table.rows.sub_blocks(rows), ["stage_x", "stage_y"])
    x, y = found["stage_x"] - left, found["stage_y"] - top
    x, y = x[np.isfinite(x)], y[np.isfinite(y)]
    return (float(x[0]), float(y[0])) if len(x) and len(y) else None
