"""What the metadata tell of the scenes: by their numbers, and which lie in which well."""

from __future__ import annotations

from collections.abc import Mapping

from czictypes.arrays.tolerant import told
from czictypes.metadata.scenes import SceneInfo, Well
from czictypes.reading.reader import CziReader

__all__ = ["field_numbers", "scene_infos"]


def scene_infos(reader: CziReader) -> dict[int, SceneInfo]:
    """Return what the metadata tell of the scenes by their numbers; the first of equal ones."""
    nothing: list[SceneInfo] = []
    listed = told(reader, lambda reader: reader.scenes, nothing)
    return {scene.index: scene for scene in reversed(listed)}


def field_numbers(scenes: Mapping[int, SceneInfo]) -> dict[int, int]:
    """Return the number of each scene among those of its well, from 0 on, by scene number."""
    counts: dict[tuple[object, ...], int] = {}
    fields = {}
    for number, scene in sorted(scenes.items()):
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
