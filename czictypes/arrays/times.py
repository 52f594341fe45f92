"""The times of an image along T."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import datetime, timedelta, timezone

import numpy as np
from numpy.typing import NDArray

from czictypes.container.attachments import read_attachment_data
from czictypes.metadata.axes import Axis, axis
from czictypes.metadata.records import read_time_stamps
from czictypes.model.defence import warn_caller
from czictypes.model.errors import MetadataWarning
from czictypes.model.geometry import ABSENT
from czictypes.reading.document import OpenDocument
from czictypes.reading.names import metadata_or
from czictypes.reading.subblock import read_columns

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
