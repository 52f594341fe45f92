"""What single tiles paint, worked out with plain numbers: `plan` does so for many at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from czictypes.container.directory import Directory
from czictypes.container.pixels import Which
from czictypes.model.geometry import Rectangle
from czictypes.reading.coverage import Box
from czictypes.reading.sampling import scaled_span

__all__ = ["Piece", "pieces_of"]


class Piece(NamedTuple):
    """What is seen of a tile.

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


def pieces_of(
    directory: Directory, tiles: Iterable[int], roi: Rectangle, width: int, height: int
) -> list[Piece]:
    """Return what tiles paint in a result of some width and height, in the order of the tiles."""
    x, y, w, h = roi
    scaled = (width, height) != (w, h)
    found = []
    for index in tiles:
        left, top = directory.x.item(index), directory.y.item(index)
        stored_w, stored_h = directory.physical_w.item(index), directory.physical_h.item(index)
        if stored_w <= 0 or stored_h <= 0:
            continue
        if scaled:
            logical_w, logical_h = directory.w.item(index), directory.h.item(index)
            first_x, end_x, columns = scaled_span(left, logical_w, stored_w, x, w, width)
            first_y, end_y, rows = scaled_span(top, logical_h, stored_h, y, h, height)
        else:
            first_x, end_x, columns = _copied_span(left, stored_w, x, w)
            first_y, end_y, rows = _copied_span(top, stored_h, y, h)
        if first_x < end_x and first_y < end_y:
            found.append(Piece(index, (first_x, first_y, end_x, end_y), rows, columns))
    return found


def _copied_span(start: int, size: int, roi_start: int, roi_size: int) -> tuple[int, int, slice]:
    """Return what `CopiedAxis` tells of a single tile."""
    offset = start - roi_start
    first, end = max(offset, 0), min(offset + size, roi_size)
    return first, end, slice(first - offset, end - offset)
