"""What is known of a slide, under the names that OpenSlide has for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from czictypes.arrays.image import CziImage
from czictypes.model.geometry import Rectangle
from czictypes.reading.reader import CziReader

__all__ = ["slide_properties"]


def slide_properties(image: CziImage, box: Rectangle) -> Mapping[str, str]:
    """Return the properties of a slide, all of them text.

    OpenSlide's own names come first; then the metadata, the path to each value joined by dots.
    """
    reader = image.reader
    found = {"openslide.vendor": "zeiss", **_scale(reader), **_levels(image)}
    for number, scene in enumerate(_regions(image).values()):
        corner = {"x": scene.x - box.x, "y": scene.y - box.y, "width": scene.w, "height": scene.h}
        found.update({f"openslide.region[{number}].{name}": str(at) for name, at in corner.items()})
    metadata = reader.metadata.get("ImageDocument", {}) if reader.raw_metadata else {}
    for name, value in _flat((metadata or {}).get("Metadata") or {}, "zeiss"):
        found.setdefault(name, value)
    return MappingProxyType(found)


def _scale(reader: CziReader) -> dict[str, str]:
    objective = reader.document_info.objective
    values = {
        "mpp-x": None if reader.scaling.x is None else reader.scaling.x * 1e6,
        "mpp-y": None if reader.scaling.y is None else reader.scaling.y * 1e6,
        "objective-power": objective and objective.magnification,
    }
    return {f"openslide.{name}": f"{value:.12g}" for name, value in values.items() if value}


def _levels(image: CziImage) -> dict[str, str]:
    found = {"openslide.level-count": str(len(image.levels))}
    for level in image.levels:
        start = f"openslide.level[{level.index}]"
        found[f"{start}.downsample"] = f"{level.factor:.12g}"
        found[f"{start}.width"], found[f"{start}.height"] = str(level.width), str(level.height)
    return found


def _regions(image: CziImage) -> dict[int, Rectangle]:
    """Return the boxes of the scenes that the slide shows."""
    boxes = image.reader.scenes_bounding_rectangle_no_pyramid
    return boxes if image.scene_index is None else {0: boxes[image.scene_index]}


def _flat(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Give every text in nested dictionaries and lists with the path to it."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{str(name).lstrip('@')}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _flat(inner, f"{path}[{number}]")
    elif value is not None:
        yield path, str(value)
