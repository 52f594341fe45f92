"""Series and plates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from extras import needs
from files.recipes import Made
from ome_zarrs import array, ome

from czictypes import from_ome_zarr, write_ome_zarr
from czictypes.arrays.image import CziImage
from czictypes.metadata.content import DocumentContent
from czictypes.metadata.scenes import Plate, SceneInfo, Well
from czictypes.writing.create import create_czi

ngff = needs("ngff_zarr", "ome-zarr")

WELLS = [Well("B2", 2, 2), Well("A1", 1, 1), Well("B2", 2, 2)]


@pytest.fixture
def plate_czi(tmp_path: Path) -> Path:
    """Three scenes in two wells."""
    path = tmp_path / "plate.czi"
    scenes = [SceneInfo(at, f"P{at}", well=well) for at, well in enumerate(WELLS)]
    with create_czi(path) as document:
        for at in range(3):
            document.write(np.full((30, 40), at, np.uint8), (at * 100, 0), scene=at)
        content = DocumentContent(scenes=scenes, plate=Plate("Multiwell 6", 2, 3))
        document.write_metadata("plate", scale_x=1e-6, scale_y=1e-6, content=content)
    return path


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_scenes_in_wells_become_a_plate(plate_czi: Path, dest: Path, version: str) -> None:
    plan = write_ome_zarr(plate_czi, dest, version=version)
    assert [one.path for one in plan.images] == ["B/2/0", "A/1/0", "B/2/1"]
    plate = ome(dest)["plate"]
    assert [row["name"] for row in plate["rows"]] == ["A", "B"]
    assert [column["name"] for column in plate["columns"]] == ["1", "2", "3"]
    assert plate["name"] == "Multiwell 6"
    assert plate["field_count"] == 2
    assert ome(dest, "OME")["series"] == ["B/2/0", "A/1/0", "B/2/1"]
    for at, one in enumerate(plan.images):
        assert (array(dest, f"{one.path}/0")[:] == at).all()
    read = ngff.from_hcs_zarr(str(dest), validate=True)
    well = read.get_well("B", "2")
    assert len(well.images) == 2
    assert well.get_image(1) is not None


def test_a_plate_comes_back(
    plate_czi: Path, dest: Path, tmp_path: Path, open_czi: Callable[..., CziImage]
) -> None:
    write_ome_zarr(plate_czi, dest)
    from_ome_zarr(dest, tmp_path / "back.czi")
    before, after = open_czi(plate_czi), open_czi(tmp_path / "back.czi")
    assert after.plate == before.plate == Plate("Multiwell 6", 2, 3)
    for scene in range(3):
        before.set_scene(scene)
        after.set_scene(scene)
        assert after.well == before.well
        assert (after.asarray() == scene).all()


def test_a_part_of_a_plate_is_a_plate(plate_czi: Path, dest: Path) -> None:
    write_ome_zarr(plate_czi, dest, scenes=[2])
    assert [well["path"] for well in ome(dest)["plate"]["wells"]] == ["B/2"]
    assert (array(dest, "B/2/0/0")[:] == 2).all()


def test_a_plate_can_be_a_series(plate_czi: Path, dest: Path) -> None:
    plan = write_ome_zarr(plate_czi, dest, plate=False)
    assert [one.path for one in plan.images] == ["0", "1", "2"]
    assert ome(dest)["bioformats2raw.layout"] == 3
    assert ome(dest, "OME")["series"] == ["0", "1", "2"]


def test_there_is_an_image_for_each_place_in_other_dimensions(
    made: Callable[[str], Made], dest: Path, open_czi: Callable[..., CziImage]
) -> None:
    image = open_czi(made("many_dimensions").path)
    plan = write_ome_zarr(image, dest)
    assert len(plan.images) == 16
    for one in plan.images:
        assert set(one.plane) == set("VHIR")
        expected = image.read_block(one.plane)
        assert np.array_equal(array(dest, f"{one.path}/0")[:], expected)
