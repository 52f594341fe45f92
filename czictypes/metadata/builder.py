"""Build the XML of a new document."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence

from czictypes.metadata.acquisitions import add_acquisitions
from czictypes.metadata.annotations import add_annotations
from czictypes.metadata.axes import Axis, Skew
from czictypes.metadata.channels import ChannelInfo, WavelengthRange
from czictypes.metadata.content import DocumentContent, ImageSummary
from czictypes.metadata.document import GeneralDocumentInfoDto, Objective
from czictypes.metadata.elements import ensure, format_number, put, put_all
from czictypes.metadata.fields import format_color
from czictypes.metadata.scenes import Plate, SceneInfo, Well, parse_well_name, well_name
from czictypes.metadata.sections import (
    add_attributes,
    check_display_settings,
    check_index,
    fill_channel,
    set_general_document_info,
    set_scaling,
)
from czictypes.metadata.xml import check_text, to_bytes
from czictypes.model.geometry import DIMENSIONS
from czictypes.model.options import ChannelDisplaySettingsDataClass, TintingMode
from czictypes.model.pixel_types import PixelType, pixel_format

__all__ = [
    "add_image",
    "add_instrument",
    "add_plate",
    "add_scenes",
    "bit_count",
    "build_document",
    "check_content",
    "pixel_type_name",
]


def build_document(image: ImageSummary, content: DocumentContent) -> bytes:
    """Return the XML of a new document, compact and without a declaration.

    The structure is the one that libCZI writes, with what ZEN wants beyond it: every channel has
    an Id, its pixel type and ComponentBitCount, and a colour is stored with the display
    settings, where ZEN looks for it.

    Raises
    ------
    ValueError
        A value that cannot be written; the message names it.
    """
    root = ET.Element("ImageDocument")
    add_image(root, image, content)
    add_scenes(root, content.scenes)
    add_plate(root, content.plate)
    set_general_document_info(root, _without_empty(content.info))
    add_attributes(root, content.custom_attributes)
    if content.plate is not None:
        rounds = [(scene.index, scene.acquisition) for scene in content.scenes]
        add_acquisitions(root, content.plate.acquisitions, rounds)
    add_instrument(root, content)
    put(root, "Metadata/Information/Application/Name", content.application)
    put(root, "Metadata/Information/Application/Version", content.application_version)
    set_scaling(root, content.scaling)
    add_annotations(root, content.annotations)
    _add_display(root, image, content)
    return to_bytes(root)


def _without_empty(info: GeneralDocumentInfoDto) -> GeneralDocumentInfoDto:
    return GeneralDocumentInfoDto(
        **{name: None if value == "" else value for name, value in vars(info).items()}
    )


def check_content(content: DocumentContent) -> None:
    """Raise what `build_document` would raise, whatever the image will be.

    Raises
    ------
    ValueError
        A value that cannot be written; the message names it.
    """
    for channel in content.channels:
        only = DocumentContent(channels=[channel])
        build_document(ImageSummary(0, 0, {"C": 1}, channel_start=channel.index), only)
    build_document(ImageSummary(0, 0), content)


def _add_display(root: ET.Element, image: ImageSummary, content: DocumentContent) -> None:
    """Add the look of the channels, each at the position of its index as libCZI does."""
    present = image.channels or range(1)
    known = {info.index: info for info in content.channels if info.index in present}
    settings = _with_colors(known, content.display_settings)
    check_display_settings(settings)
    described = [index for index, info in known.items() if info.description or info.gamma]
    last = max([*settings, *described], default=0)
    check_index(last)
    for index in range(last + 1 if settings or described else 0):
        info = known.get(index, ChannelInfo(index))
        element = ET.SubElement(ensure(root, "Metadata/DisplaySetting/Channels"), "Channel")
        if index in present:
            element.set("Id", f"Channel:{index}")
            if info.name:
                element.set("Name", info.name)
        put(element, "Description", info.description)
        put(element, "Gamma", info.gamma)
        if index in settings:
            fill_channel(element, settings[index])
            pixel_type = image.pixel_types.get(index, image.pixel_type)
            put(element, "BitCountRange", bit_count(info, pixel_type))
            put(element, "PixelType", pixel_type_name(pixel_type))


def _with_colors(
    known: Mapping[int, ChannelInfo], settings: Mapping[int, ChannelDisplaySettingsDataClass]
) -> dict[int, ChannelDisplaySettingsDataClass]:
    """Return the settings, with those that follow from the channels' colours alone."""
    result = dict(settings)
    for index, info in known.items():
        if info.color is not None and index not in result:
            result[index] = ChannelDisplaySettingsDataClass(True, TintingMode.Color, info.color)
    return result


def add_image(root: ET.Element, image: ImageSummary, content: DocumentContent) -> None:
    """Add sizes, channels with their pixel types, positions along T and Z.

    Raises
    ------
    ValueError
        Text with a character that XML cannot store.
    """
    element = ensure(root, "Metadata/Information/Image")
    put_all(element, {"SizeX": image.width, "SizeY": image.height})
    for letter in DIMENSIONS:
        put(element, f"Size{letter}", image.sizes.get(letter))
    put(element, "SizeM", image.size_m)
    put(element, "AcquisitionDateAndTime", content.acquisition_date)
    known = {channel.index: channel for channel in content.channels}
    _add_channels(element, image, known)
    first = image.channels[0] if image.channels else 0
    pixel_type = next(_present_pixel_types(image), image.pixel_type)
    put(element, "PixelType", pixel_type_name(pixel_type))
    put(element, "ComponentBitCount", bit_count(known.get(first), pixel_type))
    if content.skew is not None:
        _add_skew(ensure(element, "Dimensions/Z"), content.skew)
    for letter, axis in (("T", content.time_axis), ("Z", content.depth_axis)):
        if axis is not None:
            _add_axis(ensure(element, f"Dimensions/{letter}"), axis)


def _present_pixel_types(image: ImageSummary) -> filter[int]:
    types = [image.pixel_types.get(channel, -1) for channel in image.channels]
    return filter(lambda number: number >= 0, types)


def _add_channels(element: ET.Element, image: ImageSummary, known: dict[int, ChannelInfo]) -> None:
    # An image without C is one channel; it is listed when there is something to say of it.
    channels = image.channels
    indices = channels or [index for index in known if index == 0]
    for index in indices:
        info = known.get(index, ChannelInfo(index))
        channel = ET.SubElement(
            ensure(element, "Dimensions/Channels"), "Channel", {"Id": f"Channel:{index}"}
        )
        if info.name:
            channel.set("Name", check_text(info.name, f"the name of channel {index}"))
        number = image.pixel_types.get(index, None if channels else image.pixel_type)
        _fill_channel(channel, info, number)


def _fill_channel(channel: ET.Element, info: ChannelInfo, pixel_type: int | None) -> None:
    exposure = info.exposure_time
    put_all(
        channel,
        {
            "ExcitationWavelength": info.excitation_wavelength,
            "EmissionWavelength": info.emission_wavelength,
            "Color": None if info.color is None else format_color(info.color),
            "Fluor": info.dye,
            "ExposureTime": None if exposure is None else float(f"{exposure * 1e9:.15g}"),
            "IlluminationType": info.illumination_type,
            "ContrastMethod": info.contrast_method,
            "PixelType": pixel_type_name(pixel_type),
            "ComponentBitCount": bit_count(info, pixel_type),
            "AcquisitionMode": info.acquisition_mode,
            "IlluminationWavelength/Ranges": _ranges(info.illumination_wavelengths),
            "DetectionWavelength/Ranges": _ranges(info.detection_wavelengths),
        },
    )
    if info.detector or info.binning:
        settings = ensure(channel, "DetectorSettings")
        put(settings, "Binning", info.binning)
        if info.detector:
            name = check_text(info.detector, f"the detector of channel {info.index}")
            ET.SubElement(settings, "Detector", {"Id": f"Detector:{name}"})


def _ranges(bands: Sequence[WavelengthRange] | None) -> str | None:
    """Return ``"430.5,440-,500-550"``; None for no bands."""
    return ",".join(map(_band, bands)) if bands else None


def _band(band: WavelengthRange) -> str:
    low, high = ("" if end is None else format_number(end) for end in band)
    return low if low == high else f"{low}-{high}"


def _add_axis(element: ET.Element, axis: Axis) -> None:
    put(element, "StartTime", axis.start_time)
    put(element, "StartPosition", axis.start_position)
    if axis.increment is not None:
        put(element, "Positions/Interval/Start", axis.start or 0.0)
        put(element, "Positions/Interval/Increment", axis.increment)
    elif axis.offsets is not None:
        put(element, "Positions/List/Offsets", " ".join(map(format_number, axis.offsets)))
    elif axis.attachment is not None:
        put(element, "Positions/BinaryList/AttachmentName", axis.attachment)


def _add_skew(element: ET.Element, skew: Skew) -> None:
    put_all(
        element,
        {
            "ZAxisShear": skew.shear,
            "CustomAttributes/zscale": skew.factor,
            "XYZHandedness": skew.handedness,
            "ZAxisDirection": skew.z_direction,
        },
    )


def pixel_type_name(number: int | None) -> str | None:
    """Return the name of a pixel type in the XML; None for a number that has none."""
    known = {kind.value: kind.name for kind in PixelType}
    return None if number is None else known.get(int(number))


def bit_count(info: ChannelInfo | None, pixel_type: int | None) -> int | None:
    """Return the bits of a component: as told, else all bits that the pixel type has."""
    if info is not None and info.component_bit_count is not None:
        return info.component_bit_count
    if pixel_type_name(pixel_type) is None:
        return None
    dtype = pixel_format(int(pixel_type or 0)).dtype
    bits = 8 * int(dtype[2:])
    return bits // 2 if "c" in dtype else bits


def add_instrument(root: ET.Element, content: DocumentContent) -> None:
    """Add microscope, detectors and objective.

    Raises
    ------
    ValueError
        Text with a character that XML cannot store.
    """
    information = ensure(root, "Metadata/Information")
    if content.microscope or content.microscope_type:
        _add_microscope(information, content)
    names = dict.fromkeys(info.detector for info in content.channels if info.detector)
    for name in names:
        parent = ensure(information, "Instrument/Detectors")
        ET.SubElement(parent, "Detector", {"Id": f"Detector:{name}", "Name": name})
    if content.objective is not None:
        _add_objective(information, content.objective)


def _add_microscope(information: ET.Element, content: DocumentContent) -> None:
    attributes = {"Id": "Microscope:1"}
    if content.microscope:
        attributes["Name"] = check_text(content.microscope, "the name of the microscope")
    parent = ensure(information, "Instrument/Microscopes")
    put(ET.SubElement(parent, "Microscope", attributes), "Type", content.microscope_type)
    ensure(information, "Image/MicroscopeRef").set("Id", "Microscope:1")


def _add_objective(information: ET.Element, objective: Objective) -> None:
    attributes = {"Id": "Objective:1"}
    if objective.name:
        attributes["Name"] = check_text(objective.name, "the name of the objective")
    element = ET.SubElement(ensure(information, "Instrument/Objectives"), "Objective", attributes)
    put_all(
        element,
        {
            "LensNA": objective.numerical_aperture,
            "NominalMagnification": objective.magnification,
            "WorkingDistance": objective.working_distance,
            "ImmersionRefractiveIndex": objective.refractive_index,
            "Immersion": objective.immersion,
            "Manufacturer/Model": objective.name,
        },
    )
    settings = ensure(information, "Image/ObjectiveSettings")
    put(settings, "RefractiveIndex", objective.refractive_index)
    put(settings, "Medium", objective.immersion)
    ensure(settings, "ObjectiveRef").set("Id", "Objective:1")


def add_scenes(root: ET.Element, scenes: Sequence[SceneInfo]) -> None:
    """Add scenes in the order of their indices.

    Raises
    ------
    ValueError
        Two scenes have one index, a well has no place on a plate, or text has a character that
        XML cannot store.
    """
    seen: set[int] = set()
    for scene in sorted(scenes, key=lambda scene: scene.index):
        if scene.index in seen:
            raise ValueError(f"scene {scene.index} is described twice")
        seen.add(scene.index)
        parent = ensure(root, "Metadata/Information/Image/Dimensions/S/Scenes")
        _fill(ET.SubElement(parent, "Scene", {"Index": str(int(scene.index))}), scene)


def _fill(element: ET.Element, scene: SceneInfo) -> None:
    if scene.name:
        element.set("Name", check_text(scene.name, f"the name of scene {scene.index}"))
    put_all(
        element,
        {
            "RegionId": scene.region_id,
            "CenterPosition": scene.center,
            "ContourSize": scene.size,
            "ContourType": scene.contour,
        },
    )
    if scene.well is not None:
        _add_well(element, scene.well, scene.index)


def _add_well(element: ET.Element, well: Well, index: int) -> None:
    place = parse_well_name(well.name or "")
    if well.row is not None and well.column is not None:
        place = well.row, well.column
    name = well.name or (well_name(*place) if place else "")
    if not name:
        raise ValueError(f"the well of scene {index} has neither a name nor a row and column")
    put(element, "ArrayName", check_text(name, f"the well of scene {index}"))
    shape = ET.SubElement(element, "Shape", {"Name": name})
    if place:
        shape.set("Id", f"{place[0]}-{place[1]}")
        put_all(shape, {"ColumnIndex": place[1], "RowIndex": place[0]})
    put(shape, "CenterPosition", well.center)


_PATH = (
    "Metadata/Experiment/ExperimentBlocks/AcquisitionBlock/SubDimensionSetups/RegionsSetup/"
    "SampleHolder/Template"
)


def add_plate(root: ET.Element, plate: Plate | None) -> None:
    """Add a plate, where ZEN has that of the experiment.

    Raises
    ------
    ValueError
        A plate has no rows or columns, or text has a character that XML cannot store.
    """
    if plate is None:
        return
    if plate.rows < 1 or plate.columns < 1:
        raise ValueError(f"a plate has rows and columns, not {plate.rows} and {plate.columns}")
    element = ensure(root, _PATH)
    if plate.name:
        element.set("Name", check_text(plate.name, "the name of the plate"))
    put_all(
        element,
        {
            "ShapeRows": plate.rows,
            "ShapeColumns": plate.columns,
            **_two("ShapeDistance{}", plate.well_distance),
            **_two("Shape{}", plate.well_size, ("Width", "Height")),
        },
    )


def _two(
    name: str, values: tuple[float, float] | None, parts: tuple[str, str] = ("X", "Y")
) -> dict[str, float]:
    return {} if values is None else {name.format(part): one for part, one in zip(parts, values)}
