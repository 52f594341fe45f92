"""The options of a pyramid, and the tiles that it gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyramid_reference import level_sizes

from czictypes import czi
from czictypes.model.geometry import Rectangle
from czictypes.writing.pyramid.tile_plan import (
    PyramidGrid,
    PyramidOptions,
    make_grid,
    resolve_pyramid,
)
from czictypes.writing.writer import create_czi


@pytest.mark.parametrize(
    "wrong",
    [
        {"factor": 1},
        {"factor": 257},
        {"factor": 2.5},
        {"tile": 0},
        {"tile": 8193},
        {"until": 0},
        {"until": "all"},
        {"filter": "median"},
        {"compression": "zip:"},
    ],
)
def test_values_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PyramidOptions(**wrong)


@pytest.mark.parametrize(
    ("factor", "tile", "size"), [(2, 1024, 1024), (3, 1024, 1023), (2, 1, 2), (5, 3, 5)]
)
def test_a_tile_is_made_of_whole_tiles_of_the_level_below(
    factor: int, tile: int, size: int
) -> None:
    assert PyramidOptions(factor=factor, tile=tile).tile_size == size


def test_true_means_the_default_options() -> None:
    assert resolve_pyramid(True) == PyramidOptions()
    assert resolve_pyramid(False) is None
    assert resolve_pyramid(None) is None
    assert resolve_pyramid(PyramidOptions(factor=3)) == PyramidOptions(factor=3)


def test_a_wrong_choice_is_refused_before_a_file_is_made(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="PyramidOptions"):
        create_czi(tmp_path / "new.czi", pyramid=3)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_the_facade_offers_both() -> None:
    assert czi.PyramidOptions is PyramidOptions
    assert "add_pyramid" in czi.__all__


@given(
    st.integers(1, 5000),
    st.integers(1, 5000),
    st.integers(2, 6),
    st.integers(1, 2000),
)
def test_levels_end_at_the_first_that_is_small_enough(
    width: int, height: int, factor: int, until: int
) -> None:
    box = Rectangle(-7, 3, width, height)
    grid = make_grid(box, PyramidOptions(factor=factor, until=until))
    assert grid.levels == len(level_sizes(box, factor, until))


def test_an_image_that_is_small_enough_has_no_level() -> None:
    assert make_grid(Rectangle(0, 0, 1024, 7), PyramidOptions()).levels == 0
    assert make_grid(Rectangle(0, 0, 1025, 7), PyramidOptions()).levels == 1


def test_no_level_has_less_than_a_pixel() -> None:
    assert make_grid(Rectangle(0, 0, 100_000, 5), PyramidOptions()).levels == 2


def all_tiles(grid: PyramidGrid, level: int) -> list[tuple[Rectangle, tuple[int, int]]]:
    found = []
    row = 0
    while grid.size(level, 0, row).h > 0:
        column = 0
        while grid.size(level, column, row).w > 0:
            size = grid.size(level, column, row)
            found.append((grid.rectangle(level, column, row), tuple(size)))
            column += 1
        row += 1
    return found


@given(
    st.tuples(st.integers(-50, 50), st.integers(-50, 50)),
    st.integers(1, 400),
    st.integers(1, 400),
    st.integers(2, 4),
    st.integers(1, 40),
)
def test_all_tiles_of_a_level_have_one_zoom_and_stay_in_the_box(
    location: tuple[int, int], width: int, height: int, factor: int, tile: int
) -> None:
    box = Rectangle(*location, width, height)
    grid = make_grid(box, PyramidOptions(factor=factor, tile=tile, until=1))
    for level in range(1, grid.levels + 1):
        zooms: set[Any] = set()
        for area, (across, down) in all_tiles(grid, level):
            assert area.intersect(box) == area
            assert (area.w, area.h) == (across * factor**level, down * factor**level)
            zooms |= {np.float32(across) / np.float32(area.w)}
            zooms |= {np.float32(down) / np.float32(area.h)}
        assert len(zooms) == 1


@pytest.mark.parametrize("level", [1, 2, 3])
def test_what_a_level_leaves_out_is_less_than_one_of_its_pixels(level: int) -> None:
    box = Rectangle(10, 20, 403, 207)
    grid = make_grid(box, PyramidOptions(tile=16, until=30))
    areas = [area for area, _ in all_tiles(grid, level)]
    assert box.x + box.w - max(area.x + area.w for area in areas) < 2**level
    assert box.y + box.h - max(area.y + area.h for area in areas) < 2**level
