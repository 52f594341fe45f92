"""Pictures of parts of a slide: its channels blended, transparent where the file has no pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.image import CziImage
from czictypes.arrays.layout import Selection
from czictypes.model.geometry import Rectangle
from czictypes.model.pixel_types import PixelType, pixel_format
from czictypes.plugins.slide_look import SlideLook
from czictypes.reading.blocks import open_document_of
from czictypes.reading.composite import compose_channels
from czictypes.reading.pictures import stretch

__all__ = ["SlidePictures"]

#: Gives the pixels (y, x, samples) of a channel, colours as blue, green, red.
_Fetch = Callable[[int], NDArray[Any]]


class SlidePictures:
    """Makes pictures of the image of a slide, each (y, x, 4): red, green, blue, alpha.

    Parameters
    ----------
    image
        The image.
    plane
        The position in Z, T and so on.
    look
        How its channels are shown.
    """

    def __init__(self, image: CziImage, plane: Mapping[str, int], look: SlideLook) -> None:
        self._image, self._plane, self._look = image, dict(plane), look
        planes = image._layout.planes
        self._place = {
            name: planes[name].index(at) for name, at in self._plane.items() if name in planes
        }
        self._place = {**{name: 0 for name in planes if name != "C"}, **self._place}
        self._channels = planes["C"]

    def of_level(self, level: int, box: Rectangle) -> NDArray[np.uint8]:
        """Return a part of a level; what lies beyond the level is transparent."""
        picture = self.transparent(box.h, box.w)
        of_level = self._image.levels[level]
        left, top = max(box.x, 0), max(box.y, 0)
        right, bottom = min(box.x + box.w, of_level.width), min(box.y + box.h, of_level.height)
        if left >= right or top >= bottom:
            return picture
        where: dict[str, Selection] = {**self._place}
        where.update(Y=slice(top, bottom), X=slice(left, right))
        valid = np.asarray(self._image.valid_pixels(where, level=level).any(axis=0))

        def fetch(channel: int) -> NDArray[Any]:
            at = {**where, "C": self._channels.index(channel)}
            pixels = self._image.read_block(at, level=level)
            return (
                pixels[..., np.newaxis]
                if pixels.ndim == 2
                else pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
            )

        part = picture[top - box.y : bottom - box.y, left - box.x : right - box.x]
        self._fill(part, valid, fetch)
        return picture

    def transparent(self, height: int, width: int) -> NDArray[np.uint8]:
        """Return a picture without a pixel that shows anything.

        Raises
        ------
        ResultTooLargeError
            If it is larger than a result may be.
        """
        with open_document_of(self._image.reader) as document:
            return document.memory.make((height, width, 4), np.dtype(np.uint8), np.zeros)

    def of_zoom(self, roi: Rectangle, zoom: float) -> NDArray[np.uint8]:
        """Return a region of full resolution at any zoom, pixels picked from it as `read` does."""
        reader, scene = self._image.reader, self._image.scene_index

        def fetch(channel: int) -> NDArray[Any]:
            kind = self._look.kinds[channel]
            return reader.read(roi, {**self._plane, "C": channel}, scene, zoom, kind.name)

        valid = np.logical_or.reduce(
            [
                reader.valid_pixels(roi, {**self._plane, "C": channel}, scene, zoom)
                for channel in self._channels
            ]
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
        """Return a channel in its own pixel type; of more than 16 bits as for the whole slide."""
        kind = self._look.kinds[channel]
        own = pixel_format(kind)
        pixels = fetch(channel)[..., : own.samples]
        window = self._look.windows.get(channel)
        if window is None:  # complex where another channel is
            return np.real(pixels).astype(own.dtype, copy=False), kind
        levels = stretch(pixels, window, np.uint16)
        return levels, PixelType.Gray16 if own.samples == 1 else PixelType.Bgr48
