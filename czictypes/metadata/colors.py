"""Colours as callers give them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

from czictypes.metadata.fields import parse_color
from czictypes.model.geometry import whole_number
from czictypes.model.options import Rgb8Color

__all__ = ["ColorLike", "as_color"]

#: A name, ``"#RRGGBB"``, or red, green and blue from 0 to 255.
ColorLike = Union[Rgb8Color, str, Sequence[int]]

_NAMES = {
    "red": "#FF0000",
    "green": "#00FF00",
    "blue": "#0000FF",
    "cyan": "#00FFFF",
    "magenta": "#FF00FF",
    "yellow": "#FFFF00",
    "white": "#FFFFFF",
}


def as_color(value: ColorLike) -> Rgb8Color:
    """Return a colour; other values raise a ValueError.

    Parameters
    ----------
    value
        Such as ``"green"``, ``"#00FF00"`` or ``"00FF00"``, three whole numbers from 0 to 255, or an
        `Rgb8Color`.
    """
    if isinstance(value, str):
        return _of_text(value)
    parts = (value.r, value.g, value.b) if isinstance(value, Rgb8Color) else value
    try:
        red, green, blue = (whole_number(part) for part in parts)
    except (TypeError, ValueError):
        raise ValueError(
            f"{value!r} is no colour such as '#00FF33' or (0, 255, 51), whole numbers from 0 to 255"
        ) from None
    if not all(0 <= part <= 255 for part in (red, green, blue)):
        raise ValueError(f"{value!r} is no colour: its components go from 0 to 255")
    return Rgb8Color(red, green, blue)


def _of_text(text: str) -> Rgb8Color:
    code = _NAMES.get(text.strip().lower(), text.strip())
    try:
        return parse_color(code if code.startswith("#") else f"#{code}")
    except ValueError:
        raise ValueError(
            f"{text!r} is not a colour: use #RRGGBB or one of {', '.join(_NAMES)}"
        ) from None
