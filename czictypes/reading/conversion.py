"""Conversion of pixels from the type in which a tile is stored to the type that is asked for.

The numbers are libCZI's: 8-bit values become 16-bit or float ones unscaled, 16-bit values become
8-bit ones by their high byte, and colour becomes gray as the mean of its components. libCZI's
own Bgr24 to Bgr48 reads the wrong bytes; here each component keeps its value.

Beyond libCZI's, pixels become every type that holds them exactly: numbers keep their values, gray
becomes the value of all components, and colour without alpha becomes opaque (255). Bgra32 becomes
what its colours become, without the alpha.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import partial
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.container.pixels import PixelArray, Which, in_bands
from czictypes.model.errors import UnsupportedDataError
from czictypes.model.pixel_types import PixelType, pixel_format

__all__ = ["check_convertible", "common_type", "convert", "holds", "loses_bits", "paint"]

Pixels = NDArray[Any]

#: So many pixels at a time, which bounds the memory for what is worked out in between.
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
    """Tell whether a pixel type holds all pixels of another one exactly."""
    own, other = pixel_format(target), pixel_format(source)
    has_samples = other.samples in (1, own.samples) or (other.samples, own.samples) == (3, 4)
    return has_samples and np.can_cast(other.dtype, own.dtype, "safe")


def loses_bits(source: int, target: int) -> bool:
    """Tell whether pixels of a type can be converted to another one, but not exactly."""
    return (source, target) in _CONVERSIONS and not holds(target, source)


def common_type(types: Collection[int], what: str) -> PixelType:
    """Return the smallest pixel type that holds pixels of several types exactly.

    Parameters
    ----------
    types
        Numbers of pixel types, one at least. Unknown ones are left aside beside known ones: they
        are told of when their pixels are needed.
    what
        Whose types they are, for messages.

    Raises
    ------
    UnsupportedDataError
        If none does, or the types are unknown.
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


def check_convertible(sources: Iterable[int], target: PixelType) -> None:
    """Check that pixels of some types can be converted.

    Parameters
    ----------
    sources
        Numbers of the types in which tiles are stored.
    target
        The type that is asked for.

    Raises
    ------
    UnsupportedDataError
        If there is no conversion, naming both types.
    """
    for source in sources:
        if source != target and (source, target) not in _CONVERSIONS:
            if source not in list(PixelType):
                raise UnsupportedDataError(
                    f"a tile has the pixel type number {source}, which is unknown, so it cannot be "
                    f"read as {target.name}"
                )
            name = PixelType(source).name
            possible = sorted(PixelType(to).name for start, to in _CONVERSIONS if start == source)
            raise UnsupportedDataError(
                f"pixels of type {name} cannot be converted to {target.name}; "
                f"they can be read as {', '.join([name, *possible])}"
            )


def convert(pixels: Pixels, source: int, target: int, out: Pixels) -> None:
    """Convert pixels into an array.

    Parameters
    ----------
    pixels
        (height, width, samples) in the type `source`.
    source, target
        Numbers of pixel types for which `check_convertible` raises nothing.
    out
        (height, width, samples) in the type `target`; may be any view that can be written to.
    """
    if source == target:
        np.copyto(out, pixels)
    else:
        conversion = _CONVERSIONS[source, target]
        rows = max(_PIXELS_AT_ONCE // max(pixels.shape[1], 1), 1)
        for first in range(0, len(pixels), rows):
            conversion(pixels[first : first + rows], out[first : first + rows])


def paint(
    tile: PixelArray, rows: Which, columns: Which, source: int, target: int, out: Pixels
) -> None:
    """Convert some rows and columns of a tile's pixels into an array, as `convert` does."""
    first = 0
    for band in in_bands(tile, rows, columns):
        end = first + len(band)
        convert(band, source, target, out[first:end])
        first = end


def _same_value(pixels: Pixels, out: Pixels) -> None:
    np.copyto(out, pixels)


def _to_components(pixels: Pixels, out: Pixels) -> None:
    """Give all components the gray value; one after the other takes a fifth of the time."""
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
