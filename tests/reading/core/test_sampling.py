from math import ceil, floor, trunc

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from czictypes.reading.sampling import CopiedAxis, ScaledAxis, round_half_away


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
    axis = ScaledAxis(
        np.array([start], np.int32),
        np.array([size], np.int32),
        np.array([stored], np.int32),
        roi_start,
        roi_size,
        out_size,
    )
    first, end = int(axis.first[0]), max(int(axis.end[0]), int(axis.first[0]))
    sources = np.arange(stored)[axis.source(0, first, end)]
    mapping = dict(zip(range(first, end), sources.tolist()))
    assert mapping == scaled_as_libczi(start, size, stored, roi_start, roi_size, out_size)


def test_a_part_of_a_scaled_axis_maps_as_the_whole():
    axis = ScaledAxis(np.array([5]), np.array([100]), np.array([50]), 0, 90, 33)
    first, end = int(axis.first[0]), int(axis.end[0])
    pixels = np.arange(50)
    whole = pixels[axis.source(0, first, end)]
    np.testing.assert_array_equal(pixels[axis.source(0, first + 4, end - 3)], whole[4:-3])


def test_evenly_spaced_pixels_are_taken_by_a_slice():
    axis = ScaledAxis(np.array([0]), np.array([100]), np.array([100]), 0, 100, 20)
    assert axis.source(0, 0, 20) == slice(0, 96, 5)


def test_a_tile_without_stored_pixels_paints_nothing():
    axis = ScaledAxis(np.array([0, 0]), np.array([9, 9]), np.array([0, 9]), 0, 9, 4)
    assert axis.end[0] <= axis.first[0]
    assert axis.end[1] > axis.first[1]


def test_at_zoom_1_pixels_are_copied_from_the_position_of_the_tile_on():
    axis = CopiedAxis(np.array([-3, 4, 8]), np.array([10, 2, 10]), -1, 10)
    assert axis.first.tolist() == [0, 5, 9]
    assert axis.end.tolist() == [8, 7, 10]
    assert axis.source(0, 0, 8) == slice(2, 10)
    assert axis.source(2, 9, 10) == slice(0, 1)
