"""The labels of an image: channels, pixel sizes, coordinates, times, bioio's summaries of them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.layout import Layout
from czictypes.container.attachments import read_attachment_data
from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.document_info import Axis, Scaling, axis
from czictypes.metadata.records import read_time_stamps
from czictypes.model.errors import MetadataWarning
from czictypes.model.geometry import ABSENT
from czictypes.model.lazy import require
from czictypes.model.options import ChannelDisplaySettingsDataClass
from czictypes.model.public import warn_caller
from czictypes.reading.document import OpenDocument
from czictypes.reading.names import metadata_or
from czictypes.reading.subblock import read_columns

if TYPE_CHECKING:
    from bioio_base.standard_metadata import StandardMetadata
    from bioio_base.types import DimensionProperties

    from czictypes.arrays.image_base import Image


T = TypeVar("T")

_UNKNOWN = "pixel"
_MOST = 1 << 22  # longer planes than any microscope makes: a damaged place, not worth the memory
_AXIS_TYPES = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}
_UNITS = {"time": "second", "space": "micrometer"}


# Channels


def channel_colors(infos: Iterable[ChannelInfo]) -> list[tuple[int, int, int] | None]:
    """Return the colour of each channel as (red, green, blue) from 0 to 255, None where unknown."""
    colors = [info.color for info in infos]
    return [None if one is None else (int(one.r), int(one.g), int(one.b)) for one in colors]


def hex_colors(colors: Sequence[tuple[int, int, int] | None]) -> list[str]:
    """Return colours as ``"#RRGGBB"``, white where unknown, as ZEN shows it; none if all are."""
    if not any(colors):
        return []
    return ["#{:02X}{:02X}{:02X}".format(*(color or (255, 255, 255))) for color in colors]


def contrast_limits(
    settings: Mapping[int, ChannelDisplaySettingsDataClass],
    dtypes: Mapping[int, np.dtype[Any]],
) -> list[tuple[float, float] | None]:
    """Return black and white point of each channel in pixel values, None where unknown.

    Display settings have fractions of the range of an integer type; other types have no limits.
    """
    return [_limits(settings.get(channel), channel, dtype) for channel, dtype in dtypes.items()]


def _limits(
    shown: ChannelDisplaySettingsDataClass | None, channel: int, dtype: np.dtype[Any]
) -> tuple[float, float] | None:
    if shown is None or dtype.kind != "u":
        return None
    if not 0 <= shown.black_point < shown.white_point <= 1:
        warn_caller(
            f"metadata: black and white point of channel {channel} are {shown.black_point} and "
            f"{shown.white_point}, not ascending from 0 to 1; they are taken as missing",
            MetadataWarning,
        )
        return None
    largest = int(np.iinfo(dtype).max)
    return shown.black_point * largest, shown.white_point * largest


# Sizes and coordinates


class PhysicalPixelSizes(NamedTuple):
    """The size of a pixel in micrometres along each axis; None where unknown."""

    Z: float | None
    Y: float | None
    X: float | None


class Scale(NamedTuple):
    """The distance of neighbours: seconds (T), micrometres (Z, Y, X); None where unknown."""

    T: float | None
    C: float | None
    Z: float | None
    Y: float | None
    X: float | None


def pixel_sizes(document: OpenDocument, factor: float = 1.0) -> PhysicalPixelSizes:
    """Return the size of a pixel in micrometres; of a level, `factor` times as large in Y and X."""
    return in_micrometres(
        metadata_or(document, lambda document: document.scaling, Scaling()), factor
    )


def in_micrometres(scaling: Scaling, factor: float = 1.0) -> PhysicalPixelSizes:
    """Return the size of a pixel in micrometres, `factor` times as large in Y and X."""
    z, y, x = map(_micrometres, (scaling.z, scaling.y, scaling.x))
    return PhysicalPixelSizes(z, *(None if size is None else size * factor for size in (y, x)))


def _micrometres(metres: float | None) -> float | None:
    """Return metres as micrometres without the noise of binary fractions: 1.6e-6 is 1.6."""
    return None if metres is None else float(Decimal(repr(metres)).scaleb(6))


class AxisCoordinates(NamedTuple):
    """The positions along a dimension.

    Attributes
    ----------
    values
        One for each place: numbers, or text.
    unit
        ``um`` or ``s``, ``pixel`` where the size of a pixel is not known, None where numbers are
        mere indices or there are none.
    """

    values: NDArray[Any]
    unit: str | None


def coordinates(
    layout: Layout,
    level: int,
    names: Sequence[str],
    times: NDArray[np.float64] | None,
    pixel: tuple[float | None, float | None, float | None],
) -> dict[str, AxisCoordinates]:
    """Return the coordinates of a level; dimensions of which nothing is known are left out.

    Given are the names of the channels, the time of each T in seconds, and the size of a pixel
    along Z, Y and X in micrometres, as far as they are known.

    X and Y are 0 at the centre of the first pixel of the full resolution. A pixel of a level lies
    in the middle of those that it stands for: ``scale * ((i + 0.5) * factor - 0.5)``.
    """
    wanted = layout.grid(level)
    z, y, x = pixel
    found = {}
    for name, indices in layout.planes.items():
        if name == "C":
            found[name] = AxisCoordinates(np.array(names, dtype=np.str_), None)
        elif name == "Z":
            found[name] = _even(len(indices), 1.0, z)
        elif name != "T":
            found[name] = AxisCoordinates(np.array(indices), None)
        elif times is not None:
            found[name] = AxisCoordinates(times, "s")
    for name, count, size in (("Y", wanted.height, y), ("X", wanted.width, x)):
        if count <= _MOST:
            found[name] = _even(count, wanted.factor, size)
    if layout.samples:
        found["S"] = AxisCoordinates(np.array(list("RGBA"[: layout.samples])), None)
    return found


def _even(count: int, factor: float, size: float | None) -> AxisCoordinates:
    centers = (np.arange(count) + 0.5) * factor - 0.5
    return AxisCoordinates(centers * (size or 1.0), _UNKNOWN if size is None else "um")


# Summaries of bioio


def standard_metadata(image: Image) -> StandardMetadata:
    """Return what bioio finds in the current scene of an image, and what it does not look for."""
    base = require("bioio_base.reader", extra="bioio", doing="bioio's standard metadata")
    # it asks for names that every image has
    found: StandardMetadata = base.Reader.standard_metadata.fget(image)
    complete(found, image)
    times = image.time_stamps
    found.timelapse_interval = image.time_interval
    found.total_time_duration = (
        timedelta(seconds=times[-1] - times[0]) if times and len(times) > 1 else None
    )
    found.position_index = position_of(image.current_scene)
    return found


def complete(found: Any, image: Image) -> None:
    """Add the objective, the user, the date, the well and the place of a scene."""
    info, scene, well = image.document_info, image.scene_info, image.well
    if found.objective is None and image.objective is not None:
        found.objective = image.objective.name
    found.imaged_by = info.user_name or found.imaged_by
    found.imaging_datetime = info.acquisition_date or found.imaging_datetime
    if well is not None:
        found.row = None if well.row is None else str(well.row)
        found.column = None if well.column is None else str(well.column)
    if scene is not None and scene.center is not None:
        found.stage_position_x, found.stage_position_y = scene.center


def position_of(scene: str) -> int | None:
    """Return the number in the name of a scene: 2 of ``P2-D4``."""
    number = scene.split("-")[0][1:]
    return int(number) if number.isdecimal() else None


def dimension_properties(order: str, scale: Any) -> DimensionProperties:
    """Return the type of each dimension that there is, and its unit where its step is known."""
    types = require("bioio_base.types", extra="bioio", doing="bioio's properties of dimensions")
    found: DimensionProperties = types.DimensionProperties(
        **{
            name: types.DimensionProperty(
                type=axis_type if name in order else None,
                unit=None if getattr(scale, name) is None else types.ureg.Unit(_UNITS[axis_type]),
            )
            for name, axis_type in _AXIS_TYPES.items()
        }
    )
    return found


Seconds = NDArray[np.float64]

_TOLERANCE = 0.05  # of the mean interval: what clocks of microscopes vary by
_SECOND = np.timedelta64(1, "s")


def times_along(
    document: OpenDocument,
    scene: int | None,
    indices: range,
    rows: NDArray[np.intp] | None = None,
) -> Seconds | None:
    """Return the time of each T of a scene, in seconds; None where it is unknown.

    The first of these that has a time for each T: the time stamps attached to the document (on its
    own clock), the times at which the scene's tiles were acquired (since the first T), the
    positions along T in the document's XML. Found out once for each state of the file. The scene's
    sub-blocks (`rows`) are given where they are known already.
    """

    def find() -> Seconds | None:
        stamps = _stamps(document, indices)
        if _usable(stamps):
            return stamps
        found = _of_tiles(document, scene, indices, rows)
        if found is not None:
            return found
        along = metadata_or(document, lambda document: document.read_metadata(_time_axis), None)
        return _listed(along, indices)

    return document.cached(f"times of {scene}", find)


def since_start(
    document: OpenDocument, scene: int | None, indices: range, rows: NDArray[np.intp]
) -> Seconds | None:
    """Return the times of `times_along`, with time stamps counted from the first one.

    Where nothing has a time for each T, time stamps may have some: the others are NaN.
    """
    known, stamps = _stamps(document, indices), _attached(document)
    if not _usable(known):
        times = times_along(document, scene, indices, rows)
        if times is not None:
            return times
    return known - stamps[0] if stamps is not None and np.isfinite(known).any() else None


def times_since(
    document: OpenDocument, scene: int | None, indices: range, date: datetime | None
) -> Seconds | None:
    """Return the times of `times_along`, with those of tiles counted from a date that is known."""
    times = times_along(document, scene, indices)
    start = in_utc(date)
    if times is None or start is None or _usable(_stamps(document, indices)):
        return times
    moments = _moments(document, scene, indices, None)
    return times if moments is None else times + (moments[0] - start) / _SECOND


def in_utc(date: datetime | None) -> np.datetime64 | None:
    """Return a moment for numpy; None where it is unknown, or beyond all calendars."""
    if date is not None and date.tzinfo is not None:
        try:
            date = date.astimezone(timezone.utc).replace(tzinfo=None)
        except OverflowError:
            return None
    return None if date is None else np.datetime64(date, "us")


def regular_interval(times: Seconds | None) -> timedelta | None:
    """Return the time from one T to the next.

    None for less than two, for times that do not increase, and for intervals of which one differs
    from their mean by more than a twentieth.
    """
    if times is None or len(times) < 2:
        return None
    seconds = (float(times[-1]) - float(times[0])) / (len(times) - 1)
    with np.errstate(over="ignore", invalid="ignore"):
        differences = np.abs(np.diff(times) - seconds)
        if not seconds > 0 or (differences > _TOLERANCE * seconds).any():
            return None
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        warn_caller(
            f"metadata: the interval of T is {seconds} s, more than can be; it is taken as missing",
            MetadataWarning,
        )
        return None


def _usable(seconds: Seconds) -> bool:
    return bool(np.isfinite(seconds).all()) and (len(seconds) < 2 or seconds[-1] != seconds[0])


def _attached(document: OpenDocument) -> Seconds | None:
    """Return the time stamps attached to the document; None without any that can be used."""
    stamps = document.cached("time stamps", lambda: metadata_or(document, _read_stamps, None))
    return stamps if stamps is not None and len(stamps) and _usable(stamps) else None


def _read_stamps(document: OpenDocument) -> Seconds | None:
    for entry in document.attachment_entries:
        if entry.name.lower() == "timestamps":
            return read_time_stamps(read_attachment_data(document.source, entry))
    return None


def _stamps(document: OpenDocument, indices: range) -> Seconds:
    """Return the time stamp of each T, NaN where there is none.

    They begin with the first T of the document if there are as many, else with T = 0.
    """
    found = np.full(len(indices), np.nan)
    stamps = _attached(document)
    if stamps is None or not indices:
        return found
    start, size = document.table.plane_bounds.get("T", (0, 1))
    if len(stamps) == size:
        first = start
    elif start == 0 or len(stamps) >= start + size:
        first = 0
    else:
        return found  # fewer than T, which do not begin with 0: it is unknown of which T they are
    positions = np.arange(indices.start, indices.stop) - first
    there = (positions >= 0) & (positions < len(stamps))
    found[there] = stamps[positions[there]]
    return found


def _of_tiles(
    document: OpenDocument, scene: int | None, indices: range, rows: NDArray[np.intp] | None
) -> Seconds | None:
    """Return the seconds from the first tile of the first T to that of each T."""
    moments = _moments(document, scene, indices, rows)
    if moments is None:
        return None
    seconds: Seconds = (moments - moments[0]) / _SECOND
    return seconds if _usable(seconds) else None


def _moments(
    document: OpenDocument, scene: int | None, indices: range, rows: NDArray[np.intp] | None
) -> NDArray[np.datetime64] | None:
    """Read the acquisition times of the first tile of each T; None where one lacks it."""
    if len(indices) < 2:
        return None
    table = document.table
    if rows is None:
        mine = table.directory.scene == scene
        rows = np.arange(table.count) if scene is None else np.flatnonzero(mine)
    column = table.directory.coordinates["T"]
    rows = rows[table.is_layer0[rows] & (column[rows] != ABSENT)]
    found, first = np.unique(column[rows], return_index=True)
    if found.tolist() != list(indices):
        return None
    if table.rows.parts(rows[first]).any():
        return None  # the time of a sub-block is that of its first plane
    rows = table.rows.sub_blocks(rows[first])
    moments: NDArray[np.datetime64]
    for some in (rows[:2], rows):
        moments = read_columns(document, some, ["acquisition_time"])["acquisition_time"]
        if np.isnat(moments).any():
            return None
    return moments


def _listed(along: Axis | None, indices: range) -> Seconds | None:
    if along is None:
        return None
    if along.offsets is not None and indices.start >= 0 and indices.stop <= len(along.offsets):
        seconds = np.array(along.offsets[indices.start : indices.stop], np.float64)
    elif along.increment is not None:
        seconds = (along.start or 0.0) + along.increment * np.array(indices, np.float64)
    else:
        return None
    return seconds if _usable(seconds) else None


def _time_axis(root: ET.Element) -> Axis | None:
    return axis(root, "T")
