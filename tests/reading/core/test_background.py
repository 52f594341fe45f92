import numpy as np
import pytest

from czictypes.model.geometry import Color
from czictypes.model.pixel_types import PixelType, pixel_format
from czictypes.reading.request import background_value, fill

HALF = Color(b=0.25, g=0.5, r=0.75)


@pytest.mark.parametrize(
    ("pixel_type", "color", "expected"),
    [
        ("Gray8", HALF, (128,)),
        ("Gray8", Color(1, 1, 1), (255,)),
        ("Gray8", Color(0, 0, 0), (0,)),
        ("Gray8", Color(9, 9, 9), (255,)),
        ("Gray8", Color(-1, 0, 0), (0,)),
        ("Gray16", HALF, (32768,)),
        ("Gray16", Color(0.1, 0.2, 0.4), (15292,)),
        ("Gray32Float", Color(0.1, 0.2, 0.4), (np.float32(0.23333335),)),
        ("Bgr24", HALF, (64, 128, 191)),
        ("Bgr48", HALF, (16384, 32768, 49151)),
        ("Bgr96Float", HALF, (0.25, 0.5, 0.75)),
        ("Bgra32", HALF, (64, 128, 191, 255)),
        ("Gray32", HALF, (2**31,)),
        ("Gray64Float", Color(0.1, 0.2, 0.4), (pytest.approx(0.7 / 3, rel=1e-15),)),
        ("Gray64ComplexFloat", HALF, (0.5,)),
        ("Bgr192ComplexFloat", HALF, (0.25, 0.5, 0.75)),
    ],
)
def test_a_colour_becomes_pixel_values(pixel_type, color, expected):
    assert background_value(PixelType[pixel_type], color) == expected


@pytest.mark.parametrize("pixel_type", list(PixelType))
def test_there_is_a_background_for_every_type(pixel_type):
    layout = pixel_format(pixel_type)
    out = np.ones((2, 3, layout.samples), layout.dtype)
    fill(out, background_value(pixel_type, (0, 0, 0)))
    assert not out[..., :3].any()


def test_one_number_is_a_gray_value_as_it_is():
    assert background_value(PixelType.Gray16, 1234) == (1234,)
    assert background_value(PixelType.Gray32Float, -0.5) == (-0.5,)


def test_one_number_is_no_colour():
    with pytest.raises(ValueError, match="Bgr24 must be three numbers"):
        background_value(PixelType.Bgr24, 12)


@pytest.mark.parametrize("samples", [(5,), (1, 2, 3), (4, 4, 4)])
def test_every_pixel_is_filled_and_no_other(samples):
    canvas = np.zeros((6, 7, len(samples)), "u1")
    fill(canvas[1:4, 2:6], samples)
    assert (canvas[1:4, 2:6] == samples).all()
    canvas[1:4, 2:6] = 0
    assert not canvas.any()
