"""The groups of an OME-Zarr and their attributes: images, series, plates, channels.

They follow the specifications of OME-Zarr 0.4 and 0.5, and bioformats2raw.layout 3; ngff-zarr
converts them to later versions. Metadata without a place in them are kept beside them (the
sidecar), for the way back to CZI.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

import czictypes
from czictypes.arrays.image import CziImage
from czictypes.arrays.image_base import Image, layout_of
from czictypes.arrays.labels import times_since
from czictypes.arrays.pictures import overview_of
from czictypes.exchange.ome_xml import ome_of_images
from czictypes.exchange.ome_zarr.image_plan import (
    AXES,
    CoordinateTransform,
    ImagePlan,
    planes_of,
)
from czictypes.exchange.ome_zarr.store import ZarrStore
from czictypes.metadata.annotations import Annotation
from czictypes.metadata.builder import check_content
from czictypes.metadata.document_content import DocumentContent, read_content
from czictypes.metadata.scenes import Acquisition, SceneInfo, match_scenes, scenes, well_name
from czictypes.model.errors import CorruptFileError, CziError, MetadataWarning
from czictypes.model.lazy import require
from czictypes.model.public import warn_caller
from czictypes.reading.contrast import Limits, shown_limits, whole_range
from czictypes.reading.names import metadata_or
from czictypes.reading.reader import open_document_of

#: The number of the layout that bioformats2raw made known.
_BIOFORMATS2RAW = 3


@dataclass(frozen=True)
class _Place:
    """An image and its group, empty for the root; `scene` is as `set_scene` takes it."""

    scene: int | str
    plane: dict[str, int]
    path: str


@dataclass(frozen=True)
class StoreLayout:
    """The images of a store, and the attributes of all other groups by their paths."""

    places: Sequence[_Place]
    groups: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class _Field:
    scene: int | str
    plane: dict[str, int]
    well: tuple[int, int] | None
    acquisition: int | None = None


def lay_out(
    image: Image, scenes: Sequence[int] | None, version: str, *, plate: bool | None = None
) -> StoreLayout:
    """Lay out scenes by their positions; None stitches all of them to one image.

    `plate` is as in `write_ome_zarr`; raises ValueError for a scene without a well in a plate.
    """
    fields = _fields(image, scenes)
    homeless = [field for field in fields if field.well is None]
    if plate and homeless:
        scene = homeless[0].scene
        name = image.scenes[scene if isinstance(scene, int) else 0]
        raise ValueError(f"scene {name!r} does not tell its well, so no plate can be made")
    if not homeless and plate is not False:
        return _plate(image, fields, version)
    if len(fields) == 1:
        return StoreLayout([_Place(fields[0].scene, fields[0].plane, "")], {})
    places = [_Place(one.scene, one.plane, str(number)) for number, one in enumerate(fields)]
    root = {"bioformats2raw.layout": _BIOFORMATS2RAW}
    return StoreLayout(places, {"": _namespaced(root, version), **_series(places, version)})


def _fields(image: Image, scenes: Sequence[int] | None) -> list[_Field]:
    found = []
    for scene in ["all"] if scenes is None else scenes:
        image.set_scene(scene)
        well, info = None if scenes is None else image.well, image.scene_info
        place = (well.row, well.column) if well is not None and well.row and well.column else None
        number = None if info is None else info.acquisition
        found += [_Field(scene, plane, place, number) for plane in planes_of(image)]
    return found


def _plate(image: Image, fields: Sequence[_Field], version: str) -> StoreLayout:
    wells: dict[tuple[int, int], list[_Field]] = {}
    for field in fields:
        assert field.well is not None
        wells.setdefault(field.well, []).append(field)
    rows, columns = _extent(image, wells)
    known = image.plate
    rounds = (() if known is None else known.acquisitions) or (Acquisition(0),)
    groups: dict[str, Mapping[str, Any]] = {}
    paths: dict[int, _Place] = {}
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
        groups[path] = _namespaced({"well": {"images": images, "version": version}}, version)
        for at, field in enumerate(members):
            paths[id(field)] = _Place(field.scene, field.plane, f"{path}/{at}")
    plate = {
        "name": (known.name if known is not None else None) or "plate",
        "rows": [{"name": _row_name(row)} for row in rows],
        "columns": [{"name": str(column)} for column in columns],
        "wells": listed,
        "acquisitions": [_described(one, wells.values(), rounds) for one in rounds],
        "field_count": max(len(members) for members in wells.values()),
        "version": version,
    }
    places = [paths[id(field)] for field in fields]
    root = {"plate": plate, "bioformats2raw.layout": _BIOFORMATS2RAW}
    groups[""] = _namespaced(root, version)
    return StoreLayout(places, {**groups, **_series(places, version)})


def _round_of(field: _Field, rounds: Sequence[Acquisition]) -> int:
    """Return the acquisition of a field; the first one if the file does not tell."""
    return next((one.id for one in rounds if one.id == field.acquisition), rounds[0].id)


def _described(
    one: Acquisition, wells: Iterable[Sequence[_Field]], rounds: Sequence[Acquisition]
) -> dict[str, Any]:
    """Return an acquisition as OME-Zarr has it; without fields, it has no number of them."""
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
    """Return rows and columns: those of the plate if they are known, else those in use."""
    rows, columns = {row for row, _ in wells}, {column for _, column in wells}
    plate = image.plate
    if plate is not None and max(rows) <= plate.rows and max(columns) <= plate.columns:
        return range(1, plate.rows + 1), range(1, plate.columns + 1)
    return sorted(rows), sorted(columns)


def _row_name(row: int) -> str:
    return well_name(row, 1)[:-1]


def _series(places: Sequence[_Place], version: str) -> dict[str, Mapping[str, Any]]:
    return {"OME": _namespaced({"series": [place.path for place in places]}, version)}


_SAMPLES = {
    2: ("gray", "alpha"),
    3: ("red", "green", "blue"),
    4: ("red", "green", "blue", "alpha"),
}
#: The size of the picture in which limits are found, and how many pixels are read for it at most.
_OVERVIEW, _MOST_READ = 512, 1 << 26
_WHOLE = (0.0, 1.0)
_NOTHING: Mapping[int, Limits] = MappingProxyType({})
_SAMPLE_COLORS = ("FF0000", "00FF00", "0000FF", "FFFFFF")


def _namespaced(attributes: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Return attributes of a group for a version: since 0.5, they stand under ``ome``."""
    if version == "0.4":
        return dict(attributes)
    return {"ome": {"version": version, **attributes}}


def image_attributes(plan: ImagePlan, channels: Any, version: str) -> dict[str, Any]:
    """Return the attributes of the group of an image; `channels` are what `omero` returns."""
    entry: dict[str, Any] = {
        "name": plan.name,
        "axes": axes(plan.levels[0].transform),
        "datasets": [
            {"path": level.path, "coordinateTransformations": transformations(level.transform)}
            for level in plan.levels
        ],
        "type": "mean",
        "metadata": {"method": "czictypes.write_ome_zarr", "version": czictypes.__version__},
    }
    if version == "0.4":
        entry["version"] = version
    if version not in ("0.4", "0.5"):
        entry = _later(entry, version)
    return _namespaced({"multiscales": [entry], "omero": channels}, version)


def ngff_metadata(entry: Mapping[str, Any]) -> Any:
    """Return multiscales of 0.5 as an object of ngff-zarr."""
    ngff = require("ngff_zarr", extra="ome-zarr", doing="OME-Zarr")
    models = require("ngff_zarr.v05.zarr_metadata", extra="ome-zarr", doing="OME-Zarr")
    datasets = [
        ngff.Dataset(
            one["path"],
            [
                ngff.Scale(one["coordinateTransformations"][0]["scale"]),
                ngff.Translation(one["coordinateTransformations"][1]["translation"]),
            ],
        )
        for one in entry["datasets"]
    ]
    listed = [ngff.Axis(**axis) for axis in entry["axes"]]
    return models.Metadata(listed, datasets, None, name=entry["name"])


def _later(entry: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Return multiscales in the form of a later version."""

    def known(fields: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        return {name: value for name, value in fields if value is not None and value != {}}

    made = asdict(ngff_metadata(entry).to_version(version), dict_factory=known)
    return {**made, "type": entry["type"], "metadata": entry["metadata"]}


def axes(transform: CoordinateTransform) -> list[dict[str, str]]:
    """Return names, types and units of the axes."""
    listed = []
    for name in AXES:
        kind = {"t": "time", "c": "channel"}.get(name, "space")
        unit = {"unit": transform.units[name]} if name in transform.units else {}
        listed.append({"name": name, "type": kind, **unit})
    return listed


def transformations(transform: CoordinateTransform) -> list[dict[str, Any]]:
    """Return scale and translation."""
    return [
        {"type": "scale", "scale": list(transform.scale)},
        {"type": "translation", "translation": list(transform.translation)},
    ]


def omero(image: Image, version: str, automatic: Mapping[int, Limits] = _NOTHING) -> dict[str, Any]:
    """Return how channels are shown: names, colours, windows of pixel values."""
    channels = channel_look(image, automatic)
    return {"channels": channels, **({"version": version} if version == "0.4" else {})}


def automatic_limits(image: Image) -> dict[int, Limits]:
    """Return what to show of channels that would look flat: limits from the pixels, by index.

    These are channels without limits in the file, or with the whole range; see `shown_limits`. A
    large image without a pyramid is not read for that.
    """
    if min(grid.width * grid.height for grid in layout_of(image).grids) > _MOST_READ:
        return {}
    found = {}
    for at, points in enumerate(image._points()):
        if points is None or points == _WHOLE:
            pixels = overview_of(image, {}, at, _OVERVIEW)
            limits = shown_limits(pixels, "file", points)
            if limits != whole_range(pixels):
                found[at] = limits
    return found


def channel_look(image: Image, automatic: Mapping[int, Limits] = _NOTHING) -> list[dict[str, Any]]:
    """Return label, colour and window of each channel, or of each sample of a colour image.

    The windows of some channels are `automatic`, by index.
    """
    samples = image.sizes.get("S", 1)
    shown = image._display_settings
    listed = []
    for at, (name, color, limits) in enumerate(
        zip(image.channel_names, image.channel_colors, image.contrast_limits)
    ):
        window = _window(automatic.get(at, limits), image.dtype)
        active = at not in shown or shown[at].is_enabled
        for sample in range(samples):
            look: dict[str, Any] = {"active": active, "window": dict(window)}
            if samples == 1:
                look["label"], look["color"] = name, _hexadecimal(color)
            else:
                known = _SAMPLES.get(samples, range(samples))
                look["label"] = f"{name} {known[sample]}"
                look["color"] = _SAMPLE_COLORS[sample] if samples in (3, 4) else "FFFFFF"
            listed.append(look)
    return listed


def _window(limits: Sequence[float] | None, dtype: np.dtype[Any]) -> dict[str, float]:
    """Return the range of values, 0 to 1 for floats as in a CZI, and the part that is shown."""
    least, most = 0.0, 1.0
    if dtype.kind in "ui":
        least, most = float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    start, end = (least, most) if limits is None else (float(limits[0]), float(limits[1]))
    return {"min": min(least, start), "max": max(most, end), "start": start, "end": end}


def _hexadecimal(color: Sequence[int] | None) -> str:
    return "FFFFFF" if color is None else "{:02X}{:02X}{:02X}".format(*(int(c) for c in color[:3]))


#: The attribute of an image's group that has what only a CZI knows.
ATTRIBUTE = "czictypes"

#: The metadata as OME-XML, where bioformats2raw has them, and as the CZI has them.
OME_XML, CZI_XML = "METADATA.ome.xml", "METADATA.czi.xml"

#: The folders that have them: that of a series or plate, and the first array of a single image, in
#: which readers do not look. (napari takes any group beside its arrays for the image.)
_OF_SERIES, _OF_IMAGE = "OME", "0"


def sidecar_attributes(
    image: Image, plan: ImagePlan, automatic: Mapping[int, Limits]
) -> dict[str, Any]:
    """Return the attribute for the current scene; the file does not have `automatic` windows."""
    content: dict[str, Any] = {"plane": plan.plane, "samples": plan.samples}
    if automatic:
        content["automatic"] = {str(at): list(limits) for at, limits in automatic.items()}
    if not isinstance(image, CziImage):
        content["name"] = image.current_scene
        stamps = image.time_stamps or []
        return {ATTRIBUTE: {**content, "times": stamps} if len(stamps) > 1 else content}
    layout = layout_of(image)
    box = layout.grids[0].box
    bounds = image.reader.total_bounding_box_no_pyramid
    start = {name: first for name, (first, _) in bounds.items() if name not in "XYMS"}
    start.update((name, values.start) for name, values in layout.planes.items() if name != "M")
    content = {
        **content,
        "name": image.current_scene if image.scene_number is not None else None,
        "number": image.scene_number or 0,
        "listed": _place_in_xml(image),
        "location": [box.x, box.y],
        "origin": [bounds["X"][0], bounds["Y"][0]],
        "magnification": list(image.reader.magnification),
        "start": start,
    }
    along = layout.planes["T"]
    date = image.acquisition_date
    with open_document_of(image.reader) as document:
        times = times_since(document, image.scene_number, along, date)
    if times is not None and len(times) > 1:
        content["times"] = times.tolist()
    return {ATTRIBUTE: content}


def _place_in_xml(image: CziImage) -> int | None:
    """Return the position of the current scene in the XML; None if it is not known."""
    nothing: list[SceneInfo] = []
    with open_document_of(image.reader) as document:
        listed = metadata_or(document, lambda document: document.read_metadata(scenes), nothing)
    if image.scene_number is None:
        return 0 if len(listed) == 1 else None
    numbers = image.reader.scenes_bounding_rectangle
    return match_scenes([scene.index for scene in listed], numbers).get(image.scene_number)


def write_sidecar(
    store: ZarrStore, image: Image, images: Sequence[ImagePlan], *, is_single: bool
) -> None:
    """Write the metadata as OME-XML and as XML of the CZI; `is_single` for an image in the root.

    The OME-XML lists the images of the store in their order, by which readers of a series find them
    (bioformats2raw.layout). If it cannot be made, there is a warning, and the rest is still
    written.
    """
    folder = _OF_IMAGE if is_single else _OF_SERIES
    written = [(one.scene, one.name) for one in images if isinstance(one.scene, int)]
    try:
        is_whole = len(written) < len(images)  # all scenes in one image
        ome = image.ome_metadata if is_whole else ome_of_images(image, written)
        store.write(f"{folder}/{OME_XML}", ome.to_xml().encode())
    except (CziError, ValueError) as error:
        warn_caller(f"there is no OME-XML of {store.name}: {error}", MetadataWarning)
    xml = image.reader.raw_metadata if isinstance(image, CziImage) else ""
    if xml:
        store.write(f"{folder}/{CZI_XML}", xml.encode())


def read_beside(store: ZarrStore, name: str) -> bytes | None:
    """Return the sidecar `OME_XML` or `CZI_XML`; None if there is none."""
    found = store.read(f"{_OF_SERIES}/{name}")
    return store.read(f"{_OF_IMAGE}/{name}") if found is None else found


def read_sidecar(
    store: ZarrStore, kept: Sequence[Mapping[str, Any]] = ()
) -> DocumentContent | None:
    """Return the metadata of the original CZI; None if they are missing or cannot be written again.

    `kept` is the attribute of each image.
    """
    xml = read_beside(store, CZI_XML)
    if xml is None:
        return None
    try:
        start = min((int(one["start"].get("C", 0)) for one in kept), default=0)
        content = read_content(xml, start)
        content.scenes = _numbered(content.scenes, kept)
        content.annotations = _placed(content.annotations, kept)
        check_content(content)
    except (CorruptFileError, AttributeError, KeyError, TypeError, ValueError):
        return None
    return content


def _numbered(listed: Sequence[SceneInfo], kept: Sequence[Mapping[str, Any]]) -> list[SceneInfo]:
    """Return the scenes with the numbers that the images had in the CZI."""
    if not all("listed" in one for one in kept):
        return list(listed)  # of a version that did not keep it
    numbers = {one["listed"]: int(one["number"]) for one in kept if one["listed"] is not None}
    return [replace(scene, index=numbers[at]) for at, scene in enumerate(listed) if at in numbers]


def _placed(drawn: Sequence[Annotation], kept: Sequence[Mapping[str, Any]]) -> list[Annotation]:
    """Return annotations in pixels from the corner of the images."""
    if not all("origin" in one for one in kept):
        return list(drawn)
    x, y = (
        min(int(one["origin"][at]) for one in kept) - min(int(one["location"][at]) for one in kept)
        for at in (0, 1)
    )
    scale = next((one["magnification"] for one in kept if "magnification" in one), (1.0, 1.0))
    drawn = [one.magnified(*map(float, scale)) for one in drawn]
    return [one.moved(x, y) if one.unit == "px" else one for one in drawn]
