"""Editing a document changes what was asked and leaves the rest alone."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from czictypes.metadata.channels import channels, display_settings
from czictypes.metadata.document_info import (
    GeneralDocumentInfoDto,
    Scaling,
    ScalingInfoDto,
    custom_attributes,
    general_document_info,
    scaling,
)
from czictypes.metadata.scenes import scenes
from czictypes.metadata.xml import parse, to_dict, to_string
from czictypes.metadata.xml_editor import XmlEditor
from czictypes.model.errors import CorruptFileError
from czictypes.model.options import (
    ChannelDisplaySettingsDataClass,
    ChannelDisplaySettingsDataClassWithNameAndDescription,
    Rgb8Color,
    TintingMode,
)

GREEN = Rgb8Color(0, 255, 51)


def lines(xml):
    """Return the lines of the XML laid out, to see which ones an edit changes."""
    return to_string(parse(xml), indent=True).splitlines()


def changed(before, after):
    """Return the lines that are new, without the space around them."""
    old = set(lines(before))
    return [line.strip() for line in lines(after) if line not in old]


def test_an_edit_of_nothing_changes_nothing(any_real):
    editor = XmlEditor(any_real.xml)
    editor.set_general_document_info()
    editor.set_scaling_info()
    editor.set_display_settings({})
    assert editor.get_xml() == to_string(parse(any_real.xml))
    assert to_dict(editor.to_bytes()) == to_dict(editor.get_xml(prettify=True))


def test_title_and_comment(real):
    xml = real("nuc_small").xml
    editor = XmlEditor(xml)
    editor.set_general_document_info(GeneralDocumentInfoDto(title="a", comment="b"), comment="c")
    assert changed(xml, editor.get_xml()) == ["<Title>a</Title>", "<Comment>c</Comment>"]
    info = general_document_info(editor.root)
    assert (info.title, info.comment, info.user_name) == ("a", "c", "M1SRH")


def test_every_general_field():
    editor = XmlEditor()
    fields = GeneralDocumentInfoDto("n", "t", "u", "d", "c", "k", 3.0, "2020-01-01T00:00:00Z")
    editor.set_general_document_info(**vars(fields))
    assert general_document_info(editor.root) == fields


def test_a_field_can_be_emptied(document):
    editor = XmlEditor(document("<Information><Document><Title>x</Title></Document></Information>"))
    editor.set_general_document_info(title="")
    assert general_document_info(editor.root).title == ""


def test_scaling_of_one_axis(real):
    xml = real("CellDivision_T3_Z5_CH2_X240_Y170").xml
    editor = XmlEditor(xml)
    editor.set_scaling_info(ScalingInfoDto(scale_x=1e-7), scale_y=math.nan)
    assert changed(xml, editor.get_xml()) == ["<Value>1e-07</Value>"]
    assert scaling(editor.root) == Scaling(1e-7, 9.057667415221031e-08, 3.2e-07)


def test_a_scale_replaces_the_mark_that_there_is_none(real):
    editor = XmlEditor(real("nuc_small").xml)
    editor.set_scaling_info(scale_z=5e-7)
    assert scaling(editor.root).z == 5e-7
    items = to_dict(editor.root)["ImageDocument"]["Metadata"]["Scaling"]["Items"]
    assert "Pixel" not in items


@pytest.mark.parametrize("scale", [0.0, -1.0, math.inf])
def test_a_scale_must_be_positive(scale):
    editor = XmlEditor()
    with pytest.raises(ValueError, match="scale of X"):
        editor.set_scaling_info(scale_x=scale)
    assert editor.get_xml() == "<ImageDocument />"


def test_custom_attributes_are_added_and_replaced(document):
    editor = XmlEditor(document("<Information/>"))
    editor.set_custom_key_value("a", 1)
    editor.set_custom_key_value("b", "x")
    editor.set_custom_key_value("a", 2.5)
    assert custom_attributes(editor.root) == {"a": 2.5, "b": "x"}


@pytest.mark.parametrize(("key", "value"), [("1", 1), ("a", None), ("a", 2**31), ("a", "\x00")])
def test_a_custom_attribute_that_cannot_be_written_changes_nothing(key, value):
    editor = XmlEditor()
    with pytest.raises(ValueError, match="custom attribute"):
        editor.set_custom_key_value(key, value)
    assert editor.get_xml() == "<ImageDocument />"


def test_one_change_of_display_settings_touches_one_field(real):
    xml = real("LLS7_small").xml
    settings = display_settings(xml)
    settings[1].white_point = 0.5
    editor = XmlEditor(xml)
    editor.set_display_settings(settings)
    assert changed(xml, editor.get_xml()) == ["<High>0.5</High>"]
    assert display_settings(editor.root) == settings


def test_all_of_a_channels_display_settings(real):
    xml = real("LLS7_small").xml
    wanted = ChannelDisplaySettingsDataClassWithNameAndDescription(
        False, TintingMode.Color, GREEN, 0.25, 0.75, "name", "description"
    )
    editor = XmlEditor(xml)
    editor.set_display_settings({0: wanted})
    found = display_settings(editor.root)
    assert found[0] == wanted
    assert found[1] == display_settings(xml)[1]


def test_the_colour_stays_when_tinting_is_switched_off(real):
    editor = XmlEditor(real("LLS7_small").xml)
    settings = display_settings(editor.root)
    color = settings[0].tinting_color
    settings[0].tinting_mode = TintingMode.none
    editor.set_display_settings(settings)
    assert display_settings(editor.root)[0].tinting_mode is TintingMode.none
    assert display_settings(editor.root)[0].tinting_color == color


def test_a_palette_stays_when_its_channel_is_written_back(document):
    xml = document(
        "<DisplaySetting><Channels><Channel><ColorMode>Palette</ColorMode>"
        "<PaletteName>HeatMap</PaletteName></Channel></Channels></DisplaySetting>"
    )
    editor = XmlEditor(xml)
    editor.set_display_settings(display_settings(xml))
    assert editor.get_xml() == xml


@pytest.mark.parametrize("name", [None, ""])
def test_a_name_that_is_not_given_stays(real, name):
    editor = XmlEditor(real("LLS7_small").xml)
    settings = display_settings(editor.root)
    settings[0].name = name
    editor.set_display_settings(settings)
    assert display_settings(editor.root)[0].name == "LatticeLightsheet 1-T1"


def test_display_settings_are_made_where_there_are_none(real):
    editor = XmlEditor(real("CellDivision_T3_Z5_CH2_X240_Y170_comp1").xml)
    wanted = ChannelDisplaySettingsDataClass(True, TintingMode.Color, GREEN, 0.1, 0.9)
    editor.set_display_settings({1: wanted})
    found = display_settings(editor.root)
    assert (found[1].tinting_color, found[1].black_point, found[1].white_point) == (GREEN, 0.1, 0.9)
    channels = to_dict(editor.root)["ImageDocument"]["Metadata"]["DisplaySetting"]["Channels"]
    assert [channel["@Id"] for channel in channels["Channel"]] == ["Channel:0", "Channel:1"]


def test_a_channel_that_the_document_does_not_have_is_an_error(real):
    editor = XmlEditor(real("LLS7_small").xml)
    before = editor.get_xml()
    setting = ChannelDisplaySettingsDataClass(True, TintingMode.Color, GREEN)
    with pytest.raises(ValueError, match="no channel 2; it has 0, 1"):
        editor.set_display_settings({0: setting, 2: setting})
    assert editor.get_xml() == before


def test_set_xml_replaces_everything():
    editor = XmlEditor("<ImageDocument><A/></ImageDocument>")
    editor.set_xml("<ImageDocument><B/></ImageDocument>")
    assert editor.get_xml() == "<ImageDocument><B /></ImageDocument>"


@pytest.mark.parametrize(("xml", "error"), [("<A/>", ValueError), ("<A>", CorruptFileError)])
def test_set_xml_wants_a_document(xml, error):
    editor = XmlEditor()
    with pytest.raises(error):
        editor.set_xml(xml)
    assert editor.get_xml() == "<ImageDocument />"


def test_an_element_that_holds_others_is_not_overwritten(document):
    xml = document("<Information><Document><Title><Odd/></Title></Document></Information>")
    editor = XmlEditor(xml)
    with pytest.raises(ValueError, match="Title cannot be set"):
        editor.set_general_document_info(name="n", title="t")
    assert general_document_info(editor.root).name is None


def test_unknown_content_prefixes_and_comments_stay():
    xml = '<ImageDocument xmlns:x="urn:x"><!--c--><x:Own x:a="1">t<b />u</x:Own></ImageDocument>'
    editor = XmlEditor(xml)
    editor.set_general_document_info(title="t")
    kept = xml.replace("</ImageDocument>", "")
    assert editor.get_xml().startswith(kept)


@pytest.mark.parametrize("name", ["LLS7_small", "nuc_small", "100x100", "RGB-8bit"])
def test_an_edit_gives_the_peers_values(real, pylibczirw, tmp_path, name):
    file = real(name)
    path = tmp_path / "peer.czi"
    shutil.copyfile(file.path, path)
    with pylibczirw.edit_czi(str(path)) as editor, editor.edit_session() as theirs:
        edit(theirs)
    ours = XmlEditor(file.xml)
    edit(ours)
    with pylibczirw.open_czi(str(path)) as reader:
        assert without_marks(to_dict(ours.root)) == without_marks(reader.metadata)


def edit(builder):
    builder.set_general_document_info(title="t & <t>", comment="c", rating=3)
    builder.set_scaling_info(scale_x=2.5e-7, scale_z=1e-6)
    builder.set_custom_key_value("number", 5)
    builder.set_custom_key_value("text", "x")


def without_marks(metadata):
    """Return the metadata without what we alone do to an axis that gets its first scale."""
    items = metadata["ImageDocument"]["Metadata"]["Scaling"]["Items"]
    items.pop("Pixel", None)
    for distance in items["Distance"]:
        distance.pop("DefaultUnitFormat", None)
    return metadata


@given(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"])))
def test_any_title_is_stored_or_refused(title):
    editor = XmlEditor()
    if {"\ufffe", "\uffff"} & set(title):
        with pytest.raises(ValueError, match="Title"):
            editor.set_general_document_info(title=title)
    else:
        editor.set_general_document_info(title=title)
        assert general_document_info(editor.to_bytes()).title == title


@pytest.mark.parametrize(
    ("method", "argument"),
    [
        ("set_xml", 2**31),
        ("set_scaling_info", "1e-7"),
        ("set_display_settings", ()),
        ("set_display_settings", {1: 2}),
    ],
)
def test_arguments_of_a_wrong_type_are_refused_in_words(method, argument):
    with pytest.raises(TypeError, match=" not "):
        getattr(XmlEditor(b""), method)(argument)


def test_a_channel_is_renamed_where_it_is_described_and_where_it_is_shown(real):
    xml = real("CellDivision_T3_Z5_CH2_X240_Y170").xml
    editor = XmlEditor(xml)
    before = channels(editor.root)
    editor.set_channel_info(1, name="Kern <1>")
    after = channels(editor.root)
    assert after == [before[0], replace(before[1], name="Kern <1>")]
    assert display_settings(editor.root)[1].name == "Kern <1>"
    assert len(changed(xml, editor.get_xml())) == 2


def test_every_field_of_a_channel(any_real):
    editor = XmlEditor(any_real.xml)
    fields = {
        "name": "DAPI",
        "description": "nuclei",
        "dye": "Hoechst",
        "color": Rgb8Color(1, 2, 255),
        "excitation_wavelength": 358.0,
        "emission_wavelength": 461.5,
    }
    editor.set_channel_info(0, **fields)
    found = channels(editor.root)[0]
    assert {name: getattr(found, name) for name in fields} == fields
    assert len(channels(editor.root)) == max(len(channels(any_real.xml)), 1)


def test_a_colour_is_set_in_both_places_and_tints_the_channel(document):
    channel = '<Channel Id="Channel:0"><Color>#FFFFFFFF</Color></Channel>'
    shown = '<Channel Id="Channel:0"><ColorMode>None</ColorMode><Low>0.25</Low></Channel>'
    editor = XmlEditor(
        document(
            f"<Information><Image><Dimensions><Channels>{channel}</Channels></Dimensions></Image>"
            f"</Information><DisplaySetting><Channels>{shown}</Channels></DisplaySetting>"
        )
    )
    editor.set_channel_info(0, color=GREEN)
    settings = display_settings(editor.root)[0]
    assert (settings.tinting_mode, settings.tinting_color) == (TintingMode.Color, GREEN)
    assert settings.black_point == 0.25
    assert editor.get_xml().count("#FF00FF33") == 2


def test_channels_are_matched_by_id_as_they_are_read(document):
    listed = '<Channel Id="Channel:1" Name="a"/><Channel Id="Channel:0" Name="b"/>'
    shown = '<Channel Id="Channel:0" Name="b"/><Channel Id="Channel:1" Name="a"/>'
    editor = XmlEditor(
        document(
            f"<Information><Image><Dimensions><Channels>{listed}</Channels></Dimensions></Image>"
            f"</Information><DisplaySetting><Channels>{shown}</Channels></DisplaySetting>"
        )
    )
    editor.set_channel_info(0, name="first")
    assert [channel.name for channel in channels(editor.root)] == ["first", "b"]
    assert [one.name for one in display_settings(editor.root).values()] == ["b", "first"]


def test_channels_that_only_the_display_settings_list_stay_as_many(document):
    shown = '<Channel Id="Channel:0" Name="a"/><Channel Id="Channel:1" Name="b"/>'
    editor = XmlEditor(document(f"<DisplaySetting><Channels>{shown}</Channels></DisplaySetting>"))
    editor.set_channel_info(0, excitation_wavelength=488)
    assert [(one.name, one.excitation_wavelength) for one in channels(editor.root)] == [
        ("a", 488.0),
        ("b", None),
    ]


def test_a_channel_that_is_added_has_the_pixel_type_of_the_image(real):
    editor = XmlEditor(real("RGB-8bit").xml)
    editor.set_channel_info(0, name="RGB")
    found = parse(editor.get_xml()).find("Metadata/Information/Image/Dimensions/Channels/Channel")
    assert found is not None
    assert (found.findtext("PixelType"), found.findtext("ComponentBitCount")) == ("Bgr24", "8")
    assert channels(editor.root)[0].name == "RGB"


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "},
        {"name": "\0"},
        {"excitation_wavelength": 0.0},
        {"emission_wavelength": math.inf},
        {"color": Rgb8Color(0, 0, 256)},
    ],
)
def test_a_channel_that_cannot_be_written_changes_nothing(real, wrong):
    editor = XmlEditor(real("nuc_small").xml)
    before = editor.get_xml()
    with pytest.raises(ValueError):  # noqa: PT011 (each has a message of its own)
        editor.set_channel_info(0, description="new", **wrong)
    assert editor.get_xml() == before


def test_a_channel_that_is_not_listed_is_refused(real):
    with pytest.raises(IndexError, match="no channel 2; there are 2"):
        XmlEditor(real("CellDivision_T3_Z5_CH2_X240_Y170").xml).set_channel_info(2, name="x")


def test_a_scene_is_renamed(real):
    xml = real("S3_1Pos_2Mosaic_T2_Z3_CH2_sm").xml
    editor = XmlEditor(xml)
    editor.set_scene_name(1, "control")
    assert [scene.name for scene in scenes(editor.root)] == ["TR1", "control", "TR2"]
    with pytest.raises(IndexError, match="no scene 3; they list: 0, 1, 2"):
        editor.set_scene_name(3, "x")
    with pytest.raises(ValueError, match="the name of scene 1 is empty"):
        editor.set_scene_name(1, "")
