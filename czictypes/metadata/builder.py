"""Build the XML of a new document."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping

from czictypes.metadata.acquisitions import add_acquisitions
from czictypes.metadata.annotations import add_annotations
from czictypes.metadata.attributes_section import add_attributes
from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.content import DocumentContent, ImageSummary
from czictypes.metadata.display_section import check_display_settings, check_index, fill_channel
from czictypes.metadata.document import GeneralDocumentInfoDto
from czictypes.metadata.document_section import set_general_document_info
from czictypes.metadata.elements import ensure, put
from czictypes.metadata.image_section import add_image, bit_count, pixel_type_name
from czictypes.metadata.instrument_section import add_instrument
from czictypes.metadata.plate_section import add_plate
from czictypes.metadata.scaling_section import set_scaling
from czictypes.metadata.scenes_section import add_scenes
from czictypes.metadata.serialize import to_bytes
from czictypes.model.display import ChannelDisplaySettingsDataClass, TintingMode

__all__ = ["build_document", "check_content"]


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
