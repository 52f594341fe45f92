"""Write scenes and wells: ``Information/Image/Dimensions/S/Scenes``."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from czictypes.metadata.elements import ensure, put, put_all
from czictypes.metadata.scenes import SceneInfo, Well, parse_well_name, well_name
from czictypes.metadata.serialize import check_text

__all__ = ["add_scenes"]


def add_scenes(root: ET.Element, scenes: Sequence[SceneInfo]) -> None:
    """Add scenes in the order of their indices.

    Raises
    ------
    ValueError
        Two scenes have one index, a well has no place on a plate, or text has a character that
        XML cannot store.
    """
    seen: set[int] = set()
    for scene in sorted(scenes, key=lambda scene: scene.index):
        if scene.index in seen:
            raise ValueError(f"scene {scene.index} is described twice")
        seen.add(scene.index)
        parent = ensure(root, "Metadata/Information/Image/Dimensions/S/Scenes")
        _fill(ET.SubElement(parent, "Scene", {"Index": str(int(scene.index))}), scene)


def _fill(element: ET.Element, scene: SceneInfo) -> None:
    if scene.name:
        element.set("Name", check_text(scene.name, f"the name of scene {scene.index}"))
    put_all(
        element,
        {
            "RegionId": scene.region_id,
            "CenterPosition": scene.center,
            "ContourSize": scene.size,
            "ContourType": scene.contour,
        },
    )
    if scene.well is not None:
        _add_well(element, scene.well, scene.index)


def _add_well(element: ET.Element, well: Well, index: int) -> None:
    place = parse_well_name(well.name or "")
    if well.row is not None and well.column is not None:
        place = well.row, well.column
    name = well.name or (well_name(*place) if place else "")
    if not name:
        raise ValueError(f"the well of scene {index} has neither a name nor a row and column")
    put(element, "ArrayName", check_text(name, f"the well of scene {index}"))
    shape = ET.SubElement(element, "Shape", {"Name": name})
    if place:
        shape.set("Id", f"{place[0]}-{place[1]}")
        put_all(shape, {"ColumnIndex": place[1], "RowIndex": place[0]})
    put(shape, "CenterPosition", well.center)
