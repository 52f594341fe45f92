"""The dimensions of a copy, compared with those of its source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from czictypes.model.dimensions import ABSENT
from czictypes.model.geometry import Rectangle
from czictypes.reading.table import SubBlockTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Extent", "Layout", "lay_out"]


@dataclass(frozen=True)
class Extent:
    """A dimension (S and M included) before and after.

    Parameters
    ----------
    start, size
        Its first place and its extent in the source.
    places
        The places of the source that the copy has, ascending.
    renumbered
        Whether they are counted from 0 in the copy.
    """

    start: int
    size: int
    places: tuple[int, ...]
    renumbered: bool = False

    @property
    def positions(self) -> Sequence[int]:
        """Which entries of a list with one for each place of the source are still needed.

        They may be many more than the sub-blocks: a range, which takes no memory.
        """
        if self.renumbered:
            return [place - self.start for place in self.places]
        return range(self.places[0] - self.start, self.places[-1] + 1 - self.start)

    @property
    def is_same(self) -> bool:
        """Whether the copy has all places of the source, under the same numbers."""
        return len(self.positions) == self.size and self.new_start == self.start

    @property
    def new_start(self) -> int:
        """The first place in the copy."""
        return 0 if self.renumbered else self.places[0]

    def moved(self, place: int) -> int:
        """Return the place in the copy of a place in the source."""
        return self.places.index(place) if self.renumbered else place


@dataclass(frozen=True)
class Layout:
    """All that the choice of sub-blocks changes in the metadata.

    Parameters
    ----------
    extents
        Every dimension of the copy, S and M included.
    size_before, size_after
        Width and height of the box of layer 0, in pixels.
    scenes
        The S indices of the source.
    moved
        How far the top left corner of that box is from where it was, along x and y.
    """

    extents: Mapping[str, Extent]
    size_before: tuple[int, int]
    size_after: tuple[int, int]
    scenes: tuple[int, ...] = ()
    moved: tuple[int, int] = (0, 0)

    def is_same(self) -> bool:
        """Tell whether nothing is different."""
        same_box = self.size_before == self.size_after and self.moved == (0, 0)
        return same_box and not self.changed

    @property
    def changed(self) -> dict[str, Extent]:
        """The dimensions that are different."""
        return {letter: extent for letter, extent in self.extents.items() if not extent.is_same}


def lay_out(table: SubBlockTable, kept: NDArray[np.int64], *, renumber: bool) -> Layout:
    """Compare the dimensions of a document and of some of its sub-blocks.

    Parameters
    ----------
    table, kept
        The document, and the rows that are copied.
    renumber
        Whether the places of each dimension are counted from 0 in the copy.
    """
    extents = {}
    for letter, column in table.directory.coordinates.items():
        everywhere = _distinct(column)
        here = _distinct(column[kept])
        if here:
            size = everywhere[-1] - everywhere[0] + 1
            extents[letter] = Extent(everywhere[0], size, here, renumber)
    if table.m_bounds is not None:
        column = table.directory.m
        there = column[kept][(column[kept] != ABSENT) & (column[kept] != 2**31 - 1)]
        if len(there):
            ends = sorted({int(there.min()), int(there.max())})
            extents["M"] = Extent(*table.m_bounds, tuple(ends))
    before = table.total_rectangle_no_pyramid
    after = _box(table, kept)
    scenes = tuple(table.scene_rectangles)
    moved = (0, 0) if after.is_empty else (after.x - before.x, after.y - before.y)
    return Layout(extents, (before.w, before.h), (after.w, after.h), scenes, moved)


def _distinct(column: NDArray[np.int32]) -> tuple[int, ...]:
    return tuple(np.unique(column[column != ABSENT]).tolist())


def _box(table: SubBlockTable, kept: NDArray[np.int64]) -> Rectangle:
    rows = table.directory
    kept = kept[table.is_layer0[kept]]
    if not len(kept):
        return Rectangle(0, 0, -1, -1)
    x, y = rows.x[kept].astype(np.int64), rows.y[kept].astype(np.int64)
    left, top = int(x.min()), int(y.min())
    right, bottom = int((x + rows.w[kept]).max()), int((y + rows.h[kept]).max())
    return Rectangle(left, top, right - left, bottom - top)
