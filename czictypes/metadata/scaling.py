"""The size of a pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from czictypes.metadata.fields import Node, NodeSource, root_node

__all__ = ["Scaling", "ScalingInfoDto", "scaling"]


class Scaling(NamedTuple):
    """The extent of a pixel along each axis in metres; None where the file does not tell."""

    x: float | None = None
    y: float | None = None
    z: float | None = None


@dataclass
class ScalingInfoDto:
    """The extent of a pixel in metres, by the names that pylibCZIrw uses.

    Parameters
    ----------
    scale_x, scale_y, scale_z
        None means unknown when read, and "leave it as it is" when edited.
    """

    scale_x: float | None = None
    scale_y: float | None = None
    scale_z: float | None = None


def scaling(source: NodeSource) -> Scaling:
    """Return the pixel size in metres.

    It stands in ``Metadata/Scaling/Items/Distance[Id="X"]/Value``. A value of 0 or below says
    nothing and counts as unknown (pylibCZIrw writes 0 when it is given no scale), and so does
    ``Items/Pixel``, by which ZEN marks an axis without a physical scale.
    """
    items = root_node(source).child("Metadata/Scaling/Items")
    found: dict[str, float | None] = {}
    for distance in items.children("Distance"):
        axis = distance.attribute("Id")
        if axis in ("X", "Y", "Z") and axis not in found:
            found[axis] = _positive(distance)
    return Scaling(found.get("X"), found.get("Y"), found.get("Z"))


def _positive(distance: Node) -> float | None:
    value = distance.number("Value")
    return value if value is not None and value > 0 else None
