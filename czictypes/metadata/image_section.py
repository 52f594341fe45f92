"""Write the image's sizes, channels, axes: ``Information/Image``."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from czictypes.metadata.axes import Axis, Skew
from czictypes.metadata.channels import ChannelInfo, WavelengthRange
from czictypes.metadata.colors import format_color
from czictypes.metadata.content import DocumentContent, ImageSummary
from czictypes.metadata.elements import ensure, format_number, put, put_all
from czictypes.metadata.serialize import check_text
from czictypes.model.dimensions import DIMENSIONS
from czictypes.model.pixel_types import PixelType, pixel_format

__all__ = ["add_image", "bit_count", "pixel_type_name"]


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
