"""The values of options: what argparse calls to turn text into numbers, rectangles, planes."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Sequence

from czictypes.model.dimensions import PLANE_DIMENSIONS
from czictypes.model.geometry import Rectangle

__all__ = ["add_on_error", "count", "join_negative_values", "plane", "roi", "zoom"]

_COORDINATE = re.compile(r"([A-Za-z])\s*=\s*(-?\d+)")
_NEGATIVE = re.compile(r"-\d")


def join_negative_values(arguments: Sequence[str]) -> list[str]:
    """Turn ``--roi -5,0,9,9``, which argparse takes for two options, into ``--roi=-5,0,9,9``."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] in ("--roi", "--scene") and _NEGATIVE.match(argument):
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def add_on_error(parser: argparse.ArgumentParser) -> None:
    """Declare what becomes of tiles that cannot be read."""
    parser.add_argument(
        "--on-error",
        choices=("raise", "blank"),
        default="raise",
        help="blank: leave out tiles that cannot be read, and warn of each; default: stop",
    )


def count(text: str) -> int:
    """Return a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def roi(text: str) -> Rectangle:
    """Return ``X,Y,W,H`` as a rectangle."""
    try:
        x, y, w, h = (int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not X,Y,W,H, four whole numbers such as 0,0,512,512"
        ) from None
    if w < 1 or h < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is empty: W and H must be at least 1")
    return Rectangle(x, y, w, h)


def plane(text: str) -> dict[str, int]:
    """Return ``C=0,Z=3`` as a coordinate."""
    coordinate: dict[str, int] = {}
    for part in text.split(","):
        match = _COORDINATE.fullmatch(part.strip())
        if match is None:
            raise argparse.ArgumentTypeError(f"{text!r} is not a plane such as C=0,Z=3")
        name = match.group(1).upper()
        if name == "S":
            raise argparse.ArgumentTypeError("a scene is not part of a plane; use --scene")
        if name not in PLANE_DIMENSIONS:
            allowed = ", ".join(PLANE_DIMENSIONS)
            raise argparse.ArgumentTypeError(f"there is no dimension {name}; use {allowed}")
        if name in coordinate:
            raise argparse.ArgumentTypeError(f"{text!r} has {name} twice")
        coordinate[name] = int(match.group(2))
    return coordinate


def zoom(text: str) -> float:
    """Return a number above 0 and up to 1."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0 and up to 1")
    return value
