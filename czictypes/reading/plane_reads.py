"""Reads the same part of many planes, for the arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from czictypes.model.errors import CorruptFileError, UnsupportedDataError
from czictypes.model.geometry import Rectangle
from czictypes.model.pixel_types import PixelType
from czictypes.reading.damage import advise
from czictypes.reading.document import OpenDocument
from czictypes.reading.levels import LevelGrid
from czictypes.reading.paint import Part
from czictypes.reading.reader import CziReader
from czictypes.reading.request import PlaneRequest, background_value, fill

#: The background: black, and transparent if there is an alpha.
_EMPTY = (0.0, 0.0, 0.0, 0.0)
_ONE = (0, 1)


def open_document_of(reader: CziReader) -> AbstractContextManager[OpenDocument]:
    """Return a `with` block that holds the current document of a reader open.

    Raises ClosedError after the reader was closed.
    """
    return reader._session.document(hold=True)


class Planes(ABC):
    """Maps each plane of an array to the part that is painted."""

    @abstractmethod
    def part(self, document: OpenDocument, request: PlaneRequest) -> Part | None:
        """Return the part to paint for a request of the result at zoom 1; None if there is none."""


@dataclass(frozen=True)
class LevelPlanes(Planes):
    """The planes of a level with stitched mosaics; `scene` is None for all scenes."""

    grid: LevelGrid
    scene: int | None

    def part(self, document: OpenDocument, request: PlaneRequest) -> Part:
        """Return the part of the level."""
        bounds = document.table.plane_bounds
        plane = {name: at for name, at in request.plane.items() if bounds.get(name, _ONE)[1] > 1}
        return Part(request._replace(plane=plane, scene=self.scene), self.grid)


@dataclass(frozen=True)
class TilePlanes(Planes):
    """The single tiles of a mosaic; `find` returns the tile at a coordinate, or None."""

    find: Callable[[Mapping[str, int]], int | None]

    def part(self, document: OpenDocument, request: PlaneRequest) -> Part | None:
        """Return the part that the tile paints, or None."""
        index = self.find(request.plane)
        if index is None:
            return None
        rows, (x, y, w, h) = document.table.directory, request.roi
        roi = Rectangle(x + rows.x.item(index), y + rows.y.item(index), w, h)
        return Part(request._replace(roi=roi, plane={}), only=index)


def read_planes(
    document: OpenDocument,
    planes: Planes,
    roi: Rectangle,
    pixel_type: PixelType,
    coordinates: Sequence[Mapping[str, int]],
    outs: Sequence[NDArray[Any]],
    threads: int,
) -> None:
    """Read the same part of several planes together.

    `roi` is the part in pixels of the result; `outs` has an array (height, width, samples) for each
    coordinate, all of them views of one array.
    """
    masks = document.options.enable_mask_awareness
    found, targets = [], []
    for coordinate, out in zip(coordinates, outs):
        request = PlaneRequest(roi, coordinate, None, 1.0, pixel_type, _EMPTY, masks)
        part = planes.part(document, request)
        if part is None:
            fill(out, background_value(pixel_type, _EMPTY))
        else:
            found.append(part)
            targets.append(out)
    if not found:
        return
    workers = document.pool.workers if threads > 1 else None
    try:
        is_unchanged = document.painter.paint(
            found, targets, threads, workers, blank=document.blank
        )
    except (CorruptFileError, UnsupportedDataError) as error:
        document.require_unchanged()
        advise(error)
        raise
    if not is_unchanged:
        document.require_unchanged()
