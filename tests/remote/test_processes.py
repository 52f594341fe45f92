"""Many threads, and other processes, with one reader of a remote file."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.recipe import Made
from reads import Read, facts_of, random_read
from threads.jobs import digest, digests
from threads.test_processes import in_fork

from czictypes import czi
from remote.server import RangeServer

Make = Callable[[str], Made]

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")


@pytest.fixture
def path(made: Make) -> Path:
    return made("multi_scene_pyramid").path


@pytest.fixture
def url(server: RangeServer, path: Path) -> str:
    # more than comes with the first request, so that threads and processes have to ask
    data = path.read_bytes()
    assert len(data) > 64 << 10
    return server.put("/image.czi", data)


@pytest.fixture
def small() -> dict[str, Any]:
    """Give options with a cache of so few blocks that most reads need requests."""
    return {"czictypes": {"block_bytes": 1024, "cache_bytes": 16 << 10}}


@pytest.fixture
def reads(path: Path, rng: np.random.Generator) -> list[Read]:
    with czi.open_czi(path) as document:
        return [random_read(rng, facts_of(document)) for _ in range(8)]


@pytest.fixture
def expected(path: Path, reads: list[Read]) -> list[str]:
    return digests(czi.open_czi(path), reads)


def test_many_threads_read_at_once(
    url: str, small: dict[str, Any], reads: list[Read], expected: list[str]
) -> None:
    with czi.open_czi(url, storage_options=small) as document, ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda read: digest(document, read), reads * 6)
        assert list(found) == expected * 6


def test_a_block_that_many_threads_want_is_asked_for_once(server: RangeServer, url: str) -> None:
    with czi.open_czi(url) as document, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: document.read(zoom=0.5), range(16)))
    ranges = [request.headers["Range"] for request in server.requests]
    assert len(ranges) == len(set(ranges))


@needs_fork
def test_a_reader_reads_on_in_a_forked_process(
    url: str, small: dict[str, Any], reads: list[Read], expected: list[str]
) -> None:
    with czi.open_czi(url, storage_options=small) as document:
        assert digest(document, reads[0]) == expected[0]
        assert in_fork(lambda: [digest(document, read) for read in reads]) == expected
        assert [digest(document, read) for read in reads] == expected


@needs_fork
@pytest.mark.parametrize("kind", ["upath", "open file"])
def test_what_holds_connections_makes_new_ones_in_a_forked_process(
    url: str, reads: list[Read], expected: list[str], kind: str
) -> None:
    target = needs("upath").UPath(url) if kind == "upath" else needs("fsspec").open(url)
    with czi.open_czi(target) as document:
        assert digest(document, reads[0]) == expected[0]
        assert in_fork(lambda: digests(document, reads)) == expected
        assert digest(document, reads[1]) == expected[1]


@needs_fork
def test_a_file_in_memory_is_read_on_in_a_forked_process(
    path: Path, reads: list[Read], expected: list[str]
) -> None:
    memory = needs("fsspec", "remote").filesystem("memory")
    memory.pipe_file("/forked.czi", path.read_bytes())
    try:
        with czi.open_czi("memory://forked.czi") as document:
            assert in_fork(lambda: [digest(document, read) for read in reads]) == expected
            assert digest(document, reads[0]) == expected[0]
    finally:
        memory.rm_file("/forked.czi")


def test_a_reader_travels_to_a_spawned_process(
    url: str, small: dict[str, Any], reads: list[Read], expected: list[str]
) -> None:
    context = multiprocessing.get_context("spawn")
    with czi.open_czi(url, storage_options=small) as document, context.Pool(1) as pool:
        assert pool.apply_async(digests, (document, reads)).get(120) == expected
        pool.close()
        pool.join()


def test_a_pickled_reader_keeps_its_options(server: RangeServer, url: str) -> None:
    options = {"headers": {"X-Lab": "cells"}, "czictypes": czi.RemoteOptions(retries=0)}
    with czi.open_czi(url, storage_options=options) as document:
        server.forget()
        with pickle.loads(pickle.dumps(document)) as copied:
            copied.read()
    assert {request.headers["X-Lab"] for request in server.requests} == {"cells"}
