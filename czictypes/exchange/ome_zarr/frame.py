"""The frame of an image: scale, translation and units along t, c, z, y and x."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from czictypes.arrays.image_base import Image

__all__ = ["AXES", "AXIS_TYPES", "Frame", "frame_of"]

#: The axes of every image written, in the order that OME-Zarr wants.
AXES = "tczyx"

AXIS_TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}


@dataclass(frozen=True)
class Frame:
    """The scale and the translation from places in an array to places in the world.

    Parameters
    ----------
    scale, translation
        By axis: the step from one pixel to the next, and the place of the centre of the first one.
    units
        ``micrometer`` or ``second`` for each axis whose step is known; without unit, the step
        is 1.
    """

    scale: Mapping[str, float] = field(default_factory=dict)
    translation: Mapping[str, float] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)

    def scales(self) -> list[float]:
        """Return the scale of all axes, in their order."""
        return [float(self.scale.get(axis, 1.0)) for axis in AXES]

    def translations(self) -> list[float]:
        """Return the translation of all axes, in their order."""
        return [float(self.translation.get(axis, 0.0)) for axis in AXES]

    def reduced(self, factor: float) -> Frame:
        """Return the frame of a level whose pixels are means of `factor` by `factor` pixels.

        The centre of the first one lies in the middle of those.
        """
        scale, translation = dict(self.scale), dict(self.translation)
        for axis in "yx":
            step = float(self.scale.get(axis, 1.0))
            scale[axis] = step * factor
            translation[axis] = float(self.translation.get(axis, 0.0)) + step * (factor - 1) / 2
        return replace(self, scale=scale, translation=translation)


def frame_of(image: Image) -> Frame:
    """Return the frame of an image in full resolution, in micrometres and seconds.

    Times that are not regular have no step: they are kept beside (`original_attributes`). The
    translation is the place of the scene on the stage, where the file tells it.
    """
    sizes, interval = image.physical_pixel_sizes, image.time_interval
    known = {"z": sizes.Z, "y": sizes.Y, "x": sizes.X}
    scale = {axis: float(size) for axis, size in known.items() if size}
    units = dict.fromkeys(scale, "micrometer")
    if interval is not None and interval.total_seconds() > 0:
        scale["t"], units["t"] = interval.total_seconds(), "second"
    translation: dict[str, float] = {}
    if image.origin is not None and "x" in scale and "y" in scale:
        translation = {"x": float(image.origin[0]), "y": float(image.origin[1])}
    return Frame(scale, translation, units)
