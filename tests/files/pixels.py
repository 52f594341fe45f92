"""Recipes that differ in how the pixels are stored: types, compression, masks."""

from __future__ import annotations

import itertools
import uuid

import numpy as np

from czictypes.model.pixel_types import Compression, PixelType
from files.block import Block
from files.encode import zstd_frame
from files.jpeg_xr import JPEG_XR_TYPES, jpeg_xr_tile
from files.masks import chunk
from files.patterns import noise, reduced
from files.recipe import Contents, recipe
from files.xml import document_xml

G8, G16, B24, B48 = PixelType.Gray8, PixelType.Gray16, PixelType.Bgr24, PixelType.Bgr48


@recipe()
def rgb() -> Contents:
    """Bgr24: four tiles with a pyramid tile above them, a gap between."""
    blocks = [
        Block(noise(B24, 20, 20, 300 + 2 * row + column), 24 * column, 20 * row, m=2 * row + column)
        for row, column in itertools.product(range(2), range(2))
    ]
    blocks.append(Block(noise(B24, 20, 22, 310), m=0, logical=(44, 40)))
    return Contents(blocks, document_xml(channels=["TL Brightfield"]))


@recipe()
def bgr48() -> Contents:
    """Bgr48, stored plainly, as zstd0 and as zstd1 without packing."""
    schemes = (Compression.Uncompressed, Compression.Zstd0, Compression.Zstd1)
    return Contents(
        [
            Block(noise(B48, 14, 18, 320 + m), 15 * m, 2 * m, m=m, compression=scheme)
            for m, scheme in enumerate(schemes)
        ]
    )


@recipe("libCZI up to 0.67.4 decodes Bgr48 with zstd1 and HiLo wrongly")
def bgr48_hilo() -> Contents:
    """Bgr48 as zstd1 with the bytes packed, which libCZI decodes wrongly."""
    return Contents(
        [Block(noise(B48, 13, 19, 330), 2, 3, m=0, compression=Compression.Zstd1, hilo=True)]
    )


@recipe()
def gray32float() -> Contents:
    """Gray32Float, two overlapping tiles and a pyramid tile."""
    kind = PixelType.Gray32Float
    first = noise(kind, 16, 24, 340)
    return Contents(
        [
            Block(first, m=0),
            Block(noise(kind, 16, 20, 341), 20, 4, m=1, compression=Compression.Zstd0),
            Block(reduced(first, 2), m=0, logical=(24, 16)),
        ]
    )


@recipe("libCZI converts Bgr96Float to nothing, not even to itself")
def bgr96float() -> Contents:
    """Bgr96Float, which libCZI's accessor cannot give."""
    return Contents(
        [
            Block(noise(PixelType.Bgr96Float, 11, 13, 345), m=0),
            Block(noise(PixelType.Bgr96Float, 11, 13, 346), 10, 5, m=1),
        ]
    )


@recipe("it has types they lack")
def all_pixel_types() -> Contents:
    """Every pixel type there is, each a channel of its own, plain and as zstd1 side by side."""
    blocks = []
    for channel, kind in enumerate(PixelType):
        plane = {"C": channel}
        blocks.append(Block(noise(kind, 9, 10, 350 + channel), 0, 0, plane, m=0))
        pixels = noise(kind, 9, 10, 370 + channel)
        blocks.append(Block(pixels, 10, 0, plane, m=1, compression=Compression.Zstd1))
    names = [kind.name for kind in PixelType]
    return Contents(blocks, document_xml(channels=names))


@recipe()
def plain_pixel_types() -> Contents:
    """Hold the pixel types that libCZI's accessor converts, each a channel of its own."""
    kinds = (G8, G16, PixelType.Gray32Float, B24, B48)
    return Contents(
        [
            Block(noise(kind, 12, 15, 390 + channel), 3, 4, {"C": channel}, m=0)
            for channel, kind in enumerate(kinds)
        ]
    )


@recipe()
def mixed_types() -> Contents:
    """Tiles of one channel that differ in pixel type; the first decides the channel's."""
    return Contents(
        [
            Block(noise(kind, 12, 12, 400 + m), 12 * m, 0, m=m)
            for m, kind in enumerate((G16, G8, B24, B48))
        ],
        document_xml(channels=["mixed"]),
    )


@recipe()
def compressions() -> Contents:
    """Gray16 in every way of storing it that there is, side by side."""
    ways: list[tuple[Compression, bool]] = [
        (Compression.Uncompressed, False),
        (Compression.Zstd0, False),
        (Compression.Zstd1, False),
        (Compression.Zstd1, True),
    ]
    blocks = [
        Block(noise(G16, 10, 12, 410 + m), 12 * m, 0, m=m, compression=way, hilo=hilo)
        for m, (way, hilo) in enumerate(ways)
    ]
    pixels, data = jpeg_xr_tile(G16)
    blocks.append(Block(pixels, 48, 0, m=4, compression=Compression.JpegXr, payload=data))
    last = noise(G16, 10, 12, 415)
    data = b"\x03\x01\x00" + zstd_frame(last.tobytes())
    blocks.append(Block(last, 60, 0, m=5, compression=Compression.Zstd1, payload=data))
    return Contents(blocks)


@recipe()
def jpegxr() -> Contents:
    """JPEG XR tiles, a channel for each pixel type, with tiles that overlap."""
    blocks = []
    for channel, kind in enumerate(JPEG_XR_TYPES):
        pixels, data = jpeg_xr_tile(kind)
        for m, (x, y) in enumerate([(0, 0), (9, 4)]):
            plane = {"C": channel}
            blocks.append(
                Block(pixels, x, y, plane, m, compression=Compression.JpegXr, payload=data)
            )
    return Contents(blocks, document_xml(channels=[kind.name for kind in JPEG_XR_TYPES]))


@recipe()
def masked() -> Contents:
    """Overlapping tiles whose masks leave out pixels, one mask behind another chunk."""
    y, x = np.mgrid[:20, :24]
    round_mask = (x - 12) ** 2 + (y - 10) ** 2 < 80
    other = chunk(uuid.UUID(int=5), b"something else")
    return Contents(
        [
            Block(noise(G8, 20, 24, 430), 0, 0, m=0),
            Block(noise(G8, 20, 24, 431), 8, 2, m=1, mask=round_mask),
            Block(noise(G8, 20, 24, 432), 16, 4, m=2, mask=(x + y) % 3 > 0, attachment=other),
            Block(noise(G8, 20, 24, 433), 24, 0, m=3, mask=round_mask[:15, :17]),
        ]
    )


@recipe()
def masked_first_chunk() -> Contents:
    """Tiles side by side with masks that libCZI understands as well."""
    y, x = np.mgrid[:20, :24]
    return Contents(
        [
            Block(noise(G8, 20, 24, 440), 0, 0, m=0, mask=(x > 5) & (y < 14)),
            Block(noise(G8, 20, 24, 441), 24, 0, m=1, mask=(x * y) % 5 != 0),
            Block(noise(G8, 20, 24, 442), 48, 0, m=2),
        ]
    )
