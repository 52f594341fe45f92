"""Small CZI files, and random damage to them."""

from __future__ import annotations

import struct
from itertools import product
from typing import Any, Callable

import numpy as np
from files.encode import zstd_frame
from files.jpeg_xr import jpeg_xr_tile
from files.masks import CHUNK_CONTAINER_XML

from container.czi_bytes import AttachedFile, Built, Dimension, Tile, build_czi, mask_chunk
from czictypes.model.pixel_types import Compression, PixelType, pixel_format

__all__ = ["SEEDS", "XML", "mutate", "seed_files"]

XML = (
    b"<ImageDocument><Metadata><Information><Image><SizeX>24</SizeX><SizeY>6</SizeY>"
    b"<SizeC>2</SizeC><Dimensions><Channels><Channel Id='Channel:0' Name='A'>"
    b"<PixelType>Gray16</PixelType></Channel></Channels></Dimensions></Image><Document>"
    b"<Title>T</Title></Document></Information><Scaling><Items><Distance Id='X'><Value>1e-7"
    b"</Value></Distance></Items></Scaling><DisplaySetting><Channels><Channel Id='Channel:0'>"
    b"<Low>0.1</Low><High>0.9</High><Color>#FFFF0000</Color></Channel></Channels>"
    b"</DisplaySetting></Metadata></ImageDocument>"
)
_ATTACHMENTS = (
    AttachedFile(b"TimeStamps", b"CZTIMS", struct.pack("<ii3d", 32, 3, 0.0, 1.5, 3.0)),
    AttachedFile(b"Label", b"CZI", bytes(50)),
)


def _content(pixel_type: int, pixels: int, seed: int) -> bytes:
    size = pixels * pixel_format(pixel_type).bytes_per_pixel
    return np.random.default_rng(seed).integers(0, 9, size, np.uint8).tobytes()


def _compressed(pixel_type: int, compression: int, *, hilo: bool, x: int = 0) -> Tile:
    data = _content(pixel_type, 12 * 6, x)
    if hilo:
        data = b"\x03\x01\x01" + zstd_frame(data[0::2] + data[1::2])
    else:
        data = (b"\x01" if compression == Compression.Zstd1 else b"") + zstd_frame(data)
    return Tile(
        x=x, w=12, h=6, coordinates={"C": 0}, pixel_type=pixel_type, compression=compression,
        data=data, m=x,
    )  # fmt: skip


def _plain(c: int, z: int, scene: int, m: int) -> Tile:
    x = 10 * m + 40 * scene
    data = _content(PixelType.Gray16, 12 * 6, c + z)
    return Tile(
        x=x, w=12, h=6, coordinates={"Z": z, "C": c, "S": scene}, m=m,
        pixel_type=PixelType.Gray16, data=data, metadata=b"<METADATA><Tags/></METADATA>",
    )  # fmt: skip


def _scan(t: int, compression: int = 0) -> Tile:
    """Return a sub-block with 3 places of T."""
    data = _content(PixelType.Gray16, 3 * 12 * 6, t)
    places = [Dimension(b"X", 0, 12), Dimension(b"Y", 0, 6), Dimension(b"T", t, 3)]
    return Tile(
        w=12, h=6, pixel_type=PixelType.Gray16, compression=compression, dimensions=places,
        data=zstd_frame(data) if compression else data,
    )  # fmt: skip


def _masked(chunks_before: bytes) -> Tile:
    attachment = chunks_before + mask_chunk(12, 6, bytes([0b10101010, 0b11110000]) * 6)
    return Tile(w=12, h=6, metadata=CHUNK_CONTAINER_XML, attachment=attachment)


def _jpegxr(pixel_type: PixelType, x: int) -> Tile:
    _, data = jpeg_xr_tile(pixel_type)
    return Tile(
        x=x, w=12, h=10, coordinates={"C": int(pixel_type)}, pixel_type=pixel_type,
        compression=Compression.JpegXr, data=data,
    )  # fmt: skip


def _seed_tiles() -> dict[str, list[Tile]]:
    gray16, bgr48, bgr24 = PixelType.Gray16, PixelType.Bgr48, PixelType.Bgr24
    zstd0, zstd1 = Compression.Zstd0, Compression.Zstd1
    many = [Dimension(letter.encode(), 0) for letter in "ZCTRIHVBS"]
    pyramid = Tile(w=24, h=6, physical=(12, 3), coordinates={"Z": 0, "C": 0, "S": 0}, pixel_type=1)
    return {
        "plain": [_plain(*place) for place in product((0, 1), repeat=4)],
        "zstd": [
            _compressed(gray16, zstd0, hilo=False),
            _compressed(gray16, zstd1, hilo=True, x=12),
            _compressed(gray16, zstd1, hilo=False, x=24),
        ],
        "colours": [
            _compressed(bgr48, zstd1, hilo=True),
            _compressed(bgr48, zstd0, hilo=False, x=6),
            Tile(w=12, h=6, pixel_type=bgr24, coordinates={"C": 1}),
            Tile(w=12, h=6, pixel_type=PixelType.Bgra32, coordinates={"C": 2}),
        ],
        "jpegxr": [
            _jpegxr(kind, 12 * place)
            for place, kind in enumerate((PixelType.Gray8, gray16, bgr24, bgr48))
        ],
        "masks": [_masked(b""), _masked(bytes(16) + struct.pack("<I", 3) + b"abc")],
        "pyramid": [_plain(0, 0, 0, 0), _plain(0, 0, 0, 1), pyramid],
        "several planes": [_scan(0), _scan(3, zstd0)],
        "other sizes": [
            Tile(w=12, h=6, physical=(6, 3), coordinates={"C": 0}),
            Tile(w=12, h=6, physical=(24, 12), coordinates={"C": 1}),
        ],
        "many dimensions": [
            Tile(dimensions=[*Tile().all_dimensions(), *many, Dimension(b"M", 0)]),
        ],
    }


#: The tiles of the files to damage: every way to store pixels.
SEEDS = _seed_tiles()


def seed_files() -> dict[str, Built]:
    """Return the files to damage: every way to store pixels that is decoded, and every segment."""
    return {
        name: build_czi(tiles, metadata=XML, attachments=_ATTACHMENTS)
        for name, tiles in SEEDS.items()
    }


def mutate(built: Built, rng: np.random.Generator) -> bytes:
    """Return the file with one to three random damages."""
    data = bytearray(built.data)
    for _ in range(int(rng.integers(1, 4))):
        change = _CHANGES[int(rng.choice(len(_CHANGES), p=_WEIGHTS))]
        change(data, built, rng)
        if not data:
            break
    return bytes(data)


def _change_field(data: bytearray, built: Built, rng: np.random.Generator) -> None:
    """Set a number in a header or an entry, where a wrong one does most harm."""
    _set_oddly(data, [_choose(rng, _fields(built))], rng)


def _change_pair(data: bytearray, built: Built, rng: np.random.Generator) -> None:
    """Set the same number in an entry and in the head of its sub-block, which must agree."""
    if not built.subblocks:
        return
    at = int(rng.integers(len(built.subblocks)))
    entry, head = built.entries[at], built.subblocks[at] + 48
    offset, layout = _choose(rng, _entry_fields(built, entry))
    _set_oddly(data, [(offset, layout), (offset - entry + head, layout)], rng)


def _rename(data: bytearray, built: Built, rng: np.random.Generator) -> None:
    """Give a segment another kind, or mark it as deleted."""
    starts = [built.directory, built.metadata, *built.subblocks, *built.attachments]
    at = int(_choose(rng, starts))
    names = [b"DELETED", b"ZISRAWSUBBLOCK", b"ZISRAWATTACH", b"ZISRAWDIRECTORY", b"ZISRAWMETADATA"]
    if at + 16 <= len(data):
        data[at : at + 16] = _choose(rng, names).ljust(16, b"\0")


def _swap_entries(data: bytearray, built: Built, rng: np.random.Generator) -> None:
    """Have an entry of the directory lead to the sub-block of another."""
    if len(built.entries) > 1:
        one, other = (int(at) + 6 for at in rng.choice(built.entries, 2, replace=False))
        if max(one, other) + 8 <= len(data):
            data[one : one + 8], data[other : other + 8] = (
                data[other : other + 8], data[one : one + 8],
            )  # fmt: skip


def _set_oddly(data: bytearray, places: list[tuple[int, str]], rng: np.random.Generator) -> None:
    """Set the number at all places (offset, layout) to one that is far off, or slightly wrong."""
    offset, layout = places[0]
    size = struct.calcsize(layout)
    if max(place for place, _ in places) + size > len(data):
        return
    low, high = -(2 ** (8 * size - 1)), 2 ** (8 * size - 1) - 1
    (before,) = struct.unpack_from(layout, data, offset)
    value = _choose(
        rng,
        [0, 1, -1, 2, 40, 41, 255, 65535, 65536, 2**20, low, low + 1, high, high - 1, len(data),
         before + 1, before - 1, before * 2, -before, before ^ 1 << int(rng.integers(8 * size)),
         int(rng.integers(low, high))],
    )  # fmt: skip
    for place, _ in places:
        struct.pack_into(layout, data, place, min(max(value, low), high))


def _change_bytes(data: bytearray, built: Built, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(1, 9))):
        data[int(rng.integers(len(data)))] = int(rng.integers(256))


def _flip_bit(data: bytearray, built: Built, rng: np.random.Generator) -> None:
    data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))


def _cut(data: bytearray, built: Built, rng: np.random.Generator) -> None:
    del data[int(rng.integers(len(data))) :]


def _zero(data: bytearray, built: Built, rng: np.random.Generator) -> None:
    start, size = _range(data, rng)
    data[start : start + size] = bytes(size)


def _remove(data: bytearray, built: Built, rng: np.random.Generator) -> None:
    start, size = _range(data, rng)
    del data[start : start + size]


def _insert(data: bytearray, built: Built, rng: np.random.Generator) -> None:
    start, size = _range(data, rng)
    data[start:start] = rng.bytes(size)


def _copy(data: bytearray, built: Built, rng: np.random.Generator) -> None:
    start, size = _range(data, rng)
    target = int(rng.integers(len(data) - size + 1))
    data[target : target + size] = data[start : start + size]


def _range(data: bytearray, rng: np.random.Generator) -> tuple[int, int]:
    size = min(int(2 ** rng.uniform(0, 9)), len(data))
    return int(rng.integers(len(data) - size + 1)), size


_CHANGES: tuple[Callable[[bytearray, Built, np.random.Generator], None], ...] = (
    _change_field, _change_pair, _change_bytes, _flip_bit, _cut, _zero, _remove, _insert, _copy,
    _rename, _swap_entries,
)  # fmt: skip
_WEIGHTS = (0.4, 0.17, 0.1, 0.09, 0.05, 0.05, 0.03, 0.03, 0.05, 0.02, 0.01)


def _choose(rng: np.random.Generator, values: list) -> Any:  # type: ignore[type-arg]
    return values[int(rng.integers(len(values)))]


def _fields(built: Built) -> list[tuple[int, str]]:
    """Return the offsets and layouts of all numbers that are read."""
    fields = [(84, "<q"), (92, "<q"), (104, "<q")]
    segments = [built.directory, built.metadata, built.attachment_directory]
    for start in (*segments, *built.subblocks, *built.attachments):
        fields += [(start + 16, "<q"), (start + 24, "<q"), (start + 32, "<i"), (start + 36, "<i")]
    for start in (*built.subblocks, *built.attachments):
        fields += [(start + 32, "<q"), (start + 40, "<q")]
    for number in range(len(built.attachments)):
        fields.append((built.attachment_directory + 288 + 128 * number + 12, "<q"))
    for entry in (*built.entries, *(start + 48 for start in built.subblocks)):
        fields += _entry_fields(built, entry)
    for start in built.subblocks:  # the first bytes of the data: zstd headers, mask sizes
        sizes = struct.unpack_from("<i", built.data, start + 32)
        fields += [(start + 288 + sizes[0] + at, "<i") for at in range(0, 24, 2)]
    return fields


def _entry_fields(built: Built, entry: int) -> list[tuple[int, str]]:
    (count,) = struct.unpack_from("<i", built.data, entry + 28)
    fields = [(entry + 2, "<i"), (entry + 6, "<q")]
    fields += [(entry + at, "<i") for at in (14, 18, 28)]
    for dimension in range(entry + 32, entry + 32 + 20 * count, 20):
        fields += [(dimension + at, "<i") for at in (0, 4, 8, 16)]
    return fields
