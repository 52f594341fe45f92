"""Editing the metadata of existing files with pylibCZIrw's methods."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from files.block import Block
from files.builder import write_czi
from files.patterns import noise
from files.xml import document_xml

from czictypes import CziImage
from czictypes.metadata.document_info import GeneralDocumentInfoDto, ScalingInfoDto
from czictypes.model.errors import ClosedError, NotCziError, UnexpectedError
from czictypes.model.options import (
    ChannelDisplaySettingsDataClass,
    ChannelDisplaySettingsDataClassWithNameAndDescription,
    Rgb8Color,
    TintingMode,
)
from czictypes.model.pixel_types import PixelType
from czictypes.reading.reader import CziReader
from czictypes.writing.editor import CziEditor, edit_czi
from czictypes.writing.writer import create_czi


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "edited.czi"
    with create_czi(path) as document:
        for channel in range(2):
            document.write(np.full((30, 40), channel, np.uint16), plane={"C": channel})
        document.write_metadata(
            "before",
            channel_names={0: "a", 1: "b"},
            scale_x=1e-7,
            scale_y=2e-7,
            custom_attributes={"kept": 5},
            display_settings={
                0: ChannelDisplaySettingsDataClass(True, TintingMode.Color, Rgb8Color(1, 2, 3))
            },
        )
    return path


def test_what_is_set_is_read_and_the_rest_stays(path: Path) -> None:
    with edit_czi(path) as editor, editor.edit_session() as builder:
        builder.set_general_document_info(title="after", comment="<&>", rating=3)
        builder.set_scaling_info(scale_x=5e-7)
        builder.set_custom_key_value("new", True)
    with edit_czi(path) as editor:
        assert editor.read_general_document_info() == {
            "title": "after",
            "comment": "<&>",
            "rating": 3,
        }
        assert editor.read_scaling_info() == ScalingInfoDto(5e-7, 2e-7, None)
        assert editor.read_custom_key_value("new") is True
        assert editor.read_custom_key_value("kept") == 5
        assert editor.read_custom_key_value("none") is None
    with CziReader(path) as read:
        assert (read.read(plane={"C": 1}) == 1).all()
        assert read.channel_names == ["a", "b"]


@pytest.mark.parametrize("value", [True, False, 0, -5, 2**31 - 1, 0.1, 1e300, "", "text <&> ü"])
def test_custom_values_keep_their_type(path: Path, value: bool | float | str) -> None:
    with edit_czi(path) as editor:
        with editor.edit_session() as builder:
            builder.set_custom_key_value("key", value)
        found = editor.read_custom_key_value("key")
    assert found == value
    assert type(found) is type(value)


def test_a_value_of_another_type_is_refused(path: Path) -> None:
    before = path.read_bytes()
    with edit_czi(path) as editor, pytest.raises(ValueError, match="bool, int, float or str"):
        editor.begin_edit().set_custom_key_value("key", [1])  # type: ignore[arg-type]
    assert path.read_bytes() == before


def test_objects_and_arguments_say_the_same(path: Path) -> None:
    with edit_czi(path) as editor, editor.edit_session() as builder:
        builder.set_general_document_info(GeneralDocumentInfoDto(name="n", title="t"), title="own")
        builder.set_scaling_info(ScalingInfoDto(scale_y=3e-7, scale_z=1e-6), scale_z=2e-6)
    with edit_czi(path) as editor:
        assert editor.read_general_document_info() == {"name": "n", "title": "own"}
        assert editor.read_scaling_info() == ScalingInfoDto(1e-7, 3e-7, 2e-6)


def test_display_settings_come_back(path: Path) -> None:
    wanted = ChannelDisplaySettingsDataClassWithNameAndDescription(
        False, TintingMode.Color, Rgb8Color(9, 8, 7), 0.25, 0.75, "name", "description"
    )
    with edit_czi(path) as editor:
        with editor.edit_session() as builder:
            builder.set_display_settings({0: wanted})
        assert editor.read_display_settings()[0] == wanted


def test_the_helper_makes_settings_with_a_description() -> None:
    made = CziEditor.make_channel_display_setting_with_description(
        True, TintingMode.none, Rgb8Color(1, 2, 3), 0.1, 0.9, "text"
    )
    assert (made.is_enabled, made.black_point, made.description) == (True, 0.1, "text")
    assert made.name is None


def test_the_whole_xml_can_be_replaced(path: Path) -> None:
    with edit_czi(path) as editor:
        builder = editor.create_metadata_builder()
        builder.set_xml("<ImageDocument><Metadata><Own>ü</Own></Metadata></ImageDocument>")
        assert "<Own>ü</Own>" in builder.get_xml()
        assert "\n" in builder.get_xml(prettify=True)
        assert "before" in editor.read_metadata_xml()
        builder.commit()
        assert "<Own>ü</Own>" in editor.read_metadata_xml()


def test_xml_that_is_none_is_refused(path: Path) -> None:
    with edit_czi(path) as editor:
        builder = editor.begin_edit()
        for wrong in ("no xml", "<Other/>"):
            with pytest.raises(ValueError, match=r".+"):
                builder.set_xml(wrong)
        assert "before" in builder.get_xml()


def test_nothing_is_written_without_commit(path: Path) -> None:
    before = path.read_bytes()
    with edit_czi(path) as editor:
        editor.begin_edit().set_general_document_info(title="lost")
    assert path.read_bytes() == before


def test_an_error_in_the_session_writes_nothing(path: Path) -> None:
    before = path.read_bytes()

    def fail() -> None:
        with edit_czi(path) as editor, editor.edit_session() as builder:
            builder.set_general_document_info(title="lost")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert path.read_bytes() == before


def test_a_closed_editor_edits_nothing(path: Path) -> None:
    editor = edit_czi(path)
    builder = editor.begin_edit()
    assert editor.is_open
    assert builder.can_commit()
    editor.close()
    editor.close()
    assert not editor.is_open
    assert not builder.can_commit()
    for call in (builder.commit, editor.read_metadata_xml, editor.begin_edit):
        with pytest.raises(ClosedError, match="is closed"):
            call()


def test_a_file_must_be_a_czi_that_exists(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        edit_czi(tmp_path / "missing.czi")
    (tmp_path / "empty.czi").write_bytes(b"")
    with pytest.raises(NotCziError):
        edit_czi(tmp_path / "empty.czi")
    assert [entry.name for entry in tmp_path.iterdir()] == ["empty.czi"]
    assert (tmp_path / "empty.czi").read_bytes() == b""


def test_a_reader_that_is_open_sees_the_edit(path: Path) -> None:
    with CziReader(path) as read:
        assert "before" in read.raw_metadata
        with edit_czi(path) as editor, editor.edit_session() as builder:
            builder.set_general_document_info(title="after")
        assert "after" in read.raw_metadata
        assert (read.read(plane={"C": 1}) == 1).all()


def test_real_files_are_edited_like_by_pylibczirw(
    every_real_file: Path, tmp_path: Path, peers: ModuleType
) -> None:
    czi = peers.pylibczirw()
    for name, edit in (("ours", edit_czi), ("theirs", czi.edit_czi)):
        path = tmp_path / f"{name}.czi"
        shutil.copyfile(every_real_file, path)
        with edit(str(path)) as editor, editor.edit_session() as builder:
            builder.set_general_document_info(title="a title", comment="a comment")
            builder.set_scaling_info(scale_x=3e-7, scale_z=1e-6)
            for key, value in (("b", True), ("i", 7), ("f", 0.5), ("s", "text")):
                builder.set_custom_key_value(key, value)
    with edit_czi(tmp_path / "ours.czi") as ours, edit_czi(tmp_path / "theirs.czi") as theirs:
        assert ours.read_general_document_info() == theirs.read_general_document_info()
        assert ours.read_scaling_info() == theirs.read_scaling_info()
        for key in "bifs":
            assert ours.read_custom_key_value(key) == theirs.read_custom_key_value(key)
    with peers.open_pylibczirw(tmp_path / "ours.czi") as one:
        with peers.open_pylibczirw(every_real_file) as other:
            assert one.total_bounding_box == other.total_bounding_box
        assert one.metadata["ImageDocument"]["Metadata"]["Information"]["Document"]["Title"]
    with czi.edit_czi(str(tmp_path / "ours.czi")) as editor:
        assert editor.read_general_document_info()["title"] == "a title"
        assert editor.read_custom_key_value("f") == 0.5


def test_an_unforeseen_error_of_an_editor_names_the_file(path: Path) -> None:
    with CziEditor(path) as editor, pytest.raises(UnexpectedError, match=re.escape(str(path))):
        editor.read_custom_key_value([])  # type: ignore[arg-type]


@pytest.mark.parametrize("channel", [1, "b"])
def test_a_channel_is_changed_by_its_index_or_name(path: Path, channel: int | str) -> None:
    with edit_czi(path) as editor, editor.edit_session() as builder:
        builder.set_channel_info(
            channel, name="GFP", color=Rgb8Color(0, 255, 0), emission_wavelength=509
        )
    with CziReader(path) as read:
        assert read.channel_names == ["a", "GFP"]
        assert read.channels[1].color == Rgb8Color(0, 255, 0)
        assert read.channels[1].emission_wavelength == 509
        assert read.display_settings[0].tinting_color == Rgb8Color(1, 2, 3)
        assert (read.read(plane={"C": "GFP"}) == 1).all()


@pytest.mark.parametrize("color", ["green", "#00FF00", (0, 255, 0)])
def test_a_colour_may_be_a_name_a_code_or_numbers(path: Path, color: Any) -> None:
    with edit_czi(path) as editor, editor.edit_session() as builder:
        builder.set_channel_info(0, color=color)
        with pytest.raises(ValueError, match="'greenish' is not a colour"):
            builder.set_channel_info(0, color="greenish")
    with CziReader(path) as read:
        assert read.channels[0].color == Rgb8Color(0, 255, 0)


def test_an_unknown_channel_is_refused(path: Path) -> None:
    with edit_czi(path) as editor:
        builder = editor.begin_edit()
        with pytest.raises(IndexError, match="no channel 2; there are 2"):
            builder.set_channel_info(2, name="c")
        with pytest.raises(IndexError, match="no channel 'c'; the channels are 'a', 'b'"):
            builder.set_channel_info("c", name="d")


def test_channels_without_metadata_get_a_name(tmp_path: Path) -> None:
    path = write_czi(
        tmp_path / "bare.czi",
        [Block(noise(PixelType.Gray8, 4, 4, c), plane={"C": c}) for c in (0, 1)],
    )
    with edit_czi(path) as editor, editor.edit_session() as builder:
        builder.set_channel_info(1, name="GFP")
        with pytest.raises(IndexError, match="no channel 2; there are 2"):
            builder.set_channel_info(2, name="x")
    with CziImage(path) as image:
        assert image.channel_names == ["Channel:0", "GFP"]


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """Write scenes of one name in two wells, whose S the XML counts from 0."""
    path = tmp_path / "scenes.czi"
    blocks = [
        Block(noise(PixelType.Gray8, 4, 4, s), x=10 * s, plane={"C": 0, "S": s}) for s in (3, 4)
    ]
    listed = "".join(
        f'<Scene Index="{index}" Name="P1"><ArrayName>{well}</ArrayName></Scene>'
        for index, well in enumerate(["A1", "B2"])
    )
    image = f"<Dimensions><S><Scenes>{listed}</Scenes></S></Dimensions>"
    return write_czi(path, blocks, metadata=document_xml(image=image))


@pytest.mark.parametrize("scene", [4, "P1-B2"])
def test_a_scene_is_renamed_by_its_number_or_name(scenes: Path, scene: int | str) -> None:
    with edit_czi(scenes) as editor, editor.edit_session() as builder:
        builder.set_scene_name(scene, "control")
    with CziImage(scenes) as image:
        assert image.scenes == ("P1", "control")
        image.set_scene("control")
        assert (image.scene_number, image.well.name) == (4, "B2")  # type: ignore[union-attr]


def test_an_unknown_scene_is_refused(scenes: Path) -> None:
    with edit_czi(scenes) as editor:
        builder = editor.begin_edit()
        with pytest.raises(IndexError, match="no scene 0; the scenes are 3, 4"):
            builder.set_scene_name(0, "x")
        with pytest.raises(IndexError, match="'P1-A1', 'P1-B2'"):
            builder.set_scene_name("P9", "x")


def test_scenes_that_are_not_listed_get_names(tmp_path: Path) -> None:
    blocks = [
        Block(noise(PixelType.Gray8, 4, 4, s), x=10 * s, plane={"C": 0, "S": s}) for s in range(3)
    ]
    listed = '<Dimensions><S><Scenes><Scene Index="1" Name="b"/></Scenes></S></Dimensions>'
    path = write_czi(tmp_path / "some.czi", blocks, metadata=document_xml(image=listed))
    with edit_czi(path) as editor, editor.edit_session() as builder:
        builder.set_scene_name(2, "c")
        builder.set_scene_name("Image:0", "a")
    with CziImage(path) as image:
        assert image.scenes == ("a", "b", "c")


def test_the_only_scene_of_a_file_without_scenes_gets_a_name(path: Path) -> None:
    with edit_czi(path) as editor, editor.edit_session() as builder:
        builder.set_scene_name(0, "cells")
    with CziImage(path) as image:
        assert image.scenes == ("cells",)


@pytest.mark.parametrize("mode", [0o444, 0o400, 0o555])
def test_a_write_protected_file_is_refused_to_root_too(path: Path, mode: int) -> None:
    before = path.read_bytes()
    path.chmod(mode)
    try:
        with pytest.raises(PermissionError, match=r"czi\.copy makes one") as caught:
            edit_czi(path)
        assert caught.value.filename == str(path)
        assert path.read_bytes() == before
    finally:
        path.chmod(0o600)
    with edit_czi(path) as editor, editor.edit_session() as builder:
        builder.set_custom_key_value("kept", 6)


def test_the_permission_of_one_is_enough(path: Path) -> None:
    """It is the operating system that knows whether this user is the one."""
    path.chmod(0o644)
    with edit_czi(path) as editor:
        assert editor.is_open
