"""Single tiles of a mosaic: the dimension M, and where each of them lies."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from extras import needs
from files.block import Block
from files.builder import write_czi
from files.patterns import noise
from files.recipes import Made
from reading.core.made_tables import Entry, table_of

from czictypes import CziImage, czi
from czictypes.arrays.layout import Dimensions
from czictypes.arrays.tiles import MosaicTiles
from czictypes.model.pixel_types import PixelType


def test_tiles_come_along_a_dimension_of_their_own(made: Callable[[str], Made]) -> None:
    file = made("mosaic")
    with CziImage(file.path, mosaic=False) as image:
        assert image.dims.order == "TCZMYX"
        assert image.shape == (1, 2, 1, 6, 24, 30)
        pixels = image.asarray()
        for block in file.blocks:
            height, width = block.pixels.shape[:2]
            tile = pixels[0, block.plane["C"], 0, block.m]
            assert (tile[:height, :width] == block.pixels[..., 0]).all()
            assert not tile[height:].any()
            assert not tile[:, width:].any()
        assert not pixels[:, :, :, 4].any()  # there is no such tile
        assert image.mosaic_tile_dims == Dimensions("YX", (24, 30))
        part = image.read_block({"C": 1, "M": [5, 0], "Y": slice(3, 20), "X": slice(7, 29)})
        assert (part == pixels[:, 1][:, :, [5, 0], 3:20, 7:29]).all()


def test_tiles_without_an_index_are_numbered_as_they_stand(made: Callable[[str], Made]) -> None:
    file = made("no_m_index")
    with CziImage(file.path, mosaic=False) as image:
        assert image.sizes["M"] == 4
        places = image.tile_positions
        for m, row in enumerate(places):
            block = next(one for one in file.blocks if (one.x, one.y) == (row["x"], row["y"]))
            assert (image.get_image_data("YX", M=m) == block.pixels[..., 0]).all()


def test_an_image_of_single_tiles_has_no_such_dimension(made: Callable[[str], Made]) -> None:
    with CziImage(made("stack").path, mosaic=False) as image:
        assert image.dims.order == "TCZYX"
        assert image.mosaic_tile_dims is None
        with pytest.raises(ValueError, match="no mosaic"):
            image.get_mosaic_tile_positions()


def test_positions_are_those_of_the_file(made: Callable[[str], Made]) -> None:
    file = made("multi_scene_pyramid")
    with CziImage(file.path, 1) as image:
        found = image.tile_positions
        with czi.open_czi(file.path) as document:
            rows = document.subblocks[found["index"]]
        assert (rows["scene"] == 1).all()
        assert (rows["level"] == 0).all()
        for name in ("C", "M", "x", "y", "w", "h"):
            assert (found[name] == rows[name]).all()
        assert len(found) == 8


def test_positions_in_the_form_of_aicsimageio(real_file: Callable[[str], Path]) -> None:
    path = real_file("S3_1Pos_2Mosaic_T2_Z3_CH2_sm.czi")
    theirs = needs("bioio_czi").Reader(path, use_aicspylibczi=True)
    with CziImage(path, mosaic=False) as image:
        for scene in range(3):
            image.set_scene(scene)
            theirs.set_scene(scene)
            assert image.get_mosaic_tile_positions() == theirs.get_mosaic_tile_positions()
            where = {"T": 1, "C": 1, "Z": 2}
            expected = theirs.get_mosaic_tile_positions(**where)
            assert image.get_mosaic_tile_positions(**where) == expected
            assert image.get_mosaic_tile_position(0, **where) == expected[0]


def test_the_work_does_not_grow_with_the_number_of_tiles() -> None:
    def calls_for(count: int) -> int:
        entries = [Entry(x=10 * m, m=m, plane={"C": 0, "S": 0}) for m in range(count)]
        table = table_of(*entries)
        calls = 0

        def count_call(frame: object, event: str, argument: object) -> None:
            nonlocal calls
            calls += event in ("call", "c_call")

        sys.setprofile(count_call)
        try:
            tiles = MosaicTiles(table, 0, {"T": range(1), "C": range(1), "Z": range(1)})
            assert len(tiles.positions()) == count
        finally:
            sys.setprofile(None)
        return calls

    assert calls_for(2000) < calls_for(100) + 50


def test_an_endless_dimension_of_tiles_is_refused(tmp_path: Path) -> None:
    tiles = [Block(noise(PixelType.Gray8, 4, 4, m), x=4 * m, m=m) for m in range(2)]
    far = Block(noise(PixelType.Gray8, 4, 4, 2), x=8, m=2**30)
    path = write_czi(tmp_path / "far.czi", [*tiles, far])
    with CziImage(path, mosaic=False) as image:
        with pytest.raises(
            ValueError, match=r"1073741825 planes \(M 0 to 1073741824, tile by tile\), but only 3"
        ):
            image.shape  # noqa: B018
        assert len(image.tile_positions) == 3


def test_what_is_not_there_is_named(made: Callable[[str], Made]) -> None:
    with CziImage(made("mosaic").path) as image:
        with pytest.raises(IndexError, match="no tile M=4"):
            image.get_mosaic_tile_position(4)
        with pytest.raises(ValueError, match="no dimension Q"):
            image.get_mosaic_tile_positions(Q=0)
    with CziImage(made("multi_scene_pyramid").path, "all") as image:
        with pytest.raises(ValueError, match="tiles belong to one scene"):
            image.tile_positions  # noqa: B018
    with pytest.raises(ValueError, match="belong to one scene"):
        CziImage(made("multi_scene_pyramid").path, "all", mosaic=False)
