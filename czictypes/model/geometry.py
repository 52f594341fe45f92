"""Rectangles and positions in pixels, in libCZI's raw-sub-block coordinate system."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Color", "Location", "Rectangle", "Size"]


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
        """Return the common area; its width and height are 0 where there is none."""
        left, top = max(self.x, other.x), max(self.y, other.y)
        right = min(self.x + self.w, other.x + other.w)
        bottom = min(self.y + self.h, other.y + other.h)
        return Rectangle(left, top, max(right - left, 0), max(bottom - top, 0))

    def union(self, other: Rectangle) -> Rectangle:
        """Return the smallest rectangle that holds both."""
        left, top = min(self.x, other.x), min(self.y, other.y)
        right = max(self.x + self.w, other.x + other.w)
        bottom = max(self.y + self.h, other.y + other.h)
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
