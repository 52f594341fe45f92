"""Documents of several files on a server."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from container.czi_bytes import AttachedFile, Tile, build_parts
from files.jpeg_xr import jpeg_xr_tile
from files.patterns import noise

from czictypes import czi
from czictypes.model.errors import MissingPartError
from czictypes.model.pixel_types import PixelType
from remote.server import RangeServer

PLANES = [noise(PixelType.Gray8, 200, 300, seed) for seed in range(3)]
FILES = build_parts(
    *[
        [Tile(w=300, h=200, coordinates={"T": t}, data=plane.tobytes())]
        for t, plane in enumerate(PLANES)
    ]
)


def assert_whole(document: czi.CziReader) -> None:
    for t, plane in enumerate(PLANES):
        np.testing.assert_array_equal(document.read(plane={"T": t}), plane)


@pytest.mark.parametrize("query", ["", "?version=3"])
def test_parts_are_found_beside_a_url(server: RangeServer, query: str) -> None:
    url = server.put("/a%20b/scan.czi", FILES[0].data) + query
    server.put("/a%20b/scan%20(1).czi", FILES[1].data)
    server.put("/a%20b/scan(2).czi", FILES[2].data)
    with czi.open_czi(url) as document:
        assert {one.path.partition("?")[0] for one in server.requests} == {"/a%20b/scan.czi"}
        assert_whole(document)
        assert all(name and name.startswith(server.url) for name in document.parts.values())


def test_a_missing_part_is_asked_for_once(server: RangeServer) -> None:
    url = server.put("/scan.czi", FILES[0].data)
    server.put("/scan%20(2).czi", FILES[2].data)
    with czi.open_czi(url) as document:
        np.testing.assert_array_equal(document.read(plane={"T": 2}), PLANES[2])
        for _ in range(2):
            with pytest.raises(MissingPartError, match=r"part 1 .*scan%20\(1\).czi' is not there"):
                document.read(plane={"T": 1})
    asked = [one.path for one in server.requests]
    assert asked.count("/scan%20(1).czi") == asked.count("/scan(1).czi") == 1


def test_an_ordinary_file_has_no_neighbours_asked_for(server: RangeServer) -> None:
    url = server.put("/scan%20(1).czi", FILES[1].data)
    with czi.open_czi(url) as document:
        document.read()
        assert document.parts == {}
    assert {one.path for one in server.requests} == {"/scan%20(1).czi"}


def test_of_a_part_no_more_than_its_sub_blocks_travels(server: RangeServer) -> None:
    pixels = bytes(1 << 20)
    tiles = [[Tile(w=1024, h=1024, coordinates={"T": t}, data=pixels)] for t in range(2)]
    attached = [AttachedFile(data=bytes(1 << 20))]
    first, second = build_parts(*tiles, attachments=attached)
    url = server.put("/scan.czi", first.data)
    server.put("/scan%20(1).czi", second.data)
    with czi.open_czi(url) as document:
        server.forget()
        document.read(roi=(0, 0, 1024, 8), plane={"T": 1})
        assert {one.path for one in server.requests} == {"/scan%20(1).czi"}
        assert server.sent < 200_000


def test_parts_at_urls_of_a_local_master(server: RangeServer, tmp_path: Path) -> None:
    urls = [server.put(f"/{number}", FILES[number].data) for number in (1, 2)]
    with czi.open_czi(FILES[0].write(tmp_path / "scan.czi"), parts=urls) as document:
        assert_whole(document)


def test_jpeg_xr_behind_urls_and_in_a_zip(server: RangeServer) -> None:
    pixels, data = jpeg_xr_tile(PixelType.Gray8)
    tiles = [[Tile(w=12, h=10, coordinates={"T": t}, compression=4, data=data)] for t in range(2)]
    first, second = build_parts(*tiles)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("d/scan.czi", first.data)
        archive.writestr("d/scan (1).czi", second.data)
    url = "zip://d/scan.czi::" + server.put("/a.zip", packed.getvalue())
    with czi.open_czi(url) as document:
        for t in range(2):
            np.testing.assert_array_equal(document.read(plane={"T": t}), pixels)
