"""What the tests of the exchange with other formats share."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from extras import needs

from czictypes import CziImage


@pytest.fixture
def tifffile() -> Any:
    """Give tifffile, with what else TIFF needs."""
    needs("ome_types", "ome-tiff")
    needs("zarr", "ome-tiff")
    return needs("tifffile", "ome-tiff")


@pytest.fixture
def same_pixels() -> Callable[[Path, Path], None]:
    """Compare two documents scene by scene."""

    def compare(one: Path, other: Path) -> None:
        with CziImage(one) as first, CziImage(other) as second:
            assert len(first.scenes) == len(second.scenes)
            for scene in range(len(first.scenes)):
                first.set_scene(scene)
                second.set_scene(scene)
                np.testing.assert_array_equal(first.asarray(), second.asarray())

    return compare
