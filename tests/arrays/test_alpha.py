"""The alpha of Bgra32: where it is 0 everywhere, as ZEN writes it, it means nothing."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from container.czi_bytes import Dimension, Tile, build_czi
from extras import needs
from files.block import Block
from files.builder import write_czi
from files.patterns import noise
from numpy.typing import NDArray

from czictypes import CziImage
from czictypes.model.pixel_types import Compression, PixelType


def colours(seed: int, alpha: int = 0) -> NDArray[np.uint8]:
    """Return Bgra32 pixels of one alpha."""
    pixels = noise(PixelType.Bgra32, 20, 30, seed)
    pixels[..., 3] = alpha
    return pixels


def rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels[..., 2::-1]


@pytest.fixture
def two_scenes(tmp_path: Path) -> tuple[Path, list[NDArray[np.uint8]]]:
    """A scene without an alpha, and one in which a single pixel of the second slice has one."""
    empty, clear, used = colours(1), colours(2), colours(3)
    used[7, 11, 3] = 1
    blocks = [
        Block(empty, plane={"C": 0, "S": 0, "Z": 0}),
        Block(clear, x=100, plane={"C": 0, "S": 1, "Z": 0}),
        Block(used, x=100, plane={"C": 0, "S": 1, "Z": 1}, compression=Compression.Zstd1),
    ]
    return write_czi(tmp_path / "alpha.czi", blocks), [empty, clear, used]


def test_it_is_kept_by_default(two_scenes: tuple[Path, list[NDArray[np.uint8]]]) -> None:
    path, (empty, *_) = two_scenes
    with CziImage(path) as image:
        assert image.sizes["S"] == 4
        assert np.array_equal(image.asarray()[0, 0, 0], empty[..., [2, 1, 0, 3]])


def test_it_can_be_dropped(two_scenes: tuple[Path, list[NDArray[np.uint8]]]) -> None:
    needs("dask.array", "dask")
    path, (empty, _, used) = two_scenes
    with CziImage(path, empty_alpha="drop") as image:
        assert image.sizes["S"] == 3
        assert np.array_equal(image.asarray()[0, 0, 0], rgb(empty))
        assert np.array_equal(image.to_dask().compute(), image.asarray())
        assert image.read_block({"S": [2, 0], "Y": 3, "X": slice(5, 9)}).shape == (1, 1, 1, 4, 2)
        image.set_scene(1)
        assert image.sizes["S"] == 4
        assert np.array_equal(image.asarray()[0, 0, 1], used[..., [2, 1, 0, 3]])


def test_it_can_be_made_opaque(two_scenes: tuple[Path, list[NDArray[np.uint8]]]) -> None:
    needs("dask.array", "dask")
    path, (empty, clear, _) = two_scenes
    with CziImage(path, empty_alpha="opaque") as image:
        assert (image.asarray()[..., 3] == 255).all()
        assert np.array_equal(image.asarray()[0, 0, 0, ..., :3], rgb(empty))
        assert (image.read_block({"S": 3}) == 255).all()
        assert np.array_equal(image.to_dask().compute(), image.asarray())
        image.set_scene(1)
        assert np.array_equal(image.asarray()[0, 0, 0], clear[..., [2, 1, 0, 3]])


def test_all_scenes_together_have_one_if_any_has(
    two_scenes: tuple[Path, list[NDArray[np.uint8]]],
) -> None:
    with CziImage(two_scenes[0], "all", empty_alpha="drop") as image:
        assert image.sizes["S"] == 4


def test_lazy_arrays_of_both_kinds_have_names_of_their_own(
    two_scenes: tuple[Path, list[NDArray[np.uint8]]],
) -> None:
    needs("dask.array", "dask")
    with CziImage(two_scenes[0]) as kept, CziImage(two_scenes[0], empty_alpha="opaque") as opaque:
        assert kept.to_dask().name != opaque.to_dask().name


def test_it_travels_with_the_image(two_scenes: tuple[Path, list[NDArray[np.uint8]]]) -> None:
    with CziImage(two_scenes[0], empty_alpha="drop") as image:
        with pickle.loads(pickle.dumps(image)) as other:
            assert other.shape == image.shape


def test_tiles_of_a_pyramid_do_not_count(tmp_path: Path) -> None:
    level = Block(colours(2, 255)[::2, ::2], logical=(30, 20))
    path = write_czi(tmp_path / "levels.czi", [Block(colours(1), m=0), level])
    with CziImage(path, empty_alpha="drop") as image:
        assert [image.asarray(level).shape[-1] for level in (0, 1)] == [3, 3]


def test_what_has_none_beside_it_is_opaque(tmp_path: Path) -> None:
    other = noise(PixelType.Bgr24, 20, 30, 2)
    path = write_czi(tmp_path / "mixed.czi", [Block(colours(1)), Block(other, plane={"C": 1})])
    with CziImage(path, empty_alpha="drop") as image:
        assert np.array_equal(image.asarray()[0, 1, 0], rgb(other))
    with CziImage(path, empty_alpha="opaque") as image:
        assert (image.asarray()[..., 3] == 255).all()


def test_single_tiles_have_none_either(tmp_path: Path) -> None:
    blocks = [Block(colours(m), x=30 * m, m=m) for m in (0, 1)]
    with CziImage(write_czi(tmp_path / "m.czi", blocks), mosaic=False, empty_alpha="drop") as image:
        assert image.sizes["S"] == 3
        assert np.array_equal(image.read_block({"M": 1})[0, 0, 0], rgb(blocks[1].pixels))


def test_a_damaged_tile_does_not_hide_what_the_others_have(tmp_path: Path) -> None:
    damaged = Block(colours(1), m=0, payload=b"short")
    for alpha, samples in ((0, 3), (9, 4)):
        path = write_czi(tmp_path / "damaged.czi", [damaged, Block(colours(2, alpha), x=30, m=1)])
        with CziImage(path, empty_alpha="drop") as image:
            assert image.sizes["S"] == samples


def test_where_there_are_no_pixels_an_array_is_transparent(tmp_path: Path) -> None:
    blocks = [Block(colours(1, 200), m=0), Block(colours(2, 255), x=40, m=1)]
    with CziImage(write_czi(tmp_path / "gap.czi", blocks), empty_alpha="opaque") as image:
        assert (image.asarray()[0, 0, 0, :, 30:40] == 0).all()
        assert (image.asarray()[0, 0, 0, :, :30, 3] == 200).all()


def test_the_ome_metadata_fit_the_array(two_scenes: tuple[Path, list[NDArray[np.uint8]]]) -> None:
    needs("ome_types", "ome")
    path, _ = two_scenes
    for empty_alpha, samples in (("keep", [4, 4]), ("drop", [3, 4]), ("opaque", [4, 4])):
        with CziImage(path, empty_alpha=empty_alpha) as image:
            pixels = [one.pixels for one in image.ome_metadata.images]
        assert [one.channels[0].samples_per_pixel for one in pixels] == samples
        assert [one.size_c for one in pixels] == samples


@pytest.mark.parametrize("alpha", [0, 1])
def test_every_plane_of_a_sub_block_counts(tmp_path: Path, alpha: int) -> None:
    planes = np.stack([colours(t) for t in range(3)])
    planes[2, 19, 29, 3] = alpha
    dimensions = [Dimension(b"X", 0, 30), Dimension(b"Y", 0, 20), Dimension(b"T", 0, 3, 3)]
    tile = Tile(pixel_type=PixelType.Bgra32, dimensions=dimensions, data=planes.tobytes())
    with CziImage(build_czi([tile]).write(tmp_path / "t.czi"), empty_alpha="drop") as image:
        assert image.shape == (3, 1, 1, 20, 30, 3 + alpha)
        assert np.array_equal(image.asarray()[:, 0, 0, ..., :3], planes[..., 2::-1])


def test_another_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one of 'keep', 'drop', 'opaque', not 'no'"):
        CziImage(tmp_path / "any.czi", empty_alpha="no")  # type: ignore[arg-type]


def test_a_tile_that_covers_far_more_than_it_stores_is_looked_at_as_it_is_stored(
    tmp_path: Path,
) -> None:
    wide = Block(colours(4), plane={"C": 0}, logical=(30, 2**31 - 21), pyramid_type=0)
    path = write_czi(tmp_path / "tall.czi", [wide])
    with CziImage(path, empty_alpha="drop") as image:
        assert (image.sizes["S"], image.sizes["Y"]) == (3, 2**31 - 21)
