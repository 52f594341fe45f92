"""`CziImage.valid_pixels`: what comes from a tile, in every form of the array."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from files.recipes import Made

from czictypes import CziImage, czi


def test_what_no_tile_covers_is_not_valid(made: Callable[[str], Made]) -> None:
    with CziImage(made("mosaic").path) as image:
        valid = image.valid_pixels()
        assert valid.shape == image.shape
        assert not valid[..., 24:, 30:60].any()  # where a tile is missing
        assert valid[..., :24, :].all()
        assert not image.data[~valid].any()


def test_parts_are_parts_of_the_whole(every_made: Made, rng: np.random.Generator) -> None:
    if not every_made.blocks:
        pytest.skip("there are no pixels to read")
    with CziImage(every_made.path, "all") as image:
        for level in range(len(image.levels)):
            whole = image.valid_pixels(level=level)
            height, width = whole.shape[-2:]
            y, x = int(rng.integers(height)), int(rng.integers(width))
            part = image.valid_pixels({"C": 0, "Y": slice(y, None, 2), "X": [x, 0]}, level=level)
            axis = image.dims.order.index("C")
            np.testing.assert_array_equal(part, whole.take(0, axis)[..., y::2, [x, 0]])


def test_a_colour_pixel_is_valid_as_a_whole(made: Callable[[str], Made]) -> None:
    with CziImage(made("rgb").path) as image:
        valid = image.valid_pixels()
        assert valid.shape == image.shape[:-1]
        assert not valid[..., 20:24].any()  # the gap between the tiles


def test_tiles_one_by_one(made: Callable[[str], Made]) -> None:
    """Nothing is valid of a tile that is missing, nor beyond one that is smaller than others."""
    with CziImage(made("mosaic").path, mosaic=False) as image:
        valid = image.valid_pixels({"C": 1})
        assert valid.shape == image.get_image_data("TZMYX", C=1).shape
        assert [int(tile.sum()) for tile in valid[0, 0]] == [720, 720, 312, 600, 0, 260]


def test_masks_count_where_the_reader_minds_them(made: Callable[[str], Made]) -> None:
    path = made("masked_first_chunk").path
    options = czi.ReaderOptions(enable_mask_awareness=True)
    with CziImage(path) as plain, CziImage(path, reader_options=options) as aware:
        assert plain.valid_pixels().all()
        y, x = np.mgrid[:20, :24]
        expected = np.hstack([(x > 5) & (y < 14), (x * y) % 5 != 0, np.ones((20, 24), bool)])
        np.testing.assert_array_equal(aware.valid_pixels()[0, 0, 0], expected)
