"""The content of new metadata: from arguments, an array's own labels, and what is written."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any, NamedTuple, Union

import numpy as np
from numpy.typing import NDArray

from czictypes.metadata.builder import check_content
from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.document_content import DocumentContent, ImageSummary
from czictypes.metadata.document_info import Axis, CustomValue, Scaling
from czictypes.metadata.fields import parse_color
from czictypes.model.geometry import Rectangle, metres_of, seconds_of
from czictypes.model.options import DisplaySettings, Rgb8Color
from czictypes.model.pixel_types import PixelType
from czictypes.reading.contrast import limits_of_values
from czictypes.reading.names import listed_settings
from czictypes.writing.array_source import Axes

#: The title that pylibCZIrw gives to a document without one.
DEFAULT_TITLE = "CZI"
#: One value for each channel, or values by channel index.
ChannelValues = Union[Sequence[Any], Mapping[int, Any], None]
#: Metres along x, y and z, or by letter.
PixelSize = Union[float, Sequence[Union[float, None]], Mapping[str, Union[float, None]], None]

#: The samples that are kept of all channels, and the arrays of them for a channel.
_MOST_SAMPLES, _MOST_PARTS = 1 << 22, 1024


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


class ArrayNotes(NamedTuple):
    """The facts that are known of an array beside its pixels; empty for unknown."""

    channel_names: Mapping[int, str]  # by channel index
    channel_colors: Mapping[int, Rgb8Color]
    scaling: Scaling  # in metres
    times: tuple[float, ...]  # of each T, in seconds
    scene_names: tuple[str, ...] = ()


def make_array_content(
    notes: ArrayNotes, content: DocumentContent | None, channels: int
) -> DocumentContent:
    """Return `content` with the notes put into it, for an array with so many channels."""
    base = content or DocumentContent()
    known = {channel.index: channel for channel in base.channels}
    for index in range(channels):
        channel = known.get(index, ChannelInfo(index))
        name, color = notes.channel_names.get(index), notes.channel_colors.get(index)
        channel = replace(channel, name=name or channel.name, color=color or channel.color)
        if channel != ChannelInfo(index):
            known[index] = channel
    x, y, z = (new or old for new, old in zip(notes.scaling, base.scaling))
    return replace(
        base,
        channels=list(known.values()),
        scaling=Scaling(x, y, z),
        time_axis=time_axis(notes.times) or base.time_axis,
        depth_axis=base.depth_axis or (Axis(0.0, z * 1e6) if z else None),
    )


def found_notes(
    array: Any,
    axes: Axes,
    channel_names: ChannelValues,
    channel_colors: ChannelValues,
    pixel_size: PixelSize,
    times: float | Sequence[float] | None,
) -> ArrayNotes:
    """Return the facts that the caller gave, completed by the coordinates of an xarray."""
    shape = array.shape
    found = _Coordinates(array, axes)
    count = axes.extent(shape, "C")
    names = found.names() if channel_names is None else channel_names
    colors = found.colors(count) if channel_colors is None else channel_colors
    given = _sizes(pixel_size)
    scaling = (
        own if letter in given else found.step(letter)
        for letter, own in ((letter, given.get(letter)) for letter in "XYZ")
    )
    return ArrayNotes(
        {index: _name(name) for index, name in _by_index(names, count, "channel_names").items()},
        {index: as_color(one) for index, one in _by_index(colors, count, "channel_colors").items()},
        Scaling(*scaling),
        _times(times, axes.extent(shape, "T")) if times is not None else found.times(),
        tuple(found.names("S") or ()) if "S" in axes.planes else (),
    )


class _Coordinates:
    """The coordinates of an xarray; of anything else, none."""

    def __init__(self, array: Any, axes: Axes) -> None:
        self._array = array if hasattr(array, "coords") and hasattr(array, "dims") else None
        self._axes = axes

    def names(self, letter: str = "C") -> list[str] | None:
        """Return the coordinates along a dimension, or the chosen one, if they are text."""
        values, _ = self._values(letter)
        if values is None and self._array is not None and letter not in self._axes.planes:
            one = self._array.coords.get(letter)  # as ``sel(C="DAPI")`` leaves it
            values = None if one is None or one.ndim else one.values.reshape(1)
        names = [] if values is None else values.tolist()
        return names if names and all(isinstance(name, str) for name in names) else None

    def colors(self, count: int) -> ChannelValues:
        """Return the colours in the attributes, by the names of channels where these are there."""
        attributes = {} if self._array is None else self._array.attrs
        listed, named, names = (
            [values] if isinstance(values, str) else values
            for values in (
                attributes.get("channel_colors"), attributes.get("channel_names"), self.names()
            )
        )  # fmt: skip
        if listed is None:
            return None
        if named is not None and names is not None and len(named) == len(listed):
            known = dict(zip(named, listed))
            return {at: known[name] for at, name in enumerate(names) if name in known}
        is_part = named is not None and len(listed) != count
        return None if is_part else list(listed)

    def step(self, letter: str) -> float | None:
        """Return the distance of neighbours, if they are numbers in a known unit and even."""
        values, unit = self._values(letter)
        factor = metres_of(unit, any_case=True)
        if values is None or factor is None or len(values) < 2 or values.dtype.kind not in "iuf":
            return None
        steps = np.diff(values.astype(np.float64))
        mean = abs(float(steps.mean()))
        even = bool(np.allclose(np.abs(steps), mean, rtol=1e-3, atol=0))
        return mean * factor if even and 0 < mean < math.inf else None

    def times(self) -> tuple[float, ...]:
        values, unit = self._values("T")
        factor = seconds_of(unit, any_case=True)
        if values is not None and values.dtype.kind in "mM":  # durations, or moments
            start = values[0] if values.dtype.kind == "M" else np.timedelta64(0, "s")
            values, factor = (values - start) / np.timedelta64(1, "s"), 1.0
        if values is None or factor is None or values.dtype.kind not in "iuf":
            return ()
        seconds = values.astype(np.float64) * factor
        return tuple(seconds.tolist()) if np.isfinite(seconds).all() else ()

    def _values(self, letter: str) -> tuple[Any, str]:
        """Return the coordinate of a dimension, and its unit; None and no unit without one."""
        at = {**self._axes.planes, "Y": self._axes.y, "X": self._axes.x}.get(letter)
        if self._array is None or at is None or self._array.dims[at] not in self._array.coords:
            return None, ""
        coordinate = self._array.coords[self._array.dims[at]]
        return np.asarray(coordinate), str(coordinate.attrs.get("units", ""))


def _by_index(values: ChannelValues, count: int, what: str) -> dict[int, Any]:
    if values is None:
        return {}
    if isinstance(values, Mapping):
        wrong = set(values) - set(range(count))
        if wrong:
            raise ValueError(f"{what} names channel {min(wrong)}, but there are {count}")
        return dict(values)
    listed = [values] if isinstance(values, (str, Rgb8Color)) else list(values)
    if len(listed) != count:
        raise ValueError(f"{what} has {len(listed)} values for {count} channels")
    return {index: value for index, value in enumerate(listed) if value is not None}


def _name(name: Any) -> str:
    if not isinstance(name, str):
        raise ValueError(f"a channel's name is text, not {name!r}")
    return name


def as_color(value: Any) -> Rgb8Color:
    """Return a colour given as ``"#RRGGBB"``, three numbers from 0 to 255, or `Rgb8Color`."""
    if isinstance(value, str):
        return parse_color(value)
    parts = (value.r, value.g, value.b) if isinstance(value, Rgb8Color) else value
    try:
        red, green, blue = (int(part) for part in parts)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is no colour such as '#00FF33' or (0, 255, 51)") from None
    if not all(0 <= part <= 255 for part in (red, green, blue)):
        raise ValueError(f"{value!r} is no colour: its components go from 0 to 255")
    return Rgb8Color(red, green, blue)


def _sizes(given: PixelSize) -> dict[str, float]:
    """Return the sizes that are given, by letter."""
    if given is None:
        return {}
    if isinstance(given, Mapping):
        pairs: Iterable[tuple[str, Any]] = [(str(key).upper(), one) for key, one in given.items()]
    elif isinstance(given, (float, Real)):
        pairs = [("X", given), ("Y", given)]
    else:
        listed = list(given)
        if len(listed) not in (2, 3):
            raise ValueError(f"pixel_size {given!r} must be (x, y) or (x, y, z) in metres")
        pairs = list(zip("XYZ", listed))
    sizes = {}
    for letter, size in pairs:
        if letter not in "XYZ":
            raise ValueError(f"pixel_size has {letter!r}; it may have x, y and z, in metres")
        if size is not None:
            sizes[letter] = float(size)
    return sizes


def _times(given: float | Sequence[float], count: int) -> tuple[float, ...]:
    if isinstance(given, (float, Real)):
        return tuple(float(given) * number for number in range(count))
    times = tuple(float(one) for one in given)
    if len(times) != count:
        raise ValueError(f"{len(times)} times are given for {count} places along T")
    return times


def time_axis(times: tuple[float, ...]) -> Axis | None:
    """Return where the planes lie along T in seconds; None for fewer than two."""
    if len(times) < 2:
        return None
    steps = np.diff(times)
    if np.allclose(steps, steps[0], rtol=1e-9, atol=0):
        return Axis(times[0], float(times[1] - times[0]))
    return Axis(offsets=times)
