"""Gives the kernel damaged files, damaged tables and odd arguments: made for its sanitizers.

    tox -e kernel-sanitizers            or, in tests, python kernel_fuzz.py --seconds 60

What is trusted: that arrays are as long as they say, and that the index is the kernel's own. All
numbers in them may be anything. A case follows from its number and the seed of the run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import seeds
from container.structures import damaged, seeds_by_name
from numpy.typing import NDArray

from czictypes.container.directory import Directory, check_document
from czictypes.container.file_source import FileSource
from czictypes.container.zstd import parse_zstd_head
from czictypes.kernel.codec import EntryParser, pack_zstd, unpack_zstd
from czictypes.kernel.library import Kernel, get_kernel, kernel_info
from czictypes.kernel.tiles import PENDING, UNUSUAL, Given, KernelTiles, Reads, TileColumns
from czictypes.model.errors import CziError
from czictypes.model.geometry import ABSENT, Rectangle
from czictypes.model.pixel_types import PixelType, pixel_format

__all__ = ["Fuzzer", "main"]

Rng = np.random.Generator

_EXTREMES = (0, 1, -1, 2, 7, 100, 65536, 2**30, 2**31 - 1, -(2**31), -(2**31) + 1, ABSENT)
_FAR = (*_EXTREMES, 2**32, 2**52, -(2**52), 2**62, -(2**62), 2**63 - 1, -(2**63))
_TYPES = tuple(map(int, PixelType))
_LARGEST_PIXEL = 24  # bytes
_LEVELS = (0.02, 0.3, 0.5, 0.999, 1.0)


def _pick(rng: Rng, values: Any) -> Any:
    return values[int(rng.integers(len(values)))]


class Fuzzer:
    """Runs cases, and counts what came of them.

    Parameters
    ----------
    kernel
        The library, which may be one with sanitizers.
    folder
        The place for damaged files.
    """

    def __init__(self, kernel: Kernel, folder: Path) -> None:
        self.kernel, self.folder = kernel, folder
        self.outcomes: Counter[str] = Counter()

    def run(self, number: int) -> None:
        """Damage a file, and read it in every way that the kernel has."""
        rng = seeds.generator_for(f"kernel case {number}")
        names = sorted(seeds_by_name())
        data = damaged(names[number % len(names)], rng)
        path = self.folder / "case.czi"
        path.write_bytes(data)
        self._codec(data, rng)
        with FileSource(path) as source:
            try:
                directory = check_document(source).directory
            except CziError:
                self.outcomes["refused"] += 1
                return
            size = len(data) if rng.random() < 0.9 else _pick(rng, _FAR)
            columns = columns_of(directory)
            for is_odd in (False, True):
                if is_odd:
                    directory, columns = _odd_directory(directory, rng), _odd(columns, rng)
                tiles = KernelTiles(self.kernel, directory, size, columns)
                self._reads(tiles, columns, source.descriptor(), data, rng)

    def _reads(
        self, tiles: KernelTiles, columns: TileColumns, file: int, data: bytes, rng: Rng
    ) -> None:
        def read(seed: int) -> None:
            own = np.random.default_rng([seed, 1])
            for _ in range(3):
                self._read(tiles.take(_pick(own, (1, 1, 1, 3))), columns, file, data, own)

        callers = [
            threading.Thread(target=read, args=(int(seed),))
            for seed in rng.integers(1 << 30, size=3)
        ]
        for one in callers:
            one.start()
        read(int(rng.integers(1 << 30)))
        for one in callers:
            one.join()

    def _read(self, reads: Reads, columns: TileColumns, file: int, data: bytes, rng: Rng) -> None:
        """Read a region, whole or with damaged arguments, and give what the kernel asks for."""
        outs = _regions(reads, columns, rng)
        is_odd = rng.random() < 0.3
        try:
            if is_odd and rng.random() < 0.5:
                _damage(_pick(rng, list(reads.regions)), _REGION, rng)
            kind = _pick(rng, _TYPES) if rng.random() < 0.3 else _type_of(outs[0])
            reads.set_output(outs, kind, file if rng.random() < 0.8 else -1, int(rng.integers(5)))
            if rng.random() < 0.5:
                reads.choose()
            elif reads.read(_pick(rng, (0, 100, 50_000))):
                self.outcomes["read"] += 1
                return
            if is_odd:
                _damage(_pick(rng, list(reads.regions)), _REGION, rng)
                _damage(reads.output, ("slice_us", "pixel_type", "threads", "file"), rng)
                self._damage_jobs(reads, rng)
            for _ in range(4):
                left = reads.paint(_pick(rng, (0, 100, 50_000)))
                self.outcomes["painted" if not left else "asked"] += 1
                if not left:
                    break
                self._give(reads, columns, data, rng)
        except (AssertionError, MemoryError):
            self.outcomes["arguments refused"] += 1
        finally:
            if not is_odd:
                reads.tiles.give_back(reads)

    def _damage_jobs(self, reads: Reads, rng: Rng) -> None:
        jobs = reads.jobs
        if len(jobs):
            for _ in range(int(rng.integers(4))):
                name = _pick(rng, jobs.dtype.names)
                values = _FAR if name == "tile" else _EXTREMES
                jobs[name][int(rng.integers(len(jobs)))] = _pick(rng, values)

    def _give(self, reads: Reads, columns: TileColumns, data: bytes, rng: Rng) -> None:
        """Give pixels of any size, or bytes of the file, for tiles that need them."""
        jobs = reads.jobs
        waiting = np.flatnonzero(jobs["status"] == UNUSUAL)[:20]
        given = []
        for tile in jobs["tile"][waiting].tolist():
            if rng.random() < 0.3:
                begin = int(rng.integers(len(data) + 1))
                some = data[begin : begin + int(rng.integers(4000))]
                given.append(Given.of_bytes(self.kernel, some, begin))
                continue
            width, rows = int(rng.integers(1, 40)), int(rng.integers(0, 40))
            pixels = np.zeros((rows, width, _LARGEST_PIXEL), np.uint8)
            first, height = (int(_pick(rng, _EXTREMES)) for _ in range(2))
            mask = None
            if 0 <= tile < len(columns.x):
                shape = columns.read_h.item(tile), columns.read_w.item(tile)
                if min(shape) > 0 and max(shape) < 1000 and rng.random() < 0.5:
                    mask = rng.random(shape) < 0.5
            exact = rng.random() < 0.7
            given.append(
                Given.of_pixels(self.kernel, pixels, 0 if exact else first,
                                rows if exact else height, mask)
            )  # fmt: skip
        reads.give(given)
        jobs["given"] = -1  # what was given before is gone: masks of other sizes, too
        jobs["given"][waiting] = np.arange(len(waiting))
        jobs["status"][waiting] = PENDING

    def _codec(self, data: bytes, rng: Rng) -> None:
        """Unpack any bytes, pack some and unpack them again, and parse any bytes as entries."""
        begin = max(data.find(b"\x28\xb5\x2f\xfd") - int(rng.integers(4)), 0)
        try:
            kind, compression = _pick(rng, _TYPES), _pick(rng, (0, 5, 6))
            size = parse_zstd_head(data[begin:], _pick(rng, (5, 6)), "").content_size
            size = size if 0 <= size < 1 << 20 else int(rng.integers(5000))
            unpack_zstd(self.kernel, data[begin:], compression, kind, size)
            self.outcomes["unpacked"] += 1
        except CziError:
            pass
        pixels = rng.integers(0, 9, int(rng.integers(3000)), np.uint16)
        compression, hilo = _pick(rng, ((5, False), (6, False), (6, True)))
        packed = pack_zstd(
            self.kernel, pixels, compression, hilo=hilo, level=_pick(rng, (-3, 1, 5))
        )
        again = unpack_zstd(self.kernel, packed, compression, PixelType.Gray16, pixels.nbytes)
        np.testing.assert_array_equal(again.view(np.uint16), pixels)
        begin = max(data.find(b"DV"), 0)
        entries = bytearray(data[begin : begin + 2000])
        for _ in range(int(rng.integers(3))):
            entries[int(rng.integers(len(entries)))] = int(rng.integers(256))
        count = int(rng.integers(20))
        parser = EntryParser(self.kernel, count)
        cut = int(rng.integers(len(entries) + 1))
        taken = parser.add(bytes(entries[:cut]))
        if taken is not None:
            parser.add(bytes(entries[taken:]))
            parser.columns()


_REGION = (
    "x", "y", "w", "h", "out_w", "out_h", "out_offset", "out_stride", "plane_count", "grid_x",
    "grid_y", "mode", "level", "scene", "has_masks", "in_order", "factor", "zoom",
)  # fmt: skip


def _damage(structure: Any, names: tuple[str, ...], rng: Rng) -> None:
    """Set some members of a structure to numbers that are extreme."""
    for _ in range(int(rng.integers(1, 3))):
        name = _pick(rng, names)
        if name in ("factor", "zoom"):
            setattr(
                structure, name, _pick(rng, (0.0, -1.0, 1e-30, 1e30, float("nan"), float("inf")))
            )
        elif name == "plane_count":  # the planes are trusted to be as many
            structure.plane_count = _pick(rng, (0, -1))
        else:
            try:
                setattr(structure, name, _pick(rng, _FAR))
            except OverflowError:
                setattr(structure, name, _pick(rng, _EXTREMES))


def _type_of(out: NDArray[Any]) -> int:
    for kind in PixelType:
        layout = pixel_format(kind)
        if (np.dtype(layout.dtype), layout.samples) == (out.dtype, out.shape[2]):
            return int(kind)
    raise AssertionError


def columns_of(rows: Directory) -> TileColumns:
    """Return a tile for each sub-block."""
    present = [rows.coordinates[name] for name in rows.coordinates if name != "S"]
    plane = np.zeros(rows.count, np.int64)
    if present and rows.count:
        plane = np.unique(present, axis=1, return_inverse=True)[1].reshape(-1).astype(np.int64)
    is_layer0 = (rows.w == rows.stored_w) & (rows.h == rows.stored_h)
    logical = np.maximum(rows.w, 1).astype(np.float32)
    zoom = rows.stored_w.astype(np.float32) / logical
    level = np.round(-np.log2(zoom.clip(0.001))).clip(0, 9).astype(np.int16)
    scenes = np.unique(rows.scene[rows.scene != ABSENT]).astype(np.int64)
    boxes = np.tile(np.array([-1000, -1000, 1000, 1000], np.int64), (len(scenes), 1))
    return TileColumns(
        rows.x, rows.y, rows.w, rows.h, rows.stored_w, rows.stored_h, rows.m, rows.scene,
        rows.pixel_type, zoom, level, is_layer0, plane, None, None, scenes, boxes,
    )  # fmt: skip


def _odd(columns: TileColumns, rng: Rng) -> TileColumns:
    """Return the columns with some numbers that are extreme."""
    count = len(columns.x)
    changed: dict[str, Any] = {
        "sub_block": np.arange(count, dtype=np.int64) if rng.random() < 0.5 else None,
        "special": rng.random(count) < 0.2 if rng.random() < 0.5 else None,
    }
    for name, values in {**columns._asdict(), **changed}.items():
        if values is None or not len(values) or name in ("scenes", "layer0", "special"):
            continue
        if rng.random() < 0.4:
            values = values.copy()
            flat = values.reshape(-1)
            number = _pick(rng, _FAR if values.dtype.itemsize == 8 else _EXTREMES)
            if values.dtype.kind == "f":
                number = _pick(rng, (0.0, -1.0, 1e30, float("nan"), float("inf"), 1e-30))
            elif values.dtype.itemsize == 2:
                number %= 1 << 15
            flat[int(rng.integers(len(flat)))] = number
            changed[name] = values
    return columns._replace(**changed)


def _odd_directory(directory: Directory, rng: Rng) -> Directory:
    """Return the directory with some numbers that are extreme."""
    found = directory.select(np.arange(directory.count))
    for name in (
        "x",
        "w",
        "stored_w",
        "stored_h",
        "pixel_type",
        "compression",
        "file_position",
    ):
        column = getattr(found, name)
        if len(column) and rng.random() < 0.3:
            column.setflags(write=True)
            values = _FAR if column.dtype.itemsize == 8 else _EXTREMES
            column[int(rng.integers(len(column)))] = _pick(rng, values)
    return found


def _regions(reads: Reads, columns: TileColumns, rng: Rng) -> list[NDArray[Any]]:
    """Set regions somewhere near the tiles; return memory for them."""
    zoom = float(_pick(rng, _LEVELS))
    width, height = (int(rng.integers(1, _pick(rng, (9, 200)))) for _ in range(2))
    size = max(int(width * zoom), 1), max(int(height * zoom), 1)
    masks, at = bool(rng.random() < 0.2), None
    for number, region in enumerate(reads.regions):
        at = int(rng.integers(len(columns.x))) if len(columns.x) else None
        x, y = (0, 0) if at is None else (columns.x.item(at), columns.y.item(at))
        x, y = x - int(rng.integers(-20, 20)), y - int(rng.integers(-20, 20))
        planes = [(int(key), rank) for rank, key in enumerate(np.unique(columns.plane)[:3])]
        scene, roi = _pick(rng, (None, None, 0, 1)), Rectangle(x, y, width, height)
        only = _pick(rng, (None, None, None, 0, 1, 2**40))
        reads.set_region(number, roi, *size, planes, zoom, scene, only, masks=masks)
        if rng.random() < 0.3:
            region.w, region.h = size
            reads.set_level(
                number, float(_pick(rng, (1.0, 2.0, 3.7))), int(rng.integers(4)), (x, y)
            )
    kind = columns.pixel_type.item(at) if at is not None else 0
    layout = pixel_format(kind if kind in _TYPES and rng.random() < 0.8 else _pick(rng, _TYPES))
    outs = np.zeros((len(reads.regions), size[1], size[0], layout.samples), layout.dtype)
    return list(outs[:, ::-1] if rng.random() < 0.2 else outs)


def main(given: list[str]) -> int:
    """Run cases for a time; return 0, or not at all where a sanitizer ends the process."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=100, help="how long (100)")
    parser.add_argument("--cases", type=int, default=1 << 30, help="how many, at most")
    parser.add_argument("--start", type=int, default=0, help="the number of the first case (0)")
    parser.add_argument("--seed", type=int, help="of an earlier run; by default a random one")
    arguments = parser.parse_args(given)
    if arguments.seed is not None:
        seeds.set_run_seed(arguments.seed)
    kernel = get_kernel()
    if kernel is None:
        print(f"there is no kernel: {kernel_info().reason}", file=sys.stderr)
        return 1
    print(f"seed {seeds.run_seed()}, {kernel.path}", flush=True)
    end, number = time.monotonic() + arguments.seconds, arguments.start
    with tempfile.TemporaryDirectory() as folder:
        fuzzer = Fuzzer(kernel, Path(folder))
        while number < arguments.start + arguments.cases and time.monotonic() < end:
            (Path(folder) / "number").write_text(str(number))
            fuzzer.run(number)
            number += 1
            if number % 200 == 0:
                print(f"case {number}: {dict(fuzzer.outcomes)}", flush=True)
    print(f"{number - arguments.start} cases: {dict(fuzzer.outcomes)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
