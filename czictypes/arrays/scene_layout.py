"""Makes the layout of a scene from the tables of its document."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.layout import Layout
from czictypes.model.errors import OutOfBoundsError
from czictypes.model.geometry import ABSENT, Rectangle
from czictypes.model.pixel_types import PixelType, pixel_format
from czictypes.reading.levels import level_grids
from czictypes.reading.request import type_of_all
from czictypes.reading.table import SubBlockTable

__all__ = [
    "channel_types",
    "claimed_array",
    "common_dtype",
    "plane_order",
    "plane_ranges",
    "scene_box",
    "scene_layout",
]

#: The order of the dimensions; all but T, C and Z are there only where a document has a choice.
_ORDER = "VHIRBTCZ"
_ALWAYS = "TCZ"


def scene_layout(table: SubBlockTable, scene: int | None) -> Layout:
    """Return how the array of a scene is laid out.

    Parameters
    ----------
    table
        The sub-blocks of the document.
    scene
        The number of the scene, or None for all that the document has.

    Raises
    ------
    ValueError
        If there are no sub-blocks.
    UnsupportedDataError
        If a channel is of an unknown pixel type, or of several that none holds.
    SparseDocumentError
        If a coordinate is far beyond all others.
    """
    box = scene_box(table, scene)
    members = None if scene is None else table.directory.scene == scene
    planes = plane_ranges(table, members)
    kinds = channel_types(table, planes["C"], scene)
    samples = max(pixel_format(kind).samples for kind in kinds.values())
    return Layout(
        planes=planes,
        samples=samples if samples > 1 else 0,
        grids=tuple(level_grids(table, scene, box)),
        kinds=kinds,
        dtype=common_dtype(kinds),
        bounds=table.bounds,
        rows=table.count,
    )


def plane_order() -> str:
    """Return the dimensions of planes in the order of an array."""
    return _ORDER


def channel_types(
    table: SubBlockTable, channels: range, scene: int | None = None
) -> dict[int, PixelType]:
    """Return for every channel the pixel type that holds all of its sub-blocks.

    Parameters
    ----------
    table
        The sub-blocks of the document.
    channels
        The channels; one without any sub-block in the scene has its first one's type elsewhere.
    scene
        The number of the scene that is read, or None for all.

    Raises
    ------
    UnsupportedDataError
        If the type is unknown, or a channel has several and none holds them all.
    """
    found = {}
    for channel in channels:
        kind = type_of_all(table, channel, scene)
        if kind is None:
            raise OutOfBoundsError("the document has no sub-blocks, so there is nothing to read")
        found[channel] = kind
    return found


def common_dtype(kinds: dict[int, PixelType]) -> np.dtype[Any]:
    """Return the dtype that holds the pixels of all channels, as `numpy.result_type` has it."""
    return np.result_type(*(np.dtype(pixel_format(kind).dtype) for kind in kinds.values()))


def scene_box(table: SubBlockTable, scene: int | None) -> Rectangle:
    """Return the box of the full resolution, or where there is none, of what there is."""
    if scene is None:
        full, any_level = table.total_rectangle_no_pyramid, table.total_rectangle
    else:
        full = table.scene_rectangles_no_pyramid[scene]
        any_level = table.scene_rectangles[scene]
    box = any_level if full.is_empty else full
    if box.is_empty:
        raise OutOfBoundsError("the document has no sub-blocks, so there is nothing to read")
    return box


def plane_ranges(table: SubBlockTable, members: NDArray[Any] | None) -> dict[str, range]:
    """Return the coordinates along each dimension; those of a scene, but all channels.

    Parameters
    ----------
    table
        The sub-blocks of the document.
    members
        Which are those of the scene (a mask, or row numbers), or None for all.

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
    kinds = [pixel_format(kind) for kind in table.pixel_types_of(None, scene)]
    samples = max(kind.samples for kind in kinds)
    order = "".join(ranges) + ("YXS" if samples > 1 else "YX")
    shape = *map(len, ranges.values()), box.h, box.w, *([samples] if samples > 1 else [])
    return order, shape, np.result_type(*(np.dtype(kind.dtype) for kind in kinds))


def _ranges(table: SubBlockTable, members: NDArray[Any] | None) -> dict[str, range]:
    found = {}
    for name in _ORDER:
        bounds = table.plane_bounds.get(name, (0, 1))
        if name not in _ALWAYS and bounds[1] < 2:
            continue
        if members is not None and name != "C" and bounds[1] > 1:
            bounds = _bounds(table.directory.coordinates[name][members]) or bounds
        found[name] = range(*_span(bounds))
    return found


def _bounds(column: NDArray[np.int32]) -> tuple[int, int] | None:
    present = column[column != ABSENT]
    if not len(present):
        return None
    first = int(present.min())
    return first, int(present.max()) - first + 1


def _span(bounds: tuple[int, int]) -> tuple[int, int]:
    start, size = bounds
    return start, start + size
