"""Reads of the same part of many planes: what the arrays are made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from czictypes.model.errors import CorruptFileError, UnsupportedDataError
from czictypes.model.geometry import ABSENT, Rectangle
from czictypes.model.pixel_types import PixelType
from czictypes.reading.compositor import PlaneRequest, compose
from czictypes.reading.damage import advise, leaves_blank
from czictypes.reading.document import OpenDocument
from czictypes.reading.expectation import wanted_rows
from czictypes.reading.level_grid import LevelGrid
from czictypes.reading.level_plan import make_level_plan
from czictypes.reading.plan import Job, Plan
from czictypes.reading.reader import CziReader
from czictypes.reading.sampling import CopiedAxis
from czictypes.reading.threads import each

__all__ = ["Compose", "LevelPlanes", "Planes", "TilePlanes", "open_document_of", "read_planes"]

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


class Planes(ABC):
    """Says for each plane of an array what a part of it is made of.

    The region of a request is one of the result, at zoom 1.
    """

    @abstractmethod
    def plan(self, document: OpenDocument, request: PlaneRequest) -> Plan:
        """Work out what is to be painted."""

    def paint_at_once(
        self, document: OpenDocument, request: PlaneRequest, out: NDArray[Any]
    ) -> bool:
        """Fill an array without a plan, if that is little work; return whether it was."""
        return False


@dataclass(frozen=True)
class LevelPlanes(Planes):
    """The planes of a level, mosaics stitched; `scene` is None for all scenes."""

    grid: LevelGrid
    scene: int | None

    def plan(self, document: OpenDocument, request: PlaneRequest) -> Plan:
        """Work out which tiles are seen in a part of a plane."""
        scenes = sorted(document.table.scene_rectangles) if self.scene is None else [self.scene]
        return make_level_plan(
            document.index,
            self.grid,
            request.roi,
            _choice(document, request),
            np.array(scenes, np.int64),
            mask_aware=request.mask_aware,
        )

    def paint_at_once(
        self, document: OpenDocument, request: PlaneRequest, out: NDArray[Any]
    ) -> bool:
        """Fill an array as `CziReader.read` does small ones, where that gives the same."""
        if not self._is_plain(document):
            return False
        x, y, w, h = request.roi
        roi = Rectangle(x + self.grid.box.x, y + self.grid.box.y, w, h)
        plane = _choice(document, request)
        return document.small.compose(request._replace(roi=roi, plane=plane, scene=self.scene), out)

    def _is_plain(self, document: OpenDocument) -> bool:
        """Tell whether a read of full resolution shows the same wherever its region ends.

        Not so if there are several scenes and tiles of none: these count in regions of one scene.
        """
        if self.grid.number:
            return False
        if self.scene is not None or len(document.table.scene_rectangles) < 2:
            return True
        scenes, is_layer0 = document.table.directory.scene, document.table.is_layer0
        return document.once(
            "all tiles have scenes", lambda: not bool((scenes[is_layer0] == ABSENT).any())
        )


@dataclass(frozen=True)
class TilePlanes(Planes):
    """The single tiles of a mosaic; `find` tells the sub-block at a coordinate, or None."""

    find: Callable[[Mapping[str, int]], int | None]

    def plan(self, document: OpenDocument, request: PlaneRequest) -> Plan:
        """Work out what of the tile is seen."""
        index = self.find(request.plane)
        rows, start, roi = document.table.directory, np.zeros(1, np.int64), request.roi
        w, h = (0, 0) if index is None else (rows.physical_w[index], rows.physical_h[index])
        x = CopiedAxis(start, np.array([w]), roi.x, roi.w)
        y = CopiedAxis(start, np.array([h]), roi.y, roi.h)
        box = int(x.first[0]), int(y.first[0]), int(x.end[0]), int(y.end[0])
        if index is None or box[0] >= box[2] or box[1] >= box[3]:
            return Plan([], False, False, x, y)
        is_all = not request.mask_aware and box == (0, 0, roi.w, roi.h)
        return Plan([Job(0, 0, index, [box])], request.mask_aware, is_all, x, y)


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
        request = request_of(coordinate, pixel_type)
        try:
            if not blank and planes.paint_at_once(document, request, out):
                return
            tiles = document.forgiving if blank else document.decoder
            plan, helpers = planes.plan(document, request), None if in_parallel else workers
            compose(document.index, request, tiles, out, helpers, most, plan)
        except (CorruptFileError, UnsupportedDataError) as error:
            document.require_unchanged()
            advise(error)
            raise

    def read_some(some: Iterable[T]) -> None:
        helpers = workers if in_parallel else None
        each(some, lambda one: read(one, compose_plane), most, helpers)

    expectation = document.decoder.expectation
    if expectation is None:
        read_some(places)
        document.require_unchanged()
        return
    for group in _groups(places):
        plans = (
            planes.plan(document, request_of(coordinate_of(one), PixelType.Gray8)) for one in group
        )
        with expectation.of(
            [wanted for plan in plans for wanted in wanted_rows(plan, document.table.directory)]
        ):
            read_some(group)
    document.require_unchanged()


def _choice(document: OpenDocument, request: PlaneRequest) -> dict[str, int]:
    """Return the coordinate of a plane in the dimensions in which the document has a choice."""
    bounds = document.table.plane_bounds
    return {name: at for name, at in request.plane.items() if bounds.get(name, _ONE)[1] > 1}


def _groups(places: Iterable[T]) -> Iterator[list[T]]:
    waiting = iter(places)
    while True:
        group = list(islice(waiting, _TOGETHER))
        if not group:
            return
        yield group
