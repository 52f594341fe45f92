"""The metadata and the display settings of each channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from czictypes.metadata.fields import Node, NodeSource, root_node
from czictypes.model.options import (
    ChannelDisplaySettingsDataClassWithNameAndDescription,
    Rgb8Color,
    TintingMode,
)
from czictypes.model.pixel_types import PixelType, pixel_type_from_name

#: The attributes of labelled arrays with a number for each channel, and the fields they stand for;
#: 0 is unknown.
CHANNEL_NUMBERS = {
    "channel_excitation_wavelengths": "excitation_wavelength",
    "channel_emission_wavelengths": "emission_wavelength",
    "channel_exposure_times": "exposure_time",
    "channel_bit_depths": "component_bit_count",
}
#: Those of the pixel values that are shown as black and as white.
BLACK, WHITE = "channel_black_points", "channel_white_points"


class WavelengthRange(NamedTuple):
    """A band of wavelengths in nanometres; None for an end that is open, equal ends for a line."""

    low: float | None
    high: float | None


@dataclass(frozen=True)
class ChannelInfo:
    """The metadata of one channel; None for values that the file does not have.

    Parameters
    ----------
    index
        The C index of the channel.
    id
        Its identifier in the XML, such as ``Channel:0``. Its number can differ from `index`.
    name, description, dye
        The name of the channel (that of the display settings if the image has none), its
        description, and the fluorophore.
    color
        The colour of the display settings, else that of the image.
    pixel_type, component_bit_count
        The pixel type, and the bits of a component that are used (14 for many cameras).
    excitation_wavelength, emission_wavelength
        In nanometres.
    detection_wavelengths, illumination_wavelengths
        The bands that the detector takes, and those of the light.
    exposure_time
        In seconds.
    gamma
        The gamma of the display settings.
    acquisition_mode, contrast_method, illumination_type
        As ZEN names them: ``WideField``, ``Fluorescence``, ``Epifluorescence``.
    detector, binning
        The name of the detector, and its binning, ``"1,1"``.
    """

    index: int
    id: str | None = None
    name: str | None = None
    color: Rgb8Color | None = None
    pixel_type: PixelType | None = None
    component_bit_count: int | None = None
    excitation_wavelength: float | None = None
    emission_wavelength: float | None = None
    detection_wavelengths: tuple[WavelengthRange, ...] | None = None
    illumination_wavelengths: tuple[WavelengthRange, ...] | None = None
    exposure_time: float | None = None
    description: str | None = None
    dye: str | None = None
    gamma: float | None = None
    acquisition_mode: str | None = None
    contrast_method: str | None = None
    illumination_type: str | None = None
    detector: str | None = None
    binning: str | None = None


def channels(source: NodeSource, start: int = 0) -> list[ChannelInfo]:
    """Return the channels in file order.

    `start` is the C index of the first channel, which the XML does not tell. Channels stand in
    ``Information/Image/Dimensions/Channels`` and again, with their look, in
    ``DisplaySetting/Channels``. The two are matched by Id, else (if it is missing, or stood at
    another channel before) by position. A file that has only the second list gives its channels.
    """
    root = root_node(source)
    image = root.child("Metadata/Information/Image")
    detectors = _detector_names(root)
    return [
        _channel(start + position, channel, look, image, detectors)
        for position, (channel, look) in enumerate(channel_nodes(root))
    ]


def channel_nodes(root: Node) -> list[tuple[Node, Node]]:
    """Return the elements of each channel, in the image and in the display settings.

    They are matched as in `channels`; one that the document does not have is absent.
    """
    listed = root.child("Metadata/Information/Image/Dimensions/Channels").children("Channel")
    shown = display_channel_nodes(root)
    absent = Node(None, f"{root.path}/Channel")
    by_id = {node.attribute("Id"): node for node in reversed(shown)}
    result = []
    for position in range(len(listed) or len(shown)):
        channel = listed[position] if position < len(listed) else absent
        identifier = channel.attribute("Id")
        look = by_id.pop(identifier, None) if identifier else None
        if look is None:
            look = shown[position] if position < len(shown) else absent
        result.append((channel, look))
    return result


def _channel(
    index: int, channel: Node, look: Node, image: Node, detectors: dict[str, str]
) -> ChannelInfo:
    exposure = channel.number("ExposureTime")
    detector = channel.child("DetectorSettings/Detector").attribute("Id")
    return ChannelInfo(
        index=index,
        id=channel.attribute("Id") or look.attribute("Id"),
        name=channel.attribute("Name") or look.attribute("Name"),
        color=look.color() or channel.color(),
        pixel_type=_pixel_type(channel) or _pixel_type(look) or _pixel_type(image),
        component_bit_count=_first_count(channel, look, image),
        excitation_wavelength=_first_number(
            channel, look, "ExcitationWavelength", "DyeMaxExcitation"
        ),
        emission_wavelength=_first_number(channel, look, "EmissionWavelength", "DyeMaxEmission"),
        detection_wavelengths=_wavelengths(channel.child("DetectionWavelength")),
        illumination_wavelengths=_wavelengths(channel.child("IlluminationWavelength")),
        exposure_time=None if exposure is None else exposure / 1e9,  # stored in nanoseconds
        description=look.text("Description") or channel.text("Description"),
        dye=channel.text("Fluor"),
        gamma=look.number("Gamma"),
        acquisition_mode=channel.text("AcquisitionMode"),
        contrast_method=channel.text("ContrastMethod"),
        illumination_type=channel.text("IlluminationType"),
        detector=detectors.get(detector, detector) if detector else None,
        binning=channel.text("DetectorSettings/Binning"),
    )


def _first_number(channel: Node, look: Node, name: str, name_in_look: str) -> float | None:
    value = channel.number(name)
    return look.number(name_in_look) if value is None else value


def _wavelengths(node: Node) -> tuple[WavelengthRange, ...] | None:
    """Return the ranges of a spectrum, else its single peak."""
    ranges = node.ranges("Ranges")
    if ranges is None:
        peak = node.number("SinglePeak")
        ranges = None if peak is None else [(peak, peak)]
    return None if ranges is None else tuple(WavelengthRange(*one) for one in ranges)


def _first_count(channel: Node, look: Node, image: Node) -> int | None:
    for node, name in (
        (channel, "ComponentBitCount"),
        (look, "BitCountRange"),
        (image, "ComponentBitCount"),
    ):
        value = node.integer(name)
        if value is not None and value > 0:
            return value
    return None


def _pixel_type(node: Node) -> PixelType | None:
    return node.converted("PixelType", pixel_type_from_name)


def _detector_names(root: Node) -> dict[str, str]:
    nodes = root.child("Metadata/Information/Instrument/Detectors").children("Detector")
    pairs = [(node.attribute("Id"), node.attribute("Name")) for node in nodes]
    return {id_: name for id_, name in pairs if id_ and name}


def display_settings(
    source: NodeSource,
) -> dict[int, ChannelDisplaySettingsDataClassWithNameAndDescription]:
    """Return the display settings by the position of the channel in the list.

    As in libCZI the position counts, not the ``Id`` attribute: a subset that ZEN makes of a
    file keeps the channels' old Ids. A channel is tinted unless its ColorMode is ``None``;
    what an element leaves out is the default: enabled, white, the full range (0 to 1).
    """
    return {
        position: channel_display_settings(node)
        for position, node in enumerate(display_channel_nodes(root_node(source)))
    }


def display_channel_nodes(root: Node) -> list[Node]:
    """Return the elements of the channels' display settings in file order."""
    return root.child("Metadata/DisplaySetting/Channels").children("Channel")


def channel_display_settings(node: Node) -> ChannelDisplaySettingsDataClassWithNameAndDescription:
    """Return the display settings in a ``Channel`` element; defaults for what it leaves out."""
    untinted = (node.text("ColorMode") or "").lower() == "none"
    selected = node.boolean("IsSelected")
    low, high = node.number("Low"), node.number("High")
    return ChannelDisplaySettingsDataClassWithNameAndDescription(
        is_enabled=True if selected is None else selected,
        tinting_mode=TintingMode.none if untinted else TintingMode.Color,
        tinting_color=node.color() or Rgb8Color(255, 255, 255),
        black_point=0.0 if low is None else low,
        white_point=1.0 if high is None else high,
        name=node.attribute("Name"),
        description=node.text("Description"),
    )
