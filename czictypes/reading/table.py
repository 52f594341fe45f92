"""All planes of sub-blocks as columns, and the bounds and types that follow from them.

The statistics are those that libCZI computes when it opens a file. Everything is computed at its
first use: a document may have a million sub-blocks, and most users need little of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.container.columns import differ, lowest, narrowed
from czictypes.container.directory import Directory
from czictypes.container.limits import Bounds
from czictypes.model.geometry import ABSENT, NO_M, PLANE_DIMENSIONS, Rectangle
from czictypes.model.lazy import cached_property
from czictypes.model.public import warn_caller
from czictypes.reading.names import DocumentNames
from czictypes.reading.planes import PlaneRows

#: libCZI's rectangle for an empty document.
NO_RECTANGLE = Rectangle(0, 0, -1, -1)

_FORMER_FIELDS = {"physical_w": "stored_w", "physical_h": "stored_h"}


class SubBlockArray(np.ndarray):
    """A structured array that also takes former names of its fields, with a warning.

    Single rows take them as the titles of the fields, without a warning.
    """

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return np.asarray(self)[_field(key)]
        if isinstance(key, list):
            key = [_field(name) if isinstance(name, str) else name for name in key]
        return super().__getitem__(key)

    def __reduce__(self) -> Any:
        return np.asarray(self).__reduce__()


def _field(name: str) -> str:
    field = _FORMER_FIELDS.get(name, name)
    if field != name:
        warn_caller(f"the field {name} of `subblocks` is called {field} now", DeprecationWarning)
    return field


class SubBlockTable:
    """The planes of the sub-blocks of one document, in the order of the file's directory.

    Almost always a row is a sub-block; see `PlaneRows`. `directory` has the columns; the stored
    size there is the size in which a row is read. `bounds` limits the arrays of the document, and
    `names` finds its scenes and channels by their names.
    """

    def __init__(self, rows: PlaneRows | Directory, bounds: Bounds | None = None) -> None:
        self.rows = PlaneRows(rows, rows) if isinstance(rows, Directory) else rows
        self.directory = self.rows.directory
        self.count = int(self.directory.count)
        self.bounds = bounds
        self.names: DocumentNames | None = None

    # One value per sub-block

    @cached_property
    def is_layer0(self) -> NDArray[np.bool_]:
        """Whether a sub-block is stored in full resolution (the stored size is the logical one)."""
        w, h, stored_w, stored_h = self._sizes()
        return np.broadcast_to((w == stored_w) & (h == stored_h), self.count)

    @cached_property
    def zoom(self) -> NDArray[np.float32]:
        """Physical over logical size, in float32 as in libCZI; 0 for an empty sub-block.

        The height decides unless the stored bitmap is wider than high.
        """
        w, h, stored_w, stored_h = self._sizes()
        wide = stored_w > stored_h
        logical = np.where(wide, w, h).astype(np.float32)
        stored = np.where(wide, stored_w, stored_h).astype(np.float32)
        zoom = np.divide(stored, logical, out=np.zeros_like(logical), where=logical > 0)
        return np.broadcast_to(zoom, self.count)

    @cached_property
    def minification(self) -> NDArray[np.float64]:
        """The layer-0 pixels per stored pixel along an axis; 1 on layer 0."""
        rows = self.directory
        wide = rows.stored_w > rows.stored_h
        logical = np.where(wide, rows.w, rows.h).astype(np.float64)
        stored = np.where(wide, rows.stored_w, rows.stored_h)
        ratio = np.divide(logical, stored, out=np.ones_like(logical), where=stored > 0)
        ratio[self.is_layer0] = 1
        return ratio

    @cached_property
    def levels(self) -> NDArray[np.int16]:
        """The pyramid level of a sub-block; 0 is full resolution."""
        if not self.has_pyramid:
            return np.broadcast_to(np.int16(0), self.count)
        rows = self.directory
        weights = np.minimum(rows.stored_w, rows.stored_h)
        return _level_numbers(self.minification, self.is_layer0, weights)

    def _sizes(self) -> tuple[NDArray[np.int32], ...]:
        """Return logical and stored sizes, with a single row if each is the same everywhere."""
        rows = self.directory
        sizes = rows.w, rows.h, rows.stored_w, rows.stored_h
        narrow = tuple(map(narrowed, sizes))
        return narrow if all(len(one) == 1 for one in narrow) else sizes

    # The document as a whole

    @cached_property
    def has_pyramid(self) -> bool:
        """Whether any sub-block is stored in less than full resolution."""
        rows = self.directory
        return differ(rows.w, rows.stored_w) or differ(rows.h, rows.stored_h)

    @cached_property
    def plane_bounds(self) -> dict[str, tuple[int, int]]:
        """Start and size of each plane dimension that any sub-block has (without S)."""
        found = {}
        for name in PLANE_DIMENSIONS:
            column = self.directory.coordinates.get(name)
            bounds = None if column is None else _bounds(column)
            if bounds is not None:
                found[name] = bounds
        return found

    @cached_property
    def m_bounds(self) -> tuple[int, int] | None:
        """Start and size of the M-index, or None if no sub-block has one."""
        column = self.directory.m
        return _bounds(column[column != NO_M])

    @cached_property
    def total_rectangle(self) -> Rectangle:
        """The box of all sub-blocks; width and height are -1 if there are none."""
        return self._box(None)

    @cached_property
    def total_rectangle_no_pyramid(self) -> Rectangle:
        """The box of the sub-blocks on layer 0; width and height are -1 if there are none."""
        return self._box(self.is_layer0) if self.has_pyramid else self.total_rectangle

    @cached_property
    def scene_rectangles(self) -> dict[int, Rectangle]:
        """The box of each scene, in ascending order; empty without scenes."""
        return _rectangles(*self.scene_boxes)

    @cached_property
    def scene_rectangles_no_pyramid(self) -> dict[int, Rectangle]:
        """The same from layer 0 only; width and height are -1 for a scene without layer 0."""
        found = _rectangles(*self._scene_boxes(self.is_layer0))
        return {scene: found.get(scene, NO_RECTANGLE) for scene in self.scene_rectangles}

    @cached_property
    def scene_boxes(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Scene numbers in ascending order, and their boxes (left, top, right, bottom)."""
        return self._scene_boxes(np.ones(self.count, dtype=bool))

    @cached_property
    def channel_pixel_types(self) -> dict[int, int]:
        """The pixel type number of each channel's first sub-block; empty without channels."""
        channels = self.directory.coordinates.get("C")
        if channels is None:
            return {}
        numbers, first = np.unique(narrowed(channels), return_index=True)
        types = self.directory.pixel_type[first]
        return {
            channel: kind
            for channel, kind in zip(numbers.tolist(), types.tolist())
            if channel != ABSENT
        }

    def channel_pixel_type(self, channel: int | None) -> int | None:
        """Return the pixel type number of a channel's first sub-block; None if there is none.

        None, and any channel of a document without channels, stand for the first sub-block of all.
        """
        if channel is not None and self.channel_pixel_types:
            return self.channel_pixel_types.get(channel)
        return int(self.directory.pixel_type[0]) if self.count else None

    @cached_property
    def has_one_type(self) -> bool:
        """Whether all sub-blocks have the same pixel type."""
        types = narrowed(self.directory.pixel_type)
        return len(types) <= 1 or bool((types == types[0]).all())

    def pixel_types_of(self, channel: int | None, scene: int | None = None) -> list[int]:
        """Return the different pixel type numbers of a channel, in the order of the directory.

        `channel` is as for `channel_pixel_type`; a sub-block without a channel counts for every
        one. With a `scene` only its sub-blocks and those without a scene count.
        """
        by_channel = self._types_by_channel
        channels = list(by_channel)
        if channel is not None and self.channel_pixel_types:
            channels = [channel, ABSENT]
        found = [pair for at in channels for pair in by_channel.get(at, ())]
        if scene is not None:
            found = [pair for pair in found if pair[0] in (scene, ABSENT)]
        return list(dict.fromkeys(kind for _, kind in found))

    @cached_property
    def _types_by_channel(self) -> dict[int, list[tuple[int, int]]]:
        """The different (scene, pixel type) pairs of each channel."""
        rows = self.directory
        channel = rows.coordinates.get("C", np.broadcast_to(np.int32(ABSENT), self.count))
        columns = np.stack([channel, rows.scene, rows.pixel_type])
        if not self.count:
            return {}
        order = np.lexsort(columns)
        changes = (np.diff(columns[:, order]) != 0).any(axis=0)
        first = np.sort(order[np.r_[0, np.flatnonzero(changes) + 1]])
        found: dict[int, list[tuple[int, int]]] = {}
        for at, scene, kind in columns[:, first].T.tolist():
            found.setdefault(at, []).append((scene, kind))
        return found

    def meets(self, roi: Rectangle) -> NDArray[np.bool_]:
        """Return which rows meet a rectangle in their logical size."""
        rows = self.directory
        x, y = rows.x.astype(np.int64), rows.y.astype(np.int64)
        met: NDArray[np.bool_] = (x < roi.x + roi.w) & (x + rows.w > roi.x)
        return met & (y < roi.y + roi.h) & (y + rows.h > roi.y)

    def rectangle(self, row: int) -> Rectangle:
        """Return the logical rectangle of a row; the stored one if no read meets it."""
        rows = self.directory
        w, h = rows.w.item(row), rows.h.item(row)
        if not (w or h):
            index = self.rows.sub_block_of(row)
            w, h = self.rows.stored.w.item(index), self.rows.stored.h.item(index)
        return Rectangle(rows.x.item(row), rows.y.item(row), w, h)

    @cached_property
    def as_structured(self) -> NDArray[np.void]:
        """The read-only structured array of `CziReader.subblocks`."""
        rows, stored = self.directory, self.rows.stored
        index = self.rows.sub_blocks(np.arange(self.count)).astype(np.int64)
        columns: list[tuple[str, Any]] = [("index", index)]
        for name in PLANE_DIMENSIONS:
            columns.append((name, rows.coordinates.get(name)))
        columns += [("scene", rows.scene), ("M", rows.m), ("x", rows.x), ("y", rows.y)]
        unmet = (rows.w == 0) & (rows.h == 0)
        columns += [
            (name, np.where(unmet, getattr(stored, name)[index], getattr(rows, name)))
            for name in "wh"
        ]
        columns += [(name, getattr(stored, name)[index]) for name in ("stored_w", "stored_h")]
        columns += [(name, getattr(rows, name)) for name in ("pixel_type", "compression")]
        columns += [("level", self.levels)]
        columns += [(name, getattr(rows, name)) for name in ("file_position", "file_part")]
        titled = {field: (former, field) for former, field in _FORMER_FIELDS.items()}
        dtype = [
            (titled.get(name, name), np.int32 if values is None else values.dtype)
            for name, values in columns
        ]
        table = np.empty(self.count, dtype).view(SubBlockArray)
        for name, values in columns:
            table[name] = ABSENT if values is None else values
        table.flags.writeable = False
        return table

    def _box(self, chosen: NDArray[np.bool_] | None) -> Rectangle:
        rows = self.directory
        x, y, w, h = rows.x, rows.y, rows.w, rows.h
        if lowest(w) < 0 or lowest(h) < 0:  # in a damaged or very unusual file
            sized = (w >= 0) & (h >= 0)
            chosen = sized if chosen is None else sized & chosen
        if chosen is not None and not chosen.all():
            x, y, w, h = x[chosen], y[chosen], w[chosen], h[chosen]
        if not len(x):
            return NO_RECTANGLE
        left, top = int(x.min()), int(y.min())
        return Rectangle(left, top, _furthest(x, w) - left, _furthest(y, h) - top)

    def _scene_boxes(
        self, chosen: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        rows = self.directory
        has_scene = narrowed(rows.scene) != ABSENT
        members = np.flatnonzero(chosen & has_scene) if has_scene.any() else np.empty(0, np.intp)
        if not len(members):
            return np.empty(0, np.int64), np.empty((0, 4), np.int64)
        members = members[np.argsort(rows.scene[members], kind="stable")]
        scene = rows.scene[members]
        first = np.flatnonzero(np.r_[True, scene[1:] != scene[:-1]])
        x, y = rows.x[members].astype(np.int64), rows.y[members].astype(np.int64)
        boxes = np.column_stack(
            [
                np.minimum.reduceat(x, first),
                np.minimum.reduceat(y, first),
                np.maximum.reduceat(x + rows.w[members], first),
                np.maximum.reduceat(y + rows.h[members], first),
            ]
        )
        return scene[first].astype(np.int64), boxes


def _rectangles(scenes: NDArray[np.int64], boxes: NDArray[np.int64]) -> dict[int, Rectangle]:
    return {
        scene: Rectangle(left, top, right - left, bottom - top)
        for scene, (left, top, right, bottom) in zip(scenes.tolist(), boxes.tolist())
    }


def _furthest(starts: NDArray[np.int32], sizes: NDArray[np.int32]) -> int:
    """Return the largest sum of a start and its size; 64-bit sums take ten times as long."""
    sizes = narrowed(sizes)
    wide = int(starts.max()) + int(sizes.max()) >= 1 << 31
    return int(np.add(starts, sizes, dtype=np.int64 if wide else np.int32).max())


def _bounds(column: NDArray[np.int32]) -> tuple[int, int] | None:
    column = narrowed(column)
    present = column[column != ABSENT]
    if not len(present):
        return None
    start = int(present.min())
    return start, int(present.max()) - start + 1


def _level_numbers(
    minification: NDArray[np.float64],
    is_layer0: NDArray[np.bool_],
    weights: NDArray[Any],
) -> NDArray[np.int16]:
    """Return the level of each sub-block: 0 on layer 0, and at least 1 elsewhere.

    The minification is inexact at the edge of an image, where sizes are rounded to whole pixels, so
    the level is that of the nearest power of the file's factor. The `weights` decide on that
    factor: stored sizes, because rounding matters least for large bitmaps.
    """
    levels = np.zeros(len(minification), np.int16)
    pyramid = ~is_layer0
    if not pyramid.any():
        return levels
    scale = np.log(np.maximum(minification[pyramid], 1e-9))
    factor = min((2.0, 3.0), key=lambda f: _misfit(scale, weights[pyramid], f))
    levels[pyramid] = np.maximum(np.rint(scale / np.log(factor)), 1).astype(np.int16)
    return levels


def _misfit(scale: NDArray[np.float64], weights: NDArray[Any], factor: float) -> float:
    """Return the mean distance of the scales from the powers of a factor."""
    step = np.log(factor)
    distance = np.abs(scale - np.maximum(np.rint(scale / step), 1) * step)
    return float((distance * weights).sum())
