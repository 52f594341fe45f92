"""Pictures of regions of a slide, and the display settings that all of them share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.image import CziImage
from czictypes.arrays.image_base import layout_of
from czictypes.arrays.selection import Selection
from czictypes.model.geometry import Rectangle
from czictypes.model.options import ChannelDisplaySettingsDataClass, Rgb8Color, TintingMode
from czictypes.model.pixel_types import PixelType, pixel_format
from czictypes.reading.composite import compose_channels
from czictypes.reading.conversion import finite_range, stretch
from czictypes.reading.plane_reads import open_document_of

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
    """The display of the channels of a slide, the same in every region."""

    pixel_types: Mapping[int, PixelType]
    #: The display settings of each channel; None for those of the file.
    settings: Settings | None
    #: Of channels of more than 16 bits, the values that are taken for the ends of their range.
    windows: Mapping[int, tuple[float, float]]
    #: Whether the only channel is of 8-bit colours, which are shown as they are.
    is_photograph: bool


def slide_look(
    image: CziImage, box: Rectangle, plane: Mapping[str, int], settings: Settings | None
) -> SlideLook:
    """Return the display of a whole slide.

    The display settings are the caller's, else those of the file, where it has some for every
    channel; else they are made of the channels' colours and of the values in a small picture of
    the whole slide: settings that each region found for itself would differ at its borders.
    """
    pixel_types = layout_of(image).pixel_types
    photograph = list(pixel_types.values()) in ([PixelType.Bgr24], [PixelType.Bgra32])
    if photograph and settings is None:
        return SlideLook(pixel_types, None, {}, True)
    stored = image.reader.display_settings
    is_made = settings is None and not all(channel in stored for channel in pixel_types)
    unbounded = [channel for channel, found in pixel_types.items() if found not in _BOUNDED]
    overviews = {
        channel: _overview(image, box, {**plane, "C": channel}, pixel_types[channel])
        for channel in (pixel_types if is_made else unbounded)
    }
    windows = {channel: finite_range(overviews[channel]) for channel in unbounded}
    if is_made:
        settings = _made_settings(image, pixel_types, overviews)
    return SlideLook(pixel_types, settings, windows, False)


def _overview(
    image: CziImage, box: Rectangle, plane: dict[str, int], pixel_type: PixelType
) -> NDArray[Any]:
    zoom = max(_OVERVIEW / max(box.w, box.h), 1 / min(box.w, box.h))
    zoom = min(1.0, 1.001 * zoom)
    most = int(_LONGEST / zoom)
    part = Rectangle(box.x, box.y, min(box.w, most), min(box.h, most))
    return image.reader.read(part, plane, image.scene_number, zoom, pixel_type.name)


def _made_settings(
    image: CziImage, pixel_types: Mapping[int, PixelType], overviews: Mapping[int, NDArray[Any]]
) -> dict[int, ChannelDisplaySettingsDataClass]:
    settings = {}
    for position, (channel, color) in enumerate(zip(pixel_types, image.channel_colors)):
        if color is None and len(pixel_types) > 1:
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


#: Gives the pixels (y, x, samples) of a channel, colours as blue, green, red.
_Fetch = Callable[[int], NDArray[Any]]


class SlidePictures:
    """Makes pictures of a plane of a slide, each (y, x, 4): red, green, blue, alpha."""

    def __init__(self, image: CziImage, plane: Mapping[str, int], look: SlideLook) -> None:
        self._image, self._plane, self._look = image, dict(plane), look
        planes = layout_of(image).planes
        self._indices: dict[str, Selection] = {
            name: positions.index(self._plane[name]) if name in self._plane else 0
            for name, positions in planes.items()
            if name != "C"
        }
        self._channels = planes["C"]

    def of_level(self, level: int, box: Rectangle) -> NDArray[np.uint8]:
        """Return a region of a level; it is transparent beyond the edges of the level."""
        picture = self.transparent(box.h, box.w)
        of_level = self._image.levels[level]
        left, top = max(box.x, 0), max(box.y, 0)
        right, bottom = min(box.x + box.w, of_level.width), min(box.y + box.h, of_level.height)
        if left >= right or top >= bottom:
            return picture
        where = {**self._indices, "Y": slice(top, bottom), "X": slice(left, right)}
        valid = np.asarray(self._image.valid_pixels(where, level=level).any(axis=0))

        def fetch(channel: int) -> NDArray[Any]:
            selection = {**where, "C": self._channels.index(channel)}
            pixels = self._image.read_block(selection, level=level)
            if pixels.ndim == 2:
                return pixels[..., np.newaxis]
            return pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]

        part = picture[top - box.y : bottom - box.y, left - box.x : right - box.x]
        self._fill(part, valid, fetch)
        return picture

    def transparent(self, height: int, width: int) -> NDArray[np.uint8]:
        """Return a picture whose pixels are all transparent."""
        with open_document_of(self._image.reader) as document:
            return document.memory.make((height, width, 4), np.dtype(np.uint8), np.zeros)

    def of_zoom(self, roi: Rectangle, zoom: float) -> NDArray[np.uint8]:
        """Return a region at any zoom, sampled from full resolution as `CziReader.read` does."""
        reader, scene = self._image.reader, self._image.scene_number

        def fetch(channel: int) -> NDArray[Any]:
            pixel_type = self._look.pixel_types[channel]
            return reader.read(roi, {**self._plane, "C": channel}, scene, zoom, pixel_type.name)

        planes = ({**self._plane, "C": channel} for channel in self._channels)
        valid = np.logical_or.reduce(
            [reader.valid_pixels(roi, plane, scene, zoom) for plane in planes]
        )
        picture = self.transparent(*valid.shape)
        self._fill(picture, valid, fetch)
        return picture

    def _fill(self, picture: NDArray[np.uint8], valid: NDArray[np.bool_], fetch: _Fetch) -> None:
        if not valid.any():
            return
        alpha: Any = 255
        if self._look.is_photograph:
            pixels = fetch(self._channels[0])
            colors = pixels[..., 2::-1]
            if self._image.sizes["S"] == 4:
                alpha = pixels[..., 3]
        else:
            with open_document_of(self._image.reader) as document:
                colors = compose_channels(
                    document,
                    lambda channel: self._channel(channel or 0, fetch),
                    self._look.settings,
                )
        picture[..., :3] = colors
        picture[..., 3] = alpha
        picture[~valid] = 0

    def _channel(self, channel: int, fetch: _Fetch) -> tuple[NDArray[Any], PixelType]:
        """Return a channel in its pixel type, or stretched to 16 bits if it has more."""
        pixel_type = self._look.pixel_types[channel]
        own = pixel_format(pixel_type)
        pixels = fetch(channel)[..., : own.samples]
        window = self._look.windows.get(channel)
        if window is None:  # complex where another channel is
            return np.real(pixels).astype(own.dtype, copy=False), pixel_type
        levels = stretch(pixels, window, np.uint16)
        return levels, PixelType.Gray16 if own.samples == 1 else PixelType.Bgr48
