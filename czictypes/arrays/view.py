"""One array of a document: its scene, stitched or tile by tile, and the way to its pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.alpha import EmptyAlpha, has_alpha
from czictypes.arrays.layout import Block, Layout, Selection, check_output
from czictypes.arrays.pixels import read_pixels
from czictypes.arrays.scene_layout import scene_layout
from czictypes.arrays.tiles import MosaicTiles
from czictypes.reading.document import OpenDocument
from czictypes.reading.plane_reads import LevelPlanes, Planes, TilePlanes, open_document_of
from czictypes.reading.reader import CziReader

__all__ = ["ArrayView"]


@dataclass(frozen=True)
class ArrayView:
    """The part of a document that an array shows; needs no open file to be kept or sent.

    Parameters
    ----------
    scene
        The number of the scene; None for all, or where the document has none.
    mosaic
        Whether mosaics are stitched; otherwise tiles come one by one along the dimension M.
    empty_alpha
        What becomes of an alpha that is 0 everywhere.
    """

    scene: int | None = None
    mosaic: bool = True
    empty_alpha: EmptyAlpha = "keep"

    def layout(self, document: OpenDocument) -> Layout:
        """Return the layout of the array, made once for each state of the file."""
        scene = self.scene
        layout = document.once(
            f"layout of scene {scene}", lambda: scene_layout(document.table, scene)
        )
        if not self.mosaic and self.has_tiles(document):
            stitched = layout
            layout = document.once(
                f"layout of the tiles of scene {scene}",
                lambda: self.tiles(document).layout(stitched),
            )
        if layout.samples < 4 or self.empty_alpha == "keep" or has_alpha(document, scene):
            return layout
        if self.empty_alpha == "opaque":
            return replace(layout, is_opaque=True)
        return replace(layout, samples=3)

    def has_tiles(self, document: OpenDocument) -> bool:
        """Tell whether the document has mosaics, so that there is a dimension M."""
        bounds = document.table.m_bounds
        return (bounds is not None and bounds[1] > 1) or len(self.tiles(document).numbers) > 1

    def tiles(self, document: OpenDocument) -> MosaicTiles:
        """Return the tiles of the scene."""
        stitched = ArrayView(self.scene).layout(document)
        return document.once(
            f"tiles of scene {self.scene}",
            lambda: MosaicTiles(document.table, self.scene, stitched.planes),
        )

    def dtype(self, document: OpenDocument) -> np.dtype[Any]:
        """Return the dtype that holds the pixels of all channels."""
        return self.layout(document).dtype

    def read_block(
        self,
        reader: CziReader,
        selection: Mapping[str, Selection],
        level: int = 0,
        out: NDArray[Any] | None = None,
        threads: int | None = None,
    ) -> NDArray[Any]:
        """Return a box of the array; see `CziImage.read_block`."""
        with open_document_of(reader) as document:
            layout = self.layout(document)
            block = layout.block(selection, level)
            if out is None:
                out = document.memory.make(block.shape, layout.dtype)
            else:
                check_output(out, block.shape, layout.dtype)
            planes = self.planes(document, block)
            read_pixels(reader, document, planes, layout, block, out, threads)
        return out

    def planes(self, document: OpenDocument, block: Block) -> Planes:
        """Return what composes the planes of a block."""
        if "M" in block.indices:
            return TilePlanes(self.tiles(document).find)
        return LevelPlanes(block.grid, self.scene)
