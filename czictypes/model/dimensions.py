"""The dimensions of a CZI document and coordinates in them.

The numbers are libCZI's dimension indices; X, Y and M are no plane dimensions and are
handled apart (position, and the index of a tile within its plane).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from operator import index as as_integer
from typing import TypeVar

from czictypes.model.errors import InvalidArgumentError

__all__ = [
    "ABSENT",
    "DIMENSIONS",
    "DIMENSION_INDEX",
    "PLANE_DIMENSIONS",
    "Coordinate",
    "checked_plane",
    "format_coordinate",
    "parse_coordinate",
]

#: Every dimension a sub-block coordinate may have, by libCZI's index (Z is 1, B is 9).
DIMENSION_INDEX: dict[str, int] = {
    letter: position for position, letter in enumerate("ZCTRSIHVB", start=1)
}

#: The same letters in order of their index.
DIMENSIONS: tuple[str, ...] = tuple(DIMENSION_INDEX)

#: The dimensions that name a plane; scenes (S) are tags on sub-blocks instead.
PLANE_DIMENSIONS: tuple[str, ...] = tuple(letter for letter in DIMENSIONS if letter != "S")

#: Marks a coordinate (or an M-index) that a sub-block does not have: the smallest int32.
ABSENT = -(2**31)

Coordinate = Mapping[str, int]

T = TypeVar("T")

_PART = re.compile(r"\s*([A-Za-z])\s*(-?\d+)\s*")


def checked_plane(plane: Mapping[str, T] | None, name: str = "plane") -> Mapping[str, T]:
    """Return a plane that a caller gave, None being no dimension at all.

    Raises
    ------
    TypeError
        If it is no mapping.
    """
    if plane is None:
        return {}
    if not isinstance(plane, Mapping):
        raise TypeError(
            f"{name} must be a mapping of dimensions to numbers, such as {{'C': 0, 'Z': 4}}; not "
            f"{plane!r}"
        )
    return plane


def parse_coordinate(text: str | Coordinate) -> dict[str, int]:
    """Turn ``"C0Z5T2"`` (or a mapping) into ``{"C": 0, "Z": 5, "T": 2}``.

    Raises
    ------
    InvalidArgumentError
        For a letter that is no dimension, one given twice, a position that is no whole number,
        or text of another form.
    """
    pairs = list(text.items()) if isinstance(text, Mapping) else _split(text)
    coordinate: dict[str, int] = {}
    for letter, value in pairs:
        if letter not in DIMENSION_INDEX:
            allowed = ", ".join(DIMENSIONS)
            raise InvalidArgumentError(
                f"{letter!r} is not a dimension of a CZI; use one of {allowed}"
            )
        if letter in coordinate:
            raise InvalidArgumentError(f"dimension {letter} is given twice in {text!r}")
        coordinate[letter] = _whole(letter, value)
    return coordinate


def _whole(letter: str, value: int) -> int:
    try:
        return as_integer(value)
    except TypeError:
        raise InvalidArgumentError(
            f"the position in {letter} must be a whole number, not {value!r}"
        ) from None


def _split(text: str) -> list[tuple[str, int]]:
    if not isinstance(text, str):
        raise InvalidArgumentError(f"{text!r} is not a coordinate such as 'C0Z5T2'")
    pairs: list[tuple[str, int]] = []
    position = 0
    while position < len(text):
        match = _PART.match(text, position)
        if match is None:
            raise InvalidArgumentError(f"{text!r} is not a coordinate such as 'C0Z5T2'")
        pairs.append((match.group(1).upper(), int(match.group(2))))
        position = match.end()
    return pairs


def format_coordinate(coordinate: Coordinate) -> str:
    """Return the text form, ``"C0Z5"``, dimensions in the order given."""
    return "".join(f"{letter}{value}" for letter, value in coordinate.items())
