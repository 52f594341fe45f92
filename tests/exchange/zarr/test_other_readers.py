"""What is written is read by others with the same numbers: bioio, napari, zarr alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs, needs_napari
from numpy.typing import NDArray
from ome_zarrs import five_axes

from czictypes import czi, to_multiscales, to_ngff_image, write_ome_zarr
from czictypes.arrays.image import CziImage

needs("zarr.abc.store", "ome-zarr")  # zarr 3

pytestmark = [
    # Of these packages' own making.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


def without_flat_z(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return five axes as the objects of ngff-zarr have them."""
    return pixels if pixels.shape[2] > 1 else pixels[:, :, 0]


MANY = "S3_1Pos_2Mosaic_T2_Z3_CH2_sm.czi"


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_bioio_reads_the_same(
    real_file: Callable[[str], Path],
    dest: Path,
    version: str,
    open_czi: Callable[..., CziImage],
) -> None:
    bioio = needs("bioio")
    reader = needs("bioio_ome_zarr").Reader
    image = open_czi(real_file(MANY))
    plan = write_ome_zarr(image, dest, version=version, levels=2)
    for one in plan.images:
        image.set_scene(one.scene)
        read = bioio.BioImage(str(dest / one.path), reader=reader)
        assert read.dims.order == "TCZYX"
        assert np.array_equal(read.data, image.asarray())
        assert read.channel_names == image.channel_names
        assert tuple(read.physical_pixel_sizes) == pytest.approx(image.physical_pixel_sizes)
        read.set_resolution_level(1)
        assert read.shape == one.levels[1].shape


def test_napari_shows_it_where_it_lies(
    real_file: Callable[[str], Path], dest: Path, open_czi: Callable[..., CziImage]
) -> None:
    layers = needs_napari("napari.layers")
    zarr = needs("zarr")
    image = open_czi(real_file("WellD6_S1.czi"))
    plan = write_ome_zarr(image, dest)
    levels = plan.images[0].levels
    shown = layers.Image(
        [zarr.open_array(str(dest / "D/6/0" / level.path)) for level in levels],
        multiscale=True,
        scale=levels[0].frame.scales(),
        translate=levels[0].frame.translations(),
    )
    assert image.origin is not None
    corner = (image.origin[1], image.origin[0])
    assert tuple(shown.extent.world[0][-2:]) == pytest.approx(corner)
    assert np.array_equal(np.asarray(shown.data[0]), image.asarray())


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_ngff_zarr_writes_the_objects_that_it_is_given(
    every_real_file: Path, dest: Path, version: str, open_czi: Callable[..., CziImage]
) -> None:
    ngff = needs("ngff_zarr", "ome-zarr")
    image = open_czi(every_real_file)
    image.set_scene(len(image.scenes) - 1)
    multiscales = to_multiscales(image)
    ngff.to_ome_zarr(str(dest), multiscales, version=version)
    read = ngff.from_ome_zarr(str(dest), validate=True)
    assert len(read.images) >= len(image.levels)
    for level, found in enumerate(read.images[: len(image.levels)]):
        assert found.dims == tuple(axis for axis in "tczyx" if axis != "z" or image.sizes["Z"] > 1)
        assert np.array_equal(np.asarray(found.data), without_flat_z(five_axes(image, level)))
        one = to_ngff_image(image, level=level)
        assert found.scale == pytest.approx(one.scale)
        assert found.translation == pytest.approx(one.translation)
    labels = [channel.label for channel in read.metadata.omero.channels]
    assert labels == multiscales.images[0].channel_names


def test_levels_can_be_computed_by_ngff_zarr(mosaic_czi: Path) -> None:
    ngff = needs("ngff_zarr", "ome-zarr")
    made = to_multiscales(
        mosaic_czi,
        scale_factors=[{"y": 2, "x": 2}, {"y": 4, "x": 4}],
        method=ngff.Methods.DASK_BIN_SHRINK,
        chunks=128,
    )
    assert [one.data.shape[-2:] for one in made.images] == [(700, 900), (350, 450), (175, 225)]
    assert made.images[0].data.chunksize[-2:] == (128, 128)
    assert [channel.label for channel in made.metadata.omero.channels] == ["DAPI", "GFP"]


def test_levels_of_ngff_objects_are_those_that_are_written(tmp_path: Path, dest: Path) -> None:
    zarr = needs("zarr")
    from czictypes.writing.create import create_czi

    rng = np.random.default_rng(3)
    with create_czi(tmp_path / "big.czi") as document:
        document.write(rng.integers(0, 255, (2305, 3001)).astype(np.uint8))
    multiscales = to_multiscales(tmp_path / "big.czi", chunks={"y": 500, "x": 700})
    plan = write_ome_zarr(tmp_path / "big.czi", dest)
    assert len(multiscales.images) == len(plan.images[0].levels) == 3
    for image, level in zip(multiscales.images, plan.images[0].levels):
        assert image.data.chunksize[-2:] == tuple(
            min(a, b) for a, b in zip((500, 700), image.data.shape[-2:])
        )
        written = zarr.open_array(str(dest / level.path))[:]
        assert np.array_equal(np.asarray(image.data), without_flat_z(written))
        assert [image.scale.get(axis, 1.0) for axis in "tczyx"] == level.frame.scales()


METHODS = ("ITKWASM_GAUSSIAN", "ITKWASM_BIN_SHRINK", "ITKWASM_LABEL_IMAGE", "DASK_BIN_SHRINK")


@pytest.fixture(scope="module")
def ngff() -> Any:
    """Give ngff-zarr, once it has loaded what its methods keep open to the end of the process."""
    found = needs("ngff_zarr", "ome-zarr")
    for method in METHODS:
        plain = found.to_ngff_image(np.zeros((32, 32), np.uint8), dims=["y", "x"])
        made = found.to_multiscales(plain, scale_factors=[2], method=found.Methods[method])
        np.asarray(made.images[1].data)
    return found


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("axes", "shape", "found"),
    [
        ("YX", (96, 128), (1, 1)),
        ("ZYX", (1, 96, 128), (1, 1)),
        ("YXS", (96, 128, 3), (1, 3)),
        ("TCYX", (2, 3, 96, 128), (2, 3)),
        ("CZYX", (2, 4, 96, 128), (1, 2, 4)),
    ],
)
@pytest.mark.parametrize("scene", [None, "all"])
def test_ngff_zarr_makes_levels_of_an_image_by_each_of_its_methods(
    ngff: Any,
    tmp_path: Path,
    method: str,
    axes: str,
    shape: tuple[int, ...],
    found: tuple[int, ...],
    scene: str | None,
) -> None:
    pixels = (np.arange(np.prod(shape)) % 251).reshape(shape).astype(np.uint8)
    czi.imwrite(tmp_path / "a b.czi", pixels, axes=axes)
    image = to_ngff_image(tmp_path / "a b.czi", scene)
    choice: dict[str, object] = {
        "scale_factors": [dict.fromkeys(image.dims[2:], 1) | {"y": 2, "x": 2}],
        "method": ngff.Methods[method],
    }
    ours = to_multiscales(tmp_path / "a b.czi", scene, **choice)  # type: ignore[arg-type]
    for made in (ngff.to_multiscales(image, **choice), ours):
        assert [one.dims for one in made.images] == [image.dims] * 2
        assert [one.data.shape for one in made.images] == [(*found, 96, 128), (*found, 48, 64)]
        assert np.asarray(made.images[1].data).any()


def test_z_of_one_plane_needs_no_factor(ngff: Any, tmp_path: Path) -> None:
    czi.imwrite(tmp_path / "a.czi", np.zeros((96, 128), np.uint16), axes="YX")
    made = ngff.to_multiscales(to_ngff_image(tmp_path / "a.czi"), scale_factors=[2, 4])
    assert [one.data.shape[-2:] for one in made.images] == [(96, 128), (48, 64), (24, 32)]


def test_an_image_of_more_dimensions_must_be_chosen(
    made: Callable[[str], object], open_czi: Callable[..., CziImage]
) -> None:
    image = open_czi(made("many_dimensions").path)  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="V, H, I, R"):
        to_ngff_image(image)
    plane = {"V": 1, "H": 0, "I": 1, "R": 0}
    found = to_ngff_image(image, plane=plane)
    assert np.array_equal(np.asarray(found.data), without_flat_z(image.read_block(plane)))
