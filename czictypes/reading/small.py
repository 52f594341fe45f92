"""Reads that need little work, without the preparations that pay for large ones.

To plan a read of any tiles in numpy takes 200 us, however few they are. Here are the plainest
reads, at zoom 1 from tiles that stand on a lattice: many small uncompressed tiles, which are
painted together, and few tiles, whose places are worked out with whole numbers of Python. One of
10 us is left. All else is for `compose`, which gives the same pixels.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any, NamedTuple

from numpy.typing import NDArray

from czictypes.container.pixels import FilePixels
from czictypes.container.zstd_pixels import ZstdPixels
from czictypes.model.pixel_types import pixel_format
from czictypes.reading.background import background_value, fill
from czictypes.reading.compositor import PlaneRequest, Tile
from czictypes.reading.conversion import check_convertible, paint
from czictypes.reading.decode import SubBlockDecoder
from czictypes.reading.grid_runs import LARGEST_TILE
from czictypes.reading.lattice import Lattice
from czictypes.reading.lattice_index import LatticeIndex
from czictypes.reading.plane_index import PlaneIndex

__all__ = ["SmallReads"]

#: So many tiles at most are painted one by one.
_FEW = 16
#: So many bytes of several tiles are painted by one thread as fast as by more.
_FEW_BYTES = 512 << 10
#: Of one tile, several threads can paint bands if it is larger.
_ONE_TILE_BYTES = 8 << 20


class _Seen(NamedTuple):
    """What is seen of a tile: a box of the result, and its first pixel in the tile."""

    sub_block: int
    left: int
    top: int
    right: int
    bottom: int
    x: int
    y: int


class SmallReads:
    """Composes what it can at once; safe to use from many threads.

    Parameters
    ----------
    index, decoder
        The sub-blocks of a document, and their pixels.
    """

    def __init__(self, index: PlaneIndex, decoder: SubBlockDecoder) -> None:
        self._rows = index.table.directory
        self._lattices = LatticeIndex(index)
        self._decoder = decoder

    def compose(self, request: PlaneRequest, out: NDArray[Any]) -> bool:
        """Compose a plane into an array as `compositor.compose` does, if that is little work.

        Returns
        -------
        bool
            Whether it was; otherwise the contents of `out` are undefined.
        """
        if request.zoom != 1 or request.mask_aware:
            return False
        if self._decoder.expectation is not None:  # of a remote file all tiles come together
            return False
        roi = request.roi
        lattice = self._lattices.find(request.plane, roi, request.scene)
        if lattice is None:
            return False
        rows = lattice.rows(roi.y, roi.y + roi.h)
        columns = lattice.columns(roi.x, roi.x + roi.w)
        count = max(rows[1] - rows[0], 0) * max(columns[1] - columns[0], 0)
        if count > 1 and self._are_grid(lattice):
            return self._paint_grid(lattice, rows, columns, request, out)
        if count > _FEW:
            return False
        cells = lattice.cells[rows[0] : rows[1], columns[0] : columns[1]]
        return self._paint_few(cells.ravel().tolist() if count else [], request, out)

    def _are_grid(self, lattice: Lattice) -> bool:
        if lattice.kind is None or not lattice.last_width or self._decoder.grids is None:
            return False
        pixel = pixel_format(lattice.kind).bytes_per_pixel
        return lattice.width * lattice.height * pixel <= LARGEST_TILE

    def _paint_grid(
        self,
        lattice: Lattice,
        rows: tuple[int, int],
        columns: tuple[int, int],
        request: PlaneRequest,
        out: NDArray[Any],
    ) -> bool:
        grids, roi = self._decoder.grids, request.roi
        assert grids is not None
        assert lattice.kind is not None
        check_convertible([lattice.kind], request.pixel_type)
        if not lattice.covers(roi):
            fill(out, background_value(request.pixel_type, request.background))
        return grids.paint(lattice, rows, columns, roi, request.pixel_type, out)

    def _paint_few(self, cells: list[int], request: PlaneRequest, out: NDArray[Any]) -> bool:
        seen, covered = self._seen(cells, request)
        if not self._is_little(seen, out):
            return False
        kinds = [self._rows.pixel_type.item(one.sub_block) for one in seen]
        check_convertible(kinds, request.pixel_type)
        if covered < out.shape[0] * out.shape[1]:
            fill(out, background_value(request.pixel_type, request.background))
        with closing(self._decoder.tiles([one.sub_block for one in seen])) as tiles:
            for tile, one, kind in zip(tiles, seen, kinds):  # `tiles` comes to its own end
                if not self._has_size(one.sub_block, tile):
                    return False
                place = out[one.top : one.bottom, one.left : one.right]
                _paint(tile, one.x, one.y, kind, request.pixel_type, place)
        return True

    def _seen(self, cells: list[int], request: PlaneRequest) -> tuple[list[_Seen], int]:
        """Return what is seen of tiles that do not overlap, and how many pixels that are."""
        rows, (x, y, w, h) = self._rows, request.roi
        seen, covered = [], 0
        for index in cells:
            if index < 0:
                continue
            left, top = rows.x.item(index) - x, rows.y.item(index) - y
            right, bottom = left + rows.w.item(index), top + rows.h.item(index)
            inside = max(left, 0), max(top, 0), min(right, w), min(bottom, h)
            wide, high = inside[2] - inside[0], inside[3] - inside[1]
            if wide > 0 and high > 0:
                seen.append(_Seen(index, *inside, inside[0] - left, inside[1] - top))
                covered += wide * high
        return seen, covered

    def _is_little(self, seen: list[_Seen], out: NDArray[Any]) -> bool:
        """Whether one thread is enough: for one tile, and for what needs no decoding."""
        if len(seen) < 2:
            return out.nbytes <= _ONE_TILE_BYTES
        return out.nbytes <= _FEW_BYTES and self._decoder.are_at_hand(
            [one.sub_block for one in seen]
        )

    def _has_size(self, index: int, tile: Tile) -> bool:
        """Whether a tile is as large as the directory says; otherwise `compose` tells."""
        height, width = tile.pixels.shape[:2]
        return height >= self._rows.h.item(index) and width >= self._rows.w.item(index)


def _paint(tile: Tile, x: int, y: int, kind: int, target: int, place: NDArray[Any]) -> None:
    """Convert the pixels of a tile from x, y on into a place that they fill."""
    height, width = place.shape[:2]
    pixels = tile.pixels
    whole_rows = width == pixels.shape[1] and place.flags.c_contiguous
    if whole_rows and kind == target and isinstance(pixels, FilePixels):
        pixels.read_rows(y, place)  # from the file to their place at once
        return
    if isinstance(pixels, ZstdPixels):
        pixels.use_rows(y + height)
    paint(pixels, slice(y, y + height), slice(x, x + width), kind, target, place)
