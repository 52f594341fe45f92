"""Which scenes lie in which well."""

from __future__ import annotations

from collections.abc import Mapping

from czictypes.metadata.scenes import SceneInfo, Well

__all__ = ["field_numbers", "well_key"]


def well_key(well: Well) -> tuple[object, ...]:
    """Return what is equal for scenes of one well: its place on the plate, else its name."""
    if well.row is not None and well.column is not None:
        return well.row, well.column
    return (well.name,)


def field_numbers(scenes: Mapping[int, SceneInfo]) -> dict[int, int]:
    """Return the number of each scene among those of its well, from 0 on, by scene number."""
    counts: dict[tuple[object, ...], int] = {}
    fields = {}
    for number, scene in sorted(scenes.items()):
        if scene.well is not None:
            key = well_key(scene.well)
            fields[number] = counts.get(key, 0)
            counts[key] = fields[number] + 1
    return fields
