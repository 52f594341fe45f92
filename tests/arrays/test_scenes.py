"""Scenes whose index in the XML is not the S of the sub-blocks, as in parts of split documents."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest
from described import image_xml, scaling_xml, scenes_xml, write_described
from extras import needs

from czictypes import CziImage, czi, from_ome_zarr, write_ome_zarr
from czictypes.cli.main import main
from czictypes.metadata.scenes import match_scenes
from czictypes.model.errors import MetadataWarning


def split(
    folder: Path, numbers: Sequence[int], indices: Sequence[object], names: str = "ABCDEFG"
) -> Path:
    """Write a file with tiles of some scenes; scene P1 of the XML lies in well A1, P2 in B2..."""
    wells = [
        f"<CenterPosition>{100 * at},50</CenterPosition><Shape Name='{name}{at + 1}'>"
        f"<RowIndex>{at + 1}</RowIndex><ColumnIndex>{at + 1}</ColumnIndex></Shape>"
        for at, name in zip(range(len(indices)), names)
    ]
    listed = image_xml(dimensions=scenes_xml(*wells, indices=indices))
    return write_described(folder, listed + scaling_xml(X=1e-6, Y=1e-6), scenes=numbers)


@pytest.mark.parametrize(
    ("numbers", "indices", "expected"),
    [
        ([0, 1, 2], [0, 1, 2], {0: 0, 1: 1, 2: 2}),
        ([0, 1, 2], [2, 0, 1], {0: 1, 1: 2, 2: 0}),  # the index counts, not the order
        ([5], [0], {5: 0}),
        ([0], [5], {0: 0}),
        ([1, 2], [0, 1], {1: 0, 2: 1}),  # the XML was counted anew
        ([0, 1], [1, 2], {0: 0, 1: 1}),  # the sub-blocks were
        ([5, 8], [1, 0], {5: 1, 8: 0}),
        ([3, 7], [4, 6], {3: 0, 7: 1}),
        ([2, 4], [0, 1, 2, 3, 4, 5], {2: 2, 4: 4}),  # the XML lists all of the original
        ([4, 9], [0, 1, 2, 3, 4], {4: 4}),
        ([7, 9], [5, 7], {7: 1}),  # neither counts from 0, and 7 would be the other one
        ([5], [0, 1, 2], {}),
        ([0, 1], [0, 0], {0: 0, 1: 1}),
        ([0, 1], [0, 0, 1], {1: 2}),
        ([0], [0, 0], {}),
        ([0, 1, 2], [1, 1, 0], {0: 2}),
        ([0, 1], [], {}),
        ([], [0], {}),
    ],
)
def test_which_scene_is_meant(
    numbers: list[int], indices: list[int], expected: dict[int, int]
) -> None:
    assert match_scenes(indices, numbers) == expected


NAMES = {  # S of the sub-blocks, indices in the XML: names and wells of the image
    "one of a split document": ([5], [0], ["P1"], ["A1"]),
    "some of a split document": ([1, 2], [0, 1], ["P1", "P2"], ["A1", "B2"]),
    "the XML of the whole": ([1, 3], [0, 1, 2, 3], ["P2", "P4"], ["B2", "D4"]),
    "no indices": ([0, 1], [None, None], ["P1", "P2"], ["A1", "B2"]),
    "no index, other S": ([3, 4], [None, None], ["P1", "P2"], ["A1", "B2"]),
    "equal indices": ([0, 1], [0, 0], ["P1", "P2"], ["A1", "B2"]),
    "no S": ([], [3], ["P1"], ["A1"]),
    "no S, several scenes": ([], [0, 1], ["Image:0"], [None]),
    "ambiguous": ([5], [0, 1], ["Image:5"], [None]),
    "equal indices of one": ([0], [0, 0], ["Image:0"], [None]),
    "fewer than S": ([0, 1], [0], ["P1", "Image:1"], ["A1", None]),
}


@pytest.mark.parametrize("kind", NAMES)
def test_names_and_wells(tmp_path: Path, kind: str) -> None:
    numbers, indices, names, wells = NAMES[kind]
    doubtful = bool(numbers) and None in wells and len(indices) > len(numbers)
    with CziImage(split(tmp_path, numbers, indices)) as image:
        with (
            pytest.warns(MetadataWarning, match="neither index nor order")
            if doubtful
            else nullcontext()
        ):
            assert list(image.scenes) == names
        found = []
        for name in image.scenes:
            image.set_scene(name)
            found.append(image.well and image.well.name)
    assert found == wells


def test_all_views_of_a_split_document_agree(tmp_path: Path) -> None:
    path = split(tmp_path, [5, 8], [0, 1])
    with CziImage(path, "P2") as image, czi.open_czi(path) as document:
        assert image.scene_info == document.scenes[1]
        assert [scene.index for scene in document.scenes] == [5, 8]
        assert image.well is not None
        assert (image.well.row, image.well.column, image.field) == (2, 2, 0)
        assert image.origin == (97.5, 48.5)  # the centre of 6 x 4 pixels lies at 100, 50
        assert image.scene_number == 8


def test_a_document_without_s_has_the_position_of_its_scene(tmp_path: Path) -> None:
    with CziImage(split(tmp_path, [], [2])) as image:
        assert image.origin == (-2.5, 48.5)
        assert image.field == 0
        image.set_scene("all")
        assert image.well is not None


def test_ome_xarray_and_bioio_agree(tmp_path: Path) -> None:
    needs("ome_types", "ome")
    needs("xarray", "xarray")
    reader = needs("czictypes.plugins.bioio", "bioio").Reader
    path = split(tmp_path, [5, 8], [0, 1])
    with CziImage(path, "P2") as image:
        ome = image.ome_metadata
        assert [one.name for one in ome.images] == ["P1", "P2"]
        assert [(well.row, well.column) for well in ome.plates[0].wells] == [(0, 0), (1, 1)]
        assert image.to_xarray().attrs["well"] == "B2"
    opened = reader(path)
    assert opened.scenes == ("P1-A1", "P2-B2")  # as bioio-czi calls them
    opened.set_scene("P2-B2")
    assert (opened.standard_metadata.row, opened.standard_metadata.stage_position_x) == ("2", 100.0)


def test_info_lists_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json", str(split(tmp_path, [5, 8], [0, 1]))]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert [(one["index"], one["name"]) for one in found["scenes"]] == [(5, "P1"), (8, "P2")]


@pytest.mark.parametrize("wanted", ["all", ["P2"]])
def test_ome_zarr_and_back(tmp_path: Path, wanted: str | list[str]) -> None:
    needs("zarr.abc.store", "ome-zarr")
    write_ome_zarr(split(tmp_path, [5, 8], [0, 1]), tmp_path / "plate.zarr", scenes=wanted)
    assert (tmp_path / "plate.zarr" / "B" / "2" / "0").is_dir()
    from_ome_zarr(tmp_path / "plate.zarr", tmp_path / "back.czi")
    with CziImage(tmp_path / "back.czi") as image:
        image.set_scene("P2")
        assert (image.scene_number, image.well and image.well.name) == (8, "B2")
        assert image.origin == (97.5, 48.5)


@pytest.mark.parametrize("renumber", [False, True])
def test_a_copy_of_one_scene_keeps_its_name(tmp_path: Path, *, renumber: bool) -> None:
    source = split(tmp_path, [5, 8], [0, 1])
    czi.copy(source, tmp_path / "copy.czi", scenes=8, renumber=renumber)
    with CziImage(tmp_path / "copy.czi") as image:
        assert image.scenes == ("P2",)
        assert (image.scene_number, image.well and image.well.name) == (0 if renumber else 8, "B2")


def test_damaged_indices_warn_once(tmp_path: Path) -> None:
    with CziImage(split(tmp_path, [5], [0, 1])) as image, warnings.catch_warnings(record=True) as w:
        warnings.simplefilter("always")
        assert (image.scenes, image.well, image.field) == (("Image:5",), None, None)
        assert (image.scenes, image.origin) == (("Image:5",), None)
    assert [str(one.message) for one in w] == [
        "metadata: ImageDocument/Metadata/Information/Image/Dimensions/S/Scenes lists the scenes "
        "0, 1, but the sub-blocks have the scenes 5; neither index nor order fits, so there is "
        "no name, well or position for 5"
    ]
