"""Recipes that differ in where the tiles lie: mosaics, scenes, pyramids, planes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.model.pixel_types import Compression, PixelType
from files.block import Block
from files.patterns import noise, reduced
from files.recipe import Contents, recipe
from files.xml import document_xml

G8, G16, B24 = PixelType.Gray8, PixelType.Gray16, PixelType.Bgr24


def pyramid_tiles(
    picture: NDArray[Any],
    x: int,
    y: int,
    plane: dict[str, int],
    *,
    tile: int,
    levels: int,
    **options: Any,
) -> Iterator[Block]:
    """Cut a picture into tiles, and add smaller and smaller copies of it; M counts per level."""
    for level in range(levels):
        factor = 2**level
        small = reduced(picture, factor)
        m = itertools.count()
        for top, left in itertools.product(*(range(0, size, tile) for size in small.shape[:2])):
            pixels = small[top : top + tile, left : left + tile]
            height, width = pixels.shape[:2]
            yield Block(
                pixels,
                x + left * factor,
                y + top * factor,
                plane,
                m=next(m),
                logical=(width * factor, height * factor),
                **options,
            )


@recipe()
def single() -> Contents:
    """One Gray8 tile at the origin, with nothing but C."""
    return Contents([Block(noise(G8, 12, 17, 1))], document_xml(channels=["only"]))


@recipe()
def tiny() -> Contents:
    """One pixel."""
    return Contents([Block(np.array([[7]], "u1"), plane={"C": 0}, m=0)])


@recipe("it has no pixels")
def empty() -> Contents:
    """No sub-block at all."""
    return Contents([], document_xml())


@recipe()
def no_coordinates() -> Contents:
    """Make a tile with no dimension but X and Y."""
    return Contents([Block(noise(G8, 9, 11, 2), plane={})], document_xml())


@recipe()
def mosaic() -> Contents:
    """Two channels of 3 x 2 tiles of unequal size, one tile missing: a hole."""
    blocks = []
    seeds = itertools.count(10)
    for channel, row, column in itertools.product(range(2), range(2), range(3)):
        if (row, column) == (1, 1):
            continue
        pixels = noise(G16, 24 - 4 * row, 30 if column < 2 else 13, next(seeds))
        plane = {"C": channel}
        blocks.append(Block(pixels, 30 * column, 24 * row, plane, m=3 * row + column))
    return Contents(blocks, document_xml(channels=["DAPI", "GFP"]))


@recipe()
def overlapping() -> Contents:
    """Tiles that overlap by a third, stored in another order than their M-index."""
    places = [(column * 20, row * 16) for row in range(3) for column in range(3)]
    order = [4, 0, 8, 2, 6, 1, 3, 7, 5]
    blocks = [
        Block(noise(G8, 24, 30, 30 + index), *places[index], {"C": 0}, m=order.index(index))
        for index in range(9)
    ]
    return Contents(blocks)


@recipe()
def covered() -> Contents:
    """Tiles wholly or partly hidden by later ones, which a visibility check leaves out."""
    rectangles = [(0, 0, 40, 40), (5, 5, 20, 20), (0, 0, 40, 20), (0, 20, 40, 20), (50, 0, 9, 40)]
    return Contents(
        [
            Block(noise(G8, h, w, 50 + m), x, y, {"C": 0}, m=m)
            for m, (x, y, w, h) in enumerate(rectangles)
        ]
    )


@recipe()
def no_m_index() -> Contents:
    """Tiles side by side without any M-index."""
    return Contents(
        [
            Block(noise(G16, 20, 25, 60 + 2 * row + column), 25 * column, 20 * row, {"C": 0})
            for row, column in itertools.product(range(2), range(2))
        ]
    )


@recipe()
def some_without_m() -> Contents:
    """Overlapping tiles of which one has no M-index: it lies under the others."""
    return Contents(
        [
            Block(noise(G8, 20, 20, 70), 0, 0, {"C": 0}, m=-3),
            Block(noise(G8, 20, 20, 71), 5, 5, {"C": 0}),
            Block(noise(G8, 20, 20, 72), 10, 2, {"C": 0}, m=4),
        ]
    )


@recipe()
def negative() -> Contents:
    """Tiles left of and above the origin, with a pyramid."""
    picture = noise(G16, 48, 64, 80)
    return Contents(list(pyramid_tiles(picture, -40, -1030, {"C": 0}, tile=16, levels=2)))


@recipe("pylibCZIrw counts every dimension from 0")
def negative_planes() -> Contents:
    """Planes that start below and above 0: Z from -2 to 0, T from 5 to 6."""
    blocks = [
        Block(noise(G8, 8, 9, 90 + 3 * t + z), plane={"C": 0, "Z": z, "T": t}, m=0)
        for t, z in itertools.product((5, 6), (-2, -1, 0))
    ]
    return Contents(blocks)


@recipe()
def stack() -> Contents:
    """T=3, Z=4, C=2, each plane one tile; in T=2 the last Z is missing."""
    blocks = []
    for t, z, c in itertools.product(range(3), range(4), range(2)):
        if (t, z) != (2, 3):
            plane = {"T": t, "Z": z, "C": c}
            blocks.append(Block(noise(G16, 15, 21, 100 + 8 * t + 2 * z + c), plane=plane))
    return Contents(blocks, document_xml(channels=["A", "B"]))


@recipe()
def many_dimensions() -> Contents:
    """Every dimension there is, in a handful of planes."""
    blocks = []
    for seed, values in enumerate(itertools.product(range(2), repeat=4)):
        h, v, i, r = values
        plane = {"C": 0, "Z": 0, "T": 0, "S": 0, "B": 0, "H": h, "V": v, "I": i, "R": r}
        blocks.append(Block(noise(G8, 6, 7, 130 + seed), 2, 3, plane, m=0))
    return Contents(blocks)


@recipe("pylibCZIrw takes channel 0, which there is not")
def gapped_channels() -> Contents:
    """Only channel 1."""
    return Contents([Block(noise(G8, 10, 12, 150), plane={"C": 1, "T": 0}, m=0)])


@recipe("pylibCZIrw counts channels from 0")
def channels_with_a_gap() -> Contents:
    """Make the channels 1 and 3, of different pixel types, and none between."""
    return Contents(
        [
            Block(noise(G16, 10, 12, 151), plane={"C": 1}, m=0),
            Block(noise(B24, 10, 12, 152), plane={"C": 3}, m=0),
        ]
    )


@recipe()
def partial_coordinates() -> Contents:
    """Tiles side by side that lack some of the dimensions the others have."""
    planes: list[dict[str, int]] = [{"C": 0, "Z": 0}, {"C": 0}, {"C": 0, "Z": 0, "T": 0}]
    return Contents(
        [
            Block(noise(G8, 10, 10, 160 + index), 10 * index, 0, plane, m=index)
            for index, plane in enumerate(planes)
        ]
    )


@recipe()
def multi_scene_pyramid() -> Contents:
    """Three scenes apart, two channels, tiles of 32 pixels, three levels, zstd1."""
    blocks: list[Block] = []
    for scene, (x, y, w, h) in enumerate([(0, 0, 90, 70), (150, 10, 64, 64), (30, 120, 128, 64)]):
        for channel in range(2):
            picture = noise(G16, h, w, 200 + 2 * scene + channel)
            blocks += pyramid_tiles(
                picture,
                x,
                y,
                {"C": channel, "S": scene},
                tile=32,
                levels=3,
                compression=Compression.Zstd1,
                hilo=True,
            )
    return Contents(blocks, document_xml(channels=["DAPI", "GFP"]))


@recipe("libCZI leaves the order of tiles of one pyramid level open, which shows at their seams")
def large_pyramid() -> Contents:
    """Build a pyramid of so many tiles that libCZI's sorting shuffles those of equal rank."""
    picture = noise(G16, 130, 210, 215)
    return Contents(list(pyramid_tiles(picture, 7, -20, {"C": 0}, tile=16, levels=4)))


@recipe()
def shared_pyramid() -> Contents:
    """Two scenes side by side whose pyramid tile spans both and belongs to neither."""
    picture = noise(G8, 32, 64, 220)
    blocks = [
        Block(picture[:, :32], 0, 0, {"C": 0, "S": 0}, m=0),
        Block(picture[:, 32:], 32, 0, {"C": 0, "S": 1}, m=0),
        Block(reduced(picture, 2), 0, 0, {"C": 0}, logical=(64, 32)),
    ]
    return Contents(blocks)


@recipe()
def overlapping_scenes() -> Contents:
    """Two scenes that overlap, each of two tiles that overlap as well."""
    places = [(0, 0, 0), (15, 4, 0), (25, 8, 1), (32, 0, 1)]
    return Contents(
        [
            Block(noise(G8, 20, 22, 230 + index), x, y, {"C": 0, "S": scene}, m=index)
            for index, (x, y, scene) in enumerate(places)
        ]
    )


@recipe()
def gapped_scenes() -> Contents:
    """Make the scenes 1 and 4, and a tile that belongs to none."""
    return Contents(
        [
            Block(noise(G8, 10, 10, 240), 0, 0, {"C": 0, "S": 1}, m=0),
            Block(noise(G8, 10, 10, 241), 20, 0, {"C": 0, "S": 4}, m=1),
            Block(noise(G8, 10, 10, 242), 10, 0, {"C": 0}, m=2),
        ]
    )


@recipe()
def odd_pyramid() -> Contents:
    """Odd sizes, and pyramid tiles whose reduction is no whole number, with holes."""
    picture = noise(G8, 37, 53, 250)
    blocks = [
        Block(picture[:19, :30], 3, 5, {"C": 0}, m=0),
        Block(picture[:19, 30:], 33, 5, {"C": 0}, m=1),
        Block(picture[19:, :30], 3, 24, {"C": 0}, m=2),
        Block(noise(G8, 9, 17, 251), 3, 5, {"C": 0}, m=0, logical=(53, 28)),
        Block(noise(G8, 6, 8, 252), 3, 5, {"C": 0}, m=0, logical=(53, 37)),
    ]
    return Contents(blocks)


@recipe("there a channel of reduced tiles alone is black at zoom 1")
def only_pyramid() -> Contents:
    """Make a channel with full resolution and one of which only a reduced tile is stored."""
    return Contents(
        [
            Block(noise(G8, 20, 20, 260), plane={"C": 0}, m=0),
            Block(noise(G8, 10, 10, 261), plane={"C": 1}, m=0, logical=(20, 20)),
        ]
    )
