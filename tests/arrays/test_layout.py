"""The layout of an array: what a selection is, told without any file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from czictypes.arrays.layout import Dimensions, Layout
from czictypes.model.geometry import Rectangle
from czictypes.model.pixel_types import PixelType
from czictypes.reading.levels import LevelGrid


def grid(number: int, width: int, height: int) -> LevelGrid:
    factor = 2.0**number
    box = Rectangle(-3, 7, round(width * factor), round(height * factor))
    return LevelGrid(number, factor, box, width, height)


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    size = st.integers(1, 5)
    starts = {name: draw(st.integers(-3, 3)) for name in "HTCZ"}
    return Layout(
        planes={name: range(start, start + draw(size)) for name, start in starts.items()},
        samples=draw(st.sampled_from([0, 3, 4])),
        grids=tuple(grid(number, draw(size), draw(size)) for number in range(draw(size))),
        pixel_types=dict.fromkeys(range(-3, 9), PixelType.Gray8),
        dtype=np.dtype("u1"),
    )


def selections(size: int) -> st.SearchStrategy[Any]:
    index = st.integers(-size, size - 1)
    return st.one_of(index, st.slices(size), st.lists(index, min_size=1), index.map(np.int64))


@st.composite
def selected(draw: st.DrawFn) -> tuple[Layout, int, dict[str, Any]]:
    layout = draw(layouts())
    level = draw(st.integers(0, len(layout.grids) - 1))
    dims = layout.dims(level)
    names = draw(st.lists(st.sampled_from(list(dims)), unique=True))
    return layout, level, {name: draw(selections(*dims[name])) for name in names}


@given(selected())
def test_a_selection_takes_what_numpy_takes(case: tuple[Layout, int, dict[str, Any]]) -> None:
    layout, level, selection = case
    dims = layout.dims(level)
    whole = np.arange(np.prod(dims.shape)).reshape(dims.shape)
    region = layout.region(selection, level)
    expected = whole
    for axis, name in reversed(list(enumerate(dims))):
        expected = expected[(slice(None),) * axis + (selection.get(name, slice(None)),)]
    assert region.shape == expected.shape
    taken = whole[np.ix_(*(list(indices) for indices in region.indices.values()))]
    np.testing.assert_array_equal(taken.reshape(region.shape), expected)


@given(selected())
def test_every_plane_of_a_block_has_its_place_and_coordinate(
    case: tuple[Layout, int, dict[str, Any]],
) -> None:
    layout, level, selection = case
    region = layout.region(selection, level)
    found = list(layout.coordinates(region))
    sizes = tuple(len(region.indices[name]) for name in layout.planes)
    assert [place for place, _ in found] == list(np.ndindex(sizes))
    for place, coordinate in found:
        for at, (name, value) in zip(place, coordinate.items()):
            assert value == layout.planes[name][region.indices[name][at]]


def test_dimensions_are_named_and_counted() -> None:
    dims = Dimensions("TCYX", (3, 2, 40, 50))
    assert (dims.T, dims["Y", "X"], dims["C"]) == (3, (40, 50), (2,))
    assert (list(dims), len(dims), dict(dims.items())["C"]) == (["T", "C", "Y", "X"], 4, 2)
    assert dims == Dimensions("TCYX", [3, 2, 40, 50])
    assert repr(dims) == "<Dimensions [T: 3, C: 2, Y: 40, X: 50]>"
    with pytest.raises(AttributeError, match="no dimension Z"):
        dims.Z  # noqa: B018
    with pytest.raises(IndexError, match="no dimension Z, S; they are TCYX"):
        dims["Z", "X", "S"]
