"""Images as a CZI and as an OME-TIFF, for tests that hold for any format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from extras import needs

from czictypes import convert, open_image
from czictypes.arrays.image_base import Image


@pytest.fixture(scope="module", params=["czi", "ome.tiff"])
def file(request: pytest.FixtureRequest, path: Path) -> Path:
    """Give the CZI of the module's `path`, and its OME-TIFF."""
    if request.param == "czi":
        return path
    needs("tifffile", "ome-tiff")
    convert(path, path.with_suffix(".ome.tiff"))
    return path.with_suffix(".ome.tiff")


@pytest.fixture
def image(file: Path) -> Iterator[Image]:
    """Give each as an open image."""
    with open_image(file) as opened:
        yield opened
