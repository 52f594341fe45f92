"""The pixels that single tiles paint, computed with plain numbers; `plan` does many at once."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from czictypes.container.directory import Directory
from czictypes.container.pixels import Which
from czictypes.model.geometry import Rectangle
from czictypes.reading.coverage import Box
from czictypes.reading.sampling import scaled_span

__all__ = ["Piece", "PieceFinder"]

#: So many scaled axes are remembered: the planes of a stack are mostly read alike, and to work one
#: out takes as long as all else before the first pixel.
_REMEMBERED = 64


class Piece(NamedTuple):
    """The visible part of a tile.

    Attributes
    ----------
    sub_block
        Its index.
    box
        The box (left, top, right, bottom) of the result that it paints.
    rows, columns
        The pixels of the tile that go there.
    """

    sub_block: int
    box: Box
    rows: Which
    columns: Which


class PieceFinder:
    """Tells what tiles paint; safe to use from many threads.

    Parameters
    ----------
    directory
        The sub-blocks of the document.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._scaled_span = lru_cache(_REMEMBERED)(scaled_span)

    def find(self, tiles: Iterable[int], roi: Rectangle, width: int, height: int) -> list[Piece]:
        """Return what tiles paint in a result of some width and height, in their order."""
        x, y, w, h = roi
        scaled = (width, height) != (w, h)
        rows, span = self._directory, self._scaled_span
        found = []
        for index in tiles:
            left, top = rows.x.item(index), rows.y.item(index)
            stored_w, stored_h = rows.physical_w.item(index), rows.physical_h.item(index)
            if stored_w <= 0 or stored_h <= 0:
                continue
            if scaled:
                first_x, end_x, across = span(left, rows.w.item(index), stored_w, x, w, width)
                first_y, end_y, down = span(top, rows.h.item(index), stored_h, y, h, height)
            else:
                first_x, end_x, across = _copied_span(left, stored_w, x, w)
                first_y, end_y, down = _copied_span(top, stored_h, y, h)
            if first_x < end_x and first_y < end_y:
                found.append(Piece(index, (first_x, first_y, end_x, end_y), down, across))
        return found


def _copied_span(start: int, size: int, roi_start: int, roi_size: int) -> tuple[int, int, slice]:
    """Return what `CopiedAxis` tells of a single tile."""
    offset = start - roi_start
    first, end = max(offset, 0), min(offset + size, roi_size)
    return first, end, slice(first - offset, end - offset)
