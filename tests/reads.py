"""Random reads: what to ask of a document, and of all readers alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from czictypes.model.geometry import Rectangle

__all__ = ["CONVERSIONS", "Facts", "Read", "compared", "facts_of", "random_read"]

_ROI_KINDS = ("inside", "across", "around", "outside", "small")
_ROI_CHANCES = (0.35, 0.3, 0.1, 0.1, 0.15)

_TO_ALL = ("Gray8", "Gray16", "Gray32Float", "Bgr24", "Bgr48")

#: How many reads were compared with which peer, for the summary of the run.
compared: Counter[str] = Counter()

#: What libCZI converts rightly, by the type of the tile. (Its Bgr24 to Bgr48 is wrong.)
CONVERSIONS: dict[str, tuple[str, ...]] = {
    "Gray8": _TO_ALL,
    "Gray16": _TO_ALL,
    "Bgr24": _TO_ALL[:4],
    "Bgr48": _TO_ALL,
    "Gray32Float": ("Gray32Float",),
}


@dataclass(frozen=True)
class Read:
    """The arguments of one read; None and the empty plane leave an argument out."""

    roi: tuple[int, int, int, int] | None
    plane: Mapping[str, int]
    scene: int | None
    zoom: float | None
    pixel_type: str | None
    background_pixel: tuple[float, float, float] | None

    @property
    def arguments(self) -> dict[str, Any]:
        """The keyword arguments for `read`."""
        return {name: value for name, value in asdict(self).items() if value not in (None, {})}

    def for_accessor(self) -> Read:
        """Return the read without what libCZI's accessor lacks: scenes and conversion."""
        return replace(self, scene=None, pixel_type=None)


@dataclass(frozen=True)
class Facts:
    """What random reads need to know of a document: ranges, and the types of each channel."""

    box: Rectangle
    scenes: Mapping[int, Rectangle]
    ranges: Mapping[str, tuple[int, int]]
    types: Mapping[int, Sequence[str]]

    def roi_of(self, read: Read) -> tuple[int, int, int, int]:
        """Return the rectangle that a read covers, given or by default."""
        return read.roi or (self.box if read.scene is None else self.scenes[read.scene])


def facts_of(document: Any) -> Facts:
    """Gather the facts of an open document of czictypes."""
    ranges = dict(document.total_bounding_box)
    del ranges["X"], ranges["Y"]
    found: dict[int, set[str]] = {}

    def note(_: int, info: Any) -> bool:
        found.setdefault(info.coordinate.get("C", 0), set()).add(info.pixelType.name)
        return True

    document.enumerate_subblocks(note)
    types = {
        channel: [to for to in _TO_ALL if all(to in CONVERSIONS.get(kind, ()) for kind in kinds)]
        for channel, kinds in found.items()
    }
    scenes = document.scenes_bounding_rectangle
    return Facts(document.total_bounding_rectangle, scenes, ranges, types)


def random_read(rng: np.random.Generator, facts: Facts) -> Read:
    """Draw the arguments of a read that libCZI can do."""
    plane = {name: int(rng.integers(start, end)) for name, (start, end) in facts.ranges.items()}
    types = facts.types.get(plane["C"], ("Gray8",))
    scene = int(rng.choice(list(facts.scenes))) if facts.scenes and rng.random() < 0.5 else None
    box = facts.box if scene is None or rng.random() < 0.3 else facts.scenes[scene]
    roi = _random_roi(rng, box) if rng.random() < 0.9 else None
    if rng.random() < 0.1:
        plane = {name: at for name, at in plane.items() if at != facts.ranges[name][0]}
    zoom = _random_zoom(rng, roi or (box if scene is None else facts.scenes[scene]))
    return Read(
        roi,
        plane,
        scene,
        zoom,
        str(rng.choice(types)) if types and rng.random() < 0.6 else None,
        _random_background(rng),
    )


def _random_roi(rng: np.random.Generator, box: Rectangle) -> tuple[int, int, int, int]:
    """Draw a rectangle inside the box, across its border, around it or wholly outside it."""
    kind = rng.choice(_ROI_KINDS, p=_ROI_CHANCES)
    x, w = _random_side(rng, kind, box.x, box.w)
    y, h = _random_side(rng, kind, box.y, box.h)
    return x, y, w, h


def _random_side(rng: np.random.Generator, kind: str, start: int, size: int) -> tuple[int, int]:
    if kind == "around":
        before, after = rng.integers(0, 40, 2)
        return int(start - before), int(size + before + after)
    if kind == "outside":
        length = int(rng.integers(1, 200))
        distance = int(rng.integers(0, 500))
        before = rng.random() < 0.5
        return (start - distance - length if before else start + size + distance), length
    if kind == "across":
        length = int(rng.integers(1, size + size // 2 + 2))
        return int(rng.integers(start - length + 1, start + size)), length
    length = int(rng.integers(1, (min(size, 8) if kind == "small" else size) + 1))
    return int(rng.integers(start, start + size - length + 1)), length


def _random_zoom(rng: np.random.Generator, roi: tuple[int, int, int, int]) -> float | None:
    """Draw a zoom that leaves a pixel at least; half of them are 1 or round numbers."""
    least = 1.01 / min(roi[2:])
    choice = rng.random()
    if choice < 0.2 or least >= 1:
        return None if rng.random() < 0.5 else 1.0
    if choice < 0.5:
        zoom = float(rng.choice([1 / 2, 1 / 3, 1 / 4, 1 / 8, 1 / 9, 1 / 16, 0.95, 0.96, 0.999]))
    else:
        zoom = float(np.exp(rng.uniform(np.log(max(least, 0.01)), 0)))
    return max(zoom, least)


def _random_background(rng: np.random.Generator) -> tuple[float, float, float] | None:
    kind = rng.random()
    if kind < 0.2:
        return None
    if kind < 0.3:
        return (1.0, 1.0, 1.0)
    blue, green, red = (float(value) for value in rng.random(3))
    return blue, green, red
