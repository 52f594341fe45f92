"""write_montage: many planes in one picture, the wells of a plate or the places of a series."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.image_base import Image
from czictypes.arrays.layout import Selection
from czictypes.arrays.pictures import checked_bar
from czictypes.exchange.converted import Choice, scenes_of
from czictypes.exchange.drawing import check_picture_size, draw_label
from czictypes.exchange.excerpt import Projection, image_name
from czictypes.exchange.panels import (
    Look,
    Panel,
    checked_size,
    fixed_places,
    labels_of,
    opened_scenes,
    planes_of,
    spread,
)
from czictypes.metadata.scenes import Well
from czictypes.model.errors import InvalidArgumentError
from czictypes.model.lazy import require
from czictypes.model.public import Progress, defended, show_progress
from czictypes.reading.contrast import Contrast
from czictypes.remote.urls import describe_target
from czictypes.writing.atomic import PathType, atomic_output, check_new_file

_WHOLE = 2400  # about the longest side of a montage, in pixels
_LEAST, _MOST = 32, 512  # the longest side of a picture in it
_MOST_PLACES, _MOST_OF_TWO = 100, 12  # along one dimension, and along each of two
_ONE_ROW = 4
_GAP, _GRAY = 4, 48


class Montage(NamedTuple):
    """A montage that `write_montage` has written: its size in pixels, its pictures, their axes."""

    width: int
    height: int
    pictures: int
    along: str
    is_plate: bool


class _Sheet(NamedTuple):
    """The panels with their rows and columns; `fields` of them, in both directions, are a well."""

    cells: list[tuple[int, int, Panel]]
    fields: int = 1
    is_plate: bool = False

    @property
    def rows(self) -> int:
        return -(-max(row + 1 for row, _, _ in self.cells) // self.fields) * self.fields

    @property
    def columns(self) -> int:
        return -(-max(column + 1 for _, column, _ in self.cells) // self.fields) * self.fields


@defended(describe_target)
def write_montage(
    source: Any,
    dest: PathType,
    *,
    along: str | None = None,
    scenes: Choice = "all",
    plane: Mapping[str, Selection] | None = None,
    contrast: Contrast = "file",
    size: int | None = None,
    scale_bar: bool | float = True,
    labels: bool = True,
    roi: Any = None,
    project: Projection = None,
    overwrite: bool = False,
    progress: Progress = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Montage:
    """Write many planes as one picture: a plate, all scenes, a time series, a stack or channels.

    All have the same zoom and contrast. Only one is in memory at a time, beside the result.

    Parameters
    ----------
    source
        As for `open_image`, or what it gives, or a `CziReader`, which stay open.
    dest
        The path of a ``.png``.
    along
        The axes of the montage: a dimension (``"T"``), ``"C"`` for each channel and all of them
        together, ``"S"`` for the scenes, or two of these, for rows and columns (``"TZ"``). By
        default ``"S"`` if there are several scenes, in the places of their wells if they have
        some; else T, Z and others with more than one place, at most two; else C.
    scenes
        ``"all"``, an index or a name, or several of them. Of a view of one scene, ``"all"`` is this
        scene.
    plane
        The places along dimensions, from 0 on: ``{"T": range(0, 100, 10), "Z": 3, "C": "DAPI"}``.
        By default, those along which the montage goes are all shown, or up to 100 at equal
        distances (of two dimensions, up to 12 each); of others the middle of Z, the first place,
        and all channels that the file shows.
    contrast
        The pixel values shown as black and white, see `Image.to_rgb`; the same in all pictures.
    size
        The longest side of each picture in pixels; by default so many that the montage has about
        2400, but from 32 to 512. Small images are magnified by a whole number.
    scale_bar
        Whether the last picture has one, if the size of a pixel is known; or its length in
        micrometres.
    labels
        Whether the names of wells, scenes and channels, and the places and times are written.
    roi
        (x, y, w, h): only this region, in pixels of the document for a CZI, of each image
        otherwise.
    project
        ``"max"``, ``"mean"`` or ``"sum"`` along Z, or by dimension, as in `convert`.
    overwrite
        Whether an existing file is replaced.
    progress
        True for a bar, or a function of the pictures done and all pictures.
    storage_options
        The options of fsspec for a URL.

    Returns
    -------
    Montage
        (width, height, pictures, along, is_plate): the size in pixels, how many pictures, what
        they are along, and whether they are in the places of wells.

    Raises
    ------
    ValueError
        If there is only one picture, or for a dimension that the image does not have.
    OutOfBoundsError
        For a scene, a channel or a place that there is not.
    UnsupportedDataError
        If the montage would have more than 100 megapixels.
    FileExistsError
        If `dest` exists and is not to be replaced.
    MissingExtraError
        Without Pillow.

    Examples
    --------
    >>> write_montage("plate.czi", "plate.png", contrast="auto")  # doctest: +SKIP
    >>> write_montage("cells.czi", "cells.png", along="CT", plane={"Z": 4})  # doctest: +SKIP
    """
    name = os.fsdecode(dest)
    if Path(name).suffix.lower() != ".png":
        raise InvalidArgumentError(f"{name}: a montage is a picture; give a name in .png")
    bar = checked_bar(scale_bar)
    check_new_file(dest, overwrite=overwrite)
    with opened_scenes(source, scenes_of(source, scenes), roi, project, storage_options) as images:
        axes, sheet = _sheet(images, along, plane)
        if len(sheet.cells) < 2:
            raise _only_one(images[0])
        default = _WHOLE // max(sheet.rows, sheet.columns)
        side = checked_size(size, min(_MOST, max(_LEAST, default)))
        look = Look([panel for _, _, panel in sheet.cells], contrast, side, bar)
        picture = _drawn(sheet, look, side, labels, progress)
    height, width, _ = picture.shape
    with atomic_output(dest, overwrite=overwrite) as stream:
        pictures = require("PIL.Image", extra="cli", doing="writing PNG")
        pictures.fromarray(picture).save(stream, format="PNG")
    return Montage(width, height, len(sheet.cells), axes, sheet.is_plate)


def _sheet(
    images: Sequence[Image], along: str | None, plane: Mapping[str, Selection] | None
) -> tuple[str, _Sheet]:
    """Return what a montage goes along, and where each picture is."""
    planes = planes_of(images[0], plane)
    axes = _checked(along, images[0]) if along else _default_axes(images, planes)
    if "S" not in axes and len(images) > 1:
        raise InvalidArgumentError(
            f"along={axes!r} is of one scene, but there are {len(images)}; choose one (scenes=)"
        )
    fixed = fixed_places(planes, axes)
    places = {_place(image.well) for image in images} if axes == "S" else set()
    if len(places) > 1 and None not in places:
        return axes, _plate(images, fixed)
    entries = [_entries(one, images, planes, len(axes)) for one in axes]
    if len(entries) == 1:
        return axes, _wrapped(images[0], entries[0], fixed)
    return axes, _crossed(images[0], entries[0], entries[1], fixed)


def _checked(along: str, image: Image) -> str:
    """Return the letters of what a montage goes along."""
    letters = along.replace(",", "").replace(" ", "") if isinstance(along, str) else ""
    known = ["S", *(name for name in image.sizes if name not in "YXSM")]
    if not 1 <= len(letters) <= 2 or len(set(letters)) < len(letters) or set(letters) - set(known):
        raise InvalidArgumentError(
            f"along={along!r}: give one or two of {', '.join(known)} (S is for scenes)"
        )
    return letters


def _default_axes(images: Sequence[Image], planes: Mapping[str, Sequence[int]]) -> str:
    if len(images) > 1:
        return "S"
    image = images[0]
    sizes = {name: size for name, size in image.sizes.items() if name not in "YXSMC"}
    several = [name for name in sizes if len(planes.get(name, range(sizes[name]))) > 1]
    if several:
        return "".join(sorted(several, key=lambda name: "TZ".find(name) % 9)[:2])  # others last
    if len(planes.get("C", range(image.sizes["C"]))) > 1:
        return "C"
    raise _only_one(image)


def _only_one(image: Image) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"{image_name(image)}: this is one picture only, and a montage has several; Image.to_rgb, "
        "or czictypes plane, makes one"
    )


#: A place along an axis: its label, the image of a scene, the index in a dimension.
_Entry = tuple[str, "Image | None", "dict[str, Any]"]


def _entries(
    name: str, images: Sequence[Image], planes: Mapping[str, list[int]], axes: int
) -> list[_Entry]:
    if name == "S":
        return [(image.current_scene, image, {}) for image in images]
    image = max(images, key=lambda one: one.sizes[name])
    if name == "C":
        shown = planes.get("C") or list(range(image.sizes["C"]))
        merged: list[_Entry] = [("merged", None, {"C": shown} if "C" in planes else {})]
        each: list[_Entry] = [(image.channel_names[at], None, {"C": [at]}) for at in shown]
        return each + (merged if len(shown) > 1 else [])
    most = _MOST_PLACES if axes == 1 else _MOST_OF_TWO
    places = planes.get(name) or spread(image.sizes[name], most)
    labels = labels_of(image, name, places)
    return [(label, None, {name: at}) for label, at in zip(labels, places)]


def _wrapped(image: Image, entries: Sequence[_Entry], fixed: Mapping[str, Any]) -> _Sheet:
    """Return the panels of one axis, row after row, so that the whole is about square."""
    shape = image.sizes["Y"] / image.sizes["X"]
    columns = max(1, min(len(entries), round(math.sqrt(len(entries) * shape) + 0.4)))
    columns = len(entries) if len(entries) <= _ONE_ROW else columns
    cells = [
        (*divmod(at, columns), Panel(scene or image, {**fixed, **where}, label))
        for at, (label, scene, where) in enumerate(entries)
    ]
    return _Sheet(cells)


def _crossed(
    image: Image, rows: Sequence[_Entry], columns: Sequence[_Entry], fixed: Mapping[str, Any]
) -> _Sheet:
    """Return the panels of two axes; those that a scene does not have are left out."""
    cells = []
    for row, (name, scene, where) in enumerate(rows):
        for column, (other, other_scene, more) in enumerate(columns):
            shown = scene or other_scene or image
            every = {**fixed, **where, **more}
            if all(at < shown.sizes[one] for one, at in every.items() if one != "C"):
                cells.append((row, column, Panel(shown, every, f"{name}, {other}")))
    return _Sheet(cells)


def _place(well: Well | None) -> tuple[int, int] | None:
    return (well.row, well.column) if well and well.row and well.column else None


def _plate(images: Sequence[Image], fixed: Mapping[str, Any]) -> _Sheet:
    """Return the fields of each well side by side, in the place of the well on the plate."""
    wells: dict[tuple[int, int], list[Image]] = {}
    for image in images:
        wells.setdefault(_place(image.well) or (0, 0), []).append(image)
    fields = math.ceil(math.sqrt(max(map(len, wells.values()))))
    top, left = (min(place[at] for place in wells) for at in (0, 1))
    cells = []
    for (row, column), found in sorted(wells.items()):
        for at, image in enumerate(found):
            label = (image.well and image.well.name) or "" if at == 0 else ""
            place = (row - top) * fields + at // fields, (column - left) * fields + at % fields
            cells.append((*place, Panel(image, fixed, label)))
    return _Sheet(cells, fields, True)


def _drawn(
    sheet: _Sheet, look: Look, side: int, labels: bool, progress: Progress
) -> NDArray[np.uint8]:
    """Return the picture of all panels; each is read when its turn comes."""

    def corner(at: int, length: int) -> int:
        return _GAP + at * length + at // sheet.fields * _GAP

    height, width = corner(sheet.rows, look.height), corner(sheet.columns, look.width)
    check_picture_size(width, height, side, "give size={zoom}, or fewer scenes or planes")
    look.check_bar()
    found = np.full((height, width, 3), _GRAY, np.uint8)
    with show_progress(progress, len(sheet.cells), "montage") as step:
        last = max(range(len(sheet.cells)), key=lambda at: sheet.cells[at][:2])
        for at, (row, column, panel) in enumerate(sheet.cells):
            top, left = corner(row, look.height), corner(column, look.width)
            cell = found[top : top + look.height, left : left + look.width]
            _put(cell, look.picture(panel, bar=at == last))
            step(1)
    for row, column, panel in sheet.cells if labels else ():
        place = corner(column, look.width), corner(row, look.height)
        draw_label(found, panel.label, place, *_text(sheet, look))
    return found


def _put(cell: NDArray[np.uint8], picture: NDArray[np.uint8]) -> None:
    """Put a picture into the middle of its cell."""
    top, left = ((cell.shape[at] - picture.shape[at]) // 2 for at in (0, 1))
    cell[:] = 0
    cell[top : top + picture.shape[0], left : left + picture.shape[1]] = picture


def _text(sheet: _Sheet, look: Look) -> tuple[int, int]:
    """Return the width that a label may have, and the size of its letters."""
    return look.width * sheet.fields, max(10, min(look.height * sheet.fields // 14, 28))
