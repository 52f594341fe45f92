"""A file without any fault, in bytes, and what `czi.check` finds in variants of it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from container.czi_bytes import AttachedFile, Built, Tile, build_czi
from files.documents import time_stamps

from czictypes import czi

__all__ = ["GOOD_XML", "found", "good_file", "good_tiles", "xml_of"]


def xml_of(image: str = "", channels: int = 2, channel: str = "", more: str = "") -> bytes:
    """Return the XML of `good_tiles`; `image` follows the sizes, where the first mention counts."""
    content = channel or "<PixelType>Gray8</PixelType><ComponentBitCount>8</ComponentBitCount>"
    listed = "".join(f"<Channel Id='Channel:{n}'>{content}</Channel>" for n in range(channels))
    sizes = "<SizeX>7</SizeX><SizeY>3</SizeY><SizeC>2</SizeC><SizeM>2</SizeM>"
    return (
        "<ImageDocument><Metadata><Information><Image>"
        f"{image}{sizes}<Dimensions><Channels>{listed}</Channels></Dimensions>"
        f"</Image></Information>{more}</Metadata></ImageDocument>"
    ).encode()


GOOD_XML = xml_of()


def good_tiles(**changes: Any) -> list[Tile]:
    """Return two channels of two tiles that overlap by a pixel; the changes are for all."""
    return [
        Tile(**{"x": 3 * m, "coordinates": {"C": c}, "m": m, **changes})
        for c in range(2)
        for m in range(2)
    ]


def good_file(tiles: Sequence[Tile] | None = None, xml: bytes = GOOD_XML, **more: Any) -> Built:
    """Return the bytes of a file, with attachments."""
    attached = (
        AttachedFile(b"Notes", b"TXT", b"nothing"),
        AttachedFile(b"TimeStamps", b"CZTIMS", time_stamps([0.0, 1.5])),
    )
    more.setdefault("attachments", attached)
    return build_czi(good_tiles() if tiles is None else tiles, metadata=xml, **more)


def found(built: Built, check: str, **options: Any) -> list[tuple[str, str]]:
    """Return severity and message of all that one check finds."""
    report = czi.check(io.BytesIO(built.data), **options)
    assert check in report.checks
    return [(one.severity, one.message) for one in report.of(check)]
