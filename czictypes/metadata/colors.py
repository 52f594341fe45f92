"""Colours as CZI files write them: ``#AARRGGBB``."""

from __future__ import annotations

import re

from czictypes.metadata.fields import Node
from czictypes.model.display import Rgb8Color

__all__ = ["format_color", "parse_color", "read_color"]

_COLOR = re.compile(r"#(?:[0-9A-Fa-f]{2})?([0-9A-Fa-f]{2})([0-9A-Fa-f]{2})([0-9A-Fa-f]{2})")


def parse_color(text: str) -> Rgb8Color:
    """Return the colour in ``#AARRGGBB`` (alpha is ignored, as ZEN does) or ``#RRGGBB``.

    Raises
    ------
    ValueError
        The text is no such colour.
    """
    match = _COLOR.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a colour such as #FF00FF33")
    red, green, blue = (int(part, 16) for part in match.groups())
    return Rgb8Color(red, green, blue)


def format_color(color: Rgb8Color) -> str:
    """Return ``#FFRRGGBB``.

    Raises
    ------
    ValueError
        A component is not within 0..255.
    """
    parts = [int(color.r), int(color.g), int(color.b)]
    if any(not 0 <= part <= 255 for part in parts):
        raise ValueError(f"{color} is not a colour: its components go from 0 to 255")
    return "#FF" + "".join(f"{part:02X}" for part in parts)


def read_color(node: Node, path: str = "Color") -> Rgb8Color | None:
    """Return the colour in a child element; None, with a warning, where it is malformed."""
    text = node.text(path)
    if text is None:
        return None
    try:
        return parse_color(text)
    except ValueError as error:
        node.warn(f"{node.path}/{path}: {error}; it is taken as missing")
        return None
