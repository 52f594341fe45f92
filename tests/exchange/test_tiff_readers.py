"""What others read in an OME-TIFF of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extras import needs

from czictypes import CziImage, convert


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_bioio_has_the_same_numbers(tifffile: Any, every_real_file: Path, tmp_path: Path) -> None:
    reader = needs("bioio_ome_tiff").Reader
    convert(every_real_file, tmp_path / "out.ome.tif")
    found = reader(tmp_path / "out.ome.tif")
    with CziImage(every_real_file) as image:
        assert len(found.scenes) == len(image.scenes)
        for scene in range(len(image.scenes)):
            image.set_scene(scene)
            found.set_scene(scene)
            assert found.dims.order == image.dims.order
            np.testing.assert_array_equal(found.data, image.asarray())
            assert found.channel_names == image.channel_names
            assert pytest.approx(image.physical_pixel_sizes.X) == found.physical_pixel_sizes.X
