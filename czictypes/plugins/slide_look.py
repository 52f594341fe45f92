"""The display of the channels of a slide, the same in every region of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.image import CziImage
from czictypes.model.geometry import Rectangle
from czictypes.model.options import (
    ChannelDisplaySettingsDataClass,
    Rgb8Color,
    TintingMode,
)
from czictypes.model.pixel_types import PixelType
from czictypes.reading.pictures import finite_range

__all__ = ["SlideLook", "slide_look"]

Settings = Mapping[int, ChannelDisplaySettingsDataClass]

#: The longer side, in pixels, of the picture that the contrast of a whole slide is taken from.
_OVERVIEW = 512
#: Of a slide that is but a line, with a pixel across, so many along it are looked at.
_LONGEST = 1 << 16
#: What channels without a colour are shown in, one after the other.
_COLORS = ((0, 255, 0), (255, 0, 255), (0, 255, 255), (255, 255, 0), (255, 0, 0), (0, 0, 255))
#: Pixel types with a range of their own; what is of another needs one to be shown.
_BOUNDED = (
    PixelType.Gray8,
    PixelType.Gray16,
    PixelType.Bgr24,
    PixelType.Bgr48,
    PixelType.Bgra32,
)


@dataclass(frozen=True)
class SlideLook:
    """The look of a slide.

    Parameters
    ----------
    kinds
        The pixel type of each channel.
    settings
        The display settings of each channel; None for those of the file.
    windows
        For channels of more than 16 bits: the values that are taken for the ends of their range.
    is_photograph
        Whether the only channel is of 8-bit colours, which are shown as they are.
    """

    kinds: Mapping[int, PixelType]
    settings: Settings | None
    windows: Mapping[int, tuple[float, float]]
    is_photograph: bool


def slide_look(
    image: CziImage, box: Rectangle, plane: Mapping[str, int], settings: Settings | None
) -> SlideLook:
    """Return how a whole slide is shown.

    The display settings are the caller's, else those of the file, where it has some for every
    channel; else they are made of the channels' colours and of the values in a small picture of
    the whole slide: settings that each region found for itself would differ at its borders.
    """
    kinds = image._layout.kinds
    photograph = list(kinds.values()) in ([PixelType.Bgr24], [PixelType.Bgra32])
    if photograph and settings is None:
        return SlideLook(kinds, None, {}, True)
    stored = image.reader.display_settings
    is_made = settings is None and not all(channel in stored for channel in kinds)
    looked_at = [channel for channel, kind in kinds.items() if is_made or kind not in _BOUNDED]
    overviews = {
        channel: _overview(image, box, {**plane, "C": channel}, kinds[channel])
        for channel in looked_at
    }
    windows = {
        channel: finite_range(pixels)
        for channel, pixels in overviews.items()
        if kinds[channel] not in _BOUNDED
    }
    if is_made:
        settings = _made_settings(image, kinds, overviews)
    return SlideLook(kinds, settings, windows, False)


def _overview(
    image: CziImage, box: Rectangle, plane: dict[str, int], kind: PixelType
) -> NDArray[Any]:
    zoom = max(min(1.0, _OVERVIEW / max(box.w, box.h)), 1 / min(box.w, box.h))
    zoom = min(1.0, 1.001 * zoom)
    most = int(_LONGEST / zoom)
    part = Rectangle(box.x, box.y, min(box.w, most), min(box.h, most))
    return image.reader.read(part, plane, image.scene_index, zoom, kind.name)


def _made_settings(
    image: CziImage, kinds: Mapping[int, PixelType], overviews: Mapping[int, NDArray[Any]]
) -> dict[int, ChannelDisplaySettingsDataClass]:
    settings = {}
    for position, (channel, color) in enumerate(zip(kinds, image.channel_colors)):
        if color is None and len(kinds) > 1:
            color = _COLORS[position % len(_COLORS)]
        tinted = color is not None and overviews[channel].shape[2] == 1
        low, high = _window(overviews[channel])
        settings[channel] = ChannelDisplaySettingsDataClass(
            is_enabled=True,
            tinting_mode=TintingMode.Color if tinted else TintingMode.none,
            tinting_color=Rgb8Color(*(color or (255, 255, 255))),
            black_point=low,
            white_point=high,
        )
    return settings


def _window(pixels: NDArray[Any]) -> tuple[float, float]:
    """Return the smallest and the largest value as fractions of the range of the type."""
    if pixels.dtype.kind != "u" or pixels.dtype.itemsize > 2 or pixels.shape[2] > 1:
        return 0.0, 1.0
    largest = np.iinfo(pixels.dtype).max
    low, high = int(pixels.min()), int(pixels.max())
    return (0.0, 1.0) if low == largest else (low / largest, max(high, low + 1) / largest)
