"""Scaling, channels, display settings, attributes, scenes and the rest of a document."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from czictypes.metadata.channels import channels, display_settings
from czictypes.metadata.document_info import (
    DocumentInfo,
    GeneralDocumentInfoDto,
    Scaling,
    axis,
    custom_attribute,
    custom_attributes,
    document_info,
    general_document_info,
    scaling,
)
from czictypes.metadata.scenes import Plate, Well, parse_well_name, plate, scenes, well_name
from czictypes.model.options import Rgb8Color, TintingMode
from czictypes.model.pixel_types import PixelType

NOTHING = {
    scaling: Scaling(),
    channels: [],
    display_settings: {},
    custom_attributes: None,
    document_info: DocumentInfo(),
    general_document_info: GeneralDocumentInfoDto(),
    scenes: [],
    plate: None,
}


@pytest.mark.parametrize("read", NOTHING)
@pytest.mark.parametrize(
    "xml", [b"", "<ImageDocument/>", "<ImageDocument><Metadata/></ImageDocument>"]
)
def test_an_empty_document_is_no_error(read, xml):
    assert read(xml) == NOTHING[read]


# Scaling


def test_scaling_in_metres(document):
    xml = document(
        '<Scaling><Items><Distance Id="Y"><Value>2E-07</Value></Distance>'
        '<Distance Id="X"><Value>1e-07</Value></Distance></Items></Scaling>'
    )
    assert scaling(xml) == Scaling(1e-7, 2e-7, None)


@pytest.mark.parametrize(
    "item", ["Distance Id='X'><Value>0</Value", "Distance Id='X'><Value>NaN</Value"]
)
def test_a_scale_that_says_nothing_is_none(document, item):
    xml = document(f"<Scaling><Items><{item}></Distance></Items></Scaling>")
    assert scaling(xml) == Scaling()


def test_an_axis_in_pixels_has_no_scale(document):
    xml = document('<Scaling><Items><Pixel Id="Z"><Value>1</Value></Pixel></Items></Scaling>')
    assert scaling(xml).z is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("100x100", (1e-7, 1e-7, 1e-7)),
        ("CellDivision_T3_Z5_CH2_X240_Y170", (9.057667415221031e-08,) * 2 + (3.2e-7,)),
        ("CellDivision_T3_Z5_CH2_X240_Y170_comp1", (None, None, None)),
        ("DAPI_GFP", (None, None, None)),
        ("LLS7_small", (1.44992e-07,) * 3),
        ("RGB-8bit", (1.0833333333333333e-06,) * 2 + (None,)),
        ("S3_1Pos_2Mosaic_T2_Z3_CH2_sm", (1.6e-6, 1.6e-6, 1e-6)),
        ("WellD6_S1", (1e-7, 1e-7, None)),
        ("nuc_small", (4.5715068250381633e-07,) * 2 + (None,)),
    ],
)
def test_scaling_of_real_files(real, name, expected):
    assert scaling(real(name).xml) == expected


# Channels


def test_a_channel_of_a_real_file(real):
    first, second = channels(real("CellDivision_T3_Z5_CH2_X240_Y170").xml)
    assert (first.index, first.id, first.name, first.dye) == (
        0,
        "Channel:0",
        "LED555",
        "Alexa Fluor 555",
    )
    assert first.color == Rgb8Color(255, 126, 0)
    assert (first.pixel_type, first.component_bit_count) == (PixelType.Gray16, 14)
    assert (first.excitation_wavelength, first.emission_wavelength) == (553.0, 568.0)
    assert (first.exposure_time, second.exposure_time) == (0.1, 0.2)
    assert (first.detector, first.binning) == ("Axiocam 506", "1,1")
    assert first.gamma == pytest.approx(0.8)
    assert (first.acquisition_mode, first.contrast_method) == ("WideField", "Fluorescence")


def test_names_come_from_the_display_settings_where_the_image_has_none(real):
    found = channels(real("DAPI_GFP").xml)
    # The second channel's Id differs between the two lists of this file.
    assert [(channel.id, channel.name) for channel in found] == [
        ("Channel:0", "DAPI"),
        ("Channel:1", "GFP"),
    ]
    assert [channel.color for channel in found] == [Rgb8Color(0, 0, 255), Rgb8Color(0, 255, 0)]


def test_the_number_in_an_id_is_not_the_index(real):
    (channel,) = channels(real("mosaic_test").xml)
    assert (channel.index, channel.id, channel.name) == (0, "Channel:2", "EGFP")
    assert channels(real("mosaic_test").xml, start=7)[0].index == 7


def test_a_file_with_display_settings_alone_has_channels(real):
    (channel,) = channels(real("RGB-8bit").xml)
    assert (channel.name, channel.pixel_type) == ("C1", PixelType.Bgr24)
    assert channel.component_bit_count == 8


def test_the_colour_shown_wins_over_the_colour_of_the_image(real):
    assert channels(real("LLS7_small").xml)[1].color == Rgb8Color(0, 255, 0)


def test_an_empty_name_is_none(real):
    found = channels(real("CellDivision_T3_Z5_CH2_X240_Y170_comp1").xml)
    assert [channel.name for channel in found] == [None, None]


def test_display_settings_are_matched_by_id_before_position(document):
    xml = document(
        "<Information><Image><Dimensions><Channels><Channel Id='a'/><Channel Id='b'/>"
        "</Channels></Dimensions></Image></Information><DisplaySetting><Channels>"
        "<Channel Id='b' Name='B'/><Channel Id='a' Name='A'/></Channels></DisplaySetting>"
    )
    assert [channel.name for channel in channels(xml)] == ["A", "B"]


def test_one_bad_field_does_not_spoil_the_channel(document, warns):
    xml = document(
        "<Information><Image><Dimensions><Channels><Channel Id='a' Name='A'>"
        "<PixelType>Purple7</PixelType><ComponentBitCount>14</ComponentBitCount></Channel>"
        "</Channels></Dimensions></Image></Information>"
    )
    with warns("Channel\\[0\\]/PixelType.*'Purple7' is not a pixel type"):
        (channel,) = channels(xml)
    assert (channel.name, channel.pixel_type, channel.component_bit_count) == ("A", None, 14)


# Display settings


def shown(document, inner):
    return display_settings(
        document(f"<DisplaySetting><Channels>{inner}</Channels></DisplaySetting>")
    )


def test_display_settings_of_a_channel(document):
    found = shown(
        document,
        "<Channel Id='Channel:0' Name='DAPI'><Low>0.25</Low><High>0.5</High>"
        "<Color>#FF00A1FF</Color><IsSelected>false</IsSelected>"
        "<Description>nuclei</Description></Channel>",
    )
    assert list(found) == [0]
    assert (found[0].black_point, found[0].white_point) == (0.25, 0.5)
    assert (found[0].is_enabled, found[0].name, found[0].description) == (False, "DAPI", "nuclei")
    assert (found[0].tinting_mode, found[0].tinting_color) == (
        TintingMode.Color,
        Rgb8Color(0, 161, 255),
    )


def test_a_channel_without_settings_has_the_defaults(document):
    found = shown(document, "<Channel/>")[0]
    assert (found.black_point, found.white_point, found.is_enabled) == (0.0, 1.0, True)
    assert (found.tinting_mode, found.tinting_color) == (
        TintingMode.Color,
        Rgb8Color(255, 255, 255),
    )
    assert (found.name, found.description) == (None, None)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("None", TintingMode.none),
        ("none", TintingMode.none),
        ("Color", TintingMode.Color),
        ("Palette", TintingMode.Color),
    ],
)
def test_colour_modes(document, mode, expected):
    xml = f"<Channel><ColorMode>{mode}</ColorMode></Channel>"
    assert shown(document, xml)[0].tinting_mode is expected


def test_a_malformed_setting_is_the_default(document, warns):
    with warns("High is 'bright'"):
        assert shown(document, "<Channel><High>bright</High></Channel>")[0].white_point == 1.0


def test_display_settings_of_a_real_file(real):
    found = display_settings(real("LLS7_small").xml)
    assert [(each.name, each.is_enabled) for each in found.values()] == [
        ("LatticeLightsheet 1-T1", True),
        ("LatticeLightsheet 2-T2", False),
    ]
    assert found[1].black_point == 0.0010221962616822429
    assert found[1].tinting_color == Rgb8Color(0, 255, 0)


def test_a_real_colour_image_is_not_tinted(real):
    assert display_settings(real("RGB-8bit").xml)[0].tinting_mode is TintingMode.none


# Custom attributes


def attributes(document, inner):
    return document(f"<Information><CustomAttributes>{inner}</CustomAttributes></Information>")


def test_custom_attributes_have_their_types(document):
    xml = attributes(
        document,
        "<KeyValue><a Type='Int32'>-3</a><b Type='Boolean'>true</b><c Type='Double'>0.5</c>"
        "<d Type='String'> two words </d><e Type='Float'>1.5</e><f Type='String'/></KeyValue>",
    )
    expected = {"a": -3, "b": True, "c": 0.5, "d": " two words ", "e": 1.5, "f": ""}
    assert custom_attributes(xml) == expected
    assert {key: type(value) for key, value in custom_attributes(xml).items()} == {
        key: type(value) for key, value in expected.items()
    }
    assert custom_attribute(xml, "a") == -3
    assert custom_attribute(xml, "missing") is None


def test_no_list_of_custom_attributes_is_none(document):
    assert custom_attributes(attributes(document, "")) is None
    assert custom_attributes(attributes(document, "<KeyValue/>")) == {}


def test_not_a_number_is_a_value_of_a_custom_attribute(document):
    xml = attributes(document, "<KeyValue><a Type='Double'>-inf</a></KeyValue>")
    assert custom_attributes(xml) == {"a": float("-inf")}


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("Int32", "many", "whole number"),
        ("Colour", "red", "unknown type"),
        ("Boolean", "?", "true or"),
    ],
)
def test_a_value_that_does_not_fit_its_type_is_text(document, warns, kind, text, words):
    xml = attributes(document, f"<KeyValue><a Type='{kind}'>{text}</a></KeyValue>")
    with warns(words):
        assert custom_attributes(xml) == {"a": text}


def test_the_first_of_two_equal_keys_counts(document):
    xml = attributes(document, "<KeyValue><a Type='Int32'>1</a><a Type='Int32'>2</a></KeyValue>")
    assert custom_attributes(xml) == {"a": 1}


def test_custom_attributes_are_the_peers_on_real_files(any_real, pylibczirw):
    with pylibczirw.open_czi(str(any_real.path)) as peer:
        assert custom_attributes(any_real.xml) == peer.custom_attributes_metadata


# Document


def test_document_info_of_a_real_file(real):
    info = document_info(real("LLS7_small").xml)
    assert (info.user_name, info.application, info.application_version) == (
        "M1SRH",
        "ZEN (blue edition)",
        "3.7.97.00000",
    )
    zone = timezone(timedelta(hours=1))
    assert info.creation_date == datetime(2019, 11, 23, 14, 27, 18, 881581, zone)
    assert info.acquisition_date == datetime(2019, 11, 23, 13, 27, 18, 761492, timezone.utc)
    assert (info.microscope, info.microscope_type) == ("Lattice Lightsheet", None)


def test_the_objective_that_the_image_refers_to_counts(real):
    found = document_info(real("LLS7_small").xml).objective
    # The first one in this file is that of the illumination.
    assert (found.id, found.name) == ("Objective:0", "Objective Observation")
    assert (found.magnification, found.numerical_aperture) == (44.83, 1.0)
    assert (found.immersion, found.refractive_index) == ("Water", 1.33)
    assert found.working_distance == 280.0


def test_general_info_keeps_text_as_stored(document):
    xml = document(
        "<Information><Document><Title> a </Title><Comment/><Rating>4</Rating>"
        "<CreationDate>2016-02-12T10:41:02.5655647+01:00</CreationDate></Document></Information>"
    )
    info = general_document_info(xml)
    assert (info.title, info.comment, info.rating, info.name) == (" a ", "", 4, None)
    assert info.creation_date_time == "2016-02-12T10:41:02.5655647+01:00"
    assert document_info(xml).comment is None


# Scenes


def test_scenes_of_a_real_file(real):
    found = scenes(real("S3_1Pos_2Mosaic_T2_Z3_CH2_sm").xml)
    assert [(scene.index, scene.name, scene.center) for scene in found] == [
        (0, "TR1", (38397.296, 12724.718)),
        (1, "P1", (37980.0, 13020.0)),
        (2, "TR2", (38679.412, 13260.298)),
    ]
    assert [scene.size for scene in found] == [(389.12, 124.435), None, (541.512, 299.458)]
    assert [scene.contour for scene in found] == ["Rectangle", "Rectangle", "Polygon"]
    assert [scene.well for scene in found] == [None] * 3


def test_wells_and_plates_of_real_files(real):
    (scene,) = scenes(real("WellD6_S1").xml)
    assert scene.well == Well("D6", 4, 6, (49500.0, 35500.0))
    assert plate(real("WellD6_S1").xml) == Plate(
        "Multichamber 96", 8, 12, (9000.0, 9000.0), (7250.0, 7250.0)
    )
    (scene,) = scenes(real("nuc_small").xml)
    assert (scene.name, scene.well) == ("P1", Well("A1", 1, 1, (4275.001, 8344.039)))
    # A slide holder has a template too, but no wells.
    assert plate(real("S3_1Pos_2Mosaic_T2_Z3_CH2_sm").xml) is None


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ("<ArrayName>D6</ArrayName>", Well("D6", 4, 6)),
        ("<ArrayName>left</ArrayName>", Well("left", None, None)),
        ("<Shape Name='x' Id='4-6'/>", Well("x", 4, 6)),
        (
            "<Shape Id='16-24'><CenterPosition>1,2</CenterPosition></Shape>",
            Well(None, 16, 24, (1, 2)),
        ),
        ("", None),
    ],
)
def test_the_well_is_found_in_what_there_is(document, inner, expected):
    xml = document(
        "<Information><Image><Dimensions><S><Scenes>"
        f"<Scene Name='s'>{inner}</Scene></Scenes></S></Dimensions></Image></Information>"
    )
    assert scenes(xml)[0].well == expected


@pytest.mark.parametrize(("row", "column", "name"), [(1, 1, "A1"), (4, 6, "D6"), (32, 48, "AF48")])
def test_well_names(row, column, name):
    assert well_name(row, column) == name
    assert parse_well_name(name) == (row, column)


@pytest.mark.parametrize(("row", "column"), [(0, 1), (1, 0), (703, 1)])
def test_there_is_no_such_well(row, column):
    with pytest.raises(ValueError, match="no well"):
        well_name(row, column)


# Axes


def test_positions_along_time_and_depth_of_real_files(real):
    xml = real("CellDivision_T3_Z5_CH2_X240_Y170").xml
    assert axis(xml, "T").offsets == (0.0, 60.075, 120.15)
    assert axis(xml, "T").step() == pytest.approx(60.075)
    assert axis(xml, "Z").step() == pytest.approx(0.32)
    xml = real("S3_1Pos_2Mosaic_T2_Z3_CH2_sm").xml
    assert (axis(xml, "Z").start, axis(xml, "Z").step()) == (-1.0, 1.0)
    assert axis(xml, "T").start_time == datetime(2021, 6, 15, 6, 9, 43, 30481, timezone.utc)
    assert axis(real("WellD6_S1").xml, "T").attachment == "TimeStamps"
    assert axis(real("WellD6_S1").xml, "T").step() is None


def test_other_axes_have_no_positions():
    with pytest.raises(ValueError, match="'T' or 'Z'"):
        axis(b"", "C")
    assert axis(b"", "Z") is None
