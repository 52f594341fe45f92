"""Resolution levels: a part is that part of the whole, stored tiles come as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from files.block import Block
from files.builder import write_czi
from files.layouts import pyramid_tiles
from files.patterns import noise
from files.recipes import Made
from numpy.typing import NDArray

from czictypes import CziImage, czi
from czictypes.model.pixel_types import PixelType

G16 = PixelType.Gray16
PYRAMIDS = [
    "large_pyramid",
    "multi_scene_pyramid",
    "negative",
    "odd_pyramid",
    "only_pyramid",
    "shared_pyramid",
]
ALL_OVER = ["gapped_scenes", "overlapping", "overlapping_scenes", "some_without_m", "covered"]


@pytest.mark.parametrize("scene", [0, "all"])
@pytest.mark.parametrize("name", PYRAMIDS + ALL_OVER)
def test_any_part_of_a_level_is_that_part_of_the_whole(
    made: Callable[[str], Made], rng: np.random.Generator, name: str, scene: int | str
) -> None:
    with CziImage(made(name).path, scene) as image:
        for level in image.levels:
            whole = image.asarray(level.index)
            assert whole.shape[-2:] == (level.height, level.width)
            for _ in range(20):
                part = {name: random_slice(rng, size) for name, size in zip("YX", whole.shape[-2:])}
                expected = whole[..., part["Y"], part["X"]]
                found = image.read_block(part, level=level.index)
                np.testing.assert_array_equal(found, expected, str((level, part)))


def random_slice(rng: np.random.Generator, size: int) -> slice:
    start, end = sorted(rng.integers(0, size + 1, 2).tolist())
    return slice(start, max(end, start + 1)) if start < size else slice(start - 1, size)


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("origin", [(0, 0), (-7, -1031), (5, 3)])
@pytest.mark.parametrize("size", [(64, 48), (65, 50), (130, 71)])
def test_stored_tiles_come_as_they_are(
    tmp_path: Path, factor: int, origin: tuple[int, int], size: tuple[int, int]
) -> None:
    picture = noise(G16, *size, 1)
    smaller = (noise(G16, -(-size[0] // f), -(-size[1] // f), f) for f in scales(factor))
    pyramid = [picture, *smaller]
    path = write_czi(tmp_path / "p.czi", cut(pyramid, origin, factor, tile=16))
    with CziImage(path) as image:
        assert [level.factor for level in image.levels] == [1, *scales(factor)]
        for level, expected in zip(image.levels, pyramid):
            np.testing.assert_array_equal(image.asarray(level.index)[0, 0, 0], expected[..., 0])


def scales(factor: int) -> list[int]:
    return [factor, factor**2]


def cut(
    pyramid: list[NDArray[np.uint16]], origin: tuple[int, int], factor: int, tile: int
) -> list[Block]:
    """Cut each level into tiles; those at the edge are stored with a pixel that is not whole."""
    height, width = pyramid[0].shape[:2]
    blocks = []
    for level, picture in enumerate(pyramid):
        scale = factor**level
        for top in range(0, picture.shape[0], tile):
            for left in range(0, picture.shape[1], tile):
                pixels = picture[top : top + tile, left : left + tile]
                x, y = left * scale, top * scale
                logical = min(tile * scale, width - x), min(tile * scale, height - y)
                place = origin[0] + x, origin[1] + y
                blocks.append(Block(pixels, *place, {"C": 0}, logical=logical))
    return blocks


def test_levels_of_written_pyramids_are_what_the_reader_reads(tmp_path: Path) -> None:
    picture = noise(G16, 600, 801, 3)
    with czi.create_czi(tmp_path / "w.czi") as writer:
        writer.write(picture, location=(-5, 11))
    czi.add_pyramid(tmp_path / "w.czi", czi.PyramidOptions(until=64, tile=128))
    with CziImage(tmp_path / "w.czi") as image, czi.open_czi(tmp_path / "w.czi") as document:
        assert [(level.width, level.height) for level in image.levels[1:]] == [
            (801 // 2**n, 600 // 2**n) for n in range(1, len(image.levels))
        ]
        assert len(image.levels) > 2
        for level in image.levels[1:]:
            rows = document.subblocks
            for row in rows[rows["level"] == level.index]:
                x = round((int(row["x"]) + 5) / level.factor)
                y = round((int(row["y"]) - 11) / level.factor)
                stored = document.read_subblock(int(row["index"])).pixels()
                box = {"X": slice(x, x + stored.shape[1]), "Y": slice(y, y + stored.shape[0])}
                found = image.read_block({**box, "T": 0, "C": 0, "Z": 0}, level=level.index)
                np.testing.assert_array_equal(found, stored[..., 0])


def test_a_real_pyramid_is_what_is_stored(real_file: Callable[[str], Path]) -> None:
    path = real_file("WellD6_S1.czi")
    with CziImage(path) as image, czi.open_czi(path) as document:
        (index,) = np.flatnonzero(document.subblocks["level"] == 1).tolist()
        assert [level.factor for level in image.levels] == [1, 2]
        found = image.get_image_data("YX", level=1)
        np.testing.assert_array_equal(found, document.read_subblock(index).pixels()[..., 0])
        np.testing.assert_array_equal(found, document.read(scene=0, zoom=0.5)[..., 0])


def test_where_a_level_has_no_tile_a_finer_one_is_seen(tmp_path: Path) -> None:
    picture = noise(G16, 64, 64, 5)
    blocks = [
        block
        for block in pyramid_tiles(picture, 0, 0, {"C": 0}, tile=16, levels=3)
        if (block.x, block.y) != (32, 32) or block.logical == (16, 16)
    ]
    with CziImage(write_czi(tmp_path / "h.czi", blocks)) as image:
        for level in image.levels:
            step = int(level.factor)
            expected = picture[::step, ::step, 0]
            np.testing.assert_array_equal(image.asarray(level.index)[0, 0, 0], expected)


def test_a_level_beyond_the_last_is_an_error(made: Callable[[str], Made]) -> None:
    with CziImage(made("negative").path) as image:
        assert len(image.levels) == 2
        with pytest.raises(IndexError, match="no level 2; the levels go from 0 to 1"):
            image.asarray(2)


def test_a_tile_of_a_level_may_have_more_rows_than_it_covers(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    line = Block(noise(G16, 35, 16, 2), 5, 3, m=0, logical=(21, 1), pyramid_type=2)
    path = write_czi(tmp_path / "line.czi", [Block(noise(G16, 20, 30, 1), m=1), line])
    with CziImage(path) as image:
        assert [level.factor for level in image.levels] == [1, 1]
        whole = image.asarray(1)
        for _ in range(20):
            part = {name: random_slice(rng, size) for name, size in zip("YX", whole.shape[-2:])}
            found = image.read_block(part, level=1)
            np.testing.assert_array_equal(found, whole[..., part["Y"], part["X"]])
