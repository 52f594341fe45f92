"""The XML of a new document: what pylibCZIrw writes, and what ZEN wants beyond it."""

from __future__ import annotations

import math
from datetime import datetime, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from czictypes.metadata.builder import build_document, check_content
from czictypes.metadata.channels import ChannelInfo, channels, display_settings
from czictypes.metadata.document_content import DocumentContent, ImageSummary
from czictypes.metadata.document_info import (
    Axis,
    GeneralDocumentInfoDto,
    Objective,
    Scaling,
    axis,
    custom_attributes,
    document_info,
    general_document_info,
    scaling,
)
from czictypes.metadata.scenes import SceneInfo, Well, scenes
from czictypes.metadata.xml import parse, to_dict
from czictypes.model.options import (
    ChannelDisplaySettingsDataClass,
    ChannelDisplaySettingsDataClassWithNameAndDescription,
    Rgb8Color,
    TintingMode,
)
from czictypes.model.pixel_types import PixelType

BLUE = Rgb8Color(1, 2, 255)
ONE_PLANE = ImageSummary(12, 10, {"Z": 1, "C": 1, "T": 1, "S": 1}, 1, 0, {0: PixelType.Gray16})
EVERYTHING = DocumentContent(
    info=GeneralDocumentInfoDto("n", "t", "u", "d", "c", "k;l", 4, "2020-01-02T03:04:05Z"),
    channels=[
        ChannelInfo(
            index=0,
            id="Channel:0",
            name="DAPI",
            color=BLUE,
            pixel_type=PixelType.Gray16,
            component_bit_count=14,
            excitation_wavelength=353.0,
            emission_wavelength=465.5,
            exposure_time=0.15,
            description="nuclei",
            dye="DAPI dye",
            gamma=0.8,
            acquisition_mode="WideField",
            contrast_method="Fluorescence",
            illumination_type="Epifluorescence",
            detector="Axiocam 506",
            binning="1,1",
        )
    ],
    scaling=Scaling(1.0833333333333333e-06, 1e-7, 3e-7),
    custom_attributes={"b": True, "i": -3, "f": 1 / 3, "s": " text\t<&> "},
    scenes=[
        SceneInfo(
            index=0,
            name="P1",
            center=(49500.0, 35500.25),
            size=(54.4, 44.0),
            contour="Rectangle",
            region_id="7",
            well=Well("D6", 4, 6, (49500.0, 35500.0)),
        )
    ],
    objective=Objective("Objective:1", "Plan 20x/0.8", 20.0, 0.8, "Air", 1.000293, 350.0),
    microscope="Celldiscoverer 7",
    microscope_type="Inverted",
    acquisition_date=datetime(2016, 7, 4, 14, 52, 8, 447341, timezone.utc),
    time_axis=Axis(start=0.0, increment=33.412, start_time=datetime(2016, 7, 4)),
    depth_axis=Axis(offsets=(0.0, 0.32, 1.5), start_position=-1.6),
    application="czictypes",
    application_version="0.1.0",
)


def leaves(xml):
    """Map the path of every element with text, and of every attribute, to its value."""
    found = {}

    def walk(element, path):
        if element.text and element.text.strip():
            found[path] = element.text
        found.update({f"{path}@{name}": value for name, value in element.attrib.items()})
        for position, child in enumerate(element):
            same = [other for other in element if other.tag == child.tag]
            number = f"[{same.index(child)}]" if len(same) > 1 else ""
            assert position < len(element)
            walk(child, f"{path}/{child.tag}{number}")

    walk(parse(xml), "")
    return found


# What pylibCZIrw writes


def peer_xml(peer, path, writes, real_loader, **metadata):
    with peer.create_czi(str(path)) as writer:
        for data, plane, scene, location in writes:
            writer.write(data, location=location, plane=plane, scene=scene)
        writer.write_metadata(**metadata)
    return real_loader(path).xml


def test_the_values_are_the_peers_for_the_same_calls(pylibczirw, tmp_path, load_czi):
    gray, color = np.zeros((10, 12), "u2"), np.zeros((10, 12, 3), "u1")
    writes = [(gray, {"C": 0, "Z": z}, s, (100 * s, 0)) for z in (3, 5) for s in (0, 1)]
    writes.append((color, {"C": 1}, 0, (0, 0)))
    peer_setting = pylibczirw.ChannelDisplaySettingsDataClass
    peer_tint, peer_color = pylibczirw.TintingMode, pylibczirw.Rgb8Color
    attributes = {"zz": 1, "aa": True, "Bb": 1 / 3, "s": "x < y", "f": 1e300, "n": math.nan}
    theirs = leaves(
        peer_xml(
            pylibczirw,
            tmp_path / "peer.czi",
            writes,
            load_czi,
            document_name="T&<x>",
            channel_names={0: "a", 1: 'b & "c"'},
            scale_x=1e-7,
            scale_y=1 / 3e6,
            scale_z=None,
            custom_attributes=attributes,
            display_settings={
                1: peer_setting(True, peer_tint.Color, peer_color(1, 2, 255), 0.2, 1 / 3),
                0: peer_setting(False, peer_tint.none, peer_color(1, 2, 255), 0.0, 1.0),
            },
        )
    )
    image = ImageSummary(
        112,
        10,
        {"Z": 6, "C": 2, "T": 1, "S": 2},
        1,
        pixel_types={0: PixelType.Gray16, 1: PixelType.Bgr24},
    )
    content = DocumentContent(
        info=GeneralDocumentInfoDto(title="T&<x>"),
        channels=[ChannelInfo(0, name="a"), ChannelInfo(1, name='b & "c"')],
        scaling=Scaling(1e-7, 1 / 3e6),
        custom_attributes=attributes,
        display_settings={
            1: ChannelDisplaySettingsDataClass(True, TintingMode.Color, BLUE, 0.2, 1 / 3),
            0: ChannelDisplaySettingsDataClass(False, TintingMode.none, BLUE, 0.0, 1.0),
        },
        application="czictypes",
        application_version="0.1.0",
    )
    ours = leaves(build_document(image, content))
    writer = {path for path in theirs if "/Application/" in path or path.endswith("/Comment")}
    for path in sorted(theirs.keys() - writer):
        assert close(ours.get(path), theirs[path]), path
    beyond = {path.rpartition("/")[2] for path in ours.keys() - theirs.keys()}
    assert beyond == {"ComponentBitCount", "BitCountRange", "PixelType", "DefaultUnitFormat"}


def close(ours, theirs):
    """Whether two texts agree; theirs has 15 digits of a double, or 6 of a float."""
    try:
        return float(ours) == pytest.approx(float(theirs), rel=5e-6, nan_ok=True)
    except (TypeError, ValueError):
        return ours == theirs


def test_the_peer_reads_what_we_build(pylibczirw, tmp_path):
    path = str(tmp_path / "peer.czi")
    with pylibczirw.create_czi(path) as writer:
        writer.write(np.zeros((10, 12), "u2"))
    xml = build_document(ONE_PLANE, EVERYTHING).decode()
    with pylibczirw.edit_czi(path) as editor, editor.edit_session() as builder:
        builder.set_xml(xml)
    with pylibczirw.open_czi(path) as reader:
        assert reader.metadata == to_dict(xml)
        expected = {**EVERYTHING.custom_attributes, "s": "text\t<&>"}  # it strips white space
        assert reader.custom_attributes_metadata == expected
    with pylibczirw.edit_czi(path) as editor:
        assert editor.read_scaling_info().scale_x == 1.0833333333333333e-06
        assert editor.read_general_document_info() == vars(EVERYTHING.info)
        (shown,) = editor.read_display_settings().values()
        assert (shown.name, shown.is_enabled) == ("DAPI", True)


# What we read of it


def test_everything_that_was_said_is_read_again():
    xml = build_document(ONE_PLANE, EVERYTHING)
    (channel,) = EVERYTHING.channels
    assert channels(xml) == [channel]
    assert scaling(xml) == EVERYTHING.scaling
    assert custom_attributes(xml) == EVERYTHING.custom_attributes
    assert scenes(xml) == list(EVERYTHING.scenes)
    assert general_document_info(xml) == EVERYTHING.info
    assert axis(xml, "T") == EVERYTHING.time_axis
    assert axis(xml, "Z") == EVERYTHING.depth_axis
    info = document_info(xml)
    assert info.objective == EVERYTHING.objective
    assert (info.microscope, info.microscope_type) == ("Celldiscoverer 7", "Inverted")
    assert info.acquisition_date == EVERYTHING.acquisition_date
    assert (info.application, info.application_version) == ("czictypes", "0.1.0")


def test_sizes_are_those_of_the_image():
    image = ImageSummary(100, 50, {"B": 1, "H": 2, "V": 3, "T": 4, "Z": 5}, 7)
    sizes = to_dict(build_document(image, DocumentContent()))
    assert sizes["ImageDocument"]["Metadata"]["Information"]["Image"] == {
        "SizeX": "100",
        "SizeY": "50",
        "SizeZ": "5",
        "SizeT": "4",
        "SizeH": "2",
        "SizeV": "3",
        "SizeB": "1",
        "SizeM": "7",
    }


@pytest.mark.parametrize(
    ("pixel_type", "bits"),
    [
        (PixelType.Gray8, 8),
        (PixelType.Bgr24, 8),
        (PixelType.Bgra32, 8),
        (PixelType.Bgr48, 16),
        (PixelType.Gray32Float, 32),
        (PixelType.Gray32, 32),
        (PixelType.Gray64Float, 64),
        (PixelType.Bgr192ComplexFloat, 32),
    ],
)
def test_the_bit_count_follows_from_the_pixel_type(pixel_type, bits):
    image = ImageSummary(1, 1, {"C": 1}, pixel_types={0: pixel_type})
    xml = build_document(image, DocumentContent())
    assert channels(xml) == [
        ChannelInfo(0, "Channel:0", pixel_type=pixel_type, component_bit_count=bits)
    ]
    assert leaves(xml)["/Metadata/Information/Image/ComponentBitCount"] == str(bits)
    assert leaves(xml)["/Metadata/Information/Image/PixelType"] == pixel_type.name


def test_billions_of_channels_that_no_tile_has_take_no_time() -> None:
    types = {0: PixelType.Gray8, 2_000_000_000: PixelType.Gray16}
    image = ImageSummary(1, 1, {"C": 2_000_000_001}, pixel_types=types)
    xml = build_document(image, DocumentContent()).decode()
    assert xml.count("<Channel ") == 2
    assert 'Id="Channel:2000000000"' in xml


def test_channels_begin_where_the_image_begins():
    image = ImageSummary(1, 1, {"C": 2}, channel_start=3, pixel_types={4: PixelType.Gray8})
    content = DocumentContent(channels=[ChannelInfo(4, name="four"), ChannelInfo(9, name="none")])
    found = channels(build_document(image, content), start=3)
    assert [(each.index, each.id, each.name) for each in found] == [
        (3, "Channel:3", None),
        (4, "Channel:4", "four"),
    ]


def test_an_image_without_channels_has_a_pixel_type():
    image = ImageSummary(1, 1, {"T": 1}, pixel_type=PixelType.Bgr24)
    xml = build_document(image, DocumentContent())
    assert leaves(xml)["/Metadata/Information/Image/PixelType"] == "Bgr24"
    assert channels(xml) == []
    named = build_document(image, DocumentContent(channels=[ChannelInfo(0, name="RGB")]))
    assert [(each.name, each.pixel_type) for each in channels(named)] == [("RGB", PixelType.Bgr24)]


def test_a_channel_with_a_colour_is_shown_in_it():
    xml = build_document(ONE_PLANE, DocumentContent(channels=[ChannelInfo(0, color=BLUE)]))
    (shown,) = display_settings(xml).values()
    assert (shown.tinting_mode, shown.tinting_color) == (TintingMode.Color, BLUE)
    assert leaves(xml)["/Metadata/DisplaySetting/Channels/Channel@Id"] == "Channel:0"


def test_a_description_stands_with_the_display_settings():
    xml = build_document(ONE_PLANE, DocumentContent(channels=[ChannelInfo(0, description="x")]))
    assert display_settings(xml)[0].description == channels(xml)[0].description == "x"


def test_display_settings_are_read_as_written():
    settings = {
        0: ChannelDisplaySettingsDataClassWithNameAndDescription(
            False, TintingMode.Color, BLUE, 0.1, 1 / 3, "shown as", "what it is"
        ),
        2: ChannelDisplaySettingsDataClassWithNameAndDescription(
            True, TintingMode.none, Rgb8Color(255, 255, 255), 0.0, 1.0
        ),
    }
    image = ImageSummary(1, 1, {"C": 3}, pixel_types=dict.fromkeys(range(3), 0))
    found = display_settings(build_document(image, DocumentContent(display_settings=settings)))
    assert {index: found[index] for index in settings} == settings
    # A channel in between is listed with the defaults.
    assert (found[1].is_enabled, found[1].white_point) == (True, 1.0)


def test_numpy_values_are_taken_too():
    color = Rgb8Color(np.uint8(1), np.uint8(2), np.uint8(255))
    setting = ChannelDisplaySettingsDataClass(
        np.bool_(True), TintingMode.Color, color, np.float32(0.5), np.float64(0.75)
    )
    image = ImageSummary(np.int64(4), np.int32(5), {"C": np.int64(1)}, pixel_types={0: np.int32(1)})
    (found,) = display_settings(
        build_document(image, DocumentContent(display_settings={0: setting}))
    ).values()
    assert (found.tinting_color, found.black_point, found.white_point) == (BLUE, 0.5, 0.75)


@pytest.mark.parametrize(
    ("well", "expected"),
    [
        (Well("D6"), Well("D6", 4, 6)),
        (Well(None, 4, 6), Well("D6", 4, 6)),
        (Well("left"), Well("left")),
        (Well("odd", 2, 3, (1.0, 2.0)), Well("odd", 2, 3, (1.0, 2.0))),
    ],
)
def test_wells_are_completed(well, expected):
    xml = build_document(ONE_PLANE, DocumentContent(scenes=[SceneInfo(0, well=well)]))
    assert scenes(xml)[0].well == expected


def test_empty_texts_are_not_written():
    content = DocumentContent(info=GeneralDocumentInfoDto(title="", comment=""))
    assert b"<Document" not in build_document(ONE_PLANE, content)


def test_the_text_is_compact_and_has_no_declaration():
    xml = build_document(ONE_PLANE, EVERYTHING)
    assert xml.startswith(b"<ImageDocument><Metadata><Information><Image><SizeX>12</SizeX>")
    assert b"\n" not in xml


def test_custom_attributes_are_sorted():
    xml = build_document(ONE_PLANE, DocumentContent(custom_attributes={"b": 1, "a": 2, "C": 3}))
    assert list(custom_attributes(xml)) == ["C", "a", "b"]


@pytest.mark.parametrize(
    "name",
    ["CellDivision_T3_Z5_CH2_X240_Y170", "S3_1Pos_2Mosaic_T2_Z3_CH2_sm", "WellD6_S1", "nuc_small"],
)
def test_what_a_zeiss_file_tells_can_be_written_again(real, name):
    xml = real(name).xml
    info = document_info(xml)
    before = channels(xml)
    content = DocumentContent(
        channels=before,
        scaling=scaling(xml),
        display_settings=display_settings(xml),
        scenes=scenes(xml),
        objective=info.objective,
        acquisition_date=info.acquisition_date,
        time_axis=axis(xml, "T"),
        depth_axis=axis(xml, "Z"),
    )
    image = ImageSummary(
        1, 1, {"C": len(before)}, pixel_types={each.index: each.pixel_type for each in before}
    )
    again = build_document(image, content)
    assert channels(again) == before
    assert (scaling(again), scenes(again)) == (scaling(xml), scenes(xml))
    assert display_settings(again) == display_settings(xml)
    assert document_info(again).objective == info.objective
    assert (axis(again, "T"), axis(again, "Z")) == (axis(xml, "T"), axis(xml, "Z"))


def test_zeiss_files_have_every_field_in_the_same_place(real):
    names = ["S3_1Pos_2Mosaic_T2_Z3_CH2_sm", "WellD6_S1", "nuc_small", "RGB-8bit"]
    names += ["CellDivision_T3_Z5_CH2_X240_Y170", "LLS7_small"]
    known = set().union(*(places(real(name).xml) for name in names))
    unknown = places(build_document(ONE_PLANE, EVERYTHING)) - known
    # These stand where libCZI reads them; none of the files happens to have them.
    document = "/ImageDocument/Metadata/Information/Document/"
    texts = ("Name", "Title", "Description", "Comment", "Keywords", "Rating")
    expected = {document + name for name in texts}
    expected.add("/ImageDocument/Metadata/DisplaySetting/Channels/Channel/Description")
    assert {path for path in unknown if "/CustomAttributes" not in path} == expected


def places(xml):
    found = set()
    stack = [(parse(xml), "")]
    while stack:
        element, path = stack.pop()
        path += f"/{element.tag}"
        found.update({path, *(f"{path}@{name}" for name in element.attrib)})
        stack.extend((child, path) for child in element)
    return found


# What cannot be written


@pytest.mark.parametrize("key", ["", "1a", "a b", "xmlKey", "XML", "a:b", "-a", "a/b", "a[0]", 5])
def test_a_key_must_be_an_element_name(key):
    with pytest.raises(ValueError, match="key of a custom attribute"):
        check_content(DocumentContent(custom_attributes={"fine": 1, key: 1}))


@pytest.mark.parametrize("value", [None, [1], b"x", 1j, np.int32(1), np.float32(1), object()])
def test_a_value_of_another_type_is_an_error(value):
    with pytest.raises(ValueError, match="bool, int, float or str"):
        check_content(DocumentContent(custom_attributes={"key": value}))


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 10**30])
def test_an_integer_beyond_32_bits_is_an_error(value):
    with pytest.raises(ValueError, match="32 bits"):
        check_content(DocumentContent(custom_attributes={"key": value}))


@pytest.mark.parametrize("scale", [0.0, -1e-7, math.inf])
def test_a_scale_must_be_positive(scale):
    with pytest.raises(ValueError, match="scale of Y"):
        check_content(DocumentContent(scaling=Scaling(1e-7, scale)))


def test_an_unknown_scale_is_left_out():
    content = DocumentContent(scaling=Scaling(math.nan, None, 1e-7))
    assert scaling(build_document(ONE_PLANE, content)) == Scaling(None, None, 1e-7)


def setting(**changes):
    values = {"color": BLUE, "black": 0.0, "white": 1.0, "name": None, **changes}
    return ChannelDisplaySettingsDataClassWithNameAndDescription(
        True, TintingMode.Color, values["color"], values["black"], values["white"], values["name"]
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({-1: setting()}, "no index"),
        ({10**9: setting()}, "no index"),
        ({"0": setting()}, "no index"),
        ({0: setting(color=Rgb8Color(0, 0, 256))}, "0 to 255"),
        ({0: setting(black=math.nan)}, "black_point is nan"),
        ({0: setting(white=math.inf)}, "white_point is inf"),
        ({0: setting(name="\x00")}, "XML cannot store"),
    ],
)
def test_display_settings_that_cannot_be_written(settings, words):
    with pytest.raises(ValueError, match=words):
        check_content(DocumentContent(display_settings=settings))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (DocumentContent(info=GeneralDocumentInfoDto(title="a\x07b")), "Title"),
        (DocumentContent(info=GeneralDocumentInfoDto(rating=3.5)), "rating"),
        (DocumentContent(channels=[ChannelInfo(3, name="\ud800")]), "name of channel 3"),
        (DocumentContent(channels=[ChannelInfo(0, detector="\x01")]), "detector of channel 0"),
        (DocumentContent(scenes=[SceneInfo(1), SceneInfo(1)]), "scene 1 is described twice"),
        (DocumentContent(scenes=[SceneInfo(0, well=Well())]), "well of scene 0"),
        (DocumentContent(microscope="\x01"), "microscope"),
        (DocumentContent(objective=Objective(name="\x01")), "objective"),
        (DocumentContent(custom_attributes={"a": "\x01"}), "custom attribute 'a'"),
    ],
)
def test_an_error_names_what_cannot_be_written(content, words):
    with pytest.raises(ValueError, match=words):
        check_content(content)


def test_content_that_can_be_written_passes_the_check():
    check_content(EVERYTHING)


# Whatever the values

TEXT = st.text(
    st.characters(min_codepoint=32, exclude_categories=["Cs"], exclude_characters="\ufffe\uffff")
)
KEYS = st.from_regex(r"[A-Za-wyz_][A-Za-z0-9_.-]{0,10}", fullmatch=True)
VALUES = st.booleans() | st.integers(-(2**31), 2**31 - 1) | st.floats(allow_nan=False) | TEXT


@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_any_custom_attributes_are_read_as_written(attributes):
    xml = build_document(ONE_PLANE, DocumentContent(custom_attributes=attributes))
    found = custom_attributes(xml) or {}
    assert found == attributes
    assert [type(found[key]) for key in attributes] == [type(each) for each in attributes.values()]


@given(st.floats(min_value=1e-300, allow_infinity=False))
def test_any_scale_is_read_as_written(scale):
    xml = build_document(ONE_PLANE, DocumentContent(scaling=Scaling(scale, scale, scale)))
    assert scaling(xml) == (scale, scale, scale)


@given(TEXT, TEXT)
def test_any_names_are_read_as_written(title, name):
    content = DocumentContent(
        info=GeneralDocumentInfoDto(title=title or None), channels=[ChannelInfo(0, name=name)]
    )
    xml = build_document(ONE_PLANE, content)
    assert general_document_info(xml).title == (title or None)
    assert channels(xml)[0].name == (name.strip() or None)
