"""A read does work in proportion to what it returns; calls are counted, not seconds."""

from __future__ import annotations

import os
import platform
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from files.block import Block
from files.builder import write_czi

from czictypes import czi
from czictypes.container.file_source import FileSource
from czictypes.libczi.library import Library
from czictypes.model.pixel_types import Compression

SIDE = 40
#: On PyPy calls within numpy count, too.
NUMPY = 4 if platform.python_implementation() == "PyPy" else 1


class Calls:
    """How often the file was read, how many bytes, and how often libCZI was called."""

    reads = 0
    bytes = 0
    native = 0

    def clear(self) -> None:
        self.reads = self.bytes = self.native = 0


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    counted = Calls()
    read, read_into, call = FileSource._read, FileSource._read_into, Library.call

    def count_read(self: FileSource, offset: int, count: int) -> bytes:
        counted.reads += 1
        counted.bytes += count
        return read(self, offset, count)

    def count_read_into(self: FileSource, offset: int, buffer: memoryview) -> int:
        if hasattr(os, "preadv"):  # otherwise it calls `_read`
            counted.reads += 1
            counted.bytes += len(buffer)
        return read_into(self, offset, buffer)

    def count_call(self: Library, *arguments: object, **more: object) -> None:
        counted.native += 1
        call(self, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(FileSource, "_read", count_read)
    monkeypatch.setattr(FileSource, "_read_into", count_read_into)
    monkeypatch.setattr(Library, "call", count_call)
    return counted


def calls_of(work: Callable[[], object]) -> int:
    """Return how many functions are called, of Python and of C, to do some work."""
    count = 0

    def note(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def mosaic(folder: Path, tiles: int, side: int = SIDE) -> Path:
    pixels = np.arange(side * side, dtype=np.uint16).reshape(side, side)
    blocks = [
        Block(pixels + row, side * column, side * row, m=row * tiles + column)
        for row in range(tiles)
        for column in range(tiles)
    ]
    return write_czi(folder / f"{tiles}-{side}.czi", blocks)


def test_opening_reads_the_directory_once_and_without_libczi(tmp_path: Path, calls: Calls) -> None:
    path = mosaic(tmp_path, 35, 2)
    calls.clear()
    with czi.open_czi(path) as document:
        assert len(document.subblocks) == 35 * 35
        directory = 35 * 35 * 92 + 160
        assert calls.bytes < 1.5 * directory  # with the file header and the attachments
        assert calls.reads < 6
        assert calls.native == 0


def test_small_tiles_are_read_together_and_without_libczi(tmp_path: Path, calls: Calls) -> None:
    with czi.open_czi(mosaic(tmp_path, 20), threads=1) as document:
        calls.clear()
        plane = document.read()
        assert calls.native == 0
    assert plane.shape == (800, 800, 1)
    assert calls.reads <= 2 + calls.bytes // (1 << 19)
    assert calls.bytes < 2 * plane.nbytes


@pytest.mark.parametrize("tiles", [5, 20])
def test_a_small_roi_costs_the_same_in_a_large_file(
    tmp_path: Path, calls: Calls, tiles: int
) -> None:
    with czi.open_czi(mosaic(tmp_path, tiles), threads=1) as document:
        document.read(roi=(0, 0, 1, 1))  # makes the index
        calls.clear()
        document.read(roi=(85, 85, 10, 10))  # one tile
        assert calls.native == 0
        assert calls.reads == 2  # its head, and the rows that are seen
        assert calls.bytes < 2000
        calls.clear()
        document.read(roi=(90, 85, 10, 10))  # again in that tile
    assert calls.reads == 1
    assert calls.bytes == 10 * SIDE * 2


def test_many_small_tiles_take_few_calls(tmp_path: Path, calls: Calls) -> None:
    with czi.open_czi(mosaic(tmp_path, 30, 8), threads=1) as document:
        document.read()
        calls.clear()
        count = calls_of(lambda: document.read(roi=(3, 3, 200, 200)))  # 26 x 26 tiles
        assert count < 26 * 26 * NUMPY
        assert calls.reads <= 26


def test_a_part_of_one_tile_takes_few_calls_in_any_file(tmp_path: Path) -> None:
    counts = []
    for tiles in (1, 10, 40):
        with czi.open_czi(mosaic(tmp_path, tiles, 64), threads=4) as document:
            part = (1, 1, 9, 9)
            document.read(roi=part)
            threads = threading.active_count()
            # the least of three: PyPy's garbage collector calls, too
            counts.append(min(calls_of(lambda: document.read(roi=part)) for _ in range(3)))  # noqa: B023
            assert threading.active_count() == threads  # none is started for so little
    assert max(counts) < 300 * NUMPY
    assert max(counts) <= min(counts) + 5


@pytest.mark.parametrize("zoom", [1.0, 0.25])
def test_a_plane_of_one_tile_takes_few_calls_at_any_zoom(tmp_path: Path, zoom: float) -> None:
    blocks = [Block(np.full((64, 64), z, np.uint8), plane={"C": 0, "Z": z}) for z in range(20)]
    with czi.open_czi(write_czi(tmp_path / "stack.czi", blocks)) as document:
        document.read(plane={"Z": 3}, zoom=zoom)
        assert calls_of(lambda: document.read(plane={"Z": 3}, zoom=zoom)) < 400 * NUMPY


def test_of_a_large_tile_only_the_rows_needed_are_read(tmp_path: Path, calls: Calls) -> None:
    path = write_czi(tmp_path / "large.czi", [Block(np.zeros((2000, 1000), np.uint8))])
    with czi.open_czi(path, threads=1) as document:
        calls.clear()
        document.read(roi=(0, 500, 1000, 20))
    assert calls.bytes < 25_000


def test_a_zoomed_read_passes_over_rows_that_are_far_apart(tmp_path: Path, calls: Calls) -> None:
    path = write_czi(tmp_path / "wide.czi", [Block(np.zeros((100, 100_000), np.uint8))])
    with czi.open_czi(path, threads=1) as document:
        calls.clear()
        document.read(zoom=0.1)
    assert calls.bytes < 12 * 100_000


def test_a_tile_in_the_cache_is_not_read_again(tmp_path: Path, calls: Calls) -> None:
    block = Block(np.zeros((600, 600), np.uint8), compression=Compression.Zstd0)
    path = write_czi(tmp_path / "cached.czi", [block])
    options = czi.CacheOptions(czi.CacheType.Standard, 1 << 20, 10)
    with czi.open_czi(path, cache_options=options) as document:
        document.read()
        calls.clear()
        document.read(roi=(10, 10, 100, 100))
        assert (calls.reads, calls.native) == (0, 0)
