"""Documents that exist in memory only: a directory of tiles, and their pixels."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from czictypes.container.directory import Directory
from czictypes.kernel.library import get_kernel
from czictypes.model.geometry import ABSENT, DIMENSIONS, Color, Rectangle
from czictypes.model.pixel_types import PixelType, pixel_format
from czictypes.reading.paint import Painter, Part
from czictypes.reading.request import PlaneRequest, output_shape
from czictypes.reading.table import SubBlockTable
from czictypes.reading.tiles import DecodedTile

__all__ = [
    "Entry",
    "MemoryTiles",
    "by_numpy",
    "directory_of",
    "needs_kernel",
    "pixels_of",
    "read",
    "table_of",
]

#: For what the fallback does in its simpler way.
needs_kernel = pytest.mark.skipif(get_kernel() is None, reason="CZICTYPES_KERNEL=0 or no kernel")


@dataclass
class Entry:
    """A sub-block: where it lies, and how it is stored (in its logical size by default)."""

    x: int = 0
    y: int = 0
    w: int = 10
    h: int = 10
    stored: tuple[int, int] | None = None
    m: int | None = None
    plane: Mapping[str, int] = field(default_factory=lambda: {"C": 0})
    pixel_type: PixelType = PixelType.Gray8

    @property
    def stored_size(self) -> tuple[int, int]:
        return (self.w, self.h) if self.stored is None else self.stored


def directory_of(entries: Sequence[Entry]) -> Directory:
    """Return the directory that a file with these sub-blocks has."""

    def column(values: Sequence[int | None], dtype: Any = np.int32) -> NDArray[Any]:
        return np.array([ABSENT if value is None else value for value in values], dtype)

    present = [name for name in DIMENSIONS if any(name in entry.plane for entry in entries)]
    coordinates = {name: column([entry.plane.get(name) for entry in entries]) for name in present}
    return Directory(
        x=column([entry.x for entry in entries]),
        y=column([entry.y for entry in entries]),
        w=column([entry.w for entry in entries]),
        h=column([entry.h for entry in entries]),
        stored_w=column([entry.stored_size[0] for entry in entries]),
        stored_h=column([entry.stored_size[1] for entry in entries]),
        m=column([entry.m for entry in entries]),
        scene=column([entry.plane.get("S") for entry in entries]),
        pixel_type=column([entry.pixel_type for entry in entries]),
        compression=column([0] * len(entries)),
        file_position=column([1000 + 32 * k for k in range(len(entries))], np.int64),
        pyramid_type=column([0] * len(entries), np.uint8),
        file_part=column([0] * len(entries)),
        coordinates=coordinates,
    )


def table_of(*entries: Entry) -> SubBlockTable:
    return SubBlockTable(directory_of(entries))


def pixels_of(entry: Entry, seed: int) -> NDArray[Any]:
    """Return random pixels of the entry's stored size and type."""
    layout = pixel_format(entry.pixel_type)
    width, height = entry.stored_size
    shape = (height, width, layout.samples)
    rng = np.random.default_rng(seed)
    if layout.dtype[1] == "u":
        return rng.integers(0, np.iinfo(layout.dtype).max, shape, layout.dtype, endpoint=True)
    return rng.random(shape).astype(layout.dtype)


class MemoryTiles:
    """Gives tiles out of memory; counts how many are in use, and which were asked for."""

    def __init__(
        self,
        pixels: Sequence[NDArray[Any]],
        masks: Mapping[int, NDArray[np.bool_]] | None = None,
    ) -> None:
        self.pixels, self.masks = pixels, masks or {}
        self.asked_for: list[int] = []
        self.in_use = self.most_in_use = 0
        self._lock = threading.Lock()

    @classmethod
    def random(cls, entries: Sequence[Entry]) -> MemoryTiles:
        return cls([pixels_of(entry, seed) for seed, entry in enumerate(entries)])

    def tile(self, row: int, first: int = 0, end: int | None = None) -> DecodedTile:
        with self.counted(row):
            return DecodedTile(self.pixels[row], 0, len(self.pixels[row]), self.masks.get(row))

    @contextmanager
    def counted(self, row: int) -> Iterator[None]:
        with self._lock:
            self.asked_for.append(row)
            self.in_use += 1
            self.most_in_use = max(self.most_in_use, self.in_use)
        try:
            yield
        finally:
            with self._lock:
                self.in_use -= 1


def read(
    entries: Sequence[Entry],
    tiles: MemoryTiles,
    roi: tuple[int, int, int, int],
    *,
    plane: Mapping[str, int] | None = None,
    scene: int | None = None,
    zoom: float = 1,
    pixel_type: PixelType = PixelType.Gray8,
    background: Any = Color(0, 0, 0),  # noqa: B008
    mask_aware: bool = False,
    workers: Any = None,
    threads: int | None = None,
) -> NDArray[Any]:
    """Read a plane of a document in memory into a new array."""
    request = PlaneRequest(
        Rectangle(*roi),
        {"C": 0} if plane is None else plane,
        scene,
        zoom,
        pixel_type,
        background,
        mask_aware,
    )
    out = np.full(output_shape(request), 99, pixel_format(pixel_type).dtype)
    Painter(table_of(*entries), tiles).paint([Part(request)], [out], threads or 1, workers)
    return out


def by_numpy(painter: Painter) -> Painter:
    """Return a painter of the same tiles that does without the kernel."""
    other = Painter(painter.table, painter.tiles)
    other._kernel = None
    return other
