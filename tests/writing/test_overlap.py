"""Finding what a new rectangle overlaps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from czictypes.model.geometry import Rectangle
from czictypes.writing.overlap import OccupiedArea


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
