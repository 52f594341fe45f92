"""The options of a pyramid."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Union

from czictypes.writing.compression import parse_compression

__all__ = ["PyramidChoice", "PyramidOptions", "resolve_pyramid"]

_FILTERS = ("mean", "nearest")

#: What callers may give: True for the default options, False or None for no pyramid.
PyramidChoice = Union[bool, "PyramidOptions", None]


@dataclass(frozen=True)
class PyramidOptions:
    """The levels of a pyramid.

    Parameters
    ----------
    factor
        How much smaller than the level before each level is, along both axes; 2 to 256. ZEISS
        software writes 2 or 3.
    tile
        The sides of a level's tiles in pixels, up to 8192; rounded down to a multiple of
        `factor`, and at least `factor`. A tile begins with one row and column more, those where
        its neighbours end: no gap shows between them at any zoom.
    until
        Levels are made until the longer side of one has at most so many pixels.
    filter
        ``"mean"`` averages the pixels that make one (whole numbers are rounded, halves up);
        ``"nearest"`` takes the top left one of them, for labels and masks.
    compression
        How the tiles are compressed, as in `create_czi`; by default as the full resolution of
        their plane is. Where JPEG XR cannot hold the pixels without loss, or is not installed,
        zstd1 is used.

    Raises
    ------
    ValueError
        For values out of range.
    """

    factor: int = 2
    tile: int = 1024
    until: int = 1024
    filter: str = "mean"
    compression: str | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        _check_number("factor", self.factor, 2, 256)
        _check_number("tile", self.tile, 1, 8192)
        _check_number("until", self.until, 1, 2**31 - 1)
        if self.filter not in _FILTERS:
            raise ValueError(f'the filter is "mean" or "nearest", not {self.filter!r}')
        if self.compression is not None:
            parse_compression(self.compression)

    @property
    def tile_size(self) -> int:
        """The side of a tile in pixels: a multiple of `factor`."""
        return max(self.tile // self.factor, 1) * self.factor


def resolve_pyramid(choice: PyramidChoice) -> PyramidOptions | None:
    """Return the options that a caller's choice stands for, or None for no pyramid.

    Raises
    ------
    ValueError
        If it is neither a truth value nor options.
    """
    if choice is None or choice is False:
        return None
    if choice is True:
        return PyramidOptions()
    if not isinstance(choice, PyramidOptions):
        raise ValueError(f"pyramid is True, False or PyramidOptions(...), not {choice!r}")
    return choice


def _check_number(name: str, value: object, least: int, most: int) -> None:
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise ValueError(f"{name} must be a whole number, not {value!r}") from None
    if not least <= number <= most:
        raise ValueError(f"{name} must be from {least} to {most}, not {number}")
