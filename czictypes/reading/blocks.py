"""Reads of the same part of many planes: what the arrays are made of."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, wait
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from czictypes.model.geometry import Rectangle
from czictypes.model.pixel_types import PixelType
from czictypes.reading.compositor import PlaneRequest, compose
from czictypes.reading.document import OpenDocument
from czictypes.reading.level_grid import LevelGrid
from czictypes.reading.level_plan import make_level_plan
from czictypes.reading.reader import CziReader

__all__ = ["Compose", "open_document_of", "read_planes"]

T = TypeVar("T")

#: Fills an array (height, width, samples) of a pixel type with the part of a plane.
Compose = Callable[[Mapping[str, int], PixelType, NDArray[Any]], None]

_BLACK = (0.0, 0.0, 0.0)


def open_document_of(reader: CziReader) -> AbstractContextManager[OpenDocument]:
    """Hold the document of a reader open, as the file is now, for the length of a `with` block.

    Raises
    ------
    ClosedError
        After the reader was closed.
    """
    return reader._session.document()


def read_planes(
    reader: CziReader,
    document: OpenDocument,
    grid: LevelGrid,
    roi: Rectangle,
    scene: int | None,
    planes: Iterable[T],
    count: int,
    read: Callable[[T, Compose], None],
    threads: int | None = None,
) -> None:
    """Read a part of a level in many planes, several at a time where there are enough of them.

    Parameters
    ----------
    reader, document
        What is read, and its document, held open.
    grid, roi
        The level, and the part of it in its own pixels.
    scene
        The scene that is shown, or None for all.
    planes, count
        Whatever stands for a plane, and how many there are.
    read
        Called with each of them, and with a function that fills an array with the part of a
        plane: ``compose(coordinate, pixel_type, out)``. It may be called in several threads.
    threads
        How many may work at most; by default those of the document.
    """
    pool = document.pool
    threads = pool.threads if threads is None else min(threads, pool.threads)
    executor = pool.executor() if threads > 1 else None
    all_scenes = np.array(sorted(document.table.scene_rectangles), np.int64)
    scenes = all_scenes if scene is None else np.array([scene], np.int64)
    choices = {name for name, (_, size) in document.table.plane_bounds.items() if size > 1}
    mask_aware = reader._options.enable_mask_awareness
    in_parallel = count >= threads > 1

    def compose_plane(
        coordinate: Mapping[str, int], pixel_type: PixelType, out: NDArray[Any]
    ) -> None:
        plane = {name: at for name, at in coordinate.items() if name in choices}
        plan = make_level_plan(document.index, grid, roi, plane, scenes, mask_aware=mask_aware)
        request = PlaneRequest(roi, plane, scene, 1.0, pixel_type, _BLACK, mask_aware)
        helpers = None if in_parallel else executor
        compose(document.index, request, document.decoder, out, helpers, threads, plan)

    if in_parallel and executor is not None:
        _each(planes, lambda one: read(one, compose_plane), executor, threads)
    else:
        for one in planes:
            read(one, compose_plane)


def _each(items: Iterable[T], work: Callable[[T], None], executor: Executor, threads: int) -> None:
    """Call a function with each item, in this thread and others; the first error ends it."""
    lock, waiting = threading.Lock(), iter(items)
    end: list[bool] = []

    def loop() -> None:
        try:
            while not end:
                with lock:
                    try:
                        item = next(waiting)
                    except StopIteration:
                        return
                work(item)
        except BaseException:
            end.append(True)
            raise

    helpers = [executor.submit(loop) for _ in range(threads - 1)]
    try:
        loop()
    finally:
        started = [helper for helper in helpers if not helper.cancel()]
        wait(started)
    for helper in started:
        helper.result()
