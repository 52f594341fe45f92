"""The public images: `CziImage`, and `FileImage` for files of other formats; both can `save`."""

from __future__ import annotations

import inspect
import math
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.image import CziImage as _CziImage
from czictypes.arrays.image_base import Image as _Image
from czictypes.arrays.labels import PhysicalPixelSizes, contrast_limits, in_micrometres
from czictypes.arrays.layout import ArrayRegion, Layout, Selection
from czictypes.arrays.lazy import chunks_of_planes, normalized_chunks
from czictypes.arrays.pictures import shown_color
from czictypes.arrays.scene_views import Scenes, ThreadChoice, check_level
from czictypes.arrays.scenes import field_numbers
from czictypes.exchange.converted import Choice, Conversion
from czictypes.exchange.locations import Format, target_format
from czictypes.exchange.pixel_view import PixelView, shown_in_color
from czictypes.exchange.source_image import (
    SourceImage,
    chunk_sizes,
    layout_of,
    selected,
    with_flat_levels,
)
from czictypes.metadata.annotations import Annotation
from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.document_info import DocumentInfo
from czictypes.metadata.ome_document import build_ome
from czictypes.metadata.ome_facts import DocumentFacts, ImageFacts, PlaneFacts, Sizes
from czictypes.metadata.scenes import Plate, SceneInfo
from czictypes.model.errors import ClosedError
from czictypes.model.lazy import require
from czictypes.model.options import ChannelDisplaySettingsDataClass
from czictypes.model.public import defended
from czictypes.reading.contrast import Contrast, points_of, shown_limits
from czictypes.reading.names import find_scene
from czictypes.reading.request import check_output
from czictypes.reading.result_memory import ResultMemory
from czictypes.remote.urls import describe_target, short_name

_WHITE = (255, 255, 255)

if TYPE_CHECKING:
    import dask.array
    from ome_types import OME


class Image(_Image):  # noqa: D101  (it has that of the other)
    __doc__ = _Image.__doc__

    def save(
        self,
        uri: Any,
        select_scenes: Choice | None = None,
        *,
        overwrite: bool = False,
        **options: Any,
    ) -> Conversion:
        """Write the image in another format, or as a CZI, out of core: see `convert`.

        The name says which format: it ends in ``.ome.tiff``, ``.tif``, ``.ome.zarr``, ``.zarr``,
        ``.ozx``, ``.czi`` or ``.png``. Full resolution is written whatever the current resolution
        level is, and mosaics are stitched (but in a CZI, which keeps its tiles).

        Parameters
        ----------
        uri
            A path, or a URL that fsspec knows.
        select_scenes
            Names or indices of the scenes to write; by default all, and of a view, or in
            a PNG, the current one.
        overwrite
            Whether an existing target is replaced.
        **options
            More arguments of `convert` that the format knows: ``levels``, ``plane``,
            ``compression``, ``version``, ``chunks``, ``threads``, ``progress``,
            ``storage_options`` of the target...

        Returns
        -------
        Conversion
            A report of the written scenes.

        Raises
        ------
        FileExistsError
            If the target is there and `overwrite` is not set.
        ClosedError
            After `close`.
        ValueError, UnsupportedDataError
            For an option that does not fit the format, or an image that it cannot hold.
        IncompleteOutputError
            If an OME-Zarr could not be finished; ``resume=True`` goes on with it.
        MissingExtraError
            Without the extra that the format needs.

        Examples
        --------
        >>> CziImage("my_file.czi").save("my_file.ome.tiff")  # doctest: +SKIP
        """
        from czictypes.exchange.convert import convert  # takes long to import

        unknown = sorted(set(options) - set(inspect.signature(convert).parameters))
        if unknown:
            raise TypeError(f"save() takes the options of convert(), and none named {unknown[0]!r}")
        current = self.current_scene_index
        if select_scenes is None and target_format(uri) is Format.PICTURE:
            select_scenes = current
        scenes = "all" if select_scenes is None else select_scenes
        return convert(self, uri, scenes=scenes, overwrite=overwrite, **options)


@defended(lambda image: describe_target(image.reader.source))
class CziImage(_CziImage, Image):  # noqa: D101  (it has that of the other)
    __doc__ = _CziImage.__doc__


@defended(lambda image: image._name)
class FileImage(Image):
    """An image file of another format than CZI: what `open_image` gives for one.

    The dimensions are those of a `CziImage`. Red, green and blue are S. An axis without a known
    meaning is Z, and two are C and Z. `sources` are its scenes as they are written elsewhere,
    `opened` is what was opened, `name` its path or URL without credentials, and `place` the path or
    URL with its options. `reopen` opens it once more, in any process; it is None where that is
    impossible.
    """

    def __init__(
        self,
        sources: Sequence[SourceImage],
        name: str,
        close: Callable[[], None],
        *,
        reopen: Callable[[], FileImage] | None = None,
        place: tuple[Any, Mapping[str, Any] | None] | None = None,
        opened: Any = None,
    ) -> None:
        self.sources = [with_flat_levels(image) for image in sources]
        self._name, self._close = name, close
        self._reopen, self.place, self._opened = reopen, place, opened
        self._memory = ResultMemory(name)
        self._turn = threading.Lock()  # for readers that serve one thread at a time
        self._is_closed = False
        self._choice = ThreadChoice((0, 0))
        self._parent: FileImage | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as what was opened, the scene and the level."""
        if self._reopen is None:
            raise TypeError(f"{self._name} was opened as a file object and cannot be pickled")
        return _opened_again, (self._reopen, self._index, self._level)

    def close(self) -> None:
        """Close the file; the view of a scene does nothing, the image that it is of closes it."""
        if self._parent is None:
            self._is_closed = True
            self._close()

    @property
    def closed(self) -> bool:
        """Whether the file was closed."""
        return self._is_closed or (self._parent is not None and self._parent.closed)

    @property
    def _origin_name(self) -> str:
        return self._name

    @property
    def name(self) -> str:  # noqa: D102 (it has that of the base class)
        return short_name(self._name)

    @property
    def _source(self) -> SourceImage:
        return self.sources[self._index]

    @property
    def _index(self) -> int:
        index: int = self._choice.get()[0]
        return index

    def _at(self, scene: int | str) -> FileImage:
        image = type(self).__new__(type(self))
        image.__dict__.update(self.__dict__)  # `copy` would open the file once more
        image._choice = ThreadChoice((find_scene(self._scene_names(), scene), self._level))
        image._parent = self
        return image

    @property
    def _display_settings(self) -> Mapping[int, ChannelDisplaySettingsDataClass]:
        return self._source.display_settings

    @property
    def _identity(self) -> str:
        return self._name

    def _composite(
        self,
        place: Mapping[str, int],
        channels: Sequence[int] | None = None,
        contrast: Contrast = "file",
        zoom: float = 1.0,
    ) -> NDArray[np.uint8]:
        chosen, points = self._chosen_contrast(contrast), self._points()
        picture: Any = np.float32(0)
        shown = self._enabled_channels() if channels is None else channels
        for at in shown or [0]:
            pixels = self._sampled(place, at, zoom)
            color = _WHITE if pixels.shape[2] > 1 else shown_color(self, at)
            picture = picture + shown_in_color(
                pixels, shown_limits(pixels, chosen(at), points[at]), color
            )
        rounded: NDArray[np.uint8] = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
        return rounded

    def _sampled(self, place: Mapping[str, int], channel: int, zoom: float) -> NDArray[Any]:
        level = max(one.index for one in self.levels if one.factor * zoom <= 1.01)
        grid = self._layout.grid(level)
        step = max(1, int(1 / (zoom * grid.factor) + 0.01))
        steps = {"Y": slice(0, grid.height, step), "X": slice(0, grid.width, step)}
        pixels = self.read_block({**place, "C": channel, **steps}, level=level)
        pixels = pixels if pixels.ndim == 3 else pixels[..., np.newaxis]
        return pixels[..., : 1 if pixels.shape[2] < 3 else 3]  # without an alpha

    def _points(self) -> list[tuple[float, float] | None]:
        shown = self._source.display_settings
        return [points_of(shown.get(at)) for at in range(self.sizes["C"])]

    def _enabled_channels(self) -> list[int]:
        shown = self._source.display_settings
        return [at for at in range(self.sizes["C"]) if at not in shown or shown[at].is_enabled]

    def _new_array(self, shape: tuple[int, ...]) -> NDArray[Any]:
        return self._memory.make(shape, self.dtype)

    # Scenes

    @property
    def scenes(self) -> Scenes:  # noqa: D102 (it has that of the base class)
        return Scenes(self._scene_names(), self)

    def _scene_names(self) -> tuple[str, ...]:
        names = [image.name or f"Image:{at}" for at, image in enumerate(self.sources)]
        counts = Counter(names)
        return tuple(
            name if counts[name] == 1 else f"{name} ({at})" for at, name in enumerate(names)
        )

    @property
    def current_scene_index(self) -> int:
        """The position of the scene in `scenes`."""
        return self._index

    def set_scene(self, scene: int | str) -> None:  # noqa: D102 (it has that of the base class)
        index, level = find_scene(self._scene_names(), scene), self._level
        check_level(layout_of(self.sources[index]), level, scene)
        self._choice.set((index, level))

    # The array

    @property
    def _layout(self) -> Layout:
        return layout_of(self._source)

    def _read(
        self,
        choose: Callable[[Layout], ArrayRegion],
        out: NDArray[Any] | None = None,
        threads: int | None = None,
    ) -> NDArray[Any]:
        if self.closed:
            raise ClosedError(f"{self._name} is closed; open it again to read")
        layout = self._layout
        region = choose(layout)
        if out is not None:
            check_output(out, region.shape, layout.dtype)
        else:
            size = int(np.prod(region.shape, dtype=object)) * layout.dtype.itemsize
            self._memory.check(region.shape, size)
        if 0 in region.shape:
            return region.arranged(np.empty(region.shape, layout.dtype)) if out is None else out
        source = self._source
        pixels = [source.pixels, *source.levels][region.grid.number]
        view = PixelView(pixels, layout.dtype, None, 0, self._name, source.reader)
        with nullcontext() if source.shared else self._turn:
            found = selected(view, source.axes, layout.order, region.indices)
        found = found.reshape(region.shape)
        if out is None:
            return region.arranged(np.ascontiguousarray(found))
        out[...] = found
        return out

    def to_dask(  # noqa: D102 (it has that of the base class)
        self, level: int | None = None, chunks: Any = None, *, scene: int | str | None = None
    ) -> dask.array.Array:
        require("dask.array", extra="dask", doing="lazy arrays")
        from czictypes.arrays.windows import windowed_array  # needs dask

        image, level = self._of(scene), self._chosen(level)
        dims = image._layout.dims(level)
        sizes = normalized_chunks(dims, image.dtype, chunks, image._cheap_chunks(level))
        read = _Window(image, image._index, level)
        name = f"image-{uuid.uuid4().hex}"
        array: dask.array.Array = windowed_array(read, dims.order, sizes, image.dtype, name)
        return array

    def _cheap_chunks(self, level: int) -> dict[str, int]:
        """Return small planes, one plane, or whole chunks of the file within it of 16 to 64 MB."""
        layout, source = self._layout, self._source
        grid, pixels = layout.grid(level), [source.pixels, *source.levels][level]
        stored = chunk_sizes(pixels, source.axes)
        step = stored.get("Y", grid.height), stored.get("X", grid.width)
        return chunks_of_planes(layout, level, lambda: (step, False))

    # Metadata

    @property
    def channels(self) -> list[ChannelInfo]:
        """All that the metadata tell of each channel: names, colours, wavelengths..."""
        known = {info.index: info for info in self._source.channels}
        return [known.get(at) or ChannelInfo(at) for at in range(self.sizes["C"])]

    @property
    def contrast_limits(self) -> list[tuple[float, float] | None]:
        """The pixel values shown as black and as white, by channel; None where not known."""
        dtypes = dict.fromkeys(range(self.sizes["C"]), self.dtype)
        return contrast_limits(self._source.display_settings, dtypes)

    @property
    def annotations(self) -> list[Annotation]:
        """The regions, measurements and texts drawn on the scene, in its pixels."""
        return list(self._source.annotations)

    def _pixel_sizes(self, factor: float = 1.0) -> PhysicalPixelSizes:
        return in_micrometres(self._source.scaling, factor)

    def _times(self) -> NDArray[np.float64] | None:
        times = np.array(self._source.times, np.float64)
        return times if len(times) == self.sizes["T"] else None

    @property
    def scene_info(self) -> SceneInfo:
        """The metadata of the scene: name, well, acquisition."""
        return self._scene_infos()[self._index]

    def _scene_infos(self) -> dict[int | None, SceneInfo]:
        return {
            at: SceneInfo(at, one.name, well=one.well, acquisition=one.acquisition)
            for at, one in enumerate(self.sources)
        }

    @property
    def origin(self) -> tuple[float, float] | None:
        """Where on the stage the centre of the first pixel lies (x, y), in micrometres, or None."""
        corner, size = self._source.origin, self._pixel_sizes()
        if corner is None:
            return None
        return corner[0] + (size.X or 0.0) / 2, corner[1] + (size.Y or 0.0) / 2

    @property
    def field(self) -> int | None:
        """The number of the scene within its well, from 0 on; None without a well."""
        return field_numbers(self._scene_infos()).get(self._index)

    @property
    def plate(self) -> Plate | None:
        """The plate with its numbers of rows and columns, or None."""
        return self._source.plate

    @property
    def document_info(self) -> DocumentInfo:
        """The description, the date and the objective."""
        description, date = self._source.description, self._source.acquisition_date
        return DocumentInfo(
            description=description, acquisition_date=date, objective=self._source.objective
        )

    @property
    def metadata(self) -> Any:
        """The metadata as the file has them.

        The OME-XML of an OME-TIFF (text), the tags and the description of another TIFF, the
        attributes of the groups of an OME-Zarr, the XML of a LIF, what Pillow tells of a picture,
        PyAV of a video, or a plug-in of imageio, or what the reader of bioio gives.
        """
        return self._source.metadata()

    def to_ome(self) -> OME:
        """Return the file's own OME metadata, or what the images tell, as OME objects.

        Returns
        -------
        ome_types.OME
            An image for each scene, in the order of `scenes`.

        Raises
        ------
        MissingExtraError
            If ome-types is not installed.
        """
        if self._source.ome is not None:
            own: OME = self._source.ome().model_copy(deep=True)  # the caller may change it
            return own
        facts = [self._at(at)._facts() for at in range(len(self.sources))]
        return build_ome(DocumentFacts(self.document_info, self.plate, facts))

    def _facts(self) -> ImageFacts:
        layout, size, interval = self._layout, self._pixel_sizes(), self.time_interval
        along = {name: len(one) for name, one in layout.planes.items() if name not in "ZC"}
        grid = layout.grids[0]
        z, c = len(layout.planes["Z"]), len(layout.planes["C"])
        times = self._times() if interval is None else None
        return ImageFacts(
            name=self.current_scene,
            sizes=Sizes(grid.width, grid.height, z, c, math.prod(along.values())),
            dtype=layout.dtype,
            samples=layout.samples or 1,
            channels=self.channels,
            channel_names=self.channel_names,
            pixel=(size.X, size.Y, size.Z),
            interval=None if interval is None else interval.total_seconds(),
            scene=self.scene_info,
            planes=None if times is None else _first_planes(times, along),
            annotations=self.annotations,
            along_t=along,
        )


def _first_planes(times: NDArray[np.float64], along: Mapping[str, int]) -> PlaneFacts:
    """Return the first plane of each T with its time, where irregular times are kept."""
    t = np.arange(math.prod(along.values()))
    places = dict(zip(along, np.unravel_index(t, tuple(along.values()))))
    zero, nothing = np.zeros_like(t), np.full(len(t), np.nan)
    return PlaneFacts(zero, zero, t, times[places["T"]], nothing, nothing, nothing, nothing)


class _Window:
    """Reads a part of a lazy array; pickles as the function that opens the file again."""

    def __init__(self, image: FileImage, scene: int, level: int) -> None:
        self._image = image._at(scene)
        self._reopen = image._reopen
        self._scene, self._level = scene, level
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        if self._reopen is None:
            raise TypeError(
                "a lazy array of a file object works only in the process that made it, as the "
                "object cannot be sent to another; open the file by its path or URL"
            )
        return _window, (self._reopen, self._scene, self._level)

    def __call__(self, selection: Mapping[str, Selection]) -> NDArray[Any]:
        return self._open().read_block(selection, level=self._level)

    def _open(self) -> FileImage:
        with self._lock:
            if self._image.closed and self._reopen is not None:
                self._image = self._reopen()._at(self._scene)
            return self._image


def _window(reopen: Callable[[], FileImage], scene: int, level: int) -> _Window:
    return _Window(reopen(), scene, level)


def _opened_again(reopen: Callable[[], FileImage], scene: int, level: int) -> FileImage:
    image = reopen()
    image._choice = ThreadChoice((scene, level))
    return image
