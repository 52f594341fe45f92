import itertools

import numpy as np
import pytest

from czictypes.model.errors import UnsupportedDataError
from czictypes.model.pixel_types import PixelType, pixel_format
from czictypes.reading.conversion import check_convertible, convert

#: (type and sample values stored, type asked for, values expected)
KNOWN = [
    ("Gray8", [7], "Gray16", [7]),
    ("Gray8", [255], "Gray32Float", [255]),
    ("Gray8", [9], "Bgr24", [9, 9, 9]),
    ("Gray8", [200], "Bgr48", [200, 200, 200]),
    ("Gray16", [0x1234], "Gray8", [0x12]),
    ("Gray16", [65535], "Gray32Float", [65535]),
    ("Gray16", [0xFEFF], "Bgr24", [0xFE, 0xFE, 0xFE]),
    ("Gray16", [0xFEFF], "Bgr48", [0xFEFF, 0xFEFF, 0xFEFF]),
    ("Bgr24", [1, 1, 0], "Gray8", [1]),
    ("Bgr24", [1, 0, 0], "Gray8", [0]),
    ("Bgr24", [255, 255, 255], "Gray8", [255]),
    ("Bgr24", [10, 20, 31], "Gray16", [20]),
    ("Bgr24", [255, 255, 254], "Gray32Float", [np.float32(764) / np.float32(3)]),
    ("Bgr24", [1, 2, 3], "Bgr48", [1, 2, 3]),
    ("Bgr48", [65535, 65535, 65533], "Gray8", [255]),
    ("Bgr48", [256, 256, 255], "Gray8", [0]),
    ("Bgr48", [1, 1, 0], "Gray16", [0]),
    ("Bgr48", [65535, 65535, 65535], "Gray16", [65535]),
    ("Bgr48", [65535, 65535, 65531], "Gray32Float", [np.float32(196601) / np.float32(3)]),
    ("Bgr48", [0x0102, 0xFF00, 0x00FF], "Bgr24", [1, 255, 0]),
]


@pytest.mark.parametrize(("source", "values", "target", "expected"), KNOWN)
def test_known_values(source, values, target, expected):
    source, target = PixelType[source], PixelType[target]
    pixels = np.broadcast_to(np.array(values, pixel_format(source).dtype), (4, 5, len(values)))
    canvas = np.zeros((9, 8, len(expected)), pixel_format(target).dtype)
    check_convertible([source], target)
    convert(pixels, source, target, canvas[1:5, 2:7])
    np.testing.assert_array_equal(
        canvas[1:5, 2:7], np.broadcast_to(expected, (4, 5, len(expected)))
    )
    canvas[1:5, 2:7] = 0
    assert not canvas.any(), "pixels outside the target were changed"


@pytest.mark.parametrize("kind", list(PixelType))
def test_every_type_can_be_read_as_it_is(kind):
    layout = pixel_format(kind)
    rng = np.random.default_rng(1)
    raw = rng.integers(0, 256, (3, 4, layout.bytes_per_pixel), "u1")
    pixels = raw.view(layout.dtype)
    out = np.zeros_like(pixels)
    check_convertible([kind], kind)
    convert(pixels, kind, kind, out)
    assert out.tobytes() == pixels.tobytes()


@pytest.mark.parametrize(("source", "target"), list(itertools.permutations(PixelType, 2)))
def test_what_cannot_be_converted_is_refused_with_both_names(source, target):
    if (source.name, target.name) in {(known[0], known[2]) for known in KNOWN}:
        check_convertible([source], target)
        return
    with pytest.raises(UnsupportedDataError, match=rf"{source.name} cannot .* to {target.name}"):
        check_convertible([target, source], target)


def test_an_unknown_type_is_refused_by_its_number():
    with pytest.raises(UnsupportedDataError, match="unknown number 77 cannot"):
        check_convertible([77], PixelType.Gray8)
