"""The kernel = numpy = libCZI's accessor, for made files of all kinds."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import seeds
from files.block import Block
from files.builder import write_czi
from files.patterns import noise
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from libczi.oracle import AccessorOptions, FullReader
from numpy.typing import NDArray

from czictypes import czi
from czictypes.container.zstd import ZSTD_MAGIC
from czictypes.kernel.library import get_kernel, kernel_info
from czictypes.libczi.streams import InputStream
from czictypes.model.errors import CziError
from czictypes.model.geometry import Rectangle
from czictypes.model.pixel_types import Compression, PixelType

_OF_LIBCZI = {PixelType.Gray8, PixelType.Gray16, PixelType.Bgr24, PixelType.Bgr48}
_TYPES = {
    PixelType.Gray8: ("Gray16", "Bgr24", "Gray32Float"),
    PixelType.Gray16: ("Gray8", "Gray32Float"),
    PixelType.Bgr24: ("Gray8", "Gray16", "Bgr48"),
    PixelType.Bgr48: ("Bgr24", "Gray8"),
    PixelType.Gray32Float: (),
    PixelType.Bgra32: ("Bgr24",),
}
_PACKED = (
    (Compression.Uncompressed, False),
    (Compression.Zstd0, False),
    (Compression.Zstd1, False),
)


@dataclass
class MadeFile:
    """A file to make, and what is read of it."""

    blocks: list[Block]
    reads: list[dict[str, Any]]
    damage: tuple[int, int, int] | None  # the block, the place in its segment, the byte
    is_broken: bool  # the data of a block are damaged somewhere


@st.composite
def made_files(draw: st.DrawFn) -> MadeFile:
    pixel_type = draw(st.sampled_from(sorted(_TYPES)))
    scenes = draw(st.sampled_from([0, 0, 0, 1, 2]))
    masks = draw(st.booleans()) and draw(st.booleans())
    blocks: list[Block] = []
    is_broken = False
    for number in range(draw(st.integers(1, 7))):
        width, height = draw(st.integers(1, 24)), draw(st.integers(1, 18))
        x, y = draw(st.integers(-20, 30)), draw(st.integers(-20, 30))
        if blocks and draw(st.integers(0, 3)) == 0:  # hides the one before, or much of it
            x, y = blocks[-1].x, blocks[-1].y
            width, height = (side + draw(st.integers(-1, 1)) for side in blocks[-1].physical)
            width, height = max(width, 1), max(height, 1)
        compression, hilo = draw(st.sampled_from(_PACKED))
        if pixel_type == PixelType.Gray16 and compression == Compression.Zstd1:
            hilo = draw(st.booleans())
        plane = {"C": 0, "Z": draw(st.integers(0, 1))}
        if scenes:
            plane["S"] = number % scenes
        is_reduced = draw(st.integers(0, 4)) == 0
        mask = None
        if masks and draw(st.booleans()):
            mask = np.random.default_rng(number).random((height, width)) < 0.6
        kind = pixel_type if draw(st.integers(0, 9)) else PixelType.Gray64ComplexFloat
        pixels = noise(kind, height, width, number)
        payload = None
        if compression != Compression.Uncompressed and draw(st.booleans()):
            broken = draw(st.integers(0, 12)) if draw(st.booleans()) else None
            is_broken |= broken is not None
            hilo &= kind == pixel_type
            payload = in_many_blocks(pixels, compression, hilo, draw(st.integers(8, 99)), broken)
        blocks.append(
            Block(
                pixels, x, y, plane, m=number,
                logical=(2 * width, 2 * height) if is_reduced else None,
                compression=compression, hilo=hilo, payload=payload, mask=mask,
            )
        )  # fmt: skip
    damage = None
    if draw(st.integers(0, 3)) == 0:
        which = draw(st.integers(0, len(blocks) - 1))
        damage = which, draw(st.integers(32, 170)), draw(st.integers(0, 255))
    planes = sorted({block.plane["Z"] for block in blocks})
    reads = [draw(_reads(pixel_type, min(scenes, len(blocks)), planes)) for _ in range(4)]
    return MadeFile(blocks, reads, damage, is_broken)


def in_many_blocks(
    pixels: NDArray[Any], compression: Compression, hilo: bool, size: int, broken: int | None
) -> bytes:
    """Return zstd data in blocks of `size` bytes, one of them with a kind that there is not."""
    data = pixels.tobytes()
    if hilo:
        data = np.frombuffer(data, np.uint8).reshape(-1, 2).T.tobytes()
    head = b"" if compression == Compression.Zstd0 else b"\x03\x01\x01" if hilo else b"\x01"
    frame = head + ZSTD_MAGIC + b"\xa0" + len(data).to_bytes(4, "little")
    for number, begin in enumerate(range(0, len(data), size)):
        part = data[begin : begin + size]
        is_last, kind = begin + size >= len(data), 3 if number == broken else 0
        frame += (is_last | kind << 1 | len(part) << 3).to_bytes(3, "little") + part
    return frame


@st.composite
def _reads(
    draw: st.DrawFn, pixel_type: PixelType, scenes: int, planes: list[int]
) -> dict[str, Any]:
    what: dict[str, Any] = {"plane": {"Z": draw(st.sampled_from(planes))}}
    if draw(st.integers(0, 3)):
        x, y = draw(st.integers(-30, 40)), draw(st.integers(-30, 40))
        what["roi"] = (x, y, draw(st.integers(1, 60)), draw(st.integers(1, 60)))
    what["zoom"] = draw(st.sampled_from([1.0, 1.0, 0.5, 0.33, 0.1]) | st.floats(0.05, 1))
    if scenes:
        what["scene"] = draw(st.sampled_from([None, *range(scenes)]))
    what["pixel_type"] = draw(st.sampled_from([None, None, None, *_TYPES[pixel_type]]))
    return what


@contextmanager
def environment(value: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if value:
            patch.setenv("CZICTYPES_KERNEL", value)
        yield


def read_all(
    path: Path, made: MadeFile, threads: int, cache: czi.CacheOptions | None, **options: Any
) -> list[Any]:
    """Return the pixels of each read, or what refused it, and the tiles that were left blank."""
    found: list[Any] = []
    try:
        with czi.open_czi(
            path, threads=threads, cache_options=cache, reader_options=czi.ReaderOptions(**options)
        ) as reader:
            for what in made.reads:
                try:
                    found.append(reader.read(**what))
                except (CziError, ValueError) as error:
                    found.append(type(error))
            found.append(set(reader.damaged_subblocks))
    except CziError as error:
        found.append(type(error))
    return found


def by_libczi(path: Path, what: dict[str, Any]) -> NDArray[Any]:
    options = AccessorOptions()
    with FullReader.open(InputStream.from_path(path)) as reader:
        coordinate = {"C": 0, **what["plane"]}
        counted = reader.statistics_ex().dimensions
        coordinate = {name: at for name, at in coordinate.items() if name in counted}
        with reader.tile_accessor() as accessor:
            roi = Rectangle(*what["roi"])
            with accessor.get(coordinate, roi, what["zoom"], options) as bitmap:
                return np.array(bitmap.to_numpy())


def is_for_libczi(made: MadeFile, what: dict[str, Any]) -> bool:
    """Tell whether libCZI's accessor does a read: it has no scenes, masks, conversions, checks.

    A plane of reduced tiles alone is black there at zoom 1.
    """
    return (
        made.damage is None
        and not made.is_broken
        and "roi" in what
        and what["pixel_type"] is None
        and not any("S" in block.plane or block.mask is not None for block in made.blocks)
        and any(block.is_layer0 and block.is_in(what["plane"]) for block in made.blocks)
        and all(block.pixel_type in _OF_LIBCZI for block in made.blocks)
        and not any(block.hilo and block.pixels.shape[2] == 3 for block in made.blocks)
    )


@pytest.mark.filterwarnings("ignore::czictypes.model.errors.PixelTypeWarning")
@pytest.mark.filterwarnings("ignore::czictypes.model.errors.DamagedTileWarning")
@seed(seeds.run_seed())
@settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(
    made=made_files(),
    threads=st.integers(1, 3),
    on_error=st.sampled_from(["raise", "blank"]),
    cache=st.sampled_from([None, czi.CacheOptions(czi.CacheType.Standard)]),
)
def test_all_read_the_same(
    made: MadeFile, threads: int, on_error: str, cache: czi.CacheOptions | None
) -> None:
    if get_kernel() is None:
        pytest.skip(f"there is no kernel: {kernel_info().reason}")
    with tempfile.TemporaryDirectory() as folder:
        path = write_czi(Path(folder) / "made.czi", made.blocks)
        if made.damage is not None:
            damage(path, *made.damage)
        masks = any(block.mask is not None for block in made.blocks)
        for enabled in {False, masks}:
            options = {"enable_mask_awareness": enabled, "on_error": on_error}
            with environment(""):
                ours = read_all(path, made, threads, cache, **options)
            with environment("0"):
                numpys = read_all(path, made, threads, None, **options)
            assert len(ours) == len(numpys)
            for what, one, other in zip([*made.reads, "left blank"], ours, numpys):
                np.testing.assert_equal(one, other, err_msg=str(what))
        for what, one in zip(made.reads, ours):
            if is_for_libczi(made, what) and isinstance(one, np.ndarray):
                np.testing.assert_equal(one, by_libczi(path, what), err_msg=str(what))


def damage(path: Path, block: int, place: int, value: int) -> None:
    """Change a byte in the head of a sub-block."""
    data = bytearray(path.read_bytes())
    at = -1
    for _ in range(block + 1):
        at = data.index(b"ZISRAWSUBBLOCK", at + 1)
    if at + place < len(data):
        data[at + place] = value
    path.write_bytes(data)
