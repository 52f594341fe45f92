"""Every pixel type makes a picture on every way, odd numbers in it too, without a warning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.block import Block
from files.builder import write_czi
from files.patterns import noise
from numpy.typing import NDArray

from czictypes import CziSlide, convert, czi
from czictypes.cli.main import main
from czictypes.model.pixel_types import PixelType, pixel_format

SHAPE = (40, 60)


def composite(path: Path) -> NDArray[Any]:
    with czi.open_czi(path) as document:
        return document.composite()


def png(path: Path) -> NDArray[Any]:
    return opened(convert(path, path.with_suffix(".png")).dest)


def plane(path: Path) -> NDArray[Any]:
    assert main(["plane", str(path), str(path.with_suffix(".png"))]) == 0
    return opened(path.with_suffix(".png"))


def region(path: Path) -> NDArray[Any]:
    needs("PIL.Image", "cli")
    with CziSlide(path) as slide:
        return np.asarray(slide.read_region((0, 0), 0, SHAPE[::-1]))[..., :3]


def thumbnail(path: Path) -> NDArray[Any]:
    needs("PIL.Image", "cli")
    with CziSlide(path) as slide:
        return np.asarray(slide.get_thumbnail(SHAPE[::-1]))


def opened(path: Any) -> NDArray[Any]:
    with needs("PIL.Image", "cli").open(path) as picture:
        return np.array(picture)


WAYS: list[Callable[[Path], NDArray[Any]]] = [composite, png, plane, region, thumbnail]


def ramp(kind: PixelType) -> NDArray[Any]:
    """Pixels that become brighter from left to right, but for the first row, which is odd."""
    layout = pixel_format(kind)
    dtype = np.dtype(layout.dtype)
    largest = np.iinfo(dtype).max if dtype.kind == "u" else 5e8
    pixels = np.empty((*SHAPE, layout.samples), dtype)
    pixels[...] = (np.arange(1, 61) / 60 * largest).astype(dtype)[:, np.newaxis]
    if dtype.kind in "fc":
        pixels[0, :10], pixels[0, 10:20], pixels[0, 20:30] = np.nan, np.inf, -np.inf
    if dtype.kind == "c":
        pixels[1:] *= np.exp(1j * np.linspace(0, 6, 39))[:, np.newaxis, np.newaxis]
        pixels[0, :5] = complex(np.inf, np.nan)
    if layout.samples == 4:
        pixels[..., 3] = 255
    return pixels


@pytest.mark.parametrize("kind", list(PixelType))
@pytest.mark.parametrize("way", WAYS)
def test_brighter_pixels_are_brighter(
    tmp_path: Path, kind: PixelType, way: Callable[[Path], NDArray[Any]]
) -> None:
    picture = way(write_czi(tmp_path / "ramp.czi", [Block(ramp(kind))]))
    gray = picture if picture.ndim == 2 else picture[..., :3].max(axis=2)
    rows = gray[1:, :59].astype(int)
    assert (np.diff(rows, axis=1) >= 0).all()
    assert rows[:, -1].min() > 0.9 * np.iinfo(picture.dtype).max
    assert rows[:, 0].max() < 0.1 * np.iinfo(picture.dtype).max


@pytest.mark.parametrize(
    "value", [0, 1, 255, 2**16 - 1, 2**32 - 1, np.nan, np.inf, -np.inf, 3e38, -3e38]
)
@pytest.mark.parametrize("kind", list(PixelType))
@pytest.mark.parametrize("way", WAYS)
def test_one_value_is_a_picture_too(
    tmp_path: Path, kind: PixelType, value: float, way: Callable[[Path], NDArray[Any]]
) -> None:
    dtype = np.dtype(pixel_format(kind).dtype)
    if dtype.kind == "u" and not 0 <= value <= np.iinfo(dtype).max:
        return
    pixels = np.full((*SHAPE, pixel_format(kind).samples), value, dtype)
    assert way(write_czi(tmp_path / "one.czi", [Block(pixels)])).shape[:2] == SHAPE


@pytest.mark.parametrize("kind", list(PixelType))
def test_layers_of_napari_are_real(tmp_path: Path, kind: PixelType) -> None:
    needs("dask.array", "napari")
    reader = needs("czictypes.plugins.napari", "napari")
    pixels = noise(kind, *SHAPE, 1)
    ((data, options, _),) = reader.read_layers(
        str(write_czi(tmp_path / "layer.czi", [Block(pixels)]))
    )
    expected = np.abs(pixels) if pixels.dtype.kind == "c" else pixels
    order = [2, 1, 0, 3][: pixels.shape[2]] if options["rgb"] else [0]
    found = np.asarray(data)[0, 0, 0].reshape(pixels.shape)
    assert np.array_equal(found, expected[..., order])
