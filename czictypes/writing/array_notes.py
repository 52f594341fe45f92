"""Facts about an array: from arguments, and from the labels of an xarray."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from numbers import Real
from typing import Any, NamedTuple, Union

import numpy as np

from czictypes.metadata.channels import BLACK, CHANNEL_NUMBERS, WHITE, ChannelInfo
from czictypes.metadata.colors import as_color
from czictypes.metadata.document_content import DocumentContent
from czictypes.metadata.document_info import (
    LARGEST_PIXEL,
    Axis,
    Objective,
    Scaling,
    unit_doubt,
)
from czictypes.metadata.fields import parse_datetime
from czictypes.metadata.scenes import SceneInfo, Well
from czictypes.model.errors import InvalidArgumentError
from czictypes.model.geometry import metres_of, seconds_of
from czictypes.model.options import (
    ChannelDisplaySettingsDataClass,
    Rgb8Color,
    TintingMode,
)
from czictypes.model.public import check_options
from czictypes.writing.array_source import Axes

#: One value for each channel, or values by channel index.
ChannelValues = Union[Sequence[Any], Mapping[int, Any], None]
#: Metres along x, y and z, or by letter.
PixelSize = Union[float, Sequence[Union[float, None]], Mapping[str, Union[float, None]], None]


class ArrayNotes(NamedTuple):
    """The facts that are known of an array beside its pixels; empty for unknown."""

    channel_names: Mapping[int, str]  # by channel index
    channel_colors: Mapping[int, Rgb8Color]
    scaling: Scaling  # in metres
    times: tuple[float, ...]  # of each T, in seconds
    scene_names: tuple[str, ...] = ()
    channels: Mapping[int, ChannelInfo] = {}  # wavelengths and so on, by channel index
    display_settings: Mapping[int, ChannelDisplaySettingsDataClass] = {}
    scene: SceneInfo | None = None  # of an array of one scene; its index means nothing
    #: Where on the stage the corner of the first pixel lies (x, y), in micrometres.
    origin: tuple[float, float] | None = None
    objective: Objective | None = None
    microscope: str | None = None
    acquisition_date: datetime | None = None
    title: str | None = None


def make_array_content(
    notes: ArrayNotes, content: DocumentContent | None, channels: int, scene: int = 0
) -> DocumentContent:
    """Return `content` with the notes put into it, for an array with so many channels.

    `scene` is the index of its first scene.
    """
    check_options(content, DocumentContent)
    base = content or DocumentContent()
    known = {channel.index: channel for channel in base.channels}
    for index in range(channels):
        channel = known.get(index) or notes.channels.get(index, ChannelInfo(index))
        name, color = notes.channel_names.get(index), notes.channel_colors.get(index)
        channel = replace(channel, name=name or channel.name, color=color or channel.color)
        if channel != ChannelInfo(index):
            known[index] = channel
    x, y, z = (new or old for new, old in zip(notes.scaling, base.scaling))
    named = [SceneInfo(scene + at, name) for at, name in enumerate(notes.scene_names)]
    if notes.scene is not None:
        named = [replace(notes.scene, index=scene)]
    return replace(
        base,
        info=replace(base.info, title=base.info.title or notes.title),
        channels=list(known.values()),
        display_settings={**notes.display_settings, **base.display_settings},
        scenes=base.scenes or named,
        objective=base.objective or notes.objective,
        microscope=base.microscope or notes.microscope,
        acquisition_date=base.acquisition_date or notes.acquisition_date,
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
    scaling = Scaling(
        *(
            own if letter in given else found.step(letter)
            for letter, own in ((letter, given.get(letter)) for letter in "XYZ")
        )
    )
    notes = ArrayNotes(
        {index: _name(name) for index, name in _by_index(names, count, "channel_names").items()},
        {index: as_color(one) for index, one in _by_index(colors, count, "channel_colors").items()},
        scaling,
        _times(times, axes.extent(shape, "T")) if times is not None else found.times(),
        tuple(found.names("S") or ()) if "S" in axes.planes else (),
    )
    return found.completed(notes)


class _Coordinates:
    """The coordinates of an xarray; of anything else, none."""

    def __init__(self, array: Any, axes: Axes) -> None:
        self._array: Any = None
        if hasattr(getattr(array, "coords", None), "get") and hasattr(array, "dims"):
            self._array = array
        self._axes = axes

    def completed(self, notes: ArrayNotes) -> ArrayNotes:
        """Return the notes with what the attributes tell, as those of `Image.to_xarray` do."""
        told = _Attributes({} if self._array is None else self._array.attrs)
        if not told:
            return notes
        count = self._axes.extent(self._array.shape, "C")
        corner = self._corner(told.numbers("stage_origin_um"), notes.scaling)
        several = "S" in self._axes.planes
        return notes._replace(
            channels=self._channels(count),
            display_settings=self._display(count, notes.channel_colors),
            scene=None if several else self._scene(told, corner, notes.scaling),
            origin=None if several else corner,
            objective=told.objective(),
            microscope=told.text("microscope"),
            acquisition_date=told.moment("acquisition_date"),
            title=told.text("title"),
        )

    def _channels(self, count: int) -> dict[int, ChannelInfo]:
        fields = {field: self._of_channels(name, count) for name, field in CHANNEL_NUMBERS.items()}
        found = {}
        for index in range(count):
            known = {field: one[index] for field, one in fields.items() if one.get(index)}
            bits = known.get("component_bit_count")
            if bits is not None:
                dtype = self._array.dtype
                fits = dtype.kind == "u" and bits <= dtype.itemsize * 8
                known["component_bit_count"] = int(bits) if fits else None
            if known:
                found[index] = ChannelInfo(index, **known)
        return found

    def _display(
        self, count: int, colors: Mapping[int, Rgb8Color]
    ) -> dict[int, ChannelDisplaySettingsDataClass]:
        """Return how channels are shown, where their limits are known and fit the pixels."""
        dtype = self._array.dtype
        if dtype.kind != "u":
            return {}
        black, white = self._of_channels(BLACK, count), self._of_channels(WHITE, count)
        largest = float(np.iinfo(dtype).max)
        found = {}
        for index, high in white.items():
            low = black.get(index, 0.0)
            if 0 <= low < high <= largest:
                color = colors.get(index)
                mode = TintingMode.Color if color else TintingMode.none
                found[index] = ChannelDisplaySettingsDataClass(
                    True, mode, color or Rgb8Color(255, 255, 255), low / largest, high / largest
                )
        return found

    def _of_channels(self, name: str, count: int) -> dict[int, Any]:
        """Return the numbers of an attribute by channel index; those that are not, are left out."""
        found = self._listed(name, count)
        listed = found.items() if isinstance(found, Mapping) else enumerate(found or ())
        return {
            index: float(one)
            for index, one in listed
            if isinstance(one, (Real, np.number)) and math.isfinite(one)
        }

    def _corner(self, origin: Sequence[float], scaling: Scaling) -> tuple[float, float] | None:
        """Return where the corner of the first pixel lies, by the coordinates of X and Y."""
        if len(origin) != 2:
            return None
        found = []
        for letter, start, size in zip("XY", origin, (scaling.x, scaling.y)):
            values, unit = self._values(letter)
            factor = metres_of(unit, any_case=True)
            if values is None or factor is None or not size or values.dtype.kind not in "iuf":
                return None
            first = float(min(values[0], values[-1]))  # of a mirrored array, the last one
            found.append(start + (first * factor - size / 2) * 1e6)
        return found[0], found[1]

    def _scene(
        self, told: _Attributes, corner: tuple[float, float] | None, scaling: Scaling
    ) -> SceneInfo | None:
        name, well = told.text("scene"), told.text("well")
        info = SceneInfo(0, name, well=Well(well) if well else None)
        if corner is not None and scaling.x and scaling.y:
            shape = self._array.shape
            width, height = shape[self._axes.x] * scaling.x, shape[self._axes.y] * scaling.y
            size = width * 1e6, height * 1e6
            info = replace(
                info, size=size, center=(corner[0] + size[0] / 2, corner[1] + size[1] / 2)
            )
        return info if info != SceneInfo(0) else None

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
        return self._listed("channel_colors", count)

    def _listed(self, name: str, count: int) -> ChannelValues:
        """Return the values of an attribute that has one for each channel."""
        attributes = {} if self._array is None else self._array.attrs
        listed, named, names = (
            [values] if isinstance(values, (str, Real, np.number)) else values
            for values in (attributes.get(name), attributes.get("channel_names"), self.names())
        )
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


class _Attributes(dict[str, Any]):
    """The attributes of an array; a value of another type than asked for is no value."""

    def text(self, name: str) -> str | None:
        found = self.get(name)
        return found if isinstance(found, str) and found else None

    def numbers(self, name: str) -> list[float]:
        """Return some numbers, or one alone, as netCDF gives a list of one."""
        try:
            found = np.atleast_1d(np.asarray(self.get(name, ()), np.float64)).tolist()
        except (TypeError, ValueError):
            return []
        return found if all(map(math.isfinite, found)) else []

    def moment(self, name: str) -> datetime | None:
        try:
            return parse_datetime(self.text(name) or "")
        except (ValueError, OverflowError):
            return None

    def objective(self) -> Objective | None:
        one = {name: self.numbers(name) for name in ("magnification", "numerical_aperture")}
        known: dict[str, Any] = {
            name: value[0] for name, value in one.items() if len(value) == 1 and value[0] > 0
        }
        name = self.text("objective")
        return Objective(name=name, **known) if name or known else None


def _by_index(values: ChannelValues, count: int, what: str) -> dict[int, Any]:
    if values is None:
        return {}
    if isinstance(values, Mapping):
        wrong = set(values) - set(range(count))
        if wrong:
            raise ValueError(f"{what} names channel {min(wrong)}, but there are {count}")
        return dict(values)
    listed = [values] if isinstance(values, (str, Rgb8Color)) else values
    if not isinstance(listed, Iterable):
        raise TypeError(
            f"{what} has a value for each channel, in a list or by their indices, and is not "
            f"{values!r}"
        )
    listed = list(listed)
    if len(listed) != count:
        raise ValueError(f"{what} has {len(listed)} values for {count} channels")
    return {index: value for index, value in enumerate(listed) if value is not None}


def _name(name: Any) -> str:
    if not isinstance(name, str):
        raise ValueError(f"a channel's name is text, not {name!r}")
    return name


def _sizes(given: PixelSize) -> dict[str, float]:
    """Return the sizes that are given, by letter."""
    if given is None:
        return {}
    if isinstance(given, Mapping):
        pairs: Iterable[tuple[str, Any]] = [(str(key).upper(), one) for key, one in given.items()]
    elif isinstance(given, (float, Real)):
        pairs = [("X", given), ("Y", given)]
    else:
        listed = list(given) if isinstance(given, Iterable) else []
        if len(listed) not in (2, 3):
            raise ValueError(f"pixel_size {given!r} must be (x, y) or (x, y, z) in metres")
        pairs = list(zip("XYZ", listed))
    sizes = {}
    for letter, size in pairs:
        if letter not in "XYZ":
            raise ValueError(f"pixel_size has {letter!r}; it may have x, y and z, in metres")
        if size is not None:
            sizes[letter] = _size(letter.lower(), size)
    return sizes


def _size(letter: str, size: Any) -> float:
    """Return the size of a pixel in metres; it is refused if it can only be in another unit."""
    is_number = isinstance(size, (float, Real)) and not isinstance(size, bool)
    metres = float(size) if is_number else math.nan
    if not 0 < metres < math.inf:
        raise InvalidArgumentError(
            f"pixel_size along {letter} must be a positive number of metres, or None if it is "
            f"unknown, not {size!r}"
        )
    if metres >= LARGEST_PIXEL:
        raise InvalidArgumentError(unit_doubt(f"pixel_size along {letter}", metres))
    return metres


def _times(given: float | Sequence[float], count: int) -> tuple[float, ...]:
    listed = [given] if isinstance(given, (float, Real)) else given
    try:
        times = tuple(float(one) for one in listed)
    except (TypeError, ValueError):
        times = (math.nan,)
    is_backwards = listed is not given and times[0] < 0
    if not all(map(math.isfinite, times)) or is_backwards or isinstance(given, bool):
        raise InvalidArgumentError(
            "times is the number of seconds from one T to the next, or one for each T, not "
            f"{given!r}"
        )
    if listed is not given:
        return tuple(times[0] * number for number in range(count))
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
