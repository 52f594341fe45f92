"""A channel whose pixel type changes with scene or time is converted without loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs
from files.block import Block
from files.builder import write_czi
from files.patterns import noise
from numpy.typing import NDArray

from czictypes import convert
from czictypes.model.pixel_types import PixelType

PAIRS = [("Gray8", "Gray16"), ("Gray16", "Gray32Float"), ("Bgr24", "Bgr48")]
PLACES = [({"S": 1}, 100), ({"S": 0, "T": 1}, 0)]


@pytest.fixture(params=["scene", "time"])
def by_scene(request: pytest.FixtureRequest) -> bool:
    """Tell whether the type changes with the scene, and not with the time."""
    return bool(request.param == "scene")


@pytest.fixture(params=PAIRS, ids="-".join)
def mixed(
    request: pytest.FixtureRequest, by_scene: bool, tmp_path: Path
) -> tuple[Path, list[NDArray[Any]]]:
    """A file of two planes of one channel, and the pixels of both, red first."""
    pixels = [noise(PixelType[kind], 20, 30, number) for number, kind in enumerate(request.param)]
    first = Block(pixels[0], plane={"C": 0, "S": 0} if by_scene else {"C": 0, "T": 0})
    second = Block(pixels[1], plane={"C": 0, "S": 1} if by_scene else {"C": 0, "T": 1})
    if by_scene:
        second = Block(pixels[1], x=100, plane=second.plane)
    path = write_czi(tmp_path / "mixed.czi", [first, second])
    return path, [np.squeeze(one[..., ::-1]) for one in pixels]


def check(found: list[NDArray[Any]], expected: list[NDArray[Any]], by_scene: bool) -> None:
    """Compare two planes, whose samples may be first; those of one scene have one dtype."""
    common = np.result_type(*expected)
    for one, other in zip(found, expected):
        assert one.dtype == (other.dtype if by_scene else common)
        one = one.squeeze()
        assert np.array_equal(one if one.shape == other.shape else np.moveaxis(one, 0, -1), other)


def test_to_ome_tiff(
    mixed: tuple[Path, list[NDArray[Any]]],
    by_scene: bool,
    tmp_path: Path,
    tifffile: Any,
) -> None:
    path, expected = mixed
    convert(path, tmp_path / "mixed.ome.tif")
    with tifffile.TiffFile(tmp_path / "mixed.ome.tif") as file:
        series = [one.asarray() for one in file.series]
    check(series if by_scene else list(series[0]), expected, by_scene)


def test_to_ome_zarr(
    mixed: tuple[Path, list[NDArray[Any]]],
    by_scene: bool,
    tmp_path: Path,
) -> None:
    needs("zarr.abc.store", "ome-zarr")
    zarr = needs("zarr", "ome-zarr")
    path, expected = mixed
    convert(path, tmp_path / "mixed.ome.zarr")
    group = zarr.open_group(str(tmp_path / "mixed.ome.zarr"), mode="r")
    images = [group["0/0"][:], group["1/0"][:]] if by_scene else list(group["0"][:])
    check(images, expected, by_scene)
