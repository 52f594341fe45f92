"""Reads that need little work, without the preparations that pay for large ones.

To plan and share out a read of any tiles takes 200 us, however few they are. Here many small
uncompressed tiles on a lattice are painted together, and few tiles by one thread, after plans that
are made of whole numbers of Python: that takes 20 us. All else is for `compose`, which gives the
same pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.container.pixels import FilePixels, use_rows
from czictypes.model.pixel_types import pixel_format
from czictypes.reading.background import background_value, fill
from czictypes.reading.conversion import check_convertible, paint
from czictypes.reading.coverage import area
from czictypes.reading.decode import SubBlockDecoder
from czictypes.reading.few_tiles import FewTiles
from czictypes.reading.grid_runs import LARGEST_TILE
from czictypes.reading.lattice import Lattice
from czictypes.reading.lattice_index import LatticeIndex
from czictypes.reading.pieces import Piece, PieceFinder
from czictypes.reading.plan import PlaneRequest
from czictypes.reading.plane_index import PlaneIndex
from czictypes.reading.tile import Tile

__all__ = ["SmallReads"]

#: So many tiles at most are painted one by one.
_FEW = 16
#: So many bytes of several tiles are painted by one thread as fast as by more.
_FEW_BYTES = 512 << 10
#: Of one tile, several threads can paint bands if it is larger.
_ONE_TILE_BYTES = 8 << 20


class SmallReads:
    """Composes what is little work; safe to use from many threads.

    Parameters
    ----------
    index, decoder
        The sub-blocks of a document, and their pixels.
    """

    def __init__(self, index: PlaneIndex, decoder: SubBlockDecoder) -> None:
        self._index, self._rows = index, index.table.directory
        self._lattices = LatticeIndex(index)
        self._few = FewTiles(index)
        self._pieces = PieceFinder(self._rows)
        self._decoder = decoder

    def compose(self, request: PlaneRequest, out: NDArray[Any]) -> bool:
        """Compose a plane into an array as `compositor.compose` does, if that is little work.

        Returns
        -------
        bool
            Whether it was; otherwise the contents of `out` are undefined.
        """
        if request.mask_aware or (request.zoom != 1 and np.float32(request.zoom) == 1):
            return False
        if self._index.is_mixed:
            return False
        lattice = None
        if request.zoom == 1:
            lattice = self._lattices.find(request.plane, request.roi, request.scene)
        if lattice is not None:
            return self._compose_lattice(lattice, request, out)
        if out.nbytes > _FEW_BYTES:
            return False
        tiles = self._few.select(request.plane, request.roi, request.zoom, request.scene)
        if tiles is None or len(tiles) > _FEW:
            return False
        return self._paint_few(tiles, request, out)

    def _compose_lattice(self, lattice: Lattice, request: PlaneRequest, out: NDArray[Any]) -> bool:
        x, y, w, h = request.roi
        rows, columns = lattice.rows(y, y + h), lattice.columns(x, x + w)
        count = max(rows[1] - rows[0], 0) * max(columns[1] - columns[0], 0)
        if count > 1 and self._is_grid(lattice):
            return self._paint_grid(lattice, rows, columns, request, out)
        if count > _FEW:
            return False
        cells = lattice.cells[rows[0] : rows[1], columns[0] : columns[1]] if count else _NONE
        return self._paint_few(
            [tile for tile in cells.ravel().tolist() if tile >= 0], request, out, apart=True
        )

    def _is_grid(self, lattice: Lattice) -> bool:
        """Tell whether tiles can be painted together: small, uncompressed and of even sizes."""
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

    def _paint_few(
        self, tiles: list[int], request: PlaneRequest, out: NDArray[Any], *, apart: bool = False
    ) -> bool:
        """Paint tiles one over the other; `apart` says that they do not overlap."""
        if not self._is_little(tiles, out):
            return False
        height, width = out.shape[:2]
        pieces = self._pieces.find(tiles, request.roi, width, height)
        kinds = [self._rows.pixel_type.item(piece.sub_block) for piece in pieces]
        check_convertible(kinds, request.pixel_type)
        areas = [area(piece.box) for piece in pieces] or [0]
        if (sum(areas) if apart else max(areas)) < height * width:
            fill(out, background_value(request.pixel_type, request.background))
        with closing(self._decoder.tiles([piece.sub_block for piece in pieces])) as found:
            for tile, piece, kind in zip(found, pieces, kinds):  # `tiles` comes to its own end
                if not self._has_size(piece.sub_block, tile):
                    return False
                left, top, right, bottom = piece.box
                _paint(tile, piece, kind, request.pixel_type, out[top:bottom, left:right])
        return True

    def _is_little(self, tiles: Sequence[int], out: NDArray[Any]) -> bool:
        """Tell whether one thread is enough: for one tile, and for what needs no decoding."""
        if len(tiles) < 2 and self._decoder.is_local:
            return out.nbytes <= _ONE_TILE_BYTES
        return out.nbytes <= _FEW_BYTES and self._decoder.are_at_hand(tiles)

    def _has_size(self, index: int, tile: Tile) -> bool:
        """Tell whether a tile is as large as the directory says; otherwise `compose` tells."""
        height, width = tile.pixels.shape[:2]
        rows = self._rows
        return height >= rows.physical_h.item(index) and width >= rows.physical_w.item(index)


_NONE = np.empty(0, np.intp)


def _paint(tile: Tile, piece: Piece, kind: int, target: int, place: NDArray[Any]) -> None:
    """Convert what is seen of a tile into its place."""
    pixels, rows, columns = tile.pixels, piece.rows, piece.columns
    if isinstance(pixels, FilePixels) and isinstance(rows, slice) and isinstance(columns, slice):
        as_stored = kind == target and rows.step is None and columns == slice(0, pixels.shape[1])
        if as_stored and place.flags.c_contiguous:
            pixels.read_rows(rows.start, place)  # from the file to their place at once
            return
    use_rows(pixels, rows.stop if isinstance(rows, slice) else rows.item(-1) + 1)
    paint(pixels, rows, columns, kind, target, place)
