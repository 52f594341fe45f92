from math import ceil, floor, trunc

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from czictypes.reading.levels import copied_span, round_half_away, scaled_span


@pytest.mark.parametrize(
    ("value", "rounded"),
    [
        (0.5, 1),
        (1.5, 2),
        (2.5, 3),
        (-0.5, -1),
        (-2.5, -3),
        (2.4999999999999996, 2),
        (0.49999999999999994, 0),  # adding a half to it in double gives 1
        (-0.2, 0),
        (4503599627370497.5, 4503599627370498),
    ],
)
def test_halves_are_rounded_away_from_zero(value, rounded):
    assert round_half_away(np.array([value]))[0] == rounded


def scaled_as_libczi(start, size, stored, roi_start, roi_size, out_size):
    """Map one tile pixel by pixel, as libCZI's nearest-neighbour scaling does."""
    low, high = max(start, roi_start), min(start + size, roi_start + roi_size)
    a, b = (low - start) / size, (high - start) / size
    c, d = (low - roi_start) / roi_size, (high - roi_start) / roi_size
    sx, sw, dx, dw = a * stored, (b - a) * stored, c * out_size, (d - c) * out_size
    first = max(ceil((0 - sx) * dw / sw + dx), max(trunc(dx), 0))
    last = min(ceil((stored - 1 - sx) * dw / sw + dx), min(trunc(dx + dw), out_size - 1))
    mapping = {}
    for pixel in range(first, last + 1):
        place = (pixel - dx) * (sw / dw) + sx
        whole = trunc(place)
        nearest = whole + (1 if place - whole >= 0.5 else -1 if whole - place >= 0.5 else 0)
        mapping[pixel] = min(max(nearest, 0), stored - 1)
    return mapping


@given(
    start=st.integers(-3000, 3000),
    size=st.integers(1, 3000),
    reduction=st.sampled_from([1, 2, 3, 4, 9, 0.97]),
    roi_start=st.integers(-3000, 3000),
    roi_size=st.integers(1, 6000),
    zoom=st.floats(0.001, 0.999),
)
def test_a_scaled_axis_maps_each_pixel_as_libczi(start, size, reduction, roi_start, roi_size, zoom):
    out_size = floor(roi_size * zoom)
    assume(out_size > 0)
    assume(start < roi_start + roi_size and roi_start < start + size)
    stored = max(int(size / reduction), 1)
    span = scaled_span(start, size, stored, roi_start, roi_size, out_size)
    mapping = dict(zip(range(span.first, span.end), np.arange(stored)[span.pixels].tolist()))
    assert mapping == scaled_as_libczi(start, size, stored, roi_start, roi_size, out_size)


def test_a_tile_without_stored_pixels_paints_nothing():
    span = scaled_span(0, 9, 0, 0, 9, 4)
    assert span.end <= span.first


def test_at_zoom_1_pixels_are_copied_from_the_position_of_the_tile_on():
    spans = [copied_span(*tile, -1, 10) for tile in [(-3, 10), (4, 2), (8, 10)]]
    assert [span[:2] for span in spans] == [(0, 8), (5, 7), (9, 10)]
    assert [span.pixels for span in spans] == [slice(2, 10), slice(0, 2), slice(0, 1)]
