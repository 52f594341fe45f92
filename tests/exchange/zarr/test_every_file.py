"""Every real file, in both versions: pixels, axes, scales, translations; validators agree."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from ome_zarrs import array, five_axes, ome

from czictypes.arrays.image import CziImage
from czictypes.exchange.ome_zarr.write_zarr import OmeZarrPlan, write_ome_zarr

ngff = needs("ngff_zarr", "ome-zarr")
models = needs("ome_zarr_models")
needs("zarr.abc.store", "ome-zarr")  # zarr 3
zarr = needs("zarr", "ome-zarr")

pytestmark = [
    # ome-types and the models say it of their own code.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::czictypes.model.errors.MetadataWarning"),
]

STRICT = ngff.ValidateOptions(level=ngff.ValidationLevel.STRICT)


@pytest.fixture(params=["0.5", "0.4"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def written(every_real_file: Path, dest: Path, version: str) -> OmeZarrPlan:
    return write_ome_zarr(every_real_file, dest, version=version, chunks=200)


def test_pixels_and_places_are_those_of_the_file(
    every_real_file: Path, dest: Path, written: OmeZarrPlan, open_czi: Callable[..., CziImage]
) -> None:
    image = open_czi(every_real_file)
    assert {plan.scene for plan in written.images} == set(range(len(image.scenes)))
    for plan in written.images:
        image.set_scene(plan.scene)
        listed = ome(dest, plan.path)["multiscales"][0]
        assert [axis["name"] for axis in listed["axes"]] == list("tczyx")
        for level, dataset in zip(plan.levels, listed["datasets"]):
            found = array(dest, f"{plan.path}/{dataset['path']}")
            if level.stored is not None:
                assert np.array_equal(found[:], five_axes(image, level.stored, plan.plane))
                _assert_placed(image, level.stored, dataset["coordinateTransformations"])
            assert found.shape == level.shape


def _assert_placed(image: CziImage, level: int, transformations: list[Any]) -> None:
    scale, translation = transformations[0]["scale"], transformations[1]["translation"]
    coordinates = image.coords(level)
    corner = dict(zip("XY", image.origin or (0.0, 0.0)))
    for at, letter in ((3, "Y"), (4, "X")):
        values = coordinates[letter].values
        assert translation[at] == pytest.approx(corner[letter] + values[0])
        if len(values) > 1:
            assert scale[at] == pytest.approx(values[1] - values[0])
    assert scale[2] == pytest.approx(image.physical_pixel_sizes.Z or 1.0)
    interval = image.time_interval
    assert scale[0] == pytest.approx(interval.total_seconds() if interval else 1.0)


def test_channels_are_those_of_the_file(
    every_real_file: Path, dest: Path, written: OmeZarrPlan, open_czi: Callable[..., CziImage]
) -> None:
    image = open_czi(every_real_file)
    for plan in written.images:
        image.set_scene(plan.scene)
        looks = ome(dest, plan.path)["omero"]["channels"]
        assert len(looks) == plan.levels[0].shape[1]
        if plan.samples > 1:
            assert [look["color"] for look in looks] == ["FF0000", "00FF00", "0000FF"]
            continue
        assert [look["label"] for look in looks] == image.channel_names
        for look, color, limits in zip(looks, image.channel_colors, image.contrast_limits):
            assert color is None or tuple(bytes.fromhex(look["color"])) == color
            window = look["window"]["start"], look["window"]["end"]
            is_whole = limits is None or limits == (0, np.iinfo(image.dtype).max)
            assert is_whole or window == pytest.approx(limits)


def test_ngff_zarr_finds_nothing_wrong(dest: Path, written: OmeZarrPlan, version: str) -> None:
    for path in _images(dest, written):
        attributes = dict(zarr.open_group(str(dest), path=path, mode="r").attrs)
        ngff.validate(attributes, version=version)
        ngff.validate(attributes, version=version, strict=True)
        read = ngff.from_ome_zarr(str(dest / path), validate=True)
        ngff.validate_structural(read.metadata, STRICT)
        assert np.array_equal(np.asarray(read.images[0].data), array(dest, f"{path}/0")[:])


def _images(dest: Path, written: OmeZarrPlan) -> Iterator[str]:
    """Give the paths of images; validates the plate they are in, if any."""
    if "plate" in ome(dest):
        plate = ngff.from_hcs_zarr(str(dest), validate=True)
        ngff.validate_plate(plate.metadata, STRICT)
        for listed in plate.wells:
            well = plate.get_well(*listed.path.split("/"))
            ngff.validate_well(plate.metadata, well.metadata, STRICT)
    yield from (plan.path for plan in written.images)


def test_ome_zarr_models_find_nothing_wrong(dest: Path, written: OmeZarrPlan, version: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        root = zarr.open_group(str(dest), mode="r")
        is_series = "bioformats2raw.layout" in ome(dest) and "plate" not in ome(dest)
        if not (is_series and version == "0.5"):  # of which the models do not know
            models.open_ome_zarr(root)
        for plan in written.images:
            models.open_ome_zarr(root[plan.path] if plan.path else root)
