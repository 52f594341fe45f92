"""The metadata of a sub-block: read and built."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from czictypes.metadata.subblock_tags import (
    SubBlockMetadata,
    build_subblock_metadata,
    has_chunk_container,
    read_subblock_metadata,
)
from czictypes.model.errors import CorruptFileError


def test_a_sub_block_of_a_real_file(real):
    found = read_subblock_metadata(real("mosaic_test").subblocks[1])
    assert (found.stage_x, found.stage_y, found.focus_z) == (59890.011, 34482.815, 7858.658)
    assert found.roi_center_offset == (2.167, 0.0)
    assert found.acquisition_time == datetime(2019, 12, 7, 0, 36, 6, 122309, timezone.utc)
    assert found.exposure_time == pytest.approx(0.075031578947)
    assert found.camera == "Camera 2 (Left)"
    assert found.tags["StageXPosition"] == "+000000059890.0110"
    assert found.attachment_format is None


def test_every_sub_block_of_the_real_files_can_be_read(any_real):
    found = [read_subblock_metadata(xml) for xml in any_real.subblocks]
    assert len(found) > 0
    known = [tile for tile in found if tile.stage_y is not None]
    assert all(tile.acquisition_time is not None for tile in known)


def test_a_sub_block_may_know_only_one_stage_axis(real):
    tiles = real("S3_1Pos_2Mosaic_T2_Z3_CH2_sm").subblocks
    found = [read_subblock_metadata(tile) for tile in tiles]
    assert sum(tile.stage_x is not None for tile in found) == 264
    assert sum(tile.stage_y is not None for tile in found) == 288
    assert sum(tile.stage_x is None and tile.stage_y is not None for tile in found) == 48


@pytest.mark.parametrize("empty", [b"", None, "<METADATA />", "<METADATA><Tags/></METADATA>"])
def test_a_sub_block_may_say_nothing(empty):
    assert read_subblock_metadata(empty) == SubBlockMetadata()


def test_any_tag_is_text():
    xml = "<METADATA><Tags><A> 1 </A><B/><C><D>nested</D></C><!-- no tag --></Tags></METADATA>"
    assert read_subblock_metadata(xml).tags == {"A": "1", "B": ""}


def test_a_malformed_camera_state_is_missing(warns):
    xml = "<METADATA><Tags><DetectorState>&lt;Camera</DetectorState></Tags></METADATA>"
    with warns("DetectorState"):
        assert read_subblock_metadata(xml).exposure_time is None


def test_what_is_no_xml_is_an_error():
    with pytest.raises(CorruptFileError, match="not well-formed"):
        read_subblock_metadata(b"\x00\x01<METADATA>"[2:])


def schema(text):
    return f"<METADATA><AttachmentSchema>{text}</AttachmentSchema></METADATA>".encode()


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        (schema("<DataFormat>CHUNKCONTAINER</DataFormat>"), True),
        (schema("<DataFormat> CHUNKCONTAINER </DataFormat>"), True),
        (b"<METADATA><Tags><T>CHUNKCONTAINER</T></Tags></METADATA>", False),
        (schema(""), False),
        (b"CHUNKCONTAINER", False),
        (b"", False),
    ],
)
def test_chunk_containers(xml, expected):
    assert has_chunk_container(xml) is expected
    assert has_chunk_container(xml.decode().encode("utf-16")) is expected


def test_nothing_to_say_is_no_xml():
    assert build_subblock_metadata() == b""


def test_a_tag_alone_is_what_the_peer_writes(real):
    stored = real("100x100").subblocks[0]
    tags = read_subblock_metadata(stored).tags
    assert list(tags) == ["RetilingId"]
    assert build_subblock_metadata(tags) == stored


def test_positions_are_written_as_zen_writes_them():
    xml = build_subblock_metadata(stage_x=16977.153, stage_y=0.0, focus_z=-1.0)
    assert b"<StageXPosition>+000000016977.1530</StageXPosition>" in xml
    assert b"<StageYPosition>+000000000000.0000</StageYPosition>" in xml
    assert b"<FocusPosition>-000000000001.0000</FocusPosition>" in xml


@given(*[st.floats(allow_nan=False, allow_infinity=False)] * 3)
def test_any_position_is_read_as_written(x, y, z):
    found = read_subblock_metadata(build_subblock_metadata(stage_x=x, stage_y=y, focus_z=z))
    assert (found.stage_x, found.stage_y, found.focus_z) == (x, y, z)


def test_time_and_tags():
    moment = datetime(2023, 1, 6, 10, 41, 53, 803108, timezone.utc)
    xml = build_subblock_metadata(
        {"Note": "a < b", "Count": 3, "Good": True}, acquisition_time=moment
    )
    found = read_subblock_metadata(xml)
    assert found.acquisition_time == moment
    assert (found.tags["Note"], found.tags["Count"], found.tags["Good"]) == ("a < b", "3", "true")


def test_a_mask_is_announced():
    assert has_chunk_container(build_subblock_metadata(has_mask=True))
    assert not has_chunk_container(build_subblock_metadata({"A": 1}))


@pytest.mark.parametrize("name", ["", "1", "a b", "xmlTag", "a/b"])
def test_a_tag_must_be_an_element_name(name):
    with pytest.raises(ValueError, match="name of a tag"):
        build_subblock_metadata({name: 1})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_position_must_be_finite(value):
    with pytest.raises(ValueError, match="finite"):
        build_subblock_metadata(stage_x=value)
