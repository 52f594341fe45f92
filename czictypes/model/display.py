"""The display of a channel: colour, black and white point."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = [
    "ChannelDisplaySettingsDataClass",
    "ChannelDisplaySettingsDataClassWithNameAndDescription",
    "Rgb8Color",
    "TintingMode",
]


class TintingMode(Enum):
    """The tinting of a channel: shown in its own values (`none`), or multiplied with a colour."""

    none = 0
    Color = 1


@dataclass
class Rgb8Color:
    """A colour with components from 0 to 255 (int or ``numpy.uint8``)."""

    r: int
    g: int
    b: int


@dataclass
class ChannelDisplaySettingsDataClass:
    """The display settings of one channel.

    Parameters
    ----------
    is_enabled
        Whether the channel takes part in a multi-channel picture.
    tinting_mode, tinting_color
        The false colour; the colour counts only with ``TintingMode.Color``.
    black_point, white_point
        The window that is stretched to the full range, as fractions (0 to 1) of the range of
        the channel's pixel type.
    """

    is_enabled: bool
    tinting_mode: TintingMode
    tinting_color: Rgb8Color
    black_point: float = 0.0
    white_point: float = 1.0


@dataclass
class ChannelDisplaySettingsDataClassWithNameAndDescription(ChannelDisplaySettingsDataClass):
    """The same with the channel's name and description, either of which may be missing."""

    name: str | None = None
    description: str | None = None
