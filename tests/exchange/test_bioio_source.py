"""What bioio reads to CZI; a LIF stands for all of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from extras import needs
from lif_file import write_lif

from czictypes import CziImage, convert


def test_the_scenes_of_a_lif(tmp_path: Path, rng: np.random.Generator) -> None:
    needs("bioio", "convert")
    needs("bioio_lif")
    images = {
        "left": rng.integers(0, 65535, (2, 2, 3, 20, 30), np.uint16),
        "right": rng.integers(0, 65535, (1, 2, 1, 25, 15), np.uint16),
    }
    write_lif(tmp_path / "in.lif", images, ["Green", "Red"], micrometres=0.5)
    convert(tmp_path / "in.lif", tmp_path / "out.czi")
    with CziImage(tmp_path / "out.czi") as image:
        assert [name.rpartition("/")[2] for name in image.scenes] == list(images)
        for scene, pixels in enumerate(images.values()):
            image.set_scene(scene)
            np.testing.assert_array_equal(image.get_image_data("TCZYX"), pixels)
        assert pytest.approx(0.5) == image.physical_pixel_sizes.X
        assert len(set(image.channel_names)) == 2
