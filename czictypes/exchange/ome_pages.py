"""OME metadata of the images that are written, and their pages in an OME-TIFF."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from czictypes.exchange.ome_source import FIRST_PIXEL
from czictypes.exchange.series import Series
from czictypes.model.lazy import require

if TYPE_CHECKING:
    from ome_types import OME

    from czictypes.arrays.image_base import Image

__all__ = ["ome_of_images", "ome_text"]


def ome_text(image: Image, series: Sequence[Series]) -> bytes:
    """Return the OME-XML for images that are written one after the other.

    Parameters
    ----------
    image
        The CZI.
    series
        What is written, in this order; the planes of each run along Z, then C, then T.
    """
    ome_types = require("ome_types", extra="ome-tiff", doing="writing OME-TIFF")
    model = require("ome_types.model", extra="ome-tiff", doing="writing OME-TIFF")
    ome = ome_of_images(image, [(one.scene, one.name) for one in series])
    origins = {scene: _origin(image, scene) for scene in {one.scene for one in series}}
    page = 0
    for one, described in zip(series, ome.images):
        described.stage_label = _stage_label(model, origins[one.scene]) or described.stage_label
        page += _say_pages(model, described.pixels, page)
    ome.creator = "czictypes"
    text: str = ome_types.to_xml(ome, validate=False)
    return text.encode("utf-8")


def ome_of_images(image: Image, written: Sequence[tuple[int, str]]) -> OME:
    """Return the OME metadata of images in the order in which they are written, and of no others.

    Parameters
    ----------
    image
        The one that they are taken from.
    written
        The scene of each, and its name. Where OME metadata count T through more dimensions, those
        of one scene are its places in these, one after the other.
    """
    ome = image.ome_metadata
    scenes = [scene for scene, _ in written]
    counts = Counter(scenes)
    parts = {scene: _parts(ome.images[scene], count) for scene, count in counts.items()}
    images = []
    for number, (scene, name) in enumerate(written):
        described = next(parts[scene])
        described.name = name
        if counts[scene] > 1:  # T is nothing but time then
            described.annotation_refs = [
                each for each in described.annotation_refs if ":ModuloT:" not in each.id
            ]
        _number(described, number)
        images.append(described)
    _keep_references(ome, scenes, images)
    ome.images = images
    refs = {one.id for image in images for one in image.annotation_refs}
    if ome.structured_annotations is not None:
        listed = ome.structured_annotations.xml_annotations
        kept = [one for one in listed if one.id in refs]
        ome.structured_annotations.xml_annotations = kept
    referred = {one.id for image in images for one in image.roi_refs}
    ome.rois = [roi for roi in ome.rois if roi.id in referred]
    return ome


def _number(described: Any, number: int) -> None:
    """Give an image, and what is in it, identifiers of its own."""
    described.id = f"Image:{number}"
    described.pixels.id = f"Pixels:{number}"
    for at, channel in enumerate(described.pixels.channels):
        channel.id = f"Channel:{number}:{at}"


def _say_pages(model: Any, pixels: Any, first: int) -> int:
    """Say from which page on the planes are stored; return how many there are."""
    count: int = pixels.size_z * pixels.size_t * len(pixels.channels)
    pixels.dimension_order = model.Pixels_DimensionOrder.XYZCT
    pixels.big_endian = False
    pixels.metadata_only = None
    pixels.tiff_data_blocks = [model.TiffData(ifd=first, plane_count=count)]
    pixels.bin_data_blocks = []
    return count


def _stage_label(model: Any, origin: tuple[float, float] | None) -> Any:
    """Return the label that says where the first pixel lies; None where that is not known."""
    if origin is None:
        return None
    unit = model.UnitsLength.MICROMETER
    return model.StageLabel(name=FIRST_PIXEL, x=origin[0], y=origin[1], x_unit=unit, y_unit=unit)


def _origin(image: Image, scene: int) -> tuple[float, float] | None:
    image.set_scene(scene)
    return image.origin


def _parts(described: Any, count: int) -> Iterator[Any]:
    """Give an image for each of the places that T counts through, where these are several."""
    pixels = described.pixels
    times = pixels.size_t // count
    planes: list[list[Any]] = [[] for _ in range(count)]
    for plane in pixels.planes:
        planes[plane.the_t // times].append(plane)
        plane.the_t %= times
    without = described.model_copy(update={"pixels": pixels.model_copy(update={"planes": []})})
    for part in planes:
        made = without.model_copy(deep=True)
        made.pixels.size_t, made.pixels.planes = times, part
        yield made


def _keep_references(ome: Any, scenes: Sequence[int], images: Sequence[Any]) -> None:
    """Let the wells refer to the images that are written, by their new identifiers."""
    new_ids: dict[str, list[str]] = {}
    for scene, image in zip(scenes, images):
        new_ids.setdefault(ome.images[scene].id, []).append(image.id)
    for plate in ome.plates:
        for well in plate.wells:
            samples = [
                (sample, new)
                for sample in well.well_samples
                for new in new_ids.get(sample.image_ref.id if sample.image_ref else "", [])[:1]
            ]
            for sample, new in samples:
                sample.image_ref.id = new
            well.well_samples = [sample for sample, _ in samples]
