"""The XML, and libCZI's reading of it."""

from __future__ import annotations

import pytest

from czictypes.libczi.bitmap import composition_channel
from czictypes.libczi.metadata import MetadataSegmentHandle, count_display_channels
from czictypes.libczi.streams import InputStream
from czictypes.model.errors import NativeCallError, UnsupportedDataError
from libczi.made import XML, Memory, document, tile
from libczi.oracle import FullReader, ScalingInfo

CHANNELS = "<Channels>{}</Channels>"
SETTINGS = f"<DisplaySetting>{CHANNELS}</DisplaySetting>"
DOCUMENT = f"<ImageDocument><Metadata>{SETTINGS}</Metadata></ImageDocument>"


def with_channels(channels: str) -> bytes:
    return DOCUMENT.format(channels).encode()


def metadata(xml: bytes) -> MetadataSegmentHandle:
    with FullReader.open(InputStream.from_source(Memory(document(tile(0), xml=xml)))) as reader:
        return reader.metadata_segment()


def test_the_xml_is_what_was_written() -> None:
    with metadata(XML) as segment:
        assert segment.xml() == XML


def test_zero_bytes_at_the_end_are_no_xml() -> None:
    with metadata(XML + b"\0\0\0") as segment:
        assert segment.xml() == XML


def test_the_document_info() -> None:
    with metadata(XML) as segment, segment.document_info() as info:
        assert info.general() == {"title": "Bär"}
        assert info.scaling() == ScalingInfo(2.5e-07, None, None)
        assert info.available_dimensions() == ["C"]


def test_dimensions_that_the_xml_describes() -> None:
    image = "<SizeZ>3</SizeZ><Dimensions><Z><Positions><Interval><Start>1</Start><Increment>2"
    image += "</Increment></Interval></Positions></Z></Dimensions>"
    xml = f"<ImageDocument><Metadata><Information><Image>{image}</Image></Information>"
    xml += "</Metadata></ImageDocument>"
    with metadata(xml.encode()) as segment, segment.document_info() as info:
        assert info.dimension_info("Z") == {"interval_definition": [1.0, 2.0]}
        assert info.dimension_info("T") is None
        with pytest.raises(ValueError, match="Z, C and T, not 'S'"):
            info.dimension_info("S")


def test_damaged_xml_is_an_error() -> None:
    message = "cannot parse the XML of in memory"
    damaged = metadata(b"<ImageDocument><open>")
    with damaged, pytest.raises(NativeCallError, match=message):
        damaged.document_info()


def test_display_settings() -> None:
    with metadata(XML) as segment, segment.document_info() as info:
        settings = info.display_settings()
        assert settings is not None
        with settings:
            assert settings.channel_count == 2
            settings.channel(1).close()
            with pytest.raises(IndexError, match="for 2 channels, none for channel 2"):
                settings.channel(2)


@pytest.mark.parametrize(
    "xml",
    [
        b"<ImageDocument/>",
        b"<ImageDocument><Metadata/></ImageDocument>",
        b"<ImageDocument><Metadata><DisplaySetting/></Metadata></ImageDocument>",
        b"<Other><Metadata><DisplaySetting><Channels/></DisplaySetting></Metadata></Other>",
        # libCZI looks at the first of each name only
        b"<ImageDocument><Metadata/><Metadata><DisplaySetting><Channels/></DisplaySetting>"
        b"</Metadata></ImageDocument>",
    ],
)
def test_a_document_without_display_settings(xml: bytes) -> None:
    with metadata(xml) as segment, segment.document_info() as info:
        assert info.display_settings() is None


def test_settings_for_no_channel() -> None:
    with metadata(with_channels("")) as segment, segment.document_info() as info:
        settings = info.display_settings()
        assert settings is not None
        with settings, pytest.raises(IndexError):
            composition_channel(settings, 0, sixteen_bit=False)


@pytest.mark.parametrize(
    "xml",
    [
        b"",
        b"\xff\xfe",
        with_channels("")[:-3],
        with_channels("<Channel/>").replace(b"<ImageDocument>", b"<ImageDocument xmlns='u'>"),
        b"<!DOCTYPE d [<!ENTITY c '<Channels/>'>]><ImageDocument><Metadata><DisplaySetting>&c;"
        b"</DisplaySetting></Metadata></ImageDocument>",
    ],
)
def test_what_two_parsers_may_see_differently_counts_as_no_settings(xml: bytes) -> None:
    assert count_display_channels(xml) is None


@pytest.mark.parametrize("value", ["0", "1", "0.25", "", " 0.5 ", "1e-3", "-0.1", "1.5"])
def test_black_and_white_points_of_all_sorts(value: str) -> None:
    for name in ("Low", "High"):
        channel = f"<Channel><{name}>{value}</{name}><Gamma>0.5</Gamma></Channel>"
        with metadata(with_channels(channel)) as segment, segment.document_info() as info:
            settings = info.display_settings()
            assert settings is not None
            with settings:
                table = composition_channel(settings, 0, sixteen_bit=True).table
        assert table is not None
        assert len(table) == 65536


@pytest.mark.parametrize("value", ["nan", "inf", "1e9", "-40", "0x7fffffff", "1_0", "--1", "12"])
def test_points_that_would_use_up_the_memory_are_refused(value: str) -> None:
    for name in ("Low", "High"):
        channel = f"<Channel/><Channel><{name}>{value}</{name}></Channel>"
        with pytest.raises(UnsupportedDataError, match=f"channel 1: {name} is {value!r}"):
            count_display_channels(with_channels(channel))


def test_curves_of_too_many_points_are_refused() -> None:
    few = "<Channel><Mode>Spline</Mode><Points>0.2,0.4 0.6,0.7</Points></Channel>"
    assert count_display_channels(with_channels(few)) == 1
    with pytest.raises(UnsupportedDataError, match="more than 256 points"):
        count_display_channels(with_channels(few.replace("0.2,0.4", "0.2,0.4 " * 300)))


def test_a_curve_becomes_a_table() -> None:
    channel = "<Channel><Mode>Spline</Mode><Points>0.5,0.9</Points></Channel>"
    with metadata(with_channels(channel)) as segment, segment.document_info() as info:
        settings = info.display_settings()
        assert settings is not None
        with settings:
            table = composition_channel(settings, 0, sixteen_bit=False).table
    assert table is not None
    assert (len(table), table[0]) == (256, 0)
    assert table[128] > 200
