"""Bools select as in numpy, one for each index; where there can be no mask, they are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.recipes import Made

from czictypes import CziImage, CziSlide, Image, convert, czi
from czictypes.model.errors import OutOfBoundsError

SIZES = {"T": 3, "C": 2, "Z": 4, "Y": 40, "X": 50}
CELLS = np.random.default_rng(7).integers(0, 4096, tuple(SIZES.values())).astype(np.uint16)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("masks") / "cells.czi"
    czi.imwrite(found, CELLS, axes="TCZYX", channel_names=["DAPI", "GFP"])
    return found


def mask_of(name: str) -> np.ndarray:
    return np.random.default_rng(ord(name)).random(SIZES[name]) < 0.6


KINDS: dict[str, Callable[[np.ndarray], Any]] = {
    "array": lambda mask: mask,
    "list": lambda mask: mask.tolist(),
    "tuple": lambda mask: tuple(mask.tolist()),
    "list of numpy's": list,
}


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_mask_selects_as_in_numpy(image: Image, name: str, kind: str) -> None:
    mask = mask_of(name)
    expected = np.compress(mask, CELLS, axis=list(SIZES).index(name))
    given: Any = KINDS[kind](mask)
    np.testing.assert_array_equal(image.read_block({name: given}), expected)
    np.testing.assert_array_equal(image.get_image_data(**{name: given}), expected)


@pytest.mark.parametrize("name", SIZES)
def test_a_mask_selects_from_lazy_arrays(image: Image, name: str) -> None:
    needs("dask.array", "dask")
    mask = mask_of(name)
    expected = np.compress(mask, CELLS, axis=list(SIZES).index(name))
    lazy = image.get_image_dask_data(**{name: mask.tolist()})
    np.testing.assert_array_equal(lazy.compute(), expected)
    index = tuple(mask if one == name else slice(None) for one in SIZES)
    np.testing.assert_array_equal(image.to_dask()[index].compute(), expected)


def test_masks_of_several_dimensions_are_taken_one_after_the_other(image: Image) -> None:
    found = image.get_image_data("XCT", T=mask_of("T"), C=[True, False], X=mask_of("X"))
    expected = CELLS[mask_of("T")][:, [True, False], 0, 0][:, :, mask_of("X")]
    np.testing.assert_array_equal(found, expected.transpose(2, 1, 0))


def test_a_mask_may_select_nothing(image: Image) -> None:
    assert image.read_block({"C": [False, False]}).shape == (3, 0, 4, 40, 50)


def test_the_valid_pixels_of_a_mask_are_those_of_its_block(path: Path) -> None:
    with CziImage(path) as image:
        assert image.valid_pixels({"T": 0, "C": [False, True], "Z": 0}).shape == (1, 40, 50)


def test_the_samples_of_colours_take_a_mask(tmp_path: Path) -> None:
    picture = CELLS[0, 0, :3].transpose(1, 2, 0).astype(np.uint8)
    czi.imwrite(tmp_path / "picture.czi", picture, axes="YXS")
    with CziImage(tmp_path / "picture.czi") as image:
        found = image.get_image_data("YXS", S=[True, False, True])
        np.testing.assert_array_equal(found, picture[..., [0, 2]])


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("more", [-1, 1])
def test_a_mask_has_a_bool_for_each_index(image: Image, name: str, more: int) -> None:
    count = SIZES[name] + more
    message = f"the mask of {name} has {count} values, but {name} has {SIZES[name]}"
    with pytest.raises(OutOfBoundsError, match=message):
        image.read_block({name: [True] * count})
    with pytest.raises(IndexError, match=message):
        image.get_image_data(**{name: np.ones(count, bool)})


def test_an_empty_mask_is_no_empty_choice(image: Image) -> None:
    assert image.read_block({"C": []}).shape[1] == 0
    with pytest.raises(OutOfBoundsError, match="the mask of C has 0 values"):
        image.read_block({"C": np.array([], bool)})


NO_MASKS = [True, False, np.True_, [True, 1], [0, False], ["DAPI", True], np.ones((2, 2), bool)]


@pytest.mark.parametrize("item", NO_MASKS, ids=repr)
@pytest.mark.parametrize("name", ["C", "Z", "X"])
def test_a_single_bool_is_no_index_and_no_mask(image: Image, name: str, item: Any) -> None:
    for read in (
        lambda: image.read_block({name: item}),
        lambda: image.get_image_data(**{name: item}),
        lambda: image.get_image_data("T", **{name: item}),
    ):
        with pytest.raises(ValueError, match=f"{name} takes an index"):
            read()


PLANES: dict[str, Callable[[czi.CziReader, Any], Any]] = {
    "read": lambda document, item: document.read(plane={"C": item}),
    "composite": lambda document, item: document.composite(plane={"Z": item}),
    "valid_pixels": lambda document, item: document.valid_pixels(plane={"T": item}),
    "subblocks": lambda document, item: list(
        document.enumerate_subblocks_subset(lambda *_: True, {"C": item})
    ),
    "channel": lambda document, item: document.get_channel_pixel_type(item),
    "common type": lambda document, item: document.common_pixel_type(item),
    "scene": lambda document, item: document.read(scene=item),
}


@pytest.mark.parametrize("item", [True, np.True_, [True, False]], ids=repr)
@pytest.mark.parametrize("entry", PLANES)
def test_a_plane_has_numbers_alone(path: Path, entry: str, item: Any) -> None:
    with (
        czi.open_czi(path) as document,
        pytest.raises((ValueError, TypeError), match=r"(not|by) .*True"),
    ):
        PLANES[entry](document, item)


@pytest.mark.parametrize("item", [True, [True, False]], ids=repr)
def test_copies_and_conversions_take_numbers_and_names_alone(
    path: Path, tmp_path: Path, item: Any
) -> None:
    with pytest.raises(ValueError, match="True"):
        czi.copy(path, tmp_path / "copy.czi", planes={"C": item})
    with pytest.raises(ValueError, match="True"):
        convert(path, tmp_path / "other.czi", scenes=item)
    with CziImage(path) as image, pytest.raises(ValueError, match="True"):
        image.get_stack(select_scenes=item)


def test_a_tile_is_written_to_a_plane_of_numbers(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="C = True is not a whole number"),
        czi.create_czi(tmp_path / "new.czi") as new,
    ):
        new.write(CELLS[0, 0, 0], plane={"C": True})


def test_a_slide_shows_a_plane_of_numbers(path: Path) -> None:
    with pytest.raises(ValueError, match="True"), CziSlide(path, plane={"Z": True}) as shown:
        shown.read_region_array((0, 0), 0, (5, 5))


def test_tiles_take_one_index(made: Callable[[str], Made]) -> None:
    with CziImage(made("mosaic").path, mosaic=False) as image:
        for item in (True, [True, False], [0, 1], slice(0, 1)):
            with pytest.raises(ValueError, match="takes one index here"):
                image.get_mosaic_tile_positions(C=item)
