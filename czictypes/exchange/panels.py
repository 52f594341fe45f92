"""Pictures that belong together, as those of a montage or a movie: one contrast, zoom and bar."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.image import CziImage
from czictypes.arrays.image_base import Image
from czictypes.arrays.layout import Selection, indices_of
from czictypes.arrays.pictures import overview_of, thumbnail
from czictypes.exchange.converted import Choice, choose
from czictypes.exchange.drawing import draw_scale_bar
from czictypes.exchange.excerpt import (
    Excerpt,
    Projection,
    excerpt_image,
    image_name,
    plane_numbers_of,
    projections,
)
from czictypes.exchange.open import borrowed_image
from czictypes.metadata.xml_editor import edit_advice
from czictypes.model.errors import InvalidArgumentError, OutOfBoundsError
from czictypes.model.geometry import checked_plane, whole_number
from czictypes.model.lazy import require
from czictypes.reading.contrast import FILE, ChannelContrast, Contrast, shown_limits
from czictypes.reading.names import find_channels
from czictypes.reading.request import parse_roi

#: In how many planes, and in how large pictures of them, the limits are found that all share.
_LOOKED_AT, _OVERVIEW = 16, 256
_SMALLEST_WITH_BAR = 100  # pixels, where nobody asked for a bar


class Panel(NamedTuple):
    """A picture among others: a plane of an image of one scene, and what is written on it."""

    image: Image
    where: Mapping[str, Any]
    label: str


@contextmanager
def opened_scenes(
    source: Any,
    scenes: Choice | None,
    roi: Any,
    project: Projection,
    storage_options: Mapping[str, Any] | None,
) -> Iterator[list[Image]]:
    """Give an image of each chosen scene, cut and projected; None is for the current one.

    An open image stays open.
    """
    require("PIL.Image", extra="cli", doing="pictures")
    if isinstance(source, Image):
        yield _scenes_of(source, scenes, roi, project)
        return
    with borrowed_image(source, storage_options) as image:
        yield _scenes_of(image, scenes, roi, project)


def _scenes_of(image: Image, scenes: Choice | None, roi: Any, project: Projection) -> list[Image]:
    if scenes is None and image.current_scene_index is not None:
        scenes = image.current_scene_index
    if scenes is None and (roi is not None or project):
        raise InvalidArgumentError("roi and project are for one scene at a time; name one")
    if scenes is None:  # all scenes of a CZI in one plane
        return [image]
    chosen = choose(image.scenes, scenes, "scene")
    if roi is None and not project:
        return [image._at(at) for at in chosen]
    region = None if roi is None else parse_roi(roi)
    wanted = Excerpt(region, {}, projections(project), True)
    found = excerpt_image(image, chosen, wanted, image_name(image))
    return [found._at(at) for at in range(len(found.sources))]


def planes_of(image: Image, plane: Mapping[str, Selection] | None) -> dict[str, list[int]]:
    """Return the indices that are chosen along dimensions; of channels, also by name."""
    chosen = dict(checked_plane(plane))
    sizes = {name: size for name, size in image.sizes.items() if name not in "YXSM"}
    unknown = [name for name in chosen if name not in sizes]
    if unknown:
        raise OutOfBoundsError(
            f"the image has no dimension {', '.join(unknown)} to choose planes of; it has "
            f"{', '.join(sizes)}"
        )
    if "C" in chosen:
        chosen["C"] = find_channels(image.channels, chosen["C"])
    found = {}
    for name, one in chosen.items():
        found[name] = list(indices_of(name, one, sizes[name]))
        if not found[name]:
            raise OutOfBoundsError(f"{name}={one!r} chooses no plane")
    return found


def spread(count: int, most: int) -> list[int]:
    """Return all indices, or `most` of them, from the first to the last, at equal distances."""
    if count <= most:
        return list(range(count))
    return [round(at * (count - 1) / (most - 1)) for at in range(most)]


class Look:
    """How all pictures are shown: with the same contrast, zoom and scale bar.

    Parameters
    ----------
    panels
        The pictures; the limits of "auto" are those of some of them.
    contrast
        As for `Image.to_rgb`.
    size
        The longest side of a picture, in pixels. Small images are magnified by whole numbers.
    scale_bar
        Whether there is one where the size of a pixel is known, or its length in micrometres.
    """

    def __init__(
        self, panels: Sequence[Panel], contrast: Contrast, size: int, scale_bar: bool | float
    ) -> None:
        grids = [panel.image._layout.grid(0) for panel in panels]
        largest = max(max(grid.width, grid.height) for grid in grids)
        self._zoom = min(1.0, size / largest)
        self._times = max(1, size // largest)
        self.zoom = self._zoom * self._times
        self.width = max(self._side(grid.width) for grid in grids)
        self.height = max(self._side(grid.height) for grid in grids)
        self._bar = scale_bar
        self._panels, self._given = panels, contrast
        self._contrast: dict[int, ChannelContrast] | None = None

    def _side(self, full: int) -> int:
        return max(1, round(full * self._zoom)) * self._times

    def check_bar(self) -> None:
        """Refuse a length of a scale bar where the size of a pixel is unknown."""
        if not isinstance(self._bar, bool) and not self._panels[0].image._pixel_sizes().X:
            image = self._panels[0].image
            is_czi = isinstance(image, CziImage)
            raise InvalidArgumentError(
                f"{image_name(image)} does not tell the size of a pixel; leave scale_bar out"
                + (f", or {edit_advice('set_scaling_info(...)')}" if is_czi else "")
            )

    def picture(self, panel: Panel, *, bar: bool) -> NDArray[np.uint8]:
        """Return a picture (y, x, 3), perhaps with a scale bar."""
        grid = panel.image._layout.grid(0)
        size = (self._side(grid.width) // self._times, self._side(grid.height) // self._times)
        if self._contrast is None:
            self._contrast = common_contrast(self._panels, self._given)
        known = {at: one for at, one in self._contrast.items() if at < panel.image.sizes["C"]}
        found = thumbnail(panel.image, size, known, panel.where)
        found = found.repeat(self._times, axis=0).repeat(self._times, axis=1)
        pixel = panel.image._pixel_sizes().X
        if not bar or self._bar is False or not pixel:
            return found
        if self._bar is True:
            is_large = min(found.shape[:2]) >= _SMALLEST_WITH_BAR
            length = None
        else:
            is_large, length = True, self._bar
        micrometres = pixel * grid.width / found.shape[1]
        return draw_scale_bar(found, micrometres, length) if is_large else found.copy()


def common_contrast(panels: Sequence[Panel], contrast: Contrast) -> dict[int, ChannelContrast]:
    """Return a contrast for each channel under which all pictures are shown alike."""
    image = max((panel.image for panel in panels), key=lambda one: one.sizes["C"])
    chosen, points = image._chosen_contrast(contrast), image._points()
    found: dict[int, ChannelContrast] = {}
    for channel in range(image.sizes["C"]):
        wanted, stored = chosen(channel), points[channel]
        is_fixed = wanted == FILE and stored not in (None, (0.0, 1.0))
        if not isinstance(wanted, str) or (is_fixed and image.dtype.name in ("uint8", "uint16")):
            found[channel] = wanted
            continue
        with np.errstate(invalid="ignore"):
            found[channel] = shown_limits(_samples(panels, channel), wanted, stored)
    return found


def _samples(panels: Sequence[Panel], channel: int) -> NDArray[Any]:
    """Return pixels of a channel of some of the pictures, one below the other."""
    with_channel = [one for one in panels if channel < one.image.sizes["C"]]
    parts: list[NDArray[Any]] = []
    for at in spread(len(with_channel), _LOOKED_AT):
        image, where, _ = with_channel[at]
        parts.append(overview_of(image, where, channel, _OVERVIEW))
    samples = min(part.shape[2] for part in parts)
    return np.concatenate([part[..., :samples].reshape(-1, 1, samples) for part in parts])


def fixed_places(planes: Mapping[str, list[int]], along: str) -> dict[str, Any]:
    """Return the one place in each chosen dimension that is not gone along; channels are a list."""
    others = {name: one for name, one in planes.items() if name not in along}
    several = [name for name, one in others.items() if len(one) > 1 and name != "C"]
    if several:
        raise InvalidArgumentError(
            f"plane has several places along {several[0]}, but the pictures are along "
            f"{', '.join(along)}; give one of them, or along={several[0]!r}"
        )
    return {name: one if name == "C" else one[0] for name, one in others.items()}


def labels_of(image: Image, name: str, places: Sequence[int]) -> list[str]:
    """Return what is written for places: ``Z=3 (1.5 um)``, ``T=2 (10.0 s)``, a channel's name.

    Numbers are those of the file, also in an excerpt of it.
    """
    if name == "C":
        return [image.channel_names[at] for at in places]
    labels = [f"{name}={number}" for number in plane_numbers_of(image, name, places)]
    details = [""] * len(places)
    step = image.physical_pixel_sizes.Z if name == "Z" else None
    if step:
        details = [f"{at * step:.4g} \u00b5m" for at in places]
    times = image.time_stamps if name == "T" else None
    if times is not None:
        details = time_texts(times, places)
    return [f"{label} ({more})" if more else label for label, more in zip(labels, details)]


def time_texts(times: Sequence[float], places: Sequence[int]) -> list[str]:
    """Return the times of places since the first time, as exactly as all of them need.

    It is empty for a time that is missing.
    """
    known = [one for one in times if math.isfinite(one)] or [0.0]
    step = min((abs(b - a) for a, b in zip(known, known[1:]) if a != b), default=1.0)
    digits = 0 if step >= 1 else min(3, math.ceil(-math.log10(step) - 1e-6))
    longest = max(abs(one - known[0]) for one in known)
    since = [times[at] - known[0] for at in places]
    return [_time_text(one, longest, digits) if math.isfinite(one) else "" for one in since]


def _time_text(seconds: float, longest: float, digits: int) -> str:
    if longest < 60:
        return f"{seconds:.{max(1, digits)}f} s"
    minutes, rest = divmod(round(seconds, digits), 60)
    shown = f"{rest:0{2 + digits + bool(digits)}.{digits}f}"
    if longest < 3600:
        return f"{minutes:.0f}:{shown} min"
    return f"{minutes // 60:.0f}:{minutes % 60:02.0f}:{shown} h"


def checked_size(size: int | None, default: int) -> int:
    """Return the longest side of a picture."""
    if size is None:
        return default
    found = whole_number(size, "size")
    if found < 1:
        raise InvalidArgumentError(f"size is {size!r}, but a picture has at least 1 pixel")
    return found
