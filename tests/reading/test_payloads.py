"""Data that contradict their pixel type: too short ones are never filled up, complex is 8 bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from container.czi_bytes import Dimension, Tile, build_czi
from files.block import Block
from files.builder import write_czi
from files.encode import encode, zstd_frame
from files.jpeg_xr import jpeg_xr_tile
from files.patterns import noise

from czictypes import CziImage, czi
from czictypes.model.errors import CorruptFileError
from czictypes.model.pixel_types import Compression, PixelType

STORED, ZSTD0, ZSTD1 = Compression.Uncompressed, Compression.Zstd0, Compression.Zstd1
COMPLEX = (PixelType.Gray64ComplexFloat, PixelType.Bgr192ComplexFloat)
SIDE = 300  # pixels of a tile that is not read along with its head


def short(pixel_type: PixelType, compression: Compression, side: int, lacking: int = 1) -> Block:
    """A sub-block that lacks the last bytes of its pixels."""
    pixels = noise(pixel_type, side, side, 7)
    if compression == Compression.JpegXr:
        pixels, data = jpeg_xr_tile(pixel_type)
        pixels = np.concatenate([pixels, pixels[:lacking]])
        return Block(pixels, compression=compression, payload=data)
    data = pixels.tobytes()[:-lacking]
    if compression == ZSTD0:
        data = zstd_frame(data)
    elif compression == ZSTD1:
        data = b"\x01" + zstd_frame(data)
    return Block(pixels, compression=compression, payload=data)


def whole(block: Block) -> Block:
    """A sound sub-block to the right of another."""
    return Block(np.ones_like(block.pixels), x=block.physical[0])


SHORT = [
    (PixelType.Gray8, STORED, 20, 1),
    (PixelType.Gray16, STORED, SIDE, 2 * SIDE),
    (PixelType.Bgr24, ZSTD0, 20, 1),
    (PixelType.Gray32Float, ZSTD1, SIDE, 40_000),
    (PixelType.Gray64ComplexFloat, STORED, 20, 20 * 20 * 4),
    (PixelType.Gray64ComplexFloat, ZSTD1, SIDE, 1),
    (PixelType.Bgr192ComplexFloat, STORED, 20, 8),
    (PixelType.Gray16, Compression.JpegXr, 20, 2),
]
SMALL = czi.PyramidOptions(until=12)
MASKS = czi.ReaderOptions(enable_mask_awareness=True)


def read(path: Path, options: czi.ReaderOptions | None = None, **arguments: Any) -> None:
    with czi.open_czi(path, reader_options=options) as document:
        document.read(**arguments)


def read_subblock(path: Path) -> None:
    with czi.open_czi(path) as document:
        document.read_subblock(0).pixels()


def read_array(path: Path) -> None:
    with CziImage(path) as image:
        assert image.data.size


USES: dict[str, Callable[[Path], object]] = {
    "plane": read,
    "zoomed": partial(read, zoom=0.3),
    "masked": partial(read, options=MASKS),
    "sub-block": read_subblock,
    "array": read_array,
    "copy": lambda path: czi.copy(path, path.with_name("copy.czi")),
    "recompressed": lambda path: czi.copy(path, path.with_name("copy.czi"), compression="zstd0:"),
    "pyramid": lambda path: czi.add_pyramid(path, SMALL, dest=path.with_name("levels.czi")),
}


@pytest.mark.parametrize(("pixel_type", "compression", "side", "lacking"), SHORT)
@pytest.mark.parametrize("use", USES)
def test_data_that_are_too_short_are_damaged_wherever_they_are_read(
    tmp_path: Path,
    use: str,
    pixel_type: PixelType,
    compression: Compression,
    side: int,
    lacking: int,
) -> None:
    block = short(pixel_type, compression, side, lacking)
    path = write_czi(tmp_path / "short.czi", [block, whole(block)])
    with pytest.raises(CorruptFileError, match=r"sub-block 0 .*short.czi claims a bitmap of \d+"):
        USES[use](path)


def test_what_is_beside_the_short_tile_can_be_read(tmp_path: Path) -> None:
    block = short(PixelType.Gray8, STORED, 20)
    path = write_czi(tmp_path / "short.czi", [block, whole(block)])
    with czi.open_czi(path) as document:
        assert (document.read(roi=(20, 0, 20, 20)) == 1).all()


@pytest.mark.parametrize("extra", [b"\0", bytes(1000)])
def test_data_that_are_too_long_are_cut(tmp_path: Path, extra: bytes) -> None:
    pixels = noise(PixelType.Gray64ComplexFloat, 6, 5, 1)
    stored = Block(pixels, payload=pixels.tobytes() + extra)
    payload = zstd_frame(pixels.tobytes() + extra)
    packed = Block(pixels, x=5, compression=ZSTD0, payload=payload)
    with czi.open_czi(write_czi(tmp_path / "long.czi", [stored, packed])) as document:
        assert np.array_equal(document.read(), np.hstack([pixels, pixels]))


def blue_first(image: CziImage, level: int = 0) -> np.ndarray:
    """The pixels of an image of one plane, (h, w, samples), colours as the file has them."""
    pixels = image.asarray(level)[0, 0, 0]
    return pixels[..., np.newaxis] if pixels.ndim == 2 else pixels[..., ::-1]


@pytest.fixture(params=COMPLEX)
def waves(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, np.ndarray]:
    """A file of complex tiles, small and large, in each compression; and its pixels."""
    rows, whole_rows = [], []
    top = 0
    for side in (20, SIDE):
        for number, scheme in enumerate((STORED, ZSTD0, ZSTD1)):
            pixels = noise(request.param, side, SIDE, number)
            rows.append(Block(pixels, y=top, m=len(rows), compression=scheme))
            whole_rows.append(pixels)
            top += side
    return write_czi(tmp_path / "waves.czi", rows), np.concatenate(whole_rows)


def test_complex_pixels_are_complex64(waves: tuple[Path, np.ndarray]) -> None:
    path, expected = waves
    assert expected.dtype == np.complex64
    with czi.open_czi(path) as document, CziImage(path) as image:
        found = document.read()
        assert (found.dtype, image.dtype) == (np.complex64, np.complex64)
        assert np.array_equal(found, expected)
        assert np.array_equal(blue_first(image), expected)
        assert np.array_equal(document.read_subblock(0).pixels(), expected[:20])


@pytest.mark.parametrize("compression", ["uncompressed:", "zstd0:", "zstd1:"])
def test_complex_pixels_keep_all_bits_in_copies(
    waves: tuple[Path, np.ndarray], tmp_path: Path, compression: str
) -> None:
    path, expected = waves
    czi.copy(path, tmp_path / "copy.czi", compression=compression)
    with czi.open_czi(tmp_path / "copy.czi") as document:
        assert np.array_equal(document.read(), expected)


def test_the_pyramid_of_complex_pixels_holds_their_means(
    waves: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    path, expected = waves
    czi.add_pyramid(path, SMALL, dest=tmp_path / "levels.czi")
    height, width, samples = expected.shape
    blocks = expected.reshape(height // 2, 2, width // 2, 2, samples).astype(np.complex128)
    with CziImage(tmp_path / "levels.czi") as image:
        np.testing.assert_allclose(blue_first(image, 1), blocks.mean(axis=(1, 3)), rtol=1e-6)


def test_masks_of_complex_pixels_are_respected(tmp_path: Path) -> None:
    pixels = noise(PixelType.Gray64ComplexFloat, 6, 8, 1)
    mask = np.arange(48).reshape(6, 8) % 3 > 0
    path = write_czi(tmp_path / "masked.czi", [Block(pixels, mask=mask)])
    with czi.open_czi(path, reader_options=MASKS) as document:
        assert np.array_equal(document.read()[..., 0], np.where(mask, pixels[..., 0], 0))


def test_the_builder_writes_complex_pixels_as_the_format_has_them() -> None:
    pixels = noise(PixelType.Gray64ComplexFloat, 2, 3, 1)
    assert len(encode(Block(pixels))) == 2 * 3 * 8


@pytest.mark.parametrize("pixel_type", COMPLEX)
def test_complex_planes_of_one_sub_block_are_told_apart(
    tmp_path: Path, pixel_type: PixelType
) -> None:
    planes = np.stack([noise(pixel_type, 5, 4, t) for t in range(3)])
    dimensions = [Dimension(b"X", 0, 4), Dimension(b"Y", 0, 5), Dimension(b"T", 0, 3, 3)]
    tile = Tile(pixel_type=pixel_type, dimensions=dimensions, data=planes.tobytes())
    path = build_czi([tile]).write(tmp_path / "line.czi")
    with czi.open_czi(path) as document:
        for t, pixels in enumerate(planes):
            assert np.array_equal(document.read(plane={"T": t}), pixels)
    build_czi([replace(tile, data=tile.content[:-1])]).write(path)
    with czi.open_czi(path) as document, pytest.raises(CorruptFileError, match="sub-block 0"):
        document.read(plane={"T": 2})
