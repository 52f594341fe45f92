"""Labelled arrays: coordinates in real units, which `imwrite` reads back, and trees of levels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from described import write_described
from extras import needs
from files.recipes import Made

from czictypes import CziImage, czi
from czictypes.model.errors import MissingExtraError
from czictypes.writing.imwrite import imwrite

xarray = needs("xarray", "xarray")


def test_dims_coordinates_and_units(made: Callable[[str], Made]) -> None:
    with CziImage(made("described").path) as image:
        array = image.to_xarray()
        np.testing.assert_array_equal(array.values, image.asarray())
    assert array.dims == ("T", "C", "Z", "Y", "X")
    assert array.coords["C"].values.tolist() == ["DAPI", "Gr\u00fcn"]
    assert array.coords["X"].attrs == {"units": "um"}
    np.testing.assert_allclose(array.coords["X"], 0.15 * np.arange(20))
    assert array.sel(C="DAPI").isel(T=0, Z=0).sel(X=0.31, method="nearest").shape == (16,)


def test_attributes_are_few_and_plain(made: Callable[[str], Made]) -> None:
    with CziImage(made("described").path) as image:
        attributes = image.to_xarray().attrs
    assert attributes == {
        "scene": "Image:0",
        "title": "A title",
        "stage_origin_um": [1250.5 - 9.5 * 0.15, -10.25 - 7.5 * 0.2],
        "channel_names": ["DAPI", "Gr\u00fcn"],
        "channel_colors": ["#0000FF", "#FFFFFF"],
        "channel_black_points": [6553.5, 0.0],
        "channel_white_points": [49151.25, 65535.0],
    }


def test_attributes_of_every_file_fit_into_json(every_real_file: Path) -> None:
    with CziImage(every_real_file) as image:
        array = image.to_xarray()
    assert len(json.dumps(array.attrs)) < 1000
    assert len(repr(array)) < 4000


def test_numpy_and_dask_are_labelled_alike(made: Callable[[str], Made]) -> None:
    dask = needs("dask.array", "dask")
    with CziImage(made("stack").path) as image:
        eager, lazy = image.xarray_data, image.xarray_dask_data
        assert isinstance(lazy.data, dask.Array)
        xarray.testing.assert_identical(eager, lazy.compute())


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_level_is_labelled_as_such(made: Callable[[str], Made], level: int) -> None:
    with CziImage(made("multi_scene_pyramid").path) as image:
        array = image.to_xarray(level)
        np.testing.assert_array_equal(array.values, image.asarray(level))
    assert float(array.X[0]) == (2**level - 1) / 2
    assert float(array.X[1] - array.X[0]) == 2**level


def test_a_tree_needs_a_new_xarray(
    made: Callable[[str], Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(xarray, "DataTree", raising=False)
    with CziImage(made("stack").path) as image:
        with pytest.raises(MissingExtraError, match=r"needs xarray 2024\.10 or later, here is"):
            image.to_datatree()


@pytest.mark.skipif(not hasattr(xarray, "DataTree"), reason="this xarray has no DataTree yet")
class TestTree:
    def test_a_group_for_each_level(self, made: Callable[[str], Made]) -> None:
        dask = needs("dask.array", "dask")
        with CziImage(made("multi_scene_pyramid").path, 1) as image:
            tree = image.to_datatree()
            assert list(tree.children) == ["scale0", "scale1", "scale2"]
            for number, group in enumerate(tree.children.values()):
                array = group["image"]
                assert isinstance(array.data, dask.Array)
                np.testing.assert_array_equal(array.values, image.asarray(number))
            assert tree.attrs["scene"] == image.current_scene

    def test_an_image_without_a_pyramid_has_one_group(self, made: Callable[[str], Made]) -> None:
        needs("dask.array", "dask")
        with CziImage(made("stack").path) as image:
            assert list(image.to_datatree().children) == ["scale0"]

    def test_places_are_the_same_in_all_levels(self, made: Callable[[str], Made]) -> None:
        needs("dask.array", "dask")
        with CziImage(made("multi_scene_pyramid").path) as image:
            tree = image.to_datatree()
            full, half = tree["scale0/image"], tree["scale1/image"]
        assert pytest.approx(31.5, abs=0.5) == full.sel(X=31.5, method="nearest").X
        assert pytest.approx(31.5, abs=1.0) == half.sel(X=31.5, method="nearest").X


class TestRoundTrip:
    def test_names_colours_sizes_and_times(self, tmp_path: Path) -> None:
        array = np.arange(3 * 2 * 4 * 5 * 6, dtype=np.uint16).reshape(3, 2, 4, 5, 6)
        first, second = tmp_path / "first.czi", tmp_path / "second.czi"
        imwrite(
            first,
            array,
            channel_names=["DAPI", "GFP"],
            channel_colors=["#0000FF", "#10FF20"],
            pixel_size=(1.1e-7, 2.2e-7, 3.3e-7),
            times=[0.5, 1.25, 7.0],
        )
        with CziImage(first) as image:
            imwrite(second, image.to_xarray())
        with CziImage(second) as image:
            np.testing.assert_array_equal(image.asarray(), array)
            assert image.channel_names == ["DAPI", "GFP"]
            assert image.channel_colors == [(0, 0, 255), (16, 255, 32)]
            assert image.physical_pixel_sizes == pytest.approx((0.33, 0.22, 0.11), rel=1e-12)
            assert image.time_stamps == [0.5, 1.25, 7.0]

    def test_every_real_file(self, every_real_file: Path, tmp_path: Path) -> None:
        with CziImage(every_real_file) as image:
            array = image.to_xarray()
            told = self.told_by(image)
        imwrite(tmp_path / "copy.czi", array)
        with CziImage(tmp_path / "copy.czi") as image:
            again = image.to_xarray()
            np.testing.assert_array_equal(array.values, again.values)
            assert self.told_by(image) == told

    @staticmethod
    def told_by(image: CziImage) -> dict[str, Any]:
        sizes = image.physical_pixel_sizes._asdict()
        lengths = {name: image.sizes[name] for name in sizes}
        stamps = image.time_stamps
        return {
            "names": image.channel_names,
            "colours": image.channel_colors,
            # one pixel has no neighbour that it could have a distance to
            "sizes": {
                name: size and pytest.approx(size, rel=1e-9)
                for name, size in sizes.items()
                if lengths[name] > 1
            },
            "times": stamps if stamps and len(stamps) > 1 else None,
        }

    def test_samples_stay_red_green_blue(self, made: Callable[[str], Made], tmp_path: Path) -> None:
        with CziImage(made("rgb").path) as image:
            array = image.to_xarray()
        imwrite(tmp_path / "copy.czi", array)
        with czi.open_czi(tmp_path / "copy.czi") as copy, czi.open_czi(made("rgb").path) as first:
            np.testing.assert_array_equal(copy.read(), first.read())

    def test_an_unknown_scale_stays_unknown(self, tmp_path: Path) -> None:
        with CziImage(write_described(tmp_path, sizes={"Z": 2, "T": 2})) as image:
            imwrite(tmp_path / "copy.czi", image.to_xarray())
        with CziImage(tmp_path / "copy.czi") as image:
            assert image.physical_pixel_sizes == (None, None, None)
            assert image.time_stamps is None


def test_it_can_be_stored_as_zarr_and_read_back(
    made: Callable[[str], Made], tmp_path: Path
) -> None:
    needs("zarr.abc.store", "ome-zarr")
    with CziImage(made("described").path) as image:
        array = image.to_xarray()
        array.to_dataset(name="image").to_zarr(tmp_path / "image.zarr", zarr_format=2)
    again = xarray.open_zarr(tmp_path / "image.zarr")["image"].load()
    xarray.testing.assert_identical(again.rename(array.name), array)
