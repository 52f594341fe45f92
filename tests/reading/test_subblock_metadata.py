"""Metadata of chosen sub-blocks, many at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files.block import Block
from files.builder import write_czi
from files.recipe import Made
from files.xml import subblock_xml
from hypothesis import given
from hypothesis import strategies as st

from czictypes import czi
from czictypes.model.errors import OutOfBoundsError


def test_stage_positions_and_times_of_all_tiles(made: Callable[[str], Made]) -> None:
    with czi.open_czi(made("described").path) as document:
        found = document.subblock_metadata()
    assert found["index"].tolist() == [0, 1]
    assert found["stage_x"].tolist() == [1250.5, 1250.5]
    assert found["stage_y"].tolist() == [-10.25, -10.25]
    assert found["focus_z"].tolist() == [100.75, 100.75]
    assert found["acquisition_time"].astype(str).tolist() == ["2024-05-06T07:08:09.123456"] * 2


def test_of_one_plane_and_region(real_file: Callable[[str], Path]) -> None:
    path = real_file("S3_1Pos_2Mosaic_T2_Z3_CH2_sm.czi")
    with czi.open_czi(path) as document:
        plane = {"C": 1, "T": 1, "Z": 0, "S": 2}
        found = document.subblock_metadata(["stage_x"], plane=plane)
        whole = document.subblock_metadata(["stage_x"], plane="C1T1Z0S2")
        left = document.subblock_metadata(["stage_x"], plane=plane, roi=(400, 400, 100, 100))
        rows = document.subblocks[found["index"]]
    assert len(found["index"]) == 17
    np.testing.assert_equal(found, whole)
    assert 0 < len(left["index"]) < 17
    assert set(rows["scene"]) == {2}
    origin = (found["stage_x"] - 1.6 * rows["x"])[~np.isnan(found["stage_x"])]
    assert len(origin) == 12  # a tile does not repeat the position along which the stage rested
    assert np.ptp(origin) < 1


def test_equal_to_what_each_sub_block_says(every_real_file: Path) -> None:
    with czi.open_czi(every_real_file) as document:
        found = document.subblock_metadata(["RetilingId", "xml"], only_layer0=False)
        for index, identifier, xml in zip(*found.values()):
            sub_block = document.read_subblock(int(index))
            assert xml == sub_block.raw_metadata
            assert identifier == sub_block.tags.get("RetilingId")


def test_chosen_by_index_in_any_order(made: Callable[[str], Made]) -> None:
    with czi.open_czi(made("stack").path) as document:
        found = document.subblock_metadata(["xml"], indices=[5, 0, 5])
        with pytest.raises(
            OutOfBoundsError, match=r"no sub-block 22 in .*stack\.czi, which has 22"
        ):
            document.subblock_metadata(indices=[22])
        with pytest.raises(ValueError, match="not both"):
            document.subblock_metadata(indices=[0], plane="C0")
    assert found["index"].tolist() == [5, 0, 5]


@given(sizes=st.lists(st.integers(0, 6000), min_size=1, max_size=6))
def test_xml_of_any_length_comes_whole(
    sizes: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    texts = [subblock_xml({"Filler": "x" * size}) for size in sizes]
    blocks = [
        Block(np.full((3, 4), number, "u1"), 4 * number, 0, {"C": 0}, m=number, metadata=text)
        for number, text in enumerate(texts)
    ]
    path = write_czi(tmp_path_factory.mktemp("lengths") / "x.czi", blocks)
    with czi.open_czi(path) as document:
        found = document.subblock_metadata(["xml"])
        order = document.subblocks["M"]
    assert found["xml"].tolist() == [texts[m].decode() for m in order]


def test_a_damaged_sub_block_takes_nothing_else_down(
    made: Callable[[str], Made], tmp_path: Path
) -> None:
    data = bytearray(made("described").path.read_bytes())
    at = data.index(b"ZISRAWSUBBLOCK\0")
    data[at + 32 : at + 36] = b"\xff\xff\xff\x7f"  # how long its XML is
    path = tmp_path / "damaged.czi"
    path.write_bytes(data)
    with czi.open_czi(path) as document:
        with pytest.warns(match="the metadata of sub-block 0 cannot be understood"):
            found = document.subblock_metadata()
    assert np.isnan(found["stage_x"]).tolist() == [True, False]


def test_what_a_function_makes_of_the_xml_is_kept(made: Callable[[str], Made]) -> None:
    with czi.open_czi(made("described").path) as document:
        assert document.read_metadata(count_channels) == 2
        assert document.read_metadata(count_channels) == 2
    assert calls == ["called"]


calls: list[str] = []


def count_channels(root: Any) -> int:
    calls.append("called")
    return len(root.findall("Metadata/Information/Image/Dimensions/Channels/Channel"))


def test_the_plate(real_file: Callable[[str], Path]) -> None:
    with czi.open_czi(real_file("WellD6_S1.czi")) as document:
        assert document.plate is not None
        assert (document.plate.rows, document.plate.columns) == (8, 12)
