"""The values of options."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from czictypes.cli import arguments, main
from czictypes.model.geometry import PLANE_DIMENSIONS

WHOLE = st.integers(-(2**31), 2**31 - 1)


@given(x=WHOLE, y=WHOLE, w=st.integers(1, 2**31 - 1), h=st.integers(1, 2**31 - 1))
def test_a_roi_is_four_whole_numbers(x: int, y: int, w: int, h: int) -> None:
    assert arguments.roi(f"{x}, {y},{w} ,{h}") == (x, y, w, h)


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5", "1,2,3,x", "1.5,2,3,4", "0,0,0,5"])
def test_no_roi(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"X,Y,W,H|empty"):
        arguments.roi(text)


@given(st.dictionaries(st.sampled_from(PLANE_DIMENSIONS), WHOLE, min_size=1))
def test_a_plane_names_dimensions(plane: dict[str, int]) -> None:
    text = ",".join(f"{name}={value}" for name, value in plane.items())
    assert arguments.plane(text) == plane
    assert arguments.plane(text.lower()) == plane


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a plane"),
        ("C", "not a plane"),
        ("Z=x", "not a plane"),
        ("C=", "not a plane"),
        ("C=x,C=2", "twice"),
        ("C=1,C=2", "twice"),
        ("Q=1", "no dimension Q; use Z, C, T"),
        ("S=1", "use --scene"),
        ("M=1", "no dimension M"),
    ],
)
def test_no_plane(text: str, reason: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=reason):
        arguments.plane(text)


def test_a_channel_and_a_scene_may_be_named() -> None:
    assert arguments.plane("c=Alexa 488,Z=3") == {"C": "Alexa 488", "Z": 3}
    assert [arguments.scene(text) for text in ("2", "-1", "A1")] == [2, -1, "A1"]


@pytest.mark.parametrize("text", ["0", "-0.5", "1.01", "nan", "inf", "half"])
def test_no_zoom(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="above 0 and up to 1"):
        arguments.zoom(text)


def test_a_zoom() -> None:
    assert (arguments.zoom("1"), arguments.zoom("0.25")) == (1.0, 0.25)


def test_a_roi_left_of_the_origin_is_no_option() -> None:
    given = ["plane", "a", "b", "--roi", "-5,0,9,9", "--zoom", "1"]
    joined = ["plane", "a", "b", "--roi=-5,0,9,9", "--zoom", "1"]
    assert arguments.join_negative_values(given) == joined
    assert arguments.join_negative_values(["--roi", "--zoom"]) == ["--roi", "--zoom"]


def test_patterns_become_the_files_that_match(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b.czi", "a.czi", "c [1].czi", "notes.txt"):
        (tmp_path / name).touch()
    expand = arguments.expand_wildcards
    assert expand(["info", "*.czi"]) == ["info", "a.czi", "b.czi", "c [1].czi"]
    assert expand(["c [1]*"]) == ["c [1].czi"]
    assert expand(["?.czi", "--path=*"]) == ["a.czi", "b.czi", "--path=*"]
    kept = ["*.lif", "https://host/a.czi?key=1", "c [1].czi", "--path", "//Channel"]
    assert expand(kept) == kept


@pytest.mark.parametrize(("system", "count"), [("win32", 2), ("linux", 1)])
def test_shells_of_windows_leave_patterns_to_the_program(
    system: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.czi", "b.czi"):
        (tmp_path / name).touch()
    seen: list[list[str]] = []
    monkeypatch.setattr(main, "_run", lambda args: seen.append(args.files) or 0)
    monkeypatch.setattr("czictypes.cli.main.sys.platform", system)
    assert main.main(["info", str(tmp_path / "*.czi")]) == 0
    assert len(seen[0]) == count


def test_places_that_end_before_they_begin_are_none() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="'Z=5-2' ends before it begins"):
        arguments.places("Z=5-2")


@pytest.mark.parametrize("text", ["x", "1.5", "", "--1"])
def test_no_whole_number(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a whole number"):
        arguments.whole(text)


def test_a_whole_number() -> None:
    assert [arguments.whole(text) for text in ("0", "-3", "12")] == [0, -3, 12]
