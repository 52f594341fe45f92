"""OME metadata of other formats in the terms of a CZI, and those of images that are written."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from czictypes.exchange.converted import Series
from czictypes.metadata.channels import ChannelInfo, WavelengthRange
from czictypes.metadata.document_info import Objective, Scaling
from czictypes.metadata.ome_document import annotations_of
from czictypes.metadata.scenes import Well, well_name
from czictypes.model.errors import MetadataWarning
from czictypes.model.geometry import metres_of, seconds_of
from czictypes.model.lazy import require
from czictypes.model.options import Rgb8Color
from czictypes.model.public import warn_caller

if TYPE_CHECKING:
    from ome_types import OME

    from czictypes.arrays.image_base import Image

#: The name of a stage label that says where the centre of the first pixel lies.
_FIRST_PIXEL = "centre of the first pixel"
_MICROMETRES, _NANOMETRES = 1e6, 1e9
_PLAIN_UNIT = re.compile(r"""(Unit\s*=\s*["'])um(["'])""")


def parse_ome(xml: str | bytes, name: str, extra: str) -> Any:
    """Return OME-XML as an ``ome_types.OME``; None, with a warning, if it is not valid.

    The unit ``um``, which the schema lacks, is read as micrometres. `extra` is the one to name if
    ome-types is missing.
    """
    ome_types = require("ome_types", extra=extra, doing="reading OME metadata")
    text = xml if isinstance(xml, str) else xml.decode("utf-8", "replace")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of each odd value; those that matter are raised
            return ome_types.from_xml(_PLAIN_UNIT.sub("\\1\u00b5m\\2", text))
    except Exception as error:  # of lxml, xsdata or pydantic
        warn_caller(
            f"the OME metadata of {name} cannot be read and are left out: {error}", MetadataWarning
        )
        return None


def image_fields(ome: Any, index: int) -> dict[str, Any]:
    """Return the fields of `SourceImage` that an image of an ``ome_types.OME`` fills."""
    if not 0 <= index < len(ome.images):
        return {}
    image = ome.images[index]
    pixels = image.pixels
    filters = {one.id: one for scope in ome.instruments for one in scope.filters}
    found = {
        "name": image.name,
        "channels": [_channel(number, one, filters) for number, one in enumerate(pixels.channels)],
        "scaling": Scaling(*(_length(pixels, f"physical_size_{axis}") for axis in "xyz")),
        "times": _times(pixels),
        "origin": _origin(image),
        "well": _well(ome.plates, image.id),
        "acquisition_date": image.acquisition_date,
        "objective": _objective(ome.instruments, image),
        "description": image.description,
        "annotations": annotations_of(image, {roi.id: roi for roi in ome.rois}),
    }
    return {name: value for name, value in found.items() if value not in (None, (), [])}


def _channel(index: int, channel: Any, filters: Mapping[str, Any]) -> ChannelInfo:
    return ChannelInfo(
        index,
        name=channel.name,
        color=_color(channel.color),
        excitation_wavelength=_rounded(channel, "excitation_wavelength", _NANOMETRES),
        emission_wavelength=_rounded(channel, "emission_wavelength", _NANOMETRES),
        detection_wavelengths=_band(channel, filters),
        dye=channel.fluor,
    )


def _band(channel: Any, filters: Mapping[str, Any]) -> tuple[WavelengthRange, ...] | None:
    """Return the band of the emission filter, if there is exactly one."""
    path = channel.light_path
    found = [filters.get(one.id) for one in path.emission_filters] if path is not None else []
    if len(found) != 1 or found[0] is None or found[0].transmittance_range is None:
        return None
    ends = found[0].transmittance_range
    band = WavelengthRange(
        _rounded(ends, "cut_in", _NANOMETRES), _rounded(ends, "cut_out", _NANOMETRES)
    )
    return None if band == (None, None) else (band,)


def _color(color: Any) -> Rgb8Color | None:
    """Return a colour; None for opaque white, the default of OME."""
    if color is None:
        return None
    red, green, blue = color.as_rgb_tuple(alpha=False)
    return None if (red, green, blue) == (255, 255, 255) else Rgb8Color(red, green, blue)


def _length(node: Any, name: str) -> float | None:
    """Return a length in metres; None without a value or a unit of length."""
    value, unit = getattr(node, name, None), getattr(node, f"{name}_unit", None)
    factor = metres_of(str(getattr(unit, "value", unit)))
    return None if value is None or factor is None else float(value) * factor


def _rounded(node: Any, name: str, per_metre: float) -> float | None:
    length = _length(node, name)
    return None if length is None else round(length * per_metre, 6)


def _times(pixels: Any) -> tuple[float, ...]:
    """Return the time of each T: that of its first plane with a time, else by the increment."""
    first: dict[int, float] = {}
    for plane in pixels.planes:
        seconds = _seconds(plane, "delta_t")
        if seconds is not None:
            first.setdefault(plane.the_t, seconds)
    count = pixels.size_t
    if count > 1 and len(first) == count:
        return tuple(first[number] for number in range(count))
    step = _seconds(pixels, "time_increment")
    return () if step is None else tuple(step * number for number in range(count))


def _seconds(node: Any, name: str) -> float | None:
    value, unit = getattr(node, name, None), getattr(node, f"{name}_unit", None)
    factor = seconds_of(str(getattr(unit, "value", unit)))
    return None if value is None or factor is None else float(value) * factor


def _origin(image: Any) -> tuple[float, float] | None:
    """Return the stage position of the image's corner (x, y) in micrometres.

    Files of ours have the centre of the first pixel as stage label. In others, the position of a
    plane is taken as its centre, where a microscope has its optical axis.
    """
    label, pixels = image.stage_label, image.pixels
    width, height = _length(pixels, "physical_size_x"), _length(pixels, "physical_size_y")
    if width is None or height is None:
        return None
    if label is not None and label.name == _FIRST_PIXEL:
        return _corner(_length(label, "x"), _length(label, "y"), width, height)
    size_x, size_y = pixels.size_x * width, pixels.size_y * height
    corners = (
        _corner(_length(plane, "position_x"), _length(plane, "position_y"), size_x, size_y)
        for plane in pixels.planes
    )
    return next((corner for corner in corners if corner is not None), None)


def _corner(
    x: float | None, y: float | None, width: float, height: float
) -> tuple[float, float] | None:
    """Return the corner in micrometres of a rectangle with a centre in metres."""
    if x is None or y is None:
        return None
    return (x - width / 2) * _MICROMETRES, (y - height / 2) * _MICROMETRES


def _well(plates: Iterable[Any], image_id: str) -> Well | None:
    for plate in plates:
        for well in plate.wells:
            if any(one.image_ref and one.image_ref.id == image_id for one in well.well_samples):
                row, column = well.row + 1, well.column + 1
                return Well(well_name(row, column), row, column)
    return None


def _objective(instruments: Iterable[Any], image: Any) -> Objective | None:
    wanted = image.objective_settings.id if image.objective_settings else None
    for instrument in instruments:
        for one in instrument.objectives:
            if one.id == wanted:
                return Objective(
                    name=one.model,
                    magnification=one.nominal_magnification,
                    numerical_aperture=one.lens_na,
                    immersion=getattr(one.immersion, "value", None),
                    refractive_index=image.objective_settings.refractive_index,
                    working_distance=_rounded(one, "working_distance", _MICROMETRES),
                )
    return None


def ome_text(image: Image, series: Sequence[Series]) -> bytes:
    """Return the OME-XML of images written one after the other, their planes as XYZCT."""
    ome_types = require("ome_types", extra="ome-tiff", doing="writing OME-TIFF")
    model = require("ome_types.model", extra="ome-tiff", doing="writing OME-TIFF")
    ome = ome_of_images(image, [(one.scene, one.name) for one in series])
    origins = {scene: _origin_of(image, scene) for scene in {one.scene for one in series}}
    page = 0
    for one, described in zip(series, ome.images):
        described.stage_label = _stage_label(model, origins[one.scene]) or described.stage_label
        page += _say_pages(model, described.pixels, page)
    ome.creator = "czictypes"
    text: str = ome_types.to_xml(ome, validate=False)
    return text.encode("utf-8")


def ome_of_images(image: Image, written: Sequence[tuple[int, str]]) -> OME:
    """Return the OME metadata of the written images alone, in their order.

    `written` has the scene and name of each. Where T of the OME metadata includes further
    dimensions, the images of a scene are its places along these, in order.
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
    """Give an image and its parts identifiers of their own."""
    described.id = f"Image:{number}"
    described.pixels.id = f"Pixels:{number}"
    for at, channel in enumerate(described.pixels.channels):
        channel.id = f"Channel:{number}:{at}"


def _say_pages(model: Any, pixels: Any, first: int) -> int:
    """Set the first page of the planes of an image; return how many there are."""
    count: int = pixels.size_z * pixels.size_t * len(pixels.channels)
    pixels.dimension_order = model.Pixels_DimensionOrder.XYZCT
    pixels.big_endian = False
    pixels.metadata_only = None
    pixels.tiff_data_blocks = [model.TiffData(ifd=first, plane_count=count)]
    pixels.bin_data_blocks = []
    return count


def _stage_label(model: Any, origin: tuple[float, float] | None) -> Any:
    """Return the label with the stage position of the first pixel; None if it is not known."""
    if origin is None:
        return None
    unit = model.UnitsLength.MICROMETER
    return model.StageLabel(name=_FIRST_PIXEL, x=origin[0], y=origin[1], x_unit=unit, y_unit=unit)


def _origin_of(image: Image, scene: int) -> tuple[float, float] | None:
    image.set_scene(scene)
    return image.origin


def _parts(described: Any, count: int) -> Iterator[Any]:
    """Yield an image for each place of the dimensions that T includes."""
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
    """Let wells refer to the written images by their new identifiers."""
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
