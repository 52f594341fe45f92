"""Metadata without a place in OME-Zarr: kept beside it, for the way back to CZI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from czictypes.arrays.image import CziImage
from czictypes.arrays.image_base import Image, layout_of
from czictypes.arrays.times import times_since
from czictypes.exchange.ome_xml import ome_of_images
from czictypes.exchange.ome_zarr.image_plan import ImagePlan
from czictypes.exchange.ome_zarr.store import ZarrStore
from czictypes.metadata.annotations import Annotation
from czictypes.metadata.builder import check_content
from czictypes.metadata.document_content import DocumentContent, read_content
from czictypes.metadata.scenes import SceneInfo, match_scenes, scenes
from czictypes.model.defence import warn_caller
from czictypes.model.errors import CorruptFileError, CziError, MetadataWarning
from czictypes.reading.names import metadata_or
from czictypes.reading.plane_reads import open_document_of

#: The attribute of an image's group that has what only a CZI knows.
ATTRIBUTE = "czictypes"

#: The metadata as OME-XML, where bioformats2raw has them, and as the CZI has them.
OME_XML, CZI_XML = "METADATA.ome.xml", "METADATA.czi.xml"

#: The folders that have them: that of a series or plate, and the first array of a single image, in
#: which readers do not look. (napari takes any group beside its arrays for the image.)
_OF_SERIES, _OF_IMAGE = "OME", "0"


def sidecar_attributes(image: Image, plan: ImagePlan) -> dict[str, Any]:
    """Return the attribute for the current scene."""
    content: dict[str, Any] = {"plane": plan.plane, "samples": plan.samples}
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
