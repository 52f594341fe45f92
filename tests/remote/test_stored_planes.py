"""Sub-blocks of several planes on a server: few bytes travel, at opening and for a plane."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files.block import Block
from files.builder import write_czi
from files.encode import zstd_frame
from files.odd import OddTile
from files.patterns import noise

from czictypes import CziImage, czi
from czictypes.model.errors import CorruptFileError
from czictypes.model.pixel_types import Compression, PixelType
from remote.server import RangeServer

_ROOM = 64 << 10  # what a fetch is rounded up to, at both ends


def line_scans(
    count: int, planes: int, side: int, compression: Compression = Compression.Uncompressed
) -> list[OddTile]:
    """Return sub-blocks that hold some planes of random pixels each, one after the other in T."""
    return [
        OddTile(
            noise(PixelType.Gray8, planes * side, side, 30 + at).reshape(planes, side, side, 1),
            0, 0, side, side, {"C": 0, "T": planes * at}, sizes={"T": planes},
            compression=compression,
        )
        for at in range(count)
    ]  # fmt: skip


def put(server: RangeServer, folder: Path, blocks: Sequence[Block]) -> str:
    url = server.put("/lines.czi", write_czi(folder / "lines.czi", blocks).read_bytes())
    server.forget()
    return url


def test_a_plane_takes_about_its_bytes(server: RangeServer, tmp_path: Path) -> None:
    (lines,) = line_scans(1, planes=100, side=300)
    url = put(server, tmp_path, [lines.block()])
    with czi.open_czi(url) as document:
        assert server.sent < 3 * _ROOM
        server.forget()
        assert np.array_equal(document.read(plane={"T": 70}), lines.planes[70])
        assert server.sent <= 300 * 300 + _ROOM
        server.forget()
        few = document.read(plane={"T": 20}, roi=(0, 100, 300, 5))
        assert np.array_equal(few, lines.planes[20, 100:105])
        assert server.sent <= 300 * 5 + _ROOM
    with CziImage(url) as image:
        some = image.read_block({"T": slice(10, 20)})[:, 0, 0]
        assert np.array_equal(some, lines.planes[10:20, ..., 0])


@pytest.mark.parametrize("compression", [Compression.Uncompressed, Compression.Zstd1])
def test_opening_many_reads_few_heads(
    server: RangeServer, tmp_path: Path, compression: Compression
) -> None:
    lines = line_scans(200, 4, 150, compression)
    url = put(server, tmp_path, [one.block() for one in lines])
    with czi.open_czi(url) as document:
        assert server.sent < 30 * _ROOM
        server.forget()
        assert np.array_equal(document.read(plane={"T": 643}), lines[160].planes[3])
        assert server.sent <= 4 * 150 * 150 + 2 * _ROOM


@pytest.mark.parametrize("false", [range(100), range(1, 100, 33)])
def test_opening_many_believes_no_claims_that_cannot_be(
    server: RangeServer, tmp_path: Path, false: range
) -> None:
    lines = line_scans(100, 4, 20)
    blocks = [one.block() for one in lines]
    for at in false:
        blocks[at] = Block(lines[at].planes[0], plane={"T": 4 * at, "C": 0}, sizes={"T": 4})
    with czi.open_czi(put(server, tmp_path, blocks)) as document:
        assert len(document.subblocks) == 400 - 3 * len(false)
        assert np.array_equal(document.read(plane={"T": 136}), lines[34].planes[0])


def test_a_false_claim_that_was_believed_is_told(server: RangeServer, tmp_path: Path) -> None:
    blocks = [one.block() for one in line_scans(100, 4, 20, Compression.Zstd0)]
    pixels: Any = noise(PixelType.Gray8, 20, 20, 1)
    blocks[50] = Block(
        pixels, plane={"T": 200, "C": 0}, sizes={"T": 4}, compression=Compression.Zstd0,
        payload=zstd_frame(pixels.tobytes()),
    )  # fmt: skip
    with czi.open_czi(put(server, tmp_path, blocks)) as document:
        assert np.array_equal(document.read(plane={"T": 200}), pixels)
        with pytest.raises(CorruptFileError, match=r"sub-block 50 .* claims 4 planes.* hold 1"):
            document.read(plane={"T": 202})
