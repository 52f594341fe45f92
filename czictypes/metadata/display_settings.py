"""The display settings of channels: ``Metadata/DisplaySetting/Channels``."""

from __future__ import annotations

from czictypes.metadata.colors import read_color
from czictypes.metadata.fields import Node, NodeSource, root_node
from czictypes.model.display import (
    ChannelDisplaySettingsDataClassWithNameAndDescription,
    Rgb8Color,
    TintingMode,
)

__all__ = ["display_channel_nodes", "display_settings"]


def display_settings(
    source: NodeSource,
) -> dict[int, ChannelDisplaySettingsDataClassWithNameAndDescription]:
    """Return the display settings by the position of the channel in the list.

    As in libCZI the position counts, not the ``Id`` attribute: a subset that ZEN makes of a
    file keeps the channels' old Ids. A channel is tinted unless its ColorMode is ``None``;
    what an element leaves out is the default: enabled, white, the full range (0 to 1).
    """
    return {
        position: _channel(node)
        for position, node in enumerate(display_channel_nodes(root_node(source)))
    }


def display_channel_nodes(root: Node) -> list[Node]:
    """Return the elements of the channels' display settings in file order."""
    return root.child("Metadata/DisplaySetting/Channels").children("Channel")


def _channel(node: Node) -> ChannelDisplaySettingsDataClassWithNameAndDescription:
    untinted = (node.text("ColorMode") or "").lower() == "none"
    selected = node.boolean("IsSelected")
    low, high = node.number("Low"), node.number("High")
    return ChannelDisplaySettingsDataClassWithNameAndDescription(
        is_enabled=True if selected is None else selected,
        tinting_mode=TintingMode.none if untinted else TintingMode.Color,
        tinting_color=read_color(node) or Rgb8Color(255, 255, 255),
        black_point=0.0 if low is None else low,
        white_point=1.0 if high is None else high,
        name=node.attribute("Name"),
        description=node.text("Description"),
    )
