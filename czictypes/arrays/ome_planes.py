"""The planes of the scenes of a document, and the metadata of the first tile of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.metadata.ome_facts import PlaneFacts
from czictypes.model.geometry import ABSENT
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
_MOST_PLACES = 1_000_000
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

    A tile that lacks a dimension counts for each place in it, behind those that are there.
    """
    rows = rows[table.is_layer0[rows]]
    places, lacks = np.zeros((0, len(rows)), np.int64), np.zeros(len(rows), np.int64)
    for name, values in ranges.items():
        column = table.directory.coordinates.get(name)
        at = np.zeros(len(rows), np.int64)
        if column is not None:
            there = column[rows] != ABSENT
            which, steps = _repeated(there, len(values))
            at = np.where(there, column[rows].astype(np.int64) - values.start, 0)[which] + steps
            rows, places = rows[which], places[:, which]
            lacks = lacks[which] + ~there[which]
        places = np.vstack([places, at])
    sizes = np.array([len(values) for values in ranges.values()])
    inside = ((places >= 0) & (places < sizes[:, np.newaxis])).all(axis=0)
    rows, places, lacks = rows[inside], places[:, inside], lacks[inside]
    by_name = dict(zip(ranges, places))
    along_t = np.zeros(len(rows), np.int64)
    for name in (name for name in ranges if name not in "ZC"):
        along_t = along_t * len(ranges[name]) + by_name[name]
    z_count, c_count, _ = sizes_along(ranges)
    keys = (along_t * c_count + by_name["C"]) * z_count + by_name["Z"]
    order = np.lexsort((lacks, keys))
    rows, keys = rows[order], keys[order]
    keys, first, tiles = np.unique(keys, return_index=True, return_counts=True)
    rest, z = np.divmod(keys, z_count)
    t, c = np.divmod(rest, c_count)
    rows = rows[first]
    return ScenePlanes(z, c, t, table.rows.sub_blocks(rows), tiles, table.rows.parts(rows))


def _repeated(there: NDArray[np.bool_], size: int) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Return tiles again for each of `size` places where they are not there, and these places."""
    counts = np.where(there, 1, size)
    if counts.sum() > _MOST_PLACES + len(there):  # as one damaged number makes it
        counts = np.ones(len(there), np.int64)
    which = np.repeat(np.arange(len(there)), counts)
    return which, np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)


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
