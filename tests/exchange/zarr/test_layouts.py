"""Series and plates."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from extras import needs
from files.recipes import Made
from ome_zarrs import array, ome

from czictypes import from_ome_zarr, write_ome_zarr
from czictypes.arrays.image import CziImage
from czictypes.metadata.document_content import DocumentContent
from czictypes.metadata.scenes import Acquisition, Plate, SceneInfo, Well
from czictypes.writing.writer import create_czi

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


@pytest.mark.parametrize("version", ["0.4", "0.5", "0.6"])
def test_scenes_in_wells_become_a_plate(plate_czi: Path, dest: Path, version: str) -> None:
    plan = write_ome_zarr(plate_czi, dest, version=version, validate=True)
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
    plan = write_ome_zarr(plate_czi, dest, plate=False, validate=True)
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


# Acquisitions


@pytest.fixture
def rounds_czi(tmp_path: Path) -> Path:
    """Two wells, three fields in the first and two in the second, taken in three rounds."""
    path = tmp_path / "rounds of a plate.czi"
    rounds = (Acquisition(0, "first"), Acquisition(5, "after a day", "with drug", 10, 20))
    taken = [("A1", 1, 0), ("A1", 1, 5), ("A1", 1, 5), ("B3", 3, 0), ("B3", 3, 5)]
    scenes = [
        SceneInfo(
            at, f"P{at}", well=Well(name, "AB".index(name[0]) + 1, column), acquisition=number
        )
        for at, (name, column, number) in enumerate(taken)
    ]
    with create_czi(path) as document:
        for at, (t, c) in itertools.product(range(5), np.ndindex(2, 2)):
            pixels = np.full((30, 40, 3), at * 10 + t + c, np.uint8)
            document.write(pixels, (at * 100, 0), {"T": t, "C": c}, scene=at)
        plate = Plate("with rounds", 2, 3, acquisitions=rounds)
        document.write_metadata("plate", content=DocumentContent(scenes=scenes, plate=plate))
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5", "0.6"])
def test_the_acquisitions_of_a_plate_there_and_back(
    rounds_czi: Path,
    dest: Path,
    tmp_path: Path,
    version: str,
    open_czi: Callable[..., CziImage],
) -> None:
    write_ome_zarr(rounds_czi, dest, version=version)
    from_ome_zarr(dest, tmp_path / "back.czi")
    write_ome_zarr(tmp_path / "back.czi", tmp_path / "again.ome.zarr", version=version)
    for store in (dest, tmp_path / "again.ome.zarr"):
        read = ngff.from_hcs_zarr(str(store), validate=True)
        assert ome(store)["plate"]["acquisitions"] == [
            {"id": 0, "name": "first", "maximumfieldcount": 1},
            {
                "id": 5,
                "name": "after a day",
                "description": "with drug",
                "maximumfieldcount": 2,
                "starttime": 10,
                "endtime": 20,
            },
        ]
        assert [one.acquisition for one in read.get_well("A", "1").images] == [0, 5, 5]
        assert [one.acquisition for one in read.get_well("B", "3").images] == [0, 5]
    before, after = open_czi(rounds_czi), open_czi(tmp_path / "back.czi")
    assert after.plate == before.plate
    for at in range(5):
        before.set_scene(at)
        after.set_scene(at)
        assert after.acquisition == before.acquisition
        assert np.array_equal(after.asarray(), before.asarray())


@pytest.mark.parametrize("version", ["0.4", "0.5", "0.6"])
def test_the_acquisitions_of_a_plate_of_ngff_zarr(
    dest: Path, tmp_path: Path, version: str, open_czi: Callable[..., CziImage]
) -> None:
    plate = ngff.Plate(
        columns=[ngff.PlateColumn(name="1")],
        rows=[ngff.PlateRow(name="A")],
        wells=[ngff.PlateWell(path="A/1", rowIndex=0, columnIndex=0)],
        acquisitions=[
            ngff.PlateAcquisition(id=2, name="old"),
            ngff.PlateAcquisition(id=1, name="new"),
            ngff.PlateAcquisition(id=9, name="never taken"),
        ],
        field_count=1,
        name="p",
        version=version,
    )
    with ngff.HCSPlateWriter(str(dest), plate) as writer:
        for at in range(2):
            image = ngff.to_ngff_image(np.full((64, 80), at + 1, np.uint8), dims=["y", "x"])
            writer.write_well_image(
                multiscales=ngff.to_multiscales(image, scale_factors=[]),
                row_name="A",
                column_name="1",
                field_index=at,
                acquisition_id=2 - at,
            )
    from_ome_zarr(dest, tmp_path / "p.czi")
    write_ome_zarr(tmp_path / "p.czi", tmp_path / "q.ome.zarr", version=version)
    found = ngff.from_hcs_zarr(str(tmp_path / "q.ome.zarr"), validate=True)
    named = [(one.id, one.name) for one in found.metadata.acquisitions]
    assert named == [(2, "old"), (1, "new"), (9, "never taken")]
    assert [one.acquisition for one in found.get_well("A", "1").images] == [2, 1]
    image = open_czi(tmp_path / "p.czi", 1)
    assert image.acquisition == Acquisition(1, "new")


def test_a_part_of_a_plate_keeps_its_acquisitions(
    rounds_czi: Path, dest: Path, tmp_path: Path, open_czi: Callable[..., CziImage]
) -> None:
    write_ome_zarr(rounds_czi, dest)
    from_ome_zarr(dest, tmp_path / "part.czi", scenes=["A/1/1", "B/3/0"])
    image = open_czi(tmp_path / "part.czi")
    found = []
    for at in range(2):
        image.set_scene(at)
        assert image.acquisition is not None
        found.append(image.acquisition.id)
    assert found == [5, 0]


def test_a_plate_without_acquisitions_gets_none(
    plate_czi: Path, dest: Path, tmp_path: Path, open_czi: Callable[..., CziImage]
) -> None:
    write_ome_zarr(plate_czi, dest)
    assert ome(dest)["plate"]["acquisitions"] == [{"id": 0, "maximumfieldcount": 2}]
    from_ome_zarr(dest, tmp_path / "back.czi")
    image = open_czi(tmp_path / "back.czi", 0)
    assert image.acquisition is None
    assert not image.reader.custom_attributes_metadata
