"""A reader travels to other processes, and survives a fork."""

from __future__ import annotations

import copy
import io
import multiprocessing
import os
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files.recipe import Made
from reads import Read, facts_of, random_read
from threads.jobs import digest, digests

from czictypes import czi

_SECONDS = 120  # only a process that hangs takes so long

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")


@pytest.fixture(params=["multi_scene_pyramid", "jpegxr"])
def path(request: pytest.FixtureRequest, made: Callable[[str], Made]) -> Path:
    """Give a file of many tiles, and one whose tiles only libCZI decodes."""
    return made(request.param).path


@pytest.fixture
def reads(path: Path, rng: np.random.Generator) -> list[Read]:
    """Give some reads of that file."""
    with czi.open_czi(path) as document:
        facts = facts_of(document)
        return [random_read(rng, facts) for _ in range(10)]


@pytest.fixture
def expected(path: Path, reads: list[Read]) -> list[str]:
    """Give what the reads find in this process."""
    return digests(czi.open_czi(path), reads)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickled_reader_reads_the_same(
    protocol: int, path: Path, reads: list[Read], expected: list[str]
) -> None:
    with czi.open_czi(path, threads=2) as document:
        copied = pickle.loads(pickle.dumps(document, protocol))
        assert copied is not document
        assert digests(copied, reads) == expected
        assert copied.closed
        assert digest(document, reads[0]) == expected[0]


def test_a_pickled_reader_keeps_its_options(made: Callable[[str], Made]) -> None:
    file = made("masked")
    options = {
        "cache_options": czi.CacheOptions(max_sub_block_count=1),
        "reader_options": czi.ReaderOptions(enable_mask_awareness=True),
    }
    with czi.open_czi(file.path, **options) as document:
        with pickle.loads(pickle.dumps(document)) as copied:
            assert np.array_equal(copied.read(), file.plane(masks=True))


def test_a_copied_reader_is_opened_anew(path: Path) -> None:
    with czi.open_czi(path) as document, copy.deepcopy(document) as copied:
        document.close()
        assert copied.read().ndim == 3


def test_a_reader_of_a_file_object_does_not_pickle(path: Path) -> None:
    with path.open("rb") as file, czi.open_czi(file) as document:
        with pytest.raises(TypeError, match=r"pickle|serialize"):
            pickle.dumps(document)


def test_a_reader_of_bytes_in_memory_pickles_with_them(
    path: Path, reads: list[Read], expected: list[str]
) -> None:
    with czi.open_czi(io.BytesIO(path.read_bytes())) as document:
        assert digests(pickle.loads(pickle.dumps(document)), reads) == expected


def in_fork(work: Callable[[], Any]) -> Any:
    """Return what the work gives in a forked process."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def run() -> None:
        try:
            theirs.send(work())
        except BaseException as error:
            theirs.send(f"{type(error).__name__}: {error}")

    process = context.Process(target=run)
    process.start()
    try:
        if not ours.poll(_SECONDS):
            pytest.fail("the forked process hangs")
        return ours.recv()
    finally:
        process.kill()
        process.join()
        process.close()
        ours.close()
        theirs.close()


@needs_fork
def test_a_reader_reads_on_in_a_forked_process(
    path: Path, reads: list[Read], expected: list[str]
) -> None:
    with czi.open_czi(path, threads=3) as document:
        assert in_fork(lambda: [digest(document, read) for read in reads]) == expected
        assert [digest(document, read) for read in reads] == expected
        # now with decoding threads that the fork does not take along
        assert in_fork(lambda: [digest(document, read) for read in reads]) == expected
        assert digest(document, reads[0]) == expected[0]


@needs_fork
def test_a_forked_process_closes_the_reader_for_itself(
    path: Path, reads: list[Read], expected: list[str]
) -> None:
    with czi.open_czi(path) as document:
        assert in_fork(lambda: digests(document, reads)) == expected
        assert not document.closed
        assert digest(document, reads[0]) == expected[0]


@needs_fork
def test_a_fork_while_threads_read_does_not_hang(
    path: Path, reads: list[Read], expected: list[str]
) -> None:
    stop = threading.Event()
    with czi.open_czi(path, threads=2, cache_options=czi.CacheOptions()) as document:

        def work() -> None:
            while not stop.is_set():
                document.read(zoom=0.5)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(5):
                assert in_fork(lambda: [digest(document, read) for read in reads]) == expected
        finally:
            stop.set()
            for thread in threads:
                thread.join()


@needs_fork
def test_a_reader_of_a_file_object_reads_on_in_a_forked_process(
    path: Path, reads: list[Read], expected: list[str]
) -> None:
    with czi.open_czi(io.BytesIO(path.read_bytes())) as document:
        assert in_fork(lambda: [digest(document, read) for read in reads]) == expected


@needs_fork
def test_processes_that_share_a_file_object_do_not_disturb_each_other(
    path: Path, reads: list[Read], expected: list[str]
) -> None:
    # they share the descriptor, hence its position
    stop = threading.Event()
    wrong: list[str] = []
    with path.open("rb") as file, czi.open_czi(file) as document:

        def work() -> None:
            while not stop.is_set():
                wrong.extend({digest(document, reads[0])} - {expected[0]})

        thread = threading.Thread(target=work)
        thread.start()
        try:
            for _ in range(5):
                assert in_fork(lambda: [digest(document, read) for read in reads]) == expected
        finally:
            stop.set()
            thread.join()
    assert wrong == []


@needs_fork
def test_a_closed_reader_stays_closed_in_a_forked_process(path: Path) -> None:
    document = czi.open_czi(path)
    document.close()
    assert "is closed" in in_fork(document.read)


def test_a_reader_travels_to_spawned_processes(
    path: Path, reads: list[Read], expected: list[str]
) -> None:
    context = multiprocessing.get_context("spawn")
    with czi.open_czi(path) as document, context.Pool(2) as pool:
        found = [pool.apply_async(digests, (document, reads)) for _ in range(2)]
        assert [result.get(_SECONDS) for result in found] == [expected] * 2
        pool.close()
        pool.join()
