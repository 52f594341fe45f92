"""The XML by itself and beside the sub-blocks; heads, XML, pixels and masks of sub-blocks."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from container.czi_bytes import Tile, build_czi, mask_chunk
from files.encode import zstd_frame
from files.masks import CHUNK_CONTAINER_XML
from good_file import GOOD_XML, found, good_file, good_tiles, xml_of

from czictypes import czi
from czictypes.model.pixel_types import Compression, PixelType


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


def changed(number: int, **changes: Any) -> list[Tile]:
    tiles = good_tiles()
    tiles[number] = replace(tiles[number], **changes)
    return tiles


@pytest.mark.parametrize(
    "changes",
    [
        {"listed": Tile(x=3, w=9, coordinates={"C": 1}, m=1)},
        {"listed": Tile(x=3, coordinates={"C": 0}, m=7)},
        {"data_size": 10**9},
        {"data_size": -1},
        {"metadata_size": 10**6},
        {"attachment_size": 10**6},
        {"data": bytes(5)},
        {"schema": b"XX", "listed": Tile(x=3, coordinates={"C": 1}, m=1)},
    ],
    ids=lambda changes: ",".join(changes),
)
def test_a_head_that_contradicts(changes: dict[str, Any]) -> None:
    built = good_file(changed(3, **changes))
    (finding,) = czi.check(io.BytesIO(built.data)).of("subblksegmentsvalid")
    assert (finding.severity, finding.sub_block, finding.offset) == ("error", 3, built.subblocks[3])
    assert "sub-block 3" in finding.place
    assert czi.check(io.BytesIO(built.data), quick=True).of("subblksegmentsvalid") == []


def test_a_sub_block_that_is_not_there() -> None:
    built = good_file()
    ((severity, message),) = found(
        built.patched(built.subblocks[2], "<4s", b"NONE"), "subblksegmentsvalid"
    )
    assert severity == "error"
    assert "should begin a ZISRAWSUBBLOCK segment" in message


def test_sub_blocks_that_run_into_each_other() -> None:
    built = good_file()
    gap = built.subblocks[1] - built.subblocks[0] - 288
    longer = built.patched(built.subblocks[0] + 40, "<q", gap + 8)
    ((severity, message),) = found(longer, "subblksegmentsvalid")
    assert severity == "error"
    assert "8 bytes into sub-block 1" in message


def test_an_unknown_compression_is_no_damage() -> None:
    tiles = changed(1, compression=200)
    assert [one for one, _ in found(good_file(tiles), "subblksegmentsvalid")] == ["warning"]


def test_a_label_that_is_not_that_of_the_data() -> None:
    tiles = changed(1, compression=Compression.JpegXr)
    ((severity, message),) = found(good_file(tiles), "subblksegmentsvalid")
    assert severity == "warning"
    assert "labelled JpegXr, but its data are Uncompressed" in message


def test_the_xml_of_a_sub_block() -> None:
    assert found(good_file(changed(0, metadata=b"<METADATA><Tags>")), "subblkmetadata")
    assert found(good_file(changed(0, metadata=b"<METADATA/>")), "subblkmetadata") == []
    odd = changed(0, metadata=b"<METADATA>\x02</METADATA>")
    ((severity, message),) = found(good_file(odd), "subblkmetadata")
    assert severity == "warning"
    assert "does not allow" in message


@pytest.mark.parametrize("compression", [Compression.Zstd0, Compression.Zstd1])
def test_pixels_that_cannot_be_decoded(compression: Compression) -> None:
    frame = bytearray(zstd_frame(np.arange(12, dtype=np.uint8).tobytes()))
    frame[-3] ^= 0xFF
    frame[-4] ^= 0xFF
    first = b"\x01" if compression == Compression.Zstd1 else b""
    broken = good_file(changed(2, compression=compression, data=first + bytes(frame[:-6])))
    ((severity, _),) = found(broken, "subblkbitmapvalid", pixels=True)
    assert severity == "error"
    whole = first + zstd_frame(bytes(12))
    good = good_file(changed(2, compression=compression, data=whole))
    assert found(good, "subblkbitmapvalid", pixels=True) == []


def test_what_has_no_head_is_not_told_twice() -> None:
    broken = good_file(changed(2, data_size=10**9))
    assert found(broken, "subblkbitmapvalid", pixels=True) == []


def test_a_mask_that_is_cut_off() -> None:
    attachment = mask_chunk(4, 3, b"\xf0" * 3)
    masked = changed(1, metadata=CHUNK_CONTAINER_XML, attachment=attachment)
    assert found(good_file(masked), "subblkbitmapvalid", pixels=True) == []
    cut = changed(1, metadata=CHUNK_CONTAINER_XML, attachment=attachment[:-2])
    ((severity, _),) = found(good_file(cut), "subblkbitmapvalid", pixels=True)
    assert severity == "error"


@pytest.mark.parametrize(
    ("bits", "largest", "wrong"), [(12, 4095, 0), (12, 4096, 2), (16, 65535, 0)]
)
def test_pixels_that_need_more_bits(bits: int, largest: int, wrong: int) -> None:
    xml = xml_of(
        channel=f"<PixelType>Gray16</PixelType><ComponentBitCount>{bits}</ComponentBitCount>"
    )
    pixels = np.full(12, largest, "<u2").tobytes()
    tiles = good_tiles(pixel_type=int(PixelType.Gray16), data=pixels)
    everything = found(good_file(tiles, xml), "bitcount", pixels=True)
    assert [severity for severity, _ in everything] == ["warning"] * wrong
    assert all(str(largest) in message for _, message in everything)
