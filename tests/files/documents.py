"""Recipes that differ in what goes with the pixels: metadata, attachments."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence

from czictypes.model.pixel_types import PixelType
from files.block import Block
from files.builder import AttachmentSpec
from files.patterns import noise, pattern
from files.recipe import Contents, recipe
from files.xml import document_xml, subblock_xml

_DISPLAY = (
    "<IsSelected>true</IsSelected><Color>#FF0000FF</Color><ColorMode>Color</ColorMode>"
    "<Low>0.1</Low><High>0.75</High>",
    "<IsSelected>false</IsSelected><Low>0</Low><High>1</High>",
)
_ATTRIBUTES = (
    '<count Type="Int32">-5</count><exact Type="Boolean">true</exact>'
    '<label Type="String">a &amp; b</label><ratio Type="Double">0.25</ratio>'
)
_DOCUMENT = (
    "<Name>named</Name><Title>A title</Title><UserName>somebody</UserName>"
    "<CreationDate>2024-05-06T07:08:09.5Z</CreationDate>"
)


@recipe()
def described() -> Contents:
    """Two channels with names, colours, scaling, custom attributes, and tags at each tile."""
    blocks = [
        Block(
            noise(PixelType.Gray16, 16, 20, 500 + channel),
            plane={"C": channel},
            m=0,
            metadata=subblock_xml(
                {
                    "StageXPosition": "+000000001250.5000",
                    "StageYPosition": "-000000000010.2500",
                    "FocusPosition": "100.75",
                    "AcquisitionTime": "2024-05-06T07:08:09.1234567Z",
                }
            ),
        )
        for channel in range(2)
    ]
    xml = document_xml(
        channels=["DAPI", "Gr\u00fcn"],
        scaling={"X": 1.5e-07, "Y": 2e-07, "Z": 1e-06},
        display=_DISPLAY,
        attributes=_ATTRIBUTES,
        document=_DOCUMENT,
        image="<SizeX>20</SizeX><SizeY>16</SizeY><SizeC>2</SizeC>",
    )
    return Contents(blocks, xml)


@recipe()
def attached() -> Contents:
    """Attachments: time stamps, an event list, and one of unknown content."""
    attachments = [
        AttachmentSpec("TimeStamps", "CZTIMS", time_stamps([0.5, 1.25, 7.0])),
        AttachmentSpec("EventList", "CZEVL", event_list([(0.75, 1, "go"), (2.0, 0, "")])),
        AttachmentSpec("Notes", "TXT", b"nothing known"),
    ]
    return Contents(
        [Block(pattern(PixelType.Gray8, 8, 8), m=0)], document_xml(), attachments=attachments
    )


def time_stamps(seconds: Sequence[float]) -> bytes:
    """Return the content of a CZTIMS attachment."""
    return struct.pack(f"<ii{len(seconds)}d", 8 + 8 * len(seconds), len(seconds), *seconds)


def event_list(events: Sequence[tuple[float, int, str]]) -> bytes:
    """Return the content of a CZEVL attachment: time, kind and text of each event."""
    entries = io.BytesIO()
    for time, kind, text in events:
        encoded = text.encode()
        entries.write(struct.pack("<idii", 20 + len(encoded), time, kind, len(encoded)) + encoded)
    content = entries.getvalue()
    return struct.pack("<ii", 8 + len(content), len(events)) + content
