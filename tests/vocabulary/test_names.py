"""Scenes and channels by their names: everywhere the same as by their numbers."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from described import image_xml, scenes_xml, write_described
from files.block import Block
from files.patterns import noise

import czictypes
from czictypes import czi
from czictypes.cli.main import main
from czictypes.model.pixel_types import PixelType

# The scenes P1 and P2 have the numbers 3 and 8; the channels DAPI and GFP the numbers 1 and 2.
SCENES, CHANNELS = {"P1": 3, "P2": 8}, {"DAPI": 1, "GFP": 2}


def write_named(folder: Path, names: tuple[str, ...] = ("DAPI", "GFP")) -> Path:
    kinds = (PixelType.Gray8, PixelType.Gray16)
    blocks = [
        Block(noise(kind, 20, 30, 10 * scene + c), 40 * scene, 0, {"C": c, "S": scene})
        for scene in SCENES.values()
        for c, kind in zip(CHANNELS.values(), kinds)
    ]
    channels = "".join(
        f'<Channel Id="Channel:{at}" Name="{name}"/>' for at, name in enumerate(names)
    )
    places = scenes_xml("", "", indices=SCENES.values())
    return write_described(folder, image_xml(channels, dimensions=places), blocks=blocks)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A CZI of two scenes and two channels, which have names."""
    return write_named(tmp_path)


@pytest.fixture
def reader(path: Path) -> Iterator[czi.CziReader]:
    with czi.open_czi(path) as reader:
        yield reader


@pytest.fixture
def image(path: Path) -> Iterator[czictypes.CziImage]:
    with czictypes.CziImage(path) as image:
        yield image


def listed(reader: czi.CziReader, plane: Any) -> list[int]:
    found: list[int] = []
    reader.enumerate_subblocks_subset(lambda index, _: found.append(index) is None, plane)
    return found


LOOK = czi.ChannelDisplaySettingsDataClass(
    True, czi.TintingMode.Color, czi.Rgb8Color(255, 0, 0), 0.1, 0.6
)

# What takes a scene and a channel of a reader: as numbers, or as names.
CALLS: dict[str, Callable[[czi.CziReader, Any, Any], Any]] = {
    "read": lambda reader, scene, channel: reader.read(plane={"C": channel}, scene=scene),
    "valid_pixels": lambda reader, scene, channel: reader.valid_pixels(
        plane={"C": channel}, scene=scene
    ),
    "composite": lambda reader, scene, channel: reader.composite(
        scene=scene, display_settings={channel: LOOK}
    ),
    "pyramid_levels": lambda reader, scene, _: reader.pyramid_levels(scene),
    "common_pixel_type": lambda reader, scene, channel: reader.common_pixel_type(channel, scene),
    "get_channel_pixel_type": lambda reader, _, channel: reader.get_channel_pixel_type(channel),
    "enumerate_subblocks_subset": lambda reader, scene, channel: listed(
        reader, {"C": channel, "S": scene}
    ),
    "subblock_metadata": lambda reader, scene, channel: reader.subblock_metadata(
        ["stage_x"], plane={"C": channel, "S": scene}
    )["index"],
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_reader_takes_names(call: Callable[..., Any], reader: czi.CziReader) -> None:
    for scene, s in SCENES.items():
        for channel, c in CHANNELS.items():
            expected = call(reader, s, c)
            assert np.array_equal(call(reader, scene, channel), expected)
            assert np.array_equal(call(reader, np.str_(scene), c), expected)


@pytest.mark.parametrize("name", [name for name in CALLS if name != "get_channel_pixel_type"])
def test_a_reader_lists_the_scenes_if_there_is_none_of_a_name(
    name: str, reader: czi.CziReader
) -> None:
    with pytest.raises(
        czictypes.errors.OutOfBoundsError,
        match="there is no scene 'P3'; the scenes are 'P1', 'P2'",
    ):
        CALLS[name](reader, "P3", 1)


@pytest.mark.parametrize("name", [name for name in CALLS if name != "pyramid_levels"])
def test_a_reader_lists_the_channels_if_there_is_none_of_a_name(
    name: str, reader: czi.CziReader
) -> None:
    with pytest.raises(
        czictypes.errors.OutOfBoundsError,
        match="there is no channel 'RFP'; the channels are 'DAPI', 'GFP'",
    ):
        CALLS[name](reader, 3, "RFP")


def test_channels_of_one_name_are_told_apart_by_their_numbers(tmp_path: Path) -> None:
    path = write_named(tmp_path, ("DAPI", "DAPI"))
    expected = r"there are 2 channels 'DAPI' \('DAPI', 'DAPI \(2\)'\); give the number of one"
    with czi.open_czi(path) as reader, czictypes.CziImage(path) as image:
        with pytest.raises(czictypes.errors.InvalidArgumentError, match=expected):
            reader.read(plane={"C": "DAPI"})
        with pytest.raises(czictypes.errors.InvalidArgumentError, match=expected):
            image.get_image_data("YX", C="DAPI")
        second = reader.read(plane={"C": "DAPI (2)"}, scene=3)[..., 0]
        assert (second == reader.read(plane={"C": 2}, scene=3)[..., 0]).all()
        assert (second == image.get_image_data("YX", C="DAPI (2)")).all()


def test_names_that_the_metadata_lack_are_those_of_the_image(tmp_path: Path) -> None:
    path = write_described(
        tmp_path, blocks=[Block(noise(PixelType.Gray8, 4, 5, 1), 0, 0, {"C": 0})]
    )
    with czi.open_czi(path) as reader, czictypes.CziImage(path) as image:
        assert (image.scenes, image.channel_names) == (("Image:0",), ["Channel:0"])
        found = reader.read(plane={"C": "Channel:0"}, scene="Image:0")
        assert (found == reader.read()).all()
        assert reader.common_pixel_type("Channel:0", "Image:0") == "Gray8"


def test_other_dimensions_have_no_names(reader: czi.CziReader) -> None:
    with pytest.raises(ValueError, match=r"plane\['Z'\] must be a whole number, not 'DAPI'"):
        reader.read(plane={"Z": "DAPI"})


def test_an_image_takes_names_of_channels(image: czictypes.CziImage) -> None:
    for scene in SCENES:
        image.set_scene(scene)
        for index, name in enumerate(image.channel_names):
            expected = image.read_block({"C": index})
            assert (image.read_block({"C": name}) == expected).all()
            assert (image.get_image_data("TZYX", C=name) == expected).all()
            assert (image.valid_pixels({"C": name}) == image.valid_pixels({"C": index})).all()
        both = image.read_block({"C": ["GFP", "DAPI"]})
        assert (both == image.read_block({"C": [1, 0]})).all()
        assert (image.get_image_data("CYX", C=["GFP", 0]) == both[0, :, 0]).all()


def test_a_lazy_array_takes_names_of_channels(image: czictypes.CziImage) -> None:
    pytest.importorskip("dask.array", exc_type=ImportError)
    found = image.get_image_dask_data("YX", C="GFP").compute()
    assert (found == image.get_image_data("YX", C=1)).all()


def test_an_image_lists_its_channels_if_there_is_none_of_a_name(image: czictypes.CziImage) -> None:
    for selection in ("RFP", ["DAPI", "RFP"]):
        with pytest.raises(czictypes.errors.OutOfBoundsError, match="there is no channel 'RFP'"):
            image.read_block({"C": selection})
    with pytest.raises(ValueError, match="Z takes an index"):
        image.read_block({"Z": "DAPI"})


def test_numbers_and_indices_of_scenes_have_a_name_each(image: czictypes.CziImage) -> None:
    image.set_scene("P2")
    assert (image.scene_number, image.current_scene_index) == (8, 1)
    with pytest.warns(DeprecationWarning, match="scene_index is called scene_number now"):
        assert image.scene_index == 8  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("scenes", "channels"),
    [("P2", "GFP"), (["P2"], ["GFP"]), (["P2", 3], "DAPI"), ([8], [1, "GFP"])],
)
def test_a_copy_takes_names(path: Path, tmp_path: Path, scenes: Any, channels: Any) -> None:
    def numbers(wanted: Any, known: dict[str, int]) -> set[int]:
        listed = [wanted] if isinstance(wanted, (int, str)) else wanted
        return {known.get(one, one) for one in listed}

    czi.copy(path, tmp_path / "copy.czi", scenes=scenes, planes={"C": channels})
    with czi.open_czi(tmp_path / "copy.czi") as copied:
        assert set(copied.subblocks["scene"].tolist()) == numbers(scenes, SCENES)
        assert set(copied.subblocks["C"].tolist()) == numbers(channels, CHANNELS)


def test_a_copy_refuses_unknown_names(path: Path, tmp_path: Path) -> None:
    with pytest.raises(czictypes.errors.OutOfBoundsError, match="there is no scene 'P3'"):
        czi.copy(path, tmp_path / "copy.czi", scenes=["P1", "P3"])
    with pytest.raises(czictypes.errors.OutOfBoundsError, match="there is no channel 'RFP'"):
        czi.copy(path, tmp_path / "copy.czi", planes={"C": "RFP"})
    assert not (tmp_path / "copy.czi").exists()


def test_a_slide_takes_names(path: Path) -> None:
    pytest.importorskip("PIL", exc_type=ImportError)
    with czictypes.CziSlide(path, "P2", display_settings={"GFP": LOOK}) as by_name:
        with czictypes.CziSlide(path, 1, display_settings={2: LOOK}) as by_number:
            where = (0, 0), 0, by_name.dimensions
            found = by_name.read_region_array(*where)
            assert (found == by_number.read_region_array(*where)).all()


def test_new_metadata_take_names(tmp_path: Path) -> None:
    written = []
    for number, name in ((1, "GFP"), (0, "Channel:0"), (2, "RFP")):
        for key in (number, name):
            with czi.create_czi(tmp_path / f"{key}.czi", file_guid=uuid.UUID(int=1)) as new:
                for c in range(2):
                    new.write(np.zeros((4, 5), np.uint8), plane={"C": c})
                new.write_metadata(channel_names={1: "GFP"})
                content = czi.DocumentContent(channels=[czi.ChannelInfo(2, name="RFP")])
                new.write_metadata(
                    content=None if name == "GFP" else content, display_settings={key: LOOK}
                )
            with czi.open_czi(tmp_path / f"{key}.czi") as made:
                assert made.display_settings[number].black_point == 0.1
                written.append(made.raw_metadata)
    assert written[::2] == written[1::2]


def test_new_metadata_refuse_unknown_names(tmp_path: Path) -> None:
    errors = czictypes.errors
    with czi.create_czi(tmp_path / "new.czi") as new:
        new.write(np.zeros((4, 5), np.uint8))
        new.write_metadata(channel_names={0: "DAPI", 1: "DAPI"})
        with pytest.raises(errors.OutOfBoundsError, match="no channel 'GFP'; the channels are 'DA"):
            new.write_metadata(display_settings={"GFP": LOOK})
        with pytest.raises(errors.InvalidArgumentError, match="there are 2 channels 'DAPI'"):
            new.write_metadata(display_settings={"DAPI": LOOK})
        both: Any = {1: LOOK, "DAPI (2)": LOOK}
        with pytest.raises(errors.InvalidArgumentError, match="a channel twice"):
            new.write_metadata(display_settings=both)


def test_edited_display_settings_take_names(path: Path) -> None:
    with czi.edit_czi(path) as editor:
        assert not editor.read_display_settings()
        with editor.edit_session() as builder:
            builder.set_display_settings({"GFP": LOOK})
        assert editor.read_display_settings()[1].black_point == 0.1
        with editor.edit_session() as builder:
            builder.set_display_settings({"DAPI": LOOK})
            with pytest.raises(czictypes.errors.OutOfBoundsError, match="are 'DAPI', 'GFP'"):
                builder.set_display_settings({"RFP": LOOK})
        shown = editor.read_display_settings()
    assert {c: look.name for c, look in shown.items()} == {0: "DAPI", 1: "GFP"}
    assert shown[0].tinting_color == shown[1].tinting_color == LOOK.tinting_color
    with czi.open_czi(path) as document:
        assert [channel.color for channel in document.channels] == [LOOK.tinting_color] * 2


def test_a_name_is_that_of_the_channel_whose_look_has_its_id(tmp_path: Path) -> None:
    path = tmp_path / "later.czi"
    with czi.create_czi(path) as new:
        for c in (2, 3):
            new.write(np.zeros((4, 5), np.uint8), plane={"C": c})
        new.write_metadata(channel_names={2: "DAPI", 3: "GFP"}, display_settings={"GFP": LOOK})
    with czi.edit_czi(path) as editor, editor.edit_session() as builder:
        builder.set_display_settings({"DAPI": LOOK})
    with czi.open_czi(path) as document:
        assert [channel.color for channel in document.channels] == [LOOK.tinting_color] * 2
        assert document.display_settings[2].tinting_color == LOOK.tinting_color


def test_a_conversion_takes_names(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("PIL", exc_type=ImportError)
    by_name, by_number = tmp_path / "name.png", tmp_path / "number.png"
    czictypes.convert(path, by_name, scenes="P2", plane={"C": "GFP"})
    czictypes.convert(path, by_number, scenes=1, plane={"C": 1})
    assert by_name.read_bytes() == by_number.read_bytes()


def test_commands_take_names(path: Path, tmp_path: Path, reader: czi.CziReader) -> None:
    assert (
        main(["plane", str(path), str(tmp_path / "a.npy"), "--scene", "P2", "--plane", "C=GFP"])
        == 0
    )
    assert (
        np.load(tmp_path / "a.npy").squeeze() == reader.read(plane={"C": 2}, scene=8)[..., 0]
    ).all()
    copied = tmp_path / "copy.czi"
    assert main(["copy", str(path), str(copied), "--scene", "P2", "--plane", "C=GFP"]) == 0
    with czi.open_czi(tmp_path / copied) as found:
        assert set(found.subblocks["scene"].tolist()) == {8}
        assert set(found.subblocks["C"].tolist()) == {2}


def test_every_public_name_is_reachable_from_the_package() -> None:
    assert set(czi.__all__) < set(czictypes.__all__)
    for name in czictypes.__all__:
        assert getattr(czictypes, name) is not None
    for name in czi.__all__:
        assert getattr(czictypes, name) is getattr(czi, name)
