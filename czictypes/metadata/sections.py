"""The sections of the XML that can be edited: description, scaling, attributes, display."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from numbers import Integral
from typing import NamedTuple

from czictypes.metadata.channels import (
    channel_display_settings,
    channel_nodes,
    display_channel_nodes,
)
from czictypes.metadata.document_info import (
    DESCRIPTION_TAGS,
    CustomValue,
    GeneralDocumentInfoDto,
    Scaling,
)
from czictypes.metadata.fields import (
    Node,
    ensure,
    format_color,
    format_number,
    put,
    set_name,
    set_text,
)
from czictypes.metadata.xml import check_text
from czictypes.model.errors import OutOfBoundsError
from czictypes.model.options import ChannelDisplaySettingsDataClass, Rgb8Color, TintingMode

_LETTER = "A-Za-z_\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u3001-\ud7ff"
_NAME = re.compile(rf"[{_LETTER}][{_LETTER}0-9.\-\u00b7]*")
_INT32 = range(-(2**31), 2**31)

_IMAGE_CHANNELS = "Metadata/Information/Image/Dimensions/Channels"
_DISPLAY_CHANNELS = "Metadata/DisplaySetting/Channels"
_CHANNEL_INDICES = range(65536)  # positions in a list: every channel below is written too


def set_general_document_info(root: ET.Element, info: GeneralDocumentInfoDto) -> None:
    """Set the fields of ``Information/Document`` that are given; the others stay as they are.

    Raises a ValueError for a rating that is no whole number, and for text that XML cannot store.
    """
    rating = info.rating
    if rating is not None and not float(rating).is_integer():
        raise ValueError(f"the rating is {rating}, but it must be a whole number")
    if any(value is not None for value in vars(info).values()):
        element = ensure(root, "Metadata/Information/Document")
        for field, tag in DESCRIPTION_TAGS.items():
            put(element, tag, getattr(info, field))
        put(element, "CreationDate", info.creation_date_time)
        put(element, "Rating", None if rating is None else int(rating))


def set_scaling(root: ET.Element, scaling: Scaling) -> None:
    """Set the sizes in ``Scaling/Items`` that are given, in metres; the others stay as they are.

    ``Items/Pixel``, by which ZEN marks an axis without a physical scale, gives way to the
    ``Items/Distance`` of that axis. What else a ``Distance`` holds is kept. Raises a ValueError for
    a size that is not above 0, or infinite; then the tree is not changed.
    """
    sizes = {
        axis: float(size)
        for axis, size in zip("XYZ", scaling)
        if size is not None and not math.isnan(size)
    }
    for axis, size in sizes.items():
        if not 0 < size < math.inf:
            raise ValueError(
                f"the scale of {axis} is {size}, but a pixel's size is a positive number of "
                "metres; leave it out where it is unknown"
            )
    for axis, size in sizes.items():
        items = ensure(root, "Metadata/Scaling/Items")
        distance = items.find(f"Distance[@Id='{axis}']")
        put(_add_distance(items, axis) if distance is None else distance, "Value", size)


def _add_distance(items: ET.Element, axis: str) -> ET.Element:
    pixel = items.find(f"Pixel[@Id='{axis}']")
    if pixel is not None:
        items.remove(pixel)
    distance = ET.SubElement(items, "Distance", {"Id": axis})
    put(distance, "Value", "")  # before the unit, as in ZEN's files
    put(distance, "DefaultUnitFormat", "\u00b5m")
    return distance


def add_attributes(root: ET.Element, attributes: Mapping[str, CustomValue]) -> None:
    """Add custom attributes sorted by key, or raise as `set_attribute` does and add none."""
    for key, value in attributes.items():
        _check_attribute(key, value)
    for key in sorted(attributes):
        set_attribute(root, key, attributes[key])


def set_attribute(root: ET.Element, key: str, value: CustomValue) -> None:
    """Add or replace one custom attribute.

    Raises a ValueError, and does not change the tree, if the key is no XML name or begins with
    "xml", the value is none of bool, int, float and str, an integer does not fit into 32 bits, or
    XML cannot store the text.
    """
    type_name, text = _check_attribute(key, value)
    element = ensure(root, f"Metadata/Information/CustomAttributes/KeyValue/{key}")
    set_text(element, text, f"custom attribute {key!r}")
    element.set("Type", type_name)


def _check_attribute(key: str, value: object) -> tuple[str, str]:
    """Return the name of the type, and the text, of a custom attribute."""
    if not isinstance(key, str) or not _NAME.fullmatch(key) or key.lower().startswith("xml"):
        raise ValueError(
            f"{key!r} cannot be the key of a custom attribute: it must be the name of an XML "
            'element (a letter or "_", then letters, digits, ".", "-" or "_") that does not '
            'begin with "xml"'
        )
    if isinstance(value, bool):
        return "Boolean", "true" if value else "false"
    if isinstance(value, int):
        if value not in _INT32:
            raise ValueError(
                f"custom attribute {key!r}: {value} does not fit into the 32 bits of the "
                "format's integers; give it as a float or a str"
            )
        return "Int32", str(int(value))
    if isinstance(value, float):
        return "Double", format_number(value)
    if isinstance(value, str):
        return "String", check_text(value, f"custom attribute {key!r}")
    raise ValueError(
        f"custom attribute {key!r} is of type {type(value).__name__}; "
        "a value is a bool, int, float or str"
    )


def check_channel_index(index: object) -> None:
    """Raise a ValueError if no channel can have such an index."""
    number = int(index) if isinstance(index, Integral) and not isinstance(index, bool) else -1
    if number not in _CHANNEL_INDICES:
        raise ValueError(f"{index!r} is no index of a channel")


def check_display_settings(settings: Mapping[int, ChannelDisplaySettingsDataClass]) -> None:
    """Raise a ValueError, or a TypeError, if some display settings cannot be written."""
    if not isinstance(settings, Mapping):
        raise TypeError(f"display settings are a dict by channel, not {settings!r}")
    for index, setting in settings.items():
        if not hasattr(setting, "tinting_color"):
            raise TypeError(
                f"the display settings of channel {index} are a ChannelDisplaySettingsDataClass, "
                f"not {setting!r}"
            )
        check_channel_index(index)
        format_color(setting.tinting_color)
        for field in ("black_point", "white_point"):
            value = getattr(setting, field)
            if not math.isfinite(value):
                raise ValueError(f"display settings of channel {index}: {field} is {value}")
        for field in ("name", "description"):
            check_text(getattr(setting, field, None) or "", f"{field} of channel {index}")


def fill_channel(element: ET.Element, setting: ChannelDisplaySettingsDataClass) -> None:
    """Write all display settings into a new ``Channel`` element."""
    tinted = setting.tinting_mode is TintingMode.Color
    set_name(element, getattr(setting, "name", None), "the channel")
    put(element, "Description", getattr(setting, "description", None) or None)
    put(element, "IsSelected", bool(setting.is_enabled))
    put(element, "Color", format_color(setting.tinting_color) if tinted else None)
    put(element, "ColorMode", "Color" if tinted else "None")
    put(element, "Low", float(setting.black_point))
    put(element, "High", float(setting.white_point))


def set_display_settings(
    root: ET.Element, settings: Mapping[int, ChannelDisplaySettingsDataClass]
) -> None:
    """Change the display settings of some channels in an existing tree.

    Only fields that differ are written, so settings that were read, changed in one field and set
    again change that field alone. A name or description that is None or empty stays as it is.
    Channels that are not listed yet are added.

    Raises as `check_display_settings` does, and an OutOfBoundsError if the document has no such
    channel; then the tree is not changed.
    """
    check_display_settings(settings)
    listed = _image_channels(root)
    shown = len(display_channel_nodes(Node(root, root.tag)))
    for index in settings:
        if listed and index >= shown and index not in listed:
            raise OutOfBoundsError(
                f"the document has no channel {index}; it has {', '.join(map(str, listed))}"
            )
    for index in sorted(settings):
        element = _display_channel(ensure(root, _DISPLAY_CHANNELS), index, listed)
        _change(element, settings[index])


def _image_channels(root: ET.Element) -> dict[int, ET.Element]:
    """Return the image's own channels by position, and by the number in their Id."""
    node = Node(root, root.tag).child(_IMAGE_CHANNELS)
    elements = [one.element for one in node.children("Channel") if one.element is not None]
    listed = dict(enumerate(elements))
    for element in elements:
        number = (element.get("Id") or "").partition(":")[2]
        if number.isascii() and number.isdigit() and len(number) < 6:
            listed.setdefault(int(number), element)
    return listed


def _display_channel(parent: ET.Element, index: int, listed: dict[int, ET.Element]) -> ET.Element:
    """Return the channel at a position of the list; those up to it are added where missing."""
    elements = parent.findall("Channel")
    for position in range(len(elements), index + 1):
        element = ET.SubElement(parent, "Channel")
        like = listed.get(position)
        for name in ("Id", "Name"):
            value = like.get(name) if like is not None else None
            if value:
                element.set(name, value)
        elements.append(element)
    return elements[index]


def _change(element: ET.Element, setting: ChannelDisplaySettingsDataClass) -> None:
    node = Node(element, "Channel")
    present = channel_display_settings(node)
    name = getattr(setting, "name", None)
    description = getattr(setting, "description", None)
    if name and name != present.name:
        element.set("Name", name)
    if description and description != present.description:
        put(element, "Description", description)
    if bool(setting.is_enabled) != present.is_enabled:
        put(element, "IsSelected", bool(setting.is_enabled))
    if float(setting.black_point) != present.black_point:
        put(element, "Low", float(setting.black_point))
    if float(setting.white_point) != present.white_point:
        put(element, "High", float(setting.white_point))
    same_mode = setting.tinting_mode is present.tinting_mode
    if setting.tinting_mode is TintingMode.Color:
        color = format_color(setting.tinting_color)
        if not same_mode or color != format_color(present.tinting_color):
            put(element, "Color", color)
            put(element, "ColorMode", "Color")
    elif not same_mode:
        put(element, "ColorMode", "None")


class ChannelChange(NamedTuple):
    """Changes to the metadata of a channel; a field that stays is None."""

    name: str | None = None
    description: str | None = None
    dye: str | None = None
    color: Rgb8Color | None = None
    excitation_wavelength: float | None = None
    emission_wavelength: float | None = None


def set_channel(root: ET.Element, index: int, change: ChannelChange, count: int = 0) -> None:
    """Change a channel at a position of the list, in the image and in the display settings.

    It is added where the metadata do not list it, but the document has so many (`count`) channels,
    or that is unknown (0) and they list none at all.

    Raises
    ------
    OutOfBoundsError
        If there is no such channel.
    ValueError
        For an empty name, a colour or text that cannot be stored, and a wavelength that is not
        above 0. The tree may have changed then.
    """
    channel, look = _channel_elements(root, index, count, has_look=change.color is not None)
    if change.name is not None and not change.name.strip():
        raise ValueError(f"the name of channel {index} is empty")
    for element in (channel, look):
        if element is not None:
            set_name(element, change.name, f"channel {index}")
    put(channel if look is None else look, "Description", change.description)
    put(channel, "Fluor", change.dye)
    if look is not None and look.find("DyeName") is not None:
        put(look, "DyeName", change.dye)
    _set_color(channel, look, change.color)
    for name, in_look, value in (
        ("ExcitationWavelength", "DyeMaxExcitation", change.excitation_wavelength),
        ("EmissionWavelength", "DyeMaxEmission", change.emission_wavelength),
    ):
        _check_wavelength(value, name, index)
        put(channel, name, value)
        if look is not None and look.find(in_look) is not None:
            put(look, in_look, value)


def _channel_elements(
    root: ET.Element, index: int, count: int, *, has_look: bool
) -> tuple[ET.Element, ET.Element | None]:
    """Return a channel of the image and its display settings, adding what is missing."""
    check_channel_index(index)
    node = Node(root, root.tag)
    known = channel_nodes(node)
    count = max(len(known), count)
    if count and index >= count:
        raise OutOfBoundsError(f"there is no channel {index}; there are {count}, counted from 0")
    listed = ensure(root, _IMAGE_CHANNELS)
    for position in range(len(listed.findall("Channel")), max(len(known), index + 1)):
        look = known[position][1] if position < len(known) else Node(None, "")
        _add_channel(listed, position, look, node.child("Metadata/Information/Image"))
    shown = channel_nodes(node)[index][1].element
    if shown is None and has_look:
        shown = _display_channel(ensure(root, _DISPLAY_CHANNELS), index, _image_channels(root))
    return listed.findall("Channel")[index], shown


def _add_channel(listed: ET.Element, position: int, look: Node, image: Node) -> None:
    """Add a channel of the image, with what its display settings and the image tell of it."""
    element = ET.SubElement(listed, "Channel")
    element.set("Id", look.attribute("Id") or f"Channel:{position}")
    set_name(element, look.attribute("Name"), f"channel {position}")
    put(element, "PixelType", look.text("PixelType") or image.text("PixelType"))
    bits = look.text("BitCountRange") or image.text("ComponentBitCount")
    put(element, "ComponentBitCount", bits)


def _set_color(channel: ET.Element, look: ET.Element | None, color: Rgb8Color | None) -> None:
    if color is None or look is None:
        return
    put(look, "Color", format_color(color))
    put(look, "ColorMode", "Color")
    if channel.find("Color") is not None:
        put(channel, "Color", format_color(color))


def _check_wavelength(value: float | None, name: str, index: int) -> None:
    if value is not None and not 0 < value < math.inf:
        raise ValueError(
            f"{name} of channel {index} is {value}, but a wavelength is a positive number of "
            "nanometres"
        )
