"""The resolution levels of an image."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Level"]


@dataclass(frozen=True)
class Level:
    """One resolution level.

    Attributes
    ----------
    index
        0 is full resolution.
    factor
        How many pixels of full resolution a pixel stands for, along each axis.
    width, height
        The size of the plane in pixels of this level.
    zoom
        The inverse of `factor`.
    stored
        Whether the file has pixels of this level.
    """

    index: int
    factor: float
    width: int
    height: int
    zoom: float
    stored: bool = True
