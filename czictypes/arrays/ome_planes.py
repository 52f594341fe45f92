"""The planes of the scenes of a document, and the metadata of the first tile of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.metadata.ome.values import PlaneFacts
from czictypes.model.dimensions import ABSENT
from czictypes.reading.reader import CziReader
from czictypes.reading.table import SubBlockTable

__all__ = [
    "ScenePlanes",
    "first_of_each_time",
    "plane_facts",
    "rows_by_scene",
    "scene_planes",
    "sizes_along",
]

_FIELDS = ("stage_x", "stage_y", "focus_z", "acquisition_time", "exposure_time")
_SECOND = np.timedelta64(1, "s")


class ScenePlanes(NamedTuple):
    """The planes of a scene that have tiles in full resolution.

    Attributes
    ----------
    z, c, t
        Their indices, those along T counted through all dimensions before it.
    first, tiles
        The first sub-block of each, and how many there are.
    part
        Which of the planes of that sub-block it is: what a sub-block tells of time and focus is
        of its first.
    """

    z: NDArray[np.intp]
    c: NDArray[np.intp]
    t: NDArray[np.intp]
    first: NDArray[np.intp]
    tiles: NDArray[np.intp]
    part: NDArray[np.int64]


def rows_by_scene(table: SubBlockTable) -> dict[int | None, NDArray[np.intp]]:
    """Return the sub-blocks of each scene; those of None where the document has no scenes."""
    numbers = list(table.scene_rectangles)
    if not numbers:
        return {None: np.arange(table.count)}
    scenes = table.directory.scene
    order = np.argsort(scenes, kind="stable")
    ends = np.searchsorted(scenes[order], numbers, side="right")
    begins = np.searchsorted(scenes[order], numbers, side="left")
    return {number: order[begin:end] for number, begin, end in zip(numbers, begins, ends)}


def sizes_along(ranges: Mapping[str, range]) -> tuple[int, int, int]:
    """Return how many Z and C there are, and T times the dimensions before it."""
    z, c = len(ranges["Z"]), len(ranges["C"])
    t = int(np.prod([len(values) for name, values in ranges.items() if name not in "ZC"]))
    return z, c, t


def scene_planes(
    table: SubBlockTable, rows: NDArray[np.intp], ranges: Mapping[str, range]
) -> ScenePlanes:
    """Return the planes of a scene, given its sub-blocks and the coordinates along each dimension.

    A tile that lacks a dimension counts for its first coordinate.
    """
    rows = rows[table.is_layer0[rows]]
    inside = np.ones(len(rows), bool)
    places = {"Z": np.zeros(len(rows), np.int64), "C": np.zeros(len(rows), np.int64)}
    along_t = np.zeros(len(rows), np.int64)
    for name, values in ranges.items():
        column = table.directory.coordinates.get(name)
        at = along_t * 0 if column is None else column[rows].astype(np.int64) - values.start
        if column is not None:
            at[column[rows] == ABSENT] = 0
        inside &= (at >= 0) & (at < len(values))
        if name in places:
            places[name] = at
        else:
            along_t = along_t * len(values) + at
    z_count, c_count, _ = sizes_along(ranges)
    keys = (along_t * c_count + places["C"]) * z_count + places["Z"]
    rows, keys = rows[inside], keys[inside]
    keys, first, tiles = np.unique(keys, return_index=True, return_counts=True)
    rest, z = np.divmod(keys, z_count)
    t, c = np.divmod(rest, c_count)
    rows = rows[first]
    return ScenePlanes(z, c, t, table.rows.sub_blocks(rows), tiles, table.rows.parts(rows))


def first_of_each_time(planes: ScenePlanes) -> ScenePlanes:
    """Return the first plane of each T."""
    _, first = np.unique(planes.t, return_index=True)
    return ScenePlanes(*(column[first] for column in planes))


def plane_facts(
    reader: CziReader,
    planes: Sequence[ScenePlanes],
    times: Sequence[NDArray[np.float64] | None],
    start: np.datetime64 | None,
) -> list[PlaneFacts]:
    """Read what the first tile of each plane tells of it, for several scenes at once.

    Parameters
    ----------
    reader, planes
        The document, and the planes of each scene.
    times
        When each T of each scene was, in seconds since the beginning: for planes whose tile does
        not tell.
    start
        When the acquisition began, in UTC; by default at the first of these tiles.
    """
    rows = [int(row) for one in planes for row in one.first]
    found = reader.subblock_metadata(_FIELDS, indices=rows)
    moments = found["acquisition_time"]
    if start is None and not np.isnat(moments).all():
        start = moments[~np.isnat(moments)].min()
    time = np.full(len(rows), np.nan)
    if start is not None:
        time = (moments - start) / _SECOND
    facts, begin = [], 0
    for one, along in zip(planes, times):
        part = slice(begin, begin + len(one.first))
        begin = part.stop
        several = one.tiles > 1  # the place of a tile is not that of the mosaic
        time[part][one.part > 0] = np.nan
        facts.append(
            PlaneFacts(
                one.z,
                one.c,
                one.t,
                time[part] if along is None else _filled(time[part], along[one.t % len(along)]),
                found["exposure_time"][part],
                np.where(several, np.nan, found["stage_x"][part]),
                np.where(several, np.nan, found["stage_y"][part]),
                np.where(one.part > 0, np.nan, found["focus_z"][part]),
            )
        )
    return facts


def _filled(told: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fill gaps with times that may be counted from another moment, where both tell of a plane."""
    both = np.flatnonzero(np.isfinite(told) & np.isfinite(known))
    offset = told[both[0]] - known[both[0]] if len(both) else 0.0
    return np.where(np.isnan(told), known + offset, told)
