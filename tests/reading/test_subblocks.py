"""Sub-blocks: the table, one at a time, enumeration, pyramid levels."""

from __future__ import annotations

from datetime import datetime, timezone

import numpy as np
import pytest

from czictypes import czi
from czictypes.model.errors import OutOfBoundsError
from czictypes.model.geometry import ABSENT
from czictypes.model.pixel_types import Compression, PixelType


def test_the_table_has_a_row_for_each_sub_block(made) -> None:
    file = made("multi_scene_pyramid")
    with czi.open_czi(file.path) as document:
        table = document.subblocks
    assert len(table) == len(file.blocks)
    assert sorted(set(table["scene"])) == [0, 1, 2]
    assert sorted(set(table["level"])) == [0, 1, 2]
    assert set(table["pixel_type"]) == {PixelType.Gray16}
    assert set(table["compression"]) == {Compression.Zstd1}
    assert (table["Z"] == ABSENT).all()


def test_every_sub_block_gives_the_pixels_it_was_made_of(every_made) -> None:
    blocks = {
        (tuple(sorted(block.plane.items())), block.m, tuple(block.rectangle), block.physical): block
        for block in every_made.blocks
    }
    with czi.open_czi(every_made.path) as document:
        for index in range(len(document.subblocks)):
            found = document.read_subblock(index)
            info = found.info
            key = (
                tuple(sorted(info.coordinate.items())),
                info.mIndex if info.is_mindex_valid() else None,
                tuple(info.logicalRect),
                tuple(info.physicalSize),
            )
            pixels = found.pixels()
            if info.compressionModeRaw == Compression.JpegXr and pixels.dtype.kind == "f":
                np.testing.assert_allclose(pixels, blocks[key].pixels, rtol=1e-3)
            else:
                np.testing.assert_array_equal(pixels, blocks[key].pixels)


def test_metadata_of_a_sub_block(made) -> None:
    with czi.open_czi(made("described").path) as document:
        block = document.read_subblock(0)
        assert block.stage_position == (1250.5, -10.25, 100.75)
        assert block.acquisition_time == datetime(2024, 5, 6, 7, 8, 9, 123456, timezone.utc)
        assert block.tags["StageXPosition"] == "+000000001250.5000"
        assert block.metadata["METADATA"]["Tags"]["FocusPosition"] == "100.75"


def test_a_sub_block_without_metadata(made) -> None:
    with czi.open_czi(made("mosaic").path) as document:
        block = document.read_subblock(0)
        assert block.raw_metadata == ""
        assert block.metadata == {}
        assert block.stage_position == (None, None, None)
        assert block.acquisition_time is None
        assert block.attachment == b""
        assert block.mask is None


def test_raw_data_are_the_stored_bytes(made) -> None:
    file = made("mosaic")
    with czi.open_czi(file.path) as document:
        block = document.read_subblock(0)
        assert block.raw_data == block.pixels().tobytes()


def test_a_mask_is_given_in_the_size_of_the_bitmap(made) -> None:
    file = made("masked")
    with czi.open_czi(file.path) as document:
        masks = [document.read_subblock(index).mask for index in range(len(file.blocks))]
        sizes = [document.read_subblock(index).info.physicalSize for index in range(len(masks))]
    assert any(mask is not None for mask in masks)
    for mask, size in zip(masks, sizes):
        assert mask is None or mask.shape == (size.h, size.w)


@pytest.mark.parametrize("index", [-1, 5])
def test_an_index_that_is_not_there(made, index: int) -> None:
    with czi.open_czi(made("overlapping").path) as document:
        count = len(document.subblocks)
        with pytest.raises(OutOfBoundsError, match="0 to 8"):
            document.read_subblock(index if index < 0 else count)


def test_numpy_takes_a_sub_block_as_an_array(made) -> None:
    with czi.open_czi(made("mosaic").path) as document:
        block = document.read_subblock(0)
        np.testing.assert_array_equal(np.asarray(block), block.pixels())


class TestEnumeration:
    """pylibCZIrw's way to look at the directory."""

    def test_it_ends_when_the_function_says_so(self, made) -> None:
        seen: list[int] = []
        with czi.open_czi(made("overlapping").path) as document:
            document.enumerate_subblocks(lambda index, _: seen.append(index) or index < 2)
        assert seen == [0, 1, 2]

    @pytest.mark.parametrize("plane", ["C1", {"C": 1}, "c1"])
    def test_a_plane_chooses(self, made, plane) -> None:
        seen: list[int] = []
        with czi.open_czi(made("mosaic").path) as document:
            document.enumerate_subblocks_subset(
                lambda _, info: seen.append(info.coordinate["C"]) or True, plane=plane
            )
        assert seen == [1] * 5

    def test_a_roi_and_layer_0_choose(self, made) -> None:
        seen: list[czi.Rectangle] = []
        with czi.open_czi(made("multi_scene_pyramid").path) as document:
            document.enumerate_subblocks_subset(
                lambda _, info: seen.append(info.logicalRect) or True,
                plane={"C": 0},
                roi=(0, 0, 32, 32),
                only_layer0=True,
            )
        assert seen == [czi.Rectangle(0, 0, 32, 32)]

    def test_a_function_may_close_the_reader(self, made) -> None:
        with czi.open_czi(made("mosaic").path) as document:
            document.enumerate_subblocks(lambda *_: document.close())
            assert document.closed


class TestPyramid:
    """Stored levels."""

    def test_levels_with_their_reduction(self, made) -> None:
        with czi.open_czi(made("multi_scene_pyramid").path) as document:
            levels = document.pyramid_levels()
            assert [(level.level, level.zoom) for level in levels] == [(0, 1), (1, 0.5), (2, 0.25)]
            of_scene = document.pyramid_levels(scene=1)
        assert sum(level.sub_block_count for level in levels) == len(
            made("multi_scene_pyramid").blocks
        )
        assert [level.sub_block_count for level in of_scene] == [8, 2, 2]

    def test_a_scene_that_is_not_there(self, made) -> None:
        with czi.open_czi(made("multi_scene_pyramid").path) as document:
            with pytest.raises(OutOfBoundsError, match="scenes 0 to 2"):
                document.pyramid_levels(scene=9)

    def test_an_empty_document_has_none(self, made) -> None:
        with czi.open_czi(made("empty").path) as document:
            assert document.pyramid_levels() == []
            assert not document.needs_pyramid
