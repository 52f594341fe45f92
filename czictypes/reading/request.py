"""Checks the arguments of a read and turns them into a `PlaneRequest`.

libCZI answers most wrong arguments with the same status code. So every argument is checked here,
where the message can say what is allowed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from numbers import Real
from operator import index as as_integer
from typing import Any, NamedTuple, Union

import numpy as np
from numpy.typing import NDArray

from czictypes.model.errors import InvalidArgumentError, OutOfBoundsError, UnsupportedDataError
from czictypes.model.geometry import (
    PLANE_DIMENSIONS,
    Color,
    Rectangle,
    checked_plane,
    whole_number,
)
from czictypes.model.lazy import cached_property
from czictypes.model.pixel_types import PixelType, pixel_format, pixel_type_from_name
from czictypes.model.public import warn_caller
from czictypes.reading.conversion import common_type
from czictypes.reading.names import numbers_of
from czictypes.reading.result_memory import ResultMemory
from czictypes.reading.table import SubBlockTable

Background = Union[
    Color, tuple[float, float, float], tuple[float, float, float, float], Sequence[float], float
]

#: The largest value of the types whose samples are whole numbers.
_WHITE = {
    kind: int(np.iinfo(pixel_format(kind).dtype).max)
    for kind in PixelType
    if pixel_format(kind).dtype[1] == "u"
}


#: The type of a sample, by the number of the pixel type.
DTYPES = {int(kind): np.dtype(pixel_format(kind).dtype) for kind in PixelType}
#: So many bytes are filled in one go, so that an interrupt is heard.
_FILLED_AT_ONCE = 32 << 20


def background_value(pixel_type: PixelType, background: Background) -> tuple[Any, ...]:
    """Return the samples of a background pixel.

    Blue, green and red from 0 to 1 become pixel values as in libCZI: in float32, clamped and
    rounded to the nearest; gray types take their mean. A fourth number is alpha, which is opaque by
    default. A single number, for gray types only, is used as it is.
    """
    samples = pixel_format(pixel_type).samples
    if isinstance(background, Sequence):
        blue, green, red, *alpha = (_precise(pixel_type)(component) for component in background)
        if samples == 1:
            return (_scaled(pixel_type, red + green + blue, 3),)
        colour = (blue, green, red, *(alpha or [_precise(pixel_type)(1)]))
        return tuple(_scaled(pixel_type, component, 1) for component in colour[:samples])
    if samples != 1:
        raise ValueError(f"the background of {pixel_type.name} must be three numbers, not one")
    return (background,)


def _precise(pixel_type: PixelType) -> Any:
    """Return float32, as in libCZI, or float64 where float32 would lose digits."""
    lossy = pixel_type in (PixelType.Gray32, PixelType.Gray64Float, PixelType.Gray64ComplexFloat)
    return np.float64 if lossy else np.float32


def _scaled(pixel_type: PixelType, value: Any, divisor: int) -> Any:
    number = type(value)
    white = _WHITE.get(pixel_type)
    if white is None:
        return value / number(divisor)
    scaled = number(white) * value / number(divisor)
    if scaled <= 0:
        return 0
    return white if scaled >= white else int(scaled + number(0.5))


def fill(out: NDArray[Any], samples: tuple[Any, ...]) -> None:
    """Set every pixel of an array (height, width, samples) to the same value."""
    if out.nbytes > _FILLED_AT_ONCE and len(out) > 1:
        half = len(out) // 2
        fill(out[:half], samples)
        fill(out[half:], samples)
    elif len(set(samples)) == 1:
        out[...] = samples[0]
    elif out.size:
        out[0] = samples
        out[1:] = out[0]  # copying rows is much faster than setting pixels


Shape = tuple[int, int, int]


def result_array(
    out: NDArray[Any] | None, shape: Shape, dtype: np.dtype[Any], memory: ResultMemory
) -> NDArray[Any]:
    """Return the array for a plane (height, width, samples): a new one, or the caller's `out`.

    Raises ValueError if the shape has no pixel, because the zoom is too small for the roi, or if
    `out` does not fit, and ResultTooLargeError if a new array exceeds the limit or the memory.
    """
    if 0 in shape:
        raise InvalidArgumentError(
            f"the zoom is so small that the result would have {shape[1]} x {shape[0]} pixels; "
            f"use a larger zoom or roi"
        )
    if out is None:
        return memory.take(shape, dtype)
    check_output(out, shape, dtype)
    if not has_adjacent_pixels(out):
        raise ValueError("out may have strided rows, but the pixels of a row must be adjacent")
    return out


def check_output(out: NDArray[Any], shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Raise ValueError unless `out` is a writable array of this shape and dtype."""
    if not isinstance(out, np.ndarray):
        raise ValueError(f"out must be a numpy array, not {type(out).__name__}")
    if out.shape != shape or out.dtype != dtype:
        raise ValueError(
            f"out must have shape {shape} and dtype {dtype}, not {out.shape} and {out.dtype}"
        )
    if not out.flags.writeable:
        raise ValueError("out is read-only; give an array that can be written to")


def has_adjacent_pixels(out: NDArray[Any]) -> bool:
    """Return whether the pixels in each row of an array (height, width, samples) are adjacent."""
    return out[:1].flags.c_contiguous  # whatever the strides of an axis of size 1


Roi = Union[Rectangle, tuple[int, int, int, int], Sequence[int]]
Plane = Mapping[str, Union[int, str]]

_INT32 = 2**31
#: The number of different requests, but for roi and background, whose checks are kept.
_KEPT = 256
_BLACK = Color(0, 0, 0)
_TRANSPARENT = (0.0, 0.0, 0.0, 0.0)
_PIXEL_TYPES = {int(kind): kind for kind in PixelType}


class PlaneRequest(NamedTuple):
    """The complete, checked request of a read.

    Attributes
    ----------
    roi
        The region in pixels of the raw-sub-block coordinate system.
    plane
        A position in each plane dimension of the document whose size is above 1.
    scene
        The only scene that contributes, or None for all.
    zoom
        Above 0 and at most 1; used as float32.
    pixel_type
        The type of the result.
    background
        The value where no tile is; see `background_value`.
    mask_aware
        Whether pixels that a tile's mask marks as invalid are left out.
    """

    roi: Rectangle
    plane: Mapping[str, int]
    scene: int | None
    zoom: float
    pixel_type: PixelType
    background: Background
    mask_aware: bool = False


def output_shape(request: PlaneRequest) -> tuple[int, int, int]:
    """Return the shape (height, width, samples) of the result.

    Each side is ``int(float32(side) * float32(zoom))`` as in libCZI; a small zoom may leave no
    pixel. At zoom 1 the side is exact, whereas libCZI's float32 deviates above 2**24 pixels.
    """
    _, _, width, height = request.roi
    if request.zoom != 1:
        zoom = np.float32(request.zoom)
        if zoom != 1:
            width, height = int(np.float32(width) * zoom), int(np.float32(height) * zoom)
    return height, width, pixel_format(request.pixel_type).samples


class Requests:
    """Makes the requests of the reads of one document, and keeps the results of their checks."""

    def __init__(self, table: SubBlockTable, name: str, *, mask_aware: bool) -> None:
        self._table, self._name, self._mask_aware = table, name, mask_aware

    @cached_property
    def _checked(self) -> Callable[..., tuple[dict[str, int], int | None, float, PixelType]]:
        # By type, too: 1.0 is not a position, but equals one.
        return lru_cache(_KEPT, typed=True)(partial(_checked, self._table))

    def make(
        self,
        roi: Roi | None = None,
        plane: Plane | None = None,
        scene: int | str | None = None,
        zoom: float | None = None,
        pixel_type: str | None = None,
        background: Background | None = None,
    ) -> PlaneRequest:
        """Check the arguments of a read against the document and fill in the defaults.

        Raises ValueError for a wrong argument, and OutOfBoundsError, which names the document, for
        a plane position or a scene that it does not have.
        """
        plane = checked_plane(plane)
        try:
            try:
                found = self._checked(scene, zoom, pixel_type, *plane, *plane.values())
            except TypeError:  # an argument that cannot be a key
                found = _checked(self._table, scene, zoom, pixel_type, *plane, *plane.values())
            box = _default_roi(self._table, found[1]) if roi is None else parse_roi(roi)
        except OutOfBoundsError as error:
            raise OutOfBoundsError(f"{self._name}: {error}") from None
        return PlaneRequest(box, *found, _check_background(background, found[3]), self._mask_aware)


def _checked(
    table: SubBlockTable,
    scene: int | str | None,
    zoom: float | None,
    pixel_type: str | None,
    *plane: Any,
) -> tuple[dict[str, int], int | None, float, PixelType]:
    """Return plane, scene, zoom and pixel type; `plane` are dimensions, and then positions."""
    number = check_scene(table, scene)
    half = len(plane) // 2
    coordinate = _plane_coordinate(table, dict(zip(plane[:half], plane[half:])))
    wanted = _pixel_type(table, coordinate, pixel_type)
    # As in pylibCZIrw, tiles need not have dimensions of size 1.
    position = {name: at for name, at in coordinate.items() if table.plane_bounds[name][1] > 1}
    return position, number, _check_zoom(zoom), wanted


def parse_roi(roi: Roi) -> Rectangle:
    """Return the rectangle of a region of interest: four whole numbers x, y, w, h.

    Raises ValueError for anything else or an empty region, and OutOfBoundsError if the region
    leaves the range of 32-bit coordinates.
    """
    try:
        x, y, w, h = map(as_integer, roi)
    except (TypeError, ValueError):
        raise ValueError(f"roi must be four whole numbers (x, y, w, h), not {roi!r}") from None
    if w < 1 or h < 1:
        raise ValueError(f"roi {x, y, w, h} is empty; width and height must be at least 1")
    if x < -_INT32 or y < -_INT32 or x + w >= _INT32 or y + h >= _INT32:
        raise OutOfBoundsError(f"roi {x, y, w, h} leaves the range of 32-bit coordinates")
    return Rectangle(x, y, w, h)


def _plane_coordinate(table: SubBlockTable, plane: Plane) -> dict[str, int]:
    """Return a position for every plane dimension of the document, the minimum by default.

    A dimension that the document lacks may be given as 0, the position of its only plane. S may be
    given if there is no choice: in a document without scenes, or with this scene only.
    """
    ranges = table.plane_bounds
    coordinate = {name: bounds[0] for name, bounds in ranges.items()}
    for name, given in plane.items():
        if name == "S" and len(table.scene_rectangles) > 1:
            raise ValueError("scenes are not part of a plane; name one with scene=")
        if name != "S" and name not in PLANE_DIMENSIONS:
            allowed = ", ".join(PLANE_DIMENSIONS)
            raise ValueError(f"{name!r} is not a plane dimension; use one of {allowed}")
        start, size = _bounds(table, name)
        try:
            value = whole_number(given)
        except TypeError:
            value = _named(table, name, given)
        if not start <= value < start + size:
            raise OutOfBoundsError(
                f"plane {name}={value} is outside the document; "
                f"{name} goes from {start} to {start + size - 1}"
            )
        if name in coordinate:
            coordinate[name] = value
    return coordinate


def _named(table: SubBlockTable, name: str, given: object) -> int:
    """Return the number of a channel, or the only scene, that is given by its name."""
    number = numbers_of(table, name, given) if isinstance(given, str) else given
    if name == "S" and number is None:
        return 0
    if not isinstance(number, int) or isinstance(number, bool):
        kind = "a whole number or a name" if name == "C" else "a whole number"
        raise ValueError(f"plane[{name!r}] must be {kind}, not {given!r}")
    return number


def _bounds(table: SubBlockTable, name: str) -> tuple[int, int]:
    """Return the start and size of a dimension, even of one that the document lacks."""
    if name == "S":
        return next(iter(table.scene_rectangles), 0), 1
    return table.plane_bounds.get(name, (0, 1))


def check_scene(table: SubBlockTable, scene: int | str | None) -> int | None:
    """Return the number of a scene of the document; None stands for all."""
    if scene is None:
        return None
    try:
        scene = whole_number(scene)
    except TypeError:
        number: int | str | None = numbers_of(table, "S", scene)
        if number is not scene and (number is None or isinstance(number, int)):
            return number
        raise InvalidArgumentError(
            f"scene must be a whole number or a name, one at a time, not {scene!r}"
        ) from None
    if scene not in table.scene_rectangles:
        raise OutOfBoundsError(f"there is no scene {scene}; {_scenes_text(table)}")
    return scene


def _scenes_text(table: SubBlockTable) -> str:
    scenes = sorted(table.scene_rectangles)
    if not scenes:
        return "the document has no scenes, leave scene= out"
    if len(scenes) == scenes[-1] - scenes[0] + 1:
        return f"the document has the scenes {scenes[0]} to {scenes[-1]}"
    return f"the document has the scenes {', '.join(map(str, scenes))}"


def type_of_all(
    table: SubBlockTable, channel: int | None, scene: int | None = None
) -> PixelType | None:
    """Return the pixel type that holds all sub-blocks of a channel, of one scene or of all.

    If the channel has none there, the type is that of its first sub-block elsewhere, or of the
    first sub-block of all; None in a document without sub-blocks. Raises UnsupportedDataError if
    the type is unknown, or no type holds them all.
    """
    types = table.pixel_types_of(channel, scene)
    if not types:
        first = table.channel_pixel_type(channel), table.channel_pixel_type(None)
        types = [number for number in first if number is not None][:1]
    if not types:
        return None
    what = "the document" if channel is None else f"channel {channel}"
    return common_type(types, what if scene is None else f"{what} of scene {scene}")


def _default_roi(table: SubBlockTable, scene: int | None) -> Rectangle:
    box = table.total_rectangle if scene is None else table.scene_rectangles[scene]
    if box.is_empty:
        raise OutOfBoundsError("the document has no sub-blocks, so there is nothing to read")
    return box


def _check_zoom(zoom: float | None) -> float:
    if zoom is None:
        return 1.0
    if type(zoom) is float and 0 < zoom <= 1:  # the usual case; the check for Real takes longer
        return zoom
    is_number = isinstance(zoom, Real) and not isinstance(zoom, bool) and math.isfinite(zoom)
    if not is_number or not 0 < zoom <= 1:
        raise ValueError(f"zoom must be greater than 0 and at most 1, not {zoom!r}")
    return float(zoom)


def _pixel_type(table: SubBlockTable, coordinate: Mapping[str, int], name: str | None) -> PixelType:
    if name is not None:
        return pixel_type_from_name(name)
    number = table.channel_pixel_type(coordinate.get("C"))
    if number is None:  # a channel within the bounds, but without sub-blocks: all background
        number = table.channel_pixel_type(None)
    if number is None:
        raise OutOfBoundsError("the document has no sub-blocks, so there is nothing to read")
    wanted = _PIXEL_TYPES.get(number)
    if wanted is None:
        raise UnsupportedDataError(
            f"the channel's pixel type has the unknown number {number}; name the type of the "
            "result with pixel_type"
        )
    return wanted


def _check_background(background: Background | None, pixel_type: PixelType) -> Background:
    if background is None:
        return _TRANSPARENT if pixel_type is PixelType.Bgra32 else _BLACK
    if type(background) is Color:  # the usual case
        blue, green, red = background
        if 0 <= blue <= 1 and 0 <= green <= 1 and 0 <= red <= 1:
            return background
    if isinstance(background, (Real, float)) and not isinstance(background, bool):
        return _gray_background(float(background), pixel_type)
    try:
        values = [float(value) for value in background]  # type: ignore[union-attr]
    except (TypeError, ValueError):
        values = []
    possible = (3, 4) if pixel_type is PixelType.Bgra32 else (3,)
    if len(values) not in possible or any(math.isnan(value) for value in values):
        raise ValueError(
            "background_pixel must be three numbers from 0 to 1 (blue, green, red); a gray read "
            f"also takes one number in the range of {pixel_type.name}, a Bgra32 read four (and "
            f"alpha); not {background!r}"
        )
    if not all(0 <= value <= 1 for value in values) and pixel_type in _WHITE:
        warn_caller(
            f"background_pixel {tuple(background)} is clipped to the range 0 to 1; "  # type: ignore[arg-type]
            f"1.0 is the largest value of {pixel_type.name}",
        )
    return Color(*values) if len(values) == 3 else tuple(values)


def _gray_background(value: float, pixel_type: PixelType) -> float:
    if pixel_format(pixel_type).samples != 1:
        raise ValueError(
            f"background_pixel for {pixel_type.name} must be three numbers from 0 to 1 "
            f"(blue, green, red), not the single number {value:g}"
        )
    largest = _WHITE.get(pixel_type)
    if largest is not None and not (0 <= value <= largest and value == int(value)):
        raise ValueError(
            f"background_pixel for {pixel_type.name} must be a whole number from 0 to "
            f"{largest}, not {value:g}"
        )
    if math.isnan(value):
        raise ValueError("background_pixel must be a number, not NaN")
    return value
