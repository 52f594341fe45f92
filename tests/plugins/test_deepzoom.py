"""DeepZoom tiles of a slide; OpenSlide's generator is the oracle for their geometry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from extras import needs
from slides import write_slide

from czictypes import CziSlide, DeepZoomTiles, write_deepzoom
from czictypes.model.errors import OutOfBoundsError

pillow = needs("PIL.Image", "cli")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_slide(tmp_path_factory.mktemp("deepzoom") / "slide.czi")


@pytest.fixture
def slide(path: Path) -> Iterator[CziSlide]:
    with CziSlide(path) as opened:
        yield opened


@pytest.mark.parametrize(("tile_size", "overlap"), [(254, 1), (64, 0), (100, 3)])
def test_the_geometry_is_that_of_openslide(slide: CziSlide, tile_size: int, overlap: int) -> None:
    oracle = needs("openslide.deepzoom").DeepZoomGenerator(slide, tile_size, overlap)
    tiles = DeepZoomTiles(slide, tile_size, overlap)
    assert tiles.level_count == oracle.level_count
    assert tiles.level_dimensions == oracle.level_dimensions
    assert tiles.level_tiles == oracle.level_tiles
    assert tiles.tile_count == oracle.tile_count
    for level, (columns, rows) in enumerate(tiles.level_tiles):
        for address in {(0, 0), (columns - 1, rows - 1), (columns // 2, rows // 2)}:
            size = tiles.get_tile_dimensions(level, address)
            assert size == oracle.get_tile_dimensions(level, address)
            assert tiles.get_tile(level, address).size == size


@pytest.mark.parametrize(("tile_size", "overlap"), [(254, 1), (50, 3)])
def test_coordinates_and_xml_are_those_of_openslide(
    slide: CziSlide, path: Path, tile_size: int, overlap: int
) -> None:
    deepzoom = needs("openslide.deepzoom")
    with needs("openslide").OpenSlide(path) as opened:
        oracle = deepzoom.DeepZoomGenerator(opened, tile_size, overlap, limit_bounds=True)
        tiles = DeepZoomTiles(slide, tile_size, overlap, limit_bounds=True)
        assert tiles.get_dzi(format="png") == oracle.get_dzi(format="png")
        for level, (columns, rows) in enumerate(tiles.level_tiles):
            for address in np.ndindex(columns, rows):
                found = tiles.get_tile_coordinates(level, address)
                assert found == oracle.get_tile_coordinates(level, address)
        assert slide.read_region(*found).size == tiles.get_tile(level, address).size


def test_tiles_of_full_resolution_are_the_pixels_themselves(slide: CziSlide) -> None:
    tiles = DeepZoomTiles(slide, 64, 2)
    tile = np.asarray(tiles.get_tile(tiles.level_count - 1, (1, 2)))
    region = slide.read_region_array((62, 126), 0, (68, 68))
    np.testing.assert_array_equal(tile, region[..., :3])


def test_a_stored_level_is_used_as_it_is(slide: CziSlide) -> None:
    tiles = DeepZoomTiles(slide, 32, 0)
    tile = np.asarray(tiles.get_tile(tiles.level_count - 2, (1, 1)))
    region = slide.read_region_array((64, 64), 1, (32, 32))
    np.testing.assert_array_equal(tile, region[..., :3])


def test_the_smallest_level_is_one_pixel(slide: CziSlide) -> None:
    assert DeepZoomTiles(slide).get_tile(0, (0, 0)).size == (1, 1)


def test_a_tile_that_is_not_there_is_refused(slide: CziSlide) -> None:
    tiles = DeepZoomTiles(slide)
    with pytest.raises(OutOfBoundsError, match="level 0, which has 1 x 1"):
        tiles.get_tile(0, (1, 0))
    with pytest.raises(OutOfBoundsError, match="no DeepZoom level -1"):
        tiles.get_tile(-1, (0, 0))


def test_a_folder_of_tiles(path: Path, tmp_path: Path) -> None:
    done = []
    target = write_deepzoom(
        path,
        tmp_path / "slide.dzi",
        tile_size=128,
        picture_format="png",
        progress=lambda finished, total: done.append((finished, total)),
    )
    root = ElementTree.parse(target).getroot()
    size = root.find("{*}Size")
    assert size is not None
    assert (root.get("TileSize"), root.get("Format"), size.get("Width")) == (
        "128",
        "png",
        "608",
    )
    with CziSlide(path) as slide:
        tiles = DeepZoomTiles(slide, 128)
        assert done[-1] == (tiles.tile_count, tiles.tile_count)
        with pillow.open(tmp_path / "slide_files" / "10" / "2_1.png") as picture:
            np.testing.assert_array_equal(picture, tiles.get_tile(10, (2, 1)))
    assert len(list((tmp_path / "slide_files").rglob("*.png"))) == tiles.tile_count
    with pytest.raises(FileExistsError, match=r"slide\.dzi"):
        write_deepzoom(path, target)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_nothing_stays_of_a_folder_that_is_not_complete(
    path: Path, tmp_path: Path, error: type[BaseException]
) -> None:
    def stop(done: int, total: int) -> None:
        if done > total // 2:
            raise error

    before = set(tmp_path.iterdir())
    with pytest.raises(error):
        write_deepzoom(path, tmp_path / "slide.dzi", progress=stop)
    assert set(tmp_path.iterdir()) == before
