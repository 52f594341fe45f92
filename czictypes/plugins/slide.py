"""CziSlide: a CZI with the interface of an OpenSlide object."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial, wraps
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.image import ALL_SCENES, CziImage
from czictypes.arrays.layout import Level
from czictypes.arrays.scene_views import Scenes
from czictypes.metadata.colors import as_color
from czictypes.model.errors import CziError
from czictypes.model.geometry import Rectangle, checked_plane, whole_number
from czictypes.model.lazy import require
from czictypes.model.options import CacheOptions, DisplaySettings
from czictypes.model.public import Closable, Defence, defended, warn_caller
from czictypes.plugins.slide_contents import (
    AssociatedImages,
    SlidePictures,
    SlideProperties,
    slide_look,
    slide_properties,
)
from czictypes.reading.contrast import Contrast
from czictypes.reading.damage import OnError
from czictypes.reading.names import find_scene, numbered_plane, numbered_settings
from czictypes.reading.reader import CziReader, open_document_of
from czictypes.reading.request import Roi, parse_roi
from czictypes.remote.part_files import Parts
from czictypes.remote.urls import describe_target

if TYPE_CHECKING:
    from PIL.Image import Image

#: Between a reduction and the stored level that it is made of, at most.
_FAR = 4


Read = TypeVar("Read", bound=Callable[..., Any])


def _takes_location_and_extent(read: Read) -> Read:
    """Have `read_resized` take its region as a location and an extent too, as formerly."""

    @wraps(read)
    def call(slide: Any, *args: Any, **kwargs: Any) -> Any:
        given = {**dict(zip(("location", "extent", "size", "background"), args)), **kwargs}
        if "location" in kwargs or (args and len(args[0]) == 2):
            warn_caller(
                "read_resized(): location and extent are one roi=(x, y, w, h) now",
                DeprecationWarning,
            )
            args, kwargs = ((*given.pop("location"), *given.pop("extent")),), given
        return read(slide, *args, **kwargs)

    return call  # type: ignore[return-value]


@defended(lambda slide: describe_target(slide._arguments[0]))
class CziSlide(Closable):
    """A whole slide: all scenes in one plane, with the methods of an OpenSlide object.

    If openslide-python is installed, `isinstance` takes it for an ``openslide.AbstractSlide``.

    Positions (x, y) are pixels of full resolution from the top-left corner of the slide. Colour
    images of 8 bits are shown as they are; other channels are blended in their colours, with one
    contrast for the whole slide. Places without pixels are
    transparent. The levels are those that the file stores for every scene; a document without a
    pyramid has one.

    Parameters
    ----------
    source
        A path, a URL, a binary file object, or a `CziReader`, which you close yourself.
    scene
        The index or the name of a scene, for a slide of that scene alone.
    plane
        The position in Z, T and so on; a dimension that you leave out is at its minimum.
    display_settings
        Settings for each channel, by its number or its name, instead of the display above; other
        channels are left out.
    contrast
        As for `CziReader.composite`; ``"auto"`` counts the pixels of a small picture of the whole
        slide.
    storage_options
        The options of fsspec for a URL.
    cache_options
        How many decoded tiles are kept; by default none.
    threads
        How many threads decode; by default CZICTYPES_THREADS, or the CPUs of this process.
    parts
        The other files of a document of several, where they are not beside it: a list, or a
        mapping from their numbers.
    stored_resolution
        Whether every stored pixel is read of tiles that have more of them than they cover; all
        others are magnified to match.
    on_error
        ``"blank"`` leaves out tiles that cannot be read, with a warning; ``"raise"`` stops.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    NotCziError, CorruptFileError
        If it is no CZI, or a damaged one.
    OutOfBoundsError
        If there is no such scene.

    Examples
    --------
    >>> with CziSlide("slide.czi") as slide:  # doctest: +SKIP
    ...     picture = slide.read_region((1000, 2000), 0, (512, 512))
    """

    def __init__(
        self,
        source: Any,
        scene: int | str | None = None,
        *,
        plane: Mapping[str, int | str] | None = None,
        display_settings: DisplaySettings | None = None,
        contrast: Contrast = "file",
        storage_options: Mapping[str, Any] | None = None,
        cache_options: CacheOptions | None = None,
        threads: int | None = None,
        parts: Parts | None = None,
        stored_resolution: bool = False,
        on_error: OnError = "raise",
    ) -> None:
        self._arguments = (source, scene)
        self._options: dict[str, Any] = {
            "plane": plane,
            "display_settings": display_settings,
            "contrast": contrast,
            "storage_options": storage_options,
            "cache_options": cache_options,
            "threads": threads,
            "parts": parts,
            "stored_resolution": stored_resolution,
            "on_error": on_error,
        }
        self._image = self._opened()
        try:
            with open_document_of(self.reader) as document:
                place = numbered_plane(document.table, checked_plane(plane))
                settings = (
                    None
                    if display_settings is None
                    else numbered_settings(document.table, display_settings)
                )
            self._place = place
            with Defence(describe_target(source)):
                self._box = _box(self._image)
                self._levels = _slide_levels(self._image, self._box)
                self._look = slide_look(self._image, self._box, place, settings, contrast)
                self._pictures = SlidePictures(self._image, place, self._look)
        except BaseException:
            self._image.close()
            raise
        self._properties: SlideProperties | None = None
        self._views: dict[int | str, CziSlide] = {}

    def _opened(self) -> CziImage:
        source, scene = self._arguments
        options = {**self._options, "empty_alpha": "drop"}
        del options["plane"], options["display_settings"], options["contrast"]
        return CziImage(source, ALL_SCENES if scene is None else scene, **options)

    @property  # type: ignore[misc, unused-ignore]
    def __class__(self) -> type:
        """The class; `isinstance` asks for it, and by then openslide is imported if it matters."""
        _register_with_openslide()
        return type(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the arguments."""
        return partial(type(self), **self._options), self._arguments

    def __repr__(self) -> str:
        return f"<CziSlide of {self.reader!r}>"

    def set_cache(self, cache: Any) -> None:
        """Cache decoded tiles from now on; no other thread may be reading meanwhile.

        Parameters
        ----------
        cache
            An ``openslide.OpenSlideCache``, whose capacity this slide uses for a cache of its own,
            or `CacheOptions`. If you made the slide of a `CziReader`, that keeps its own cache.

        Raises
        ------
        TypeError
            If it is neither.
        """
        self._options["cache_options"] = _cache_options(cache)
        if isinstance(self._arguments[0], CziReader):
            return
        before, self._image = self._image, self._opened()
        before.close()
        self._views = {}
        self._pictures = SlidePictures(self._image, self._place, self._look)

    @classmethod
    def detect_format(cls, filename: Any) -> str | None:
        """Return ``"zeiss"`` for a CZI, None for anything else."""
        try:
            with CziReader(filename):
                return "zeiss"
        except (CziError, OSError):
            return None

    @property
    def reader(self) -> CziReader:
        """The open document."""
        return self._image.reader

    def close(self) -> None:
        """Close the document, unless it is the caller's own `CziReader`."""
        self._image.close()

    # Scenes

    @property
    def scenes(self) -> Scenes:
        """The names of the scenes of the file, each one its own, and each a slide as of `scene`."""
        found = self._image.scenes
        return Scenes(found, self, found.wells)

    def scene(self, scene: int | str) -> CziSlide:
        """Return a slide of one scene that shares the open file; made once for each scene.

        Its positions, levels and display are those of ``CziSlide(source, scene)``.

        Parameters
        ----------
        scene
            Its index in `scenes` or its name; ``"all"`` for all scenes in one plane.

        Returns
        -------
        CziSlide
            It reads until this slide is closed, or gets another cache by `set_cache`. Closing it
            does not close this slide.

        Raises
        ------
        OutOfBoundsError
            If there is no such scene.
        """
        index: int | str = scene
        if scene != ALL_SCENES or ALL_SCENES in self.scenes:
            index = find_scene(self.scenes, scene)
        view = self._views.get(index)
        if view is None:
            chosen = {name: self._options[name] for name in ("plane", "display_settings")}
            view = self._views.setdefault(index, type(self)(self.reader, index, **chosen))
        return view

    # Levels

    @property
    def level_count(self) -> int:
        """The number of resolution levels."""
        return len(self._levels)

    @property
    def dimensions(self) -> tuple[int, int]:
        """Width and height of the full resolution."""
        return self.level_dimensions[0]

    @property
    def level_dimensions(self) -> tuple[tuple[int, int], ...]:
        """Width and height of every level, the full resolution first."""
        return tuple((level.width, level.height) for level in self._levels)

    @property
    def level_downsamples(self) -> tuple[float, ...]:
        """How many pixels of full resolution a pixel of each level stands for."""
        return tuple(level.factor for level in self._levels)

    def get_best_level_for_downsample(self, downsample: float) -> int:
        """Return the coarsest level that is not coarser than a reduction."""
        if not isinstance(downsample, Real):
            raise TypeError(f"downsample must be a number, not {downsample!r}")
        found = [
            index for index, factor in enumerate(self.level_downsamples) if factor <= downsample
        ]
        return found[-1] if found else 0

    # Pictures

    def read_region_array(
        self,
        location: tuple[int, int],
        level: int,
        size: tuple[int, int],
        *,
        scene: int | str | None = None,
    ) -> NDArray[np.uint8]:
        """Return a region as an array (height, width, 4) of red, green, blue and alpha.

        Parameters
        ----------
        location
            The top-left corner (x, y), in pixels of full resolution.
        level
            The level. As in OpenSlide, a level that does not exist is transparent.
        size
            Width and height, in pixels of that level.
        scene
            A scene by its index or name, to read as from the slide that `scene` returns: position
            and level are those of this scene.

        Raises
        ------
        ValueError
            If the size is negative.
        OutOfBoundsError
            If there is no such scene.
        """
        if scene is not None:
            return self.scene(scene).read_region_array(location, level, size)
        location, (width, height) = _pair(location, "location"), _pair(size, "size")
        if width < 0 or height < 0:
            raise ValueError(
                f"the size of a region cannot be {width} x {height} pixels; width and height must "
                "be 0 or more"
            )
        if not 0 <= whole_number(level, "level") < self.level_count:
            return self._pictures.transparent(height, width)
        downsample = self.level_downsamples[level]
        x, y = (int(at / downsample) for at in location)  # towards 0, as OpenSlide does
        return self._pictures.of_level(level, Rectangle(x, y, width, height))

    def read_region(
        self,
        location: tuple[int, int],
        level: int,
        size: tuple[int, int],
        *,
        scene: int | str | None = None,
    ) -> Image:
        """Return a region as a Pillow picture of mode RGBA; see `read_region_array`."""
        return _picture(self.read_region_array(location, level, size, scene=scene))

    def get_thumbnail(self, size: tuple[int, int], *, scene: int | str | None = None) -> Image:
        """Return the whole slide, or a scene, as a picture (RGB, on white) that fits into a size.

        Parameters
        ----------
        size
            The largest width and height.
        scene
            A scene by its index or name; by default all that this slide shows.
        """
        if scene is not None:
            return self.scene(scene).get_thumbnail(size)
        if not all(length > 0 for length in _pair(size, "size")):
            raise ValueError(f"the size of a thumbnail must be above 0, not {size}")
        width, height = self.dimensions
        downsample = max(1.0, width / size[0], height / size[1])
        goal = max(1, round(width / downsample)), max(1, round(height / downsample))
        return self.read_resized((0, 0, width, height), goal)

    @_takes_location_and_extent
    def read_resized(
        self,
        roi: Roi,
        size: tuple[int, int],
        background: tuple[int, int, int] = (255, 255, 255),
        *,
        scene: int | str | None = None,
    ) -> Image:
        """Return a region as an RGB picture of any size, smoothly reduced, on a background.

        Parameters
        ----------
        roi
            The region (x, y, w, h), in pixels of full resolution from the top left of the slide.
        size
            Width and height of the picture.
        background
            What shows where the file has no pixels.
        scene
            A scene by its index or name; the region is in its pixels then.
        """
        if scene is not None:
            return self.scene(scene).read_resized(roi, size, background)
        module = require("PIL.Image", extra="cli", doing="pictures of slides")
        (x, y, w, h), (width, height) = parse_roi(roi), _pair(size, "size")
        if width < 1 or height < 1:
            raise ValueError(f"the size of a picture must be above 0, not {size!r}")
        wanted = max(1.0, min(w / width, h / height))
        picture = _picture(self._read_about((x, y), (w, h), wanted))
        color = as_color(background)
        flat = module.new("RGB", picture.size, (color.r, color.g, color.b))
        flat.paste(picture, mask=picture.getchannel("A"))
        if flat.size != tuple(size):
            flat = flat.resize(size, module.Resampling.BOX)
        result: Image = flat
        return result

    @property
    def associated_images(self) -> Mapping[str, Image]:
        """The pictures beside the slide by name: ``label``, ``macro`` and ``thumbnail``."""
        return AssociatedImages(self.reader.attachments)

    @property
    def properties(self) -> Mapping[str, str]:
        """The properties of the slide, by OpenSlide's names and as text."""
        if self._properties is None:
            pictures = AssociatedImages(self.reader.attachments)
            self._properties = slide_properties(self._image, self._box, self._levels, pictures)
        return self._properties

    @property
    def color_profile(self) -> None:
        """None: a CZI has no colour profile."""
        return None

    def _read_about(
        self, location: tuple[int, int], extent: tuple[int, int], downsample: float
    ) -> NDArray[np.uint8]:
        """Return a region that is reduced by at most a factor, and not by much less.

        It comes from a stored level; where none is near, from pixels here and there of a finer one.
        """
        level = max(
            level.index for level in self._image.levels if level.factor <= 1.01 * downsample
        )
        stored = self._image.levels[level].factor
        if downsample <= _FAR * stored:
            x, y = (int(at / stored) for at in location)
            width, height = (max(1, round(side / stored)) for side in extent)
            return self._pictures.of_level(level, Rectangle(x, y, width, height))
        left, top = self._box.x + location[0], self._box.y + location[1]
        return self._pictures.of_zoom(Rectangle(left, top, *extent), 2 / downsample)


def _pair(given: tuple[Any, Any], name: str) -> tuple[Any, Any]:
    try:
        first, second = given
        first + second + 0.0
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be two numbers, not {given!r}") from None
    return first, second


def _register_with_openslide() -> None:
    """Make slides instances of OpenSlide's class, if openslide has been imported."""
    openslide = sys.modules.get("openslide")
    if hasattr(openslide, "AbstractSlide"):
        openslide.AbstractSlide.register(CziSlide)  # type: ignore[union-attr]


def _cache_options(cache: Any) -> CacheOptions:
    if isinstance(cache, CacheOptions):
        return cache
    capacity = getattr(cache, "_capacity", None)  # all that openslide-python tells of a cache
    if not isinstance(capacity, int):
        raise TypeError(
            f"set_cache needs an openslide.OpenSlideCache or CacheOptions, not {cache!r}"
        )
    return CacheOptions(max_memory_usage=capacity)


def _box(image: CziImage) -> Rectangle:
    reader, scene = image.reader, image.scene_number
    if scene is None:
        return reader.total_bounding_rectangle_no_pyramid
    return reader.scenes_bounding_rectangle_no_pyramid[scene]


def _slide_levels(image: CziImage, box: Rectangle) -> tuple[Level, ...]:
    """Return the levels as OpenSlide counts them: those of all scenes, their sizes rounded down."""
    deepest = math.inf
    if image.scene_number is None:
        each = (CziImage(image.reader, scene).levels for scene in range(len(image.scenes)))
        deepest = min(levels[-1].factor for levels in each)
    return tuple(
        replace(
            level,
            width=max(int(box.w / level.factor), 1),
            height=max(int(box.h / level.factor), 1),
        )
        for level in image.levels
        if level.factor <= deepest
    )


def _picture(pixels: NDArray[np.uint8]) -> Image:
    module = require("PIL.Image", extra="cli", doing="pictures of slides")
    size = pixels.shape[1], pixels.shape[0]
    picture: Image = module.fromarray(pixels) if pixels.size else module.new("RGBA", size)
    return picture


_register_with_openslide()
