"""Write the size of a pixel: ``Scaling/Items/Distance``."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

from czictypes.metadata.elements import ensure, find_by_id, put
from czictypes.metadata.scaling import Scaling

__all__ = ["check_scaling", "set_scaling"]


def check_scaling(scaling: Scaling) -> Scaling:
    """Return the scaling with NaN as None.

    Raises
    ------
    ValueError
        A size that is not above 0, or infinite.
    """
    return Scaling(*(_check(axis, value) for axis, value in zip("XYZ", scaling)))


def _check(axis: str, value: float | None) -> float | None:
    if value is None or math.isnan(value):
        return None
    if not 0 < value < math.inf:
        raise ValueError(
            f"the scale of {axis} is {value}, but a pixel's size is a positive number of metres; "
            "leave it out where it is unknown"
        )
    return float(value)


def set_scaling(root: ET.Element, scaling: Scaling) -> None:
    """Set the sizes that are given, in metres; the others stay as they are.

    ``Items/Pixel``, by which ZEN marks an axis without a physical scale, gives way to the
    ``Items/Distance`` of that axis. What else a ``Distance`` holds is kept.

    Raises
    ------
    ValueError
        As for `check_scaling`; the tree is not changed.
    """
    scaling = check_scaling(scaling)
    for axis, value in zip("XYZ", scaling):
        if value is not None:
            items = ensure(root, "Metadata/Scaling/Items")
            distance = find_by_id(items, "Distance", axis)
            if distance is None:
                distance = _add_distance(items, axis)
            put(distance, "Value", value)


def _add_distance(items: ET.Element, axis: str) -> ET.Element:
    pixel = find_by_id(items, "Pixel", axis)
    if pixel is not None:
        items.remove(pixel)
    distance = ET.SubElement(items, "Distance", {"Id": axis})
    put(distance, "Value", "")  # before the unit, as in ZEN's files
    put(distance, "DefaultUnitFormat", "\u00b5m")
    return distance
