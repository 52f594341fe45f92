"""Rectangles and coordinates in a document, and the units of length and time.

Rectangles count pixels of libCZI's raw-sub-block coordinate system. X, Y and M (the index of a tile
within its plane) are not among the dimensions of a coordinate.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

from czictypes.model.errors import InvalidArgumentError

Coordinate = Mapping[str, int]

T = TypeVar("T")


class Rectangle(NamedTuple):
    """An axis-aligned rectangle in pixels; `x` grows to the right, `y` downwards."""

    x: int
    y: int
    w: int
    h: int

    @property
    def is_empty(self) -> bool:
        """Whether the rectangle covers no pixel."""
        return self.w <= 0 or self.h <= 0

    def intersect(self, other: Rectangle) -> Rectangle:
        """Return the common area; its width or height is 0 if there is none."""
        left, top = max(self.x, other.x), max(self.y, other.y)
        right = min(self.x + self.w, other.x + other.w)
        bottom = min(self.y + self.h, other.y + other.h)
        return Rectangle(left, top, max(right - left, 0), max(bottom - top, 0))

    @property
    def center(self) -> tuple[float, float]:
        """The middle (x, y)."""
        return self.x + self.w / 2, self.y + self.h / 2

    def intersection(self, other: Rectangle) -> Rectangle:
        """Return what lies in both; its sizes are not above 0 where nothing does."""
        left, top = max(self.x, other.x), max(self.y, other.y)
        right = min(self.x + self.w, other.x + other.w)
        bottom = min(self.y + self.h, other.y + other.h)
        return Rectangle(left, top, right - left, bottom - top)

    def union(self, other: Rectangle) -> Rectangle:
        """Return the smallest rectangle that contains both."""
        x, y, w, h = self
        left, top, width, height = other
        right, bottom = max(x + w, left + width), max(y + h, top + height)
        left, top = min(x, left), min(y, top)
        return Rectangle(left, top, right - left, bottom - top)


class Location(NamedTuple):
    """The position of a top-left pixel."""

    x: int
    y: int


class Size(NamedTuple):
    """An extent in pixels."""

    w: int
    h: int


class Color(NamedTuple):
    """A colour with components from 0 to 1, in the memory order of CZI pixels (blue first)."""

    b: float
    g: float
    r: float


#: The dimensions of sub-block coordinates, by libCZI's index (Z is 1, B is 9).
DIMENSION_INDEX: dict[str, int] = {
    letter: position for position, letter in enumerate("ZCTRSIHVB", start=1)
}

#: The same letters in the order of their indices.
DIMENSIONS: tuple[str, ...] = tuple(DIMENSION_INDEX)

#: The dimensions that name a plane; scenes (S) are tags on sub-blocks instead.
PLANE_DIMENSIONS: tuple[str, ...] = tuple(letter for letter in DIMENSIONS if letter != "S")

#: The value of a coordinate or an M-index that a sub-block does not have: the smallest int32.
ABSENT = -(2**31)

#: The value that libCZI writes for a missing M-index: the largest int32.
NO_M = 2**31 - 1

_COORDINATE = re.compile(r"(\s*([A-Za-z]\s*-?\d+\s*)+)?")
_PART = re.compile(r"([A-Za-z])\s*(-?\d+)")


def whole_number(value: Any, name: str = "this") -> int:
    """Return a whole number of any type; raise a TypeError that names the argument otherwise.

    A bool is refused, although Python counts with it: the caller means a mask or a switch.
    """
    is_bool = isinstance(value, bool) or getattr(value, "dtype", "") == "bool"
    try:
        if not is_bool:
            return operator.index(value)
    except TypeError:
        pass
    raise TypeError(f"{name} must be a whole number, not {value!r}")


def checked_plane(
    plane: Mapping[str, T] | None,
    name: str = "plane",
    values: str = "numbers, such as {'C': 0, 'Z': 4}",
) -> Mapping[str, T]:
    """Check that a caller's plane is a mapping and return it; return an empty one for None."""
    if plane is None:
        return {}
    if not isinstance(plane, Mapping):
        raise TypeError(f"{name} must be a mapping of dimensions to {values}; not {plane!r}")
    return plane


def parse_coordinate(text: str | Coordinate) -> dict[str, int]:
    """Turn ``"C0Z5T2"`` (or a mapping) into ``{"C": 0, "Z": 5, "T": 2}``."""
    coordinate: dict[str, int] = {}
    for letter, value in text.items() if isinstance(text, Mapping) else _split(text):
        if letter not in DIMENSION_INDEX:
            allowed = ", ".join(DIMENSIONS)
            raise InvalidArgumentError(
                f"{letter!r} is not a dimension of a CZI; use one of {allowed}"
            )
        if letter in coordinate:
            raise InvalidArgumentError(f"dimension {letter} is given twice in {text!r}")
        try:
            coordinate[letter] = whole_number(value)
        except TypeError:
            raise InvalidArgumentError(
                f"the position in {letter} must be a whole number, not {value!r}"
            ) from None
    return coordinate


def _split(text: str) -> list[tuple[str, int]]:
    if not isinstance(text, str) or not _COORDINATE.fullmatch(text):
        raise InvalidArgumentError(f"{text!r} is not a coordinate such as 'C0Z5T2'")
    return [(letter.upper(), int(number)) for letter, number in _PART.findall(text)]


def format_coordinate(coordinate: Coordinate) -> str:
    """Return the text form, ``"C0Z5"``, dimensions in the order given."""
    return "".join(f"{letter}{value}" for letter, value in coordinate.items())


def metres_of(unit: str, *, any_case: bool = False) -> float | None:
    """Return the length of a unit in metres, or None for an unknown one.

    A unit is a symbol of the OME model (``UnitsLength``), a word of OME-Zarr, or a common name.
    With `any_case`, ``UM`` is a micrometre and ``Mm`` a millimetre, not a megametre.
    """
    return _size_of(_LENGTHS, unit, any_case=any_case)


def seconds_of(unit: str, *, any_case: bool = False) -> float | None:
    """Return the length of a unit of time in seconds, as `metres_of` does for lengths."""
    return _size_of(_TIMES, unit, any_case=any_case)


def _size_of(table: Mapping[str, float], unit: str, *, any_case: bool) -> float | None:
    lower = table.get(unit.lower()) if any_case else None
    return table.get(unit) if lower is None else lower


def _prefixed(symbol: str, *words: str) -> dict[str, float]:
    """Return the size of a unit with each prefix, by its symbols and words."""
    return {
        prefix + unit: size
        for short, long, size in _PREFIXES
        for prefix, units in ((short, (symbol,)), (long, words))
        for unit in units
    }


#: Symbol, word, size.
_PREFIXES = (
    *(("Y", "yotta", 1e24), ("Z", "zetta", 1e21), ("E", "exa", 1e18), ("P", "peta", 1e15)),
    *(("T", "tera", 1e12), ("G", "giga", 1e9), ("M", "mega", 1e6), ("k", "kilo", 1e3)),
    *(("h", "hecto", 1e2), ("da", "deca", 1e1), ("", "", 1.0), ("d", "deci", 1e-1)),
    *(("c", "centi", 1e-2), ("m", "milli", 1e-3), ("n", "nano", 1e-9), ("p", "pico", 1e-12)),
    *(("f", "femto", 1e-15), ("a", "atto", 1e-18), ("z", "zepto", 1e-21), ("y", "yocto", 1e-24)),
    *(("\u00b5", "micro", 1e-6), ("\u03bc", "micro", 1e-6), ("u", "micro", 1e-6)),
)
_LENGTHS = {
    **_prefixed("m", "meter", "meters", "metre", "metres"),
    **dict.fromkeys(("micron", "microns"), 1e-6),
    **dict.fromkeys(("\u00c5", "angstrom"), 1e-10),
    **dict.fromkeys(("in", "inch"), 0.0254),
    **{"foot": 0.3048, "yard": 0.9144, "mile": 1609.344, "parsec": 3.0856775814913673e16},
}
_TIMES = {
    **_prefixed("s", "second", "seconds"),
    "sec": 1.0,
    **dict.fromkeys(("min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
}
