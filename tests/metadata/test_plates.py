"""The plate that scenes lie in: written, and read as ZEN's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from czictypes.metadata.builder import build_document
from czictypes.metadata.content import DocumentContent, ImageSummary
from czictypes.metadata.read_content import read_content
from czictypes.metadata.scenes import Plate, plate

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
