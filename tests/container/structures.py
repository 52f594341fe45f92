"""Small CZI files that are damaged in what they mean, not only in their bytes.

A `Seed` is a file before it is built. `damaged` changes some of its tiles, its XML or attachments,
so that heads, entries and sizes still agree with each other, or the bytes that were built, or both.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import cache
from typing import Any

import numpy as np
from files.documents import event_list, time_stamps
from files.encode import zstd_frame
from files.layouts import pyramid_tiles
from files.patterns import noise
from files.xml import subblock_xml

from container.czi_bytes import AttachedFile, Built, Tile, build_czi, mask_chunk
from container.mutations import SEEDS, XML, mutate
from czictypes.metadata.annotations import Annotation
from czictypes.metadata.builder import build_document
from czictypes.metadata.channels import ChannelInfo, WavelengthRange
from czictypes.metadata.document_content import DocumentContent, ImageSummary
from czictypes.metadata.document_info import Axis, GeneralDocumentInfoDto, Objective, Scaling, Skew
from czictypes.metadata.scenes import Plate, SceneInfo, Well
from czictypes.model.options import ChannelDisplaySettingsDataClass, Rgb8Color, TintingMode
from czictypes.model.pixel_types import PixelType

__all__ = ["Seed", "damaged", "seeds_by_name"]

Rng = np.random.Generator


@dataclass(frozen=True)
class Seed:
    """A file before it is built."""

    tiles: Sequence[Tile]
    metadata: bytes
    attachments: Sequence[AttachedFile] = ()

    def build(self) -> Built:
        """Return its bytes."""
        return build_czi(self.tiles, metadata=self.metadata, attachments=self.attachments)


@cache
def seeds_by_name() -> dict[str, Seed]:
    """Return the files to damage: every way to store pixels, every kind of XML and attachment."""
    attached = (
        AttachedFile(b"TimeStamps", b"CZTIMS", time_stamps([0.0, 1.5, 3.0])),
        AttachedFile(b"EventList", b"CZEVL", event_list([(0.5, 1, "go"), (2.0, 0, "")])),
        AttachedFile(b"Label", b"CZI", Seed([Tile(w=6, h=5, pixel_type=3)], XML).build().data),
        *_pictures(),
    )
    plain = SEEDS["plain"]
    seeds = {name: Seed(tiles, XML, attached[:2]) for name, tiles in SEEDS.items()}
    seeds["described"] = Seed(_with_tags(plain), _rich_xml(), attached)
    seeds["attached"] = Seed([Tile(w=9, h=7, coordinates={"C": 0})], XML, attached)
    seeds["slide"] = Seed(_slide(), _rich_xml(), attached[2:3])
    return seeds


def damaged(name: str, rng: Rng) -> bytes:
    """Return a damaged file made of the seed of that name."""
    seed = seeds_by_name()[name]
    if rng.random() < 0.5:
        return mutate(seed.build(), rng)
    for _ in range(int(rng.integers(1, 4))):
        seed = _pick(rng, (_change_tile, _change_tile, _change_tiles, _change_xml, _change_attached,
                           _change_content))(seed, rng)  # fmt: skip
    built = seed.build()
    return mutate(built, rng) if rng.random() < 0.3 else built.data


# Seeds


def _with_tags(tiles: Sequence[Tile]) -> list[Tile]:
    tags = {
        "StageXPosition": "+000000001250.5", "StageYPosition": "-10.25", "FocusPosition": "100.75",
        "AcquisitionTime": "2024-05-06T07:08:09.1234567Z",
    }  # fmt: skip
    return [replace(tile, metadata=subblock_xml(tags)) for tile in tiles]


def _rich_xml() -> bytes:
    """Return XML with all that `build_document` knows to write."""
    color = Rgb8Color(200, 100, 0)
    content = DocumentContent(
        GeneralDocumentInfoDto(title="T", user_name="somebody", keywords="a;b", rating=3),
        [ChannelInfo(0, name="DAPI", color=color, excitation_wavelength=405.0,
                     detection_wavelengths=(WavelengthRange(410.0, 480.0),), exposure_time=0.01),
         ChannelInfo(1, name="GFP", component_bit_count=12)],
        Scaling(1e-7, 2e-7, 1e-6),
        {"count": 3, "label": "x", "exact": True, "ratio": 0.25},
        {0: ChannelDisplaySettingsDataClass(True, TintingMode.Color, color, 0.1, 0.9)},
        [SceneInfo(0, "A1", (5.0, 6.0), (7.0, 8.0), well=Well("A1", 1, 1)), SceneInfo(1, "A2")],
        Plate("Multiwell 96", 8, 12, (9000.0, 9000.0), (6400.0, 6300.5)),
        Objective(name="20x", magnification=20.0, numerical_aperture=0.8),
        "Axio", "Upright",
        datetime(2024, 5, 6, 7, 8, 9, tzinfo=timezone.utc),
        Axis(0.0, 1.5), Axis(3.0, 1.0), Skew("Left", 30.0),
        annotations=[Annotation("Rectangle", "rectangle", ((1, 2), (5, 6)), text="here")],
    )  # fmt: skip
    sizes = {"C": 2, "Z": 2, "S": 2}
    image = ImageSummary(92, 6, sizes, 2, 0, {0: PixelType.Gray16, 1: PixelType.Gray16})
    return build_document(image, content)


def _slide() -> list[Tile]:
    """Return two scenes of colours, with a pyramid."""
    tiles = []
    for scene in range(2):
        picture = noise(PixelType.Bgr24, 40, 60, scene)
        for block in pyramid_tiles(picture, 90 * scene, 0, {"C": 0, "S": scene}, tile=32, levels=2):
            height, width = block.pixels.shape[:2]
            rectangle = block.rectangle
            tiles.append(
                Tile(rectangle.x, rectangle.y, rectangle.w, rectangle.h, (width, height),
                     dict(block.plane), block.m, PixelType.Bgr24, data=block.pixels.tobytes())
            )  # fmt: skip
    return tiles


def _pictures() -> list[AttachedFile]:
    """Return a JPEG and a PNG; without Pillow, what only looks like them."""
    made = []
    for kind, name in (("JPEG", b"Thumbnail"), ("PNG", b"SlidePreview")):
        stream = io.BytesIO(b"\xff\xd8\xff\xe0 no picture" if kind == "JPEG" else b"\x89PNG\r\n")
        try:
            from PIL import Image

            Image.new("RGB", (20, 10), (9, 99, 200)).save(stream, kind)
        except ImportError:
            pass
        made.append(AttachedFile(name, b"JPG" if kind == "JPEG" else b"PNG", stream.getvalue()))
    return made


# Changes


def _pick(rng: Rng, values: Sequence[Any]) -> Any:
    return values[int(rng.integers(len(values)))]


_PLACES = (0, 1, -1, 7, -300, 2000, 60000, 2**20, 2**27, -(2**31), 2**31 - 1, 2**31 - 9)
_SIZES = (0, 1, 2, 3, 5, 40, 300, 5000, 20000, 70000, 2**20, 2**27, 2**31 - 1, -1, -5)


def _odd_tile(tile: Tile, rng: Rng) -> Tile:
    """Return the tile with one thing changed, in head and entry alike."""
    tile = replace(tile, data=tile.content)
    letter = _pick(rng, "ZCTRIHVBS")
    stored = tile.physical or (tile.w, tile.h)
    change: dict[str, Any] = _pick(
        rng,
        [
            {"x": _pick(rng, _PLACES)},
            {"y": _pick(rng, _PLACES)},
            {"w": _pick(rng, _SIZES), "physical": _pick(rng, [None, stored])},
            {"h": _pick(rng, _SIZES), "physical": _pick(rng, [None, stored])},
            {"physical": (_pick(rng, _SIZES), stored[1])},
            {
                "w": _pick(rng, (1, 7, 300)),
                "h": _pick(rng, (1, 9, 200)),
                "physical": None,
                "data": None,
                "pixel_type": _pick(rng, (0, 1, 2, 3, 4, 8, 9, 10, 12)),
                "compression": 0,
            },
            {"physical": (_pick(rng, _SIZES[:9]), _pick(rng, _SIZES[:9]))},
            {"coordinates": {**tile.coordinates, letter: _pick(rng, _PLACES)}},
            {"coordinates": {k: v for k, v in tile.coordinates.items() if k != letter}},
            {"m": _pick(rng, (*_PLACES, None))},
            {"pixel_type": _pick(rng, (0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 99, -1))},
            {"compression": _pick(rng, (0, 1, 2, 4, 5, 6, 7, 100, -1))},
            {"pyramid_type": _pick(rng, (0, 1, 2, 255))},
            {"file_part": _pick(rng, (0, 1, 2, -1))},
            {"metadata": _odd_xml(tile.metadata or b"<METADATA/>", rng)},
            {"attachment": _odd_mask(rng)},
            {"data": _odd_data(tile, rng)},
        ],
    )
    if tile.dimensions is not None and not change.keys() - {"x", "y", "w", "h", "coordinates", "m"}:
        dimensions = list(tile.dimensions)
        at = int(rng.integers(len(dimensions)))
        sizes = {"start": _pick(rng, _PLACES), "size": _pick(rng, _SIZES)}
        name = _pick(rng, list(sizes))
        dimensions[at] = replace(dimensions[at], **{name: sizes[name]})
        change = {"dimensions": dimensions}
    return replace(tile, **change)


def _odd_mask(rng: Rng) -> bytes:
    sizes = [int(_pick(rng, (0, 1, 4, 12, 500, 70000, 2**31, 2**32 - 1))) for _ in range(3)]
    bits = rng.bytes(int(rng.integers(40)))
    whole = mask_chunk(sizes[0], sizes[1], bits, sizes[2], representation=_pick(rng, (0, 0, 0, 1)))
    chunk = rng.bytes(16) + struct.pack("<I", int(_pick(rng, (0, 3, 2**31, 2**32 - 1)))) + b"abc"
    return _pick(rng, [whole, chunk + whole, whole + whole, rng.bytes(30)])


def _odd_data(tile: Tile, rng: Rng) -> bytes:
    """Return other pixel data: whole frames of the wrong size, headers and frames changed."""
    content = tile.content if len(tile.content) < 1 << 20 else b""
    at = content.find(b"\x28\xb5\x2f\xfd")
    frame = zstd_frame(bytes(int(_pick(rng, (0, 1, 143, 145, 10**4, 10**7)))))
    head = content[: max(at, 0)]
    return _pick(
        rng,
        [
            head + frame,
            frame + content,
            b"\x03\x01\x01" + frame,
            bytes([int(_pick(rng, (0, 1, 2, 3, 4, 255))), int(rng.integers(3)), 1]) + content[3:],
            content[: int(rng.integers(len(content) + 1))],
            content + rng.bytes(int(_pick(rng, (1, 100, 5000)))),
            _scatter(content, rng, max(at, 0)),
            b"",
        ],
    )


def _scatter(data: bytes, rng: Rng, start: int = 0) -> bytes:
    """Return the data with some bytes changed, most of them among the first."""
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        if len(changed) > start:
            reach = min(len(changed) - start, int(_pick(rng, (8, 24, 200, 1 << 30))))
            changed[start + int(rng.integers(reach))] = int(rng.integers(256))
    return bytes(changed)


def _change_tile(seed: Seed, rng: Rng) -> Seed:
    tiles = list(seed.tiles) or [Tile()]
    at = int(rng.integers(len(tiles)))
    tiles[at] = _odd_tile(tiles[at], rng)
    return replace(seed, tiles=tiles)


def _change_tiles(seed: Seed, rng: Rng) -> Seed:
    """Leave out, repeat, mix or lie about tiles; or change all of them alike."""
    tiles = list(seed.tiles) or [Tile()]
    at = int(rng.integers(len(tiles)))
    state = rng.bit_generator.state

    def alike(tile: Tile) -> Tile:
        rng.bit_generator.state = state
        return _odd_tile(tile, rng)

    changed: Callable[[], list[Tile]] = _pick(
        rng,
        [
            lambda: [alike(tile) for tile in tiles],
            lambda: tiles[:at] + tiles[at + 1 :],
            lambda: [*tiles, *[tiles[at]] * int(_pick(rng, (1, 3, 50)))],
            lambda: [tiles[int(index)] for index in rng.permutation(len(tiles))],
            lambda: [*tiles, *seeds_by_name()[_pick(rng, sorted(SEEDS))].tiles],
            lambda: [*tiles[:at], replace(tiles[at], listed=_odd_tile(tiles[at], rng)),
                     *tiles[at + 1 :]],
            lambda: [_doubled(tile) for tile in tiles],
            list,
        ],
    )  # fmt: skip
    return replace(seed, tiles=changed())


def _doubled(tile: Tile) -> Tile:
    """Return the tile at twice its size and place, as far as an entry can tell it."""
    x, w, h = (max(-(2**31), min(2 * value, 2**31 - 1)) for value in (tile.x, tile.w, tile.h))
    return replace(tile, physical=tile.physical or (tile.w, tile.h), x=x, w=w, h=h)


_VALUES = (
    "", "0", "-1", "1e309", "-1e309", "nan", "inf", "1e-320", "99999999999999999999", "2147483648",
    "x", "\u0660", "1,5", "0x10", " 7 ", "true", "Channel:99", "S", "#", "#GG", "#FF", "2024-02-30",
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999Z", "24:61", "A" * 5000, "&lt;",
    "\U0001f52c", "Gray8", "Bgr24", "&amp;" * 9, "\n", "12,3 45,6", "[" * 99, "-0", "1" * 400,
)  # fmt: skip
_VALUE = re.compile(rb">([^<>]+)<|=['\"]([^'\"<>]*)['\"]")
_ELEMENT = re.compile(rb"<([A-Za-z]\w*)\b[^<>]*>(?:[^<>]*|(?:(?!<\1\b).)*?)</\1>", re.DOTALL)


def _odd_xml(xml: bytes, rng: Rng) -> bytes:
    """Return XML with a value or an element changed; mostly it stays well-formed."""
    if rng.random() < 0.5 and (values := list(_VALUE.finditer(xml))):
        found = _pick(rng, values)
        start, end = found.span(1) if found.group(1) is not None else found.span(2)
        return xml[:start] + _pick(rng, _VALUES).encode() + xml[end:]
    if elements := list(_ELEMENT.finditer(xml)):
        found, other = _pick(rng, elements), _pick(rng, elements)
        start, end = found.span()
        whole, name = found.group(), found.group(1)
        new = _pick(
            rng,
            [
                b"",
                whole * 2,
                whole * 300,
                other.group(),
                b"<%s/>" % name,
                b"<a:b xmlns:a='u'>%s</a:b>" % whole,
                b"<%s>" % name * 2000 + b"</%s>" % name * 2000,
                whole[: len(whole) // 2],
                b"<!-- -->" + whole + b"<?p q?>",
                whole.replace(name, b"X" + name),
            ],
        )
        return xml[:start] + new + xml[end:]
    return _scatter(xml, rng)


def _change_xml(seed: Seed, rng: Rng) -> Seed:
    xml = seed.metadata
    for _ in range(int(rng.integers(1, 6))):
        xml = _odd_xml(xml, rng)[: 1 << 20]
    heads = [b"\xef\xbb\xbf", b'<?xml version="1.0" encoding="utf-16"?>', b"<!DOCTYPE a>", b"\0"]
    if rng.random() < 0.1:
        xml = _pick(rng, [_pick(rng, heads) + xml, xml.decode(errors="replace").encode("utf-16")])
    return replace(seed, metadata=xml)


def _change_attached(seed: Seed, rng: Rng) -> Seed:
    files = list(seed.attachments) or [AttachedFile()]
    at = int(rng.integers(len(files)))
    one = files[at]
    nested = Seed([_odd_tile(Tile(w=6, h=5, pixel_type=3), rng)], XML, [one]).build()
    stamps = struct.pack("<ii2d", int(_pick(rng, _SIZES)), int(_pick(rng, _SIZES)), np.nan, 1e300)
    files[at] = replace(
        one,
        **_pick(
            rng,
            [
                {"data": _scatter(one.data, rng)},
                {"data": one.data[: int(rng.integers(len(one.data) + 1))]},
                {"data": nested.data, "file_type": b"CZI"},
                {"data": mutate(nested, rng), "file_type": b"CZI"},
                {"data": stamps, "name": b"TimeStamps"},
                {"data": stamps, "name": b"EventList", "file_type": b"CZEVL"},
                {"data": event_list([(float("nan"), _pick(rng, (-1, 9, 2**31 - 1)), "\0\ud7ff")])},
                {"data": b""},
                {
                    "file_type": _pick(
                        rng, (b"CZI", b"JPG", b"PNG", b"CZTIMS", b"CZEVL", b"\xff\xfe")
                    )
                },
                {
                    "name": _pick(
                        rng, (b"Label", b"Thumbnail", b"TimeStamps", b"", b"\xff" * 79, b"../a")
                    )
                },
                {"file_part": _pick(rng, (1, -1))},
                {"schema": b"ZZ"},
            ],
        ),
    )
    return replace(seed, attachments=[*files, *files[: int(_pick(rng, (0, 0, 1)))]])


def _change_content(seed: Seed, rng: Rng) -> Seed:
    """Give all tiles values that are no numbers to count on: NaN, infinities, extremes."""
    tiles = []
    kind = _pick(rng, (PixelType.Gray32Float, PixelType.Gray64ComplexFloat))
    odd = np.array([np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-45, 0], "<f4")
    for tile in seed.tiles:
        width, height = tile.physical or (tile.w, tile.h)
        if 0 < width < 1000 and 0 < height < 1000:
            same = replace(tile, pixel_type=kind, compression=0, data=None)
            data = rng.choice(odd, len(same.content) // 4).tobytes()
            tiles.append(replace(same, data=data))
    return replace(seed, tiles=tiles or seed.tiles)
