"""The tiles of a document as the kernel sees them: the columns that it reads, and its functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from czictypes.kernel.library import Kernel
from czictypes.model.geometry import ABSENT, DIMENSIONS, Rectangle

PENDING, DONE, UNUSUAL = 0, 1, 2
_COPY, _ZOOM, _LEVEL = 0, 1, 2

#: The layout of `struct czk_job`.
JOB = np.dtype(
    [("tile", "<i8"), *((name, "<i4") for name in ("region", "status", "given")),
     *((name, "<i4") for name in ("first_row", "end_row", "reserved")),
     *((name, "<i4") for name in ("left", "top", "right", "bottom"))]
)  # fmt: skip
#: The number of jobs for which there is memory at first, which the system provides once it is used,
#: and for which memory is kept.
_FEW = 1 << 16
#: So many jobs are painted at a time, as each call looks at all that it is given.
_AT_ONCE = 1 << 14
_OF_DIRECTORY = ("x", "y", "w", "h", "stored_w", "stored_h", "m", "pixel_type", "compression")


class DirectoryColumns(Protocol):
    """The sub-block directory of a file as columns, with a value for each sub-block."""

    @property
    def coordinates(self) -> Mapping[str, NDArray[np.int32]]:
        """The positions in every dimension but X, Y and M."""

    @property
    def file_position(self) -> NDArray[np.int64]:
        """The positions of the sub-blocks in the file."""

    @property
    def count(self) -> int:
        """The number of sub-blocks."""


class TileColumns(NamedTuple):
    """One value for each tile; see `struct czk_tiles`."""

    x: NDArray[np.int32]
    y: NDArray[np.int32]
    w: NDArray[np.int32]
    h: NDArray[np.int32]
    read_w: NDArray[np.int32]
    read_h: NDArray[np.int32]
    m: NDArray[np.int32]
    scene: NDArray[np.int32]
    pixel_type: NDArray[np.int32]
    zoom: NDArray[np.float32]
    level: NDArray[np.int16]
    layer0: NDArray[np.bool_]
    plane: NDArray[np.int64]
    sub_block: NDArray[np.int64] | None
    special: NDArray[np.bool_] | None
    scenes: NDArray[np.int64]
    boxes: NDArray[np.int64]


class Given:
    """A tile for the kernel: the bytes of the file around it, or its decoded pixels."""

    __slots__ = ("_kept", "entry")

    def __init__(self, kernel: Kernel, entry: dict[str, Any], *kept: Any) -> None:
        #: The `struct czk_given`.
        self.entry: Any = kernel.ffi.new("struct czk_given *", entry)
        self._kept = kept

    @property
    def size(self) -> int:
        """The number of bytes, or the bytes of the pixels."""
        return memoryview(self._kept[0]).nbytes

    @classmethod
    def of_bytes(cls, kernel: Kernel, data: bytes, begin: int) -> Given:
        """Return the bytes of the file from `begin` on."""
        start = kernel.ffi.from_buffer("uint8_t[]", data)
        return cls(kernel, {"bytes": start, "begin": begin, "end": begin + len(data)}, data)

    @classmethod
    def of_pixels(
        cls,
        kernel: Kernel,
        pixels: NDArray[Any],
        first_row: int,
        height: int,
        mask: NDArray[np.bool_] | None = None,
    ) -> Given:
        """Return pixels (rows, width, samples) from `first_row` on of a tile as it is stored.

        `height` is that of the whole tile; `mask` has the size in which the tile is read.
        """
        pixels = np.ascontiguousarray(pixels)
        rows, width, samples = pixels.shape
        entry = {
            "pixels": kernel.ffi.from_buffer("uint8_t[]", pixels),
            "stride": width * samples * pixels.itemsize, "w": width, "h": height,
            "first_row": first_row, "end_row": first_row + rows,
        }  # fmt: skip
        if mask is not None:
            mask = np.ascontiguousarray(mask)
            entry["mask"] = kernel.ffi.from_buffer("uint8_t[]", mask)
            entry["mask_stride"] = mask.shape[1]
        return cls(kernel, entry, pixels, mask)


class KernelTiles:
    """The tiles of a document, for any number of reads at once.

    `stored` is the directory of the file; `identity` are the size, the time of modification
    (nanoseconds) and the inode of a local file. Raises MemoryError if there is no memory for the
    index.
    """

    def __init__(
        self,
        kernel: Kernel,
        stored: DirectoryColumns,
        file_size: int,
        columns: TileColumns,
        identity: tuple[Any, ...] = (0, 0, 0),
    ) -> None:
        self.kernel = kernel
        self._kept: list[NDArray[Any]] = []  # referenced by the structures
        self._equal: dict[tuple[str, Any], NDArray[Any]] = {}
        ffi, lib = kernel.ffi, kernel.lib
        self.directory: Any = ffi.new("struct czk_directory *")
        self.directory.count, self.directory.file_size = stored.count, file_size
        _, self.directory.modified_ns, inode = identity
        # Network file systems, and ReFS, have inodes of 64 bits and more: the last 64, with a sign.
        self.directory.inode = (inode + (1 << 63)) % (1 << 64) - (1 << 63)
        for name in _OF_DIRECTORY:
            self._point(self.directory, name, getattr(stored, name))
        self._point(self.directory, "position", stored.file_position)
        self.directory.letters = "".join(DIMENSIONS).encode("ascii")
        for number, letter in enumerate(DIMENSIONS):
            if letter in stored.coordinates:
                self._point(self.directory.coordinate, number, stored.coordinates[letter])
        # Filled in by reads: where the data of a sub-block begin, 0 until then.
        self.data_offset = self._point(self.directory, "data_offset", np.zeros(stored.count, "i8"))
        self.data_size = self._point(self.directory, "data_size", np.zeros(stored.count, "i8"))
        self.tiles: Any = ffi.new("struct czk_tiles *")
        self.tiles.count, self.tiles.scene_count = len(columns.x), len(columns.scenes)
        for name, values in columns._asdict().items():
            if values is not None:
                self._point(self.tiles, name, values)
        self._point(self.tiles, "order", np.empty(len(columns.x), np.int32))
        groups = lib.czk_sort(self.tiles)
        if groups < 0:
            raise MemoryError("there is no memory for the index of the sub-blocks")
        self._groups = ffi.new("struct czk_group[]", groups)
        self.tiles.groups, self.tiles.group_count = self._groups, groups
        self._point(self.tiles, "cells", np.empty(self.tiles.ordered + 2 * groups, np.int32))
        if lib.czk_index(self.tiles):
            raise MemoryError("there is no memory for the index of the sub-blocks")
        self._idle: list[Reads] = []

    def _point(self, structure: Any, member: Any, values: NDArray[Any]) -> NDArray[Any]:
        """Point a member to a column, which is kept and returned."""
        if values.strides == (0,) and len(values) > 1:  # the same value everywhere
            key = values.dtype.str, values.item(0)
            if key not in self._equal:
                self._equal[key] = np.ascontiguousarray(values)
            values = self._equal[key]
        values = np.ascontiguousarray(values)
        self._kept.append(values)
        pointer = self.kernel.pointer(values)
        if isinstance(member, int):
            structure[member] = pointer
        else:
            setattr(structure, member, pointer)
        return values

    def take(self, regions: int) -> Reads:
        """Return memory for a read of some regions; `give_back` recycles it."""
        if regions > 1:
            return Reads(self, regions)
        try:
            return self._idle.pop()
        except IndexError:
            return Reads(self, 1)

    def close(self) -> None:
        """Forget the memory for later reads, which refers to these tiles and would keep them."""
        self._idle.clear()

    def give_back(self, reads: Reads) -> None:
        """Keep memory for later reads unless it is large."""
        reads.give(())
        if reads.region_count == 1 and reads.room <= _FEW:
            self._idle.append(reads)


class Reads:
    """The memory of a read: its regions, its jobs, and its output."""

    def __init__(self, tiles: KernelTiles, regions: int) -> None:
        self.tiles = tiles
        ffi, self._lib = tiles.kernel.ffi, tiles.kernel.lib
        self._ffi = ffi
        self.regions: Any = ffi.new("struct czk_region[]", regions)
        self.region_count = regions
        self._planes = [ffi.new("struct czk_plane[]", 1)] * regions
        self._set: list[tuple[Any, ...] | None] = [None] * regions  # what `set_region` set last
        self.output: Any = ffi.new("struct czk_output *")
        self._given: Any = ffi.NULL
        self._lent: Sequence[Given] = ()
        #: The number of jobs that fit into the memory.
        self.room = 0
        self.make_room(min(tiles.tiles.count * regions, _FEW))
        self.count = 0
        #: The numbers of the jobs that the next `paint` works on; those before are done.
        self.current = range(0)

    def make_room(self, jobs: int) -> None:
        """Make memory for so many jobs."""
        self._jobs, self.room = np.zeros(jobs, JOB), jobs
        buffer = self._ffi.from_buffer(self._jobs.view(np.uint8))
        self._job = self._ffi.cast("struct czk_job *", buffer)

    def covered(self, region: int) -> int:
        """Return how many pixels of a region the jobs paint, at least."""
        covered: int = self.regions[region].covered
        return covered

    def is_in_order(self, region: int) -> bool:
        """Return whether the jobs of a region overlap, and are painted in order."""
        return bool(self.regions[region].in_order)

    @property
    def is_filled(self) -> bool:
        """Whether the jobs paint every pixel of the only region."""
        region = self.regions[0]
        return self.region_count == 1 and region.covered == region.out_w * region.out_h

    def tile(self, job: int) -> int:
        """Return the tile of a job."""
        tile: int = self._job[job].tile
        return tile

    @property
    def in_order(self) -> bool:
        """Whether the jobs of any region overlap."""
        return any(self.regions[number].in_order for number in range(self.region_count))

    @property
    def jobs(self) -> NDArray[np.void]:
        """The chosen jobs in painting order."""
        return self._jobs[: self.count]

    def set_region(
        self,
        number: int,
        roi: Rectangle,
        width: int,
        height: int,
        planes: Sequence[tuple[int, int]],
        zoom: float,
        scene: int | None,
        only: int | None = None,
        *,
        masks: bool,
    ) -> None:
        """Set a region of full resolution, as for libCZI's scaling accessor, or of one tile."""
        region = self.regions[number]
        region.x, region.y, region.w, region.h = roi
        region.out_w, region.out_h = width, height
        rest = (planes, zoom, scene, only, masks)
        if rest == self._set[number]:
            return
        self._set[number] = rest
        shown = self._planes[number]
        if number or len(planes) > len(shown):
            shown = self._planes[number] = self._ffi.new("struct czk_plane[]", len(planes))
        for place, (plane, rank) in enumerate(planes):
            shown[place].plane, shown[place].rank = plane, rank
        region.planes, region.plane_count = shown, len(planes)
        region.zoom = zoom
        region.mode = _COPY if region.zoom == 1 else _ZOOM
        region.scene = ABSENT if scene is None else scene
        region.only = -1 if only is None else only
        region.has_masks = masks

    def set_level(self, number: int, factor: float, level: int, corner: tuple[int, int]) -> None:
        """Turn a region into one of a level's grid with this corner in full resolution."""
        self._set[number] = None
        region = self.regions[number]
        region.mode, region.factor, region.level = _LEVEL, factor, level
        region.grid_x, region.grid_y = corner

    def choose(self) -> None:
        """Choose the tiles of each region, and make `jobs` of them.

        Raises MemoryError if there is too little memory.
        """
        while True:
            found: int = self._lib.czk_choose(
                self.tiles.tiles, self.regions, self.region_count, self._job, self.room
            )
            if found < 0:
                raise MemoryError("there is no memory to choose the tiles of a read")
            if found <= self.room:
                break
            self.make_room(found + found // 4)
        self.count = found
        self.current = range(min(found, _AT_ONCE))

    def read(self, slice_us: int) -> bool:
        """Choose the tiles, and paint them if they fill the regions; return whether all is done.

        If not, `jobs` tells what is left. The output must be set. Raises as `choose` and `paint`.
        """
        output = self.output
        output.slice_us = slice_us
        done: int = self._lib.czk_read(
            self.tiles.directory, self.tiles.tiles, self.regions, self.region_count, self._job,
            self.room, _AT_ONCE, output,
        )  # fmt: skip
        self.count = output.chosen
        if done > 0:
            return True
        if not 0 <= self.count <= self.room:
            self.choose()
        else:
            _check(done)
            self.current = range(min(self.count, _AT_ONCE))
        return False

    @property
    def unchanged(self) -> bool:
        """Whether the file is known to be as it was at opening, after the last job was painted."""
        return bool(self.output.unchanged)

    def give(self, given: Sequence[Given]) -> None:
        """Set the tiles that jobs refer to by index; they are in use until the next call."""
        self._lent = given
        if len(given) == 1:
            self._given = given[0].entry
        elif given:
            self._given = self._ffi.new("struct czk_given[]", [one.entry[0] for one in given])

    def give_each(self, given: Sequence[Given]) -> None:
        """Give a tile to each job; they are in use until the next call."""
        self.give(given)
        for job in range(len(given)):
            self._job[job].given = job

    def set_output(
        self, outs: Sequence[NDArray[Any]], pixel_type: int, file: int, threads: int
    ) -> None:
        """Set the arrays for the pixels, and the descriptor of the file to read."""
        output = self.output
        if len(outs) == 1 and outs[0].flags.c_contiguous:  # faster than by the address
            out = outs[0]
            output.pixels = self._ffi.from_buffer("uint8_t[]", out)
            output.size, self.regions[0].out_offset = out.nbytes, 0
            self.regions[0].out_stride = out.strides[0]
        else:
            spans = [_span_of(out) for out in outs]
            start = min(span[0] for span in spans)
            output.pixels = self._ffi.cast("uint8_t *", start)
            output.size = max(span[1] for span in spans) - start
            for number, out in enumerate(outs):
                self.regions[number].out_offset = _address(out) - start
                self.regions[number].out_stride = out.strides[0]
        output.pixel_type, output.file, output.threads = pixel_type, file, threads

    def paint(self, slice_us: int) -> int:
        """Paint pending jobs of the `current` ones for about this time; return how many are left.

        That is of all jobs. Raises MemoryError if there is too little memory.
        """
        jobs = self.current
        self.output.slice_us = slice_us
        left: int = self._lib.czk_paint(
            self.tiles.directory, self.tiles.tiles, self.regions, self.region_count,
            self._job + jobs.start, len(jobs), self._given, len(self._lent), self.output,
        )  # fmt: skip
        _check(left)
        if not left:
            self.current = range(jobs.stop, min(jobs.stop + _AT_ONCE, self.count))
        return left + self.count - jobs.stop


def _check(painted: int) -> None:
    """Raise an error of the kernel."""
    if painted == -1:
        raise MemoryError("there is no memory to paint the tiles of a read")
    if painted < 0:
        raise AssertionError("the kernel was given jobs that cannot be")


def _address(array: NDArray[Any]) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


def _span_of(out: NDArray[Any]) -> tuple[int, int]:
    """Return the start and end of the memory of an array (height, width, samples)."""
    first, (height, width, samples), row = _address(out), out.shape, out.strides[0]
    last = first + row * (height - 1)
    return min(first, last), max(first, last) + width * samples * out.itemsize
