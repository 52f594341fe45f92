import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from czictypes.reading.coverage import area, visible_parts

SIZE = 24


@st.composite
def rectangles(draw):
    left, top = draw(st.integers(0, SIZE - 1)), draw(st.integers(0, SIZE - 1))
    return left, top, draw(st.integers(left + 1, SIZE)), draw(st.integers(top + 1, SIZE))


def paint(boxes):
    """Paint each rectangle with its own number, the later over the earlier."""
    canvas = np.full((SIZE, SIZE), -1)
    for number, (left, top, right, bottom) in enumerate(boxes):
        canvas[top:bottom, left:right] = number
    return canvas


@given(st.lists(rectangles(), min_size=1, max_size=12))
def test_the_parts_are_what_a_painter_leaves_visible(boxes):
    parts = visible_parts(np.array(boxes))
    canvas = np.full((SIZE, SIZE), -1)
    for number, some in enumerate(parts):
        for left, top, right, bottom in some:
            part = canvas[top:bottom, left:right]
            assert part.size
            assert (part == -1).all(), "parts share a pixel"
            part[:] = number
    np.testing.assert_array_equal(canvas, paint(boxes))


def test_no_rectangle_has_no_parts():
    assert visible_parts(np.empty((0, 4), int)) == []


def test_rectangles_side_by_side_stay_whole():
    x, y = (axis.ravel() * 10 for axis in np.meshgrid(np.arange(50), np.arange(40)))
    boxes = np.column_stack([x, y, x + 10, y + 10])
    assert visible_parts(boxes) == [[tuple(box)] for box in boxes.tolist()]


def test_a_hidden_rectangle_has_no_parts():
    halves = [(0, 0, 5, 10), (5, 0, 10, 10)]
    assert visible_parts(np.array([(2, 2, 8, 8), *halves])) == [[], *([half] for half in halves)]


def test_the_lower_of_two_gives_way():
    lower, upper = (0, 0, 10, 10), (6, 6, 16, 16)
    assert visible_parts(np.array([lower, upper])) == [[(0, 0, 10, 6), (0, 6, 6, 10)], [upper]]


def test_a_pile_of_equal_rectangles_shows_the_last():
    parts = visible_parts(np.array([(0, 0, 9, 9)] * 50_000))
    assert [number for number, some in enumerate(parts) if some] == [49_999]


def test_a_large_mosaic_with_overlap_is_covered_once(rng):
    x, y = (axis.ravel() * 90 for axis in np.meshgrid(np.arange(60), np.arange(60)))
    x, y = x + rng.integers(-3, 4, x.shape), y + rng.integers(-3, 4, y.shape)
    boxes = np.column_stack([x, y, x + 100, y + 100])
    covered = sum(area(part) for some in visible_parts(boxes) for part in some)
    canvas = np.zeros((6200, 6200), bool)
    for left, top, right, bottom in (boxes + 10).tolist():
        canvas[top:bottom, left:right] = True
    assert covered == canvas.sum()


def test_rectangles_that_all_peep_out_from_under_each_other_are_given_up():
    steps = np.arange(1500)[:, np.newaxis]
    assert visible_parts(np.hstack([steps, steps, steps + 5000, steps + 5000])) is None


def test_a_rectangle_with_very_many_holes_is_given_up():
    holes = [(3 * k, 3 * row, 3 * k + 2, 3 * row + 2) for k in range(50) for row in range(50)]
    assert visible_parts(np.array([(-1, -1, 200, 200), *holes])) is None
