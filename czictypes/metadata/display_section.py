"""Write how channels are shown: ``DisplaySetting/Channels``."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from numbers import Integral

from czictypes.metadata.colors import format_color, read_color
from czictypes.metadata.display_settings import display_settings
from czictypes.metadata.elements import ensure, put
from czictypes.metadata.fields import Node
from czictypes.metadata.serialize import check_text
from czictypes.model.display import ChannelDisplaySettingsDataClass, TintingMode
from czictypes.model.errors import OutOfBoundsError

__all__ = ["check_display_settings", "check_index", "fill_channel", "set_display_settings"]

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
