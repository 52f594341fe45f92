"""The same store by threads, one thread, and the workers of a cluster, one of which dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from ome_zarrs import stored

from czictypes import convert, imread, open_image, write_ome_zarr
from czictypes.czi import imwrite
from czictypes.exchange.ome_zarr.tasks import Job
from czictypes.writing.writer import create_czi

needs("zarr.abc.store", "ome-zarr")  # zarr 3
zarr = needs("zarr", "ome-zarr")
distributed = needs("distributed")

pytestmark = [
    # Of distributed's own making: sockets and pipes of workers that were killed.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

OPTIONS: dict[str, Any] = {"chunks": 64, "levels": 3}


@pytest.fixture(autouse=True)
def _small_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("czictypes.exchange.ome_zarr.tasks._AT_ONCE", 1 << 16)


@pytest.fixture
def expected(mosaic_czi: Path, tmp_path: Path) -> dict[str, bytes]:
    write_ome_zarr(mosaic_czi, tmp_path / "expected.zarr", scheduler="synchronous", **OPTIONS)
    return stored(tmp_path / "expected.zarr")


@pytest.fixture
def client() -> Iterator[Any]:
    """Two workers in processes of their own."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        with distributed.Client(cluster) as client:
            yield client


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_any_number_of_threads_makes_the_same_store(
    mosaic_czi: Path, dest: Path, expected: dict[str, bytes], threads: int
) -> None:
    write_ome_zarr(mosaic_czi, dest, scheduler="threads", threads=threads, **OPTIONS)
    assert stored(dest) == expected


def test_a_cluster_makes_it_and_a_worker_that_dies_loses_nothing(
    mosaic_czi: Path, dest: Path, expected: dict[str, bytes], client: Any
) -> None:
    pids = list(client.run(os.getpid).values())
    killed = []

    def kill(done: int, total: int) -> None:
        if done > total // 4 and not killed:
            killed.append(pids[0])
            os.kill(pids[0], signal.SIGKILL)

    write_ome_zarr(mosaic_czi, dest, progress=kill, **OPTIONS)  # the active client is taken
    assert killed
    assert stored(dest) == expected
    assert pids[0] not in client.run(os.getpid).values()


def test_an_error_of_a_worker_is_told(tmp_path: Path, dest: Path, client: Any) -> None:
    path = tmp_path / "gone.czi"
    with create_czi(path) as document:
        document.write(np.zeros((200, 200), np.uint8))

    def unlink(done: int, total: int) -> None:
        path.write_bytes(b"not any more")

    with pytest.raises(OSError, match="resume=True"):
        write_ome_zarr(path, dest, chunks=32, levels=3, scheduler=client, progress=unlink)


def test_a_job_pickles_as_what_it_needs(mosaic_czi: Path, dest: Path) -> None:
    import pickle

    seen = []
    run = Job.run

    def pickled(self: Job, number: int, task: int) -> None:
        copy = pickle.loads(pickle.dumps(self))
        seen.append(len(pickle.dumps(self)))
        run(copy, number, task)
        copy.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Job, "run", pickled)
        write_ome_zarr(mosaic_czi, dest, scheduler="synchronous", **OPTIONS)
    assert max(seen) < 10_000


def test_what_is_in_memory_is_written_here(
    mosaic_czi: Path, client: Any, tmp_path: Path, expected: dict[str, bytes]
) -> None:
    """Workers have a copy of their own, or another file with the same name."""
    found: dict[str, Any] = {}
    write_ome_zarr(mosaic_czi, found, **OPTIONS)
    assert {key: value.to_bytes() for key, value in found.items()} == expected
    store = zarr.storage.ZipStore(tmp_path / "new.zip", mode="w")
    for target in (store, {}, "memory://czictypes-tests/new.zarr", tmp_path / "new.ozx"):
        with pytest.raises(ValueError, match="in memory or an archive"):
            write_ome_zarr(mosaic_czi, target, scheduler=client, **OPTIONS)
    assert not (tmp_path / "new.zip").exists()


PIXELS = np.random.default_rng(5).integers(0, 4096, (2, 2, 3, 150, 200)).astype(np.uint16)
PARTS: dict[str, tuple[dict[str, Any], Any]] = {
    "projection": ({"project": "max"}, PIXELS.max(2, keepdims=True)),
    "region": ({"roi": (10, 20, 100, 90)}, PIXELS[..., 20:110, 10:110]),
    "planes": ({"plane": {"C": ["GFP"], "Z": [2, 0]}}, PIXELS[:, 1:, [2, 0]]),
    "all": (
        {"roi": (10, 20, 100, 90), "plane": {"T": 1}, "project": {"Z": "max"}},
        PIXELS[1:].max(2, keepdims=True)[..., 20:110, 10:110],
    ),
}


@pytest.mark.parametrize("kind", ["czi", "ome.zarr", "ome.tif"])
def test_parts_of_an_image_are_read_by_the_workers(tmp_path: Path, client: Any, kind: str) -> None:
    """Each worker opens the source by itself."""
    if kind == "ome.tif":
        needs("ome_types", "ome-tiff")
    imwrite(tmp_path / "a.czi", PIXELS, "TCZYX", channel_names=["DAPI", "GFP"])
    source = tmp_path / f"a.{kind}"
    if kind != "czi":
        convert(tmp_path / "a.czi", source)
    for name, (options, expected) in PARTS.items():
        target = tmp_path / f"{name}.ome.zarr"
        convert(source, target, scheduler=client, chunks=64, **options)
        np.testing.assert_array_equal(imread(target), expected)
    with open_image(source) as image:
        convert(image, tmp_path / "open.ome.zarr", scheduler=client, project="max")
        np.testing.assert_array_equal(imread(tmp_path / "open.ome.zarr"), PARTS["projection"][1])
        assert not image.closed


def test_an_image_that_the_caller_describes_is_read_by_the_workers(
    tmp_path: Path, client: Any
) -> None:
    needs("tifffile", "ome-tiff").imwrite(tmp_path / "a.tif", PIXELS[0, 0])
    for name, options in (("whole", {}), ("part", {"project": {"T": "max"}})):
        target = tmp_path / f"{name}.ome.zarr"
        convert(tmp_path / "a.tif", target, axes="TYX", scheduler=client, **options)
        expected = PIXELS[0, 0] if name == "whole" else PIXELS[0, 0].max(0)
        np.testing.assert_array_equal(imread(target).squeeze(), expected)
