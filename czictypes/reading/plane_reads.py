"""Reads of the same part of many planes: what the arrays are made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from numpy.typing import NDArray

from czictypes.model.errors import CorruptFileError, UnsupportedDataError
from czictypes.model.geometry import Rectangle
from czictypes.model.pixel_types import PixelType
from czictypes.reading.damage import advise, leaves_blank
from czictypes.reading.document import OpenDocument
from czictypes.reading.levels import LevelGrid
from czictypes.reading.reader import CziReader
from czictypes.reading.request import PlaneRequest, background_value, fill
from czictypes.reading.threads import each

__all__ = [
    "Compose",
    "LevelPlanes",
    "Planes",
    "TilePlanes",
    "open_document_of",
    "read_planes",
]


T = TypeVar("T")

#: Fills an array (height, width, samples) of a pixel type with the part of a plane.
Compose = Callable[[Mapping[str, int], PixelType, NDArray[Any]], None]

#: Where there is no pixel: black, and where there is an alpha, transparent.
_EMPTY = (0.0, 0.0, 0.0, 0.0)
_ONE = (0, 1)
#: Threads that read parts of fewer pixels mostly wait for each other: Python runs one of them.
SMALL = 64 * 1024
#: The bytes of so many planes are asked of a server at the same time.
_TOGETHER = 64


def open_document_of(reader: CziReader) -> AbstractContextManager[OpenDocument]:
    """Hold the document of a reader open, as the file is now, for the length of a `with` block.

    Raises
    ------
    ClosedError
        After the reader was closed.
    """
    return reader._session.document()


class Part(NamedTuple):
    """What a part of a plane is painted from: a request, and the grid of a level or a tile."""

    request: PlaneRequest
    grid: LevelGrid | None = None
    only: int | None = None
    is_empty: bool = False


class Planes(ABC):
    """Says for each plane of an array what a part of it is made of.

    The region of a request is one of the result, at zoom 1.
    """

    @abstractmethod
    def part(self, document: OpenDocument, request: PlaneRequest) -> Part:
        """Return what is to be painted."""


@dataclass(frozen=True)
class LevelPlanes(Planes):
    """The planes of a level, mosaics stitched; `scene` is None for all scenes."""

    grid: LevelGrid
    scene: int | None

    def part(self, document: OpenDocument, request: PlaneRequest) -> Part:
        """Return the part of the level."""
        bounds = document.table.plane_bounds
        plane = {name: at for name, at in request.plane.items() if bounds.get(name, _ONE)[1] > 1}
        return Part(request._replace(plane=plane, scene=self.scene), self.grid)


@dataclass(frozen=True)
class TilePlanes(Planes):
    """The single tiles of a mosaic; `find` tells the tile at a coordinate, or None."""

    find: Callable[[Mapping[str, int]], int | None]

    def part(self, document: OpenDocument, request: PlaneRequest) -> Part:
        """Return the part of the tile."""
        index = self.find(request.plane)
        if index is None:
            return Part(request, is_empty=True)
        rows, (x, y, w, h) = document.table.directory, request.roi
        roi = Rectangle(x + rows.x.item(index), y + rows.y.item(index), w, h)
        return Part(request._replace(roi=roi, plane={}), only=index)


def read_planes(
    reader: CziReader,
    document: OpenDocument,
    planes: Planes,
    roi: Rectangle,
    places: Iterable[T],
    count: int,
    coordinate_of: Callable[[T], Mapping[str, int]],
    read: Callable[[T, Compose], None],
    threads: int | None = None,
) -> None:
    """Read the same part of many planes, several at a time where there are enough of them.

    Parameters
    ----------
    reader, document
        What is read, and its document, held open.
    planes, roi
        What composes the planes, and the part of each in pixels of the result.
    places, count
        Whatever stands for a plane, and how many there are.
    coordinate_of
        Tells the coordinate of one of them.
    read
        Called with each of them, and with a function that fills an array with the part of a
        plane: ``compose(coordinate, pixel_type, out)``. It may be called in several threads.
    threads
        How many may work at most; by default those of the document.
    """
    pool = document.pool
    most = pool.threads if threads is None else min(threads, pool.threads)
    workers = pool.workers if most > 1 else None
    masks = reader._options.enable_mask_awareness
    blank = leaves_blank(reader._options.on_error)
    in_parallel = count >= most > 1 and roi.w * roi.h >= SMALL

    def request_of(coordinate: Mapping[str, int], pixel_type: PixelType) -> PlaneRequest:
        return PlaneRequest(roi, coordinate, None, 1.0, pixel_type, _EMPTY, masks)

    def compose_plane(
        coordinate: Mapping[str, int], pixel_type: PixelType, out: NDArray[Any]
    ) -> None:
        part = planes.part(document, request_of(coordinate, pixel_type))
        try:
            if part.is_empty:
                fill(out, background_value(pixel_type, _EMPTY))
                return
            one, helpers = (1, None) if in_parallel else (most, workers)
            document.painter.paint(
                part.request, out, one, helpers, grid=part.grid, only=part.only, blank=blank
            )
        except (CorruptFileError, UnsupportedDataError) as error:
            document.require_unchanged()
            advise(error)
            raise

    def read_some(some: Iterable[T]) -> None:
        helpers = workers if in_parallel else None
        each(some, lambda one: read(one, compose_plane), most, helpers)

    if document.decoder.expectation is None:
        read_some(places)
        document.require_unchanged()
        return
    for group in _groups(places):
        parts = [
            planes.part(document, request_of(coordinate_of(one), PixelType.Gray8)) for one in group
        ]
        wanted = [
            one
            for part in parts
            if not part.is_empty
            for one in document.painter.wanted(part.request, roi.w, roi.h, part.grid, part.only)
        ]
        with document.decoder.expectation.of(wanted):
            read_some(group)
    document.require_unchanged()


def _groups(places: Iterable[T]) -> Iterator[list[T]]:
    waiting = iter(places)
    while True:
        group = list(islice(waiting, _TOGETHER))
        if not group:
            return
        yield group
