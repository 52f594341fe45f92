"""The test files hold what the recipes say: libCZI itself reads every sub-block as it was given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from libczi.oracle import FullReader, FullSubBlock

from czictypes.libczi.streams import InputStream
from czictypes.model.pixel_types import Compression, PixelType
from files.block import Block
from files.builder import write_czi
from files.jpeg_xr import JPEG_XR_TYPES
from files.patterns import noise
from files.recipe import Made


def place_of(block: Block) -> tuple[object, ...]:
    return tuple(sorted(block.plane.items())), block.m, block.rectangle, block.physical


def assert_holds(sub_block: FullSubBlock, block: Block) -> None:
    info = sub_block.info()
    assert (info.compression, info.pixel_type) == (block.compression, block.pixel_type)
    with sub_block.create_bitmap() as bitmap:
        pixels = bitmap.to_numpy()
    packed_colour = block.pixel_type == PixelType.Bgr48 and block.hilo
    if packed_colour or block.pixel_type == PixelType.Gray64ComplexFloat:
        assert pixels.shape == block.pixels.shape  # libCZI decodes these wrongly
    else:
        assert np.array_equal(pixels, block.pixels)


def test_every_sub_block_is_stored_as_specified(every_made: Made) -> None:
    with FullReader.open(InputStream.from_path(every_made.path)) as reader:
        assert reader.sub_block_count == len(every_made.blocks)
        blocks = {place_of(block): block for block in every_made.blocks}
        for index in range(len(blocks)):  # the directory has an order of its own
            with reader.read_sub_block(index) as sub_block:
                info = sub_block.info()
                plane = tuple(sorted(info.coordinate.items()))
                place = (plane, info.m_index, info.logical_rect, info.physical_size)
                assert_holds(sub_block, blocks.pop(place))
        assert not blocks


def test_the_recipes_cover_every_pixel_type_and_compression(every_kind: set[object]) -> None:
    decodable = {Compression(number) for number in (0, 4, 5, 6)}
    assert every_kind >= {*PixelType, *decodable}


@pytest.fixture
def every_kind() -> set[object]:
    from files.recipes import RECIPES

    blocks = [block for recipe in RECIPES.values() for block in recipe.make().blocks]
    return {block.pixel_type for block in blocks} | {block.compression for block in blocks}


@pytest.mark.parametrize("kind", JPEG_XR_TYPES, ids=lambda kind: kind.name)
def test_pixels_can_be_encoded_as_jpeg_xr_without_loss(kind: PixelType, tmp_path: Path) -> None:
    block = Block(noise(kind, 9, 13, 1), compression=Compression.JpegXr)
    if kind == PixelType.Gray32Float:
        block = Block(np.zeros((9, 13), "f4"), compression=Compression.JpegXr)
    path = write_czi(tmp_path / "jpeg_xr.czi", [block])
    with FullReader.open(InputStream.from_path(path)) as reader, reader.read_sub_block(0) as one:
        assert_holds(one, block)
