"""The size of a pixel, and the distance of neighbours along every dimension."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from czictypes.arrays.tolerant import told
from czictypes.metadata.axes import Scaling
from czictypes.reading.reader import CziReader

__all__ = ["PhysicalPixelSizes", "Scale", "in_micrometres", "pixel_sizes"]


class PhysicalPixelSizes(NamedTuple):
    """The size of a pixel in micrometres along each axis; None where unknown."""

    Z: float | None
    Y: float | None
    X: float | None


class Scale(NamedTuple):
    """The distance of neighbours: seconds (T), micrometres (Z, Y, X); None where unknown."""

    T: float | None
    C: float | None
    Z: float | None
    Y: float | None
    X: float | None


def pixel_sizes(reader: CziReader, factor: float = 1.0) -> PhysicalPixelSizes:
    """Return the size of a pixel in micrometres; of a level, `factor` times as large in Y and X."""
    return in_micrometres(told(reader, lambda reader: reader.scaling, Scaling()), factor)


def in_micrometres(scaling: Scaling, factor: float = 1.0) -> PhysicalPixelSizes:
    """Return the size of a pixel in micrometres, `factor` times as large in Y and X."""
    z, y, x = map(_micrometres, (scaling.z, scaling.y, scaling.x))
    return PhysicalPixelSizes(z, *(None if size is None else size * factor for size in (y, x)))


def _micrometres(metres: float | None) -> float | None:
    """Return metres as micrometres without the noise of binary fractions: 1.6e-6 is 1.6."""
    return None if metres is None else float(Decimal(repr(metres)).scaleb(6))
