"""The table of all tiles, and that of the events."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.block import Block
from files.builder import AttachmentSpec, write_czi
from files.documents import time_stamps
from files.patterns import noise
from files.recipes import Made
from files.wild import WILD_FILES
from files.xml import document_xml, subblock_xml

from czictypes import CziImage, czi
from czictypes.model.errors import MetadataWarning, MissingExtraError
from czictypes.model.geometry import ABSENT, NO_M
from czictypes.model.pixel_types import PixelType
from czictypes.reading.reader import CziReader

START = datetime(2024, 5, 6, 7, 8, 9, tzinfo=timezone.utc)
COLUMNS = (
    "scene scene_number well well_row well_column field V H I R B T C channel Z M x y w h x_um "
    "y_um w_um h_um z_um stage_x_um stage_y_um focus_z_um acquisition_time time_s exposure_s level "
    "stored_w stored_h pixel_type compression index"
)


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """Write two fields of a well and one of another, two channels, and a pyramid."""
    path = tmp_path / "plate.czi"
    wells = [("P1", "B3"), ("P2", "B3"), ("P3", "C4")]
    content = czi.DocumentContent(
        channels=[
            czi.ChannelInfo(0, name="DAPI", exposure_time=0.25),
            czi.ChannelInfo(1, name="GFP"),
        ],
        scaling=czi.Scaling(5e-7, 2.5e-7, 1e-6),
        scenes=[
            czi.SceneInfo(index, name=name, well=czi.Well(well))
            for index, (name, well) in enumerate(wells)
        ],
    )
    with czi.create_czi(path, pyramid=czi.PyramidOptions(until=16)) as document:
        for scene in range(3):
            for channel in range(2):
                document.write(
                    np.full((20, 40), 7, np.uint16),
                    location=(100 * scene, 8),
                    plane={"C": channel, "Z": 2},
                    scene=scene,
                    compression="zstd1:",
                    info=czi.TileInfo(
                        stage_x=1000.0 + scene,
                        focus_z=3.5,
                        acquisition_time=START + timedelta(seconds=10 * scene + channel),
                    ),
                )
        document.write_metadata("plate", content=content)
    return path


def columns(path: Path, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """Return the columns of the table of tiles as lists."""
    with CziImage(path) as image:
        found = image.tiles(*args, **kwargs, pandas=False)
        return {name: column.tolist() for name, column in found.items()}


def is_missing(value: Any) -> bool:
    return value is None or value != value


def test_a_tile_has_the_name_well_and_field_of_its_scene(plate: Path) -> None:
    tiles = columns(plate, level=0)
    assert tiles["scene"] == ["P1", "P2", "P3"] * 2
    assert tiles["scene_number"] == [0, 1, 2] * 2
    assert tiles["well"] == ["B3", "B3", "C4"] * 2
    assert tiles["well_row"] == [2, 2, 3] * 2
    assert tiles["well_column"] == [3, 3, 4] * 2
    assert tiles["field"] == [0, 1, 0] * 2


def test_a_tile_has_its_place_in_pixels_and_in_micrometres(plate: Path) -> None:
    tiles = columns(plate, level=0)
    assert (tiles["C"], tiles["Z"]) == ([0] * 3 + [1] * 3, [2] * 6)
    assert tiles["channel"] == ["DAPI"] * 3 + ["GFP"] * 3
    assert tiles["x"] == [0, 100, 200] * 2
    assert tiles["x_um"] == pytest.approx([0, 50, 100] * 2)
    assert tiles["y_um"] == pytest.approx([2.0] * 6)
    assert (tiles["w_um"][0], tiles["h_um"][0]) == pytest.approx((20.0, 5.0))
    assert tiles["z_um"] == pytest.approx([2.0] * 6)


def test_a_tile_has_what_its_own_metadata_tell(plate: Path) -> None:
    tiles = columns(plate, level=0)
    assert tiles["stage_x_um"] == [1000.0, 1001.0, 1002.0] * 2
    assert all(map(is_missing, tiles["stage_y_um"]))
    assert tiles["focus_z_um"] == [3.5] * 6
    assert tiles["acquisition_time"][4] == datetime(2024, 5, 6, 7, 8, 20)
    assert tiles["time_s"] == [0.0, 10.0, 20.0, 1.0, 11.0, 21.0]


def test_an_exposure_that_a_tile_lacks_is_that_of_its_channel(plate: Path) -> None:
    exposures = columns(plate, level=0)["exposure_s"]
    assert exposures[:3] == [0.25] * 3
    assert all(map(is_missing, exposures[3:]))


def test_pyramid_tiles_are_in_the_table_with_their_level_and_without_times(plate: Path) -> None:
    tiles = columns(plate)
    levels = tiles["level"]
    assert set(levels) > {0}
    for at, level in enumerate(levels):
        assert (tiles["stored_w"][at] < tiles["w"][at]) == (level > 0)
        assert is_missing(tiles["time_s"][at]) == (level > 0)
    assert set(tiles["compression"]) == {"Zstd1"}
    assert set(tiles["pixel_type"]) == {"Gray16"}


@pytest.mark.parametrize("scene", ["P2", 1, -2])
def test_a_scene_can_be_chosen(plate: Path, scene: int | str) -> None:
    assert set(columns(plate, scene)["scene"]) == {"P2"}


def test_an_unknown_scene_or_level_is_refused(plate: Path) -> None:
    with pytest.raises(IndexError, match="'P1', 'P2', 'P3'"):
        columns(plate, "P9")
    with pytest.raises(IndexError, match="no tiles of level 9; its levels are 0, 1"):
        columns(plate, level=9)


def test_the_index_finds_the_sub_block(plate: Path) -> None:
    tiles = columns(plate, "P3", level=0)
    with CziReader(plate) as read:
        for at, index in enumerate(tiles["index"]):
            assert read.read_subblock(index).stage_position[0] == tiles["stage_x_um"][at]


def test_every_file_has_the_same_columns_and_no_sentinels(every_made: Made) -> None:
    with CziReader(every_made.path) as reader:
        tiles = CziImage(reader).tiles(pandas=False)
        assert list(tiles) == COLUMNS.split()
        assert {len(column) for column in tiles.values()} == {len(reader.subblocks)}
        for name, column in tiles.items():
            assert not {ABSENT, NO_M, "Invalid"}.intersection(column.tolist()), name
            assert column.dtype.kind in "ifOM"


def test_a_dimension_that_some_tiles_lack_is_missing_there(made: Callable[[str], Made]) -> None:
    file = made("some_without_m")
    tiles = columns(file.path)
    found = {(x, y): m for x, y, m in zip(tiles["x"], tiles["y"], tiles["M"])}
    for block in file.blocks:
        m = found[block.x, block.y]
        assert (None if is_missing(m) else m) == block.m


def test_only_the_first_plane_of_a_sub_block_has_its_time(tmp_path: Path) -> None:
    tags = {"AcquisitionTime": "2024-05-06T07:08:09Z", "StageXPosition": "5", "FocusPosition": "2"}
    lines = noise(PixelType.Gray8, 3 * 4, 8, 1)
    block = Block(lines, plane={"T": 0}, logical=(8, 4), stored=(8, 4), sizes={"T": 3})
    path = write_czi(tmp_path / "lines.czi", [replace(block, metadata=subblock_xml(tags))])
    tiles = columns(path)
    assert (tiles["T"], tiles["index"]) == ([0, 1, 2], [0, 0, 0])
    assert tiles["acquisition_time"] == [datetime(2024, 5, 6, 7, 8, 9), None, None]
    assert tiles["stage_x_um"] == [5.0] * 3
    assert [is_missing(focus) for focus in tiles["focus_z_um"]] == [False, True, True]


def test_tiles_without_times_have_those_of_the_time_stamps(tmp_path: Path) -> None:
    path = write_czi(
        tmp_path / "times.czi",
        [Block(noise(PixelType.Gray8, 4, 4, t), plane={"T": t}) for t in range(3)],
        attachments=[AttachmentSpec("TimeStamps", "CZTIMS", time_stamps([100.5, 101.5, 107.0]))],
    )
    tiles = columns(path)
    assert tiles["time_s"] == [0.0, 1.0, 6.5]
    assert tiles["acquisition_time"] == [None] * 3


def test_tiles_far_from_the_others_are_listed_too(tmp_path: Path) -> None:
    path = tmp_path / "far.czi"
    path.write_bytes(WILD_FILES["CTZ_2000_apart"]())
    tiles = columns(path)
    assert [tiles[name] for name in "CTZ"] == [[0, 2000]] * 3


def test_a_file_without_scaling_has_no_micrometres(tmp_path: Path) -> None:
    tags = {"FocusPosition": "x"}
    path = write_czi(
        tmp_path / "plain.czi",
        [Block(noise(PixelType.Gray8, 8, 8, 1), x=5, metadata=subblock_xml(tags))],
        metadata=document_xml(),
    )
    with pytest.warns(MetadataWarning, match="focus_z of sub-block 0 cannot be understood"):
        tiles = columns(path)
    assert tiles["x"] == [5]
    for name in ("x_um", "w_um", "z_um", "focus_z_um", "time_s", "exposure_s", "well", "field"):
        assert is_missing(tiles[name][0]), name
    assert tiles["scene"] == ["Image:0"]


def test_pandas_makes_a_data_frame_of_the_columns(plate: Path) -> None:
    pandas = needs("pandas", "pandas")
    with CziImage(plate) as image:
        for frame in (image.tiles(), image.tiles(pandas=True)):
            assert isinstance(frame, pandas.DataFrame)
            assert list(frame.columns) == COLUMNS.split()
            assert frame[frame.level == 0].groupby("well")["w"].sum().to_dict() == {
                "B3": 160,
                "C4": 80,
            }
            assert frame["well_row"].dtype.kind == "i"


def test_without_pandas_there_are_columns(plate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with CziImage(plate) as image:
        tiles = image.tiles("P1", level=0)
        assert isinstance(tiles, dict)
        assert tiles["x"].tolist() == [0, 0]
        with pytest.raises(MissingExtraError, match=r"czictypes\[pandas\]"):
            image.tiles(pandas=True)


def test_events_are_a_table_too(made: Callable[[str], Made]) -> None:
    with CziImage(made("attached").path) as image:
        events = {name: column.tolist() for name, column in image.events(pandas=False).items()}
    assert events == {
        "time_s": [0.75, 2.0],
        "type": [1, 0],
        "name": ["time change", "marker"],
        "description": ["go", None],
    }


def test_without_an_event_list_the_table_is_empty(made: Callable[[str], Made]) -> None:
    with CziImage(made("stack").path) as image:
        events = image.events(pandas=False)
    assert [len(column) for column in events.values()] == [0, 0, 0, 0]


def test_the_table_agrees_with_what_each_tile_of_a_real_file_tells(every_real_file: Path) -> None:
    with CziImage(every_real_file) as image:
        tiles = image.tiles(pandas=False)
        for at, index in enumerate(tiles["index"].tolist()[:40]):
            block = image.reader.read_subblock(index)
            told = [tiles[name][at] for name in ("stage_x_um", "stage_y_um", "focus_z_um")]
            assert tuple(None if is_missing(one) else one for one in told) == block.stage_position
            assert tuple(tiles[name][at] for name in "xywh") == block.info.logicalRect
