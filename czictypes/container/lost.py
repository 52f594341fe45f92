"""The parts of a damaged file that cannot be recovered, by plane and tile."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple, overload

from czictypes.container.directory import Directory
from czictypes.model.geometry import ABSENT, NO_M, Rectangle

__all__ = ["BEHIND_END", "DESTROYED", "LostPart", "LostTile", "LostTiles"]

#: Reasons for parts of which no segment was found.
DESTROYED = "its segment is destroyed"
BEHIND_END = "the file ends before it"


class LostTile(NamedTuple):
    """A sub-block that could not be recovered.

    Attributes
    ----------
    plane
        Its plane, ``{"C": 0, "T": 3}``.
    scene, m_index
        None where it has none.
    rectangle
        The area that it covers, in layer-0 pixels.
    is_pyramid
        Whether it is stored in less than full resolution, so that no pixel of the image is lost.
    position
        Where in the file it was, in bytes.
    reason
        The fault.
    """

    plane: dict[str, int]
    scene: int | None
    m_index: int | None
    rectangle: Rectangle
    is_pyramid: bool
    position: int
    reason: str

    def __str__(self) -> str:
        """Name the plane, the tile and the fault."""
        plane = " ".join(f"{letter}={place}" for letter, place in self.plane.items())
        scene = "" if self.scene is None else f"scene {self.scene}"
        tile = "" if self.m_index is None else f"M={self.m_index}"
        level = "pyramid tile" if self.is_pyramid else ""
        x, y, w, h = self.rectangle
        where = f"{w} x {h} at {x}, {y}"
        named = ", ".join(part for part in (plane, scene, tile, level, where) if part)
        return f"{named}: {self.reason}"


class LostTiles(Sequence[LostTile]):
    """Sub-blocks that are lost; each is made when it is asked for, for there may be many.

    Parameters
    ----------
    parts
        Their entries, and the fault of each.
    """

    def __init__(self, *parts: tuple[Directory, Sequence[str]]) -> None:
        self._parts = parts
        self._ends = list(accumulate(tiles.count for tiles, _ in parts))

    @classmethod
    def joined(cls, several: Iterable[LostTiles]) -> LostTiles:
        """Return all of several sequences as one."""
        return cls(*(part for one in several for part in one._parts))

    def __len__(self) -> int:
        """Return how many are lost."""
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, which: int) -> LostTile: ...

    @overload
    def __getitem__(self, which: slice) -> list[LostTile]: ...

    def __getitem__(self, which: int | slice) -> LostTile | list[LostTile]:
        """Return one, or some."""
        numbers = range(len(self))[which]
        if isinstance(numbers, range):
            return [self._made(number) for number in numbers]
        return self._made(numbers)

    def _made(self, number: int) -> LostTile:
        part = bisect_right(self._ends, number)
        tiles, reasons = self._parts[part]
        row = number - (self._ends[part - 1] if part else 0)
        return _lost_tile(tiles, row, reasons[row])


def _lost_tile(tiles: Directory, row: int, reason: str) -> LostTile:
    """Return a row of a directory as a tile that is lost."""
    plane = tiles.coordinate(row)
    scene = plane.pop("S", None)
    m = int(tiles.m[row])
    names = ("x", "y", "w", "h", "physical_w", "physical_h")
    x, y, w, h, stored_w, stored_h = (int(getattr(tiles, name)[row]) for name in names)
    pyramid = stored_w < w and stored_h < h
    position = int(tiles.file_position[row])
    area = Rectangle(x, y, w, h)
    return LostTile(
        plane, scene, None if m in (ABSENT, NO_M) else m, area, pyramid, position, reason
    )


class LostPart(NamedTuple):
    """An attachment that could not be recovered: its name, and the fault."""

    name: str
    reason: str

    def __str__(self) -> str:
        """Name both."""
        return f"{self.name}: {self.reason}"
