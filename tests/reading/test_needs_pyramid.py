"""When an image is large enough to need a pyramid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from files.block import Block
from files.builder import write_czi

from czictypes import czi


@pytest.mark.parametrize(("x", "needed"), [(4095, False), (4096, True)])
def test_beyond_4096_pixels_without_a_pyramid(tmp_path: Path, x: int, needed: bool) -> None:
    pixel = np.zeros((1, 1), np.uint8)
    path = write_czi(tmp_path / "wide.czi", [Block(pixel, m=0), Block(pixel, x, 4095, m=1)])
    with czi.open_czi(path) as document:
        assert document.needs_pyramid is needed


def test_not_when_a_pyramid_is_there(tmp_path: Path) -> None:
    pixel = np.zeros((1, 1), np.uint8)
    blocks = [Block(pixel, m=0), Block(pixel, 5000, 5000, m=1), Block(pixel, logical=(5001, 5001))]
    with czi.open_czi(write_czi(tmp_path / "pyramid.czi", blocks)) as document:
        assert not document.needs_pyramid
