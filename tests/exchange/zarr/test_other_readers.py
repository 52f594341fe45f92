"""What is written is read by others with the same numbers: bioio, napari, zarr alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from extras import needs, needs_napari
from ome_zarrs import five_axes

from czictypes import to_multiscales, to_ngff_image, write_ome_zarr
from czictypes.arrays.image import CziImage

needs("zarr.abc.store", "ome-zarr")  # zarr 3

pytestmark = [
    # Of these packages' own making.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

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
        assert np.array_equal(np.asarray(found.data), five_axes(image, level))
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
        assert np.array_equal(np.asarray(image.data), zarr.open_array(str(dest / level.path))[:])
        assert list(image.scale.values()) == level.frame.scales()


def test_an_image_of_more_dimensions_must_be_chosen(
    made: Callable[[str], object], open_czi: Callable[..., CziImage]
) -> None:
    image = open_czi(made("many_dimensions").path)  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="V, H, I, R"):
        to_ngff_image(image)
    plane = {"V": 1, "H": 0, "I": 1, "R": 0}
    found = to_ngff_image(image, plane=plane)
    assert np.array_equal(np.asarray(found.data), image.read_block(plane))
