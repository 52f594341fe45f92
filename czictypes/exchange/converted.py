"""The options of a conversion, the images that it takes, and its summary."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Union

import numpy as np

from czictypes.arrays.image_base import layout_of
from czictypes.arrays.layout import is_index
from czictypes.arrays.scene_views import viewed_scene
from czictypes.arrays.scenes import claimed_array
from czictypes.exchange.locations import Format
from czictypes.exchange.pixel_view import samples_for_czi
from czictypes.exchange.source_image import SourceImage
from czictypes.metadata.xml_editor import edit_advice
from czictypes.model.errors import InvalidArgumentError, OutOfBoundsError
from czictypes.model.geometry import Rectangle, whole_number
from czictypes.model.public import Progress
from czictypes.reading.contrast import Contrast
from czictypes.reading.damage import OnError, leaves_blank
from czictypes.reading.names import find_name, scene_names
from czictypes.reading.reader import open_document_of
from czictypes.remote.part_files import Parts
from czictypes.writing.array_notes import ChannelValues, PixelSize

if TYPE_CHECKING:
    from czictypes.arrays.image import CziImage
    from czictypes.arrays.image_base import Image

#: ``"all"``, or names or numbers (from 0), or one of these.
Choice = Union[str, int, Iterable[Union[str, int]]]


def choose(names: Sequence[str], wanted: Choice, what: str) -> list[int]:
    """Return the positions in `names` of the chosen ones, in the order of the choice.

    `what` is the kind of thing, for errors: ``"scene"``. Raises `OutOfBoundsError` for an unknown
    name or number, and `ValueError` for an empty choice or a repetition.
    """
    if isinstance(wanted, str) and wanted == "all" and "all" not in names:
        return list(range(len(names)))
    if isinstance(wanted, str) or not isinstance(wanted, Iterable):
        wanted = [wanted]
    found = [_position(names, one, what) for one in wanted]
    if not found or len(set(found)) < len(found):
        raise ValueError(f"{wanted!r} chooses no {what}, or one twice")
    return found


def scenes_of(source: Any, scenes: Choice) -> Choice:
    """Return the scenes that are meant: of a view, all are the one that it shows."""
    one = viewed_scene(source) if isinstance(scenes, str) and scenes == "all" else None
    return scenes if one is None else one


def _position(names: Sequence[str], one: str | int, what: str) -> int:
    if isinstance(one, str):
        return find_name(names, one, what)
    try:
        number = whole_number(one)
    except TypeError:
        raise ValueError(f"a {what} is given by its name or its number, not by {one!r}") from None
    if 0 <= number < len(names):
        return number
    raise OutOfBoundsError(f"there is no {what} {one!r}; there are {', '.join(map(repr, names))}")


_COMMON = "TCZMYXS"
#: The longest side of the lowest resolution.
_SMALL_ENOUGH = 1024


class Series(NamedTuple):
    """An image of at most five dimensions in a CZI."""

    scene: int
    name: str
    place: dict[str, int]


def image_series(image: Image, scenes: Choice = "all") -> Iterator[Series]:
    """Yield the images of some scenes; meanwhile, `image` is set to the scene of each."""
    for scene in choose(image.scenes, scenes, "scene"):
        image.set_scene(scene)
        layout_of(image).check_extent()
        name = image.current_scene
        for place in layout_of(image).places(_COMMON):
            marks = [f" {one}{at}" for one, at in place.items() if image.sizes[one] > 1]
            yield Series(scene, name + "".join(marks), place)


def level_sizes(image: Image, count: int | None = None) -> list[tuple[int, int]]:
    """Return (height, width) of the levels to write: the stored ones, then halves of the last.

    By default, the stored levels are followed by as many as it takes to reach 1024 pixels a side.
    """
    sizes = [(level.height, level.width) for level in image.levels]
    while (count is None and max(sizes[-1]) > _SMALL_ENOUGH) or len(sizes) < (count or 0):
        height, width = sizes[-1]
        if min(height, width) < 2:
            break
        sizes.append((height // 2, width // 2))
    return sizes if count is None else sizes[: max(count, 1)]


class Description(NamedTuple):
    """Facts about the pixels of a file that the caller gives; None where the file tells."""

    axes: str | None = None
    channel_names: ChannelValues = None
    pixel_size: PixelSize = None
    times: float | Sequence[float] | None = None

    @property
    def given(self) -> list[str]:
        """The names of what is given."""
        return [name for name, value in self._asdict().items() if value is not None]


@dataclass(frozen=True)
class ConvertOptions:
    """The keyword arguments of `convert`."""

    scenes: Choice
    levels: int | None
    plane: Mapping[str, Any] | None
    compression: Any
    dtype: Any
    zarr: dict[str, Any]
    overwrite: bool
    resume: bool
    threads: int | None
    progress: Progress
    source_options: Mapping[str, Any] | None
    storage_options: Mapping[str, Any] | None
    dry_run: bool
    parts: Parts | None
    on_error: OnError
    stored_resolution: bool
    roi: Rectangle | None = None
    project: Mapping[str, str] = field(default_factory=dict)
    description: Description = field(default_factory=Description)
    contrast: Contrast | None = None
    only_named_dimensions: bool = False

    def takes_excerpts(self, wanted: Format) -> bool:
        """Return whether parts of images are written; a plane of a picture is chosen there."""
        places = (self.plane or {}).values()
        has_planes = self.plane is not None
        if wanted is Format.PICTURE:
            has_planes = any(not isinstance(one, str) and not is_index(one) for one in places)
        return self.roi is not None or bool(self.project) or has_planes

    @property
    def opens(self) -> bool:
        """Whether something says how the source is opened."""
        asked = self.source_options is not None or self.parts is not None
        return asked or leaves_blank(self.on_error) or self.stored_resolution


def check_options(given: Format, wanted: Format, options: ConvertOptions) -> None:
    """Refuse options that the target does not have, so that none is ignored silently."""
    is_zarr, is_new_czi = wanted is Format.OME_ZARR, wanted is Format.CZI is not given
    has_levels = wanted in (Format.OME_ZARR, Format.OME_TIFF) or is_new_czi
    fits = {
        "= and ".join(options.zarr): (bool(options.zarr), is_zarr),
        "resume": (options.resume, is_zarr),
        "dtype": (options.dtype is not None, is_new_czi),
        "levels": (options.levels is not None, has_levels),
        "stored_resolution": (options.stored_resolution, given is Format.CZI is not wanted),
        "on_error": (leaves_blank(options.on_error), given is Format.CZI),
        "parts": (options.parts is not None, given is Format.CZI),
        "only_named_dimensions": (options.only_named_dimensions, wanted is Format.CZI),
        "compression": (options.compression is not None, wanted is not Format.PICTURE),
        "= and ".join(options.description.given): (
            bool(options.description.given),
            given is not Format.CZI,
        ),
        "contrast": (options.contrast is not None, wanted is Format.PICTURE),
    }
    for name, (is_given, is_known) in fits.items():
        if is_given and not is_known:
            one, other = (
                "a picture" if form is Format.PICTURE else form.value for form in (given, wanted)
            )
            advice = _advice(options.description) if given is Format.CZI else ""
            raise InvalidArgumentError(
                f"{name}= cannot be used to convert {one} to {other}{advice}"
            )
    if options.levels is not None and whole_number(options.levels, "levels") < 1:
        raise InvalidArgumentError(f"levels is {options.levels}, but an image has at least one")


def _advice(description: Description) -> str:
    """Return how to give a CZI the facts that it lacks."""
    setters = {
        "pixel_size": "set_scaling_info(...)",
        "channel_names": "set_channel_info(name=...)",
    }
    found = [edit_advice(setters[name]) for name in description.given if name in setters]
    return "".join(f"; {one}" for one in found)


@dataclass(frozen=True)
class ConvertedImage:
    """One image of a conversion.

    Parameters
    ----------
    name
        The scene's name.
    axes, shape, dtype
        Of the array in full resolution.
    levels
        How many resolutions are written; None where that depends on the size of the document.
    """

    name: str | None
    axes: str
    shape: tuple[int, ...]
    dtype: str
    levels: int | None

    @property
    def nbytes(self) -> int:
        """The size of its pixels in full resolution, in bytes."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Conversion:
    """The result of `convert`, or the plan of a dry run.

    Parameters
    ----------
    source, dest
        The names.
    format
        The format of the target: CZI, OME-Zarr, OME-TIFF, TIFF or picture.
    images
        The images in it.
    written
        False after a dry run.
    seconds
        The time that it took.
    damaged
        The sub-blocks of a CZI that ``on_error="blank"`` left out, by their numbers, and the
        fault of each.
    files
        The names of all files that are written: several with ``split_scenes=True``.
    """

    source: str
    dest: str
    format: str
    images: tuple[ConvertedImage, ...]
    written: bool
    seconds: float
    damaged: dict[int, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()

    @property
    def nbytes(self) -> int:
        """The size of all pixels in full resolution, in bytes."""
        return sum(image.nbytes for image in self.images)

    def to_dict(self) -> dict[str, Any]:
        """Return the same as plain values for JSON."""
        images = [
            {**vars(image), "shape": list(image.shape), "nbytes": image.nbytes}
            for image in self.images
        ]
        return {**vars(self), "images": images, "nbytes": self.nbytes}


def images_of(
    image: Image, scenes: Choice, levels: int | None, *, pyramid: bool
) -> tuple[ConvertedImage, ...]:
    """Return the images that scenes give in a format with levels or without (`pyramid`).

    Afterwards, `image` is set to another scene.
    """
    found = []
    for one in image_series(image, scenes):
        sizes = {name: size for name, size in image.sizes.items() if name not in one.place}
        count = len(level_sizes(image, levels)) if pyramid else 1
        shape = tuple(sizes.values())
        found.append(ConvertedImage(one.name, "".join(sizes), shape, image.dtype.name, count))
    return tuple(found)


def images_of_sparse_czi(image: CziImage, scenes: Choice) -> tuple[ConvertedImage, ...]:
    """Return the images that the scenes of a nearly empty CZI claim; no levels are planned."""
    found = []
    with open_document_of(image.reader) as document:
        numbers: list[int | None] = [*document.table.scene_rectangles] or [None]
        names = scene_names(document)
        for at in choose(names, scenes, "scene"):
            axes, shape, dtype = claimed_array(document.table, numbers[at])
            found.append(ConvertedImage(names[at], axes, shape, dtype.name, None))
    return tuple(found)


def images_of_sources(
    images: Sequence[SourceImage], dtype: Any, levels: int | None
) -> tuple[ConvertedImage, ...]:
    """Return the images that sources in another format give in a CZI."""
    return tuple(
        ConvertedImage(
            image.name,
            image.axes,
            tuple(
                samples_for_czi(size) if letter == "S" else size
                for letter, size in image.sizes.items()
            ),
            np.dtype(dtype or image.pixels.dtype).name,
            levels,
        )
        for image in images
    )
