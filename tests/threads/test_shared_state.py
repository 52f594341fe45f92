"""State that threads share survives their meeting there, with Python's global lock and without.

Each test has many threads do, at the same time, what one thread usually does at a time.
"""

from __future__ import annotations

import pickle
import queue
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import HAS_GLOBAL_LOCK, needs
from files.recipe import Made
from reads import Read, facts_of, random_read
from threads.jobs import digest

from czictypes import CziImage, czi
from czictypes.arrays.reader_pool import reader_pool
from czictypes.model.errors import ClosedError

THREADS = 8


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Do each work in a thread of its own, all from the same moment on."""
    start = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        start.wait()
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


@pytest.fixture(autouse=True)
def _threads_take_turns_often() -> Any:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(before)


_IMPORTS = """
import random, threading
import czictypes

start, found = threading.Barrier(8), []

def work(seed):
    names = random.Random(seed).sample(czictypes.__all__, len(czictypes.__all__))
    start.wait()
    for name in names:
        try:
            found.append((name, id(getattr(czictypes, name))))
        except ImportError as error:  # an extra
            found.append((name, type(error).__name__))

threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len(found) == 8 * len(czictypes.__all__), len(found)
assert len(set(found)) == len(czictypes.__all__), sorted(set(found))
"""


@pytest.mark.skipif(
    not HAS_GLOBAL_LOCK,
    reason="CPython takes a package out of sys.modules for a moment when it has loaded it, and a "
    "thread without the global lock that imports another of its modules then raises KeyError",
)
def test_public_names_are_imported_by_threads_at_once() -> None:
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _IMPORTS], capture_output=True, text=True
    )
    assert (told.returncode, told.stderr) == (0, "")


def test_an_image_is_first_looked_at_by_threads_at_once(made: Callable[[str], Made]) -> None:
    def facts(image: CziImage) -> Any:
        levels = [image.read_block({}, level=level).tobytes() for level in image.resolution_levels]
        labels = image.scenes, image.channel_names, image.physical_pixel_sizes, image.channels
        return levels, labels, image.dims.order, image.shape, image.tile_positions.tobytes()

    path = made("multi_scene_pyramid").path
    with CziImage(path) as image:
        expected = facts(image)
    for _ in range(5):
        with CziImage(path) as image:
            assert at_once(*[lambda image=image: facts(image)] * THREADS) == [expected] * THREADS


def test_results_are_dropped_by_other_threads_than_read_them(made: Callable[[str], Made]) -> None:
    # large enough for memory that is kept (see reading/result_memory.py)
    with czi.open_czi(made("overlapping").path) as document:
        x, y, width, height = document.total_bounding_rectangle
        rois = [(x, y, max(width, 700), max(height, 700 + n)) for n in range(THREADS)]
        wanted = [document.read(roi=roi).tobytes() for roi in rois]
        assert min(map(len, wanted)) > 256 << 10
        passed: list[queue.SimpleQueue[Any]] = [queue.SimpleQueue() for _ in rois]

        def work(number: int) -> bool:
            right = True
            for _ in range(30):
                pixels = document.read(roi=rois[number])
                right &= pixels.tobytes() == wanted[number]
                pixels[:] = number  # it is the caller's alone
                passed[(number + 1) % THREADS].put((number, pixels))
                del pixels
                giver, got = passed[number].get()
                right &= bool((got == giver).all())
                del got
            return right

        assert at_once(*[lambda n=n: work(n) for n in range(THREADS)]) == [True] * THREADS


@pytest.mark.parametrize("cached", [None, czi.CacheOptions(max_sub_block_count=3)])
def test_readers_are_pickled_and_opened_while_threads_read(
    cached: Any, made: Callable[[str], Made], rng: np.random.Generator
) -> None:
    with czi.open_czi(made("multi_scene_pyramid").path, cache_options=cached) as document:
        facts = facts_of(document)
        reads = [random_read(rng, facts) for _ in range(6)]
        expected = [digest(document, read) for read in reads]

        def read() -> list[str]:
            return [digest(document, read) for _ in range(5) for read in reads]

        def copy() -> list[str]:
            found = []
            for _ in range(5):
                with pickle.loads(pickle.dumps(document)) as copied:
                    found += [digest(copied, read) for read in reads]
            return found

        assert at_once(*[read, copy] * 3) == [5 * expected] * 6


@pytest.mark.skipif(sys.platform == "win32", reason="Windows replaces no file that is open")
def test_the_file_is_replaced_while_threads_read(
    made: Callable[[str], Made], tmp_path: Path
) -> None:
    kinds = [made("mosaic").path, made("overlapping").path]
    whole = Read(None, {}, None, None, None, None)
    expected = []
    for kind in kinds:
        with czi.open_czi(kind) as document:
            expected.append(digest(document, whole))
    path, ended = tmp_path / "read.czi", threading.Event()
    shutil.copy(kinds[0], path)

    with czi.open_czi(path) as document:

        def read() -> set[str]:
            found = set()
            while not ended.is_set():
                found.add(digest(document, whole))
            return found | {digest(document, whole)}

        def replace() -> set[str]:
            try:
                for number in range(1, 40):
                    shutil.copy(kinds[number % 2], tmp_path / "next.czi")
                    (tmp_path / "next.czi").replace(path)
                    digest(document, whole)
            finally:
                ended.set()
            return set()

        found = at_once(*[read] * (THREADS - 1), replace)
        assert set().union(*found) <= set(expected)
        assert digest(document, whole) == expected[1]


def test_documents_are_closed_by_several_threads_while_others_begin_to_read(
    made: Callable[[str], Made],
) -> None:
    path = made("multi_scene_pyramid").path
    whole = Read(None, {}, None, 0.5, None, None)
    with czi.open_czi(path) as document:
        expected = digest(document, whole)
    for _ in range(20):
        document = czi.open_czi(path, threads=3)

        def read(document: Any = document) -> bool:
            try:
                return digest(document, whole) == expected
            except ClosedError:
                return True

        assert all(at_once(*[read] * 5, *[lambda d=document: d.close() is None] * 3))


def test_lazy_arrays_come_and_go_in_threads(made: Callable[[str], Made]) -> None:
    needs("dask.array", "dask")
    path = made("stack").path
    with CziImage(path) as image:
        expected = image.data.tobytes()

    def work() -> bool:
        right = True
        for _ in range(3):
            with CziImage(path) as image:
                arrays = [image.to_dask(chunks=chunks) for chunks in (None, -1)]
            # the image is closed: the tasks share a reader of the pool
            random.shuffle(arrays)
            while arrays:
                pixels = arrays.pop().compute(scheduler="synchronous")
                right &= pixels.tobytes() == expected
        return right

    assert at_once(*[work] * THREADS) == [True] * THREADS
    reader_pool().close()
    assert len(reader_pool()) == 0
