"""From and to other places than folders: memory:// and S3, each to each."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from ome_zarrs import stored
from remote.server import serving

from czictypes import from_ome_zarr, imread, save, write_ome_zarr
from czictypes.arrays.image import CziImage
from czictypes.exchange.ome_zarr.store import JOURNAL
from czictypes.model.errors import IncompleteOutputError

needs("zarr.abc.store", "ome-zarr")  # zarr 3
fsspec = needs("fsspec", "remote")

pytestmark = [
    # Of the packages that stand in for S3.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

OPTIONS: dict[str, Any] = {"chunks": 256, "levels": 2}


@pytest.fixture
def memory() -> Iterator[str]:
    """A folder in memory."""
    yield "memory://czictypes-tests"
    files = fsspec.filesystem("memory")
    if files.exists("/czictypes-tests"):
        files.rm("/czictypes-tests", recursive=True)


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, Any]]]:
    """A bucket of a server on this machine, and what fsspec is to know of it."""
    server_module = needs("moto.server")
    needs("s3fs")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    options = {
        "key": "x",
        "secret": "x",
        "client_kwargs": {"endpoint_url": f"http://{host}:{port}", "region_name": "us-east-1"},
    }
    bucket = urllib.request.Request(f"http://{host}:{port}/czictypes", method="PUT")
    urllib.request.urlopen(bucket).close()
    yield "s3://czictypes", options
    _close_sessions()
    server.stop()


def _close_sessions() -> None:
    """Close what s3fs keeps open until the end of the process."""
    from zarr.core.sync import sync

    kind = fsspec.get_filesystem_class("s3")
    for files in list(kind._cache.values()):
        client = files._s3
        if client is not None and files.asynchronous:
            sync(client.close())  # it belongs to zarr's loop
        elif client is not None:
            fsspec.asyn.sync(files.loop, client.close)
    kind.clear_instance_cache()


@pytest.fixture
def expected(mosaic_czi: Path, dest: Path) -> dict[str, bytes]:
    write_ome_zarr(mosaic_czi, dest, **OPTIONS)
    return stored(dest)


def contents(url: str, options: dict[str, Any] | None = None) -> dict[str, bytes]:
    files, root = fsspec.url_to_fs(url, **(options or {}))
    files.invalidate_cache()
    return {name[len(root) :].lstrip("/"): files.cat_file(name) for name in files.find(root)}


def test_a_url_holds_the_same_store(
    mosaic_czi: Path, memory: str, expected: dict[str, bytes]
) -> None:
    write_ome_zarr(mosaic_czi, f"{memory}/new.ome.zarr", **OPTIONS)
    assert contents(f"{memory}/new.ome.zarr") == expected


def test_from_memory_to_memory_and_back(
    mosaic_czi: Path, memory: str, tmp_path: Path, open_czi: Callable[..., CziImage]
) -> None:
    fsspec.filesystem("memory").pipe("/czictypes-tests/a.czi", mosaic_czi.read_bytes())
    write_ome_zarr(f"{memory}/a.czi", f"{memory}/a.ome.zarr")
    from_ome_zarr(f"{memory}/a.ome.zarr", tmp_path / "back.czi")
    before, after = open_czi(mosaic_czi), open_czi(tmp_path / "back.czi")
    assert np.array_equal(before.asarray(), after.asarray())


def test_from_s3_to_s3_and_back(
    mosaic_czi: Path,
    s3: tuple[str, dict[str, Any]],
    expected: dict[str, bytes],
    tmp_path: Path,
    open_czi: Callable[..., CziImage],
) -> None:
    bucket, options = s3
    fsspec.filesystem("s3", **options).pipe_file("czictypes/a.czi", mosaic_czi.read_bytes())
    write_ome_zarr(
        f"{bucket}/a.czi",
        f"{bucket}/a.ome.zarr",
        storage_options=options,
        source_options=options,
        **OPTIONS,
    )
    assert contents(f"{bucket}/a.ome.zarr", options) == expected
    from_ome_zarr(f"{bucket}/a.ome.zarr", tmp_path / "back.czi", storage_options=options)
    before, after = open_czi(mosaic_czi), open_czi(tmp_path / "back.czi")
    assert np.array_equal(before.asarray(), after.asarray())


def test_a_remote_store_is_gone_on_with(
    mosaic_czi: Path, s3: tuple[str, dict[str, Any]], expected: dict[str, bytes]
) -> None:
    bucket, options = s3
    target = f"{bucket}/resumed.ome.zarr"

    def stop(done: int, total: int) -> None:
        raise RuntimeError("the network is gone")

    with pytest.raises(IncompleteOutputError, match="network"):
        write_ome_zarr(mosaic_czi, target, progress=stop, storage_options=options, **OPTIONS)
    assert JOURNAL in contents(target, options)
    write_ome_zarr(mosaic_czi, target, resume=True, storage_options=options, **OPTIONS)
    assert contents(target, options) == expected
    with pytest.raises(FileExistsError):
        write_ome_zarr(mosaic_czi, target, storage_options=options)
    write_ome_zarr(mosaic_czi, target, overwrite=True, storage_options=options, **OPTIONS)
    assert contents(target, options) == expected


def test_a_upath_is_a_url(mosaic_czi: Path, memory: str, expected: dict[str, bytes]) -> None:
    upath = needs("upath")
    write_ome_zarr(mosaic_czi, upath.UPath(f"{memory}/u.ome.zarr"), **OPTIONS)
    assert contents(f"{memory}/u.ome.zarr") == expected
    write_ome_zarr(mosaic_czi, upath.UPath(f"{memory}/u.ome.zarr"), overwrite=True, **OPTIONS)


def test_the_query_of_a_url_goes_with_each_key(tmp_path: Path) -> None:
    needs("aiohttp", "remote")
    pixels = np.arange(600, dtype=np.uint16).reshape(20, 30)
    save(pixels, tmp_path / "a.ome.zarr")
    with serving() as server:
        for key, data in stored(tmp_path / "a.ome.zarr").items():
            server.put(f"/a.ome.zarr/{key}", data)
        found = imread(f"{server.url}/a.ome.zarr?sig=a%2Fb")
        assert {one.path.partition("?")[2] for one in server.requests} == {"sig=a/b"}
        np.testing.assert_array_equal(found.squeeze(), pixels)
        with pytest.raises(FileNotFoundError) as caught:
            imread(f"{server.url}/nothing.ome.zarr?sig=hidden")
    assert "hidden" not in str(caught.value)
