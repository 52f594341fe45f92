"""The metadata of the scenes, by their numbers, and the wells that they lie in."""

from __future__ import annotations

from collections.abc import Mapping

from czictypes.arrays.tolerant import told
from czictypes.metadata.scenes import SceneInfo, Well
from czictypes.reading.reader import CziReader

__all__ = ["field_numbers", "scene_infos"]


def scene_infos(reader: CziReader) -> dict[int | None, SceneInfo]:
    """Return what the metadata tell of the scenes by their numbers.

    In a document whose sub-blocks have no S, the scene of None is the one that the metadata list,
    if it is a single one.
    """
    nothing: list[SceneInfo] = []
    listed = told(reader, lambda reader: reader.scenes, nothing)
    if reader.scenes_bounding_rectangle:
        return {scene.index: scene for scene in reversed(listed)}
    return {None: listed[0]} if len(listed) == 1 else {}


def field_numbers(scenes: Mapping[int | None, SceneInfo]) -> dict[int | None, int]:
    """Return the number of each scene among those of its well, from 0 on, by scene number."""
    counts: dict[tuple[object, ...], int] = {}
    fields = {}
    for number, scene in sorted(scenes.items(), key=lambda item: item[1].index):
        if scene.well is not None:
            key = _place(scene.well)
            fields[number] = counts.get(key, 0)
            counts[key] = fields[number] + 1
    return fields


def _place(well: Well) -> tuple[object, ...]:
    """Return what is equal for scenes of one well: its place on the plate, else its name."""
    if well.row is not None and well.column is not None:
        return well.row, well.column
    return (well.name,)
