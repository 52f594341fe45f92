"""Tables of what a document holds: a row for each tile, a row for each event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.labels import pixel_sizes, since_start
from czictypes.arrays.scene_views import viewed_scene
from czictypes.arrays.scenes import field_numbers, plane_ranges, scene_index
from czictypes.metadata.records import EVENT_NAMES, Event
from czictypes.metadata.scenes import SceneInfo
from czictypes.model.errors import MissingExtraError, OutOfBoundsError, SparseDocumentError
from czictypes.model.geometry import ABSENT, NO_M, whole_number
from czictypes.model.lazy import require
from czictypes.model.pixel_types import Compression, PixelType
from czictypes.reading.document import OpenDocument
from czictypes.reading.names import (
    channel_infos,
    channel_names,
    channel_numbers,
    scene_infos,
    scene_names,
)
from czictypes.reading.subblock import read_columns

Columns = dict[str, NDArray[Any]]

_DIMENSIONS = "VHIRBTCZM"
_TAGS = ("stage_x", "stage_y", "focus_z", "acquisition_time", "exposure_time")
_SECOND = np.timedelta64(1, "s")


def as_table(columns: Columns, pandas: bool | None) -> Any:
    """Return columns as a data frame (True), as they are (False), or as pandas is there (None).

    Raises
    ------
    MissingExtraError
        For True, if pandas is not installed.
    """
    if pandas is False:
        return columns
    try:
        package = require("pandas", extra="pandas", doing="a table (pandas=False gives columns)")
    except MissingExtraError:
        if pandas:
            raise
        return columns
    return package.DataFrame(columns)


class TableMethods:
    """The tables of a `CziImage`."""

    @overload
    def tiles(
        self,
        scene: int | str | None = None,
        *,
        level: int | None = None,
        pandas: Literal[False],
    ) -> Columns: ...
    @overload
    def tiles(
        self,
        scene: int | str | None = None,
        *,
        level: int | None = None,
        pandas: bool | None = None,
    ) -> Any: ...
    def tiles(
        self,
        scene: int | str | None = None,
        *,
        level: int | None = None,
        pandas: bool | None = None,
    ) -> Any:
        """Return a table of all tiles, with what the file tells of each; no pixel is read.

        Parameters
        ----------
        scene
            The index or name of the only scene whose tiles are wanted; by default those of all
            scenes, whichever is the current one, and of a view those of its scene.
        level
            The only pyramid level that is wanted, 0 for full resolution; by default all.
        pandas
            True for a `pandas.DataFrame`, False for a dictionary from the name of each column to a
            numpy array. By default a data frame where pandas is installed.

        Returns
        -------
        pandas.DataFrame or dict of numpy.ndarray
            A row for each tile, in the order of the file's directory, and always these columns:

            - ``scene``, ``scene_number``, ``well``, ``well_row``, ``well_column``, ``field``: the
              name of the scene as in `scenes` and its number in the file, its well, and its number
              within the well.
            - ``V``, ``H``, ``I``, ``R``, ``B``, ``T``, ``C``, ``channel``, ``Z``, ``M``: the
              place in each dimension, as the file counts, and the name of the channel.
            - ``x``, ``y``, ``w``, ``h``: the rectangle in pixels of full resolution, in the file's
              coordinate system; ``x_um``, ``y_um``, ``w_um``, ``h_um`` and ``z_um`` (of Z) are the
              same in micrometres.
            - ``stage_x_um``, ``stage_y_um``, ``focus_z_um``: where the stage and the focus drive
              were, in micrometres.
            - ``acquisition_time`` (datetime64, UTC), ``time_s`` (seconds since the first tile of
              the table; where tiles have no time, those of `time_stamps`), ``exposure_s``
              (seconds; of the tile, else of its channel).
            - ``level``, ``stored_w``, ``stored_h``, ``pixel_type``, ``compression``: how the tile
              is stored.
            - ``index``: its sub-block, for `CziReader.read_subblock`.

            Unknown values are NaN, NaT or None. A column of whole numbers of which some
            are missing is of floats.

        Raises
        ------
        OutOfBoundsError
            If there is no such scene or level.
        MissingExtraError
            For ``pandas=True`` without pandas; the extra ``czictypes[pandas]`` brings it.

        Examples
        --------
        >>> tiles = CziImage("slide.czi").tiles(level=0)  # doctest: +SKIP
        >>> tiles.groupby("well")["focus_z_um"].mean()  # doctest: +SKIP
        """
        image: Any = self
        with image._document() as document:
            index = viewed_scene(image)
            if scene is not None:
                index = scene_index(document, scene, len(scene_names(document)))
            columns = tile_columns(document, index, level)
        return as_table(columns, pandas)

    @overload
    def events(self, *, pandas: Literal[False]) -> Columns: ...
    @overload
    def events(self, *, pandas: bool | None = None) -> Any: ...
    def events(self, *, pandas: bool | None = None) -> Any:
        """Return a table of what happened during the acquisition.

        Parameters
        ----------
        pandas
            As for `tiles`.

        Returns
        -------
        pandas.DataFrame or dict of numpy.ndarray
            A row for each event of the attachment EventList, without rows where there is none. The
            columns are ``time_s`` (seconds, on the clock of the attached time stamps), ``type``
            (ZEN's number), ``name`` (``"marker"``, ``"trigger"``..., None for an unknown number)
            and ``description``.

        Raises
        ------
        CorruptFileError
            If the attachment is damaged.
        MissingExtraError
            As for `tiles`.
        """
        image: Any = self
        return as_table(event_columns(image.attachments.events or []), pandas)


# Tiles


def tile_columns(document: OpenDocument, scene: int | None, level: int | None) -> Columns:
    """Return the columns of `CziImage.tiles`.

    `scene` is the index of the only scene that counts, `level` the only level.
    """
    entries, table = document.sub_blocks, document.table
    chosen = np.ones(len(entries), bool)
    if scene is not None and table.scene_rectangles:
        chosen &= entries["scene"] == list(table.scene_rectangles)[scene]
    if level is not None:
        _check_level(document, entries["level"], whole_number(level, "the level"))
        chosen &= entries["level"] == level
    rows = np.flatnonzero(chosen)
    some = np.asarray(entries)[rows]
    scenes = _scene_columns(document, some["scene"])
    return {**scenes, **_places(document, some), **_recorded(document, rows, some), **_stored(some)}


def _check_level(document: OpenDocument, levels: NDArray[Any], level: int) -> None:
    known = np.unique(levels).tolist()
    if level not in known:
        raise OutOfBoundsError(
            f"{document.name} has no tiles of level {level}; its levels are "
            f"{', '.join(map(str, known)) or 'none'}"
        )


def _scene_columns(document: OpenDocument, numbers: NDArray[Any]) -> Columns:
    """Return name, number, well and field of the scene of each tile."""
    infos, names = scene_infos(document), scene_names(document)
    named: list[int | None] = [*document.table.scene_rectangles] or [None]
    name_of = dict(zip(named, names))
    fields = document.cached("fields", lambda: field_numbers(infos))
    listed, at = np.unique(numbers, return_inverse=True)
    keys = [None if number == ABSENT else number for number in listed.tolist()]
    wells = [(infos.get(key) or SceneInfo(0)).well for key in keys]
    columns = {
        "scene": [name_of.get(key) for key in keys],
        "scene_number": keys,
        "well": [None if well is None else well.name for well in wells],
        "well_row": [None if well is None else well.row for well in wells],
        "well_column": [None if well is None else well.column for well in wells],
        "field": [fields.get(key) for key in keys],
    }
    texts = ("scene", "well")
    return {
        name: np.array(values, object)[at] if name in texts else _whole(np.array(values, float)[at])
        for name, values in columns.items()
    }


def _places(document: OpenDocument, entries: NDArray[np.void]) -> Columns:
    """Return where each tile is: in every dimension, in pixels and in micrometres."""
    columns: Columns = {}
    for name in _DIMENSIONS:
        columns[name] = _coordinates(entries[name])
        if name == "C":
            columns["channel"] = _channels(document, entries["C"])
    columns.update({name: entries[name].astype(np.int64) for name in "xywh"})
    sizes = pixel_sizes(document)
    for name, size in (("x", sizes.X), ("y", sizes.Y), ("w", sizes.X), ("h", sizes.Y)):
        columns[f"{name}_um"] = columns[name] * (np.nan if size is None else size)
    columns["z_um"] = columns["Z"] * (np.nan if sizes.Z is None else sizes.Z)
    return columns


def _coordinates(column: NDArray[Any]) -> NDArray[Any]:
    missing = (column == ABSENT) | (column == NO_M)
    return _whole(np.where(missing, np.nan, column.astype(np.float64)))


def _whole(values: NDArray[np.float64]) -> NDArray[Any]:
    """Return whole numbers as such; numbers of which some are missing (NaN) stay as they are."""
    return values if np.isnan(values).any() else values.astype(np.int64)


def _channels(document: OpenDocument, column: NDArray[Any]) -> NDArray[Any]:
    """Return the name of each tile's channel; that of the only one where tiles have no C."""
    channels = channel_numbers(document)
    names = dict(zip(channels, channel_names(channel_infos(document, channels))))
    if len(channels) == 1:
        names[ABSENT] = names[channels[0]]
    listed, at = np.unique(column, return_inverse=True)
    found: NDArray[Any] = np.array([names.get(one) for one in listed.tolist()], object)[at]
    return found


def _recorded(document: OpenDocument, rows: NDArray[np.intp], entries: NDArray[np.void]) -> Columns:
    """Return what the metadata of each tile tells: places of stage and focus, time, exposure.

    A sub-block of several planes tells the time and focus of the first one.
    """
    listed, at = np.unique(entries["index"], return_inverse=True)
    found = {name: values[at] for name, values in read_columns(document, listed, _TAGS).items()}
    later = document.table.rows.parts(rows) > 0
    moments = np.where(later, np.datetime64("NaT"), found["acquisition_time"])
    return {
        "stage_x_um": found["stage_x"],
        "stage_y_um": found["stage_y"],
        "focus_z_um": np.where(later, np.nan, found["focus_z"]),
        "acquisition_time": moments,
        "time_s": _seconds(document, rows, entries, moments),
        "exposure_s": _exposures(document, entries, found["exposure_time"]),
    }


def _seconds(
    document: OpenDocument,
    rows: NDArray[np.intp],
    entries: NDArray[np.void],
    moments: NDArray[np.datetime64],
) -> NDArray[np.float64]:
    """Return the seconds since the first of these tiles; that of its T where a tile has no time."""
    known = ~np.isnat(moments)
    seconds = np.full(len(rows), np.nan)
    if known.any():
        seconds[known] = (moments[known] - moments[known].min()) / _SECOND
    untold = ~known & (entries["level"] == 0) & (entries["T"] != ABSENT)
    for scene in np.unique(entries["scene"][untold]).tolist():
        mine = entries["scene"] == scene
        along = _times_of_scene(document, None if scene == ABSENT else scene)
        if along is not None:
            times = np.full(len(rows), np.nan)
            times[mine] = _at(along, entries["T"][mine])
            both = np.flatnonzero(known & np.isfinite(times))
            start = times[both[0]] - seconds[both[0]] if len(both) else 0.0
            seconds = np.where(untold & mine, times - start, seconds)
    return seconds


def _times_of_scene(document: OpenDocument, scene: int | None) -> Mapping[int, float] | None:
    """Return the seconds of each T of a scene, by its number; None where a T is far too large."""
    table = document.table
    rows = np.arange(table.count)
    if scene is not None:
        rows = np.flatnonzero(table.directory.scene == scene)
    try:
        along = plane_ranges(table, rows)["T"]
    except SparseDocumentError:
        return None
    times = since_start(document, scene, along, rows)
    return None if times is None else dict(zip(along, times.tolist()))


def _at(known: Mapping[int, float], column: NDArray[Any]) -> NDArray[np.float64]:
    listed, at = np.unique(column, return_inverse=True)
    found: NDArray[np.float64] = np.array([known.get(one, np.nan) for one in listed.tolist()])[at]
    return found


def _exposures(
    document: OpenDocument, entries: NDArray[np.void], exposure: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the exposure of each tile; that of its channel where a tile does not tell."""
    channels = channel_numbers(document)
    infos = channel_infos(document, channels)
    known = {info.index: info.exposure_time for info in infos if info.exposure_time is not None}
    if len(channels) == 1 and channels[0] in known:
        known[ABSENT] = known[channels[0]]
    untold = np.isnan(exposure) & (entries["level"] == 0)
    return np.where(untold, _at(known, entries["C"]), exposure)


def _stored(entries: NDArray[np.void]) -> Columns:
    """Return how each tile is stored."""
    return {
        "level": entries["level"].astype(np.int64),
        "stored_w": entries["stored_w"].astype(np.int64),
        "stored_h": entries["stored_h"].astype(np.int64),
        "pixel_type": _names(entries["pixel_type"], PixelType),
        "compression": _names(entries["compression"], Compression),
        "index": entries["index"],
    }


def _names(
    column: NDArray[Any], known: Iterable[PixelType] | Iterable[Compression]
) -> NDArray[Any]:
    """Return the names of numbers of the file format; the number as text where it is unknown."""
    names = {int(one): one.name for one in known}
    listed, at = np.unique(column, return_inverse=True)
    found: NDArray[Any] = np.array([names.get(one, str(one)) for one in listed.tolist()], object)
    return found[at]


# Events


def event_columns(events: Sequence[Event]) -> Columns:
    """Return the columns of `CziImage.events`."""
    return {
        "time_s": np.array([one.time for one in events], np.float64),
        "type": np.array([one.type for one in events], np.int64),
        "name": np.array([EVENT_NAMES.get(one.type) for one in events], object),
        "description": np.array([one.description or None for one in events], object),
    }
