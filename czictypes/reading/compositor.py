"""Composes a plane from tiles: the one place where pixels are put together.

`plan` says which tiles are needed and what each of them paints; here threads take tile after
tile, decode it, and put it in its place. At zoom 1 a tile paints only what remains visible of
it, so tiles do not depend on each other. Tiles that may have a mask, and those of a scaled read
(whose edges share pixels), are prepared in any order but painted in turns, the lower before the
higher one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from czictypes.container.pixels import ROWS_APART, use_rows
from czictypes.container.workers import Workers, check_stopped
from czictypes.model.errors import CorruptFileError
from czictypes.model.pixel_types import Compression, PixelType, pixel_format
from czictypes.reading.background import background_value, fill
from czictypes.reading.conversion import check_convertible, paint
from czictypes.reading.coverage import Box
from czictypes.reading.expectation import Expectation, wanted_rows
from czictypes.reading.plan import (
    Job,
    Plan,
    PlaneRequest,
    make_plan,
    output_shape,
    sample,
    window,
)
from czictypes.reading.plane_index import PlaneIndex
from czictypes.reading.threads import thread_count, together
from czictypes.reading.tile import Tile
from czictypes.reading.turns import Turns

__all__ = ["PlaneRequest", "TileProvider", "compose", "output_shape"]

#: Decoding fewer pixels than this takes less time than waking another thread.
_PIXELS_PER_THREAD = 64 * 1024
#: Threads that paint smaller tiles than this mostly wait for each other: Python runs one of them.
_SMALL_TILE = 64 * 64
#: Of this many pixels, small tiles are read together.
_PIXELS_PER_BATCH = 512 * 1024
_KNOWN = frozenset(map(int, PixelType))

#: Its number in the order of painting, and its jobs.
_Batch = tuple[int, list[Job]]


class TileProvider(Protocol):
    """A source of decoded tiles; called from many threads at once.

    It may also have a method `tiles`, which takes a list of sub-blocks and yields the tile of
    each in turn, valid until the next is asked for: then it is asked for batches of them. With an
    `Expectation` as its `expectation` it is told beforehand what a read needs, and the batches
    come in the order of the file; without one each thread has a stretch of the file of its own.
    With a true `may_be_blank`, its tiles need not cover what they lie over.
    """

    def tile(self, index: int) -> AbstractContextManager[Tile]:
        """Give the tile of a sub-block; its arrays are read only within the `with` block."""


def compose(
    index: PlaneIndex,
    request: PlaneRequest,
    tiles: TileProvider,
    out: NDArray[Any],
    workers: Workers | None = None,
    threads: int | None = None,
    plan: Plan | None = None,
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
    workers
        Threads that may help the calling one; they may serve other reads at the same time.
    threads
        How many threads shall work at most, the calling one among them; by default as many as
        `thread_count` says. No more decoded tiles than that are in memory at any moment.
    plan
        What is to be done, where it is not that which follows from the request.

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
    painter = _Painter(index, request, tiles, out, plan)
    most = 1 if workers is None else thread_count(threads)
    with painter.expected():
        together(painter.work, painter.distribute(most), workers)  # then nobody touches `out`


class _Painter:
    """The jobs of one read, worked off in batches by any number of threads."""

    def __init__(
        self,
        index: PlaneIndex,
        request: PlaneRequest,
        tiles: TileProvider,
        out: NDArray[Any],
        plan: Plan | None,
    ) -> None:
        many = getattr(tiles, "tiles", None) or partial(_one_by_one, tiles)
        self._tiles: Callable[[list[int]], Generator[Tile, None, None]] = many
        self._expectation: Expectation | None = getattr(tiles, "expectation", None)
        self._out, self._target = out, request.pixel_type
        self._plan = make_plan(index, request) if plan is None else plan
        self._rows = rows = index.table.directory
        self._indices = np.array([job.sub_block for job in self._plan.jobs], np.intp)
        may_be_blank = getattr(tiles, "may_be_blank", False)
        self._types = rows.pixel_type[self._indices].tolist()
        if may_be_blank:  # a tile of an unknown type is blank, and so of any
            self._types = [one if one in _KNOWN else self._target for one in self._types]
        check_convertible(set(self._types), self._target)
        h, w = rows.physical_h[self._indices], rows.physical_w[self._indices]
        self._areas = np.maximum(h, 0).astype(np.int64) * np.maximum(w, 0)
        if self._plan.in_turns:
            self._areas[self._are_sparse(h, w)] = 0
        self._sizes = list(zip(h.tolist(), w.tolist()))
        self._stretches: list[deque[_Batch]] = []
        self._turns: Turns | None = None
        if not self._plan.covers_all or may_be_blank:
            fill(out, background_value(request.pixel_type, request.background))

    def _are_sparse(self, h: NDArray[Any], w: NDArray[Any]) -> NDArray[np.bool_]:
        """Tell of which tiles single rows are read: threads in such short calls hinder each other.

        Two of them took 25 ms for 3,300 rows of 2 KB, one takes 10 ms.
        """
        rows = np.array(
            [bottom - top for _, top, _, bottom in (job.parts[0] for job in self._plan.jobs)]
        )
        stored = self._rows.compression[self._indices] == Compression.Uncompressed.value
        sizes = np.array([pixel_format(kind).bytes_per_pixel for kind in self._types])
        found: NDArray[np.bool_] = stored & (h // rows * w * sizes > ROWS_APART)
        return found

    def expected(self) -> AbstractContextManager[None]:
        """Tell the provider what the read needs, for the length of a `with` block."""
        if self._expectation is None:
            return nullcontext()
        return self._expectation.of(wanted_rows(self._plan, self._rows))

    def distribute(self, most: int) -> int:
        """Split the work into batches; return how many threads are worth their start for it.

        Where the order of painting does not matter, a batch has what lies together in the file.
        """
        jobs, pixels = self._plan.jobs, self._areas
        if len(jobs) < 2:
            self._stretches = [deque([(0, jobs)])]
            return 1
        packed = self._rows.compression[self._indices] != Compression.Uncompressed.value
        total = int(pixels.sum())
        threads = min(most, len(jobs), total // _PIXELS_PER_THREAD)
        if total < len(jobs) * _SMALL_TILE:
            threads = min(threads, 1)
        if not self._plan.in_turns:
            order = np.argsort(self._rows.file_position[self._indices], kind="stable")
            jobs, pixels = [jobs[place] for place in order.tolist()], pixels[order]
            packed = packed[order]
        elif threads > 1:
            self._turns = Turns(threads)
        # A large tile is read by itself; only its head is read together with those of others.
        weights = np.minimum(pixels, _PIXELS_PER_THREAD)
        size = _PIXELS_PER_BATCH
        if threads > 1:
            size = min(size, int(weights.sum()) // 16 // threads)
            # To decode a second one, while the others have no more to do, would take long.
            weights[(weights == _PIXELS_PER_THREAD) & packed] = size
        batch = (np.cumsum(weights) - weights) // max(size, 1)
        borders = [0, *(np.flatnonzero(batch[1:] != batch[:-1]) + 1).tolist(), len(jobs)]
        batches = [jobs[first:end] for first, end in zip(borders[:-1], borders[1:])]
        in_order = self._plan.in_turns or self._expectation is not None
        self._stretches = _split(list(enumerate(batches)), 1 if in_order else threads)
        return threads

    def work(self, number: int) -> None:
        """Paint batch after batch until none is left; run by every thread that takes part."""
        try:
            while (batch := self._next(number)) is not None:
                check_stopped()
                if self._turns is None:
                    self._paint(batch[1])
                else:
                    self._paint_in_turn(self._turns, *batch)
        except BaseException:
            self.stop()
            raise

    def _next(self, number: int) -> _Batch | None:
        """Return the next batch of a thread's own stretch, or the last one of the longest."""
        try:
            return self._stretches[number % len(self._stretches)].popleft()
        except IndexError:
            pass
        while any(self._stretches):
            try:
                return max(self._stretches, key=len).pop()
            except IndexError:  # another thread took it meanwhile
                continue
        return None

    def stop(self) -> None:
        """Leave undone what no thread has begun."""
        for stretch in self._stretches:
            stretch.clear()
        if self._turns is not None:
            self._turns.stop()

    def _each(self, jobs: list[Job]) -> Iterator[tuple[Job, Tile]]:
        """Give each tile of a batch, until the next one is asked for."""
        with closing(self._tiles([job.sub_block for job in jobs])) as tiles:
            for tile, job in zip(tiles, jobs):  # in this order `tiles` comes to its own end
                self._check_size(job, tile)
                if not isinstance(tile.pixels, np.ndarray):
                    use_rows(tile.pixels, max(self._last_row(job, box) for box in job.parts) + 1)
                yield job, tile

    def _last_row(self, job: Job, box: Box) -> int:
        """Return the last row of a tile that goes to a box."""
        rows, _ = window(self._plan, job.position, box)
        return rows.stop - 1 if isinstance(rows, slice) else rows.item(-1)

    def _paint(self, jobs: list[Job]) -> None:
        for job, tile in self._each(jobs):
            for box in job.parts:
                place = self._place(box)
                if tile.mask is None:
                    self._convert(job, tile, box, place)
                else:
                    pixels, valid = self._prepare(job, tile, box, place)
                    np.copyto(place, pixels, where=valid)

    def _paint_in_turn(self, turns: Turns, number: int, jobs: list[Job]) -> None:
        """Prepare the tiles of a batch at any time, but paint after the batches before."""
        ready = []
        for job, tile in self._each(jobs):
            (box,) = job.parts
            place = self._place(box)
            ready.append((place, *self._prepare(job, tile, box, place)))

        def paint_ready() -> None:
            for place, pixels, valid in ready:
                np.copyto(place, pixels, where=valid)

        turns.run(number, paint_ready)

    def _prepare(
        self, job: Job, tile: Tile, box: Box, place: NDArray[Any]
    ) -> tuple[NDArray[Any], Any]:
        """Return what goes to a place, and which pixels of it are valid."""
        pixels = np.empty(place.shape, place.dtype)
        self._convert(job, tile, box, pixels)
        if tile.mask is None:
            return pixels, True
        return pixels, sample(self._plan, tile.mask[..., np.newaxis], job.position, box)

    def _place(self, box: Box) -> NDArray[Any]:
        left, top, right, bottom = box
        return self._out[top:bottom, left:right]

    def _convert(self, job: Job, tile: Tile, box: Box, out: NDArray[Any]) -> None:
        """Fill `out`, which is for a box of the result, from a tile."""
        rows, columns = window(self._plan, job.position, box)
        paint(tile.pixels, rows, columns, self._types[job.number], self._target, out)

    def _check_size(self, job: Job, tile: Tile) -> None:
        height, width = self._sizes[job.number]
        if tile.pixels.shape[0] < height or tile.pixels.shape[1] < width:
            raise CorruptFileError(
                f"sub-block {job.sub_block} decodes to {tile.pixels.shape[1]} x "
                f"{tile.pixels.shape[0]} pixels, but the directory says {width} x {height}; the "
                "file is damaged"
            )


def _one_by_one(tiles: TileProvider, indices: list[int]) -> Generator[Tile, None, None]:
    for index in indices:
        with tiles.tile(index) as tile:
            yield tile


def _split(batches: list[_Batch], parts: int) -> list[deque[_Batch]]:
    """Split batches into stretches of about equal length, one at least.

    What lies together in the file mostly lies together in the result. Threads that write to the
    same new pages would each clear them: 20 ms for a plane of 128 MB against 26 ms.
    """
    parts = max(parts, 1)
    borders = [len(batches) * number // parts for number in range(parts + 1)]
    return [deque(batches[first:end]) for first, end in zip(borders[:-1], borders[1:])]
