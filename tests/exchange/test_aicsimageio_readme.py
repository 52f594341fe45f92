"""What AICSImageIO's README does with its images, with `open_image` in the place of AICSImage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from extras import needs
from remote.server import serving

from czictypes import open_image as AICSImage  # noqa: N812 (the name of the other package)
from czictypes import save

STACK = np.random.default_rng(1).integers(0, 4096, (3, 2, 4, 30, 40)).astype(np.uint16)
NAMES = ["my_file.tiff", "my_file.ome.tiff", "my_file.czi", "my_file.ome.zarr"]


@pytest.fixture(params=NAMES)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file of two scenes."""
    needs("tifffile", "ome-tiff")
    needs("ngff_zarr", "ome-zarr")
    save(
        np.stack([STACK, STACK + 1]), tmp_path / request.param, "STCZYX",
        channel_names=["DAPI", "GFP"], pixel_size=(1e-6, 1e-6, 2e-6), times=5.0, name="Image",
    )  # fmt: skip
    return tmp_path / request.param


def test_full_images_are_read(path: Path) -> None:
    xarray = needs("xarray", "xarray")
    img = AICSImage(str(path))
    np.testing.assert_array_equal(img.data, STACK)
    assert isinstance(img.xarray_data, xarray.DataArray)
    assert img.dims.order == "TCZYX"
    assert img.dims.X == 40
    assert img.shape == STACK.shape
    np.testing.assert_array_equal(img.get_image_data("CZYX", T=0), STACK[0])
    assert img.current_scene == img.scenes[0]
    img.set_scene(img.scenes[1])
    np.testing.assert_array_equal(img.data, STACK + 1)
    img.close()


def test_images_are_read_with_a_delay(path: Path) -> None:
    dask = needs("dask.array", "dask")
    needs("xarray", "xarray")
    with AICSImage(path) as img:
        assert isinstance(img.dask_data, dask.Array)
        assert isinstance(img.xarray_dask_data.data, dask.Array)
        lazy_t0 = img.get_image_dask_data("CZYX", T=0)
        np.testing.assert_array_equal(lazy_t0.compute(), STACK[0])


def test_coordinates_are_attached(path: Path) -> None:
    needs("xarray", "xarray")
    with AICSImage(path) as img:
        labelled = img.xarray_data
        assert labelled[:, :, :, :, :10].shape == (3, 2, 4, 30, 10)
        assert labelled.coords["X"].values[:3].tolist() == pytest.approx([0.0, 1.0, 2.0])
        assert labelled.coords["X"].attrs["units"] == "um"
        if path.name != "my_file.tiff":  # a plain TIFF has no place for these
            assert labelled.sel(T=slice(0, 6)).sizes["T"] == 2
            assert labelled.coords["Z"].values[-1] == pytest.approx(6.0)


def test_metadata_are_read(path: Path) -> None:
    with AICSImage(path) as img:
        assert img.metadata
        assert len(img.channel_names) == 2
        assert pytest.approx(1.0) == img.physical_pixel_size.X
        assert pytest.approx(1.0) == img.physical_pixel_size.Y
        if path.name != "my_file.tiff":
            assert img.channel_names == ["DAPI", "GFP"]
            assert pytest.approx(2.0) == img.physical_pixel_size.Z


def test_remote_images_are_read_as_others(tmp_path: Path) -> None:
    needs("fsspec.implementations.http", "remote")
    needs("tifffile", "ome-tiff")
    save(STACK, tmp_path / "my_file.tiff")
    with serving() as server:
        url = server.put("/my_file.tiff", (tmp_path / "my_file.tiff").read_bytes())
        with AICSImage(url) as img:
            np.testing.assert_array_equal(img.get_image_data("ZYX", T=1, C=1), STACK[1, 1])
            np.testing.assert_array_equal(img.data, STACK)


def test_a_file_becomes_an_ome_tiff_in_one_line(path: Path, tmp_path: Path) -> None:
    img = AICSImage(path)
    img.save(tmp_path / "new.ome.tiff")
    img.close()  # so that nothing warns of an open file
    with AICSImage(tmp_path / "new.ome.tiff") as img:
        np.testing.assert_array_equal(img.data, STACK)
        assert len(img.scenes) == 2
