"""Time stamps, focus positions and events in attachments."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from czictypes.metadata.records import (
    Event,
    build_event_list,
    build_time_stamps,
    read_event_list,
    read_focus_positions,
    read_time_stamps,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CellDivision_T3_Z5_CH2_X240_Y170", [360.4196148, 420.3980454, 480.4104779]),
        # In these two files the size before the records counts four bytes less.
        ("S3_1Pos_2Mosaic_T2_Z3_CH2_sm", [0.5439875, 33.9559896]),
        ("WellD6_S1", [2.0813497]),
    ],
)
def test_time_stamps_of_real_files(real, name, expected):
    stamps = read_time_stamps(real(name).attachments["TimeStamps"])
    assert stamps.dtype == np.float64
    np.testing.assert_allclose(stamps, expected, atol=5e-8)


def test_events_of_real_files(real):
    (event,) = read_event_list(real("WellD6_S1").attachments["EventList"])
    assert (event.type, event.description) == (0, "IncubationRecording")
    assert event.time == pytest.approx(0.1196954)
    assert read_event_list(real("nuc_small").attachments["EventList"]) == []


def test_focus_positions_have_the_same_form():
    assert list(read_focus_positions(build_time_stamps([1.5, -2.0]))) == [1.5, -2.0]


def test_the_attachment_of_a_real_file_is_built_byte_for_byte(real):
    stored = real("WellD6_S1").attachments["EventList"]
    assert build_event_list(read_event_list(stored)) == stored
    stored = real("mosaic_test").attachments["TimeStamps"]
    assert build_time_stamps(read_time_stamps(stored)) == stored


@given(st.lists(st.floats(allow_nan=False)))
def test_time_stamps_come_back_as_written(seconds):
    assert list(read_time_stamps(build_time_stamps(seconds))) == seconds


@given(
    st.lists(
        st.builds(
            Event,
            st.floats(allow_nan=False),
            st.integers(-(2**31), 2**31 - 1),
            st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
        ),
        max_size=5,
    )
)
def test_events_come_back_as_written(events):
    assert read_event_list(build_event_list(events)) == events


@pytest.mark.parametrize("count", [3, -1, 2**31 - 1])
def test_a_wrong_count_gives_what_is_there(count, warns):
    with warns("time stamps are announced"):
        stamps = read_time_stamps(struct.pack("<iidd", 24, count, 1.0, 2.0))
    assert list(stamps) == ([1.0, 2.0] if count > 0 else [])


def test_an_attachment_that_is_cut_off(warns):
    assert list(read_time_stamps(b"")) == []
    with warns("cut off"):
        assert list(read_time_stamps(b"\1\0\0")) == []


@pytest.mark.parametrize("size", [2, -8, 0])
def test_the_list_of_events_ends_where_it_is_damaged(size, warns):
    whole = build_event_list([Event(1.0, 0, "first"), Event(2.0, 0, "second")])
    second = whole.index(b"second") - 20
    with warns("event 1"):
        found = read_event_list(whole[:second] + struct.pack("<i", size) + whole[second + 4 :])
    assert [event.description for event in found] == ["first"]


@given(st.binary(max_size=200))
@pytest.mark.filterwarnings("ignore::czictypes.model.errors.MetadataWarning")
def test_no_bytes_make_the_records_fail(data):
    read_time_stamps(data)
    read_event_list(data)


def test_time_stamps_are_one_dimensional():
    with pytest.raises(ValueError, match="one number for each T"):
        build_time_stamps([[1.0]])


def test_an_event_type_beyond_32_bits_is_an_error():
    with pytest.raises(ValueError, match="32 bits"):
        build_event_list([Event(0.0, 2**31, "")])
