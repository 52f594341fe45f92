"""Finding what a new rectangle overlaps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from czictypes.model.geometry import Rectangle
from czictypes.writing import planes
from czictypes.writing.planes import OccupiedArea


def rectangles(span: int, largest: int) -> st.SearchStrategy[Rectangle]:
    position, size = st.integers(-span, span), st.integers(1, largest)
    return st.builds(Rectangle, position, position, size, size)


def agrees_with_a_search_of_all(asked: list[Rectangle]) -> None:
    area, added = OccupiedArea(), []
    for rectangle in asked:
        found = area.find_overlap(rectangle)
        expected = [other for other in added if not rectangle.intersect(other).is_empty]
        assert (found is not None) == bool(expected)
        assert found is None or found in expected
        if not expected:
            area.add(rectangle)
            added.append(rectangle)


@given(st.lists(rectangles(60, 12), max_size=60))
def test_small_rectangles(asked: list[Rectangle]) -> None:
    agrees_with_a_search_of_all(asked)


@given(st.lists(rectangles(300, 4) | rectangles(300, 300), max_size=60))
def test_rectangles_of_very_different_sizes(asked: list[Rectangle]) -> None:
    agrees_with_a_search_of_all(asked)


@given(st.lists(rectangles(2**31 - 1, 2**31 - 1) | rectangles(2**31 - 1, 5), max_size=20))
def test_the_whole_range_of_the_format(asked: list[Rectangle]) -> None:
    agrees_with_a_search_of_all(asked)


def test_touching_is_not_overlapping() -> None:
    area = OccupiedArea()
    area.add(Rectangle(0, 0, 10, 10))
    assert area.find_overlap(Rectangle(10, 0, 10, 10)) is None
    assert area.find_overlap(Rectangle(0, -10, 10, 10)) is None
    assert area.find_overlap(Rectangle(9, 9, 1, 1)) == Rectangle(0, 0, 10, 10)


def test_a_large_rectangle_finds_the_only_small_one_below_it() -> None:
    area = OccupiedArea()
    for x in range(0, 4000, 2):
        area.add(Rectangle(x, 0, 1, 1))
    assert area.find_overlap(Rectangle(0, 1, 4000, 4000)) is None
    area.add(Rectangle(3999, 3999, 1, 1))
    assert area.find_overlap(Rectangle(0, 1, 4000, 4000)) == Rectangle(3999, 3999, 1, 1)


LAYOUTS = {
    "a mosaic": [Rectangle(2000 * x, 2000 * y, 2000, 2000) for y in range(60) for x in range(60)],
    "off the grid": [
        Rectangle(999 * x - 7, 999 * y, 999, 999) for y in range(60) for x in range(60)
    ],
    "lines": [Rectangle(0, y, 10**6, 1) for y in range(3600)],
    "columns": [Rectangle(x, 0, 1, 10**6) for x in range(3600)],
    "large ones beside small ones": [
        *(Rectangle(x, y, 1, 1) for y in range(50) for x in range(50)),
        *(Rectangle(16 * x, 50 + 16 * y, 16, 16) for y in range(30) for x in range(30)),
        *(Rectangle(600 * x, 1000, 600, 600) for x in range(20)),
    ],
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_work_per_rectangle_does_not_grow_with_their_number(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    compared = 0

    def counted(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
        nonlocal compared
        compared += 1
        return original(one, other)  # type: ignore[arg-type]

    original = planes._overlap
    monkeypatch.setattr(planes, "_overlap", counted)
    area = OccupiedArea()
    for rectangle in LAYOUTS[name]:
        assert area.find_overlap(rectangle) is None
        area.add(rectangle)
    assert compared < 150 * len(LAYOUTS[name])
