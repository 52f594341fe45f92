"""What sub-blocks tell of themselves."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from czictypes.metadata.subblock import (
    SubBlockMetadata,
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
    return f"<METADATA><AttachmentSchema>{text}</AttachmentSchema></METADATA>"


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        (schema("<DataFormat>CHUNKCONTAINER</DataFormat>").encode(), True),
        (schema("<DataFormat> CHUNKCONTAINER </DataFormat>"), True),
        (b"<METADATA><Tags><T>CHUNKCONTAINER</T></Tags></METADATA>", False),
        (schema(""), False),
        (b"CHUNKCONTAINER", False),
        (b"", False),
    ],
)
def test_chunk_containers(xml, expected):
    assert has_chunk_container(xml) is expected
