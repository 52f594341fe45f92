"""The size of a pixel, and the positions of planes along T and Z."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from czictypes.metadata.fields import NodeSource, root_node

_SKEW = re.compile(r"Skew(\d{1,2})", re.ASCII)


class Scaling(NamedTuple):
    """The size of a pixel along each axis in metres; None if unknown."""

    x: float | None = None
    y: float | None = None
    z: float | None = None


@dataclass
class ScalingInfoDto:
    """The size of a pixel in metres, with the names that pylibCZIrw uses.

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

    It is in ``Metadata/Scaling/Items/Distance[Id="X"]/Value``. A value of 0 or below counts as
    unknown, because pylibCZIrw writes 0 without a scale. So does ``Items/Pixel``, with which ZEN
    marks an axis without a physical scale.
    """
    items = root_node(source).child("Metadata/Scaling/Items")
    found: dict[str, float | None] = {}
    for distance in items.children("Distance"):
        axis = distance.attribute("Id")
        if axis in ("X", "Y", "Z") and axis not in found:
            value = distance.number("Value")
            found[axis] = value if value is not None and value > 0 else None
    return Scaling(found.get("X"), found.get("Y"), found.get("Z"))


@dataclass(frozen=True)
class Axis:
    """The positions along T (in seconds) or Z (in micrometres); None for unknown ones.

    Parameters
    ----------
    start, increment
        The first position and the distance between neighbours, for evenly spaced planes.
    offsets
        The position of each plane, if they are not evenly spaced, relative to `start_time` or
        `start_position`.
    attachment
        The name of the attachment that has the positions instead, such as ``TimeStamps``.
    start_time
        The time at which T begins.
    start_position
        The position at which Z begins, in micrometres.
    """

    start: float | None = None
    increment: float | None = None
    offsets: tuple[float, ...] | None = None
    attachment: str | None = None
    start_time: datetime | None = None
    start_position: float | None = None

    def step(self) -> float | None:
        """Return the distance between neighbouring planes; for a list, the mean distance."""
        if self.increment is not None:
            return self.increment
        if self.offsets and len(self.offsets) > 1:
            return (self.offsets[-1] - self.offsets[0]) / (len(self.offsets) - 1)
        return None


@dataclass(frozen=True)
class Skew:
    """The shift of the planes of a lattice light-sheet stack along Y.

    Parameters
    ----------
    shear
        ZEN's name: ``Skew60``, or ``None`` (the text) for an upright stack, such as a deskewed one.
    angle
        The angle between the light sheet and the normal of the cover glass in degrees: 60.0 for
        ``Skew60``, so the sheet is tilted by 30 degrees from the glass; 0.0 for an upright stack;
        None for an unknown name.
    factor
        The step of the stage over the size of a pixel, as it was before a stack was deskewed. In a
        skewed stack it is the size of a pixel along Z over that along Y.
    handedness, z_direction
        ``LeftHanded`` or ``RightHanded``; ``FromObjectiveToSpecimen`` or the other way.
    """

    shear: str
    angle: float | None = None
    factor: float | None = None
    handedness: str | None = None
    z_direction: str | None = None

    @property
    def is_skewed(self) -> bool:
        """True for a stack that is still to be deskewed."""
        return self.angle != 0.0


def skew(source: NodeSource) -> Skew | None:
    """Return the skew of the stack; None if the metadata have none."""
    node = root_node(source).child("Metadata/Information/Image/Dimensions/Z")
    shear = node.text("ZAxisShear")
    if shear is None:
        return None
    match = _SKEW.fullmatch(shear)
    if match is None and shear != "None":
        node.warn(f"{node.path}/ZAxisShear is {shear!r}, whose angle is unknown")
    return Skew(
        shear,
        float(match.group(1)) if match else 0.0 if shear == "None" else None,
        node.number("CustomAttributes/zscale"),
        node.text("XYZHandedness"),
        node.text("ZAxisDirection"),
    )


def axis(source: NodeSource, letter: str) -> Axis | None:
    """Return the positions along ``"T"`` or ``"Z"``; None if the metadata has none."""
    if letter not in ("T", "Z"):
        raise ValueError(f"{letter!r} has no positions in the metadata; ask for 'T' or 'Z'")
    node = root_node(source).child(f"Metadata/Information/Image/Dimensions/{letter}")
    if node.element is None:
        return None
    offsets = node.numbers("Positions/List/Offsets")
    return Axis(
        start=node.number("Positions/Interval/Start"),
        increment=node.number("Positions/Interval/Increment"),
        offsets=None if offsets is None else tuple(offsets),
        attachment=node.text("Positions/BinaryList/AttachmentName"),
        start_time=node.moment("StartTime"),
        start_position=node.number("StartPosition"),
    )
