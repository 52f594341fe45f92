"""Documents with all that may be odd in how tiles are stored, against the same stored plainly."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from files.block import Block
from files.builder import write_czi
from files.odd import OddTile
from files.patterns import noise
from hypothesis import given, settings
from hypothesis import strategies as st
from reads import facts_of, random_read

from czictypes import CziImage, czi
from czictypes.model.options import CacheOptions, ReaderOptions
from czictypes.model.pixel_types import Compression, PixelType

KINDS = [
    PixelType.Gray8,
    PixelType.Gray16,
    PixelType.Gray32Float,
    PixelType.Bgr24,
    PixelType.Bgr48,
    PixelType.Bgra32,
    PixelType.Gray64Float,
]
PACKINGS = [Compression.Uncompressed, Compression.Zstd0, Compression.Zstd1]
LABELS = [None, None, Compression.JpegXr, Compression.Zstd1]
#: Stored over covered size: plain, fewer rows, columns and both; more; and more and fewer.
RATIOS = [(1, 1), (1, 1), (1, 1 / 4), (1 / 2, 1), (0.4, 0.6), (2, 3), (1.3, 0.5)]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"cache_options": CacheOptions(max_memory_usage=1 << 24)},
    {"reader_options": ReaderOptions(enable_mask_awareness=True)},
    {
        "cache_options": CacheOptions(max_memory_usage=1 << 24),
        "reader_options": ReaderOptions(enable_mask_awareness=True),
    },
]


@st.composite
def documents(draw: st.DrawFn) -> tuple[list[OddTile], list[Block]]:
    """Draw a mosaic of some planes and scenes, and the tiles of its pyramid, if it has one."""
    kind = draw(st.sampled_from(KINDS))
    several = draw(st.lists(st.sampled_from("CZTHV"), max_size=2, unique=True))
    sizes = {letter: draw(st.integers(2, 3)) for letter in sorted(several, key="ZCTHV".index)}
    alone = {"C", "T", *draw(st.sets(st.sampled_from("ZR")))} - set(sizes)
    alone |= {"R"} if alone <= {"C"} else set()  # else planes would lie over each other
    lacking = draw(st.sampled_from([None, None, *sizes]))
    start = {letter: draw(st.sampled_from([0, 0, 3])) for letter in {*sizes, *alone} - {"C"}}
    start["C"] = 0
    scenes = draw(st.sampled_from([(None,), (0,), (0, 1, 2)]))
    step, overlap = draw(st.integers(9, 20)), draw(st.integers(0, 3))
    pyramid = draw(st.booleans())
    seeds = itertools.count(draw(st.integers(0, 1 << 20)))
    tiles, reduced = [], []
    for scene, at in itertools.product(scenes, range(draw(st.integers(1, 2)))):
        plane = {**start, **({} if scene is None else {"S": scene})}
        plane[max(alone - {"C"}, default="C")] += at
        x, side = 70 * (scene or 0) - 5, step + overlap
        own = dict(sizes)
        if lacking is not None and at:  # these planes are there at each place in a dimension
            del plane[lacking], own[lacking]
        for m in range(draw(st.integers(1, 3))):
            tiles.append(draw(odd_tiles(kind, x + m * step, side, plane, m, own, next(seeds))))
        if pyramid:
            width = tiles[-1].x + side - x
            for place in places(plane, own):
                h, w = side // 4 + 1, width // 4 + 1
                small = noise(kind, h, w, next(seeds))
                # Four times as large to the pixel: else how many there are decides their level.
                reduced.append(Block(small, x, 7, place, logical=(4 * w, 4 * h)))
    return tiles, reduced


@st.composite
def odd_tiles(
    draw: st.DrawFn,
    kind: PixelType,
    x: int,
    side: int,
    plane: Mapping[str, int],
    m: int,
    sizes: Mapping[str, int],
    seed: int,
) -> OddTile:
    across, down = draw(st.sampled_from(RATIOS))
    w, h = max(int(side * across), 1), max(int(side * down), 1)
    count = int(np.prod(list(sizes.values()), initial=1, dtype=int))
    planes = noise(kind, count * h, w, seed).reshape(count, h, w, -1)
    packing = draw(st.sampled_from(PACKINGS))
    return OddTile(
        planes, x, 7, side, side, plane, m, sizes, packing,
        hilo=kind in (PixelType.Gray16, PixelType.Bgr48) and packing == Compression.Zstd1,
        label=draw(st.sampled_from(LABELS)) if packing == Compression.Uncompressed else None,
        mask=noise(PixelType.Gray8, h, w, seed)[..., 0] > 80 if draw(st.booleans()) else None,
    )  # fmt: skip


def places(plane: Mapping[str, int], sizes: Mapping[str, int]) -> Iterator[dict[str, int]]:
    for steps in itertools.product(*map(range, sizes.values())):
        yield {**plane, **{name: plane[name] + step for name, step in zip(sizes, steps)}}


@contextmanager
def written(
    document: tuple[list[OddTile], list[Block]], magnified: tuple[float, float] = (1.0, 1.0)
) -> Iterator[tuple[Path, Path]]:
    tiles, reduced = document
    odd = [*(tile.block() for tile in tiles), *reduced]
    plain = [block for tile in tiles for block in tile.plain(magnified, ranges(tiles))]
    for block in reduced:
        lacking = {name: at for name, at in ranges(tiles).items() if name not in block.plane}
        for at in itertools.product(*lacking.values()):
            plain.append(replace(block, plane={**block.plane, **dict(zip(lacking, at))}))
    with TemporaryDirectory() as folder:
        yield write_czi(Path(folder, "odd.czi"), odd), write_czi(Path(folder, "plain.czi"), plain)


def ranges(tiles: list[OddTile]) -> dict[str, range]:
    """Return the places along each dimension of a plane."""
    there: dict[str, set[int]] = {}
    for plane in (block.plane for tile in tiles for block in tile.plain()):
        for name, at in plane.items():
            there.setdefault(name, set()).add(at)
    return {name: range(min(at), max(at) + 1) for name, at in there.items() if name != "S"}


@settings(max_examples=25)
@given(documents(), st.sampled_from(OPTIONS), st.integers(0, 1 << 30))
def test_every_read_is_the_same(document: Any, options: dict[str, Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    with written(document) as (odd, plain):
        with czi.open_czi(odd, **options) as ours, czi.open_czi(plain, **options) as expected:
            assert ours.total_bounding_box == expected.total_bounding_box
            assert ours.scenes_bounding_rectangle == expected.scenes_bounding_rectangle
            assert levels(ours) == levels(expected)
            facts = facts_of(expected)
            for read in (random_read(rng, facts) for _ in range(12)):
                pixels = ours.read(**read.arguments)
                assert np.array_equal(pixels, expected.read(**read.arguments)), read


@settings(max_examples=25)
@given(documents(), st.sampled_from(OPTIONS), st.booleans())
def test_every_array_is_the_same(document: Any, options: dict[str, Any], mosaic: bool) -> None:
    with written(document) as (odd, plain):
        assert_equal_arrays(odd, plain, mosaic=mosaic, **options)


@settings(max_examples=25)
@given(documents(), st.booleans())
def test_every_array_of_the_stored_resolution_is_the_same(document: Any, mosaic: bool) -> None:
    tiles, _ = document
    magnified = (
        max(1.0, *(tile.planes.shape[2] / tile.w for tile in tiles)),
        max(1.0, *(tile.planes.shape[1] / tile.h for tile in tiles)),
    )
    with written((tiles, []), magnified) as (odd, plain):
        with CziImage(odd, mosaic=mosaic, stored_resolution=True) as ours:
            assert ours.reader.magnification == magnified
            with CziImage(plain, mosaic=mosaic) as expected:
                assert_equal_images(ours, expected)


@settings(max_examples=15)
@given(documents(), st.data())
def test_every_copy_is_the_same(document: Any, data: st.DataObject) -> None:
    tiles, _ = document
    letter = data.draw(st.sampled_from(sorted({*tiles[0].plane} - {"S"})))
    whole = [one for one in tiles if one.plane.keys() == tiles[0].plane.keys()]
    wanted = data.draw(st.sampled_from(sorted({b.plane[letter] for t in whole for b in t.plain()})))
    choices: list[dict[str, Any]] = [
        {},
        {"anonymize": True},
        {"compression": "zstd1:"},
        {"compression": "uncompressed:"},
        {"planes": {letter: wanted}},
        {"planes": {letter: wanted}, "renumber": True, "compression": "zstd0:"},
        {"roi": (0, 9, 12, 4)},
    ]
    options = data.draw(st.sampled_from(choices))
    with written(document) as both:
        copies = [path.with_suffix(".copy.czi") for path in both]
        for path, copy in zip(both, copies):
            czi.copy(path, copy, **options)
        assert_equal_arrays(*copies)


@settings(max_examples=15)
@given(documents(), st.sampled_from(["mean", "nearest"]), st.booleans())
def test_every_pyramid_is_the_same(document: Any, kind: str, in_place: bool) -> None:
    options = czi.PyramidOptions(tile=16, until=8, filter=kind)
    with written(document) as both:
        deep = both if in_place else tuple(path.with_suffix(".deep.czi") for path in both)
        for path, target in zip(both, deep):
            czi.add_pyramid(path, options, dest=None if in_place else target)
        assert_equal_arrays(*deep)


def assert_equal_arrays(odd: Path, plain: Path, **options: Any) -> None:
    with CziImage(odd, **options) as ours, CziImage(plain, **options) as expected:
        assert_equal_images(ours, expected)


def assert_equal_images(ours: CziImage, expected: CziImage) -> None:
    assert ours.scenes == expected.scenes
    for scene in range(len(expected.scenes)):
        ours.set_scene(scene)
        expected.set_scene(scene)
        assert ours.sizes == expected.sizes
        assert ours.dtype == expected.dtype
        assert ours.levels == expected.levels
        for level in range(len(expected.levels)):
            assert np.array_equal(ours.asarray(level), expected.asarray(level))
            valid = ours.valid_pixels(level=level)
            assert np.array_equal(valid, expected.valid_pixels(level=level))


def levels(document: Any) -> list[int]:
    """Return the pyramid's levels; their minification is a median, which counts sub-blocks."""
    return [level.level for level in document.pyramid_levels()]
