"""Fields of many sub-blocks as columns, also of XML that no search in bytes can be trusted with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timezone
from typing import Any

import numpy as np
import pytest

from czictypes.metadata.subblock_tags import FIELDS, SubBlockColumns, read_subblock_metadata
from czictypes.model.errors import CorruptFileError


def columns_of(names: list[str], *xmls: str | bytes) -> dict[str, list[Any]]:
    columns = SubBlockColumns(names)
    for index, xml in enumerate(xmls):
        columns.add(index, xml.encode() if isinstance(xml, str) else xml)
    return {name: array.tolist() for name, array in columns.arrays().items()}


def tagged(**tags: str) -> str:
    inside = "".join(f"<{name}>{value}</{name}>" for name, value in tags.items())
    return f"<METADATA><Tags>{inside}</Tags></METADATA>"


def test_numbers_are_columns_of_floats() -> None:
    columns = SubBlockColumns(["stage_x", "focus_z"])
    columns.add(0, tagged(StageXPosition="+000000016977.1530", FocusPosition="-1.5").encode())
    columns.add(1, tagged(StageXPosition=" 3 ").encode())
    arrays = columns.arrays()
    assert arrays["stage_x"].dtype == np.float64
    np.testing.assert_array_equal(arrays["stage_x"], [16977.153, 3.0])
    np.testing.assert_array_equal(arrays["focus_z"], [-1.5, np.nan])


def test_times_are_in_utc() -> None:
    columns = SubBlockColumns(["acquisition_time"])
    for text in ("2024-05-06T07:08:09.1234567Z", "2024-05-06T09:08:09+02:00", ""):
        columns.add(0, tagged(AcquisitionTime=text).encode())
    found = columns.arrays()["acquisition_time"]
    assert found.dtype == np.dtype("datetime64[us]")
    assert found.astype(str).tolist() == [
        "2024-05-06T07:08:09.123456",
        "2024-05-06T07:08:09.000000",
        "NaT",
    ]


def test_the_exposure_time_is_found_in_the_state_of_the_camera() -> None:
    state = (
        "&lt;CameraState&gt;&lt;ExposureTime&gt;2000000&lt;/ExposureTime&gt;&lt;/CameraState&gt;"
    )
    assert columns_of(["exposure_time"], tagged(DetectorState=state)) == {"exposure_time": [0.002]}


def test_any_tag_can_be_asked_for_and_the_whole_xml() -> None:
    xml = tagged(RetilingId="a-b", Other="x &amp; y")
    assert columns_of(["RetilingId", "Other", "Missing", "xml"], xml) == {
        "RetilingId": ["a-b"],
        "Other": ["x & y"],
        "Missing": [None],
        "xml": [xml],
    }


def test_what_is_commented_out_is_not_found() -> None:
    xml = "<METADATA><Tags><!--<StageXPosition>1</StageXPosition>--></Tags></METADATA>"
    assert np.isnan(columns_of(["stage_x"], xml)["stage_x"]).all()


def test_text_in_cdata_is_found() -> None:
    xml = tagged(Note="<![CDATA[a < b]]>", StageXPosition="2")
    assert columns_of(["Note", "stage_x"], xml) == {"Note": ["a < b"], "stage_x": [2.0]}


def test_utf16_is_read() -> None:
    xml = tagged(Note="\u00b5m", StageXPosition="2").encode("utf-16")
    assert columns_of(["Note", "stage_x"], xml) == {"Note": ["\u00b5m"], "stage_x": [2.0]}


@pytest.mark.parametrize("text", ["far", "1_0", "inf", "1,5"])
def test_a_number_in_words_is_missing_with_one_warning(
    text: str, warns: Callable[[str], Any]
) -> None:
    columns = SubBlockColumns(["stage_x", "stage_y"])
    for index in range(3):
        columns.add(7 + index, tagged(StageXPosition=text, StageYPosition="4").encode())
    with warns(r"stage_x of sub-block 7 \(and of 2 others\)") as caught:
        arrays = columns.arrays()
    assert len(caught) == 1
    assert np.isnan(arrays["stage_x"]).all()
    assert arrays["stage_y"].tolist() == [4.0] * 3


@pytest.mark.parametrize("text", ["yesterday", "2024-13-01T00:00:00Z", "0001-01-01T00:00:00+02:00"])
def test_an_absurd_date_is_no_time(text: str) -> None:
    columns = SubBlockColumns(["acquisition_time"])
    columns.add(0, tagged(AcquisitionTime=text).encode())
    if text.startswith("0001"):  # which says that it is unknown
        assert np.isnat(columns.arrays()["acquisition_time"]).all()
    else:
        with pytest.warns(match="acquisition_time of sub-block 0 cannot be understood"):
            assert np.isnat(columns.arrays()["acquisition_time"]).all()


def test_damaged_sub_blocks_have_no_values(warns: Callable[[str], Any]) -> None:
    columns = SubBlockColumns(["stage_x", "RetilingId"])
    columns.miss(5, CorruptFileError("the end is missing"))
    columns.add(6, b"<METADATA><Tags><!-- not closed")
    with warns("the metadata of sub-block 5.*the end is missing"), warns("the XML of sub-block 6"):
        arrays = columns.arrays()
    assert np.isnan(arrays["stage_x"]).all()
    assert arrays["RetilingId"].tolist() == [None, None]


@pytest.mark.parametrize("name", ["", "a b", "1st", "<x>"])
def test_a_name_that_no_tag_can_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no field of a sub-block's metadata"):
        SubBlockColumns([name])


def test_real_files_give_what_parsing_gives(any_real: Any) -> None:
    columns = SubBlockColumns(list(FIELDS))
    for index, xml in enumerate(any_real.subblocks):
        columns.add(index, xml)
    arrays = columns.arrays()
    for index, xml in enumerate(any_real.subblocks):
        parsed = read_subblock_metadata(xml)
        for name in ("stage_x", "stage_y", "focus_z", "exposure_time"):
            wanted = getattr(parsed, name)
            np.testing.assert_equal(arrays[name][index], np.nan if wanted is None else wanted)
        time = parsed.acquisition_time
        found = arrays["acquisition_time"][index]
        if time is None:
            assert np.isnat(found)
        else:
            assert found.item().replace(tzinfo=timezone.utc) == time
