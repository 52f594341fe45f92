"""Chunks that a file's tiles make cheap."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from files.block import Block
from files.builder import write_czi
from files.patterns import noise
from files.recipes import Made
from hypothesis import given
from hypothesis import strategies as st

from czictypes import CziImage
from czictypes.arrays import lazy
from czictypes.arrays.lazy import extent_of_chunks
from czictypes.model.pixel_types import PixelType

MB = 1 << 20
sides = st.integers(1, 200_000)


@given(st.tuples(sides, sides), st.tuples(sides, sides), st.sampled_from([1, 2, 3, 8]))
def test_chunks_end_where_tiles_end(
    size: tuple[int, int], step: tuple[int, int], pixel: int
) -> None:
    chunk = extent_of_chunks(size, step, pixel, can_cut=False)
    for one, whole, tile in zip(chunk, size, step):
        assert one == whole or (0 < one < whole and one % tile == 0)
    tile_bytes = min(step[0], size[0]) * min(step[1], size[1]) * pixel
    assert chunk[0] * chunk[1] * pixel <= max(32 * MB, tile_bytes)


@given(st.tuples(sides, sides), st.integers(1, 3000), st.sampled_from([1, 2, 3, 8]))
def test_chunks_of_large_planes_have_16_to_64_mb(
    size: tuple[int, int], tile: int, pixel: int
) -> None:
    tile = min(tile, 1024)
    height, width = extent_of_chunks(size, (tile, tile), pixel, can_cut=False)
    if size[0] * size[1] * pixel > 64 * MB and min(size) > tile:
        assert 8 * MB <= height * width * pixel <= 64 * MB


@given(st.integers(3000, 100_000), st.integers(3000, 100_000))
def test_a_huge_tile_that_can_be_cut_is_read_in_bands(height: int, width: int) -> None:
    chunk = extent_of_chunks((height, width), (height, width), 8, can_cut=True)
    assert chunk[1] == width
    assert chunk[0] * chunk[1] * 8 <= 64 * MB


def test_small_planes_are_one_chunk(made: Callable[[str], Made]) -> None:
    with CziImage(made("multi_scene_pyramid").path) as image:
        assert image.native_chunks() == {"T": 1, "C": 1, "Z": 1, "Y": 70, "X": 90}
        assert image.native_chunks(2) == {"T": 1, "C": 1, "Z": 1, "Y": 18, "X": 23}


@pytest.mark.parametrize(
    ("most", "t", "z", "expected"),
    [
        (3000, 1, 9, (1, 5)),  # not 7 and 2
        (400, 1, 9, (1, 1)),
        (9999, 3, 4, (1, 4)),
        (800, 5, 1, (2, 1)),
        (10, 3, 3, (1, 1)),
    ],
)
def test_neighbours_along_z_or_else_t_share_a_chunk(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    most: int,
    t: int,
    z: int,
    expected: tuple[int, int],
) -> None:
    monkeypatch.setattr(lazy, "_TOGETHER", most)
    planes = [
        Block(noise(PixelType.Gray16, 10, 20, at), plane={"T": at // z, "C": c, "Z": at % z})
        for at in range(t * z)
        for c in range(2)
    ]
    with CziImage(write_czi(tmp_path / "planes.czi", planes)) as image:
        chunks = image.native_chunks()
        assert (chunks["T"], chunks["Z"]) == expected
        assert (chunks["C"], chunks["Y"], chunks["X"]) == (1, 10, 20)


def test_large_planes_are_cut_along_their_tiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lazy, "_MOST", 8000)
    tiles = [
        Block(noise(PixelType.Gray16, 30, 40, 5 * y + x), 36 * x - 9, 27 * y + 5, m=5 * y + x)
        for y in range(4)
        for x in range(5)
    ]  # neighbours overlap
    with CziImage(write_czi(tmp_path / "tiles.czi", tiles)) as image:
        assert image.shape[-2:] == (111, 184)
        assert image.native_chunks() == {"T": 1, "C": 1, "Z": 1, "Y": 54, "X": 36}
