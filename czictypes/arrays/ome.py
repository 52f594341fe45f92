"""The OME metadata of a document: of its scenes, and of each plane by its first tile."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.labels import in_utc, pixel_sizes, regular_interval, since_start, times_along
from czictypes.arrays.read import EmptyAlpha, has_alpha
from czictypes.arrays.scenes import channel_types, common_dtype, plane_ranges, scene_box
from czictypes.metadata.annotations import Annotation
from czictypes.metadata.document_info import DocumentInfo, document_info
from czictypes.metadata.ome_document import build_ome
from czictypes.metadata.ome_facts import DocumentFacts, ImageFacts, PlaneFacts, Sizes
from czictypes.metadata.scenes import plate
from czictypes.model.errors import UnsupportedDataError
from czictypes.model.geometry import ABSENT, Rectangle
from czictypes.model.pixel_types import pixel_format
from czictypes.reading.document import OpenDocument
from czictypes.reading.names import (
    channel_infos,
    channel_names,
    metadata_or,
    scene_infos,
    scene_names,
)
from czictypes.reading.subblock import read_columns
from czictypes.reading.table import SubBlockTable

if TYPE_CHECKING:
    from ome_types import OME

_LARGEST = 2**31 - 1
_MOST_LISTED = 10_000  # ome-types takes 0.2 ms to write one, so that is two seconds


def ome_of(document: OpenDocument, planes: bool | None, empty_alpha: EmptyAlpha) -> OME:
    """Return the OME metadata of a document; see `CziImage.to_ome`."""
    info = metadata_or(
        document, lambda document: document.read_metadata(document_info), DocumentInfo()
    )
    images = _images(document, info, planes, empty_alpha) if document.table.count else []
    found = metadata_or(document, lambda document: document.read_metadata(plate), None)
    return build_ome(DocumentFacts(info, found, images))


def _images(
    document: OpenDocument,
    info: DocumentInfo,
    with_planes: bool | None,
    empty_alpha: EmptyAlpha,
) -> list[ImageFacts]:
    gathered = _Gathering(document, empty_alpha)
    images = gathered.images()
    planes = gathered.planes
    if with_planes is None and sum(len(one.first) for one in planes) > _MOST_LISTED:
        # only the planes can have the times of T that are not regular
        is_irregular = any(one.interval is None and one.sizes.t > 1 for one in images)
        planes = [_first_of_each_time(one) for one in planes] if is_irregular else []
        with_planes = 0 < sum(len(one.first) for one in planes) <= _MOST_LISTED
    if with_planes is False:
        return images
    start = in_utc(info.acquisition_date)
    facts = _plane_facts(document, planes, gathered.times, start)
    return [_with_planes(image, one) for image, one in zip(images, facts)]


class _Gathering:
    """The OME values of a document: those that its scenes share, and those of each in turn."""

    def __init__(self, document: OpenDocument, empty_alpha: EmptyAlpha) -> None:
        self._document = document
        self._table = table = document.table
        self._empty_alpha = empty_alpha
        self._names = scene_names(document)
        self._scenes = scene_infos(document)
        z, y, x = pixel_sizes(document)
        self._pixel = (x, y, z)
        self._channels = plane_ranges(table, None)["C"]
        self._infos = channel_infos(document, self._channels)
        nothing: list[Annotation] = []
        drawn = metadata_or(document, lambda document: document.annotations, nothing)
        self._annotations = self._in_pixels(drawn)
        self.planes: list[_ScenePlanes] = []
        self.times: list[NDArray[np.float64] | None] = []

    def images(self) -> list[ImageFacts]:
        """Return what is known of each scene; remember their planes and times."""
        rows = _rows_by_scene(self._table)
        return [self._image(name, *one) for name, one in zip(self._names, rows.items())]

    def _image(self, name: str, scene: int | None, rows: NDArray[np.intp]) -> ImageFacts:
        ranges = plane_ranges(self._table, None if scene is None else rows)
        self.planes.append(_scene_planes(self._table, rows, ranges))
        box, (z, c, t) = scene_box(self._table, scene), _sizes_along(ranges)
        if max(box.w, box.h) > _LARGEST:
            raise UnsupportedDataError(
                f"{self._document.name}: OME metadata hold up to {_LARGEST} pixels a side, but "
                f"scene {name!r} has {box.w} x {box.h}: a sub-block is damaged, or far from "
                "the others"
            )
        self.times.append(since_start(self._document, scene, ranges["T"], rows))
        interval = regular_interval(times_along(self._document, scene, ranges["T"], rows))
        pixel_types = channel_types(self._table, self._channels, scene).values()
        samples = max(pixel_format(one).samples for one in pixel_types)
        if samples == 4 and self._empty_alpha == "drop" and not has_alpha(self._document, scene):
            samples = 3
        return ImageFacts(
            name=name,
            sizes=Sizes(box.w, box.h, z, c, t),
            dtype=common_dtype(pixel_types),
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
    """Add the planes; the channels have the exposure times that the tiles lack."""
    known = [info.exposure_time for info in image.channels] or [None]
    of_channel: NDArray[np.float64] = np.array(known, np.float64)[planes.c]
    exposure = np.where(np.isnan(planes.exposure), of_channel, planes.exposure)
    return replace(image, planes=replace(planes, exposure=exposure))


_FIELDS = ("stage_x", "stage_y", "focus_z", "acquisition_time", "exposure_time")
_MOST_PLACES = 1_000_000
_SECOND = np.timedelta64(1, "s")


class _ScenePlanes(NamedTuple):
    """The planes of a scene that have tiles in full resolution.

    Attributes
    ----------
    z, c, t
        Their indices, those along T counted through all dimensions before it.
    first, tiles
        The first sub-block of each, and how many there are.
    part
        The index of each plane in its sub-block, whose time and focus are those of its first
        plane.
    """

    z: NDArray[np.intp]
    c: NDArray[np.intp]
    t: NDArray[np.intp]
    first: NDArray[np.intp]
    tiles: NDArray[np.intp]
    part: NDArray[np.int64]


def _rows_by_scene(table: SubBlockTable) -> dict[int | None, NDArray[np.intp]]:
    """Return the sub-blocks of each scene; those of None where the document has no scenes."""
    numbers = list(table.scene_rectangles)
    if not numbers:
        return {None: np.arange(table.count)}
    scenes = table.directory.scene
    order = np.argsort(scenes, kind="stable")
    ends = np.searchsorted(scenes[order], numbers, side="right")
    begins = np.searchsorted(scenes[order], numbers, side="left")
    return {number: order[begin:end] for number, begin, end in zip(numbers, begins, ends)}


def _sizes_along(ranges: Mapping[str, range]) -> tuple[int, int, int]:
    """Return how many Z and C there are, and T times the dimensions before it."""
    z, c = len(ranges["Z"]), len(ranges["C"])
    t = math.prod(len(values) for name, values in ranges.items() if name not in "ZC")
    return z, c, t


def _scene_planes(
    table: SubBlockTable, rows: NDArray[np.intp], ranges: Mapping[str, range]
) -> _ScenePlanes:
    """Return the planes of a scene, given its sub-blocks and the coordinates along each dimension.

    A tile that lacks a dimension counts for each place in it, behind those that are there.
    """
    rows = rows[table.is_layer0[rows]]
    places, lacks = np.zeros((0, len(rows)), np.int64), np.zeros(len(rows), np.int64)
    for name, values in ranges.items():
        column = table.directory.coordinates.get(name)
        at = np.zeros(len(rows), np.int64)
        if column is not None:
            there = column[rows] != ABSENT
            which, steps = _repeated(there, len(values))
            at = np.where(there, column[rows].astype(np.int64) - values.start, 0)[which] + steps
            rows, places = rows[which], places[:, which]
            lacks = lacks[which] + ~there[which]
        places = np.vstack([places, at])
    sizes = np.array([len(values) for values in ranges.values()])
    inside = ((places >= 0) & (places < sizes[:, np.newaxis])).all(axis=0)
    rows, places, lacks = rows[inside], places[:, inside], lacks[inside]
    by_name = dict(zip(ranges, places))
    along_t = np.zeros(len(rows), np.int64)
    for name in (name for name in ranges if name not in "ZC"):
        along_t = along_t * len(ranges[name]) + by_name[name]
    z_count, c_count, _ = _sizes_along(ranges)
    keys = (along_t * c_count + by_name["C"]) * z_count + by_name["Z"]
    order = np.lexsort((lacks, keys))
    rows, keys = rows[order], keys[order]
    keys, first, tiles = np.unique(keys, return_index=True, return_counts=True)
    rest, z = np.divmod(keys, z_count)
    t, c = np.divmod(rest, c_count)
    rows = rows[first]
    return _ScenePlanes(z, c, t, table.rows.sub_blocks(rows), tiles, table.rows.parts(rows))


def _repeated(there: NDArray[np.bool_], size: int) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Return tiles again for each of `size` places where they are not there, and these places."""
    counts = np.where(there, 1, np.int64(size))
    if counts.sum() > _MOST_PLACES + len(there):  # as one damaged number makes it
        counts = np.ones(len(there), np.int64)
    which = np.repeat(np.arange(len(there)), counts)
    return which, np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)


def _first_of_each_time(planes: _ScenePlanes) -> _ScenePlanes:
    """Return the first plane of each T."""
    _, first = np.unique(planes.t, return_index=True)
    return _ScenePlanes(*(column[first] for column in planes))


def _plane_facts(
    document: OpenDocument,
    planes: Sequence[_ScenePlanes],
    times: Sequence[NDArray[np.float64] | None],
    start: np.datetime64 | None,
) -> list[PlaneFacts]:
    """Read the metadata of the first tile of each plane, for several scenes at once.

    The times of each T of each scene, in seconds since the beginning, are for planes whose tile has
    none. The acquisition began at `start` in UTC, by default with the first of these tiles.
    """
    rows = [int(row) for one in planes for row in one.first]
    found = read_columns(document, rows, _FIELDS)
    moments = found["acquisition_time"]
    if start is None and not np.isnat(moments).all():
        start = moments[~np.isnat(moments)].min()
    time = np.full(len(rows), np.nan)
    if start is not None:
        time = (moments - start) / _SECOND
    facts, begin = [], 0
    for one, along in zip(planes, times):
        part = slice(begin, begin + len(one.first))
        begin = part.stop
        several = one.tiles > 1  # the place of a tile is not that of the mosaic
        time[part][one.part > 0] = np.nan
        facts.append(
            PlaneFacts(
                one.z,
                one.c,
                one.t,
                time[part] if along is None else _filled(time[part], along[one.t % len(along)]),
                found["exposure_time"][part],
                np.where(several, np.nan, found["stage_x"][part]),
                np.where(several, np.nan, found["stage_y"][part]),
                np.where(one.part > 0, np.nan, found["focus_z"][part]),
            )
        )
    return facts


def _filled(times: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fill gaps with times that may be counted from another moment, if a plane has both."""
    both = np.flatnonzero(np.isfinite(times) & np.isfinite(known))
    offset = times[both[0]] - known[both[0]] if len(both) else 0.0
    return np.where(np.isnan(times), known + offset, times)
