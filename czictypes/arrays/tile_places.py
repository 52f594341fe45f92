"""The places of the tiles of an image's mosaic."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.dimensions import Dimensions
from czictypes.arrays.image_base import no_mosaic
from czictypes.arrays.open_image import OpenImage
from czictypes.arrays.tiles import MosaicTiles
from czictypes.model.errors import OutOfBoundsError
from czictypes.reading.document import OpenDocument
from czictypes.reading.plane_reads import open_document_of

__all__ = ["TilePlaces"]


class TilePlaces(OpenImage):
    """The side of a `CziImage` that tells where tiles lie."""

    @property
    def tile_positions(self) -> NDArray[np.void]:
        """The places of the tiles of the scene in full resolution, in one structured array.

        Fields: T, C, Z and M (and the other dimensions there are), the indices of a tile in the
        array of ``mosaic=False``; x, y, w, h, its place in pixels of the file's coordinate
        system; index, its sub-block.
        """
        with open_document_of(self._reader) as document:
            return self._tiles_in(document).positions()

    @property
    def mosaic_tile_dims(self) -> Dimensions | None:  # noqa: D102 (it has that of the base class)
        with open_document_of(self._reader) as document:
            if not self._view.has_tiles(document):
                return None
            width, height = self._tiles_in(document).size
        return Dimensions("YX", (height, width))

    def get_mosaic_tile_positions(  # noqa: D102 (it has that of the base class)
        self, **where: int
    ) -> list[tuple[int, int]]:
        return list(self._tile_places(where).values())

    def get_mosaic_tile_position(  # noqa: D102 (it has that of the base class)
        self, mosaic_tile_index: int, **where: int
    ) -> tuple[int, int]:
        places = self._tile_places(where)
        if mosaic_tile_index not in places:
            raise OutOfBoundsError(f"there is no tile M={mosaic_tile_index} at {where}")
        return places[mosaic_tile_index]

    def _tile_places(self, where: Mapping[str, int]) -> dict[int, tuple[int, int]]:
        with open_document_of(self._reader) as document:
            tiles = self._tiles_in(document)
            if not self._view.has_tiles(document):
                raise no_mosaic()
        found = tiles.positions()
        for name, at in where.items():
            if name not in (found.dtype.names or ()):
                known = ", ".join(one for one in found.dtype.names or () if one.isupper())
                raise ValueError(f"tiles have no dimension {name}; they have {known}")
            found = found[found[name] == at]
        m, first = np.unique(found["M"], return_index=True)
        found = found[first]
        return dict(zip(m.tolist(), zip(found["y"].tolist(), found["x"].tolist())))

    def _tiles_in(self, document: OpenDocument) -> MosaicTiles:
        if self._is_all and document.table.scene_rectangles:
            raise ValueError("tiles belong to one scene; choose one by set_scene")
        return self._view.tiles(document)
