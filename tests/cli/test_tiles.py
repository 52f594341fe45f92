"""``czictypes tiles`` and ``events``."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from files.recipes import Made

from czictypes import CziImage

Run = Callable[..., Any]


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_has_all_tiles_and_columns(run: Run, made: Callable[[str], Made]) -> None:
    path = made("multi_scene_pyramid").path
    result = run("tiles", path, "--csv")
    assert (result.code, result.err) == (0, "")
    rows = rows_of(result.out)
    with CziImage(path) as image:
        tiles = image.tiles(pandas=False)
    assert list(rows[0]) == list(tiles)
    for name in ("scene", "C", "x", "level", "compression", "index"):
        assert [row[name] for row in rows] == [str(value) for value in tiles[name].tolist()]


def test_csv_has_times_in_utc_and_nothing_where_nothing_is_known(
    run: Run, made: Callable[[str], Made]
) -> None:
    rows = rows_of(run("tiles", made("described").path, "--csv").out)
    assert [row["channel"] for row in rows] == ["DAPI", "Gr\u00fcn"]
    assert rows[0]["acquisition_time"] == "2024-05-06T07:08:09.123456Z"
    assert (rows[0]["stage_x_um"], rows[0]["stage_y_um"]) == ("1250.5", "-10.25")
    assert (rows[0]["w_um"], rows[0]["h_um"]) == ("3", "3.2")
    assert (rows[0]["B"], rows[0]["well"], rows[0]["exposure_s"]) == ("", "", "")


def test_scene_and_level_choose_tiles(run: Run, made: Callable[[str], Made]) -> None:
    path = made("multi_scene_pyramid").path
    rows = rows_of(run("tiles", path, "--csv", "--scene", 2, "--level", 0).out)
    assert {(row["scene_number"], row["level"]) for row in rows} == {("2", "0")}
    by_name = rows_of(run("tiles", path, "--csv", "--scene", rows[0]["scene"], "--level", 0).out)
    assert by_name == rows


def test_scenes_are_chosen_by_their_numbers(run: Run, made: Callable[[str], Made]) -> None:
    path = made("gapped_scenes").path
    numbers = {row["scene_number"] for row in rows_of(run("tiles", path, "--csv").out)}
    assert numbers == {"", "1", "4"}
    for number in sorted(numbers - {""}):
        rows = rows_of(run("tiles", path, "--csv", "--scene", number).out)
        assert {row["scene_number"] for row in rows} == {number}


@pytest.mark.parametrize("option", [("--scene", 77), ("--scene", "none"), ("--level", 9)])
def test_what_does_not_exist_is_refused(
    run: Run, made: Callable[[str], Made], option: tuple[str, object]
) -> None:
    result = run("tiles", made("multi_scene_pyramid").path, *option)
    assert (result.code, result.out) == (2, "")
    assert str(option[1]) in result.err


def test_without_csv_the_first_tiles_are_shown(run: Run, made: Callable[[str], Made]) -> None:
    lines = run("tiles", made("multi_scene_pyramid").path).out.splitlines()
    assert len(lines) == 22
    assert lines[0].split()[:2] == ["scene", "scene_number"]
    assert "well" not in lines[0]  # as no tile has one
    assert lines[-1] == "and 42 more; --csv lists all"


def test_events_are_listed(run: Run, made: Callable[[str], Made]) -> None:
    path = made("attached").path
    assert run("events", path, "--csv").out == (
        "time_s,type,name,description\n0.75,1,time change,go\n2,0,marker,\n"
    )
    assert run("events", path).out.splitlines()[1].split() == ["0.75", "1", "time", "change", "go"]
    assert run("events", made("stack").path).out == "none\n"
