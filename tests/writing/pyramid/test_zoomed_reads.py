"""Zoomed reads take the stored level, in czictypes and in the readers of others."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from files.block import Block
from files.builder import write_czi
from files.patterns import noise
from hypothesis import given, settings
from hypothesis import strategies as st
from pyramid_reference import block_mean
from reads import Read

from czictypes.czi import PyramidOptions, add_pyramid
from czictypes.model.options import CacheOptions
from czictypes.model.pixel_types import PixelType
from czictypes.reading.reader import CziReader


def mosaic(picture: Any, x: int, y: int, side: int, plane: dict[str, int]) -> list[Block]:
    """Cut a picture into tiles."""
    tiles = [
        (left, top)
        for top in range(0, picture.shape[0], side)
        for left in range(0, picture.shape[1], side)
    ]
    return [
        Block(picture[top : top + side, left : left + side], x + left, y + top, plane, m=m)
        for m, (left, top) in enumerate(tiles)
    ]


@pytest.fixture(scope="module")
def picture() -> Any:
    return noise(PixelType.Gray16, 320, 448, 1)


@pytest.fixture(scope="module")
def path(folder: Path, picture: Any) -> Path:
    """A mosaic of 35 tiles, and its pyramid of three levels in tiles of 64 pixels.

    They are few: libCZI leaves the order of tiles of a level open, which may show at seams, but
    its sorting keeps up to 16 in their order.
    """
    made = write_czi(folder / "mosaic.czi", mosaic(picture, -100, 33, 64, {"C": 0, "S": 0}))
    add_pyramid(made, PyramidOptions(tile=64, until=60, compression="zstd0:"))
    return made


@pytest.mark.parametrize("level", [1, 2, 3])
def test_the_zoom_of_a_level_gives_exactly_its_pixels(
    path: Path, picture: Any, peers: ModuleType, level: int
) -> None:
    expected = picture
    for _ in range(level):
        expected = block_mean(expected, 2)
    with CziReader(path) as document:
        assert np.array_equal(document.read(zoom=0.5**level), expected)
    with peers.open_pylibczirw(path) as document:
        assert np.array_equal(document.read(zoom=0.5**level), expected)
    with peers.open_accessor(path) as accessor:
        read = Read(None, {"C": 0}, None, 0.5**level, None, None)
        assert np.array_equal(accessor.read(read), expected)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_part_of_a_level_as_well(path: Path, picture: Any, peers: ModuleType, level: int) -> None:
    expected, scale = picture, 2**level
    for _ in range(level):
        expected = block_mean(expected, 2)
    roi = (-100 + 5 * scale, 33 + 7 * scale, 20 * scale, 11 * scale)
    with CziReader(path) as document, peers.open_pylibczirw(path) as other:
        for reader in (document, other):
            found = reader.read(roi=roi, zoom=1 / scale)
            assert np.array_equal(found, expected[7:18, 5:25])


@pytest.mark.parametrize(("zoom", "tiles"), [(0.5, 4 * 3), (0.25, 2 * 2), (0.125, 1), (0.01, 1)])
def test_only_the_tiles_of_one_level_are_read(path: Path, zoom: float, tiles: int) -> None:
    with CziReader(path, cache_options=CacheOptions()) as document:
        document.read(zoom=zoom)
        assert document.get_cache_info().elements_count == tiles


def test_a_small_part_reads_few_tiles(path: Path) -> None:
    with CziReader(path, cache_options=CacheOptions()) as document:
        document.read(roi=(-90, 50, 64, 64), zoom=0.5)
        assert document.get_cache_info().elements_count == 1


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("size", [(203, 331), (256, 384), (257, 129), (95, 512)])
def test_no_zoom_shows_a_hole(
    tmp_path: Path, peers: ModuleType, factor: int, size: tuple[int, int]
) -> None:
    """Were the zoom of an edge tile a little larger, it would hide the rest at some zooms."""
    white = np.full((*size, 1), 200, np.uint8)
    path = write_czi(tmp_path / "white.czi", mosaic(white, 17, -40, 50, {"C": 0}))
    add_pyramid(path, PyramidOptions(factor=factor, tile=24, until=16))
    zooms = [one * step for one in (1 / factor, 1 / factor**2) for step in steps()]
    with CziReader(path) as document, peers.open_pylibczirw(path) as other:
        for zoom in zooms:
            found = document.read(zoom=zoom)
            assert (found == 200).all(), zoom
            assert np.array_equal(found, other.read(zoom=zoom)), zoom


def steps() -> Any:
    """Zooms around that of a level, closest where the layer to show changes."""
    return np.unique(np.r_[np.linspace(0.9, 1.2, 31), np.linspace(1.045, 1.055, 21), 1.0])


def test_tiles_of_many_sizes_meet_without_a_seam(tmp_path: Path, rng: np.random.Generator) -> None:
    """A pixel of the result at the border of two tiles is one of the level, by rounding too."""
    path = tmp_path / "any.czi"
    for _ in range(12):
        height, width = (int(side) * 4 for side in rng.integers(100, 400, 2))
        picture = rng.integers(0, 255, (height, width, 1)).astype(np.uint8)
        write_czi(path, [Block(picture, *rng.integers(-500, 500, 2).tolist(), m=0)])
        add_pyramid(path, PyramidOptions(tile=64, until=100))
        with CziReader(path) as document:
            assert np.array_equal(document.read(zoom=0.5), block_mean(picture, 2))


@settings(max_examples=40)
@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(2, 3),
    st.floats(0.05, 1, exclude_max=True),
    st.data(),
)
def test_any_zoomed_read_agrees_with_pylibczirw(
    folder: Path, peers: ModuleType, width: int, height: int, factor: int, zoom: float, data: Any
) -> None:
    picture = noise(PixelType.Bgr24, height, width, width * height)
    blocks = mosaic(picture, -5, 7, 64, {"C": 0, "S": 2})
    path = write_czi(folder / "any.czi", blocks)
    add_pyramid(path, PyramidOptions(factor=factor, tile=48, until=8))
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    roi = (
        left - 5,
        top + 7,
        data.draw(st.integers(1, width - left)),
        data.draw(st.integers(1, height - top)),
    )
    if min(int(np.float32(side) * np.float32(zoom)) for side in roi[2:]) < 1:
        return
    with CziReader(path) as document, peers.open_pylibczirw(path) as other:
        ours, theirs = (one.read(roi=roi, zoom=zoom) for one in (document, other))
    peers.assert_same_pixels(ours, theirs, (roi, zoom))


def test_others_see_one_box_and_the_right_scenes(tmp_path: Path, peers: ModuleType) -> None:
    blocks = [
        block
        for scene, size in enumerate([(203, 331), (97, 145)])
        for channel in range(2)
        for block in mosaic(
            noise(PixelType.Gray8, *size, scene), 500 * scene, -9, 64, {"C": channel, "S": scene}
        )
    ]
    path = write_czi(tmp_path / "scenes.czi", blocks)
    add_pyramid(path, PyramidOptions(tile=32, until=20))
    with CziReader(path) as document, peers.open_pylibczirw(path) as other:
        assert document.total_bounding_rectangle == document.total_bounding_rectangle_no_pyramid
        assert document.scenes_bounding_rectangle == {0: (0, -9, 331, 203), 1: (500, -9, 145, 97)}
        assert tuple(other.total_bounding_rectangle) == tuple(document.total_bounding_rectangle)
        for scene in range(2):
            for channel in range(2):
                where = {"plane": {"C": channel}, "scene": scene, "zoom": 0.25}
                assert np.array_equal(document.read(**where), other.read(**where))
    with path.open("rb") as opened:
        theirs, _ = peers.aicspylibczi().CziFile(opened).read_image(C=1, S=1, M=0)
    (first,) = [one for one in blocks if one.plane == {"C": 1, "S": 1} and one.m == 0]
    assert np.array_equal(theirs.squeeze(), first.pixels[..., 0])
