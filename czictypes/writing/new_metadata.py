"""The content of new metadata: from arguments, and what is written."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.metadata.builder import check_content
from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.document_content import DocumentContent, ImageSummary
from czictypes.metadata.document_info import CustomValue, Scaling
from czictypes.model.errors import InvalidArgumentError
from czictypes.model.geometry import Rectangle
from czictypes.model.options import DisplaySettings
from czictypes.model.pixel_types import PixelType
from czictypes.reading.contrast import limits_of_values
from czictypes.reading.names import listed_settings

#: The title that pylibCZIrw gives to a document without one.
DEFAULT_TITLE = "CZI"

#: The samples that are kept of all channels, and the arrays of them for a channel.
_MOST_SAMPLES, _MOST_PARTS = 1 << 21, 1024


def make_content(
    content: DocumentContent | None,
    document_name: str | None,
    channel_names: Mapping[int, str] | None = None,
    scales: tuple[float | None, float | None, float | None] = (None, None, None),
    custom_attributes: Mapping[str, CustomValue] | None = None,
    display_settings: DisplaySettings | None = None,
    present: Collection[int] = (),
) -> DocumentContent:
    """Return `content` with the other arguments put into it; a ValueError names a wrong one.

    `present` are the channels that pixels were written of.
    """
    from czictypes import __version__

    if not isinstance(custom_attributes or {}, Mapping):
        raise TypeError(f"custom_attributes maps keys to values, and is not {custom_attributes!r}")
    base = content or DocumentContent()
    keep_title = base.info.title is not None and document_name in (None, DEFAULT_TITLE)
    title = base.info.title if keep_title else document_name
    channels = _named(base, channel_names or {})
    settings = base.display_settings
    if display_settings:
        known = {channel.index: replace(channel, id=None) for channel in channels}
        infos = [known.get(index, ChannelInfo(index)) for index in sorted({*known, *present})]
        settings = listed_settings(infos, display_settings)
    made = replace(
        base,
        info=replace(base.info, title=title),
        channels=channels,
        scaling=Scaling(*(_scale(new, old) for new, old in zip(scales, base.scaling))),
        custom_attributes={**base.custom_attributes, **(custom_attributes or {})},
        display_settings=settings,
        application=base.application or "czictypes",
        application_version=base.application_version or __version__,
    )
    check_content(made)
    return made


def _named(base: DocumentContent, names: Mapping[int, str]) -> list[ChannelInfo]:
    channels = {channel.index: channel for channel in base.channels}
    if not isinstance(names, Mapping) or any(isinstance(index, str) for index in names):
        raise InvalidArgumentError(
            f"channel_names maps the numbers of channels to names, such as {{0: 'DAPI'}}; it is "
            f"{names!r}"
        )
    for index, name in names.items():
        if not isinstance(name, str):
            raise ValueError(f"the name of channel {index} is {name!r}, which is no text")
        channels[index] = replace(channels.get(index, ChannelInfo(index)), name=name)
    return list(channels.values())


def _scale(given: float | None, before: float | None) -> float | None:
    """Return a size in metres; as in pylibCZIrw, 0 stands for unknown."""
    if given is None or given == 0 or math.isnan(given):
        return before
    return float(given)


class WrittenSummary:
    """Collects the bounds of all that is written, in space and in every dimension."""

    def __init__(self) -> None:
        #: The rectangle around everything; None for nothing.
        self.bounding_box: Rectangle | None = None
        self._ranges: dict[str, tuple[int, int]] = {}
        self._m_range: tuple[int, int] | None = None
        self._channels: dict[int, int] = {}
        self._pixel_type: int | None = None

    def add(
        self,
        coordinate: Mapping[str, int],
        rectangle: Rectangle,
        pixel_type: PixelType,
        m_range: tuple[int, int] | None,
    ) -> None:
        """Note sub-blocks that cover a rectangle, with the smallest and largest M-index."""
        box = self.bounding_box
        self.bounding_box = rectangle if box is None else box.union(rectangle)
        ranges = self._ranges
        for letter, value in coordinate.items():
            known = ranges.get(letter)
            if known is None or not known[0] <= value <= known[1]:
                ranges[letter] = _widened(known, value, value)
        if m_range is not None:
            self._m_range = _widened(self._m_range, *m_range)
        if self._pixel_type is None:
            self._pixel_type = int(pixel_type)
        if "C" in coordinate:
            self._channels.setdefault(coordinate["C"], int(pixel_type))

    def image(self) -> ImageSummary:
        """Return the summary as the builder of the metadata takes it."""
        box = self.bounding_box or Rectangle(0, 0, 0, 0)
        smallest_m, largest_m = self._m_range or (0, -1)
        return ImageSummary(
            width=box.w,
            height=box.h,
            sizes={letter: last - first + 1 for letter, (first, last) in self._ranges.items()},
            size_m=None if self._m_range is None else largest_m - smallest_m + 1,
            channel_start=self._ranges.get("C", (0, 0))[0],
            pixel_types=dict(self._channels),
            pixel_type=self._pixel_type,
        )


def _widened(old: tuple[int, int] | None, first: int, last: int) -> tuple[int, int]:
    return (first, last) if old is None else (min(old[0], first), max(old[1], last))


class PixelSamples:
    """Samples of the pixels of each channel, all of them if they are few."""

    def __init__(self) -> None:
        self._found: dict[int, list[NDArray[Any]]] = {}
        self._count, self._step = 0, 1

    def add(self, channel: int, pixels: NDArray[Any]) -> None:
        """Note some pixels (h, w, samples), unless the range of their type is what is shown."""
        if pixels.dtype not in (np.uint8, np.uint16) or (
            pixels.dtype == np.uint8 and pixels.shape[2] > 1
        ):
            return
        if pixels.flags.c_contiguous:
            samples = pixels.reshape(-1)[:: self._step].copy()
        else:
            samples = pixels[:, :: self._step].ravel()
        parts = self._found.setdefault(channel, [])
        parts.append(samples)
        if len(parts) > _MOST_PARTS:
            parts[:] = _joined(parts)
        self._count += samples.size
        if self._count > _MOST_SAMPLES:
            self._thin()

    def _thin(self) -> None:
        """Keep every third sample; an odd step hits all columns of an image."""
        self._found = {
            channel: [part[::3].copy() for part in _joined(parts)]
            for channel, parts in self._found.items()
        }
        self._count = sum(part.size for parts in self._found.values() for part in parts)
        self._step *= 3

    def limits(self) -> dict[int, tuple[float, float]]:
        """Return black and white point of each channel as fractions of the range of its type."""
        found = {}
        for channel, parts in self._found.items():
            values = np.concatenate(parts, dtype=max(part.dtype for part in parts))
            largest = np.iinfo(values.dtype).max
            low, high = (min(limit / largest, 1.0) for limit in limits_of_values(values))
            found[channel] = (low, high)
        return found


def _joined(parts: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """Return one array for each dtype."""
    kinds = dict.fromkeys(part.dtype for part in parts)
    return [np.concatenate([part for part in parts if part.dtype == kind]) for kind in kinds]
