"""Build the XML of a new document."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence

from czictypes.metadata.annotations import add_annotations
from czictypes.metadata.channels import ChannelInfo, WavelengthRange
from czictypes.metadata.document_content import DocumentContent, ImageSummary
from czictypes.metadata.document_info import Axis, GeneralDocumentInfoDto, Objective, Skew
from czictypes.metadata.fields import ensure, format_color, format_number, put, set_name
from czictypes.metadata.scenes import (
    Plate,
    SceneInfo,
    Well,
    add_acquisitions,
    parse_well_name,
    well_name,
)
from czictypes.metadata.sections import (
    add_attributes,
    check_channel_index,
    check_display_settings,
    fill_channel,
    set_general_document_info,
    set_scaling,
)
from czictypes.metadata.xml import check_text, to_bytes
from czictypes.model.geometry import DIMENSIONS
from czictypes.model.options import ChannelDisplaySettingsDataClass, TintingMode
from czictypes.model.pixel_types import PixelType, pixel_format

_TEMPLATE = (
    "Metadata/Experiment/ExperimentBlocks/AcquisitionBlock/SubDimensionSetups/RegionsSetup/"
    "SampleHolder/Template"
)


def build_document(image: ImageSummary, content: DocumentContent) -> bytes:
    """Return the XML of a new document, compact and without a declaration.

    The structure is the one that libCZI writes, with what ZEN wants beyond it: every channel has
    an Id, its pixel type and ComponentBitCount, and a colour is stored with the display
    settings, where ZEN looks for it.

    Raises a ValueError that names a value that cannot be written.
    """
    root = ET.Element("ImageDocument")
    _add_image(root, image, content)
    _add_scenes(root, content.scenes)
    set_general_document_info(root, _without_empty(content.info))
    add_attributes(root, content.custom_attributes)
    if content.plate is not None:
        _add_plate(root, content.plate)
        rounds = [(scene.index, scene.acquisition) for scene in content.scenes]
        add_acquisitions(root, content.plate.acquisitions, rounds)
    _add_instrument(root, content)
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
    """Raise what `build_document` would raise, whatever the image will be."""
    for channel in content.channels:
        only = DocumentContent(channels=[channel])
        build_document(ImageSummary(0, 0, {"C": 1}, channel_start=channel.index), only)
    build_document(ImageSummary(0, 0), content)


def _add_display(root: ET.Element, image: ImageSummary, content: DocumentContent) -> None:
    """Add the look of the channels, each at the position of its index as libCZI does."""
    present = image.channels or range(1)
    known = {info.index: info for info in content.channels if info.index in present}
    settings = _with_colors(known, content.display_settings, image.display_limits)
    check_display_settings(settings)
    described = [index for index, info in known.items() if info.description or info.gamma]
    last = max([*settings, *described], default=0)
    check_channel_index(last)
    for index in range(last + 1 if settings or described else 0):
        info = known.get(index, ChannelInfo(index))
        element = ET.SubElement(ensure(root, "Metadata/DisplaySetting/Channels"), "Channel")
        if index in present:
            element.set("Id", f"Channel:{index}")
            set_name(element, info.name, f"channel {index}")
        put(element, "Description", info.description)
        put(element, "Gamma", info.gamma)
        if index in settings:
            fill_channel(element, settings[index])
            pixel_type = image.pixel_types.get(index, image.pixel_type)
            put(element, "BitCountRange", _bit_count(info, pixel_type))
            put(element, "PixelType", _pixel_type_name(pixel_type))
        elif index in image.display_limits and not content.display_settings:
            for name, limit in zip(("Low", "High"), image.display_limits[index]):
                put(element, name, limit)


def _with_colors(
    known: Mapping[int, ChannelInfo],
    settings: Mapping[int, ChannelDisplaySettingsDataClass],
    limits: Mapping[int, tuple[float, float]],
) -> dict[int, ChannelDisplaySettingsDataClass]:
    """Return the settings, with new ones for channels that have a colour alone."""
    result = dict(settings)
    for index, info in known.items():
        if info.color is not None and index not in result:
            points = limits.get(index, (0.0, 1.0))
            color = info.color
            result[index] = ChannelDisplaySettingsDataClass(True, TintingMode.Color, color, *points)
    return result


def _add_image(root: ET.Element, image: ImageSummary, content: DocumentContent) -> None:
    """Add sizes, channels with their pixel types, positions along T and Z."""
    element = ensure(root, "Metadata/Information/Image")
    put(element, "SizeX", image.width)
    put(element, "SizeY", image.height)
    for letter in DIMENSIONS:
        put(element, f"Size{letter}", image.sizes.get(letter))
    put(element, "SizeM", image.size_m)
    put(element, "AcquisitionDateAndTime", content.acquisition_date)
    known = {channel.index: channel for channel in content.channels}
    _add_channels(element, image, known)
    first = image.channels[0] if image.channels else 0
    present = (image.pixel_types.get(channel, -1) for channel in image.channels)
    pixel_type = next((number for number in present if number >= 0), image.pixel_type)
    put(element, "PixelType", _pixel_type_name(pixel_type))
    put(element, "ComponentBitCount", _bit_count(known.get(first), pixel_type))
    if content.skew is not None:
        _add_skew(ensure(element, "Dimensions/Z"), content.skew)
    for letter, axis in (("T", content.time_axis), ("Z", content.depth_axis)):
        if axis is not None:
            _add_axis(ensure(element, f"Dimensions/{letter}"), axis)


def _add_channels(element: ET.Element, image: ImageSummary, known: dict[int, ChannelInfo]) -> None:
    # An image without C is one channel; it is listed if it has metadata.
    channels = image.channels
    indices = channels or [index for index in known if index == 0]
    for index in indices:
        info = known.get(index, ChannelInfo(index))
        channel = ET.SubElement(
            ensure(element, "Dimensions/Channels"), "Channel", {"Id": f"Channel:{index}"}
        )
        set_name(channel, info.name, f"channel {index}")
        number = image.pixel_types.get(index, None if channels else image.pixel_type)
        _fill_channel(channel, info, number)


def _fill_channel(channel: ET.Element, info: ChannelInfo, pixel_type: int | None) -> None:
    exposure = info.exposure_time
    nanoseconds = None if exposure is None else float(f"{exposure * 1e9:.15g}")
    put(channel, "ExcitationWavelength", info.excitation_wavelength)
    put(channel, "EmissionWavelength", info.emission_wavelength)
    put(channel, "Color", None if info.color is None else format_color(info.color))
    put(channel, "Fluor", info.dye)
    put(channel, "ExposureTime", nanoseconds)
    put(channel, "IlluminationType", info.illumination_type)
    put(channel, "ContrastMethod", info.contrast_method)
    put(channel, "PixelType", _pixel_type_name(pixel_type))
    put(channel, "ComponentBitCount", _bit_count(info, pixel_type))
    put(channel, "AcquisitionMode", info.acquisition_mode)
    put(channel, "IlluminationWavelength/Ranges", _ranges(info.illumination_wavelengths))
    put(channel, "DetectionWavelength/Ranges", _ranges(info.detection_wavelengths))
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
    put(element, "ZAxisShear", skew.shear)
    put(element, "CustomAttributes/zscale", skew.factor)
    put(element, "XYZHandedness", skew.handedness)
    put(element, "ZAxisDirection", skew.z_direction)


def _pixel_type_name(number: int | None) -> str | None:
    """Return the name of a pixel type in the XML; None for an unknown number."""
    names = {one.value: one.name for one in PixelType}
    return None if number is None else names.get(int(number))


def _bit_count(info: ChannelInfo | None, pixel_type: int | None) -> int | None:
    """Return the bits of a component that are used, else all bits that the pixel type has."""
    if info is not None and info.component_bit_count is not None:
        return info.component_bit_count
    if _pixel_type_name(pixel_type) is None:
        return None
    dtype = pixel_format(int(pixel_type or 0)).dtype
    bits = 8 * int(dtype[2:])
    return bits // 2 if "c" in dtype else bits


def _add_instrument(root: ET.Element, content: DocumentContent) -> None:
    """Add microscope, detectors and objective, and what the image refers to of them."""
    information = ensure(root, "Metadata/Information")
    if content.microscope or content.microscope_type:
        parent = ensure(information, "Instrument/Microscopes")
        microscope = ET.SubElement(parent, "Microscope", {"Id": "Microscope:1"})
        set_name(microscope, content.microscope, "the microscope")
        put(microscope, "Type", content.microscope_type)
        ensure(information, "Image/MicroscopeRef").set("Id", "Microscope:1")
    for name in dict.fromkeys(info.detector for info in content.channels if info.detector):
        parent = ensure(information, "Instrument/Detectors")
        ET.SubElement(parent, "Detector", {"Id": f"Detector:{name}", "Name": name})
    if content.objective is not None:
        _add_objective(information, content.objective)


def _add_objective(information: ET.Element, objective: Objective) -> None:
    parent = ensure(information, "Instrument/Objectives")
    element = ET.SubElement(parent, "Objective", {"Id": "Objective:1"})
    set_name(element, objective.name, "the objective")
    put(element, "LensNA", objective.numerical_aperture)
    put(element, "NominalMagnification", objective.magnification)
    put(element, "WorkingDistance", objective.working_distance)
    put(element, "ImmersionRefractiveIndex", objective.refractive_index)
    put(element, "Immersion", objective.immersion)
    put(element, "Manufacturer/Model", objective.name)
    settings = ensure(information, "Image/ObjectiveSettings")
    put(settings, "RefractiveIndex", objective.refractive_index)
    put(settings, "Medium", objective.immersion)
    ensure(settings, "ObjectiveRef").set("Id", "Objective:1")


def _add_scenes(root: ET.Element, scenes: Sequence[SceneInfo]) -> None:
    """Add scenes in the order of their indices."""
    seen: set[int] = set()
    for scene in sorted(scenes, key=lambda scene: scene.index):
        if scene.index in seen:
            raise ValueError(f"scene {scene.index} is described twice")
        seen.add(scene.index)
        parent = ensure(root, "Metadata/Information/Image/Dimensions/S/Scenes")
        element = ET.SubElement(parent, "Scene", {"Index": str(int(scene.index))})
        set_name(element, scene.name, f"scene {scene.index}")
        put(element, "RegionId", scene.region_id)
        put(element, "CenterPosition", scene.center)
        put(element, "ContourSize", scene.size)
        put(element, "ContourType", scene.contour)
        if scene.well is not None:
            _add_well(element, scene.well, scene.index)


def _add_well(element: ET.Element, well: Well, index: int) -> None:
    position = parse_well_name(well.name or "")
    if well.row is not None and well.column is not None:
        position = well.row, well.column
    name = well.name or (well_name(*position) if position else "")
    if not name:
        raise ValueError(f"the well of scene {index} has neither a name nor a row and column")
    put(element, "ArrayName", check_text(name, f"the well of scene {index}"))
    shape = ET.SubElement(element, "Shape", {"Name": name})
    if position:
        row, column = position
        shape.set("Id", f"{row}-{column}")
        put(shape, "ColumnIndex", column)
        put(shape, "RowIndex", row)
    put(shape, "CenterPosition", well.center)


def _add_plate(root: ET.Element, plate: Plate) -> None:
    """Add a plate where ZEN has the sample carrier of the experiment."""
    if plate.rows < 1 or plate.columns < 1:
        raise ValueError(f"a plate has rows and columns, not {plate.rows} and {plate.columns}")
    distance_x, distance_y = plate.well_distance or (None, None)
    width, height = plate.well_size or (None, None)
    element = ensure(root, _TEMPLATE)
    set_name(element, plate.name, "the plate")
    put(element, "ShapeRows", plate.rows)
    put(element, "ShapeColumns", plate.columns)
    put(element, "ShapeDistanceX", distance_x)
    put(element, "ShapeDistanceY", distance_y)
    put(element, "ShapeWidth", width)
    put(element, "ShapeHeight", height)
