"""``czictypes edit``."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from files.recipes import Made

from czictypes import CziImage, czi
from czictypes.cli import output

Run = Callable[..., Any]


@pytest.fixture
def path(made: Callable[[str], Made], tmp_path: Path) -> Path:
    """Copy a file of two channels, DAPI and Gr\u00fcn, so that it can be changed."""
    return shutil.copy(made("described").path, tmp_path / "edited.czi")


def test_channels_are_renamed_and_coloured(run: Run, path: Path) -> None:
    result = run(
        *("edit", path, "--channel-name", "0=nuclei", "Gr\u00fcn=GFP"),
        *("--channel-color", "DAPI=#0102ff", "1=green"),
        *("--excitation", "0=358", "--emission", "0=461.5", "--dye", "1=eGFP"),
        *("--channel-description", "1=a = b"),
    )
    assert (result.code, result.err) == (0, "")
    assert f"{path}: channel name 0 = nuclei" in result.out.splitlines()
    with CziImage(path) as image:
        assert image.channel_names == ["nuclei", "GFP"]
        assert image.channel_colors == [(1, 2, 255), (0, 255, 0)]
        first, second = image.channels
        assert (first.excitation_wavelength, first.emission_wavelength) == (358.0, 461.5)
        assert (second.dye, second.description) == ("eGFP", "a = b")


def test_names_are_those_before_the_edit(run: Run, path: Path) -> None:
    assert run("edit", path, "--channel-name", "DAPI=Gr\u00fcn", "Gr\u00fcn=DAPI").code == 0
    with CziImage(path) as image:
        assert image.channel_names == ["Gr\u00fcn", "DAPI"]


@pytest.mark.parametrize(
    ("text", "metres"),
    [
        ("0.325um", (3.25e-7, 3.25e-7)),
        ("0.325 \u00b5m", (3.25e-7, 3.25e-7)),
        ("325nm,0.3um", (3.25e-7, 3e-7)),
        ("0.5", (5e-7, 5e-7)),
        ("1e-3mm", (1e-6, 1e-6)),
    ],
)
def test_the_size_of_a_pixel(run: Run, path: Path, text: str, metres: tuple[float, float]) -> None:
    assert run("edit", path, "--pixel-size", text).code == 0
    with czi.open_czi(path) as document:
        assert document.scaling == (*metres, 1e-06)


def test_the_document_has_texts_and_attributes(run: Run, path: Path) -> None:
    result = run(
        *("edit", path, "--title", "A <b>", "--user-name", "me", "--rating", 4, "--z-step", "2um"),
        *("--creation-date", "2024-05-06T07:08:09Z", "--attribute", "ok=true", "n=3", "x=0.5"),
        *("--attribute", "text=a=b", "large=3000000000"),
    )
    assert result.code == 0
    with czi.open_czi(path) as document:
        info = document.document_info
        assert (info.title, info.user_name, document.scaling.z) == ("A <b>", "me", 2e-6)
        attributes = document.custom_attributes_metadata
    assert attributes is not None
    wanted = {"ok": True, "n": 3, "x": 0.5, "text": "a=b", "large": 3e9}
    assert {key: attributes[key] for key in wanted} == wanted


def test_scenes_are_renamed(run: Run, made: Callable[[str], Made], tmp_path: Path) -> None:
    path = shutil.copy(made("gapped_scenes").path, tmp_path / "scenes.czi")
    with CziImage(path) as image:
        _, last = image.scenes
    assert run("edit", path, "--scene-name", "1=first", f"{last}=second").code == 0
    with CziImage(path) as image:
        assert image.scenes == ("first", "second")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--channel-name", "2=x"], "no channel 2; the numbers of channels are 0 to 1"),
        (["--channel-name", "Cy5=x"], "no channel 'Cy5'; the channels are 'DAPI', 'Gr\u00fcn'"),
        (["--channel-name", "0="], "the name of channel 0 is empty"),
        (["--scene-name", "1=x"], "no scene 1; the scenes are 0 ('Image:0')"),
        (["--attribute", "a b=1"], "cannot be the key of a custom attribute"),
        ([], "nothing to change"),
    ],
)
def test_what_cannot_be_changed_is_refused(
    run: Run, path: Path, options: list[str], said: str
) -> None:
    before = path.read_bytes()
    result = run("edit", path, "--title", "new", *options) if options else run("edit", path)
    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert str(path) in result.err
    assert path.read_bytes() == before


def test_a_url_is_refused_before_anything_is_fetched(run: Run) -> None:
    result = run("edit", "https://nowhere.invalid/cells.czi", "--title", "x")
    assert result.code == 1
    assert "edit a copy on this machine (czictypes copy makes one)" in result.err


def test_a_file_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    result = run("edit", tmp_path / "none.czi", "--title", "x")
    assert result.code == 1
    assert str(tmp_path / "none.czi") in result.err


@pytest.mark.parametrize(("call", "options"), output._EDITS.items())
def test_what_messages_advise_is_there(run: Run, call: str, options: str) -> None:
    method, _, argument = call.partition("(")
    taken = inspect.signature(getattr(czi.CziMetadataBuilder, method)).parameters
    assert argument == "...)" or argument.partition("=")[0] in taken
    shown = run("edit", "--help").out
    assert all(f"{option} " in shown for option in options.split(" or "))


def test_a_write_protected_file_is_left_alone(run: Run, path: Path) -> None:
    before = path.read_bytes()
    path.chmod(0o444)
    result = run("edit", path, "--title", "x")
    path.chmod(0o600)
    assert (result.code, path.read_bytes()) == (1, before)
    assert f"{path}: the file is write-protected; make it writable" in result.err or (
        f"{path}: Permission denied; make it writable" in result.err
    )
    assert "czictypes copy makes one" in result.err


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--pixel-size", "1cm"),
        ("--z-step", "2m"),
        ("--pixel-size", "0um"),
        ("--pixel-size", "1um,1um,1um"),
        ("--pixel-size", "3 parsec"),
        ("--z-step", "-1um"),
        ("--channel-color", "0=mauve"),
        ("--channel-name", "DAPI"),
        ("--excitation", "0=blue"),
        ("--creation-date", "today"),
        ("--rating", "good"),
    ],
)
def test_wrong_values_are_wrong_usage(run: Run, path: Path, option: str, value: str) -> None:
    result = run("edit", path, f"{option}={value}")
    assert result.code == 2
    assert option in result.err
