"""The coordinates of an image along each dimension, in real units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.layout import Layout

__all__ = ["AxisCoordinates", "coordinates"]

_UNKNOWN = "pixel"
_MOST = 1 << 22  # longer planes than any microscope makes: a damaged place, not worth the memory


class AxisCoordinates(NamedTuple):
    """The positions along a dimension.

    Attributes
    ----------
    values
        One for each place: numbers, or text.
    unit
        ``um`` or ``s``, ``pixel`` where the size of a pixel is not known, None where numbers are
        mere indices or there are none.
    """

    values: NDArray[Any]
    unit: str | None


def coordinates(
    layout: Layout,
    level: int,
    names: Sequence[str],
    times: NDArray[np.float64] | None,
    pixel: tuple[float | None, float | None, float | None],
) -> dict[str, AxisCoordinates]:
    """Return the coordinates of a level; dimensions of which nothing is known are left out.

    Parameters
    ----------
    layout, level
        The array.
    names
        The names of the channels.
    times
        When each T was, in seconds, or None.
    pixel
        The size of a pixel along Z, Y and X in micrometres, each None where unknown.

    Notes
    -----
    X and Y are 0 at the centre of the first pixel of the full resolution. A pixel of a level lies
    in the middle of those that it stands for: ``scale * ((i + 0.5) * factor - 0.5)``.
    """
    wanted = layout.grid(level)
    z, y, x = pixel
    found = {}
    for name, indices in layout.planes.items():
        if name == "C":
            found[name] = AxisCoordinates(np.array(names, dtype=np.str_), None)
        elif name == "Z":
            found[name] = _even(len(indices), 1.0, z)
        elif name != "T":
            found[name] = AxisCoordinates(np.array(indices), None)
        elif times is not None:
            found[name] = AxisCoordinates(times, "s")
    for name, count, size in (("Y", wanted.height, y), ("X", wanted.width, x)):
        if count <= _MOST:
            found[name] = _even(count, wanted.factor, size)
    if layout.samples:
        found["S"] = AxisCoordinates(np.array(list("RGBA"[: layout.samples])), None)
    return found


def _even(count: int, factor: float, size: float | None) -> AxisCoordinates:
    centers = (np.arange(count) + 0.5) * factor - 0.5
    return AxisCoordinates(centers * (size or 1.0), _UNKNOWN if size is None else "um")
