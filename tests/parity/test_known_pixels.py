"""Reads give the pixels that were put into the file, also where libCZI itself is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from files.patterns import noise
from files.recipe import Made
from files.recipes import RECIPES
from numpy.typing import NDArray
from peers import assert_same_pixels, open_pylibczirw

from czictypes import czi
from czictypes.model.geometry import Rectangle
from czictypes.model.pixel_types import PixelType

MASKED = czi.ReaderOptions(enable_mask_awareness=True)


@pytest.mark.parametrize("name", sorted(set(RECIPES) - {"empty", "mixed_types"}))
def test_every_plane_and_scene_reads_as_it_was_written(
    name: str, made: Callable[[str], Made]
) -> None:
    file = made(name)
    with czi.open_czi(file.path) as document:
        for plane in file.planes:
            for scene in (None, *file.scenes):
                ours = document.read(roi=file.box, plane=plane, scene=scene)
                known = file.plane(plane, scene=scene)
                assert_same_pixels(ours, known, (plane, scene))


def test_a_scene_is_read_in_its_own_box(made: Callable[[str], Made]) -> None:
    file = made("multi_scene_pyramid")
    with czi.open_czi(file.path) as document:
        ours = document.read(scene=1, plane={"C": 1})
        box = document.scenes_bounding_rectangle[1]
    assert box == (150, 10, 64, 64)
    assert_same_pixels(ours, file.plane({"C": 1}, scene=1, roi=box), box)


def test_where_there_is_no_tile_there_is_background(made: Callable[[str], Made]) -> None:
    file = made("mosaic")
    roi = (-5, -7, 100, 70)
    with czi.open_czi(file.path) as document:
        ours = document.read(roi=roi, plane={"C": 1}, background_pixel=777)
    assert_same_pixels(ours, file.plane({"C": 1}, roi=roi, background=777), roi)


def test_a_plane_without_tiles_is_all_background(made: Callable[[str], Made]) -> None:
    with czi.open_czi(made("stack").path) as document:
        ours = document.read(plane={"T": 2, "Z": 3, "C": 1}, background_pixel=9)
    assert ours.shape == (15, 21, 1)
    assert (ours == 9).all()


@pytest.mark.parametrize(
    ("name", "first"), [("negative_planes", {"Z": -2, "T": 5}), ("gapped_channels", {"C": 1})]
)
def test_planes_start_where_the_file_says(
    name: str, first: dict[str, int], made: Callable[[str], Made]
) -> None:
    file = made(name)
    with czi.open_czi(file.path) as document:
        assert_same_pixels(document.read(), file.plane(first), first)


@pytest.mark.parametrize("color", [(255, 0, 0), (-3, 0.5, 2), (0, float("inf"), 0)])
@pytest.mark.parametrize("kind", ["Gray8", "Gray16", "Bgr24", "Bgr48", "Gray32Float"])
def test_a_background_beyond_white_is_pylibczirws(
    kind: str, color: tuple[float, float, float], made: Callable[[str], Made]
) -> None:
    path = made("gray32float" if kind == "Gray32Float" else "rgb").path
    arguments: Any = {"roi": (-9, -9, 5, 5), "pixel_type": kind, "background_pixel": color}
    with open_pylibczirw(path) as document:
        theirs = document.read(**arguments)
    with czi.open_czi(path) as document:
        if kind == "Gray32Float":  # it holds these, so nothing is lost
            ours = document.read(**arguments)
        else:
            with pytest.warns(UserWarning, match=f"1.0 is the largest value of {kind}") as told:
                ours = document.read(**arguments)
            assert [one.filename for one in told] == [__file__]
    assert_same_pixels(ours, theirs, (kind, color))


# Where libCZI is wrong


def test_bgr48_with_packed_bytes(made: Callable[[str], Made]) -> None:
    file = made("bgr48_hilo")
    with czi.open_czi(file.path) as document:
        assert_same_pixels(document.read(), file.plane(), "Bgr48, zstd1, HiLo")


def test_bgr24_becomes_bgr48_with_the_values_as_they_are(made: Callable[[str], Made]) -> None:
    file = made("rgb")
    roi = Rectangle(3, 4, 38, 30)
    with czi.open_czi(file.path) as document:
        ours = document.read(roi=roi, pixel_type="Bgr48", background_pixel=(1, 0, 1))
    gap = np.array([65535, 0, 65535])
    known = np.where(file.plane(roi=roi) == 0, 0, file.plane(roi=roi)).astype("<u2")
    known[:, 20 - roi.x : 24 - roi.x] = gap
    assert_same_pixels(ours, known, roi)


def test_bgr96float_reads_as_itself(made: Callable[[str], Made]) -> None:
    file = made("bgr96float")
    with czi.open_czi(file.path) as document:
        ours = document.read(pixel_type="Bgr96Float", background_pixel=(0.5, 0.25, 0))
    known = file.plane(background=(0.5, 0.25, 0))
    assert_same_pixels(ours, known, "Bgr96Float")


@pytest.mark.parametrize("name", ["masked", "masked_first_chunk"])
def test_masked_pixels_let_what_is_below_show(name: str, made: Callable[[str], Made]) -> None:
    file = made(name)
    with czi.open_czi(file.path, reader_options=MASKED) as document:
        ours = document.read(background_pixel=(1, 1, 1))
    assert_same_pixels(ours, file.plane(masks=True, background=255), name)


@pytest.mark.parametrize(("kind", "dtype"), [("Gray16", "<u2"), ("Gray32Float", "<f4")])
def test_masked_pixels_are_converted_one_by_one(
    kind: str, dtype: str, made: Callable[[str], Made]
) -> None:
    # at zoom 1 libCZI moves on by a pixel at the end of a row only
    file = made("masked")
    with czi.open_czi(file.path, reader_options=MASKED) as document:
        ours = document.read(pixel_type=kind)
    assert_same_pixels(ours, file.plane(masks=True).astype(dtype), kind)


def test_masks_count_only_where_they_are_asked_for(made: Callable[[str], Made]) -> None:
    file = made("masked")
    with czi.open_czi(file.path) as document:
        assert_same_pixels(document.read(), file.plane(), "masks left aside")


def test_all_pixel_types_read_as_themselves(made: Callable[[str], Made]) -> None:
    with czi.open_czi(made("all_pixel_types").path) as document:
        for channel, kind in enumerate(PixelType):
            ours = document.read(plane={"C": channel}, pixel_type=kind.name)
            known: NDArray[Any] = np.concatenate(
                [noise(kind, 9, 10, 350 + channel), noise(kind, 9, 10, 370 + channel)], axis=1
            )
            assert_same_pixels(ours, known, kind.name)
