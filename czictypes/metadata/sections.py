"""The sections of the XML that can be edited: description, scaling, attributes, display."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from numbers import Integral

from czictypes.metadata.axes import Scaling
from czictypes.metadata.channels import display_settings
from czictypes.metadata.document import CustomValue, GeneralDocumentInfoDto
from czictypes.metadata.elements import ensure, find_by_id, format_number, put, put_all, set_text
from czictypes.metadata.fields import Node, format_color, read_color
from czictypes.metadata.xml import check_text
from czictypes.model.errors import OutOfBoundsError
from czictypes.model.options import ChannelDisplaySettingsDataClass, TintingMode

__all__ = [
    "add_attributes",
    "check_attribute",
    "check_display_settings",
    "check_index",
    "check_scaling",
    "fill_channel",
    "set_attribute",
    "set_display_settings",
    "set_general_document_info",
    "set_scaling",
]


def set_general_document_info(root: ET.Element, info: GeneralDocumentInfoDto) -> None:
    """Set the fields that are given; the others stay as they are.

    Raises
    ------
    ValueError
        A rating that is no whole number, or text with a character that XML cannot store.
    """
    rating = info.rating
    if rating is not None and not float(rating).is_integer():
        raise ValueError(f"the rating is {rating}, but it must be a whole number")
    if any(value is not None for value in vars(info).values()):
        put_all(
            ensure(root, "Metadata/Information/Document"),
            {
                "Name": info.name,
                "Title": info.title,
                "UserName": info.user_name,
                "Description": info.description,
                "Comment": info.comment,
                "Keywords": info.keywords,
                "CreationDate": info.creation_date_time,
                "Rating": None if rating is None else int(rating),
            },
        )


def check_scaling(scaling: Scaling) -> Scaling:
    """Return the scaling with NaN as None.

    Raises
    ------
    ValueError
        A size that is not above 0, or infinite.
    """
    return Scaling(*(_check(axis, value) for axis, value in zip("XYZ", scaling)))


def _check(axis: str, value: float | None) -> float | None:
    if value is None or math.isnan(value):
        return None
    if not 0 < value < math.inf:
        raise ValueError(
            f"the scale of {axis} is {value}, but a pixel's size is a positive number of metres; "
            "leave it out where it is unknown"
        )
    return float(value)


def set_scaling(root: ET.Element, scaling: Scaling) -> None:
    """Set the sizes that are given, in metres; the others stay as they are.

    ``Items/Pixel``, by which ZEN marks an axis without a physical scale, gives way to the
    ``Items/Distance`` of that axis. What else a ``Distance`` holds is kept.

    Raises
    ------
    ValueError
        As for `check_scaling`; the tree is not changed.
    """
    scaling = check_scaling(scaling)
    for axis, value in zip("XYZ", scaling):
        if value is not None:
            items = ensure(root, "Metadata/Scaling/Items")
            distance = find_by_id(items, "Distance", axis)
            if distance is None:
                distance = _add_distance(items, axis)
            put(distance, "Value", value)


def _add_distance(items: ET.Element, axis: str) -> ET.Element:
    pixel = find_by_id(items, "Pixel", axis)
    if pixel is not None:
        items.remove(pixel)
    distance = ET.SubElement(items, "Distance", {"Id": axis})
    put(distance, "Value", "")  # before the unit, as in ZEN's files
    put(distance, "DefaultUnitFormat", "\u00b5m")
    return distance


_LETTER = "A-Za-z_\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u3001-\ud7ff"
_NAME = re.compile(rf"[{_LETTER}][{_LETTER}0-9.\-\u00b7]*")
_INT32 = range(-(2**31), 2**31)


def check_attribute(key: str, value: object) -> tuple[str, str]:
    """Return the type's name and the text of a custom attribute.

    Raises
    ------
    ValueError
        The key is no XML name or begins with "xml", the value is none of bool, int, float and
        str, the integer does not fit into 32 bits, or the text has a forbidden character.
    """
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


def set_attribute(root: ET.Element, key: str, value: CustomValue) -> None:
    """Add or replace one custom attribute.

    Raises
    ------
    ValueError
        As for `check_attribute`; the tree is not changed.
    """
    kind, text = check_attribute(key, value)
    element = ensure(root, f"Metadata/Information/CustomAttributes/KeyValue/{key}")
    set_text(element, text, f"custom attribute {key!r}")
    element.set("Type", kind)


def add_attributes(root: ET.Element, attributes: Mapping[str, CustomValue]) -> None:
    """Add custom attributes sorted by key.

    Raises
    ------
    ValueError
        As for `check_attribute`; the tree is not changed.
    """
    for key, value in attributes.items():
        check_attribute(key, value)
    for key in sorted(attributes):
        set_attribute(root, key, attributes[key])


_PATH = "Metadata/DisplaySetting/Channels"
_LARGEST_INDEX = 65535  # a position in a list: every channel below is written too


def check_index(index: object) -> None:
    """Raise a ValueError if display settings cannot be listed for such a channel."""
    if isinstance(index, bool) or not isinstance(index, Integral):
        raise ValueError(f"display settings: {index!r} is no index of a channel")
    if not 0 <= int(index) <= _LARGEST_INDEX:
        raise ValueError(f"display settings: {index!r} is no index of a channel")


def check_display_settings(settings: Mapping[int, ChannelDisplaySettingsDataClass]) -> None:
    """Raise if some display settings cannot be written.

    Raises
    ------
    ValueError
        A channel index that is none, a colour component beyond 0..255, a black or white point
        that is no finite number, or text with a character that XML cannot store.
    """
    if not isinstance(settings, Mapping):
        raise TypeError(f"display settings are a dict by channel, not {settings!r}")
    for index, setting in settings.items():
        if not hasattr(setting, "tinting_color"):
            raise TypeError(
                f"the display settings of channel {index} are a ChannelDisplaySettingsDataClass, "
                f"not {setting!r}"
            )
        check_index(index)
        format_color(setting.tinting_color)
        for what in ("black_point", "white_point"):
            value = getattr(setting, what)
            if not math.isfinite(value):
                raise ValueError(f"display settings of channel {index}: {what} is {value}")
        for what in ("name", "description"):
            check_text(getattr(setting, what, None) or "", f"{what} of channel {index}")


def fill_channel(element: ET.Element, setting: ChannelDisplaySettingsDataClass) -> None:
    """Write all display settings into a new ``Channel`` element."""
    tinted = setting.tinting_mode is TintingMode.Color
    name = getattr(setting, "name", None)
    if name:
        element.set("Name", name)
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

    Only what differs from what the tree says already is touched, so settings that were read,
    changed in one field and set again change that field alone. A name or description that is
    None or empty stays as it is. Channels that are not listed yet are added.

    Raises
    ------
    ValueError
        As for `check_display_settings`, or the document has no such channel (then it is an
        `OutOfBoundsError`); the tree is not changed.
    """
    check_display_settings(settings)
    listed = _listed_channels(root)
    present = display_settings(root)
    for index in settings:
        if listed and index not in present and index not in listed:
            raise OutOfBoundsError(
                f"the document has no channel {index}; it has {', '.join(map(str, listed))}"
            )
    for index in sorted(settings):
        element = _channel_element(ensure(root, _PATH), index, listed)
        _change(element, settings[index])


def _listed_channels(root: ET.Element) -> dict[int, ET.Element]:
    """Return the image's own channels by position, and by the number in their Id."""
    node = Node(root, root.tag).child("Metadata/Information/Image/Dimensions/Channels")
    listed: dict[int, ET.Element] = {}
    elements = [channel.element for channel in node.children("Channel")]
    for position, element in enumerate(elements):
        if element is not None:
            listed[position] = element
    for element in elements:
        number = (element.get("Id") or "").partition(":")[2] if element is not None else ""
        if element is not None and number.isascii() and number.isdigit() and len(number) < 6:
            listed.setdefault(int(number), element)
    return listed


def _channel_element(parent: ET.Element, index: int, listed: dict[int, ET.Element]) -> ET.Element:
    """Return the channel at a position of the list; those up to it are added where missing."""
    elements = [child for child in parent if child.tag == "Channel"]
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
    present = display_settings(_document_around(element))[0]
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
    _change_tint(element, setting, present)


def _change_tint(
    element: ET.Element,
    setting: ChannelDisplaySettingsDataClass,
    present: ChannelDisplaySettingsDataClass,
) -> None:
    same_mode = setting.tinting_mode is present.tinting_mode
    if setting.tinting_mode is not TintingMode.Color:
        if not same_mode:
            put(element, "ColorMode", "None")
        return
    color = format_color(setting.tinting_color)
    stored = read_color(Node(element, "Channel"))
    same_color = color == format_color(stored or present.tinting_color)
    if not (same_mode and same_color):
        put(element, "Color", color)
        put(element, "ColorMode", "Color")


def _document_around(channel: ET.Element) -> ET.Element:
    root = ET.Element("ImageDocument")
    ensure(root, _PATH).append(channel)
    return root
