"""`CziReader.valid_pixels` tells tiles from background, as two reads on other backgrounds do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from files.recipes import Made
from numpy.typing import NDArray

from czictypes import czi


def by_two_backgrounds(document: czi.CziReader, **what: Any) -> NDArray[np.bool_]:
    dark = document.read(**what, background_pixel=(0.0, 0.0, 0.0))
    bright = document.read(**what, background_pixel=(1.0, 1.0, 1.0))
    same: NDArray[np.bool_] = (dark == bright).all(axis=2)
    return same


@pytest.mark.filterwarnings("ignore::czictypes.model.errors.PixelTypeWarning")
@pytest.mark.parametrize("zoom", [1.0, 0.37])
def test_of_any_region(every_made: Made, rng: np.random.Generator, zoom: float) -> None:
    with czi.open_czi(every_made.path) as document:
        box = document.total_bounding_rectangle
        if box.is_empty:
            pytest.skip("there are no pixels to read")
        for plane in every_made.planes[:4]:
            x, y = rng.integers(-9, box.w), rng.integers(-9, box.h)
            roi = (int(box.x + x), int(box.y + y), 40, 30)
            found = document.valid_pixels(roi, plane, zoom=zoom)
            expected = by_two_backgrounds(document, roi=roi, plane=plane, zoom=zoom)
            np.testing.assert_array_equal(found, expected)


def test_pixels_that_a_mask_leaves_out_are_background(made: Callable[[str], Made]) -> None:
    options = czi.ReaderOptions(enable_mask_awareness=True)
    with czi.open_czi(made("masked").path, reader_options=options) as document:
        found = document.valid_pixels()
        np.testing.assert_array_equal(found, by_two_backgrounds(document))
        assert not found.all()


def test_a_scene_alone(made: Callable[[str], Made]) -> None:
    with czi.open_czi(made("multi_scene_pyramid").path) as document:
        assert document.valid_pixels(scene=1, zoom=0.25).all()
        assert not document.valid_pixels(zoom=0.25).all()


@pytest.mark.parametrize("masks", [False, True])
def test_a_zoom_that_leaves_no_pixel(made: Callable[[str], Made], masks: bool) -> None:
    options = czi.ReaderOptions(enable_mask_awareness=masks)
    with czi.open_czi(made("masked").path, reader_options=options) as document:
        assert document.valid_pixels((0, 0, 9, 1), zoom=0.5).shape == (0, 4)
