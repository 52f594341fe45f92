"""The XML by itself, and compared with the sub-blocks."""

from __future__ import annotations

import pytest
from container.czi_bytes import Tile, build_czi
from good_file import GOOD_XML, found, good_file, good_tiles, xml_of


def of(xml: bytes, check: str) -> list[tuple[str, str]]:
    return found(good_file(xml=xml), check, quick=True)


def test_no_metadata() -> None:
    ((severity, message),) = found(build_czi(good_tiles(), metadata=None), "xml", quick=True)
    assert severity == "warning"
    assert "has none" in message


@pytest.mark.parametrize("xml", [GOOD_XML[:-9], b"<a><b></a>", b"no XML", b"<!DOCTYPE a><a/>"])
def test_xml_that_is_not_well_formed(xml: bytes) -> None:
    assert [severity for severity, _ in of(xml, "xml")] == ["error"]


def test_xml_that_can_be_mended() -> None:
    ((severity, message),) = of(GOOD_XML.replace(b"<Metadata>", b"<Metadata>\x01", 1), "xml")
    assert severity == "warning"
    assert "does not allow" in message
    ((severity, _),) = of(GOOD_XML.replace(b"<Metadata>", b"<Metadata>\xff", 1), "xml")
    assert severity == "warning"


def test_another_root() -> None:
    ((_, message),) = of(b"<OME/>", "xml")
    assert "'OME'" in message


def test_a_metadata_segment_that_is_not_there() -> None:
    assert found(good_file().patched(92, "<q", 544), "xml", quick=True)[0][0] == "error"


def test_values_of_another_type() -> None:
    xml = xml_of(
        more="<Scaling><Items><Distance Id='X'><Value>big</Value></Distance></Items></Scaling>"
    )
    ((severity, message),) = of(xml, "xmlmetadataschema")
    assert severity == "warning"
    assert "'big'" in message
    assert of(GOOD_XML, "xmlmetadataschema") == []


@pytest.mark.parametrize("field", ["SizeX", "SizeY", "SizeC", "SizeM"])
def test_sizes_that_do_not_fit(field: str) -> None:
    ((severity, message),) = of(xml_of(image=f"<{field}>9</{field}>"), "basicxmlmetadata")
    assert severity == "warning"
    assert "it is 9" in message


def test_a_size_that_is_missing() -> None:
    tiles = [Tile(coordinates={"C": c, "Z": z}, m=0) for c in range(2) for z in range(3)]
    everything = found(good_file(tiles, GOOD_XML), "basicxmlmetadata")
    assert (
        "warning",
        "it is missing, but sub-blocks have the dimension Z, of size 3",
    ) in everything
    one = [Tile(coordinates={"C": c, "Z": 0}, m=0) for c in range(2)]
    assert ("info", "it is missing, but sub-blocks have the dimension Z, of size 1") in found(
        good_file(one, GOOD_XML), "basicxmlmetadata"
    )


def test_channels_that_do_not_fit() -> None:
    assert of(xml_of(channels=3), "basicxmlmetadata")[0] == (
        "warning", "it lists 3 channels, but the sub-blocks have 2",
    )  # fmt: skip
    assert of(xml_of(channels=0), "basicxmlmetadata") == [
        ("warning", "it lists 0 channels, but the sub-blocks have 2")
    ]


@pytest.mark.parametrize(
    ("channel", "severity", "words"),
    [
        ("<PixelType>Gray16</PixelType><ComponentBitCount>8</ComponentBitCount>", "warning",
         "it is Gray16, its sub-blocks are Gray8"),
        ("<PixelType>Odd</PixelType><ComponentBitCount>8</ComponentBitCount>", "warning", "Odd"),
        ("<PixelType>Gray8</PixelType>", "warning", "ComponentBitCount is missing"),
        ("<PixelType>Gray8</PixelType><ComponentBitCount>12</ComponentBitCount>", "warning",
         "its ComponentBitCount is 12"),
        ("<ComponentBitCount>8</ComponentBitCount>", "info", "pixel type is missing"),
    ],
)  # fmt: skip
def test_a_channel_that_does_not_fit(channel: str, severity: str, words: str) -> None:
    everything = of(xml_of(channel=channel), "basicxmlmetadata")
    assert [one for one, _ in everything] == [severity] * 2
    assert all(words in message for _, message in everything)


def scenes(*indices: int) -> bytes:
    listed = "".join(f"<Scene Index='{index}' Name='P{index}'/>" for index in indices)
    return GOOD_XML.replace(
        b"<Dimensions>", f"<Dimensions><S><Scenes>{listed}</Scenes></S>".encode(), 1
    )


def test_scenes_that_do_not_fit() -> None:
    tiles = [Tile(x=10 * s, coordinates={"C": 0, "S": s}, m=0) for s in range(3)]
    assert found(good_file(tiles, scenes(0, 1, 2)), "scenes") == []
    assert found(good_file(tiles, scenes(0, 1)), "scenes") == [
        ("warning", "the scenes 2 of the sub-blocks are not described")
    ]
    assert found(good_file(tiles, scenes(0, 1, 2, 7)), "scenes") == [
        ("warning", "it lists the scenes 7, which have no sub-block")
    ]
    assert found(good_file(tiles, GOOD_XML), "scenes")[0][0] == "info"


def topography(items: str) -> bytes:
    data = f"<Appliance Id='Topography:1'><Data>{items}</Data></Appliance>"
    return xml_of(more=f"<Appliances>{data}</Appliances>")


@pytest.mark.parametrize(
    ("items", "severities"),
    [
        ("<Texture StartC='0'/><HeightMap StartC='1'/>", []),
        ("<Texture StartC='0'/>", ["warning"]),
        ("<Texture StartC='0'/><HeightMap StartC='5'/>", ["error"]),
        ("<Texture/><HeightMap StartC='1'/>", ["error"]),
        ("<Texture StartC='0' StartZ='1'/><HeightMap StartC='1'/>", ["warning"]),
    ],
)
def test_topography(items: str, severities: list[str]) -> None:
    found_ones = of(topography(items), "topographymetadata")
    assert [severity for severity, _ in found_ones] == severities
