"""One bad field of the metadata is None, with a warning that names it; all else is as it was."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from described import (
    display_xml,
    planes,
    scaling_xml,
    write_described,
)
from extras import needs
from files.block import Block
from files.xml import subblock_xml
from hypothesis import given, settings
from hypothesis import strategies as st

from czictypes import CziImage
from czictypes.model.errors import MetadataWarning, SparseDocumentError

#: A document in which every field is told that an image tells of.
SOUND = (
    scaling_xml(X="2e-07", Y="3e-07", Z="4e-07")
    + display_xml(
        "<Low>0.1</Low><High>0.5</High><Color>#FF112233</Color><Gamma>1.5</Gamma>",
        "<Low>0</Low><High>1</High>",
    )
    + "<Information>"
    "<Document><Title>title</Title><Rating>3</Rating>"
    "<CreationDate>2024-05-06T07:08:09Z</CreationDate></Document>"
    "<Instrument><Microscopes><Microscope Id='Microscope:1' Name='stand'><Type>Upright</Type>"
    "</Microscope></Microscopes><Detectors><Detector Id='Detector:a b' Name='camera'/></Detectors>"
    "<Objectives><Objective Id='Objective:1' Name='lens'><LensNA>0.8</LensNA>"
    "<NominalMagnification>20</NominalMagnification><WorkingDistance>500</WorkingDistance>"
    "<Immersion>Oil</Immersion></Objective></Objectives></Instrument>"
    "<Image><SizeX>6</SizeX><SizeC>2</SizeC><SizeT>2</SizeT><ComponentBitCount>12</ComponentBitCount>"
    "<AcquisitionDateAndTime>2024-05-06T07:00:00Z</AcquisitionDateAndTime>"
    "<PixelType>Gray16</PixelType>"
    "<ObjectiveSettings><RefractiveIndex>1.5</RefractiveIndex></ObjectiveSettings>"
    "<Dimensions><Channels>"
    "<Channel Id='Channel:0' Name='first'><ExcitationWavelength>488</ExcitationWavelength>"
    "<EmissionWavelength>520</EmissionWavelength><ExposureTime>1000000</ExposureTime>"
    "<PixelType>Gray16</PixelType><ComponentBitCount>12</ComponentBitCount>"
    "<AcquisitionMode>WideField</AcquisitionMode><DetectorSettings><Binning>2,2</Binning>"
    "<Detector Id='Detector:a b'/></DetectorSettings></Channel>"
    "<Channel Id='Channel:1' Name='second'/></Channels>"
    "<T><Positions><Interval><Start>0</Start><Increment>5</Increment></Interval></Positions></T>"
    "<S><Scenes><Scene Index='0' Name='A'><CenterPosition>10,20</CenterPosition>"
    "<ContourSize>1.2,1.2</ContourSize><Shape Name='B3' Id='2-3'><RowIndex>2</RowIndex>"
    "<ColumnIndex>3</ColumnIndex><CenterPosition>10,20</CenterPosition></Shape></Scene>"
    "<Scene Index='1' Name='B'><CenterPosition>20,20</CenterPosition></Scene></Scenes></S>"
    "</Dimensions></Image></Information>"
    "<Experiment><Template Name='plate'><ShapeRows>4</ShapeRows><ShapeColumns>6</ShapeColumns>"
    "</Template></Experiment>"
)


def write_sound(folder: Path, inner: str = SOUND, **more: Any) -> Path:
    return write_described(folder, inner, sizes={"T": 2, "C": 2}, scenes=2, **more)


def all_told(image: CziImage) -> dict[str, Any]:
    """Return every property that describes an image."""
    names = (
        "channel_names channel_colors contrast_limits channels physical_pixel_sizes time_stamps "
        "time_interval scale scene_info origin well field plate document_info acquisition_date "
        "objective scenes"
    )
    return {name: getattr(image, name) for name in names.split()}


def differing(first: dict[str, Any], second: dict[str, Any]) -> set[str]:
    return {name for name in first if first[name] != second[name]}


@pytest.fixture
def sound(tmp_path: Path) -> dict[str, Any]:
    with CziImage(write_sound(tmp_path)) as image:
        told = all_told(image)
    assert None not in told.values()
    return told


DATE = "2024-05-06T07:00:00Z"
CENTER = "Position>{}</CenterPosition><C"


@pytest.mark.parametrize(
    ("field", "value", "affected"),
    [
        ("SizeC>2<", "SizeC>0<", set()),
        ("SizeC>2<", "SizeC>two<", set()),
        ("SizeT>2<", "SizeT>-1<", set()),
        ("Value>2e-07<", "Value>two<", {"physical_pixel_sizes", "scale", "origin"}),
        ("Value>3e-07<", "Value>-1<", {"physical_pixel_sizes", "scale", "origin"}),
        ("Value>4e-07<", "Value>1e999<", {"physical_pixel_sizes", "scale"}),
        ("Increment>5<", "Increment>often<", {"time_stamps", "time_interval", "scale"}),
        ("Low>0.1<", "Low>dark<", {"contrast_limits"}),
        ("High>0.5<", "High>0.05<", {"contrast_limits"}),
        ("#FF112233", "blue", {"channel_colors", "channels"}),
        ("ExcitationWavelength>488", "ExcitationWavelength>green", {"channels"}),
        ("ExposureTime>1000000", "ExposureTime>long", {"channels"}),
        ("PixelType>Gray16</PixelType><C", "PixelType>Gray17</PixelType><C", set()),
        (DATE, "2024-02-31T07:00:00Z", {"document_info", "acquisition_date"}),
        (DATE, "9999-12-31T23:59:59-24:00", {"document_info", "acquisition_date"}),
        ("Id='Channel:0'", "", set()),  # the display settings tell as well
        ("Id='Channel:1'", "Id='Channel:0'", {"channels"}),
        ("Name='first'", "Name='second'", {"channel_names", "channels"}),
        ("RowIndex>2<", "RowIndex>second<", set()),  # the well's Id tells as well
        (CENTER.format("10,20"), CENTER.format("here"), {"scene_info", "origin"}),
        ("ContourSize>1.2,1.2<", "ContourSize>large<", {"scene_info"}),
        ("Index='0' Name='A'", "Index='first' Name='A'", set()),  # its position tells
        ("Index='1' Name='B'", "Index='0' Name='B'", set()),  # the order tells
        ("ShapeRows>4<", "ShapeRows>four<", {"plate"}),
        ("LensNA>0.8<", "LensNA>high<", {"document_info", "objective"}),
    ],
)  # fmt: skip
def test_a_bad_field_takes_nothing_else_down(
    tmp_path: Path, sound: dict[str, Any], field: str, value: str, affected: set[str]
) -> None:
    assert SOUND.count(field) == 1, field
    with CziImage(write_sound(tmp_path, SOUND.replace(field, value))) as image:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MetadataWarning)
            told = all_told(image)
    assert differing(told, sound) == affected


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("Value>2e-07<", "Value>two<", "Scaling/Items/Distance.*Value is 'two'"),
        ("Increment>5<", "Increment>often<", "Interval/Increment is 'often'"),
        ("High>0.5<", "High>0.05<", "black and white point of channel 0 are 0.1 and 0.05"),
        ("ExposureTime>1000000", "ExposureTime>long", r"Channel\[0\]/ExposureTime is 'long'"),
        (DATE, "2024-02-31T07:00:00Z", "AcquisitionDateAndTime is '2024-02-31"),
        ("#FF112233", "blue", "Color: 'blue' is not a colour"),
        ("LensNA>0.8<", "LensNA>high<", "LensNA is 'high'"),
    ],
)
def test_the_warning_names_it(tmp_path: Path, field: str, value: str, named: str) -> None:
    with CziImage(write_sound(tmp_path, SOUND.replace(field, value))) as image:
        with pytest.warns(MetadataWarning, match=named):
            all_told(image)


def test_xml_that_is_none_leaves_pixels_and_labels(tmp_path: Path) -> None:
    path = write_sound(tmp_path, xml=b"<ImageDocument><Metadata>")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with CziImage(path) as image:
            told = all_told(image)
            assert image.asarray().shape == (2, 2, 1, 4, 6)
    assert {warning.category for warning in caught} == {MetadataWarning}
    assert re.search("not well-formed.*taken as missing", str(caught[0].message))
    assert told["channel_names"] == ["Channel:0", "Channel:1"]
    assert told["scenes"] == ("Image:0", "Image:1")
    assert told["physical_pixel_sizes"] == (None, None, None)


@pytest.mark.parametrize("stamps", [[0.0, 1e300], [5.0, 1.0], [-1e308, 1e308]])
def test_absurd_time_stamps_give_no_interval(tmp_path: Path, stamps: list[float]) -> None:
    with CziImage(write_sound(tmp_path, stamps=stamps)) as image:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MetadataWarning)
            assert image.time_interval is None
        assert image.channel_names == ["first", "second"]


def test_damaged_attachments_take_nothing_else_down(tmp_path: Path, sound: dict[str, Any]) -> None:
    path = write_sound(tmp_path, stamps=[1.0, 2.0])
    data = bytearray(path.read_bytes())
    at = data.index(b"ZISRAWATTACH\0")
    data[at : at + 12] = b"ZISRAWDAMAGE"
    path.write_bytes(data)
    with CziImage(path) as image:
        with pytest.warns(MetadataWarning, match="taken as missing"):
            assert image.time_stamps == [0.0, 5.0]
        assert differing(all_told(image), sound) == set()


#: What the text of a field may be replaced by.
ODD_TEXTS = """
|0|-1|1e400|nan|1e-300|1e30|99999999999|3.5|two|#|a,b|\u00b5|]]|1 2|-|Channel:0|
0001-01-01T00:00:00|9999-12-31T23:59:59-14:00
"""
ODD = st.sampled_from([text.strip() for text in ODD_TEXTS.split("|")])
_PLACE = re.compile(r"(?<=>)[^<>]+(?=</)|(?<==')[^']*(?=')")
PLACES = [match.span() for match in _PLACE.finditer(SOUND)]


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """Replace some texts and attributes, and leave out or repeat some elements."""
    chosen = draw(st.lists(st.sampled_from(PLACES), max_size=6, unique=True))
    text = SOUND
    for start, end in sorted(chosen, reverse=True):
        text = text[:start] + draw(ODD) + text[end:]
    names = st.sampled_from(["Channel", "Scene", "Distance", "Image"])
    for name in draw(st.lists(names, max_size=2)):
        found = re.search(rf"<{name}[ >].*?</{name}>", text)
        if found:
            again = found.group() * draw(st.sampled_from([0, 2]))
            text = text[: found.start()] + again + text[found.end() :]
    return text


TAGS = st.sampled_from(["AcquisitionTime", "StageXPosition", "FocusPosition", "DetectorState"])


@settings(max_examples=40)  # ome-types takes its time to write XML
@given(inner=damaged(), tags=st.dictionaries(TAGS, ODD))
def test_whatever_the_metadata_are(
    inner: str, tags: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    needs("ome_types", "ome")
    needs("lxml")
    from ome_types import validate_xml

    blocks = planes({"T": 2, "C": 2}, scenes=2, metadata=lambda plane: subblock_xml(tags))
    path = write_described(tmp_path_factory.mktemp("damaged"), inner, blocks=blocks)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", MetadataWarning)
        with CziImage(path) as image:
            told = all_told(image)
            coords = image.coords()
            ome = image.ome_metadata
    validate_xml(ome.to_xml())
    assert len(set(told["channel_names"])) == 2
    assert all(np.isfinite(coords[name].values).all() for name in "XYZ")
    assert len(ome.images) == 2


@pytest.mark.parametrize("name", "TCZH")
def test_a_coordinate_beyond_all_others_is_named(tmp_path: Path, name: str) -> None:
    blocks = [
        Block(np.zeros((4, 4), "u1"), 0, 0, {"C": 0, name: 0}),
        Block(np.zeros((4, 4), "u1"), 0, 0, {"C": 0, name: 2**30}),
    ]
    with CziImage(write_described(tmp_path, blocks=blocks)) as image:
        with pytest.raises(
            SparseDocumentError, match=f"planes .{name} 0 to 1073741824., but only 2 sub-blocks"
        ):
            image.dims  # noqa: B018
        assert image.reader.read(plane={name: 2**30}).shape == (4, 4, 1)


def test_a_tile_beyond_all_others_takes_no_memory(tmp_path: Path) -> None:
    blocks = [
        Block(np.zeros((4, 4), "u1"), 0, 0, {"C": 0}, m=0),
        Block(np.zeros((4, 4), "u1"), 2**30, 0, {"C": 0}, m=1),
    ]
    with CziImage(write_described(tmp_path, blocks=blocks)) as image:
        assert list(image.coords()) == ["C", "Z", "Y"]
        assert image.channel_names == ["Channel:0"]
