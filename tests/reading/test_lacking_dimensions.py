"""Sub-blocks that lack a dimension in which others lie at several places."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from extras import needs
from files.block import Block
from files.builder import write_czi
from files.patterns import noise
from files.xml import subblock_xml

from czictypes import CziImage, czi
from czictypes.model.pixel_types import PixelType
from czictypes.reading import paint

G16 = PixelType.Gray16
SCENES = [{"C": 0}, {"C": 0, "S": 0}, {"C": 0, "S": 1}]


def beside_a_stack(folder: Path, letter: str) -> tuple[Path, Block, list[Block]]:
    """Write channel 0 as one plane without the dimension, and channel 1 as three in it."""
    alone = Block(noise(G16, 20, 30, 950), plane={"C": 0})
    stack = [Block(noise(G16, 20, 30, 951 + at), plane={"C": 1, letter: at}) for at in range(3)]
    return write_czi(folder / "mixed.czi", [alone, *stack]), alone, stack


@pytest.mark.parametrize("letter", "TZHV")
def test_the_only_plane_shows_at_every_place(letter: str, tmp_path: Path) -> None:
    path, alone, stack = beside_a_stack(tmp_path, letter)
    with czi.open_czi(path) as document:
        for place, block in enumerate(stack):
            assert np.array_equal(document.read(plane={"C": 0, letter: place}), alone.pixels)
            assert np.array_equal(document.read(plane={"C": 1, letter: place}), block.pixels)
        half = document.read(plane={"C": 0, letter: 2}, zoom=0.5)
        assert np.array_equal(half, document.read(plane={"C": 0}, zoom=0.5))
        assert half.any()


def test_it_lies_below_what_is_at_that_place(tmp_path: Path) -> None:
    wide = Block(noise(G16, 20, 60, 960), plane={"C": 0}, m=9)
    here = Block(noise(G16, 20, 30, 961), plane={"C": 0, "Z": 1}, m=0)
    far = Block(noise(G16, 20, 30, 962), plane={"C": 0, "Z": 2}, m=0)
    with czi.open_czi(write_czi(tmp_path / "below.czi", [wide, here, far])) as document:
        found = document.read(plane={"Z": 1})
        assert np.array_equal(found[:, :30], here.pixels)
        assert np.array_equal(found[:, 30:], wide.pixels[:, 30:])


def test_two_dimensions_may_be_lacking(tmp_path: Path) -> None:
    blocks = [Block(noise(G16, 8, 9, 970), plane={"C": 0})]
    blocks += [Block(noise(G16, 8, 9, 971 + t), plane={"C": 1, "T": t}) for t in range(2)]
    blocks += [
        Block(noise(G16, 8, 9, 975 + 2 * t + z), plane={"C": 2, "T": t, "Z": z})
        for t, z in itertools.product(range(2), range(2))
    ]
    with CziImage(write_czi(tmp_path / "two.czi", blocks)) as image:
        assert image.shape == (2, 3, 2, 8, 9)
        for t, z in itertools.product(range(2), range(2)):
            assert np.array_equal(image.data[t, 0, z], blocks[0].pixels[..., 0])
            assert np.array_equal(image.data[t, 1, z], blocks[1 + t].pixels[..., 0])
            assert np.array_equal(image.data[t, 2, z], blocks[3 + 2 * t + z].pixels[..., 0])


@pytest.mark.parametrize("mosaic", [True, False])
def test_arrays_have_it_at_every_place(mosaic: bool, tmp_path: Path) -> None:
    tiles = [Block(noise(G16, 8, 9, 980 + m), 9 * m, 0, {"C": 0}, m=m) for m in range(2)]
    stack = [
        Block(noise(G16, 8, 9, 984 + 2 * z + m), 9 * m, 0, {"C": 1, "Z": z}, m=m)
        for z, m in itertools.product(range(3), range(2))
    ]
    path = write_czi(tmp_path / "tiles.czi", [*tiles, *stack])
    with CziImage(path, mosaic=mosaic) as image:
        for z in range(3):
            found = image.get_image_data("YX" if mosaic else "MYX", C=0, Z=z)
            each = [tile.pixels[..., 0] for tile in tiles]
            assert np.array_equal(found, np.hstack(each) if mosaic else np.stack(each))


def test_it_may_be_decoded_again_for_places_that_are_painted_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paint, "_SLICE", 0)  # one tile at a time, as if each took long
    everywhere = Block(noise(G16, 20, 20, 940), 10, logical=(10, 10), pyramid_type=0)
    stack = [Block(noise(G16, 10, 10, 941 + t), plane={"C": 0, "T": t}) for t in range(9)]
    with CziImage(write_czi(tmp_path / "beside.czi", [everywhere, *stack])) as image:
        found = image.read_block({"C": 0, "Z": 0})
    for t, block in enumerate(stack):
        np.testing.assert_array_equal(found[t, :, :10], block.pixels[..., 0])
        np.testing.assert_array_equal(found[t, :, 10:], everywhere.pixels[::2, ::2, 0])


def test_a_level_has_it_at_every_place(tmp_path: Path) -> None:
    picture, others = noise(G16, 32, 32, 990), [noise(G16, 32, 32, 991 + z) for z in range(2)]
    blocks = []
    for pixels, plane in [(picture, {"C": 0})] + [
        (other, {"C": 1, "Z": z}) for z, other in enumerate(others)
    ]:
        blocks.append(Block(pixels, plane=plane))
        blocks.append(Block(pixels[::2, ::2], plane=plane, logical=(32, 32)))
    with CziImage(write_czi(tmp_path / "levels.czi", blocks)) as image:
        for z in range(2):
            small = image.asarray(1)[0, :, z]
            assert np.array_equal(small[0], picture[::2, ::2, 0])
            assert np.array_equal(small[1], others[z][::2, ::2, 0])


def test_a_level_of_it_lies_below_finer_tiles_of_a_place(tmp_path: Path) -> None:
    below = [Block(noise(G16, 40, 40, 930)), Block(noise(G16, 20, 20, 931), logical=(40, 40))]
    here = [Block(noise(G16, 40, 40, 932 + t), plane={"C": 0, "T": t}) for t in range(2)]
    with CziImage(write_czi(tmp_path / "finer.czi", [*below, *here])) as image:
        whole = image.read_block({"C": 0, "Z": 0}, level=1)
        part = image.read_block({"C": 0, "Z": 0, "Y": slice(3, 9), "X": slice(2, 11)}, level=1)
    np.testing.assert_array_equal(whole[:, 3:9, 2:11], part)
    for t, block in enumerate(here):
        assert np.isin(whole[t], block.pixels).all()
        assert not np.array_equal(whole[t], below[1].pixels[..., 0])


def test_a_copy_of_one_place_has_it(tmp_path: Path) -> None:
    path, alone, stack = beside_a_stack(tmp_path, "Z")
    czi.copy(path, tmp_path / "one.czi", planes={"Z": 1})
    with czi.open_czi(tmp_path / "one.czi") as document:
        assert np.array_equal(document.read(plane={"C": 0}), alone.pixels)
        assert np.array_equal(document.read(plane={"C": 1, "Z": 1}), stack[1].pixels)


@pytest.mark.parametrize("letter", "TZHV")
def test_lists_of_sub_blocks_have_it_at_every_place(letter: str, tmp_path: Path) -> None:
    path, _, _ = beside_a_stack(tmp_path, letter)
    with czi.open_czi(path) as document:
        for place in range(3):
            assert listed(document, {"C": 0, letter: place}) == [0]
            assert listed(document, {"C": 1, letter: place}) == [1 + place]
            assert listed(document, {letter: place}) == [0, 1 + place]
            columns = document.subblock_metadata(["xml"], plane={"C": 0, letter: place})
            assert columns["index"].tolist() == [0]
        assert listed(document, {"C": 0, letter: 3}) == []


def test_a_sub_block_of_no_scene_is_listed_in_none(tmp_path: Path) -> None:
    blocks = [Block(noise(G16, 8, 9, 995 + at), plane=plane) for at, plane in enumerate(SCENES)]
    with czi.open_czi(write_czi(tmp_path / "scenes.czi", blocks)) as document:
        assert [listed(document, {"S": scene}) for scene in (0, 1)] == [[1], [2]]


def listed(document: czi.CziReader, plane: dict[str, int]) -> list[int]:
    found: list[int] = []
    document.enumerate_subblocks_subset(lambda index, _: found.append(index) or True, plane)  # type: ignore[func-returns-value]
    return found


@pytest.mark.parametrize("letter", "TZHV")
@pytest.mark.parametrize("kind", [PixelType.Gray8, PixelType.Gray32Float, PixelType.Bgr24])
def test_a_pyramid_has_what_shows_below(letter: str, kind: PixelType, tmp_path: Path) -> None:
    wide = [Block(noise(kind, 32, 32, 40 + m), 32 * m, 0, {"C": 0}, m=m) for m in range(3)]
    there = {0: (0, 2), 1: (), 2: (1,)}
    above = [
        Block(noise(kind, 32, 32, 50 + 3 * at + m), 32 * m, 0, {"C": 0, letter: at}, m=m)
        for at, numbers in there.items()
        for m in numbers
    ]
    options = czi.PyramidOptions(tile=16, until=16, filter="nearest")
    path = write_czi(tmp_path / "mixed.czi", [*wide, *above])
    assert czi.add_pyramid(path, options) > 0
    with czi.open_czi(path) as document:
        for at in there:
            tiles = {tile.m: tile.pixels for tile in wide}
            tiles.update((tile.m, tile.pixels) for tile in above if tile.plane[letter] == at)
            whole = np.hstack([tiles[m] for m in range(3)])
            plane = {"C": 0, letter: at}
            assert np.array_equal(document.read(plane=plane), whole)
            for step in (2, 4):
                small = document.read(plane=plane, zoom=1 / step)
                assert np.array_equal(small, whole[::step, ::step])


def test_ome_lists_it_at_every_place(tmp_path: Path) -> None:
    needs("ome_types", "ome")
    place = subblock_xml({"StageXPosition": "12.5", "StageYPosition": "3", "FocusPosition": "4"})
    blocks = [Block(noise(G16, 8, 9, 998), plane={"C": 0}, metadata=place)]
    blocks += [Block(noise(G16, 8, 9, 999), plane={"C": 1, "Z": z}) for z in range(3)]
    with CziImage(write_czi(tmp_path / "ome.czi", blocks)) as image:
        planes = image.ome_metadata.images[0].pixels.planes
    found = {(one.the_c, one.the_z): one.position_x for one in planes}
    assert found == {(c, z): None if c else 12.5 for c, z in itertools.product(range(2), range(3))}
