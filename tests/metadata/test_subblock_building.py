"""The XML of a new sub-block."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from czictypes.metadata.subblock import (
    build_subblock_metadata,
    has_chunk_container,
    read_subblock_metadata,
)


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
