import itertools

import numpy as np
import pytest

from czictypes.model.errors import UnsupportedDataError
from czictypes.model.pixel_types import PixelType, pixel_format
from czictypes.reading.conversion import check_convertible, common_type, convert, holds, loses_bits

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
    ("Bgra32", [1, 2, 3, 0], "Bgr24", [1, 2, 3]),
    ("Bgra32", [1, 2, 3, 200], "Bgr48", [1, 2, 3]),
    ("Bgra32", [1, 2, 3, 200], "Bgr96Float", [1, 2, 3]),
    ("Bgra32", [1, 2, 3, 200], "Bgr192ComplexFloat", [1, 2, 3]),
    ("Bgra32", [10, 20, 30, 0], "Gray8", [20]),
    ("Bgra32", [10, 20, 31, 9], "Gray16", [20]),
    ("Bgra32", [255, 255, 254, 9], "Gray32Float", [np.float32(764) / np.float32(3)]),
    ("Bgr24", [1, 2, 3], "Bgra32", [1, 2, 3, 255]),
    ("Gray8", [7], "Bgra32", [7, 7, 7, 255]),
    ("Gray8", [255], "Gray32", [255]),
    ("Gray16", [65535], "Gray32", [65535]),
    ("Gray8", [255], "Gray64Float", [255]),
    ("Gray16", [65535], "Gray64Float", [65535]),
    ("Gray32", [2**32 - 1], "Gray64Float", [2**32 - 1]),
    ("Gray32Float", [0.1], "Gray64Float", [np.float32(0.1)]),
    ("Gray8", [255], "Gray64ComplexFloat", [255]),
    ("Gray16", [65535], "Gray64ComplexFloat", [65535]),
    ("Gray32Float", [np.nan], "Gray64ComplexFloat", [np.nan]),
    ("Gray8", [255], "Bgr96Float", [255] * 3),
    ("Gray16", [65535], "Bgr96Float", [65535] * 3),
    ("Gray32Float", [-0.5], "Bgr96Float", [-0.5] * 3),
    ("Bgr24", [1, 2, 3], "Bgr96Float", [1, 2, 3]),
    ("Bgr48", [1, 2, 65535], "Bgr96Float", [1, 2, 65535]),
    ("Gray8", [255], "Bgr192ComplexFloat", [255] * 3),
    ("Gray16", [65535], "Bgr192ComplexFloat", [65535] * 3),
    ("Gray32Float", [-0.5], "Bgr192ComplexFloat", [-0.5] * 3),
    ("Gray64ComplexFloat", [1 - 2j], "Bgr192ComplexFloat", [1 - 2j] * 3),
    ("Bgr24", [1, 2, 3], "Bgr192ComplexFloat", [1, 2, 3]),
    ("Bgr48", [1, 2, 65535], "Bgr192ComplexFloat", [1, 2, 65535]),
    ("Bgr96Float", [1, 2.5, -3], "Bgr192ComplexFloat", [1, 2.5, -3]),
]


@pytest.mark.parametrize(("source", "values", "target", "expected"), KNOWN)
def test_known_values(source, values, target, expected):
    source, target = PixelType[source], PixelType[target]
    pixels = np.broadcast_to(np.array(values, pixel_format(source).dtype), (4, 5, len(values)))
    canvas = np.zeros((9, 8, len(expected)), pixel_format(target).dtype)
    check_convertible(source, target, 5)
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
    check_convertible(kind, kind, 5)
    convert(pixels, kind, kind, out)
    assert out.tobytes() == pixels.tobytes()


@pytest.mark.parametrize(("source", "target"), list(itertools.permutations(PixelType, 2)))
def test_what_cannot_be_converted_is_refused_with_both_names(source, target):
    if (source.name, target.name) in {(known[0], known[2]) for known in KNOWN}:
        check_convertible(source, target, 5)
        return
    what = rf"{source.name} \(of sub-block 5\) cannot .* to {target.name}"
    with pytest.raises(UnsupportedDataError, match=what):
        check_convertible(source, target, 5)


def test_an_unknown_type_is_refused_by_its_number():
    with pytest.raises(UnsupportedDataError, match=r"^sub-block 5 .* number 77, which is unknown"):
        check_convertible(77, PixelType.Gray8, 5)


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        (["Gray8"], "Gray8"),
        (["Gray8", "Gray16"], "Gray16"),
        (["Gray16", "Gray32"], "Gray32"),
        (["Gray16", "Gray32Float"], "Gray32Float"),
        (["Gray32", "Gray32Float"], "Gray64Float"),
        (["Gray32Float", "Gray64Float", "Gray8"], "Gray64Float"),
        (["Gray16", "Gray64ComplexFloat"], "Gray64ComplexFloat"),
        (["Gray8", "Bgr24"], "Bgr24"),
        (["Gray16", "Bgr24"], "Bgr48"),
        (["Gray32Float", "Bgr24"], "Bgr96Float"),
        (["Gray64ComplexFloat", "Bgr24"], "Bgr192ComplexFloat"),
        (["Bgr24", "Bgra32"], "Bgra32"),
        (["Gray8", 77], "Gray8"),
    ],
)
def test_the_common_type_is_the_smallest_that_holds_all(types, expected):
    numbers = [PixelType[name] if isinstance(name, str) else name for name in types]
    for some in itertools.permutations(numbers):
        assert common_type(some, "it") == PixelType[expected]
    for number in numbers:
        if number in list(PixelType):
            check_convertible(number, PixelType[expected], 5)
            assert not loses_bits(number, PixelType[expected])


@pytest.mark.parametrize(
    "types",
    [
        ("Gray32", "Bgr24"),
        ("Gray64Float", "Gray64ComplexFloat"),
        ("Bgr48", "Bgra32"),
        ("Gray16", "Bgra32"),
    ],
)
def test_types_that_none_holds_are_refused_by_their_names(types):
    numbers = [PixelType[name] for name in types]
    with pytest.raises(
        UnsupportedDataError, match=f"channel 3 has pixels of {' and '.join(types)}"
    ):
        common_type(numbers, "channel 3")


def test_unknown_types_alone_are_refused_by_their_numbers():
    with pytest.raises(UnsupportedDataError, match="the pixel type number 77, which is unknown"):
        common_type([77], "channel 3")


@pytest.mark.parametrize(("source", "target"), list(itertools.permutations(PixelType, 2)))
def test_what_holds_a_type_gives_back_every_value(source, target):
    if not holds(target, source):
        return
    before, after = pixel_format(source), pixel_format(target)
    rng = np.random.default_rng(source * 100 + target)
    pixels = rng.integers(0, 256, (5, 6, before.bytes_per_pixel), "u1").view(before.dtype)
    pixels = np.nan_to_num(pixels)
    out = np.zeros((5, 6, after.samples), after.dtype)
    convert(pixels, source, target, out)
    colours = out[..., : max(before.samples, min(after.samples, 3))]
    with np.errstate(all="ignore"):
        back = (colours.real if before.dtype[1] != "c" else colours).astype(before.dtype)
    assert np.array_equal(back, np.broadcast_to(pixels, back.shape))
    assert after.samples < 4 or (out[..., 3] == 255).all()
