"""Excerpts of images: a region, some planes, or projections, with their metadata."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.image import CziImage
from czictypes.arrays.image_base import Image, layout_of
from czictypes.arrays.layout import Indices, Selection, indices_of
from czictypes.arrays.scenes import scene_box
from czictypes.exchange.images import FileImage
from czictypes.exchange.locations import location_name
from czictypes.exchange.source_image import SourceImage
from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.document_content import DocumentContent
from czictypes.metadata.document_info import Axis, Scaling
from czictypes.model.errors import OutOfBoundsError
from czictypes.model.geometry import Rectangle, checked_plane
from czictypes.model.options import ChannelDisplaySettingsDataClass
from czictypes.reading.names import find_channels
from czictypes.reading.reader import open_document_of

#: How planes are projected: ``"max"``, ``"mean"`` or ``"sum"`` along Z, or by dimension.
Projection = Union[str, Mapping[str, str], None]

_METHODS = ("max", "mean", "sum")
_MICROMETRES = 1e6


@dataclass(frozen=True)
class Excerpt:
    """The part of images to take: a region, planes by dimension, and how each is projected."""

    roi: Rectangle | None
    planes: Mapping[str, Selection]
    project: Mapping[str, str]
    floats: bool = False  # whether large sums become float32, as a CZI has no larger integers

    def __str__(self) -> str:
        """Return what is taken, in words that tell it from all others."""
        given = {
            "roi": self.roi and tuple(self.roi),
            "planes": self.planes,
            "project": self.project,
        }
        return ", ".join(f"{name} {one}" for name, one in given.items() if one)


def projections(given: Projection) -> dict[str, str]:
    """Return the method by dimension; a ValueError says what is possible."""
    given = given or {}
    found = dict(given) if isinstance(given, Mapping) else {"Z": given}
    for letter, method in found.items():
        if method not in _METHODS:
            raise ValueError(
                f"project is one of {', '.join(_METHODS)}, or one of these by dimension such as "
                f"{{'T': 'max'}}, not {given!r}"
            )
        if letter not in tuple("TCZRIHVB"):
            raise ValueError(f"project: {letter!r} is no dimension of planes; use Z, T, C...")
    return found


def excerpts(image: Image, scenes: Sequence[int], wanted: Excerpt) -> list[SourceImage]:
    """Return the excerpts of some scenes, by their indices; those outside the region are left out.

    A region is in pixels of the document for a CZI, and in those of each image otherwise. An
    OutOfBoundsError says that no scene lies in the region.
    """
    chosen = scenes_in(image, scenes, wanted.roi)
    return [_excerpt(_at(image, scene), wanted) for scene in chosen]


def excerpt_image(
    image: Image,
    scenes: Sequence[int],
    wanted: Excerpt,
    name: str,
    close: Callable[[], None] = lambda: None,
) -> FileImage:
    """Return an image of the excerpts of some scenes, which other processes can open again."""
    again = Remade(excerpt_image, image, scenes, wanted, name)
    return FileImage(excerpts(image, scenes, wanted), name, close, reopen=again)


class Remade:
    """Makes an image of another one again, also where it is unpickled: there, it closes that."""

    def __init__(self, make: Callable[..., FileImage], image: Image, *arguments: Any) -> None:
        self._make, self._image, self._arguments = make, image, arguments
        self._is_own = False

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _is_own=True)

    def __call__(self) -> FileImage:
        """Return the image."""
        options = {"close": self._image.close} if self._is_own else {}
        return self._make(self._image, *self._arguments, **options)


def scenes_in(image: Image, scenes: Sequence[int], roi: Rectangle | None) -> list[int]:
    """Return those of some scenes that meet a region; all where there is none.

    An OutOfBoundsError says that no scene does.
    """
    if roi is None:
        return list(scenes)
    boxes = {scene: _box(_at(image, scene)) for scene in scenes}
    found = [scene for scene, box in boxes.items() if min(box.intersection(roi)[2:]) > 0]
    if not found:
        known = ", ".join(f"{image.scenes[at]} at {tuple(box)}" for at, box in boxes.items())
        raise OutOfBoundsError(
            f"the region {tuple(roi)} lies outside {image_name(image)}, which has {known}"
        )
    return found


def image_name(image: Image) -> str:
    """Return the name of the file of an image, for messages."""
    is_czi = isinstance(image, CziImage)
    return location_name(image.reader.source) if is_czi else image._origin_name


def plane_numbers(image: Image, wanted: Mapping[str, Selection] | None) -> dict[str, Any] | None:
    """Return the coordinates in the file of planes that are chosen by index or name."""
    if wanted is None:
        return None
    taken, planes = _planes(image, checked_plane(wanted)), layout_of(image).planes
    return {name: [planes[name][at] for at in taken[name]] for name in wanted}


def _at(image: Image, scene: int) -> Image:
    found = image._at(scene)._stitched()
    found.set_resolution_level(0)
    return found


def _box(image: Image) -> Rectangle:
    """Return the rectangle of an image in the pixels in which regions are given."""
    if not isinstance(image, CziImage):
        return Rectangle(0, 0, image.sizes["X"], image.sizes["Y"])
    with open_document_of(image.reader) as document:
        return scene_box(document.table, image.scene_number)


def _excerpt(image: Image, wanted: Excerpt) -> SourceImage:
    box = _box(image)
    region = box if wanted.roi is None else box.intersection(wanted.roi)
    left, top = region.x - box.x, region.y - box.y
    taken = _planes(image, wanted.planes)
    taken.update(X=range(left, left + region.w), Y=range(top, top + region.h))
    pixels = _Pixels(image, taken, wanted)
    return _described(image, pixels, taken, wanted, (left, top))


def _planes(image: Image, wanted: Mapping[str, Selection]) -> dict[str, Indices]:
    """Return the indices that are taken along each dimension."""
    unknown = [name for name in wanted if name not in image.dims or name in "YXS"]
    if unknown:
        raise OutOfBoundsError(
            f"the image has no dimension {', '.join(unknown)} to choose planes of; it has "
            f"{', '.join(name for name in image.dims if name not in 'YXS')}"
        )
    chosen = {name: wanted.get(name, slice(None)) for name in image.dims}
    if "C" in chosen:
        chosen["C"] = find_channels(image.channels, chosen["C"])
    found = {name: indices_of(name, chosen[name], size) for name, size in image.dims.items()}
    empty = [name for name, indices in found.items() if not len(indices)]
    if empty:
        raise OutOfBoundsError(f"{empty[0]}={wanted[empty[0]]!r} chooses no plane")
    return found


class _Pixels:
    """The pixels of an excerpt, read and projected where they are asked for; with slices."""

    def __init__(self, image: Image, taken: Mapping[str, Indices], wanted: Excerpt) -> None:
        layout = layout_of(image)
        layout.check_extent()
        self._image, self._taken = image, taken
        self._project = {
            name: method for name, method in wanted.project.items() if name in image.dims
        }
        self.axes = image.dims.order
        sizes = [1 if name in self._project else len(taken[name]) for name in self.axes]
        self.shape = tuple(sizes)
        sums = [len(taken[name]) for name, method in self._project.items() if method == "sum"]
        #: How many pixels one of these is the sum of.
        self.summed = math.prod(sums)
        self.dtype = _sum_type(image.dtype, self.summed, floats=wanted.floats)

    def __getitem__(self, key: tuple[Any, ...]) -> NDArray[Any]:
        key = (*key, *[slice(None)] * (len(self.shape) - len(key)))
        chosen: dict[str, Any] = {}
        for name, one in zip(self.axes, key):
            if name not in self._project:
                chosen[name] = self._taken[name][one]
        found = self._projected(list(self._project), chosen)
        return found.astype(self.dtype, copy=False)

    def _projected(self, names: Sequence[str], chosen: Mapping[str, Any]) -> NDArray[Any]:
        """Read what is chosen, projected along some dimensions; the first one at first."""
        if not names:
            return self._image.read_block(chosen, level=0)
        *others, name = names
        every = self._taken[name]
        method = self._project[name]
        total: NDArray[Any] | None = None
        for at in every:
            part = self._projected(others, {**chosen, name: range(at, at + 1)})
            if method != "max":
                part = part.astype(np.float64 if part.dtype.kind == "f" else np.uint64)
            if total is None:
                total = np.array(part)
            else:
                (np.maximum if method == "max" else np.add)(total, part, out=total)
        assert total is not None
        return total if method != "mean" else _mean(total, len(every))


def _mean(total: NDArray[Any], count: int) -> NDArray[Any]:
    """Return a mean of sums; whole numbers are rounded, halves up."""
    found: NDArray[Any]
    if total.dtype.kind == "f":
        found = np.divide(total, count)
    else:
        found = np.floor_divide(total + np.uint64(count // 2), np.uint64(count))
    return found


def _sum_type(dtype: np.dtype[Any], count: int, *, floats: bool) -> np.dtype[Any]:
    """Return the smallest of uint16, and uint32 or float32, that holds so many pixels' sum."""
    if count <= 1 or dtype.kind != "u":
        return dtype
    if np.iinfo(dtype).max * count <= np.iinfo(np.uint16).max:
        return np.dtype(np.uint16)
    return np.dtype(np.float32 if floats else np.uint32)


def _described(
    image: Image,
    pixels: _Pixels,
    taken: Mapping[str, Indices],
    wanted: Excerpt,
    corner: tuple[int, int],
) -> SourceImage:
    """Return the excerpt with what is known of the image, as far as it is true of the excerpt."""
    x, y, z = (None if size is None else size / _MICROMETRES for size in _sizes(image))
    step = None if "Z" in wanted.project else _step(taken.get("Z", range(1)))
    times = _times(image, taken, wanted)
    origin = image.origin
    if origin is not None and x and y:
        left, top = (at - 0.5 for at in corner)
        origin = origin[0] + left * x * _MICROMETRES, origin[1] + top * y * _MICROMETRES
    channels, settings = _channels(image, pixels, taken, wanted)
    info = image.document_info
    return SourceImage(
        pixels,
        pixels.axes,
        image.current_scene,
        channels=channels,
        scaling=Scaling(x, y, z * step if z and step else None),
        times=times,
        display_settings=settings,
        origin=origin,
        well=image.well,
        plate=image.plate,
        acquisition=None if image.scene_info is None else image.scene_info.acquisition,
        acquisition_date=image.acquisition_date,
        objective=image.objective,
        description=info.description,
        shared=True,
        numbers={
            name: plane_numbers_of(image, name, at)
            for name, at in taken.items()
            if name in layout_of(image).planes
        },
        annotations=[one.moved(-left, -top) for one, left, top in _drawn(image, corner)],
    )


def plane_numbers_of(image: Image, name: str, indices: Sequence[int]) -> list[int]:
    """Return the numbers in the file of indices along a dimension of planes."""
    known = image._source.numbers.get(name) if isinstance(image, FileImage) else None
    numbers = layout_of(image).planes.get(name, range(1)) if known is None else known
    return [numbers[at] for at in indices]


def _sizes(image: Image) -> tuple[float | None, float | None, float | None]:
    size = image.physical_pixel_sizes
    return size.X, size.Y, size.Z


def _step(indices: Indices) -> int | None:
    """Return the distance of neighbours; 1 for a single one, None if it varies."""
    steps = {abs(after - before) for before, after in zip(indices, indices[1:])} or {1}
    return steps.pop() if len(steps) == 1 else None


def _times(image: Image, taken: Mapping[str, Indices], wanted: Excerpt) -> tuple[float, ...]:
    """Return the times of the T that are left; of a projection, that of its first."""
    times = image.time_stamps
    if times is None:
        return ()
    left = [times[at] for at in taken["T"]]
    return tuple(left[:1] if "T" in wanted.project else left)


def _channels(
    image: Image, pixels: _Pixels, taken: Mapping[str, Indices], wanted: Excerpt
) -> tuple[list[ChannelInfo], dict[int, ChannelDisplaySettingsDataClass]]:
    """Return the channels that are left, and how they are shown."""
    known, shown = image.channels, image._display_settings
    numbers = layout_of(image).planes["C"]
    if "C" in wanted.project:
        names = [image.channel_names[at] for at in taken["C"]]
        return [ChannelInfo(0, name=f"{wanted.project['C']} of {', '.join(names)}")], {}
    channels, settings = [], {}
    for at, old in enumerate(taken["C"]):
        bits = known[old].component_bit_count
        if bits is not None and pixels.summed > 1:
            wide = bits + math.ceil(math.log2(pixels.summed))
            bits = None if pixels.dtype.kind == "f" else min(wide, pixels.dtype.itemsize * 8)
        channels.append(replace(known[old], index=at, id=None, component_bit_count=bits))
        setting = shown.get(numbers[old])
        if setting is not None:
            settings[at] = _summed_display(setting, image.dtype, pixels)
    return channels, settings


def _summed_display(
    setting: ChannelDisplaySettingsDataClass, dtype: np.dtype[Any], pixels: _Pixels
) -> ChannelDisplaySettingsDataClass:
    """Return the display settings of a sum, of which a pixel is so many times brighter."""
    if pixels.summed <= 1 or dtype.kind != "u":
        return setting
    if pixels.dtype.kind != "u":
        return replace(setting, black_point=0.0, white_point=1.0)
    by = pixels.summed * float(np.iinfo(dtype).max) / float(np.iinfo(pixels.dtype).max)
    black, white = setting.black_point * by, setting.white_point * by
    return replace(setting, black_point=min(black, 1.0), white_point=min(white, 1.0))


def _drawn(image: Image, corner: tuple[int, int]) -> list[tuple[Any, float, float]]:
    """Return the annotations, each with the place of the excerpt in the pixels it is drawn in."""
    left, top = corner
    if isinstance(image, CziImage):  # those of a CZI are counted from its own corner
        with open_document_of(image.reader) as document:
            box, all_of_it = _box(image), document.table.total_rectangle_no_pyramid
        left, top = left + box.x - all_of_it.x, top + box.y - all_of_it.y
    return [(one, left, top) for one in image.annotations if one.unit == "px"]


def content_of_excerpt(content: DocumentContent | None, wanted: Excerpt) -> DocumentContent | None:
    """Return what is known of a document as a whole, without what each excerpt describes."""
    if content is None:
        return None
    depth, planes = content.depth_axis, wanted.planes.get("Z")
    is_whole = planes is None and "Z" not in wanted.project
    return replace(
        content,
        channels=(),
        scaling=Scaling(),
        display_settings={},
        scenes=(),
        time_axis=None,
        depth_axis=depth if is_whole and isinstance(depth, Axis) else None,
        skew=content.skew if is_whole else None,
        annotations=(),
    )
