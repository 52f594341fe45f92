"""create_czi(pyramid=...): the same pyramid, made when the document is closed."""

from __future__ import annotations

import contextlib
import io
import os
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files.block import Block
from files.patterns import noise
from hypothesis import given, settings
from hypothesis import strategies as st
from pyramid_reference import assert_right_pyramid, stored_tiles

from czictypes.czi import PyramidOptions, add_pyramid
from czictypes.model.pixel_types import Compression, PixelType
from czictypes.reading.reader import CziReader
from czictypes.writing.writer import create_czi

OPTIONS = PyramidOptions(tile=8, until=4)
TYPES = [
    PixelType.Gray8,
    PixelType.Gray16,
    PixelType.Gray32Float,
    PixelType.Bgr24,
    PixelType.Bgr48,
    PixelType.Bgr96Float,
]


@st.composite
def documents(draw: st.DrawFn) -> list[Block]:
    """Tiles of several planes and scenes in any order, which may overlap."""
    types = draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=2))
    blocks = []
    for _ in range(draw(st.integers(1, 8))):
        channel = draw(st.integers(0, len(types) - 1))
        plane = {"Z": draw(st.integers(0, 1)), "C": channel, "T": 0, "S": draw(st.integers(0, 1))}
        height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
        pixels = noise(types[channel], height, width, draw(st.integers(0, 10**6)))
        x, y = draw(st.integers(-50, 50)) + 300 * plane["S"], draw(st.integers(-50, 50))
        m = sum(one.plane == plane for one in blocks)
        blocks.append(Block(pixels, x, y, plane, m=m))
    return blocks


def write(target: Any, blocks: list[Block], **options: Any) -> None:
    with create_czi(target, overlap="allow", **options) as document:
        for block in blocks:
            document.write(block.pixels, (block.x, block.y), block.plane)


@settings(max_examples=40)
@given(
    documents(), st.integers(2, 4), st.integers(1, 20), st.sampled_from(["", "zstd0:", "zstd1:"])
)
def test_the_pyramid_is_right_whatever_the_order_of_the_tiles(
    folder: Path, blocks: list[Block], factor: int, tile: int, compression: str
) -> None:
    path = folder / "new.czi"
    pyramid = PyramidOptions(factor, tile, 5)
    write(path, blocks, overwrite=True, compression=compression, pyramid=pyramid)
    assert_right_pyramid(path, blocks, factor=factor, tile=tile, until=5)


def some_tiles() -> list[Block]:
    return [
        Block(noise(PixelType.Gray16, 64, 64, 8 * y + x), 60 * x, 60 * y, plane, m=5 * y + x)
        for plane in ({"Z": 0, "C": c, "T": 0, "S": 0} for c in range(2))
        for y in range(4)
        for x in range(5)
    ]


def test_it_is_the_pyramid_that_add_pyramid_makes(tmp_path: Path) -> None:
    written, added = tmp_path / "written.czi", tmp_path / "added.czi"
    write(written, some_tiles(), pyramid=OPTIONS, compression="zstd1:")
    write(added, some_tiles(), compression="zstd1:")
    add_pyramid(added, OPTIONS)
    one, other = stored_tiles(written), stored_tiles(added)
    assert len(one) == len(other)
    for mine, theirs in zip(one, other):
        assert mine[:-1] == theirs[:-1]
        assert np.array_equal(mine.pixels, theirs.pixels)


def test_every_target_takes_it(tmp_path: Path) -> None:
    class Pipe(io.RawIOBase):
        """A file object that can only be written to, from start to end."""

        def __init__(self) -> None:
            self.taken = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            self.taken += data
            return len(data)

    memory, pipe = io.BytesIO(b"something longer before " * 100_000), Pipe()
    for target in (tmp_path / "file.czi", memory, pipe):
        write(target, some_tiles(), pyramid=OPTIONS)
    (tmp_path / "memory.czi").write_bytes(memory.getvalue())
    (tmp_path / "pipe.czi").write_bytes(pipe.taken)
    for path in tmp_path.iterdir():
        assert_right_pyramid(path, some_tiles(), tile=8, until=4)


def test_a_failing_block_leaves_a_file_object_as_it_was() -> None:
    memory = io.BytesIO(b"before")
    with contextlib.suppress(KeyError), create_czi(memory, pyramid=True) as document:
        document.write(np.zeros((9, 9), np.uint8))
        raise KeyError
    assert memory.getvalue() == b"before"


def test_a_file_object_that_fails_at_the_end_is_emptied() -> None:
    class Failing(io.BytesIO):
        def write(self, data: Any) -> int:
            if self.tell() > 3000:
                raise OSError(28, "No space left on device")
            return super().write(data[:1000])

    memory = Failing()
    with pytest.raises(OSError, match="No space"):
        write(memory, [Block(noise(PixelType.Gray8, 2000, 2000, 1), plane={})], pyramid=True)
    assert memory.getvalue() == b""


def test_the_sizes_in_the_metadata_are_those_of_the_full_resolution(tmp_path: Path) -> None:
    path = tmp_path / "new.czi"
    write(path, some_tiles(), pyramid=OPTIONS)
    with CziReader(path) as document:
        image = document.metadata["ImageDocument"]["Metadata"]["Information"]["Image"]
        assert document.total_bounding_rectangle == (0, 0, 304, 244)
    assert (image["SizeX"], image["SizeY"], image["SizeM"]) == ("304", "244", "20")


def test_the_level_of_compression_is_that_of_the_document(tmp_path: Path) -> None:
    sizes = []
    for level in (-20, 19):
        path = tmp_path / f"{level}.czi"
        with create_czi(
            path, compression=f"zstd1:ExplicitLevel={level}", pyramid=OPTIONS
        ) as document:
            document.write(np.arange(250_000, dtype=np.uint16).reshape(500, 500) // 9)
        reduced = 0
        with CziReader(path) as read:
            for index in range(len(read.subblocks)):
                one = read.read_subblock(index)
                assert one.info.compressionModeRaw == Compression.Zstd1
                reduced += len(one.raw_data) if one.info.get_zoom() < 1 else 0
        sizes.append(reduced)
    assert sizes[0] > sizes[1]


def test_the_file_is_the_same_for_any_number_of_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guid = uuid.uuid4()
    monkeypatch.setattr(os, "urandom", bytes)  # what differs between any two documents
    contents = set()
    for threads in (1, 2, 5):
        path = tmp_path / f"{threads}.czi"
        options = {"compression": "zstd0:", "pyramid": OPTIONS, "file_guid": guid}
        write(path, some_tiles(), threads=threads, **options)
        contents.add(path.read_bytes())
    assert len(contents) == 1


def test_no_pyramid_unless_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "plain.czi", some_tiles())
    write(tmp_path / "small.czi", some_tiles(), pyramid=True)
    for path in tmp_path.iterdir():
        assert not any(one.is_reduced for one in stored_tiles(path))
    write(tmp_path / "empty.czi", [], pyramid=True)
    assert stored_tiles(tmp_path / "empty.czi") == []
