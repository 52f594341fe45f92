"""Reads blocks of the array of a scene: its pixels, and which of them the file has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.layout import ArrayRegion, Indices, Layout, Selection
from czictypes.arrays.scenes import scene_layout
from czictypes.arrays.tiles import MosaicTiles
from czictypes.model.errors import CorruptFileError, UnsupportedDataError
from czictypes.model.geometry import ABSENT, Rectangle, whole_number
from czictypes.model.pixel_types import PixelType, pixel_format
from czictypes.reading.document import OpenDocument
from czictypes.reading.levels import LevelGrid
from czictypes.reading.paint import Part
from czictypes.reading.request import (
    PlaneRequest,
    background_value,
    check_output,
    fill,
    has_adjacent_pixels,
)
from czictypes.reading.threads import each

#: The treatment of an alpha that is 0 everywhere, as ZEN mostly leaves it.
EmptyAlpha = Literal["keep", "drop", "opaque"]
EMPTY_ALPHA = get_args(EmptyAlpha)

Pixels = NDArray[Any]

#: Rows of about so many bytes are turned from BGR to RGB at a time, while they are in the cache.
_BAND = 256 * 1024
#: The alpha of pixels that have none of their own: as in Bgra32, the only type that has one.
_OPAQUE = 255
#: At most so many planes are read together, of about so many pixels in all.
_PLANES, _PIXELS = 256, 16 << 20
#: The background: black, and transparent if there is an alpha.
_EMPTY = (0.0, 0.0, 0.0, 0.0)
_ONE = (0, 1)


@dataclass(frozen=True)
class ImageSelection:
    """The part of a document that an image shows; it can be kept and sent without an open file.

    Parameters
    ----------
    scene
        The number of the scene; None for all, or where the document has none.
    mosaic
        Whether mosaics are stitched; otherwise tiles come one by one along the dimension M.
    empty_alpha
        The treatment of an alpha that is 0 everywhere.
    """

    scene: int | None = None
    mosaic: bool = True
    empty_alpha: EmptyAlpha = "keep"

    def layout(self, document: OpenDocument) -> Layout:
        """Return the layout of the array, made once for each state of the file."""
        scene = self.scene
        layout = document.cached(
            f"layout of scene {scene}", lambda: scene_layout(document.table, scene)
        )
        if not self.mosaic and self.has_tiles(document):
            stitched = layout
            layout = document.cached(
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
        stitched = ImageSelection(self.scene).layout(document)
        return document.cached(
            f"tiles of scene {self.scene}",
            lambda: MosaicTiles(document.table, self.scene, stitched.planes),
        )

    def read(
        self,
        document: OpenDocument,
        choose: Callable[[Layout], ArrayRegion],
        out: Pixels | None = None,
        threads: int | None = None,
    ) -> Pixels:
        """Return the pixels of the region that is chosen in the layout; see `Image.read_block`."""
        layout = self.layout(document)
        region = choose(layout)
        if out is None:
            out = document.memory.make(region.shape, layout.dtype)
        else:
            check_output(out, region.shape, layout.dtype)
        if out.size:
            _fill(out, document, self.planes(document, region), layout, region, threads)
        return region.arranged(out)

    def planes(self, document: OpenDocument, region: ArrayRegion) -> Planes:
        """Return what the planes of a region are composed of."""
        if "M" in region.indices:
            return TilePlanes(self.tiles(document).find)
        return LevelPlanes(region.grid, self.scene)


def _fill(
    out: Pixels,
    document: OpenDocument,
    planes: Planes,
    layout: Layout,
    region: ArrayRegion,
    threads: int | None,
) -> None:
    """Read the planes of a region into their places in an array, many at a time."""
    whole = region.with_dropped(out)
    part = _PlanePart(region, layout.samples)
    pool = document.pool
    most = pool.threads
    if threads is not None:
        most = min(whole_number(threads, "threads"), most)
    for pixel_type, group in _groups(layout, region, part.roi.w * part.roi.h):
        targets = [whole[position] for position, _ in group]
        buffers = part.buffers(pixel_type, targets)
        coordinates = [coordinate for _, coordinate in group]
        read_planes(document, planes, part.roi, pixel_type, coordinates, buffers, most)
        in_place = np.may_share_memory(buffers[0], targets[0])
        if in_place and buffers[0].shape[2] == 1:
            continue

        def finish(index: int) -> None:
            buffer, target = buffers[index], targets[index]  # noqa: B023
            if buffer.shape[2] > 1:
                _swap_red_and_blue(buffer)
            if layout.is_opaque:
                buffer[..., 3:] = _OPAQUE
            if not in_place:  # noqa: B023
                part.put(buffer, target)

        each(range(len(group)), finish, most, pool.workers if len(group) > 1 else None)


def _groups(
    layout: Layout, region: ArrayRegion, area: int
) -> Iterator[tuple[PixelType, list[tuple[tuple[int, ...], dict[str, int]]]]]:
    """Give the planes of a region in groups of one pixel type that are read together."""
    most = min(max(_PIXELS // area, 1), _PLANES)
    planes = layout.coordinates(region)
    for pixel_type, some in groupby(planes, lambda one: layout.pixel_types[one[1]["C"]]):
        while group := list(islice(some, most)):
            yield pixel_type, group


class _PlanePart:
    """The part of each plane that is read, and the rows, columns and samples taken of it."""

    def __init__(self, region: ArrayRegion, samples: int) -> None:
        y, x = region.indices["Y"], region.indices["X"]
        self.roi = roi = region.roi
        rows, columns = range(roi.y, roi.y + roi.h), range(roi.x, roi.x + roi.w)
        self._rows, self._columns = _within(y, rows), _within(x, columns)
        self._all_samples = range(samples)
        self._samples = region.indices["S"] if samples else None
        self._is_all = y == rows and x == columns

    def buffers(self, pixel_type: PixelType, targets: list[Pixels]) -> list[Pixels]:
        """Return arrays (height, width, samples) for planes: their targets where that can be."""
        pixel = pixel_format(pixel_type)
        if self._is_all and targets[0].dtype == np.dtype(pixel.dtype):
            places = targets
            if self._samples is None:
                places = [target[..., np.newaxis] for target in targets]
            elif self._samples != self._all_samples or pixel.samples != len(self._all_samples):
                places = []
            if places and has_adjacent_pixels(places[0]):
                return places
        shape = len(targets), self.roi.h, self.roi.w, pixel.samples
        return list(np.empty(shape, pixel.dtype))

    def taken(self, part: Pixels) -> Pixels:
        """Return the rows and columns of the part that are asked for."""
        pixels: Pixels = part[self._rows][:, self._columns]
        return pixels

    def put(self, part: Pixels, target: Pixels) -> None:
        """Copy what is asked for to the place of a plane."""
        pixels = self.taken(part)
        if self._samples is None:
            target[...] = pixels[..., 0]
            return
        for place, sample in enumerate(self._samples):
            if pixels.shape[2] > sample:
                target[..., place] = pixels[..., sample]
            elif pixels.shape[2] == 1 and sample < 3:
                target[..., place] = pixels[..., 0]
            else:
                target[..., place] = _OPAQUE


def _within(indices: Indices, span: range) -> Any:
    """Return how to take indices out of the span that was read."""
    if isinstance(indices, range) and indices.step > 0:
        return slice(None) if indices == span else slice(None, None, indices.step)
    return np.array(indices, np.intp) - span.start


def _swap_red_and_blue(pixels: Pixels) -> None:
    """Turn B, G, R (and alpha) into R, G, B in place."""
    rows = max(_BAND // max(pixels[:1].nbytes, 1), 1)
    for first in range(0, len(pixels), rows):
        band = pixels[first : first + rows]
        blue = band[..., 0].copy()
        band[..., 0] = band[..., 2]
        band[..., 2] = blue


def valid_block(
    document: OpenDocument,
    shown: ImageSelection,
    selection: Mapping[str, Selection],
    level: int,
) -> NDArray[np.bool_]:
    """Return which pixels of a block come from a tile; see `CziImage.valid_pixels`."""
    layout = shown.layout(document)
    samples = {"S": 0} if layout.samples else {}
    region = layout.region({**selection, **samples}, level)
    found = document.memory.make(region.shape, np.dtype(bool), np.zeros)
    if not found.size:
        return found
    whole, part = region.with_dropped(found), _PlanePart(region, layout.samples)
    planes, roi = shown.planes(document, region), part.roi
    masks = document.options.enable_mask_awareness
    for place, plane in layout.coordinates(region):
        request = PlaneRequest(roi, plane, shown.scene, 1.0, PixelType.Gray8, _EMPTY, masks)
        seen = planes.part(document, request)
        if seen is None:
            continue
        valid = part.taken(document.painter.valid(seen, roi.w, roi.h))
        whole[place][...] = valid[..., np.newaxis] if layout.samples else valid
    return found


def has_alpha(document: OpenDocument, scene: int | None) -> bool:
    """Tell whether a pixel of Bgra32 has an alpha; found out once for each state of the file.

    Sub-blocks are decoded until one is found. Pyramid tiles do not count: programs make them opaque
    even in places without pixels.
    """
    return document.cached(f"alpha of scene {scene}", lambda: _find_alpha(document, scene))


def _find_alpha(document: OpenDocument, scene: int | None) -> bool:
    rows = document.table.directory
    chosen = rows.pixel_type == PixelType.Bgra32.value
    if scene is not None:
        chosen &= (rows.scene == scene) | (rows.scene == ABSENT)
    full = chosen & document.table.is_layer0
    for index in np.flatnonzero(full if full.any() else chosen).tolist():
        try:
            if document.decoder.tile(index).pixels[..., 3].any():
                return True
        except (CorruptFileError, UnsupportedDataError):  # reported when its pixels are needed
            continue
    return False


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
    document.paint(found, targets, threads, workers, blank=document.blank)
