"""How a pyramid is built."""

from __future__ import annotations

import operator
from dataclasses import dataclass

from czictypes.writing.compression import parse_compression

__all__ = ["PyramidOptions"]

_FILTERS = ("mean", "nearest")


@dataclass(frozen=True)
class PyramidOptions:
    """How the reduced copies of an image are made.

    Parameters
    ----------
    factor
        By how much each level is smaller than the one below, 2 to 16; ZEISS software uses 2 or 3.
    tile
        Width and height of the tiles of a level, in pixels of their own, 16 to 8192.
    until
        Levels are added until width and height of the image are at most this.
    filter
        ``"mean"`` averages, ``"nearest"`` picks one pixel of each block, for labels and classes.
    compression
        How the tiles are compressed, as for `create_czi`; by default as the full resolution is.

    Raises
    ------
    ValueError
        For anything else.
    """

    factor: int = 2
    tile: int = 1024
    until: int = 1024
    filter: str = "mean"
    compression: str | None = None

    def __post_init__(self) -> None:
        _check("factor", self.factor, 2, 16)
        _check("tile", self.tile, 16, 8192)
        _check("until", self.until, 1, 2**31 - 1)
        if self.filter not in _FILTERS:
            raise ValueError(f"the filter of a pyramid is 'mean' or 'nearest', not {self.filter!r}")
        if self.compression is not None:
            parse_compression(self.compression)

    @property
    def tile_size(self) -> int:
        """The side of a tile: `tile`, or the largest multiple of the factor below it."""
        return self.tile // self.factor * self.factor


def _check(name: str, value: int, least: int, most: int) -> None:
    try:
        fits = least <= operator.index(value) <= most
    except TypeError:
        fits = False
    if not fits:
        raise ValueError(f"{name} of a pyramid is a whole number {least} to {most}, not {value!r}")
