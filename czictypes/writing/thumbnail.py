"""A small picture of what is written, gathered as it goes by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from czictypes.model.geometry import Location, Rectangle
from czictypes.reading.pictures import dark_and_bright, real_values, stretch
from czictypes.writing.assembly import Assembly
from czictypes.writing.picture import encode_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FirstPlane", "Thumbnail"]

_SIDE = 512  # pixels, at most


class Thumbnail:
    """Every n-th pixel of what is added, n growing with the area, so that the picture is small.

    Parts may be added in any order and lie anywhere.
    """

    def __init__(self) -> None:
        self._step = 1
        self._box: Rectangle | None = None
        self._x = self._y = 0  # where the canvas begins, multiples of the step
        self._canvas: NDArray[Any] = np.zeros((0, 0, 1), np.uint8)

    def add(self, x: int, y: int, pixels: NDArray[Any]) -> None:
        """Add pixels (h, w, samples) whose top-left one lies at (x, y); all of one type."""
        height, width = pixels.shape[:2]
        self._make_room(Rectangle(x, y, width, height), pixels)
        step = self._step
        left, right = -((self._x - x) // step), -((self._x - x - width) // step)
        top, bottom = -((self._y - y) // step), -((self._y - y - height) // step)
        first_x, first_y = self._x + left * step - x, self._y + top * step - y
        self._canvas[top:bottom, left:right] = pixels[first_y::step, first_x::step]

    def picture(self) -> NDArray[np.uint8] | None:
        """Return the picture: (h, w, 1) or (h, w, 3) in the order red, green, blue; or None.

        The darkest and the brightest pixels of a gray or a 16-bit picture become black and white.
        """
        if self._box is None:
            return None
        right = -((self._x - self._box.x - self._box.w) // self._step)
        bottom = -((self._y - self._box.y - self._box.h) // self._step)
        pixels = self._canvas[: max(bottom, 1), : max(right, 1), ::-1]
        if pixels.dtype == np.uint8 and pixels.shape[2] == 3:
            return np.ascontiguousarray(pixels)
        values = real_values(pixels)
        dark, bright = dark_and_bright(values)
        if not bright > dark:
            dark, bright = 0.0, float(values.max(where=np.isfinite(values), initial=1.0))
        return stretch(values, (dark, bright))

    def _make_room(self, new: Rectangle, pixels: NDArray[Any]) -> None:
        """Move and coarsen the canvas so that it holds the new rectangle, too."""
        old = self._box or new
        left, top = min(old.x, new.x), min(old.y, new.y)
        right, bottom = max(old.x + old.w, new.x + new.w), max(old.y + old.h, new.y + new.h)
        if (left, top, right - left, bottom - top) == self._box:
            return
        step = self._step
        while max(right - left // step * step, bottom - top // step * step) > _SIDE * step:
            step *= 2
        x, y = left // step * step, top // step * step
        if self._box is None:
            self._canvas = np.zeros((_SIDE, _SIDE, pixels.shape[2]), pixels.dtype)
        elif (step, x, y) != (self._step, self._x, self._y):
            self._canvas = self._moved(step, x, y)
        self._step, self._x, self._y = step, x, y
        self._box = Rectangle(left, top, right - left, bottom - top)

    def _moved(self, step: int, x: int, y: int) -> NDArray[Any]:
        """Return a canvas that begins further left or above, or has larger steps."""
        ratio = step // self._step
        canvas = np.zeros_like(self._canvas)
        # the first pixels of the old canvas that the new one has as well
        column, row = -((x - self._x) // step), -((y - self._y) // step)
        first_x = (x + column * step - self._x) // self._step
        first_y = (y + row * step - self._y) // self._step
        kept = self._canvas[first_y::ratio, first_x::ratio][: _SIDE - row, : _SIDE - column]
        canvas[row : row + kept.shape[0], column : column + kept.shape[1]] = kept
        return canvas


class FirstPlane:
    """The thumbnail of the plane that is written to first, all its scenes together."""

    def __init__(self) -> None:
        self._plane: dict[str, int] | None = None
        self._coordinate: Mapping[str, int] | None = None  # the last one that was of that plane
        self._type: tuple[Any, int] | None = None
        self._thumbnail = Thumbnail()

    def add(self, coordinate: Mapping[str, int], location: Location, pixels: NDArray[Any]) -> None:
        """Take pixels (h, w, samples) into account if they belong to that plane."""
        kind = pixels.dtype, pixels.shape[2]
        if coordinate is not self._coordinate:
            plane = {letter: value for letter, value in coordinate.items() if letter != "S"}
            if self._plane is None:
                self._plane, self._type = plane, kind
            if plane != self._plane:
                return
            self._coordinate = coordinate
        if kind == self._type:
            self._thumbnail.add(*location, pixels)

    def attach_to(self, assembly: Assembly) -> None:
        """Add the thumbnail to a file, if any pixels were taken."""
        picture = self._thumbnail.picture()
        if picture is not None:
            kind, data = encode_picture(picture)
            assembly.add_attachment("Thumbnail", kind, data)
