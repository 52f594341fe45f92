"""Gathers the metadata of the scenes of a document, for OME metadata."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.alpha import EmptyAlpha, has_alpha
from czictypes.arrays.channel_labels import channel_infos, channel_names
from czictypes.arrays.ome_planes import (
    ScenePlanes,
    first_of_each_time,
    plane_facts,
    rows_by_scene,
    scene_planes,
    sizes_along,
)
from czictypes.arrays.pixel_sizes import pixel_sizes
from czictypes.arrays.scene_infos import scene_infos
from czictypes.arrays.scene_layout import channel_types, common_dtype, plane_ranges, scene_box
from czictypes.arrays.scene_names import scene_names
from czictypes.arrays.times import in_utc, regular_interval, since_start, times_along
from czictypes.arrays.tolerant import told
from czictypes.metadata.annotations import Annotation
from czictypes.metadata.document_info import DocumentInfo
from czictypes.metadata.ome_document import build_ome
from czictypes.metadata.ome_facts import DocumentFacts, ImageFacts, PlaneFacts, Sizes
from czictypes.model.errors import UnsupportedDataError
from czictypes.model.geometry import Rectangle
from czictypes.model.pixel_types import pixel_format
from czictypes.reading.document import OpenDocument
from czictypes.reading.plane_reads import open_document_of
from czictypes.reading.reader import CziReader

if TYPE_CHECKING:
    from ome_types import OME

__all__ = ["ome_of"]

_LARGEST = 2**31 - 1
_MOST_LISTED = 10_000  # ome-types takes 0.2 ms to write one, so that is two seconds


def ome_of(
    reader: CziReader, planes: bool | None = None, *, empty_alpha: EmptyAlpha = "keep"
) -> OME:
    """Return the OME metadata of a document; see `ImageDescription.to_ome`."""
    with open_document_of(reader) as document:
        info = told(reader, lambda reader: reader.document_info, DocumentInfo())
        images = (
            _images(reader, document, info, planes, empty_alpha) if document.table.count else []
        )
        plate = told(reader, lambda reader: reader.plate, None)
    return build_ome(DocumentFacts(info, plate, images))


def _images(
    reader: CziReader,
    document: OpenDocument,
    info: DocumentInfo,
    with_planes: bool | None,
    empty_alpha: EmptyAlpha,
) -> list[ImageFacts]:
    gathered = _Gathering(reader, document, empty_alpha)
    images = gathered.images()
    planes = gathered.planes
    if with_planes is None and sum(len(one.first) for one in planes) > _MOST_LISTED:
        # the times of T that are not regular are told nowhere else
        odd = any(one.interval is None and one.sizes.t > 1 for one in images)
        planes = [first_of_each_time(one) for one in planes] if odd else []
        with_planes = 0 < sum(len(one.first) for one in planes) <= _MOST_LISTED
    if with_planes is False:
        return images
    start = in_utc(info.acquisition_date)
    facts = plane_facts(reader, planes, gathered.times, start)
    return [_with_planes(image, one) for image, one in zip(images, facts)]


class _Gathering:
    """The OME values of a document: those that its scenes share, and those of each in turn."""

    def __init__(self, reader: CziReader, document: OpenDocument, empty_alpha: EmptyAlpha) -> None:
        self._reader, self._document = reader, document
        self._table = table = document.table
        self._empty_alpha = empty_alpha
        self._names = scene_names(reader)
        self._scenes = scene_infos(reader)
        z, y, x = pixel_sizes(reader)
        self._pixel = (x, y, z)
        self._channels = plane_ranges(table, None)["C"]
        self._infos = channel_infos(reader, self._channels)
        self._annotations = self._in_pixels(told(reader, lambda reader: reader.annotations, []))
        self.planes: list[ScenePlanes] = []
        self.times: list[NDArray[np.float64] | None] = []

    def images(self) -> list[ImageFacts]:
        """Return what is known of each scene; remember their planes and times."""
        rows = rows_by_scene(self._table)
        return [self._image(name, *one) for name, one in zip(self._names, rows.items())]

    def _image(self, name: str, scene: int | None, rows: NDArray[np.intp]) -> ImageFacts:
        ranges = plane_ranges(self._table, None if scene is None else rows)
        self.planes.append(scene_planes(self._table, rows, ranges))
        box, (z, c, t) = scene_box(self._table, scene), sizes_along(ranges)
        if max(box.w, box.h) > _LARGEST:
            raise UnsupportedDataError(
                f"{self._document.name}: OME metadata hold up to {_LARGEST} pixels a side, but "
                f"scene {name!r} has {box.w} x {box.h}: a sub-block is damaged, or far from "
                "the others"
            )
        self.times.append(since_start(self._reader, scene, ranges["T"], rows))
        interval = regular_interval(times_along(self._reader, scene, ranges["T"], rows))
        kinds = channel_types(self._table, self._channels, scene)
        samples = max(pixel_format(kind).samples for kind in kinds.values())
        if samples == 4 and self._empty_alpha == "drop" and not has_alpha(self._document, scene):
            samples = 3
        return ImageFacts(
            name=name,
            sizes=Sizes(box.w, box.h, z, c, t),
            dtype=common_dtype(kinds),
            samples=samples,
            channels=self._infos,
            channel_names=channel_names(self._infos),
            pixel=self._pixel,
            interval=None if interval is None else interval.total_seconds(),
            scene=self._scenes.get(scene),
            annotations=self._drawn(box),
            along_t={name: len(one) for name, one in ranges.items() if name not in "ZC"},
        )

    def _in_pixels(self, drawn: list[Annotation]) -> list[Annotation]:
        x, y, _ = self._pixel
        size = None if x is None else x / 1e6, None if y is None else y / 1e6
        return [one for one in (each.in_pixels(*size) for each in drawn) if one is not None]

    def _drawn(self, box: Rectangle) -> list[Annotation]:
        """Return what is drawn on a scene, in its pixels; all where there is no other scene."""
        whole = self._table.total_rectangle_no_pyramid
        x, y = whole.x - box.x, whole.y - box.y
        moved = [one.moved(x, y) for one in self._annotations]
        if len(self._names) == 1:
            return moved
        return [one for one in moved if _meets(one, box)]


def _meets(one: Annotation, box: Rectangle) -> bool:
    if one.bounds is None:
        return False
    left, top, right, bottom = one.bounds
    return left < box.w and top < box.h and right >= 0 and bottom >= 0


def _with_planes(image: ImageFacts, planes: PlaneFacts) -> ImageFacts:
    """Add the planes; what their tiles do not tell of exposure, the channels do."""
    known = [info.exposure_time for info in image.channels] or [None]
    of_channel: NDArray[np.float64] = np.array(known, np.float64)[planes.c]
    exposure = np.where(np.isnan(planes.exposure), of_channel, planes.exposure)
    return replace(image, planes=replace(planes, exposure=exposure))
