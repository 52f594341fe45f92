"""The names of AICSImageIO and bioio: levels to set, stacks of scenes, mosaics, other keywords."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.patterns import noise
from files.recipes import Made

from czictypes import CziImage, czi
from czictypes.model.errors import OutOfBoundsError, UnsupportedDataError
from czictypes.model.pixel_types import PixelType


def write_scenes(folder: Path, *sizes: tuple[int, int], other: PixelType | None = None) -> Path:
    """Write scenes of so many rows and columns, the last one of another pixel type if told."""
    path = folder / "scenes.czi"
    with czi.create_czi(path, pyramid=czi.PyramidOptions(tile=64, until=40)) as document:
        for number, size in enumerate(sizes):
            kind = other if other and number == len(sizes) - 1 else PixelType.Gray8
            document.write(noise(kind, *size, number), (number * 1000, 0), scene=number)
    return path


ALIKE = [(150, 130)] * 3


# Resolution levels


@pytest.mark.parametrize("level", [0, 1, 2])
def test_everything_is_about_the_level_that_was_set(tmp_path: Path, level: int) -> None:
    dask, xarray = needs("dask.array", "dask"), needs("xarray", "xarray")
    with CziImage(write_scenes(tmp_path, *ALIKE), 1) as image:
        expected = image.asarray(level)
        assert image.current_resolution_level == 0
        assert image.resolution_levels == (0, 1, 2)
        image.set_resolution_level(level)
        assert image.current_resolution_level == level
        assert image.shape == expected.shape == image.resolution_level_dims[level]
        assert (image.sizes["Y"], image.ndim) == (expected.shape[3], expected.ndim)
        assert image.nbytes == expected.nbytes
        lazy, labelled = image.dask_data, image.xarray_dask_data
        assert isinstance(lazy, dask.Array)
        assert isinstance(labelled, xarray.DataArray)
        assert labelled.coords["X"].values.tolist() == image.coords(level)["X"].values.tolist()
        for found in (
            image.data,
            np.asarray(image),
            lazy.compute(),
            image.xarray_data.values,
            labelled.values,
            image.read_block({}),
            image.get_image_data(),
            image.get_image_dask_data().compute(),
            image.mosaic_data,
        ):
            np.testing.assert_array_equal(found, expected)
        assert image.valid_pixels().shape == expected.shape
        np.testing.assert_array_equal(image.asarray(level=2), image.asarray(-1))


@pytest.mark.parametrize("rows", [slice(None), -1, slice(-10, None), [3, -1], slice(5, 1000)])
def test_a_selection_counts_the_pixels_of_its_level(tmp_path: Path, rows: Any) -> None:
    needs("dask.array", "dask")
    with CziImage(write_scenes(tmp_path, *ALIKE)) as image:
        expected = image.asarray(level=1)[0, 0, 0]
        expected = expected[[rows] if isinstance(rows, int) else rows]
        np.testing.assert_array_equal(image.get_image_data("YX", level=1, Y=rows), expected)
        lazy = image.get_image_dask_data("YX", level=1, Y=rows)
        np.testing.assert_array_equal(lazy.compute(), expected)


def test_the_size_of_a_pixel_is_that_of_the_level(tmp_path: Path) -> None:
    czi.imwrite(
        tmp_path / "a.czi",
        np.zeros((200, 200), np.uint8),
        axes="YX",
        pixel_size=(1e-7, 2e-7, 5e-7),
        pyramid=czi.PyramidOptions(tile=64, until=40),
    )
    with CziImage(tmp_path / "a.czi") as image:
        full, origin = image.physical_pixel_size, image.origin
        assert full == image.physical_pixel_sizes == (0.5, 0.2, 0.1)
        image.set_resolution_level(2)
        assert image.physical_pixel_size == (0.5, 0.8, 0.4)
        assert image.scale[2:] == image.physical_pixel_sizes
        assert image.origin == origin


def test_a_scene_without_the_level_is_refused(tmp_path: Path) -> None:
    with CziImage(write_scenes(tmp_path, (150, 130), (30, 20))) as image:
        image.set_resolution_level(-1)
        with pytest.raises(OutOfBoundsError, match="scene 1 has no resolution level 2"):
            image.set_scene(1)
        assert image.current_scene_index == 0
        image.set_resolution_level(0)
        image.set_scene(1)
        with pytest.raises(IndexError, match="no level 2"):
            image.set_resolution_level(2)
        assert image.current_resolution_level == 0


def test_an_image_pickles_with_its_level(tmp_path: Path) -> None:
    with CziImage(write_scenes(tmp_path, *ALIKE), 2) as image:
        image.set_resolution_level(1)
        with pickle.loads(pickle.dumps(image)) as other:
            assert type(other) is CziImage
            assert (other.current_scene, other.shape) == (image.current_scene, image.shape)
            np.testing.assert_array_equal(other.data, image.data)


# Stacks of scenes

KINDS = {
    "data": "get_stack",
    "dask_data": "get_dask_stack",
    "xarray_data": "get_xarray_stack",
    "xarray_dask_data": "get_xarray_dask_stack",
}


def assert_stacked_as_by_bioio(image: CziImage, **options: Any) -> None:
    transforms = needs("bioio_base.transforms", "bioio")
    scene = image.current_scene
    for kind, name in KINDS.items():
        known = (
            options if "xarray" in kind else {k: v for k, v in options.items() if "e_c" not in k}
        )
        found = getattr(image, name)(**known)
        assert image.current_scene == scene
        expected = transforms.generate_stack(image, kind, **options)
        image.set_scene(scene)
        assert type(found) is type(expected)
        np.testing.assert_array_equal(found, expected)
        if "xarray" in kind:
            assert found.dims == expected.dims
            assert found.coords.equals(expected.coords)


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"select_scenes": [2, "Image:0"]},
        {"scene_character": "F", "scene_coord_values": "names"},
        {"drop_non_matching_scenes": True},
    ],
)
def test_scenes_are_stacked(tmp_path: Path, options: dict[str, Any], level: int) -> None:
    with CziImage(write_scenes(tmp_path, *ALIKE), 1) as image:
        image.set_resolution_level(level)
        assert_stacked_as_by_bioio(image, **options)


@pytest.mark.parametrize("other", [None, PixelType.Gray16])
def test_scenes_that_differ_are_refused_or_left_out(
    tmp_path: Path, other: PixelType | None
) -> None:
    last = (150, 130) if other else (149, 130)
    path = write_scenes(tmp_path, (150, 130), (150, 130), last, other=other)
    with CziImage(path) as image:
        with pytest.raises(UnsupportedDataError, match=r"'Image:2' is .*drop_non_matching_scenes"):
            image.get_stack()
        assert_stacked_as_by_bioio(image, drop_non_matching_scenes=True)
        assert image.get_stack(drop_non_matching_scenes=True).shape[0] == 2
        assert image.get_stack(select_scenes="Image:2").shape == (1, 1, 1, 1, *last)


def test_a_stack_names_what_is_wrong(tmp_path: Path) -> None:
    needs("xarray", "xarray")
    with CziImage(write_scenes(tmp_path, *ALIKE)) as image:
        with pytest.raises(ValueError, match="at least one"):
            image.get_stack(select_scenes=[])
        with pytest.raises(OutOfBoundsError, match="no scene 'C7'"):
            image.get_stack(select_scenes=["C7"])
        with pytest.raises(ValueError, match="another scene_character"):
            image.get_xarray_stack(scene_character="Z")
        with pytest.raises(ValueError, match="scene_coord_values"):
            image.get_xarray_stack(scene_coord_values="name")  # type: ignore[arg-type]


# Mosaics


def test_a_mosaic_is_stitched_where_its_tiles_come_apart(made: Callable[[str], Made]) -> None:
    needs("dask.array", "dask")
    needs("xarray", "xarray")
    path = made("mosaic").path
    with CziImage(path) as stitched, CziImage(path, reconstruct_mosaic=False) as tiles:
        assert "M" in tiles.dims
        for image in (stitched, tiles):
            np.testing.assert_array_equal(image.mosaic_data, stitched.data)
            np.testing.assert_array_equal(image.mosaic_dask_data.compute(), stitched.data)
            assert image.mosaic_xarray_data.equals(stitched.xarray_data)
            assert image.mosaic_xarray_dask_data.equals(stitched.xarray_data)
            assert image.mosaic_xarray_dask_data.chunks is not None


# Keywords


def test_fs_kwargs_are_storage_options(made: Callable[[str], Made]) -> None:
    fsspec = needs("fsspec", "remote")
    file = made("stack").path
    fsspec.filesystem("memory").pipe("/names/stack.czi", file.read_bytes())
    with CziImage(file) as image, CziImage("memory://names/stack.czi", fs_kwargs={}) as other:
        np.testing.assert_array_equal(other.data, image.data)
    with pytest.raises(ValueError, match="another name of storage_options"):
        CziImage("memory://names/stack.czi", fs_kwargs={}, storage_options={})
    with pytest.raises(ValueError, match="another name of mosaic"):
        CziImage(file, mosaic=False, reconstruct_mosaic=True)
