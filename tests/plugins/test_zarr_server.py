"""The web server that shows a CZI as OME-Zarr: byte ranges, and what tensorstore reads."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from extras import needs
from files.recipes import Made

from czictypes import CziImage, ZarrServer, czi

needs("zarr", "ome-zarr")


@pytest.fixture
def path(made: Callable[[str], Made]) -> Path:
    return made("multi_scene_pyramid").path


@pytest.fixture
def server(path: Path) -> Iterator[ZarrServer]:
    with ZarrServer(path, scene=0, chunks=40) as running:
        yield running


def answer(url: str, *, method: str = "GET", part: str | None = None) -> tuple[int, bytes, object]:
    headers = {} if part is None else {"Range": part}
    request = urllib.request.Request(url, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, response.read(), response.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers


def test_tensorstore_reads_every_level(server: ZarrServer, path: Path) -> None:
    tensorstore = needs("tensorstore")
    with CziImage(path) as image:
        for level in image.levels:
            address = f"{server.url}{level.index}/"
            array = tensorstore.open({"driver": "zarr3", "kvstore": address}).result()
            np.testing.assert_array_equal(array.read().result(), image.asarray(level.index))
            part = array[0, 1, 0, 3:15, 7].read().result()
            expected = image.read_block(
                {"T": 0, "C": 1, "Z": 0, "Y": slice(3, 15), "X": 7}, level=level.index
            )
            np.testing.assert_array_equal(part, expected)


def test_documents_and_chunks(server: ZarrServer) -> None:
    status, document, _ = answer(f"{server.url}0/zarr.json")
    assert (status, document[:1]) == (200, b"{")
    status, chunk, headers = answer(f"{server.url}0/c/0/0/0/1/1")
    assert (status, len(chunk)) == (200, 2 * 40 * 40)
    assert headers["Access-Control-Allow-Origin"] == "*"  # type: ignore[index]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("bytes=10-19", slice(10, 20)),
        ("bytes=3190-9999", slice(3190, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=5-", slice(5, None)),
    ],
)
def test_byte_ranges(server: ZarrServer, part: str, expected: slice) -> None:
    url = f"{server.url}0/c/0/0/0/1/1"
    _, whole, _ = answer(url)
    status, found, headers = answer(url, part=part)
    assert (status, found) == (206, whole[expected])
    first, last, total = expected.indices(len(whole))[0], len(whole), len(whole)
    last = expected.indices(len(whole))[1] - 1
    assert headers["Content-Range"] == f"bytes {first}-{last}/{total}"  # type: ignore[index]


def test_a_range_beyond_the_end(server: ZarrServer) -> None:
    status, found, _ = answer(f"{server.url}0/c/0/0/0/1/1", part="bytes=3200-")
    assert (status, found) == (416, b"")


def test_the_head_alone(server: ZarrServer) -> None:
    status, body, headers = answer(f"{server.url}0/c/0/0/0/0/0", method="HEAD")
    assert (status, body) == (200, b"")
    assert headers["Content-Length"] == "3200"  # type: ignore[index]


@pytest.mark.parametrize("key", ["", "0/c/9/0/0/0/0", "../zarr.json"])
def test_what_is_not_there(server: ZarrServer, key: str) -> None:
    assert answer(server.url + key)[0] == 404


def test_a_chunk_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 99, (40, 50)).astype(np.uint8)
    czi.imwrite(tmp_path / "damaged.czi", pixels, compression="zstd0:")
    with czi.open_czi(tmp_path / "damaged.czi") as document:
        start = int(document.subblocks["file_position"][0])
    with (tmp_path / "damaged.czi").open("r+b") as stream:
        stream.seek(start + 900)
        stream.write(bytes(200))
    with ZarrServer(tmp_path / "damaged.czi") as server:
        status, text, _ = answer(f"{server.url}0/c/0/0/0/0/0")
    assert status == 500
    assert b"sub-block 0" in text


def test_pages_may_ask_whether_they_may_ask(server: ZarrServer) -> None:
    status, _, headers = answer(f"{server.url}zarr.json", method="OPTIONS")
    assert status == 204
    assert headers["Access-Control-Allow-Headers"] == "Range"  # type: ignore[index]


def test_closing_twice_is_no_error(path: Path) -> None:
    server = ZarrServer(path)
    server.close()
    server.close()
