"""Data of sub-blocks that are not what their labels say."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files.block import Block
from files.builder import write_czi
from files.patterns import noise
from numpy.typing import NDArray

from czictypes import czi, imread
from czictypes.model.errors import CorruptFileError, MissingExtraError, UnsupportedDataError
from czictypes.model.pixel_types import Compression, PixelType

LABELS = [Compression.Jpg, Compression.JpegXr, Compression.Zstd0, Compression.Zstd1]


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("kind", [PixelType.Gray8, PixelType.Gray16, PixelType.Bgr24])
@pytest.mark.parametrize("size", [(6, 9), (300, 400)])  # read with others at once, and alone
def test_plain_pixels_under_another_label_are_read(
    label: Compression, kind: PixelType, size: tuple[int, int], tmp_path: Path
) -> None:
    blocks = [
        Block(noise(kind, *size, 930 + at), size[1] * at, 0, {"C": 0}, m=at, label=label)
        for at in range(3)
    ]
    path = write_czi(tmp_path / "plain.czi", blocks)
    expected = np.hstack([block.pixels for block in blocks])
    with czi.open_czi(path) as document:
        assert np.array_equal(document.read(), expected)
        assert np.array_equal(document.read_subblock(0).pixels(), blocks[0].pixels)
    cached = czi.CacheOptions(max_memory_usage=1 << 24)
    with czi.open_czi(path, cache_options=cached) as document:
        for _ in range(2):
            assert np.array_equal(document.read(), expected)
    for name, options in (("copy.czi", {}), ("packed.czi", {"compression": "zstd1:"})):
        czi.copy(path, tmp_path / name, **options)
        with czi.open_czi(tmp_path / name) as document:
            assert np.array_equal(document.read(), expected)


@pytest.mark.parametrize("true", [Compression.Zstd0, Compression.Zstd1])
@pytest.mark.parametrize("label", [*LABELS, Compression.Uncompressed])
def test_one_scheme_under_the_label_of_another_is_read(
    true: Compression, label: Compression, tmp_path: Path
) -> None:
    pixels = np.zeros((40, 50, 1), "<u2")
    pixels[10:30, 5:40] = 777
    one = Block(pixels, compression=true, hilo=true == Compression.Zstd1, label=label)
    with czi.open_czi(write_czi(tmp_path / "other.czi", [one])) as document:
        assert np.array_equal(document.read(), pixels)


@pytest.mark.parametrize("label", LABELS)
def test_what_is_damaged_still_is(label: Compression, tmp_path: Path) -> None:
    pixels = noise(PixelType.Gray8, 20, 30, 940)
    for payload in (bytes(599), bytes(601), b"\x28\xb5\x2f\xfd" + bytes(40)):
        one = Block(pixels, payload=payload, compression=label)
        with czi.open_czi(write_czi(tmp_path / "bad.czi", [one])) as document:
            with pytest.raises(CorruptFileError, match="sub-block 0"):
                document.read()


def as_jpeg(pixels: NDArray[Any]) -> bytes:
    pictures = pytest.importorskip("PIL.Image", reason="encodes JPEG")
    data = BytesIO()
    shown = pixels[..., 0] if pixels.shape[2] == 1 else pixels[..., ::-1]
    pictures.fromarray(np.ascontiguousarray(shown)).save(data, "JPEG", quality=95, subsampling=0)
    return data.getvalue()


@pytest.mark.parametrize("samples", [1, 3])
def test_jpeg_is_decoded(samples: int, tmp_path: Path) -> None:
    steps = np.linspace(0, 255, 48).astype(np.uint8)
    pixels = np.stack([np.tile(np.roll(steps, 7 * n), (40, 1)) for n in range(samples)], axis=2)
    one = Block(pixels, compression=Compression.Jpg, payload=as_jpeg(pixels))
    path = write_czi(tmp_path / "jpeg.czi", [one])
    with czi.open_czi(path) as document:
        found = document.read()
        assert found.shape == pixels.shape
        assert np.abs(found.astype(int) - pixels).mean() < 4
    czi.copy(path, tmp_path / "copy.czi")
    czi.copy(path, tmp_path / "packed.czi", compression="zstd1:")
    assert np.array_equal(imread(tmp_path / "copy.czi"), imread(tmp_path / "packed.czi"))


def test_a_jpeg_of_another_size_is_damaged(tmp_path: Path) -> None:
    pixels = noise(PixelType.Gray8, 16, 16, 941)
    one = Block(pixels[:8], compression=Compression.Jpg, payload=as_jpeg(pixels))
    with czi.open_czi(write_czi(tmp_path / "jpeg.czi", [one])) as document:
        with pytest.raises(CorruptFileError, match=r"a JPEG of 16 x 16 pixels, .* says 16 x 8"):
            document.read()


def test_jpeg_without_pillow_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = noise(PixelType.Gray8, 16, 16, 942)
    one = Block(pixels, compression=Compression.Jpg, payload=as_jpeg(pixels))
    path = write_czi(tmp_path / "jpeg.czi", [one])
    monkeypatch.setitem(__import__("sys").modules, "PIL.Image", None)
    with czi.open_czi(path) as document, pytest.raises(MissingExtraError, match=r"czictypes\[jpeg"):
        document.read()


@pytest.mark.parametrize(("number", "name"), [(2, "Lzw"), (1000, "raw data of a camera")])
def test_what_is_not_decoded_says_so(number: int, name: str, tmp_path: Path) -> None:
    one = Block(noise(PixelType.Gray8, 4, 4, 943), label=number)
    with czi.open_czi(write_czi(tmp_path / "raw.czi", [one])) as document:
        with pytest.raises(UnsupportedDataError, match=name):
            document.read()
        assert document.read_subblock(0).raw_data == one.pixels.tobytes()
