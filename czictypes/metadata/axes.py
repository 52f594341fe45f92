"""Where the planes lie along time and depth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from czictypes.metadata.fields import NodeSource, root_node

__all__ = ["Axis", "axis"]


@dataclass(frozen=True)
class Axis:
    """The positions along T (in seconds) or Z (in micrometres); None where unknown.

    Parameters
    ----------
    start, increment
        The first position and the distance between neighbours, for evenly spaced planes.
    offsets
        Each plane's position, for others. Relative to `start_time` or `start_position`.
    attachment
        The name of the attachment that has the positions instead, ``TimeStamps``.
    start_time
        When T begins.
    start_position
        Where Z begins, in micrometres.
    """

    start: float | None = None
    increment: float | None = None
    offsets: tuple[float, ...] | None = None
    attachment: str | None = None
    start_time: datetime | None = None
    start_position: float | None = None

    def step(self) -> float | None:
        """Return the distance between neighbouring planes; the mean one for a list."""
        if self.increment is not None:
            return self.increment
        if self.offsets and len(self.offsets) > 1:
            return (self.offsets[-1] - self.offsets[0]) / (len(self.offsets) - 1)
        return None


def axis(source: NodeSource, letter: str) -> Axis | None:
    """Return the positions along ``"T"`` or ``"Z"``; None when the metadata has none.

    Raises
    ------
    ValueError
        For another letter.
    """
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
