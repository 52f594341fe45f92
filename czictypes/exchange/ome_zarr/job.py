"""The work of writing an OME-Zarr as any thread or process can do a part of it."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.image_base import Image
from czictypes.exchange.ome_zarr.engines import ArrayAccess, open_array
from czictypes.exchange.ome_zarr.passes import Pass
from czictypes.exchange.ome_zarr.pixels import FiveAxes, Region, reduce_block, reduced_region
from czictypes.exchange.ome_zarr.plan import ImagePlan
from czictypes.exchange.ome_zarr.store import ZarrStore

__all__ = ["Job"]


class Job:
    """Reads regions and writes them to the arrays of a store, which are there already.

    It may be used by many threads at once, and pickles: what it needs is opened where it lands.

    Parameters
    ----------
    image
        The document. It is not closed.
    store
        Where the arrays are.
    images, passes
        What is to be written, and the walks over it.
    version, fast
        Of the arrays, and whether tensorstore writes them.
    """

    def __init__(
        self,
        image: Image,
        store: ZarrStore,
        images: Sequence[ImagePlan],
        passes: Sequence[Pass],
        version: str,
        *,
        fast: bool = False,
    ) -> None:
        self._image: Image | None = image
        self._reopen = b""
        self._store = store
        self._images, self._passes = tuple(images), tuple(passes)
        self._engine = version, fast
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._arrays: dict[str, ArrayAccess] = {}
        self._sources: dict[tuple[int, int], FiveAxes] = {}

    def __getstate__(self) -> tuple[Any, ...]:
        reopen = self._reopen or pickle.dumps(self._image)
        return reopen, self._store, self._images, self._passes, self._engine

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        # The document is opened by the first task: a scheduler only passes a job on.
        self._reopen, self._store, self._images, self._passes, self._engine = state
        self._image = None
        self._begin()

    def run(self, number: int, task: int) -> None:
        """Do one task of a pass."""
        work = self._passes[number]
        plan = self._images[work.image]
        region = work.region(task)
        if work.writes:
            block = self._source(work.image, work.level).read(region)
            self._write(plan, work.level, region, block)
        else:
            block = self._array(plan, work.level).read(_slices(region))
        for level in range(work.level + 1, work.level + 1 + work.depth):
            factor = plan.levels[level].factor
            block, region = reduce_block(block, factor), reduced_region(region, factor)
            if not block.size:
                break
            self._write(plan, level, region, block)

    def close(self) -> None:
        """Let go of the arrays, and of the document if it was opened here."""
        with self._lock:
            self._arrays.clear()
            self._sources.clear()
            if self._reopen and self._image is not None:
                self._image.close()
                self._image = None

    def _write(self, plan: ImagePlan, level: int, region: Region, block: NDArray[Any]) -> None:
        if block.dtype.byteorder == ">":
            block = block.astype(block.dtype.newbyteorder("<"))
        self._array(plan, level).write(_slices(region), np.ascontiguousarray(block))

    def _array(self, plan: ImagePlan, level: int) -> ArrayAccess:
        path = plan.array_path(level)
        version, fast = self._engine
        with self._lock:
            if path not in self._arrays:
                self._arrays[path] = open_array(self._store, version, path, fast=fast)
            return self._arrays[path]

    def _source(self, image: int, level: int) -> FiveAxes:
        with self._lock:
            if (image, level) not in self._sources:
                if self._image is None:
                    self._image = pickle.loads(self._reopen)
                assert self._image is not None
                plan = self._images[image]
                number = "all" if plan.scene < 0 else plan.scene
                scene = self._image._at(number)
                self._sources[image, level] = FiveAxes(scene, plan.plane, level)
            return self._sources[image, level]


def _slices(region: Region) -> tuple[slice, ...]:
    return tuple(slice(*span) for span in region)
