"""Blends channels into one picture with the compositor of libCZI."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from czictypes.libczi.bitmap import (
    BitmapHandle,
    CompositionChannel,
    composition_channel,
)
from czictypes.libczi.bitmap import compose_channels as blend
from czictypes.libczi.metadata import DisplaySettingsHandle
from czictypes.model.errors import OutOfBoundsError
from czictypes.model.options import DEFAULT_COLORS, ChannelDisplaySettingsDataClass, TintingMode
from czictypes.model.pixel_types import PixelType
from czictypes.reading.contrast import FILE, ChannelContrast, replaced_limits, whole_range
from czictypes.reading.conversion import stretch
from czictypes.reading.document import OpenDocument
from czictypes.reading.native_reader import bitmap_of
from czictypes.reading.threads import ThreadPool, each

Settings = Mapping[int, ChannelDisplaySettingsDataClass]
_Plane = tuple[NDArray[Any], PixelType]
_ReadChannel = Callable[[Union[int, None]], _Plane]
#: Gives the contrast of a channel; None for the points of the settings, whatever they are.
_ContrastOf = Callable[[int], Union[ChannelContrast, None]]

_BAND_BYTES = 2 << 20
_COMPOSABLE = (PixelType.Gray8, PixelType.Gray16, PixelType.Bgr24, PixelType.Bgr48)
_EIGHT_BIT = (PixelType.Gray8, PixelType.Bgr24, PixelType.Bgra32)


def compose_channels(
    document: OpenDocument,
    read_channel: _ReadChannel,
    settings: Settings | None,
    contrast: _ContrastOf = lambda channel: FILE,
    only: Collection[int] | None = None,
) -> NDArray[np.uint8]:
    """Blend the channels of a document into one picture, (y, x, 3) of uint8 in the order R, G, B.

    `read_channel` returns the pixels and pixel type of a channel; None is the only plane of a
    document without channels. `settings` replace the document's display settings, and `contrast`
    the points of either, see `shown_limits`. A channel without settings is shown in its colour of
    the metadata. `only` are the channels to blend, whether they are enabled or not.
    """
    # Channels without sub-blocks would only add black.
    numbers: list[int | None] = [*sorted(document.table.channel_pixel_types)] or [None]
    if only is not None:
        numbers = [number for number in numbers if (number or 0) in only]
    _check_settings(settings, document)
    planes: list[_Plane] = []
    looks: list[CompositionChannel] = []
    with _own_settings(document, settings) as own:
        for number in numbers:
            if _is_hidden(settings, number):
                continue
            plane = read_channel(number)
            stored = _stored_look(own, settings, number, plane)
            look = stored or CompositionChannel(tinting=_default_color(document, number, plane))
            plane, look = _shown(plane, look, contrast(number or 0), is_stored=stored is not None)
            if only is not None:
                look = look._replace(weight=look.weight or 1.0)
            if look.weight > 0:
                planes.append(plane)
                looks.append(look)
                height, width = plane[0].shape[:2]
                held = sum(pixels.nbytes for pixels, _ in planes)
                document.memory.check((height, width, 3), held + 3 * height * width)
    if not planes:  # all channels are disabled: a black picture in the size of a read
        height, width = read_channel(numbers[0])[0].shape[:2]
        return np.zeros((height, width, 3), np.uint8)
    return _blend_in_bands(planes, looks, document.pool)


def _check_settings(settings: Settings | None, document: OpenDocument) -> None:
    first, size = document.table.plane_bounds.get("C", (0, 1))
    for number in settings or ():
        if not first <= number < first + size:
            raise OutOfBoundsError(
                f"display_settings name channel {number}; "
                f"the document has {first} to {first + size - 1}"
            )


def _is_hidden(settings: Settings | None, number: int | None) -> bool:
    if settings is None:
        return False
    chosen = settings.get(number or 0)
    return chosen is None or not chosen.is_enabled


@contextmanager
def _own_settings(
    document: OpenDocument, settings: Settings | None
) -> Iterator[DisplaySettingsHandle | None]:
    """Yield the display settings of the file; None if they are missing or not wanted."""
    if settings is not None or not document.xml:
        yield None
        return
    with document.native.handle.metadata_segment() as segment, segment.document_info() as info:
        handle = info.display_settings()
        if handle is None:
            yield None
        else:
            with handle:
                yield handle


def _stored_look(
    own: DisplaySettingsHandle | None, settings: Settings | None, number: int | None, plane: _Plane
) -> CompositionChannel | None:
    """Return the look of a channel in the settings that were given, or in those of the file."""
    if settings is not None:
        return _chosen_look(settings[number or 0])
    if own is None:
        return None
    try:
        look = composition_channel(own, number or 0, sixteen_bit=plane[1] not in _EIGHT_BIT)
    except IndexError:  # the file has settings for other channels only
        return None
    return look if _is_possible(look) else None


def _is_possible(look: CompositionChannel) -> bool:
    """Return whether display settings are plausible; a damaged file may have any numbers."""
    return 0 <= look.black_point <= 1 and 0 <= look.white_point <= 1 and 0 <= look.weight < math.inf


def _chosen_look(chosen: ChannelDisplaySettingsDataClass) -> CompositionChannel:
    color = chosen.tinting_color
    tinted = chosen.tinting_mode is TintingMode.Color
    return CompositionChannel(
        tinting=(int(color.r), int(color.g), int(color.b)) if tinted else None,
        black_point=float(chosen.black_point),
        white_point=float(chosen.white_point),
    )


def _default_color(
    document: OpenDocument, number: int | None, plane: _Plane
) -> tuple[int, int, int] | None:
    if plane[0].shape[2] > 1:
        return None
    position = number or 0
    described = (one.color for one in document.channels if one.index == position)
    color = next(described, None)
    if color is not None:
        return int(color.r), int(color.g), int(color.b)
    if len(document.table.channel_pixel_types) < 2:
        return None
    return DEFAULT_COLORS[position % len(DEFAULT_COLORS)]


def _shown(
    plane: _Plane, look: CompositionChannel, contrast: ChannelContrast | None, *, is_stored: bool
) -> tuple[_Plane, CompositionChannel]:
    """Return a plane of a type that libCZI blends, and its look with the limits of the contrast.

    32 bits and more become 16.
    """
    pixels, pixel_type = plane
    if pixel_type is PixelType.Bgra32:
        pixels, pixel_type = pixels[..., :3], PixelType.Bgr24
    points = (look.black_point, look.white_point) if is_stored else None
    limits = None if contrast is None else replaced_limits(pixels, contrast, points)
    if limits is None:
        return _sixteen_bit(pixels, pixel_type, None), look
    low, high = whole_range(pixels)
    if pixel_type in _COMPOSABLE and low <= limits[0] and limits[1] <= high:
        black, white = limits[0] / high, limits[1] / high
        return (pixels, pixel_type), look._replace(black_point=black, white_point=white, table=None)
    look = look._replace(black_point=0.0, white_point=1.0, table=None)
    return _sixteen_bit(pixels, None, limits), look


def _sixteen_bit(
    pixels: NDArray[Any], pixel_type: PixelType | None, limits: tuple[float, float] | None
) -> _Plane:
    """Return a plane as it is where libCZI blends its type, else stretched to 16 bits."""
    if pixel_type in _COMPOSABLE:
        return pixels, pixel_type
    gray = pixels.shape[2] == 1
    return stretch(pixels, limits, np.uint16), PixelType.Gray16 if gray else PixelType.Bgr48


def _blend_in_bands(
    planes: list[_Plane], looks: list[CompositionChannel], pool: ThreadPool
) -> NDArray[np.uint8]:
    """Blend bands of rows in threads, which bounds the memory of libCZI's bitmaps."""
    height, width = planes[0][0].shape[:2]
    row_bytes = max(pixels[:1].nbytes for pixels, _ in planes)
    rows = max(1, _BAND_BYTES // max(row_bytes, 1))
    picture = np.empty((height, width, 3), np.uint8)

    def blend_band(top: int) -> None:
        band = slice(top, top + rows)
        with ExitStack() as stack:
            bitmaps = [stack.enter_context(_bitmap(pixels[band], kind)) for pixels, kind in planes]
            blended = stack.enter_context(blend(bitmaps, looks))
            view = stack.enter_context(blended.locked())
            for component in range(3):  # takes a fifth of the time of reversing all three
                picture[band, :, component] = view[..., 2 - component]

    tops = range(0, height, rows)
    each(tops, blend_band, min(pool.threads, len(tops)), pool.workers)
    return picture


def _bitmap(pixels: NDArray[Any], pixel_type: PixelType) -> BitmapHandle:
    """Return a libCZI bitmap of an array."""
    data = np.ascontiguousarray(pixels).reshape(-1).view(np.uint8).data
    height, width = pixels.shape[:2]
    return bitmap_of(data, width, height, pixel_type)
