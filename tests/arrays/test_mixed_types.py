"""Channels whose pixel type changes with scene, time or tile: no value is cut anywhere."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.block import Block
from files.builder import write_czi
from files.patterns import noise, reduced
from numpy.typing import NDArray

from czictypes import CziImage, czi, imread
from czictypes.model.errors import OutOfBoundsError, PixelTypeWarning, UnsupportedDataError
from czictypes.model.pixel_types import PixelType

#: The type of the first sub-block, that of another one, and the dtype that holds both.
PAIRS = [
    ("Gray8", "Gray16", "uint16"),
    ("Gray16", "Gray8", "uint16"),
    ("Gray8", "Gray32Float", "float32"),
    ("Gray16", "Gray32", "uint32"),
    ("Gray32", "Gray32Float", "float64"),
    ("Gray32Float", "Gray64Float", "float64"),
    ("Gray16", "Gray64ComplexFloat", "complex64"),
    ("Gray16", "Bgr24", "uint16"),
    ("Bgr24", "Bgr48", "uint16"),
    ("Bgr24", "Bgr96Float", "float32"),
    ("Gray32Float", "Bgr24", "float32"),
    ("Bgr24", "Bgra32", "uint8"),
    ("Bgra32", "Gray8", "uint8"),
    ("Bgr96Float", "Bgr192ComplexFloat", "complex64"),
]
#: Where the type changes: how the second sub-block's place differs from the first one's.
CHANGES: dict[str, dict[str, Any]] = {
    "scene": {"plane": {"C": 0, "S": 1}, "x": 100},
    "time": {"plane": {"C": 0, "S": 0, "T": 1}},
    "slice": {"plane": {"C": 0, "S": 0, "T": 0, "Z": 1}},
    "tile": {"x": 30, "m": 1},
}


def two(first: str, second: str, change: str) -> tuple[Block, Block]:
    """Two sub-blocks of one channel that differ in type and in one thing more."""
    plane = {"scene": {"C": 0, "S": 0}, "time": {"C": 0, "S": 0, "T": 0}}.get(change)
    place: dict[str, Any] = {"plane": plane or {"C": 0, "S": 0, "T": 0, "Z": 0}, "m": 0}
    one, other = (noise(PixelType[kind], 20, 30, n) for n, kind in enumerate((first, second)))
    return Block(one, **place), Block(other, **{**place, **CHANGES[change]})


def as_stored(pixels: NDArray[Any], samples: int) -> NDArray[Any]:
    """Pixels as an array has them: red first, gray in every colour, opaque without an alpha."""
    if pixels.shape[2] > 1:
        pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    elif samples > 1:
        pixels = np.repeat(pixels, 3, axis=2)
    if samples > pixels.shape[2]:
        pixels = np.concatenate([pixels, np.full_like(pixels[..., :1], 255)], axis=2)
    return pixels if samples else pixels[..., 0]


def second_part(image: CziImage, change: str, pixels: NDArray[Any] | None = None) -> NDArray[Any]:
    """The pixels of the second sub-block out of the array of an image."""
    whole = image.asarray() if pixels is None else np.asarray(pixels)
    first = whole[-1, 0, -1]
    return first[:, 30:] if change == "tile" else first


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(("first", "second", "dtype"), PAIRS)
def test_arrays_hold_every_value_of_what_they_show(
    tmp_path: Path, first: str, second: str, dtype: str, change: str
) -> None:
    needs("dask.array", "dask")
    blocks = two(first, second, change)
    path = write_czi(tmp_path / "mixed.czi", blocks)
    with CziImage(path) as image:
        if change == "scene":
            assert image.dtype == blocks[0].pixels.dtype
            image.set_scene(1)
            assert image.dtype == blocks[1].pixels.dtype
        else:
            assert image.dtype == dtype
        samples = image.sizes.get("S", 0)
        expected = as_stored(blocks[1].pixels, samples)
        assert np.array_equal(second_part(image, change), expected)
        lazy = image.to_dask()
        assert lazy.dtype == image.dtype == image.to_xarray().dtype
        assert np.array_equal(second_part(image, change, lazy.compute()), expected)
        image.set_scene("all")
        assert image.dtype == dtype


@pytest.mark.parametrize(
    ("first", "second"), [("Gray32", "Bgr24"), ("Bgra32", "Bgr48"), ("Gray64Float", "Bgr96Float")]
)
def test_types_that_nothing_holds_together_are_refused_clearly(
    tmp_path: Path, first: str, second: str
) -> None:
    path = write_czi(tmp_path / "mixed.czi", two(first, second, "time"))
    message = f"channel 0 of scene 0 has pixels of {first} and {second}, which no pixel type holds"
    with CziImage(path) as image, pytest.raises(UnsupportedDataError, match=message):
        image.asarray()
    with czi.open_czi(path) as document:
        assert document.read(plane={"T": 1}, pixel_type=second).any()


def test_channels_of_their_own_types_stay_stacked(tmp_path: Path) -> None:
    gray, colour = noise(PixelType.Gray16, 4, 5, 1), noise(PixelType.Bgra32, 4, 5, 2)
    path = write_czi(tmp_path / "c.czi", [Block(gray), Block(colour, plane={"C": 1})])
    with CziImage(path) as image:
        assert (image.dtype, image.sizes["S"]) == (np.uint16, 4)
        assert (image.asarray()[0, 0, 0, ..., 3] == 255).all()
        assert np.array_equal(image.asarray()[0, 1, 0], as_stored(colour, 4))


class TestTheReader:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        """Gray8 in scene 0, Gray16 in scene 1, and another channel of Gray16 alone."""
        blocks = two("Gray8", "Gray16", "scene")
        other = Block(noise(PixelType.Gray16, 20, 30, 5), plane={"C": 1, "S": 0})
        return write_czi(tmp_path / "mixed.czi", [*blocks, other])

    def test_it_tells_all_types_of_a_channel(self, path: Path) -> None:
        with czi.open_czi(path) as document:
            assert document.pixel_types == {0: "Gray8", 1: "Gray16"}
            assert document.all_pixel_types == {0: ("Gray8", "Gray16"), 1: ("Gray16",)}

    def test_it_tells_the_type_that_holds_all(self, path: Path) -> None:
        with czi.open_czi(path) as document:
            assert document.common_pixel_type() == "Gray16"
            assert document.common_pixel_type(0, scene=0) == "Gray8"
            assert document.common_pixel_type(1, scene=1) == "Gray16"
            with pytest.raises(OutOfBoundsError, match=r"mixed\.czi: there is no scene 7"):
                document.common_pixel_type(scene=7)

    def test_it_says_so_where_none_does(self, tmp_path: Path) -> None:
        path = write_czi(tmp_path / "odd.czi", two("Gray16", "Bgra32", "tile"))
        message = "odd.czi: channel 0 has pixels of Gray16 and Bgra32"
        with czi.open_czi(path) as document:
            with pytest.raises(UnsupportedDataError, match=message):
                document.common_pixel_type()
        with czi.open_czi(write_czi(tmp_path / "empty.czi", [])) as document:
            assert document.common_pixel_type() is None

    def test_it_warns_where_it_loses_bits_and_says_what_to_do(self, path: Path) -> None:
        message = (
            r"channel 0 of .*mixed.czi has sub-blocks of Gray16 in this region, but is read as "
            r"Gray8.* loses bits; pass pixel_type='Gray16' to keep them"
        )
        with czi.open_czi(path) as document:
            for where in ({"scene": 1}, {}, {"zoom": 0.5}, {"roi": (110, 0, 5, 5)}):
                with pytest.warns(PixelTypeWarning, match=message) as caught:
                    found = document.read(**where)
                assert found.dtype == np.uint8
                assert caught[0].filename == __file__

    def test_it_does_not_warn_where_nothing_is_lost(self, path: Path) -> None:
        with warnings.catch_warnings(), czi.open_czi(path) as document:
            warnings.simplefilter("error")
            document.read(scene=0)
            document.read(roi=(0, 0, 30, 20))
            document.read(plane={"C": 1})
            assert document.read(scene=1, pixel_type="Gray16").max() > 255
            assert document.read(scene=1, pixel_type="Gray8").dtype == np.uint8

    def test_the_only_channel_is_named_too(self, tmp_path: Path) -> None:
        path = write_czi(tmp_path / "only.czi", two("Gray8", "Gray16", "tile"))
        with czi.open_czi(path) as document:
            with pytest.warns(PixelTypeWarning, match=r"channel 0 of .*only\.czi has"):
                document.read()

    def test_types_without_a_common_one_are_named_for_reads_apart(self, tmp_path: Path) -> None:
        path = write_czi(tmp_path / "odd.czi", two("Gray16", "Bgra32", "tile"))
        with czi.open_czi(path) as document:
            with pytest.warns(PixelTypeWarning, match="pass pixel_type='Bgra32' for regions"):
                document.read()

    def test_a_composite_shows_the_scene_in_its_own_range(self, path: Path) -> None:
        with czi.open_czi(path) as document:
            pixels = document.read(scene=1, pixel_type="Gray16")[..., 0]
            shown = document.composite(scene=1).max(axis=2)
        brightest = pixels > np.quantile(pixels, 0.99)
        assert shown[brightest].min() > 240


def test_levels_keep_all_bits(tmp_path: Path) -> None:
    """A pyramid tile of another type than the full resolution."""
    full, level = noise(PixelType.Gray8, 20, 30, 1), noise(PixelType.Gray16, 10, 15, 2)
    blocks = [Block(full, m=0), Block(level, logical=(30, 20))]
    with CziImage(write_czi(tmp_path / "levels.czi", blocks)) as image:
        assert image.dtype == np.uint16
        assert np.array_equal(image.asarray(1)[0, 0, 0], level[..., 0])
        assert np.array_equal(image.asarray()[0, 0, 0], full[..., 0])


@pytest.mark.parametrize("change", ["time", "tile"])
@pytest.mark.parametrize(("first", "second", "dtype"), PAIRS)
def test_pyramids_keep_all_bits(
    tmp_path: Path, first: str, second: str, dtype: str, change: str
) -> None:
    blocks = two(first, second, change)
    path = write_czi(tmp_path / "mixed.czi", blocks)
    options = czi.PyramidOptions(until=20, filter="nearest")
    czi.add_pyramid(path, options)
    with CziImage(path) as image:
        assert image.dtype == dtype or change == "time"
        found = image.asarray(1)[-1, 0, -1][:, 15 if change == "tile" else 0 :]
        expected = as_stored(reduced(blocks[1].pixels, 2), image.sizes.get("S", 0))
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("recompress", [None, "zstd1:", "uncompressed:"])
def test_copies_keep_the_type_of_each_sub_block(tmp_path: Path, recompress: str | None) -> None:
    blocks = two("Gray8", "Bgr48", "tile")
    path = write_czi(tmp_path / "mixed.czi", blocks)
    czi.copy(path, tmp_path / "copy.czi", compression=recompress)
    with czi.open_czi(tmp_path / "copy.czi") as document:
        assert document.all_pixel_types == {0: ("Gray8", "Bgr48")}
        for index, block in enumerate(blocks):
            assert np.array_equal(document.read_subblock(index).pixels(), block.pixels)


def test_imread_gives_the_dtype_of_the_scene(tmp_path: Path) -> None:
    blocks = two("Gray8", "Gray16", "scene")
    path = write_czi(tmp_path / "mixed.czi", blocks)
    assert imread(path, scene=0).dtype == np.uint8
    assert np.array_equal(imread(path, scene=1).squeeze(), blocks[1].pixels[..., 0])
