"""The images of an OME-Zarr as the scenes of a CZI."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from czictypes.arrays.channel_labels import channel_names
from czictypes.exchange.ome_zarr.original import ATTRIBUTE
from czictypes.exchange.ome_zarr.parse import FoundImage
from czictypes.exchange.ome_zarr.samples import JoinedSamples
from czictypes.exchange.source_image import SourceImage
from czictypes.metadata.axes import Scaling
from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.document_content import DocumentContent
from czictypes.model.geometry import Location
from czictypes.model.options import (
    ChannelDisplaySettingsDataClass,
    Rgb8Color,
    TintingMode,
)

__all__ = ["kept_of", "source_images"]

_COLOR = re.compile(r"#?([0-9A-Fa-f]{6})")
_MICROMETRES = 1e6
_WHITE, _TINTED = Rgb8Color(255, 255, 255), TintingMode.Color


def source_images(
    images: Sequence[FoundImage], content: DocumentContent | None
) -> list[SourceImage]:
    """Return images as `write_images` takes them.

    Parameters
    ----------
    content
        What was kept of the CZI that they come from: what the images tell in the same way is
        left to it, for it knows that better.
    """
    kept = [kept_of(image) for image in images]
    places = _places(kept)
    return [_source(image, one, place, content) for image, one, place in zip(images, kept, places)]


def kept_of(image: FoundImage) -> Mapping[str, Any]:
    """Return what was kept of the scene that an image was; nothing for one from elsewhere."""
    found = image.attributes.get(ATTRIBUTE)
    return found if isinstance(found, Mapping) else {}


def _places(kept: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return scene, location and first plane of each image, if all of them come from one CZI."""
    try:
        found = [
            {
                "scene": int(one["number"]),
                "location": Location(*map(int, one["location"])),
                "first": {
                    str(letter): int(start) + int(one["plane"].get(letter, 0))
                    for letter, start in one["start"].items()
                },
            }
            for one in kept
        ]
    except (KeyError, TypeError, ValueError, AttributeError):
        return [{} for _ in kept]
    keys = {str(one) for one in found}
    return found if len(keys) == len(found) else [{} for _ in kept]


def _source(
    image: FoundImage,
    kept: Mapping[str, Any],
    place: Mapping[str, Any],
    content: DocumentContent | None,
) -> SourceImage:
    samples = _samples(image, kept)
    axes, levels = image.axes, list(image.levels)
    if samples > 1:
        levels = [JoinedSamples(level, axes.index("C"), samples) for level in levels]
        axes += "S"
    count = dict(zip(axes, levels[0].shape)).get("C", 1)
    first = place.get("first", {}).get("C", 0)
    channels, settings = _channels(image, samples, count, first, content)
    return SourceImage(
        levels[0],
        axes,
        name=_name(image, kept),
        channels=channels,
        scaling=Scaling(*(image.scale.get(letter) for letter in "XYZ")),
        times=_times(image, kept),
        display_settings=settings,
        origin=_corner(image),
        well=image.well,
        plate=image.plate,
        acquisition=image.acquisition,
        levels=levels[1:],
        shared=True,
        metadata=lambda: dict(image.attributes),
        **place,
    )


def _name(image: FoundImage, kept: Mapping[str, Any]) -> str | None:
    """Return the name of the scene; that of an image may tell a place in other dimensions too."""
    if "name" not in kept:
        return image.name
    return image.name if kept["name"] is not None and not kept.get("plane") else kept["name"]


def _samples(image: FoundImage, kept: Mapping[str, Any]) -> int:
    samples = kept.get("samples", 1)
    if samples not in (2, 3, 4) or "C" not in image.axes:
        return 1
    count = image.levels[0].shape[image.axes.index("C")]
    return 1 if count % samples else int(samples)


def _times(image: FoundImage, kept: Mapping[str, Any]) -> list[float]:
    """Return when each T was: what was kept, for the scale of an axis is one for all."""
    if "T" not in image.axes:
        return []
    count = image.levels[0].shape[image.axes.index("T")]
    times = kept.get("times")
    if isinstance(times, list) and len(times) == count:
        numbers = [float(one) for one in times if isinstance(one, (int, float))]
        if len(numbers) == count and _same_step(numbers, image.scale.get("T")):
            return numbers
    if "T" not in image.scale:
        return []
    return [image.scale["T"] * number for number in range(count)] if count > 1 else []


def _same_step(times: Sequence[float], step: float | None) -> bool:
    """Tell whether the scale is still as before: the mean interval, or none of irregular times."""
    mean = (times[-1] - times[0]) / max(len(times) - 1, 1)
    return step is None or bool(np.isclose(step, mean, rtol=1e-6))


def _corner(image: FoundImage) -> tuple[float, float] | None:
    """Return the place of the top left corner in micrometres: half a pixel before the centre.

    A translation of exactly 0 is what images without a place have.
    """
    if not {"X", "Y"} <= image.translation.keys() or not any(image.translation.values()):
        return None
    x, y = ((image.translation[letter] - image.scale[letter] / 2) * _MICROMETRES for letter in "XY")
    return x, y


def _channels(
    image: FoundImage,
    samples: int,
    count: int,
    first: int,
    content: DocumentContent | None,
) -> tuple[list[ChannelInfo], dict[int, ChannelDisplaySettingsDataClass]]:
    """Return names, colours and windows; only what is not known already in the same way."""
    known = {one.index: one for one in content.channels} if content is not None else {}
    shown = dict(content.display_settings) if content is not None else {}
    names = channel_names([known.get(first + at, ChannelInfo(first + at)) for at in range(count)])
    channels, settings = [], {}
    unseen = None if content is None else ChannelDisplaySettingsDataClass(True, _TINTED, _WHITE)
    for at, look in enumerate(image.channels[: count * samples : samples]):
        index = first + at
        label = _label(look, samples)
        name = None if at < len(names) and label == names[at] and index in known else label
        color = _color(look) if samples == 1 else None
        old = shown.get(index)
        if name is not None or color is not None:
            same = known[index].color or _WHITE if index in known else None
            channels.append(ChannelInfo(index, name=name, color=None if same == color else color))
        setting = _setting(look, color, image.levels[0].dtype)
        if setting is not None and not _is_same(old or unseen, setting, color):
            settings[index] = setting
    return channels, settings


def _label(look: Mapping[str, Any], samples: int) -> str | None:
    label = look.get("label")
    if not isinstance(label, str) or not label:
        return None
    return label if samples == 1 else label.rpartition(" ")[0] or label


def _color(look: Mapping[str, Any]) -> Rgb8Color | None:
    match = _COLOR.fullmatch(str(look.get("color", "")))
    return Rgb8Color(*bytes.fromhex(match.group(1))) if match else None


def _setting(
    look: Mapping[str, Any], color: Rgb8Color | None, dtype: np.dtype[Any]
) -> ChannelDisplaySettingsDataClass | None:
    """Return the window as fractions of the range of the pixels, as a CZI has it."""
    window = look.get("window")
    if not isinstance(window, Mapping) or dtype.kind not in "ui":
        return None
    try:
        low, high = float(window["start"]), float(window["end"])
    except (KeyError, TypeError, ValueError):
        return None
    most = float(np.iinfo(dtype).max)
    tinting = TintingMode.none if color is None else _TINTED
    enabled = bool(look.get("active", True))
    return ChannelDisplaySettingsDataClass(
        enabled, tinting, color or _WHITE, min(max(low / most, 0.0), 1.0), min(high / most, 1.0)
    )


def _is_same(
    old: ChannelDisplaySettingsDataClass | None,
    new: ChannelDisplaySettingsDataClass,
    color: Rgb8Color | None,
) -> bool:
    if old is None:
        return False
    close = np.allclose(
        (old.black_point, old.white_point), (new.black_point, new.white_point), atol=1e-5
    )
    alike = bool(close) and old.is_enabled == new.is_enabled
    return alike and (color is None or old.tinting_color == color)
