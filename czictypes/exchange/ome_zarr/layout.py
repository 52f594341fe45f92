"""The places of the images of a document in a store: the root, a series, or a plate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from czictypes.arrays.image_base import Image
from czictypes.exchange.ome_zarr.description import namespaced
from czictypes.exchange.ome_zarr.plan import planes_of
from czictypes.metadata.acquisitions import Acquisition
from czictypes.metadata.scenes import well_name

__all__ = ["Place", "StoreLayout", "lay_out"]

#: The number of the layout that bioformats2raw made known.
_BIOFORMATS2RAW = 3


@dataclass(frozen=True)
class Place:
    """An image and the group it gets.

    Parameters
    ----------
    scene
        The position of the scene; None for all scenes in one plane.
    plane
        The place in the dimensions that OME-Zarr does not have.
    path
        The group; empty for the root.
    """

    scene: int | None
    plane: dict[str, int]
    path: str


@dataclass(frozen=True)
class StoreLayout:
    """The groups of a store.

    Parameters
    ----------
    places
        The images.
    groups
        The attributes of all groups but those of images, by path.
    """

    places: Sequence[Place]
    groups: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class _Field:
    scene: int | None
    plane: dict[str, int]
    well: tuple[int, int] | None
    acquisition: int | None = None


def lay_out(
    image: Image, scenes: Sequence[int] | None, version: str, *, plate: bool | None = None
) -> StoreLayout:
    """Lay out scenes.

    Parameters
    ----------
    scenes
        Their positions; None for all of them stitched to one image.
    plate
        Whether to make a plate; None makes one where each scene tells its well.

    Raises
    ------
    ValueError
        If a plate is wanted and a scene does not tell its well.
    """
    fields = _fields(image, scenes)
    homeless = [field for field in fields if field.well is None]
    if plate and homeless:
        name = image.scenes[homeless[0].scene or 0]
        raise ValueError(f"scene {name!r} does not tell its well, so no plate can be made")
    if not homeless and plate is not False:
        return _plate(image, fields, version)
    if len(fields) == 1:
        return StoreLayout([Place(fields[0].scene, fields[0].plane, "")], {})
    places = [Place(one.scene, one.plane, str(number)) for number, one in enumerate(fields)]
    root = {"bioformats2raw.layout": _BIOFORMATS2RAW}
    return StoreLayout(places, {"": namespaced(root, version), **_series(places, version)})


def _fields(image: Image, scenes: Sequence[int] | None) -> list[_Field]:
    found = []
    for scene in [None] if scenes is None else scenes:
        image.set_scene("all" if scene is None else scene)
        well = None if scene is None else _well(image)
        info = image.scene_info
        number = None if info is None else info.acquisition
        found += [_Field(scene, plane, well, number) for plane in planes_of(image)]
    return found


def _well(image: Image) -> tuple[int, int] | None:
    well = image.well
    if well is None or not well.row or not well.column:
        return None
    return well.row, well.column


def _plate(image: Image, fields: Sequence[_Field], version: str) -> StoreLayout:
    wells: dict[tuple[int, int], list[_Field]] = {}
    for field in fields:
        assert field.well is not None
        wells.setdefault(field.well, []).append(field)
    rows, columns = _extent(image, wells)
    known = image.plate
    rounds = (() if known is None else known.acquisitions) or (Acquisition(0),)
    groups: dict[str, Mapping[str, Any]] = {}
    paths: dict[int, Place] = {}
    listed = []
    for row, column in sorted(wells):
        path = f"{_row_name(row)}/{column}"
        members = wells[row, column]
        listed.append(
            {"path": path, "rowIndex": rows.index(row), "columnIndex": columns.index(column)}
        )
        images = [
            {"path": str(at), "acquisition": _round_of(field, rounds)}
            for at, field in enumerate(members)
        ]
        groups[_row_name(row)] = {}
        groups[path] = namespaced({"well": _versioned({"images": images}, version)}, version)
        for at, field in enumerate(members):
            paths[id(field)] = Place(field.scene, field.plane, f"{path}/{at}")
    plate = {
        "name": (known.name if known is not None else None) or "plate",
        "rows": [{"name": _row_name(row)} for row in rows],
        "columns": [{"name": str(column)} for column in columns],
        "wells": listed,
        "acquisitions": [_described(one, wells.values(), rounds) for one in rounds],
        "field_count": max(len(members) for members in wells.values()),
    }
    places = [paths[id(field)] for field in fields]
    root = {"plate": _versioned(plate, version), "bioformats2raw.layout": _BIOFORMATS2RAW}
    groups[""] = namespaced(root, version)
    return StoreLayout(places, {**groups, **_series(places, version)})


def _round_of(field: _Field, rounds: Sequence[Acquisition]) -> int:
    """Return the acquisition of a field; the first one where the file does not tell."""
    return next((one.id for one in rounds if one.id == field.acquisition), rounds[0].id)


def _described(
    one: Acquisition, wells: Iterable[Sequence[_Field]], rounds: Sequence[Acquisition]
) -> dict[str, Any]:
    """Return an acquisition as OME-Zarr has it; one without fields tells no number of these."""
    most = max(sum(_round_of(field, rounds) == one.id for field in fields) for fields in wells)
    known = {
        "name": one.name,
        "description": one.description,
        "maximumfieldcount": most or None,
        "starttime": one.start,
        "endtime": one.end,
    }
    return {"id": one.id, **{key: value for key, value in known.items() if value is not None}}


def _extent(
    image: Image, wells: Mapping[tuple[int, int], Any]
) -> tuple[Sequence[int], Sequence[int]]:
    """Return rows and columns: all of the plate where the file tells, else those that are used."""
    rows, columns = {row for row, _ in wells}, {column for _, column in wells}
    plate = image.plate
    if plate is not None and max(rows) <= plate.rows and max(columns) <= plate.columns:
        return range(1, plate.rows + 1), range(1, plate.columns + 1)
    return sorted(rows), sorted(columns)


def _row_name(row: int) -> str:
    return well_name(row, 1)[:-1]


def _versioned(content: dict[str, Any], version: str) -> dict[str, Any]:
    """Return what carries its version itself, in both versions."""
    return {**content, "version": version}


def _series(places: Sequence[Place], version: str) -> dict[str, Mapping[str, Any]]:
    return {"OME": namespaced({"series": [place.path for place in places]}, version)}
