"""An alpha that is 0 everywhere is none in PNG, OME-TIFF and OME-Zarr; any other is kept."""

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

from czictypes import aszarr, convert
from czictypes.model.pixel_types import PixelType


def png(path: Path) -> NDArray[np.uint8]:
    pictures = needs("PIL.Image", "cli")
    convert(path, path.with_name("out.png"))
    with pictures.open(path.with_name("out.png")) as picture:
        return np.array(picture)


def tiff(path: Path) -> NDArray[np.uint8]:
    tifffile = needs("tifffile", "ome-tiff")
    needs("ome_types", "ome-tiff")
    convert(path, path.with_name("out.ome.tif"))
    with tifffile.TiffFile(path.with_name("out.ome.tif")) as file:
        pixels: NDArray[np.uint8] = file.asarray()
        text = file.ome_metadata
        assert f'SamplesPerPixel="{pixels.shape[-1]}"' in text
        assert f'SizeC="{pixels.shape[-1]}"' in text
        return pixels


def ome_zarr(path: Path) -> NDArray[np.uint8]:
    needs("zarr.abc.store", "ome-zarr")
    zarr = needs("zarr", "ome-zarr")
    convert(path, path.with_name("out.ome.zarr"))
    group = zarr.open_group(str(path.with_name("out.ome.zarr")), mode="r")
    assert len(group.attrs["ome"]["omero"]["channels"]) == group["0"].shape[1]
    return np.moveaxis(group["0"][0, :, 0], 0, -1)


def store(path: Path) -> NDArray[np.uint8]:
    needs("zarr.abc.store", "ome-zarr")
    zarr = needs("zarr", "ome-zarr")
    with aszarr(path) as found:
        return np.moveaxis(zarr.open_group(found, mode="r")["0"][0, :, 0], 0, -1)


@pytest.mark.parametrize("write", [png, tiff, ome_zarr, store])
@pytest.mark.parametrize("is_used", [False, True])
def test_colours_keep_their_values(
    tmp_path: Path, write: Callable[[Path], Any], is_used: bool
) -> None:
    pixels = noise(PixelType.Bgra32, 40, 60, 1)
    pixels[..., 3] = 0
    pixels[39, 59, 3] = is_used
    found = write(write_czi(tmp_path / "bgra.czi", [Block(pixels)]))
    assert np.array_equal(found, pixels[..., [2, 1, 0, 3][: 3 + is_used]])
