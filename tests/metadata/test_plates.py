"""The plate that scenes lie in: written, and read as ZEN's."""

from __future__ import annotations

import warnings
from dataclasses import replace

import pytest

from czictypes.metadata.builder import build_document
from czictypes.metadata.document_content import DocumentContent, ImageSummary, read_content
from czictypes.metadata.document_info import custom_attributes
from czictypes.metadata.scenes import Acquisition, Plate, SceneInfo, plate, scenes
from czictypes.model.errors import MetadataWarning

PLATES = [
    Plate("Multiwell 96", 8, 12, (9000.0, 9000.0), (6400.0, 6300.5)),
    Plate(None, 1, 1),
]


@pytest.mark.parametrize("wanted", PLATES)
def test_a_plate_is_read_as_it_was_written(wanted: Plate) -> None:
    xml = build_document(ImageSummary(5, 5), DocumentContent(plate=wanted))
    assert plate(xml) == wanted
    assert read_content(xml).plate == wanted


def test_no_plate_is_none() -> None:
    assert plate(build_document(ImageSummary(5, 5), DocumentContent())) is None


@pytest.mark.parametrize("size", [{"rows": 0}, {"columns": -1}])
def test_a_plate_has_rows_and_columns(size: dict[str, int]) -> None:
    content = DocumentContent(plate=replace(PLATES[1], **size))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rows and columns"):
        build_document(ImageSummary(5, 5), content)


# Acquisitions

ROUNDS = (
    Acquisition(3, "first & <second>", "before the drug", 1343731272000, 1343737645000),
    Acquisition(0),
    Acquisition(1, "käse 2", start=5),
)
SCENES = [SceneInfo(0, acquisition=1), SceneInfo(2, acquisition=3), SceneInfo(5)]


def with_rounds() -> bytes:
    content = DocumentContent(plate=replace(PLATES[1], acquisitions=ROUNDS), scenes=SCENES)
    return build_document(ImageSummary(5, 5), content)


def test_acquisitions_are_read_as_they_were_written() -> None:
    xml = with_rounds()
    again = build_document(ImageSummary(5, 5), read_content(xml))
    for found in (xml, again):
        made = plate(found)
        assert made is not None
        assert made.acquisitions == ROUNDS
        assert scenes(found) == SCENES


def test_acquisitions_stand_in_custom_attributes_as_documented() -> None:
    found = custom_attributes(with_rounds())
    assert found is not None
    assert str(found["PlateAcquisitions"]).startswith('[{"id": 3, "name": "first & <second>"')
    assert '{"id": 0, "scenes": []}' in str(found["PlateAcquisitions"])


def test_acquisitions_that_are_gone_do_not_come_back() -> None:
    content = replace(read_content(with_rounds()), plate=PLATES[1], scenes=())
    made = plate(build_document(ImageSummary(5, 5), content))
    assert made == PLATES[1]


@pytest.mark.parametrize(
    ("rounds", "of_scene", "what"),
    [
        ((Acquisition(1), Acquisition(1)), 1, "an id of its own"),
        ((Acquisition(1),), 2, "scene 0 names acquisition 2"),
    ],
)
def test_acquisitions_that_contradict_each_other_are_refused(
    rounds: tuple[Acquisition, ...], of_scene: int, what: str
) -> None:
    content = DocumentContent(
        plate=replace(PLATES[1], acquisitions=rounds), scenes=[SceneInfo(0, acquisition=of_scene)]
    )
    with pytest.raises(ValueError, match=what):
        build_document(ImageSummary(5, 5), content)


@pytest.mark.parametrize(
    "stored",
    ["", "{", "7", '"text"', "[7, null]", '[{"id": true}]', '[{"scenes": [0]}]', "[" * 9999],
)
def test_what_is_no_list_of_acquisitions_takes_nothing_down(stored: str) -> None:
    content = DocumentContent(
        scenes=[SceneInfo(0, "P1")], custom_attributes={"PlateAcquisitions": stored}
    )
    xml = build_document(ImageSummary(5, 5), content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MetadataWarning)
        assert scenes(xml) == content.scenes
