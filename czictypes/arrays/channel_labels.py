"""The names, colours and contrast of the channels of an image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from czictypes.arrays.tolerant import told
from czictypes.metadata.channels import ChannelInfo
from czictypes.model.defence import warn_caller
from czictypes.model.errors import MetadataWarning
from czictypes.model.options import ChannelDisplaySettingsDataClass
from czictypes.model.pixel_types import PixelType, pixel_format
from czictypes.reading.plane_reads import open_document_of
from czictypes.reading.reader import CziReader

__all__ = [
    "channel_colors",
    "channel_infos",
    "channel_names",
    "contrast_limits",
    "hex_colors",
    "limits_of",
]

RgbTuple = tuple[int, int, int]


def channel_infos(reader: CziReader, channels: range) -> list[ChannelInfo]:
    """Return what the metadata tell of each channel that there are pixels of.

    Metadata of more or fewer channels are warned of, once for a document.
    """
    nothing: list[ChannelInfo] = []
    listed = told(reader, lambda reader: reader.channels, nothing)
    if listed and len(listed) != len(channels):
        with open_document_of(reader) as document:
            document.once("number of channels", lambda: _warn(len(listed), len(channels)))
    known = {info.index: info for info in listed}
    return [known.get(channel) or ChannelInfo(channel) for channel in channels]


def _warn(listed: int, present: int) -> None:
    warn_caller(
        f"metadata: they list {listed} channels, but there are pixels of {present}; what is "
        "listed is taken for the first ones",
        MetadataWarning,
    )


def channel_names(infos: Iterable[ChannelInfo]) -> list[str]:
    """Return a name for each channel; no two are equal.

    It is the name in the metadata, else the Id there, else ``"Channel:0"`` with the channel's
    number. A name that was taken before has its count behind it: ``"DAPI (2)"``.
    """
    names: list[str] = []
    taken: set[str] = set()
    counts: dict[str, int] = {}
    for info in infos:
        plain = name = info.name or info.id or f"Channel:{info.index}"
        while name in taken:
            counts[plain] = counts.get(plain, 1) + 1
            name = f"{plain} ({counts[plain]})"
        taken.add(name)
        names.append(name)
    return names


def channel_colors(infos: Iterable[ChannelInfo]) -> list[RgbTuple | None]:
    """Return the colour of each channel as (red, green, blue) from 0 to 255, None where unknown."""
    colors = [info.color for info in infos]
    return [None if one is None else (int(one.r), int(one.g), int(one.b)) for one in colors]


def contrast_limits(
    reader: CziReader, kinds: Mapping[int, PixelType]
) -> list[tuple[float, float] | None]:
    """Return black and white point of each channel in pixel values, None where unknown.

    The file has fractions of the range of the pixel type; floating point types have none.
    """
    settings: Mapping[int, ChannelDisplaySettingsDataClass] = told(
        reader, lambda reader: reader.display_settings, {}
    )
    dtypes = {channel: np.dtype(pixel_format(kind).dtype) for channel, kind in kinds.items()}
    return limits_of(settings, dtypes)


def limits_of(
    settings: Mapping[int, ChannelDisplaySettingsDataClass],
    dtypes: Mapping[int, np.dtype[np.generic]],
) -> list[tuple[float, float] | None]:
    """Return the same from display settings and the dtype of each channel."""
    return [_limits(settings, channel, dtype) for channel, dtype in dtypes.items()]


def _limits(
    settings: Mapping[int, ChannelDisplaySettingsDataClass],
    channel: int,
    dtype: np.dtype[np.generic],
) -> tuple[float, float] | None:
    shown = settings.get(channel)
    if shown is None or dtype.kind != "u":
        return None
    if not 0 <= shown.black_point < shown.white_point <= 1:
        warn_caller(
            f"metadata: black and white point of channel {channel} are {shown.black_point} and "
            f"{shown.white_point}, not ascending from 0 to 1; they are taken as missing",
            MetadataWarning,
        )
        return None
    largest = int(np.iinfo(dtype).max)  # type: ignore[type-var]
    return shown.black_point * largest, shown.white_point * largest


def hex_colors(colors: Sequence[RgbTuple | None]) -> list[str]:
    """Return colours as ``"#RRGGBB"``, white where unknown, as ZEN shows it; none if all are."""
    if not any(colors):
        return []
    return ["#{:02X}{:02X}{:02X}".format(*(color or (255, 255, 255))) for color in colors]
