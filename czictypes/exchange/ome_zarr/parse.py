"""The images in an OME-Zarr of any version from 0.1 to 0.6: one, a series, or a plate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from czictypes.container.workers import aside
from czictypes.exchange.ome_zarr.store import JOURNAL, ZarrStore
from czictypes.metadata.scenes import Acquisition, Plate, Well, as_acquisitions, parse_well_name
from czictypes.model.errors import UnsupportedDataError
from czictypes.model.geometry import metres_of, seconds_of
from czictypes.model.lazy import require

_OLD_AXES = "tczyx"  # of the versions before 0.3, which do not name them


@dataclass(frozen=True)
class FoundImage:
    """One image of a store, as its group and the plate describe it."""

    path: str
    name: str | None
    axes: str  # a letter for each: some of T, C, Z, Y, X
    levels: Sequence[Any]  # its arrays, the full resolution first
    scale: Mapping[str, float]  # in metres and seconds, along the axes that have a unit
    translation: Mapping[str, float]
    channels: Sequence[Mapping[str, Any]] = ()  # as the attribute ``omero`` has them
    well: Well | None = None
    plate: Plate | None = None
    acquisition: int | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


def find_images(store: ZarrStore) -> list[FoundImage]:
    """Return the images of an open store; UnsupportedDataError if there are none."""
    if store.read(JOURNAL) is not None:
        raise UnsupportedDataError(
            f"{store.name} is unfinished; call write_ome_zarr again with resume=True"
        )
    root = _attributes(store, "")
    plate = plate_of(_ome(root).get("plate"))
    found = [
        replace(
            _image(store, path), well=well, plate=plate, acquisition=acquisition_of(number, plate)
        )
        for path, well, number in _paths(store, root)
    ]
    if not found:
        raise UnsupportedDataError(f"{store.name} is an OME-Zarr without images")
    return found


def _paths(
    store: ZarrStore, root: Mapping[str, Any]
) -> Iterator[tuple[str, Well | None, int | None]]:
    """Yield the path of each image, its well, and the acquisition listed for it."""
    ome = _ome(root)
    if "plate" in ome:
        listed = list(_plate_paths(store, ome["plate"]))
        order = {path: at for at, path in enumerate(series_paths(store))}
        yield from sorted(listed, key=lambda one: order.get(one[0], len(order)))
    elif "multiscales" in ome:
        yield "", None, None
    elif "bioformats2raw.layout" in ome:
        for path in series_paths(store):
            yield path, None, None
    else:
        raise UnsupportedDataError(
            f"{store.name} is no OME-Zarr: its root has neither multiscales, nor a plate, nor a "
            "series of images"
        )


def _plate_paths(
    store: ZarrStore, plate: Mapping[str, Any]
) -> Iterator[tuple[str, Well, int | None]]:
    for listed in plate.get("wells", ()):
        path = str(listed["path"]).strip("/")
        well = well_of(path, listed)
        content = _ome(_attributes(store, path)).get("well", {})
        for image in content.get("images", ()):
            yield f"{path}/{image['path']}", well, image.get("acquisition")


def well_of(path: str, listed: Mapping[str, Any]) -> Well:
    """Return the well that a plate lists, by the path of its group."""
    name = path.replace("/", "")
    place = parse_well_name(name)
    if place is None and "rowIndex" in listed and "columnIndex" in listed:
        place = int(listed["rowIndex"]) + 1, int(listed["columnIndex"]) + 1
    return Well(name, *(place or (None, None)))


def plate_of(content: Any) -> Plate | None:
    """Return the plate in the attributes of a group; None without rows and columns."""
    if not isinstance(content, Mapping):
        return None
    rows, columns = len(content.get("rows", ())), len(content.get("columns", ()))
    if not rows or not columns:
        return None
    rounds = as_acquisitions(content.get("acquisitions"))
    if rounds == (Acquisition(0),):  # what plates say that know of none
        rounds = ()
    return Plate(content.get("name"), rows, columns, acquisitions=rounds)


def acquisition_of(number: int | None, plate: Plate | None) -> int | None:
    """Return the acquisition of an image, if the plate lists it."""
    listed = () if plate is None else plate.acquisitions
    return next((one.id for one in listed if one.id == number), None)


def series_paths(store: ZarrStore) -> list[str]:
    """Return the ordered paths of a series of images; none if there is no series."""
    listed = _ome(_attributes(store, "OME", missing={})).get("series")
    if listed:
        return [str(path) for path in listed]
    root = store.open_group("")
    names = aside(lambda: list(root.group_keys()))
    return sorted((name for name in names if name.isdigit()), key=int)


def is_plate(store: ZarrStore) -> bool:
    """Return whether a store is a plate."""
    return "plate" in _ome(_attributes(store, ""))


def image_path(store: ZarrStore, path: str) -> str:
    """Return the path of the image of a group: its own, or the first of a series."""
    ome = _ome(_attributes(store, path))
    return "" if "multiscales" in ome else next(iter(series_paths(store)), "")


def _attributes(
    store: ZarrStore, path: str, missing: dict[str, Any] | None = None
) -> dict[str, Any]:
    errors = require("zarr.errors", extra="ome-zarr", doing="reading OME-Zarr")
    try:
        return dict(store.open_group(path).attrs)
    except FileNotFoundError:
        if missing is not None:
            return missing
        where = f"group {path!r} of {store.name}" if path else store.name
        raise FileNotFoundError(f"there is no Zarr {where}") from None
    except errors.ContainsArrayError:
        raise UnsupportedDataError(
            f"{store.name} is an array of Zarr, not an OME-Zarr; open the group that it is in, or "
            "write the array itself with czictypes.save(zarr.open_array(...), ...)"
        ) from None


def _ome(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the attributes of OME-Zarr: under ``ome`` since 0.5, at the top before."""
    found = attributes.get("ome", attributes)
    return found if isinstance(found, Mapping) else attributes


def _image(store: ZarrStore, path: str) -> FoundImage:
    attributes = _attributes(store, path)
    ome = _ome(attributes)
    name = f"image {path!r} of {store.name}" if path else store.name
    try:
        entry = _plainly(store, path, name, ome["multiscales"][0])
        datasets = entry["datasets"]
        first = datasets[0]
        levels = [store.open_array(f"{path}/{one['path']}") for one in datasets]
    except (KeyError, IndexError, TypeError) as error:
        raise UnsupportedDataError(
            f"{name} has no multiscales that can be read: {error!r}"
        ) from None
    axes, units = _axes(entry, name)
    if any(level.ndim != len(axes) for level in levels):
        raise UnsupportedDataError(f"{name} has the axes {axes}, but its arrays have others")
    scale, translation = _placed(entry, first, len(axes))
    known = {axis: units[axis] for axis in axes if axis in units}
    return FoundImage(
        path,
        entry.get("name"),
        axes.upper(),
        levels,
        {axis.upper(): scale[axes.index(axis)] * size for axis, size in known.items()},
        {axis.upper(): translation[axes.index(axis)] * size for axis, size in known.items()},
        ome.get("omero", {}).get("channels", ()),
        attributes=attributes,
    )


def _plainly(store: ZarrStore, path: str, name: str, entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return multiscales in the form of 0.5; ngff-zarr converts later versions."""
    if "coordinateSystems" not in entry:
        return entry
    stores = require(
        "czictypes.exchange.ome_zarr.ngff_stores", extra="ome-zarr", doing="reading OME-Zarr 0.6"
    )
    try:
        found: Mapping[str, Any] = stores.as_version_05(stores.Documents(store, path))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnsupportedDataError(f"ngff-zarr cannot read {name}: {error}") from None
    return found


def _axes(entry: Mapping[str, Any], name: str) -> tuple[str, dict[str, float]]:
    """Return the names of the axes, and the sizes of their units in metres or seconds."""
    listed = entry.get("axes") or list(_OLD_AXES)
    axes = [one if isinstance(one, str) else str(one.get("name", "")).lower() for one in listed]
    wrong = [axis for axis in axes if axis not in _OLD_AXES or axes.count(axis) > 1]
    if wrong or not {"y", "x"} <= set(axes):
        raise UnsupportedDataError(
            f"{name} has the axes {', '.join(axes)}; those that go into a CZI are some of "
            f"{', '.join(_OLD_AXES)}, and y and x always"
        )
    units = {}
    for axis, one in zip(axes, listed):
        size_of = seconds_of if axis == "t" else metres_of
        size = size_of(str(one.get("unit"))) if isinstance(one, Mapping) else None
        if size is not None:
            units[axis] = size
    return "".join(axes), units


def _placed(
    entry: Mapping[str, Any], dataset: Mapping[str, Any], count: int
) -> tuple[list[float], list[float]]:
    """Return scale and translation: those of the array, followed by the shared ones."""
    scale, translation = np.ones(count), np.zeros(count)
    for content in (dataset, entry):
        for one in content.get("coordinateTransformations") or ():
            if one.get("type") == "scale" and len(one.get("scale", ())) == count:
                scale *= one["scale"]
                translation *= one["scale"]
            elif one.get("type") == "translation" and len(one.get("translation", ())) == count:
                translation += one["translation"]
    return scale.tolist(), translation.tolist()
