"""Converts pixels from the type of a tile to the type that the caller asked for.

The results are libCZI's: 8-bit values become 16-bit or float values unscaled, 16-bit values become
8-bit values by their high byte, and colour becomes gray as the mean of its components. The
exception is Bgr24 to Bgr48, where libCZI reads the wrong bytes; here each component keeps its
value.

Other conversions exist only where the target holds the source exactly: numbers keep their values,
gray is copied to all components, and added alpha is opaque (255). Bgra32 converts as its colours
do, without the alpha.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from czictypes.model.errors import UnsupportedDataError
from czictypes.model.pixel_types import PixelType, pixel_format

Pixels = NDArray[Any]

#: The number of pixels converted at a time, which bounds the memory for intermediate values.
_PIXELS_AT_ONCE = 256 << 10


#: From the smallest to the largest, gray before colour.
_BY_SIZE = (
    PixelType.Gray8,
    PixelType.Gray16,
    PixelType.Gray32,
    PixelType.Gray32Float,
    PixelType.Gray64Float,
    PixelType.Gray64ComplexFloat,
    PixelType.Bgr24,
    PixelType.Bgr48,
    PixelType.Bgra32,
    PixelType.Bgr96Float,
    PixelType.Bgr192ComplexFloat,
)


def holds(target: int, source: int) -> bool:
    """Return whether a pixel type holds every pixel of another type exactly."""
    own, other = pixel_format(target), pixel_format(source)
    has_samples = other.samples in (1, own.samples) or (other.samples, own.samples) == (3, 4)
    return has_samples and np.can_cast(other.dtype, own.dtype, "safe")


def loses_bits(source: int, target: int) -> bool:
    """Return whether a conversion between two types exists but loses information."""
    return (source, target) in _CONVERSIONS and not holds(target, source)


def common_type(types: Collection[int], what: str) -> PixelType:
    """Return the smallest pixel type that holds pixels of several types exactly.

    `types` are numbers, at least one. Unknown numbers beside known ones are skipped: the read that
    needs their pixels reports them. `what` names the owner of the types in messages. Raises
    UnsupportedDataError if no type holds them all, or all are unknown.
    """
    known = [number for number in types if number in _BY_SIZE]
    if not known:
        numbers = ", ".join(map(str, types))
        raise UnsupportedDataError(f"{what} has the pixel type number {numbers}, which is unknown")
    for target in _BY_SIZE:
        if all(holds(target, number) for number in known):
            return target
    names = " and ".join(PixelType(number).name for number in known)
    raise UnsupportedDataError(
        f"{what} has pixels of {names}, which no pixel type holds exactly; read them separately, "
        "with CziReader.read and its pixel_type"
    )


def check_convertible(source: int, target: PixelType, sub_block: int) -> None:
    """Raise UnsupportedDataError unless the pixels of a sub-block can be converted to `target`."""
    if source == target or (source, target) in _CONVERSIONS:
        return
    if source not in list(PixelType):
        raise UnsupportedDataError(
            f"sub-block {sub_block} has the pixel type number {source}, which is unknown, so it "
            f"cannot be read as {target.name}"
        )
    name = PixelType(source).name
    possible = sorted(PixelType(to).name for start, to in _CONVERSIONS if start == source)
    raise UnsupportedDataError(
        f"pixels of type {name} (of sub-block {sub_block}) cannot be converted to {target.name}; "
        f"they can be read as {', '.join([name, *possible])}"
    )


def convert(pixels: Pixels, source: int, target: int, out: Pixels) -> None:
    """Convert pixels (height, width, samples) into `out`, which may be any writable view.

    The types are numbers that `check_convertible` accepts.
    """
    if source == target:
        np.copyto(out, pixels)
    else:
        conversion = _CONVERSIONS[source, target]
        rows = max(_PIXELS_AT_ONCE // max(pixels.shape[1], 1), 1)
        for first in range(0, len(pixels), rows):
            conversion(pixels[first : first + rows], out[first : first + rows])


def _same_value(pixels: Pixels, out: Pixels) -> None:
    np.copyto(out, pixels)


def _to_components(pixels: Pixels, out: Pixels) -> None:
    """Copy gray to all components; one after the other takes a fifth of the time."""
    for component in range(out.shape[2]):
        np.copyto(out[..., component : component + 1], pixels)


def _high_byte_to_components(pixels: Pixels, out: Pixels) -> None:
    high = np.empty(pixels.shape, np.uint8)
    _high_byte(pixels, high)
    _to_components(high, out)


def _high_byte(pixels: Pixels, out: Pixels) -> None:
    np.right_shift(pixels, np.uint16(8), out=out, casting="unsafe")


def _sum(pixels: Pixels) -> NDArray[np.uint32]:
    total = pixels[..., 0:1].astype(np.uint32)
    total += pixels[..., 1:2]
    total += pixels[..., 2:3]
    return total


def _mean_rounded(pixels: Pixels, out: Pixels) -> None:
    np.floor_divide(_sum(pixels) + np.uint32(1), np.uint32(3), out=out, casting="unsafe")


def _mean_cut(pixels: Pixels, out: Pixels) -> None:
    np.floor_divide(_sum(pixels), np.uint32(3), out=out, casting="unsafe")


def _mean_high_byte(pixels: Pixels, out: Pixels) -> None:
    np.right_shift(_sum(pixels) // np.uint32(3), np.uint32(8), out=out, casting="unsafe")


def _mean_float(pixels: Pixels, out: Pixels) -> None:
    np.divide(_sum(pixels).astype(np.float32), np.float32(3), out=out)


_CONVERSIONS: dict[tuple[int, int], Callable[[Pixels, Pixels], None]] = {
    (PixelType.Gray8, PixelType.Gray16): _same_value,
    (PixelType.Gray8, PixelType.Gray32Float): _same_value,
    (PixelType.Gray8, PixelType.Bgr24): _to_components,
    (PixelType.Gray8, PixelType.Bgr48): _to_components,
    (PixelType.Gray16, PixelType.Gray8): _high_byte,
    (PixelType.Gray16, PixelType.Gray32Float): _same_value,
    (PixelType.Gray16, PixelType.Bgr24): _high_byte_to_components,
    (PixelType.Gray16, PixelType.Bgr48): _to_components,
    (PixelType.Bgr24, PixelType.Gray8): _mean_rounded,
    (PixelType.Bgr24, PixelType.Gray16): _mean_rounded,
    (PixelType.Bgr24, PixelType.Gray32Float): _mean_float,
    (PixelType.Bgr24, PixelType.Bgr48): _same_value,
    (PixelType.Bgr48, PixelType.Gray8): _mean_high_byte,
    (PixelType.Bgr48, PixelType.Gray16): _mean_cut,
    (PixelType.Bgr48, PixelType.Gray32Float): _mean_float,
    (PixelType.Bgr48, PixelType.Bgr24): _high_byte,
}


def _with_alpha(pixels: Pixels, out: Pixels) -> None:
    out[..., :3] = pixels  # gray is the value of each of the three
    out[..., 3] = 255


def _without_alpha(
    conversion: Callable[[Pixels, Pixels], None], pixels: Pixels, out: Pixels
) -> None:
    conversion(pixels[..., :3], out)


def _exact(source: int, target: int) -> Callable[[Pixels, Pixels], None]:
    """Return the conversion to a type that holds all pixels of another."""
    before, after = pixel_format(source).samples, pixel_format(target).samples
    if before == after:
        return _same_value
    return _with_alpha if after == 4 else _to_components


for _before, _after in permutations(PixelType, 2):
    if holds(_after, _before):
        _CONVERSIONS.setdefault((_before, _after), _exact(_before, _after))
_CONVERSIONS[PixelType.Bgra32, PixelType.Bgr24] = partial(_without_alpha, _same_value)
for (_source, _target), _conversion in list(_CONVERSIONS.items()):
    if _source == PixelType.Bgr24 and _target != PixelType.Bgra32:
        _CONVERSIONS[PixelType.Bgra32, _target] = partial(_without_alpha, _conversion)


#: The percentiles that become black and white.
_DARK, _BRIGHT = 0.2, 99.8
#: The number of samples at a time: float64 takes up to eight times their memory.
_AT_ONCE = 1 << 18


def eight_bit(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return pixels of any dtype as uint8, in the same shape.

    uint8 stays as it is, and uint16 becomes its high byte, as in libCZI and OpenSlide. All other
    types have no natural range, and are stretched (see `stretch`).
    """
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.uint16:
        return (pixels >> 8).astype(np.uint8)
    return stretch(pixels)


def stretch(
    pixels: NDArray[Any],
    window: tuple[float, float] | None = None,
    dtype: DTypeLike = np.uint8,
) -> NDArray[Any]:
    """Map pixels of any shape and dtype linearly to the whole range of an unsigned type.

    `window` are the values that become 0 and the largest number, by default `finite_range`; values
    beyond, and infinities, are clipped. Complex numbers count by their magnitude; NaN becomes 0.
    """
    low, high = window or finite_range(pixels)
    largest = np.iinfo(dtype).max
    if pixels.dtype in (np.uint8, np.uint16) and pixels.size > np.iinfo(pixels.dtype).max:
        # There are fewer values than pixels.
        mapped = stretch(np.arange(int(pixels.max()) + 1), (low, high), dtype)
        return mapped.take(pixels)
    result = np.empty(pixels.shape, dtype)
    for part, values in _bands(pixels):
        with np.errstate(all="ignore"):  # halves, as the span of all floats overflows
            share = (values / 2 - low / 2) / (high / 2 - low / 2)
        share = np.nan_to_num(share, nan=0, posinf=1, neginf=0).clip(0, 1)
        result[part] = np.rint(share * largest)
    return result


def real_values(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Return pixels as float64; complex numbers become their magnitude."""
    if pixels.dtype.kind == "c":
        pixels = np.abs(pixels.astype(np.complex128, copy=False))
    return pixels.astype(np.float64, copy=False)


def dark_and_bright(values: NDArray[Any]) -> tuple[float, float]:
    """Return the 0.2 and 99.8 percentiles of the finite values; 0 and 0 if there are none.

    They are real; of uint8 and uint16 they are counted, which takes a tenth of the time.
    """
    if values.dtype in (np.uint8, np.uint16) and values.size:
        counts = np.bincount(values.ravel()).cumsum()
        places = np.multiply((_DARK, _BRIGHT), (values.size - 1) / 100)
        first = np.floor(places)
        below, above = (counts.searchsorted(one, "right") for one in (first, np.ceil(places)))
        low, high = below + (above - below) * (places - first)
        return float(low), float(high)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 0.0
    low, high = np.percentile(finite / 2, (_DARK, _BRIGHT)) * 2  # the span may overflow
    return float(low), float(high)


def finite_range(pixels: NDArray[Any]) -> tuple[float, float]:
    """Return the smallest and the largest finite value, always two different numbers.

    Complex numbers count by their magnitude. The range is 0 to 1 without a finite value, and ends
    at the next whole number if all values are equal.
    """
    lows, highs = [], []
    for _, values in _bands(pixels):
        finite = values[np.isfinite(values)]
        if finite.size:
            lows.append(float(finite.min()))
            highs.append(float(finite.max()))
    if not lows:
        return 0.0, 1.0
    low, high = min(lows), max(highs)
    return low, high if high > low else low + 1


def _bands(pixels: NDArray[Any]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Yield bands of rows: their slice, and their values or magnitudes as float64."""
    row = max(pixels[:1].size, 1)
    rows = max(_AT_ONCE // row, 1)
    for top in range(0, len(pixels), rows):
        part = slice(top, top + rows)
        yield part, real_values(pixels[part])
