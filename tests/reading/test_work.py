"""A read does work in proportion to what it returns; calls are counted, not seconds."""

from __future__ import annotations

import platform
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import frees_at_once
from files.block import Block
from files.builder import write_czi
from reading.core.made_tables import needs_kernel

from czictypes import czi
from czictypes.kernel import tiles as tiles_of_kernel
from czictypes.kernel.tiles import Reads
from czictypes.libczi.library import Library
from czictypes.model.pixel_types import Compression
from czictypes.reading import decode, paint

SIDE = 40
COUNTERS = Path("/proc/self/io")
#: On PyPy calls within numpy count, too.
NUMPY = 4 if platform.python_implementation() == "PyPy" else 1


class Calls:
    """How often files were read since `clear`, how many bytes, and how often libCZI was called."""

    def __init__(self) -> None:
        self._own = [0, 0]  # what looking at the counters reads itself
        self.clear()

    def clear(self) -> None:
        self.native = 0
        self._begin = self._counters()

    @property
    def reads(self) -> int:
        return self._counters()[0] - self._begin[0]

    @property
    def bytes(self) -> int:
        return self._counters()[1] - self._begin[1]

    def _counters(self) -> tuple[int, int]:
        """Return what Linux counts: the kernel reads without any call of Python's."""
        with COUNTERS.open("rb", buffering=0) as file:
            content = file.read(1000)
        values = dict(line.split(b": ") for line in content.splitlines())
        result = int(values[b"syscr"]) - self._own[0], int(values[b"rchar"]) - self._own[1]
        self._own[0] += 1
        self._own[1] += len(content)
        return result


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    if not COUNTERS.exists():
        pytest.skip("the system does not count what a process reads")
    counted, call = Calls(), Library.call

    def count_call(self: Library, *arguments: object, **more: object) -> None:
        counted.native += 1
        call(self, *arguments, **more)  # type: ignore[arg-type]

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


@needs_kernel
def test_opening_reads_the_directory_once_and_without_libczi(tmp_path: Path, calls: Calls) -> None:
    path = mosaic(tmp_path, 35, 2)
    czi.open_czi(path).close()  # imports modules
    calls.clear()
    with czi.open_czi(path) as document:
        assert len(document.subblocks) == 35 * 35
        directory = 35 * 35 * 92 + 160
        assert calls.bytes < 1.5 * directory  # with the file header and the attachments
        assert calls.reads < 6
        assert calls.native == 0


@needs_kernel
def test_small_tiles_are_read_together_and_without_libczi(tmp_path: Path, calls: Calls) -> None:
    with czi.open_czi(mosaic(tmp_path, 20), threads=1) as document:
        calls.clear()
        plane = document.read()
        assert calls.native == 0
    assert plane.shape == (800, 800, 1)
    assert calls.reads <= 3 + calls.bytes // (1 << 18)
    assert calls.bytes < 2 * plane.nbytes


@needs_kernel
@pytest.mark.parametrize("zoom", [1.0, 0.6])
@pytest.mark.parametrize("masks", [False, True])
def test_a_call_of_the_kernel_looks_at_some_tiles_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zoom: float, masks: bool
) -> None:
    path, seen, paint = mosaic(tmp_path, 10, 8), set(), Reads.paint
    options = czi.ReaderOptions(enable_mask_awareness=masks)

    def watched(reads: Reads, slice_us: int) -> int:
        seen.add((reads.current, reads.count))
        return paint(reads, slice_us)

    with czi.open_czi(path, reader_options=options) as document:
        expected = document.read(zoom=zoom)
        monkeypatch.setattr(tiles_of_kernel, "_AT_ONCE", 7)
        monkeypatch.setattr(Reads, "paint", watched)
        np.testing.assert_array_equal(document.read(zoom=zoom), expected)
    starts = range(0, 100, 7)
    assert seen == {(range(at, min(at + 7, 100)), 100) for at in starts}


@needs_kernel
def test_the_kernel_returns_between_tiles_that_are_painted_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strips that cross cut each other into so many parts that they are painted one by one."""
    strips = [Block(np.full((240, 2), at, "u1"), 3 * at, 0, m=2 * at) for at in range(80)]
    strips += [Block(np.full((2, 240), at, "u1"), 0, 3 * at, m=2 * at + 1) for at in range(80)]
    left: list[int] = []
    paint = Reads.paint

    def one(reads: Reads, slice_us: int) -> int:
        left.append(paint(reads, 0))
        return left[-1]

    def choose(reads: Reads, slice_us: int) -> bool:
        reads.choose()
        return False

    with czi.open_czi(write_czi(tmp_path / "strips.czi", strips)) as document:
        expected = document.read()
        monkeypatch.setattr(Reads, "read", choose)
        monkeypatch.setattr(Reads, "paint", one)
        np.testing.assert_array_equal(document.read(), expected)
    assert left == list(range(159, -1, -1))


@needs_kernel
@pytest.mark.parametrize("tiles", [5, 20])
def test_a_small_roi_costs_the_same_in_a_large_file(
    tmp_path: Path, calls: Calls, tiles: int
) -> None:
    with czi.open_czi(mosaic(tmp_path, tiles), threads=1) as document:
        document.read(roi=(0, 0, 1, 1))  # makes the index
        calls.clear()
        document.read(roi=(85, 85, 10, 10))  # one tile
        assert calls.native == 0
        assert calls.reads == 1  # its head, and with it the rows that are seen
        assert calls.bytes < 5000
        calls.clear()
        document.read(roi=(90, 85, 10, 10))  # again in that tile
    assert calls.reads == 1
    assert calls.bytes <= 10 * SIDE * 2


@needs_kernel
@pytest.mark.parametrize("cache", [None, czi.CacheOptions(czi.CacheType.Standard)])
def test_many_small_tiles_take_few_calls(
    tmp_path: Path, calls: Calls, cache: czi.CacheOptions | None
) -> None:
    with czi.open_czi(mosaic(tmp_path, 30, 8), cache_options=cache, threads=1) as document:
        document.read()
        calls.clear()
        count = calls_of(lambda: document.read(roi=(3, 3, 200, 200)))  # 26 x 26 tiles
        assert count < 26 * 26 * NUMPY
        assert calls.reads <= 26


@needs_kernel
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


@needs_kernel
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


@needs_kernel
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


@pytest.mark.skipif(
    platform.python_implementation() == "PyPy", reason="PyPy does not trace the memory of numpy"
)
@pytest.mark.parametrize(
    "options",
    [
        {"cache_options": czi.CacheOptions(max_sub_block_count=1)},
        {"reader_options": czi.ReaderOptions(enable_mask_awareness=True)},
    ],
)
@frees_at_once
def test_few_decoded_tiles_are_in_memory_at_a_time(tmp_path: Path, options: Any) -> None:
    import tracemalloc  # PyPy has none

    side, count = 1024, 64
    tile = Block(np.full((side, side), 3, "u1"), compression=Compression.Zstd1)
    blocks = [replace(tile, x=side * place, m=place) for place in range(count)]
    path = write_czi(tmp_path / "large.czi", blocks)
    with czi.open_czi(path, threads=2, **options) as document:
        document.read(roi=(0, 0, side, side))
        out = np.empty((side, side * count, 1), "u1")
        tracemalloc.start()
        try:
            document.read(out=out)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert (out == 3).all()
    assert peak < 24 << 20


@pytest.fixture
def interrupt_soon() -> Iterator[Callable[[], None]]:
    """Give a function that has an interrupt come in a tenth of a second."""
    if not hasattr(signal, "setitimer"):
        pytest.skip("the system has no such timers")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def soon() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.1)

    before = signal.signal(signal.SIGALRM, interrupt)
    yield soon
    signal.signal(signal.SIGALRM, before)


def assert_interrupted(call: Callable[[], object], interrupt_soon: Callable[[], None]) -> None:
    begun = time.perf_counter()
    interrupt_soon()
    with pytest.raises(KeyboardInterrupt):
        call()
    assert time.perf_counter() - begun < 2


@needs_kernel
def test_an_interrupt_is_heard_while_very_many_tiles_are_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupt_soon: Callable[[], None]
) -> None:
    """Choosing is one call; here it takes seconds, as for ten millions of tiles."""
    choose = Reads.choose

    def slowly(reads: Reads) -> None:
        time.sleep(3)
        choose(reads)

    monkeypatch.setattr(paint, "_MANY", 10)
    with czi.open_czi(mosaic(tmp_path, 5)) as document:
        expected = document.read()
        for call in (document.read, document.valid_pixels):
            monkeypatch.setattr(Reads, "choose", slowly)
            assert_interrupted(call, interrupt_soon)
            monkeypatch.setattr(Reads, "choose", choose)
            assert np.array_equal(document.read(), expected)


def test_an_interrupt_is_heard_while_a_large_tile_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupt_soon: Callable[[], None]
) -> None:
    """Decoding is one call; here it takes seconds, as for a tile of a gigabyte."""
    decoded = decode.decode_zstd

    def slowly(*given: Any) -> Any:
        time.sleep(3)
        return decoded(*given)

    monkeypatch.setattr(decode, "_LONG", 10)
    tile = Block(np.full((SIDE, SIDE), 3, "u1"), compression=Compression.Zstd1)
    path = write_czi(tmp_path / "large.czi", [tile])
    with czi.open_czi(path, cache_options=czi.CacheOptions()) as document:
        for call in (document.read_subblock(0).pixels, document.read):
            monkeypatch.setattr(decode, "decode_zstd", slowly)
            assert_interrupted(call, interrupt_soon)
            monkeypatch.setattr(decode, "decode_zstd", decoded)
        assert (document.read() == 3).all()


@needs_kernel
def test_the_kernel_leaves_what_takes_long_to_the_decoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No interrupt is heard during a call of the kernel."""
    count = []
    decoded = decode.decode_zstd
    monkeypatch.setattr(decode, "decode_zstd", lambda *given: count.append(1) or decoded(*given))
    pixels = np.zeros((9000, 8000), "u1")
    pixels[:, 7] = np.arange(9000) % 251
    path = write_czi(tmp_path / "large.czi", [Block(pixels, compression=Compression.Zstd1)])
    with czi.open_czi(path) as document:
        top = document.read(roi=(0, 100, 8000, 1000))
        assert not count
        np.testing.assert_array_equal(top[..., 0], pixels[100:1100])
        assert np.array_equal(document.read()[..., 0], pixels)
        assert len(count) == 1
