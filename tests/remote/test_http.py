"""Reading from a web server: the same pixels as from the file, and few bytes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files.recipe import Made
from reads import facts_of, random_read

from czictypes import CziImage, czi
from remote.server import RangeServer

Make = Callable[[str], Made]

_ROOM = 64 << 10  # what a fetch is rounded up to, at both ends


@pytest.fixture(scope="module")
def big_mosaic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a mosaic of 8 x 8 tiles of 256 x 256 random pixels, 8 MiB."""
    path = tmp_path_factory.mktemp("mosaic") / "mosaic.czi"
    pixels = np.random.default_rng(5)
    with czi.create_czi(path) as writer:
        for number in range(64):
            tile = pixels.integers(0, 4000, (256, 256, 1)).astype(np.uint16)
            writer.write(tile, location=(number % 8 * 256, number // 8 * 256))
    return path


def check_equal(url: str, path: Path, rng: np.random.Generator, **options: Any) -> None:
    """Compare the whole and some random reads of a URL with those of the file."""
    with czi.open_czi(url, **options) as remote, czi.open_czi(path) as local:
        assert remote.raw_metadata == local.raw_metadata
        assert remote.total_bounding_box == local.total_bounding_box
        assert [entry.name for entry in remote.attachments] == [
            entry.name for entry in local.attachments
        ]
        for read in [random_read(rng, facts_of(local)) for _ in range(5)]:
            assert np.array_equal(remote.read(**read.arguments), local.read(**read.arguments))


def test_every_real_file_reads_as_from_disk(
    server: RangeServer, every_real_file: Path, rng: np.random.Generator
) -> None:
    url = server.put("/image.czi", every_real_file.read_bytes())
    check_equal(url, every_real_file, rng)


@pytest.mark.filterwarnings("ignore::czictypes.model.errors.PixelTypeWarning")
def test_every_made_file_reads_as_from_disk(
    server: RangeServer, every_made: Made, rng: np.random.Generator
) -> None:
    url = server.put("/image.czi", every_made.path.read_bytes())
    with czi.open_czi(every_made.path) as document:
        empty = not document.subblocks.size
    if empty:
        with czi.open_czi(url) as document:
            assert not document.subblocks.size
    else:
        check_equal(url, every_made.path, rng)


@pytest.mark.parametrize("name", ["multi_scene_pyramid", "stack", "jpegxr"])
def test_tiny_blocks_give_the_same_pixels(
    server: RangeServer, made: Make, rng: np.random.Generator, name: str
) -> None:
    # and a cache of so few of them that nearly everything leaves it before it is used again
    path = made(name).path
    url = server.put("/image.czi", path.read_bytes())
    small = {"block_bytes": 512, "cache_bytes": 8192, "request_bytes": 2048, "gap_bytes": 0}
    check_equal(url, path, rng, storage_options={"czictypes": small})


def test_masks_and_sub_blocks_come_over_the_network(server: RangeServer, made: Make) -> None:
    file = made("masked")
    url = server.put("/image.czi", file.path.read_bytes())
    options = czi.ReaderOptions(enable_mask_awareness=True)
    with czi.open_czi(url, reader_options=options) as document:
        assert np.array_equal(document.read(), file.plane(masks=True))
        assert len(document.read_subblock(0).raw_data)


def test_opening_moves_the_directories_and_little_else(
    server: RangeServer, big_mosaic: Path
) -> None:
    url = server.put("/image.czi", big_mosaic.read_bytes())
    with czi.open_czi(url):
        # the header; then directory and metadata, which lie one behind the other, at once
        assert len(server.requests) == 2
        assert server.sent < 64 * 1024 + 64 * 200 + _ROOM


def test_metadata_come_along_with_the_opening(server: RangeServer, big_mosaic: Path) -> None:
    url = server.put("/image.czi", big_mosaic.read_bytes())
    with czi.open_czi(url) as document:
        before = len(server.requests)
        assert document.raw_metadata
        assert document.attachments is not None
        assert len(server.requests) == before


def test_a_region_moves_the_tiles_that_it_meets(server: RangeServer, big_mosaic: Path) -> None:
    url = server.put("/image.czi", big_mosaic.read_bytes())
    with czi.open_czi(url) as document:
        server.forget()
        document.read(roi=(300, 300, 100, 100))  # within one tile of 128 KiB
        assert len(server.requests) == 1
        assert server.sent <= 256 * 256 * 2 + 2 * _ROOM


def test_of_a_large_stored_tile_only_some_rows_travel(
    server: RangeServer, tmp_path: Path, rng: np.random.Generator
) -> None:
    tile = rng.integers(0, 4000, (2000, 1500, 1)).astype(np.uint16)
    with czi.create_czi(tmp_path / "a.czi") as writer:
        writer.write(tile)
    url = server.put("/a.czi", (tmp_path / "a.czi").read_bytes())
    with czi.open_czi(url) as document:
        server.forget()
        assert np.array_equal(document.read(roi=(0, 900, 1500, 50)), tile[900:950])
        assert server.sent <= 50 * 1500 * 2 + 2 * _ROOM
        assert len(server.requests) <= 2


def test_a_whole_plane_travels_once(server: RangeServer, big_mosaic: Path) -> None:
    data = big_mosaic.read_bytes()
    url = server.put("/image.czi", data)
    with czi.open_czi(url) as document, czi.open_czi(big_mosaic) as local:
        server.forget()
        assert np.array_equal(document.read(), local.read())
        assert server.sent <= len(data)
        # what lies together is one request of up to 1 MiB
        assert len(server.requests) <= len(data) // (1 << 20) + 2


def test_what_was_read_is_not_asked_for_again(server: RangeServer, big_mosaic: Path) -> None:
    url = server.put("/image.czi", big_mosaic.read_bytes())
    with czi.open_czi(url) as document:
        first = document.read(roi=(0, 0, 600, 600))
        server.forget()
        assert np.array_equal(document.read(roi=(0, 0, 600, 600)), first)
        assert np.array_equal(document.read(roi=(50, 50, 100, 100)), first[50:150, 50:150])
        assert server.requests == []


def test_scattered_tiles_are_asked_for_at_the_same_time(
    server: RangeServer, big_mosaic: Path
) -> None:
    # one column of the mosaic: eight tiles, far from each other in the file
    url = server.put("/image.czi", big_mosaic.read_bytes())
    options = {"czictypes": {"block_bytes": 4096, "gap_bytes": 0}}
    with czi.open_czi(url, storage_options=options) as document:
        server.forget()
        together: list[int] = []
        arrived = threading.Barrier(8, timeout=20)

        def wait_for_all(handler: Any, number: int) -> bool:
            together.append(arrived.wait())  # breaks unless eight requests are there at once
            return False

        server.fault = wait_for_all
        document.read(roi=(10, 0, 20, 2048))
        assert sorted(together) == list(range(8))


def test_no_more_requests_at_once_than_allowed(server: RangeServer, big_mosaic: Path) -> None:
    url = server.put("/image.czi", big_mosaic.read_bytes())
    under_way, most = [0], [0]
    lock = server.lock

    def count(handler: Any, number: int) -> bool:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        time.sleep(0.01)
        with lock:
            under_way[0] -= 1
        return False

    server.fault = count
    options = {"czictypes": {"max_concurrency": 2, "request_bytes": 1 << 18}}
    with czi.open_czi(url, storage_options=options) as document:
        document.read()
    assert most[0] <= 2


def test_connections_serve_many_requests(server: RangeServer, big_mosaic: Path) -> None:
    url = server.put("/image.czi", big_mosaic.read_bytes())
    options = {"czictypes": {"max_concurrency": 2, "request_bytes": 1 << 18}}
    with czi.open_czi(url, storage_options=options) as document:
        document.read()
    assert len(server.requests) > 20
    assert server.connections <= 2


def test_a_url_needs_no_input_type_but_may_have_it(server: RangeServer, made: Make) -> None:
    file = made("mosaic")
    url = server.put("/image.czi", file.path.read_bytes())
    with czi.open_czi(url) as one, czi.open_czi(url, czi.ReaderFileInputTypes.Curl) as other:
        assert np.array_equal(one.read(), other.read())


@pytest.mark.parametrize("query", ["?token=a%2Fb&x=1", "?name=a::b", "?file=c.czi#part"])
def test_a_url_with_a_query_string(server: RangeServer, made: Make, query: str) -> None:
    file = made("mosaic")
    url = server.put("/image.czi", file.path.read_bytes()) + query
    with czi.open_czi(url) as document:
        assert np.array_equal(document.read(plane={"C": 1}), file.plane({"C": 1}))
    assert {request.path.partition("?")[2] for request in server.requests} == {
        query[1:].partition("#")[0]
    }


def test_headers_and_passwords_are_sent(server: RangeServer, made: Make) -> None:
    url = server.put("/image.czi", made("mosaic").path.read_bytes())
    with czi.open_czi(
        url.replace("//", "//user:pass@"), storage_options={"headers": {"X-Lab": "cells"}}
    ) as document:
        document.read()
    for request in server.requests:
        assert request.headers["X-Lab"] == "cells"
        assert request.headers["Authorization"].startswith("Basic ")
        assert request.headers["Accept-Encoding"] == "identity"


def test_a_redirect_is_followed(server: RangeServer, made: Make) -> None:
    file = made("mosaic")
    url = server.put("/image.czi", file.path.read_bytes())

    def redirect(handler: Any, number: int) -> bool:
        if handler.path != "/old.czi":
            return False
        handler.refuse(302, {"Location": url})
        return True

    server.fault = redirect
    with czi.open_czi(server.url + "/old.czi") as document:
        assert np.array_equal(document.read(plane={"C": 1}), file.plane({"C": 1}))


def test_the_planes_of_a_stack_come_together(
    server: RangeServer, tmp_path: Path, rng: np.random.Generator
) -> None:
    stack = rng.integers(0, 4000, (20, 128, 128)).astype(np.uint16)
    czi.imwrite(tmp_path / "stack.czi", stack, axes="ZYX", compression="uncompressed:")
    url = server.put("/stack.czi", (tmp_path / "stack.czi").read_bytes())
    with CziImage(url) as image:
        server.forget()
        assert np.array_equal(image.data[0, 0], stack)
        assert len(server.requests) <= 2
        assert server.sent <= len(server.files["/stack.czi"])


def test_tiles_that_libczi_decodes_come_together_too(server: RangeServer, made: Make) -> None:
    path = made("jpegxr").path
    url = server.put("/image.czi", path.read_bytes())
    with czi.open_czi(url) as document, czi.open_czi(path) as local:
        assert np.array_equal(document.read(), local.read())
        assert len(server.requests) <= 4


def test_what_the_tile_cache_has_is_not_asked_for(server: RangeServer, big_mosaic: Path) -> None:
    url = server.put("/image.czi", big_mosaic.read_bytes())
    nothing_else = {"czictypes": {"cache_bytes": 0}}
    with czi.open_czi(
        url, cache_options=czi.CacheOptions(), storage_options=nothing_else
    ) as document:
        first = document.read(roi=(0, 0, 500, 500))
        server.forget()
        assert np.array_equal(document.read(roi=(0, 0, 500, 500)), first)
        assert server.requests == []
