"""Composes a plane from tiles: the one place where pixels are put together.

`plan` says which tiles are needed and what each of them paints; here threads take tile after
tile, decode it, and put it in its place. At zoom 1 a tile paints only what remains visible of
it, so tiles do not depend on each other. Tiles that may have a mask, and those of a scaled read
(whose edges share pixels), are prepared in any order but painted in turns, the lower before the
higher one.
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Executor, Future, wait
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from czictypes.model.errors import CorruptFileError
from czictypes.reading.background import background_value, fill
from czictypes.reading.conversion import check_convertible, convert
from czictypes.reading.coverage import Box
from czictypes.reading.plan import Job, PlaneRequest, make_plan, output_shape
from czictypes.reading.plane_index import PlaneIndex
from czictypes.reading.turns import Turns

__all__ = ["PlaneRequest", "Tile", "TileProvider", "compose", "output_shape"]

#: Decoding fewer pixels than this takes less time than waking another thread.
_PIXELS_PER_THREAD = 64 * 1024


class Tile(NamedTuple):
    """A decoded sub-block.

    `pixels` has the shape (height, width, samples) and the dtype of the sub-block's pixel type.
    `mask`, of the shape (height, width), is True for valid pixels; None means that all are valid.
    """

    pixels: NDArray[Any]
    mask: NDArray[np.bool_] | None = None


class TileProvider(Protocol):
    """Where decoded tiles come from; called from many threads at once."""

    def tile(self, index: int) -> AbstractContextManager[Tile]:
        """Give the tile of a sub-block; its arrays are read only within the `with` block."""


def compose(
    index: PlaneIndex,
    request: PlaneRequest,
    tiles: TileProvider,
    out: NDArray[Any],
    executor: Executor | None = None,
    threads: int | None = None,
) -> None:
    """Compose a plane into an array; the result is the same for any number of threads.

    Parameters
    ----------
    index
        The sub-blocks of the document.
    request
        What is read.
    tiles
        Where decoded tiles come from.
    out
        The array to fill, of shape `output_shape` and the request's pixel type; any view that
        can be written to will do. Every pixel is set.
    executor
        Threads that may help the calling one; they may serve other reads at the same time.
    threads
        How many threads shall work at most, the calling one among them; by default as many as
        the machine has CPUs. No more decoded tiles than that are in memory at any moment.

    Raises
    ------
    UnsupportedDataError
        If a tile's pixels cannot be converted; nothing is painted then.
    CorruptFileError
        If a tile is smaller than the directory says. That, and whatever `tiles` raises, leaves
        the contents of `out` undefined.
    ValueError
        If `out` has another shape.
    """
    if out.shape != output_shape(request):
        raise ValueError(f"out must have the shape {output_shape(request)}, not {out.shape}")
    if 0 in out.shape:
        return
    painter = _Painter(index, request, tiles, out)
    helpers: list[Future[None]] = []
    try:
        if executor is not None:
            most = (os.cpu_count() or 1) if threads is None else threads
            for _ in range(painter.useful_threads(most) - 1):
                helpers.append(executor.submit(painter.work))
        painter.work()
    except BaseException:
        painter.stop()
        raise
    finally:
        # Who has not started has nothing left to do; hereafter nobody may touch `out` any more.
        started = [helper for helper in helpers if not helper.cancel()]
        if started:
            wait(started)
    for helper in started:
        helper.result()


class _Painter:
    """The jobs of one read, worked off by any number of threads."""

    def __init__(
        self, index: PlaneIndex, request: PlaneRequest, tiles: TileProvider, out: NDArray[Any]
    ) -> None:
        self._rows, self._tiles, self._out = index.table.directory, tiles, out
        self._target = request.pixel_type
        self._plan = make_plan(index, request)
        self._indices = [job.sub_block for job in self._plan.jobs]
        check_convertible(set(self._rows.pixel_type[self._indices].tolist()), self._target)
        self._todo = deque(self._plan.jobs)
        self._turns = Turns() if self._plan.in_turns else None
        if not self._plan.covers_all:
            fill(out, background_value(request.pixel_type, request.background))

    def useful_threads(self, most: int) -> int:
        """Return how many threads are worth their start for this work."""
        widths = self._rows.physical_w[self._indices].astype(np.int64)
        pixels = int((widths * self._rows.physical_h[self._indices]).sum())
        return min(most, len(self._indices), pixels // _PIXELS_PER_THREAD)

    def work(self) -> None:
        """Paint tile after tile until none is left; run by every thread that takes part."""
        try:
            while True:
                try:
                    job = self._todo.popleft()
                except IndexError:
                    return
                self._paint(job)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Leave undone what no thread has begun."""
        self._todo.clear()
        if self._turns is not None:
            self._turns.stop()

    def _paint(self, job: Job) -> None:
        with self._tiles.tile(job.sub_block) as tile:
            self._check_size(job.sub_block, tile)
            if self._turns is None:
                for box in job.parts:
                    self._convert(job, tile, box, self._place(box))
                return
            (box,) = job.parts
            place = self._place(box)
            ready = np.empty(place.shape, place.dtype)
            self._convert(job, tile, box, ready)
            valid: Any = True
            if tile.mask is not None:
                valid = self._sample(tile.mask[..., np.newaxis], job.position, box)
        if self._turns.wait_for(job.number):
            np.copyto(place, ready, where=valid)
            self._turns.done()

    def _place(self, box: Box) -> NDArray[Any]:
        left, top, right, bottom = box
        return self._out[top:bottom, left:right]

    def _convert(self, job: Job, tile: Tile, box: Box, out: NDArray[Any]) -> None:
        pixels = self._sample(tile.pixels, job.position, box)
        convert(pixels, int(self._rows.pixel_type[job.sub_block]), self._target, out)

    def _sample(self, pixels: NDArray[Any], position: int, box: Box) -> NDArray[Any]:
        """Return the pixels of a tile that go to a box of the result."""
        left, top, right, bottom = box
        rows = self._plan.y.source(position, top, bottom)
        columns = self._plan.x.source(position, left, right)
        if isinstance(columns, slice):
            return pixels[rows, columns]
        first = int(columns[0])
        return pixels[rows, first : int(columns[-1]) + 1].take(columns - first, axis=1)

    def _check_size(self, index: int, tile: Tile) -> None:
        height, width = int(self._rows.physical_h[index]), int(self._rows.physical_w[index])
        if tile.pixels.shape[0] < height or tile.pixels.shape[1] < width:
            raise CorruptFileError(
                f"sub-block {index} decodes to {tile.pixels.shape[1]} x {tile.pixels.shape[0]} "
                f"pixels, but the directory says {width} x {height}; the file is damaged"
            )
