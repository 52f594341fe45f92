"""Small reads are composed without the preparations of large ones, and give the same pixels."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files.block import Block
from files.builder import write_czi
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from czictypes.model.errors import CorruptFileError, UnsupportedDataError
from czictypes.model.geometry import Color, Rectangle
from czictypes.model.options import CacheOptions, CacheType, ReaderOptions
from czictypes.model.pixel_types import Compression, PixelType, pixel_format
from czictypes.reading.compositor import PlaneRequest, compose, output_shape
from czictypes.reading.document import OpenDocument
from czictypes.remote.open import open_source

GRAY = Color(0.2, 0.4, 0.6)

#: How many random reads were small, and how many were not.
met = {True: 0, False: 0}


@contextmanager
def opened(blocks: list[Block], *, cache: bool = False) -> Iterator[OpenDocument]:
    with tempfile.TemporaryDirectory() as folder:
        path = write_czi(Path(folder) / "made.czi", blocks)
        options = CacheOptions(CacheType.Standard, 1 << 20, 3) if cache else None
        document = OpenDocument(open_source(path), options, ReaderOptions(), 1)
        try:
            yield document
        finally:
            document.close()


def picture(rng: np.random.Generator, w: int, h: int, kind: PixelType) -> NDArray[Any]:
    layout = pixel_format(kind)
    return rng.integers(0, 256, (h, w, layout.samples)).astype(layout.dtype)


def request(
    roi: tuple[int, int, int, int],
    *,
    zoom: float = 1.0,
    kind: PixelType = PixelType.Gray8,
    scene: int | None = None,
    plane: dict[str, int] | None = None,
) -> PlaneRequest:
    return PlaneRequest(Rectangle(*roi), plane or {}, scene, zoom, kind, GRAY)


def garbage(request: PlaneRequest, *, strided: bool = False) -> NDArray[Any]:
    """Return an array for the result in which every pixel is still to be set."""
    height, width, samples = output_shape(request)
    dtype = np.dtype(pixel_format(request.pixel_type).dtype)
    wide = np.full((height, width + 5 * strided, samples), 77, dtype)
    return wide[:, :width]


def composed(document: OpenDocument, request: PlaneRequest) -> NDArray[Any]:
    out = garbage(request)
    compose(document.index, request, document.decoder, out)
    return out


def is_small(document: OpenDocument, request: PlaneRequest, *, strided: bool = False) -> bool:
    """Whether a read is small; if so, its pixels are compared."""
    out = garbage(request, strided=strided)
    try:
        small = document.small.compose(request, out)
    except UnsupportedDataError:
        with pytest.raises(UnsupportedDataError):
            composed(document, request)
        return True
    if small:
        np.testing.assert_array_equal(out, composed(document, request), str(request))
    return small


def grid(
    rows: int, columns: int, w: int, h: int, kind: PixelType = PixelType.Gray8, **more: Any
) -> list[Block]:
    rng = np.random.default_rng(rows * columns)
    return [
        Block(picture(rng, w, h, kind), column * w, row * h, m=row * columns + column, **more)
        for row in range(rows)
        for column in range(columns)
    ]


# Against the general way, on anything

sides = st.integers(1, 40)
kinds = st.sampled_from([PixelType.Gray8, PixelType.Gray16, PixelType.Bgr24])
packings = st.sampled_from(
    [(Compression.Uncompressed, False)] * 3
    + [(Compression.Zstd0, False), (Compression.Zstd1, False), (Compression.Zstd1, True)]
)


@st.composite
def mosaics(draw: st.DrawFn) -> list[Block]:
    """Tiles on a lattice, and what may spoil it."""
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    w, h, last_w, last_h = (draw(sides) for _ in range(4))
    columns, rows = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    left, top = draw(st.integers(-90, 90)), draw(st.integers(-90, 90))
    kind, (packing, hilo) = draw(kinds), draw(packings)
    depth, scenes = draw(st.integers(1, 2)), draw(st.integers(0, 2))
    spoilt = draw(st.sampled_from(["no"] * 4 + ["holes", "kinds", "over", "sizes", "packings"]))
    blocks = []
    for row in range(rows):
        for column in range(columns):
            for z in range(depth):
                width = min(last_w, w) if column == columns - 1 else w
                height = min(last_h, h) if row == rows - 1 else h
                plane = {"C": 0, "Z": z}
                if scenes:
                    plane["S"] = column * scenes // columns
                odd = rng.random() < 0.3
                if spoilt == "holes" and odd:
                    continue
                if spoilt == "sizes" and odd:
                    width = int(rng.integers(1, width + 1))
                own = PixelType.Gray8 if spoilt == "kinds" and odd else kind
                plain = spoilt == "packings" and odd
                word = pixel_format(own).dtype == "<u2"
                blocks.append(
                    Block(
                        picture(rng, width, height, own),
                        left + column * w,
                        top + row * h,
                        plane,
                        m=draw(st.none() | st.integers(0, 99)),
                        compression=Compression.Uncompressed if plain else packing,
                        hilo=hilo and word and not plain,
                    )
                )
    if spoilt == "over" and blocks:
        under = blocks[int(rng.integers(len(blocks)))]
        pixels = picture(rng, draw(sides), draw(sides), kind)
        blocks.append(
            Block(pixels, under.x + 1, under.y - 1, under.plane, m=draw(st.integers(0, 99)))
        )
    if draw(st.booleans()):
        rng.shuffle(blocks)  # type: ignore[arg-type]
    if draw(st.booleans()) and columns * w > 1 and rows * h > 1:
        stored = picture(rng, columns * w // 2, rows * h // 2, kind)
        size = stored.shape[1] * 2, stored.shape[0] * 2
        plane = {"C": 0, "Z": 0, **({"S": 0} if scenes else {})}
        blocks.append(Block(stored, left, top, plane, logical=size))
    return blocks or grid(1, 1, w, h, kind)


@st.composite
def reads(draw: st.DrawFn, blocks: list[Block]) -> PlaneRequest:
    boxes = [block.rectangle for block in blocks]
    left, top = min(box.x for box in boxes), min(box.y for box in boxes)
    right, bottom = max(box.x + box.w for box in boxes), max(box.y + box.h for box in boxes)
    x, y = draw(st.integers(left - 9, right + 9)), draw(st.integers(top - 9, bottom + 9))
    w, h = draw(st.integers(1, right - left + 18)), draw(st.integers(1, bottom - top + 18))
    if draw(st.integers(0, 3)) == 0:
        x, y, w, h = left, top, right - left, bottom - top
    found = sorted({block.plane.get("S", -1) for block in blocks} - {-1})
    scene = draw(st.sampled_from([None, *found]))
    depths = {block.plane.get("Z", 0) for block in blocks}
    plane = {"Z": draw(st.sampled_from(sorted(depths)))} if len(depths) > 1 else {}
    zoom = draw(st.just(1.0) | st.floats(0.1, 1)) if min(w, h) > 10 else 1.0
    types = [PixelType.Gray8, PixelType.Gray16, PixelType.Gray32Float, PixelType.Bgr24]
    kind = draw(st.sampled_from([blocks[0].pixel_type] * 4 + types))
    return request((x, y, w, h), zoom=zoom, kind=kind, scene=scene, plane=plane)


@given(st.data())
def test_a_small_read_gives_what_any_read_gives(data: st.DataObject) -> None:
    blocks = data.draw(mosaics())
    with opened(blocks, cache=data.draw(st.booleans())) as document:
        for _ in range(6):
            wanted = data.draw(reads(blocks))
            for _ in range(2):  # the heads of sub-blocks are looked at in the first one
                met[is_small(document, wanted, strided=data.draw(st.booleans()))] += 1


def test_many_of_the_random_reads_were_small() -> None:
    if not any(met.values()):
        pytest.skip("the random reads were left out of this run")
    assert met[True] > met[False] / 4, met


# What is small


@pytest.mark.parametrize(
    ("kind", "packing"),
    [
        (PixelType.Gray8, Compression.Uncompressed),
        (PixelType.Bgr48, Compression.Zstd0),
        (PixelType.Gray16, Compression.Zstd1),
    ],
)
@pytest.mark.parametrize("zoom", [1.0, 0.5, 0.3])
def test_a_part_of_one_tile_is_small(kind: PixelType, packing: Compression, zoom: float) -> None:
    with opened(grid(2, 2, 90, 80, kind, compression=packing)) as document:
        assert is_small(document, request((100, 10, 50, 60), kind=kind, zoom=zoom))


def test_what_no_tile_covers_is_small() -> None:
    with opened(grid(2, 2, 30, 40)) as document:
        assert is_small(document, request((500, 10, 30, 60)))
        assert is_small(document, request((-10, 10, 40, 60)))


@pytest.mark.parametrize(
    "roi", [(0, 0, 320, 240), (5, 7, 300, 200), (0, 16, 320, 32), (1, 0, 319, 9)]
)
@pytest.mark.parametrize("kind", [PixelType.Gray8, PixelType.Gray16, PixelType.Bgr24])
def test_many_uncompressed_tiles_on_a_lattice_are_small(
    kind: PixelType, roi: tuple[int, int, int, int]
) -> None:
    with opened(grid(15, 20, 16, 16, kind)) as document:
        for _ in range(2):
            assert is_small(document, request(roi, kind=kind))
        assert is_small(document, request(roi, kind=PixelType.Gray32Float))
        assert is_small(document, request(roi, kind=kind), strided=True)


def test_beside_small_tiles_at_the_end_of_a_lattice_is_background() -> None:
    blocks = [
        *grid(3, 3, 16, 16),
        *(Block(np.full((5, 16), 200, "u1"), 16 * column, 48, m=9 + column) for column in range(3)),
    ]
    with opened(blocks) as document:
        assert is_small(document, request((0, 54, 48, 6)))
        assert is_small(document, request((0, 40, 48, 20)))


def test_tiles_behind_much_metadata_are_found_at_the_second_look() -> None:
    xml = b"<METADATA>" + b" " * 3000 + b"</METADATA>"
    with opened(grid(6, 6, 16, 16, metadata=xml)) as document:
        for _ in range(2):
            assert is_small(document, request((0, 0, 96, 96)))


def test_many_compressed_tiles_are_left_to_several_threads() -> None:
    with opened(grid(6, 6, 16, 16, compression=Compression.Zstd0)) as document:
        assert not is_small(document, request((0, 0, 96, 96)))
        assert not is_small(document, request((0, 0, 32, 32)))


def test_tiles_in_the_cache_are_small() -> None:
    with opened(grid(1, 2, 40, 40, compression=Compression.Zstd0), cache=True) as document:
        assert not is_small(document, request((0, 0, 80, 40)))
        composed(document, request((0, 0, 80, 40)))
        assert is_small(document, request((0, 0, 80, 40)))


def test_masks_are_left_to_the_general_way() -> None:
    with opened(grid(1, 1, 40, 40)) as document:
        masked = request((0, 0, 40, 40))._replace(mask_aware=True)
        assert not document.small.compose(masked, garbage(masked))


def test_scenes_side_by_side_are_small_one_by_one() -> None:
    blocks = [Block(np.full((20, 20), s, "u1"), 30 * s, 0, {"C": 0, "S": s}) for s in range(3)]
    with opened(blocks) as document:
        assert is_small(document, request((30, 0, 20, 20)))
        assert is_small(document, request((0, 0, 80, 20), scene=1))
        assert not is_small(document, request((0, 0, 80, 20)))


def test_a_damaged_tile_is_left_to_the_general_way_which_names_it() -> None:
    with opened(grid(4, 4, 16, 16)) as document:
        path = Path(document.name)
        content = bytearray(path.read_bytes())
        content[document.directory.file_position[5]] ^= 1
        path.write_bytes(content)
        wanted = request((0, 0, 64, 64))
        assert not document.small.compose(wanted, garbage(wanted))
        with pytest.raises(CorruptFileError, match="sub-block 5 "):
            composed(document, wanted)
