"""The sizes and pixel types written so far, for the metadata."""

from __future__ import annotations

from collections.abc import Mapping

from czictypes.metadata.content import ImageSummary
from czictypes.model.geometry import Rectangle
from czictypes.model.pixel_types import PixelType

__all__ = ["WrittenSummary"]


class WrittenSummary:
    """Collects the bounds of all that is written, in space and in every dimension."""

    def __init__(self) -> None:
        self._box: tuple[int, int, int, int] | None = None
        self._ranges: dict[str, tuple[int, int]] = {}
        self._m_range: tuple[int, int] | None = None
        self._channels: dict[int, int] = {}
        self._pixel_type: int | None = None

    def add(
        self,
        coordinate: Mapping[str, int],
        rectangle: Rectangle,
        pixel_type: PixelType,
        m_range: tuple[int, int] | None,
    ) -> None:
        """Note sub-blocks that cover a rectangle, with the smallest and largest M-index."""
        x, y, width, height = rectangle
        box = (x, y, x + width, y + height)
        old = self._box or box
        self._box = (
            min(old[0], box[0]),
            min(old[1], box[1]),
            max(old[2], box[2]),
            max(old[3], box[3]),
        )
        ranges = self._ranges
        for letter, value in coordinate.items():
            known = ranges.get(letter)
            if known is None or not known[0] <= value <= known[1]:
                ranges[letter] = _widened(known, value, value)
        if m_range is not None:
            self._m_range = _widened(self._m_range, *m_range)
        if self._pixel_type is None:
            self._pixel_type = int(pixel_type)
        if "C" in coordinate:
            self._channels.setdefault(coordinate["C"], int(pixel_type))

    @property
    def bounding_box(self) -> Rectangle | None:
        """The rectangle around everything; None for nothing."""
        if self._box is None:
            return None
        left, top, right, bottom = self._box
        return Rectangle(left, top, right - left, bottom - top)

    def image(self) -> ImageSummary:
        """Return it in the form the metadata take."""
        box = self.bounding_box or Rectangle(0, 0, 0, 0)
        smallest_m, largest_m = self._m_range or (0, -1)
        return ImageSummary(
            width=box.w,
            height=box.h,
            sizes={letter: last - first + 1 for letter, (first, last) in self._ranges.items()},
            size_m=None if self._m_range is None else largest_m - smallest_m + 1,
            channel_start=self._ranges.get("C", (0, 0))[0],
            pixel_types=dict(self._channels),
            pixel_type=self._pixel_type,
        )


def _widened(old: tuple[int, int] | None, first: int, last: int) -> tuple[int, int]:
    return (first, last) if old is None else (min(old[0], first), max(old[1], last))
