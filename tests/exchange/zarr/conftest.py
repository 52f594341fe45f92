"""What the tests of OME-Zarr share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from czictypes.arrays.image import CziImage
from czictypes.writing.writer import create_czi


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    """A path for a new store."""
    return tmp_path / "new.ome.zarr"


@pytest.fixture(scope="session")
def mosaic_czi(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 700 x 900 pixels, two channels and two planes, in four tiles."""
    path = tmp_path_factory.mktemp("mosaic") / "mosaic.czi"
    rng = np.random.default_rng(5)
    with create_czi(path, compression="zstd1:") as document:
        document.write_metadata("Mosaic", {0: "DAPI", 1: "GFP"}, 2e-7, 2e-7, 1e-6)
        for c, z in np.ndindex(2, 2):
            pixels = rng.integers(0, 65536, (700, 900)).astype(np.uint16)
            for y, x in ((0, 0), (0, 450), (350, 0), (350, 450)):
                tile = pixels[y : y + 350, x : x + 450]
                document.write(tile, (x - 30, y + 40), {"C": c, "Z": z})
    return path


@pytest.fixture
def open_czi() -> Iterator[Callable[..., CziImage]]:
    """Open images that are closed at the end of the test."""
    opened: list[CziImage] = []

    def get(path: Any, scene: Any = None) -> CziImage:
        opened.append(CziImage(path, scene))
        return opened[-1]

    yield get
    for image in opened:
        image.close()
