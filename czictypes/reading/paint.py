"""Paints reads with the kernel, or with numpy if there is none.

The kernel reads tiles from local files by itself. It is given three other kinds of tiles: the bytes
of tiles that are not in a local file, the pixels of tiles that it does not decode (JPEG XR, several
planes in a sub-block, anything unusual), and the pixels of tiles that have a mask or are cached.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.container.byte_source import ByteSource, Range
from czictypes.container.file_source import FileSource
from czictypes.container.subblock import HEAD_ROOM
from czictypes.container.workers import Workers, aside, check_stopped
from czictypes.kernel.library import get_kernel
from czictypes.kernel.tiles import (
    DONE,
    JOB,
    PENDING,
    UNUSUAL,
    Given,
    KernelTiles,
    Reads,
    TileColumns,
)
from czictypes.model.pixel_types import Compression, PixelType, pixel_format
from czictypes.reading.conversion import check_convertible
from czictypes.reading.damage import UNREADABLE, DamageList
from czictypes.reading.fallback import (
    Painted,
    Tiles,
    check_size,
    chosen_tiles,
    paint_tiles,
    places,
    rows_of,
    without_hidden,
)
from czictypes.reading.levels import LevelGrid
from czictypes.reading.planes import PlaneKeys
from czictypes.reading.request import PlaneRequest, background_value, fill
from czictypes.reading.table import SubBlockTable
from czictypes.reading.threads import each
from czictypes.reading.tiles import DecodedTile, Prefetcher, SubBlockCache, TileProvider, Wanted
from czictypes.remote.urls import redact_text

_LOG = logging.getLogger(__name__)

#: The kernel returns after this time (microseconds), so that Python notices an interrupt.
_SLICE = 50_000
#: The bytes and the number of tiles given to it at a time; at least one tile for each thread.
_GIVEN_BYTES, _GIVEN_TILES = 16 << 20, 2048
#: Choosing from so many tiles takes as long as a slice; an interrupt must be heard meanwhile.
_MANY = 1 << 17
#: Pixels of at most this number of bytes are read with the head.
_SMALL = 256 << 10
#: So many tiles are looked up in the cache for a read that is painted at once.
_FEW = 64
_STORED = int(Compression.Uncompressed)
_OWN = (_STORED, int(Compression.Zstd0), int(Compression.Zstd1))
_KNOWN = frozenset(map(int, PixelType))


class Part(NamedTuple):
    """A request, or a part of it: a region of a level's grid, or a single tile.

    With a `grid` the region of the request is one of the level, at zoom 1.
    """

    request: PlaneRequest
    grid: LevelGrid | None = None
    only: int | None = None


class Painter:
    """Paints the planes of one document; safe to use from many threads.

    `tiles` provides pixels: all of them if it has a `cache`, and its `prefetcher`, if any, fetches
    the bytes of a read in advance. Without a `source` all tiles come from it. `damage` records
    tiles that are left blank. `opened_as` is the identity of a local file at opening.
    """

    def __init__(
        self,
        table: SubBlockTable,
        tiles: TileProvider,
        source: ByteSource | None = None,
        damage: DamageList | None = None,
        opened_as: tuple[Any, ...] | None = None,
    ) -> None:
        self.table, self.tiles, self.source = table, tiles, source
        self.damage = damage or DamageList()
        self._cache: SubBlockCache | None = getattr(tiles, "cache", None)
        self.reads_bytes = source is not None and self._cache is None
        self.prefetcher: Prefetcher | None = getattr(tiles, "prefetcher", None)
        self._local = source if isinstance(source, FileSource) else None
        self._opened_as = (0, 0, 0) if self._local is None or opened_as is None else opened_as
        #: Whether the kernel reads every tile that it decodes by itself.
        self._reads_files = self._local is not None and self.reads_bytes
        self._kernel = get_kernel()
        #: Whether reads are logged; asked once, as a small read takes only microseconds.
        self.logs = _LOG.isEnabledFor(logging.DEBUG)
        self._name = redact_text(source.name) if self.logs and source is not None else ""
        self._lock = threading.Lock()
        self._planes: PlaneKeys | None = None
        self._made: KernelTiles | None = None
        types = table.directory.pixel_type
        self._type = types.item(0) if table.has_one_type and table.count else None

    def close(self) -> None:
        """Release the memory of the kernel's tiles; no reads may follow."""
        made, self._made = self._made, None
        if made is not None:
            made.close()

    @property
    def planes(self) -> PlaneKeys:
        """The planes of the tiles, computed at the first read."""
        if self._planes is None:
            with self._lock:
                if self._planes is None:
                    self._planes = PlaneKeys(self.table.directory, self.table.plane_bounds)
        return self._planes

    def paint(
        self,
        parts: Sequence[Part],
        outs: Sequence[NDArray[Any]],
        threads: int = 1,
        workers: Workers | None = None,
        *,
        blank: bool = False,
    ) -> bool:
        """Fill `outs` with planes, or parts of planes, in up to `threads` threads.

        Returns True if the file is known to be unchanged afterwards; False if that is to be found
        out.

        The parts have the same pixel type, background and mask awareness. Each out is an array
        (height, width, samples) in the requests' type with adjacent pixels in a row; several are
        views of one array. With `blank`, unreadable tiles are recorded and stay background;
        otherwise they raise CorruptFileError or MissingPartError. Raises UnsupportedDataError if
        pixels cannot be converted; nothing is painted then.
        """
        if self._kernel is None:
            self._paint_by_numpy(parts, outs, blank)
            return False
        request = parts[0].request
        file = -1 if self._local is None else self._local.descriptor()
        reads = self._begin(parts, [out.shape for out in outs])
        try:
            reads.set_output(outs, request.pixel_type, file, threads)
            if not self._paint_at_once(reads, parts[0], blank):
                self._prepare(reads, request, outs, blank)
                if reads.count and reads.paint(_SLICE):
                    with self._expected(reads):
                        _Painting(self, reads, request, outs, threads, workers, blank).run()
            if self.logs:
                self._log("the kernel", parts, outs, reads.count)
            return reads.count > 0 and reads.unchanged
        finally:
            reads.tiles.give_back(reads)

    def valid(self, part: Part, width: int, height: int) -> NDArray[np.bool_]:
        """Return which pixels (height, width) a read takes from tiles; masks count if requested.

        Raises CorruptFileError if a mask that is needed is damaged.
        """
        found = np.zeros((height, width), bool)
        masks = part.request.mask_aware
        if self._kernel is None or masks:
            mask_of = getattr(self.tiles, "mask_of_row", None) if masks else None
            for tile, x, y in self._places(part, (width, height)):
                mask = None if mask_of is None else mask_of(tile)
                found[y.first : y.end, x.first : x.end] |= (
                    True if mask is None else mask[y.pixels][:, x.pixels]
                )
            return found
        reads = self._begin([part], [(height, width)])
        try:
            self._choose(reads, part)
            boxes = (reads.jobs[name].tolist() for name in ("left", "top", "right", "bottom"))
            for left, top, right, bottom in zip(*boxes):
                found[top:bottom, left:right] = True
        finally:
            reads.tiles.give_back(reads)
        return found

    def tiles_of(self, part: Part, width: int, height: int) -> Tiles:
        """Return the tiles that a read paints."""
        if self._kernel is None:
            return np.array([one.tile for one in self._places(part, (width, height))], np.intp)
        reads = self._begin([part], [(height, width)])
        try:
            self._choose(reads, part)
            found: Tiles = reads.jobs["tile"].copy()
            return found
        finally:
            reads.tiles.give_back(reads)

    def _gives(self, request: PlaneRequest) -> bool:
        """Return whether the kernel is given every tile."""
        return self._local is None or request.mask_aware

    def _places(self, part: Part, size: tuple[int, int]) -> list[Painted]:
        """Return the tiles that numpy paints of a (width, height) result, with their pixels."""
        request, grid, only = part
        if not min(size):
            return []
        if only is not None:
            chosen = np.array([only])
        else:
            shown = self.planes.shown(request.plane, by_lacking=grid is not None)
            chosen = chosen_tiles(self.table, self.planes.keys, shown, request, grid)
        painted = list(places(self.table, chosen, request, size, grid))
        return painted if request.mask_aware else list(without_hidden(painted))

    def _check_types(self, tiles: NDArray[Any], request: PlaneRequest, blank: bool) -> None:
        types = self.table.directory.pixel_type[tiles]
        for kind in set(types.tolist()):
            if kind in _KNOWN or not blank:
                tile = int(tiles[np.argmax(types == kind)])
                sub_block = self.table.rows.sub_block_of(tile)
                check_convertible(kind, request.pixel_type, sub_block)

    def _paint_by_numpy(
        self, parts: Sequence[Part], outs: Sequence[NDArray[Any]], blank: bool
    ) -> None:
        sizes = [(out.shape[1], out.shape[0]) for out in outs]
        painted = [self._places(part, size) for part, size in zip(parts, sizes)]
        request, every = parts[0].request, [one for some in painted for one in some]
        self._check_types(np.array([one.tile for one in every], np.intp), request, blank)
        leave = self._note if blank else None
        with self._prefetched([(one.tile, *rows_of(one.y)) for one in every]):
            for some, out in zip(painted, outs):
                background = background_value(request.pixel_type, request.background)
                paint_tiles(
                    self.table, some, self.tiles, request.pixel_type, out, background, leave
                )
        if self.logs:
            self._log("numpy", parts, outs, len(every))

    def log_given(self, given: list[Given]) -> None:
        """Log the tiles that the kernel is given."""
        size = sum(one.size for one in given)
        _LOG.debug("gave the kernel %d tiles of %s: %d bytes", len(given), self._name, size)

    def _log(
        self, way: str, parts: Sequence[Part], outs: Sequence[NDArray[Any]], tiles: int
    ) -> None:
        request, (height, width) = parts[0].request, outs[0].shape[:2]
        more = f" and {len(parts) - 1} more" if len(parts) > 1 else ""
        _LOG.debug(
            "%s painted %d x %d pixels of %s: plane %s%s, zoom %g, tiles %d",
            way, width, height, self._name, dict(request.plane), more, request.zoom, tiles,
        )  # fmt: skip

    def _note(self, tile: int, error: Exception) -> None:
        """Record a tile that is left blank."""
        self.damage.note(self.table.rows.sub_block_of(tile), error)

    def _begin(self, parts: Sequence[Part], shapes: Sequence[Sequence[int]]) -> Reads:
        """Set the regions of results (height, width, ...); `give_back` the memory later."""
        reads = (self._made or self._tiles()).take(len(parts))
        keys = self.planes
        for number, (request, grid, only) in enumerate(parts):
            height, width = shapes[number][:2]
            reads.set_region(
                number, request.roi, width, height,
                keys.shown(request.plane, by_lacking=grid is not None),
                request.zoom, request.scene, only, masks=request.mask_aware,
            )  # fmt: skip
            if grid is not None:
                reads.set_level(number, grid.factor, grid.number, (grid.box.x, grid.box.y))
        return reads

    def _tiles(self) -> KernelTiles:
        if self._made is None:
            made = self._make()
            with self._lock:
                self._made = self._made or made
        return self._made

    def _may_choose_many(self, part: Part) -> bool:
        """Return whether a region may show very many tiles."""
        count = self.table.count
        if count <= _MANY:
            return False
        _, _, w, h = self.table.total_rectangle
        roi = part.request.roi if part.grid is None else part.grid.around(part.request.roi)
        return min(roi.w, w) * min(roi.h, h) * count > _MANY * w * h

    def _choose(self, reads: Reads, part: Part) -> None:
        """Choose the tiles; in another thread if that may take long."""
        if self._may_choose_many(part):
            reads.make_room(self.table.count)  # what an interrupted thread uses is not recycled
            aside(reads.choose, patience=0)
        else:
            reads.choose()

    def _paint_at_once(self, reads: Reads, part: Part, blank: bool) -> bool:
        """Choose the tiles; paint them if the kernel reads them all, or a few are all in the cache.

        Return whether all is painted.
        """
        request = part.request
        is_long = self._may_choose_many(part)
        if self._type != request.pixel_type or request.mask_aware or blank or is_long:
            self._choose(reads, part)
            return False
        if self._reads_files:
            return reads.read(_SLICE)
        reads.choose()
        if self._cache is None or not reads.is_filled or reads.count > _FEW:
            return False
        given: list[Given] = []
        for job in range(reads.count):
            kept = self._cache.get(reads.tile(job))
            if kept is None or kept.given is None:
                return False
            given.append(kept.given)
        reads.give_each(given)
        return not reads.paint(_SLICE)

    def _prepare(
        self, reads: Reads, request: PlaneRequest, outs: Sequence[NDArray[Any]], blank: bool
    ) -> None:
        """Fill in the background, check the chosen tiles, and tell which the kernel is given."""
        for number, out in enumerate(outs):
            if blank or reads.covered(number) != out.shape[0] * out.shape[1]:
                fill(out, background_value(request.pixel_type, request.background))
        if self._type != request.pixel_type:
            self._check_types(reads.jobs["tile"], request, blank)
        if self.prefetcher is not None or reads.count > len(reads.current):
            self._sort_by_place(reads)
        if self._gives(request):
            reads.jobs["status"] = UNUSUAL
        elif self._cache is not None:  # that of a local file keeps what is packed
            packed = self.table.directory.compression[reads.jobs["tile"]] != _STORED
            reads.jobs["status"][packed] = UNUSUAL

    def given(self, tile: int, decoded: DecodedTile) -> Given:
        """Return the pixels of a tile; raise CorruptFileError if they are too few."""
        assert self._kernel is not None
        check_size(self.table, tile, decoded)
        pixels, height = decoded.pixels, decoded.height
        if not self.table.rows.is_special(tile):  # special tiles are resampled later
            height = self.table.directory.stored_h.item(tile)
            pixels = pixels[:, : self.table.directory.stored_w.item(tile)]
        given = Given.of_pixels(self._kernel, pixels, decoded.first, height, decoded.mask)
        if pixels.flags.c_contiguous:  # and shared, so it takes no more memory
            decoded.given = given
        return given

    def _make(self) -> KernelTiles:
        assert self._kernel is not None
        table, rows = self.table, self.table.directory
        scenes, boxes = table.scene_boxes
        sub_block = table.rows.sub_block
        columns = TileColumns(
            rows.x, rows.y, rows.w, rows.h, rows.stored_w, rows.stored_h, rows.m, rows.scene,
            rows.pixel_type, table.zoom, table.levels, table.is_layer0, self.planes.keys,
            None if sub_block is None else sub_block.astype(np.int64), table.rows.special,
            scenes, boxes,
        )  # fmt: skip
        size = 0 if self.source is None else self.source.size()
        return KernelTiles(self._kernel, table.rows.stored, size, columns, self._opened_as)

    def _sort_by_place(self, reads: Reads) -> None:
        """Bring jobs that do not overlap into the order in which their bytes lie in the file."""
        if not reads.in_order:
            positions = self.table.directory.file_position[reads.jobs["tile"]]
            if (positions[1:] < positions[:-1]).any():
                jobs = reads.jobs.view(f"V{JOB.itemsize}")  # moved whole: ten times as fast
                jobs[:] = jobs[np.argsort(positions, kind="stable")]

    def _expected(self, reads: Reads) -> AbstractContextManager[None]:
        if self.prefetcher is None:
            return nullcontext()
        columns = (reads.jobs[name].tolist() for name in ("tile", "first_row", "end_row"))
        return self._prefetched(list(zip(*columns)))

    def _prefetched(self, wanted: list[Wanted]) -> AbstractContextManager[None]:
        return nullcontext() if self.prefetcher is None else self.prefetcher.prefetch(wanted)


class _Painting:
    """A read in progress."""

    def __init__(
        self,
        painter: Painter,
        reads: Reads,
        request: PlaneRequest,
        outs: Sequence[NDArray[Any]],
        threads: int,
        workers: Workers | None,
        blank: bool,
    ) -> None:
        self._painter, self._reads, self._request = painter, reads, request
        self._threads, self._workers, self._blank = threads, workers, blank
        self._outs, self._jobs = outs, reads.jobs
        # The tiles whose heads, and whose data, the kernel was given, the jobs given pixels, and
        # those whose places will be blank.
        self._heads: set[int] = set()
        self._data: set[int] = set()
        self._decoded_jobs: set[int] = set()
        self._unreadable: set[int] = set()
        self._needs: dict[int, _Need] = {}  # of the tiles in progress
        self._ahead = 0

    def run(self) -> None:
        """Paint until every job is done."""
        reads, current = self._reads, range(0)
        left = len(self._jobs)
        while left:
            check_stopped()
            self._leave_blank()
            if reads.current != current:
                current = reads.current
                self._heads, self._data = set(), set()
            jobs = self._jobs[current.start : current.stop]
            if not ((jobs["given"] >= 0) & (jobs["status"] == PENDING)).any():
                jobs["given"] = -1  # what was given before is gone
                waiting = (np.flatnonzero(jobs["status"] == UNUSUAL) + current.start).tolist()
                waiting = [number for number in waiting if number not in self._unreadable]
                self._give(waiting + self._following(waiting, current))
            left = reads.paint(_SLICE)

    def _following(self, waiting: list[int], current: range) -> list[int]:
        """Return jobs to give with the only one that waits in a region that is painted in order.

        The kernel stops at each such job, so where there are many, more and more are given at once.
        """
        if len(waiting) != 1 or not self._reads.is_in_order(self._jobs["region"].item(waiting[0])):
            return []
        self._ahead = 2 * self._ahead + 1
        first = waiting[0] + 1
        pending = self._jobs["status"][first : min(first + self._ahead, current.stop)] == PENDING
        return [first + int(at) for at in np.flatnonzero(pending)]

    def _give(self, waiting: list[int]) -> None:
        """Give some of the waiting tiles to the kernel."""
        if not waiting:
            return
        self._reads.give(())  # frees what was given before
        self._needs = self._needs_of(waiting)
        tiles = self._first(self._needs)
        given = self._bytes(tiles)
        rest = [tile for tile in tiles if tile not in given]
        for tile in rest:
            jobs = self._needs[tile].jobs
            assert self._decoded_jobs.isdisjoint(jobs), "the kernel refuses pixels it was given"
            self._decoded_jobs.update(jobs)

        def decode(tile: int) -> None:
            found = self._decoded(tile)
            if found is not None:
                given[tile] = found

        if len(rest) == 1:
            decode(rest[0])
        else:
            each(rest, decode, self._threads, self._workers)
        if self._painter.logs:
            self._painter.log_given(list(given.values()))
        self._reads.give(list(given.values()))
        for place, tile in enumerate(given):
            jobs = self._needs[tile].jobs
            self._jobs["given"][jobs], self._jobs["status"][jobs] = place, PENDING
        for tile in rest:
            if tile not in given:
                self._unreadable.update(self._needs[tile].jobs)
                self._jobs["status"][self._needs[tile].jobs] = UNUSUAL

    def _needs_of(self, waiting: list[int]) -> dict[int, _Need]:
        """Return the needs of some jobs by tile, in the order of the jobs; those of a few tiles."""
        needs: dict[int, _Need] = {}
        if len(waiting) > _GIVEN_TILES:
            tiles = self._jobs["tile"][waiting]
            waiting = np.array(waiting)[np.isin(tiles, tiles[:_GIVEN_TILES])].tolist()
        columns = (self._jobs[name][waiting].tolist() for name in ("tile", "first_row", "end_row"))
        for job, tile, first, end in zip(waiting, *columns):
            need = needs.get(tile)
            if need is None:
                needs[tile] = _Need(first, end, [job])
            else:
                need.jobs.append(job)
                needs[tile] = _Need(min(need.first, first), max(need.end, end), need.jobs)
        return needs

    def _first(self, needs: dict[int, _Need]) -> list[int]:
        """Return the first tiles, as many as fit into memory together."""
        rows = self._painter.table.directory
        pixel = pixel_format(self._request.pixel_type).bytes_per_pixel
        found: list[int] = []
        size = 0
        for tile in needs:
            size += max(rows.stored_w.item(tile), 0) * rows.stored_h.item(tile) * pixel
            if size > _GIVEN_BYTES and len(found) >= self._threads:
                break
            found.append(tile)
        return found

    def _decoded(self, tile: int) -> Given | None:
        """Return the pixels of a tile; None if it is left blank."""
        painter = self._painter
        try:
            decoded = painter.tiles.tile(tile, *self._needs[tile][:2])
            return decoded.given or painter.given(tile, decoded)
        except UNREADABLE as error:
            if not self._blank:
                raise
            painter._note(tile, error)
            return None

    def _bytes(self, tiles: list[int]) -> dict[int, Given]:
        """Return the bytes of those tiles that the kernel decodes itself."""
        source = self._painter.source
        decodes = self._painter.reads_bytes and not self._request.mask_aware
        if source is None or self._painter._local or not decodes:
            return {}
        ranges = {tile: found for tile in tiles if (found := self._range(tile)) is not None}
        try:
            read = source.read_ranges(list(ranges.values()))
        except UNREADABLE:  # reading each by itself reports the fault
            return {}
        return {
            tile: Given.of_bytes(self._reads.tiles.kernel, data, begin)
            for (tile, (begin, _)), data in zip(ranges.items(), read)
        }

    def _range(self, tile: int) -> Range | None:
        """Return the next byte range needed of a tile: first its head, then the data it locates.

        None if the kernel does not decode the tile.
        """
        tiles, table = self._reads.tiles, self._painter.table
        rows, stored = table.rows, table.rows.stored
        if rows.is_special(tile) or table.directory.compression.item(tile) not in _OWN:
            return None
        sub_block = rows.sub_block_of(tile)
        kind = stored.pixel_type.item(sub_block)
        pixel = pixel_format(kind).bytes_per_pixel if kind in _KNOWN else 0
        row = stored.stored_w.item(sub_block) * pixel
        first, end, _ = self._needs[tile]
        begin = tiles.data_offset.item(sub_block)
        if tile in self._data or (not begin and tile in self._heads):
            return None  # it is unusual in some way
        if begin:
            self._data.add(tile)
            size = tiles.data_size.item(sub_block)
            if stored.compression.item(sub_block) == _STORED:
                begin, size = begin + first * row, (end - first) * row
        else:
            self._heads.add(tile)
            begin, size = stored.file_position.item(sub_block), HEAD_ROOM
            size += end * row if end * row <= _SMALL else 0
            if self._painter.prefetcher is not None:
                size = min(size, self._painter.prefetcher.room(sub_block))
        return None if begin < 0 or size < 0 else (begin, size)

    def _leave_blank(self) -> None:
        """Fill the places of unreadable tiles, which may be partly painted, with background.

        Where jobs are painted in order, those of a tile wait until all before them are done.
        """
        value = background_value(self._request.pixel_type, self._request.background)
        status, regions = self._jobs["status"], self._jobs["region"]
        for job in sorted(self._unreadable):
            one = self._jobs[job]
            before = status[:job][regions[:job] == one["region"]]
            if not self._reads.is_in_order(one["region"]) or (before == DONE).all():
                out = self._outs[one["region"]]
                fill(out[one["top"] : one["bottom"], one["left"] : one["right"]], value)
                status[job] = DONE
                self._unreadable.discard(job)


class _Need(NamedTuple):
    """The rows of a tile, from `first` up to `end`, that some jobs need."""

    first: int
    end: int
    jobs: list[int]
