"""An image of another format than CZI, with the face of all images."""

from __future__ import annotations

import itertools
import math
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.channel_labels import limits_of
from czictypes.arrays.chunking import normalized_chunks
from czictypes.arrays.layout import Layout, Selection, check_output
from czictypes.arrays.native_chunks import chunks_of_planes
from czictypes.arrays.pixel_sizes import PhysicalPixelSizes, in_micrometres
from czictypes.arrays.scene_infos import field_numbers
from czictypes.arrays.scene_layout import plane_order
from czictypes.arrays.scene_names import find_scene
from czictypes.exchange.image import Image
from czictypes.exchange.pixel_view import PixelView
from czictypes.exchange.source_image import SourceImage
from czictypes.metadata.annotations import Annotation
from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.document_info import DocumentInfo
from czictypes.metadata.ome_document import build_ome
from czictypes.metadata.ome_facts import DocumentFacts, ImageFacts, PlaneFacts, Sizes
from czictypes.metadata.scenes import Plate, SceneInfo
from czictypes.model.defence import defended
from czictypes.model.errors import ClosedError
from czictypes.model.geometry import Rectangle
from czictypes.model.lazy import require
from czictypes.model.options import ChannelDisplaySettingsDataClass
from czictypes.reading.conversion import finite_range
from czictypes.reading.levels import LevelGrid
from czictypes.reading.result_memory import ResultMemory

if TYPE_CHECKING:
    import dask.array
    from ome_types import OME

__all__ = ["FileImage"]

_ALL_ZOOMS = (0.0, float("inf"))


@defended(lambda image: image._name)
class FileImage(Image):
    """An image file of another format than CZI: what `open_image` gives for one.

    The dimensions are those of a `CziImage`. Red, green and blue are S. An axis without a known
    meaning is Z, and two are C and Z.

    Parameters
    ----------
    images
        The scenes.
    name
        The name of the file in messages.
    close
        Closes the file.
    reopen
        Opens the file once more, in any process; None where nobody can.
    place
        The path or URL of the file, and its options of fsspec; None where it has none.
    """

    def __init__(
        self,
        images: Sequence[SourceImage],
        name: str,
        close: Callable[[], None],
        *,
        reopen: Callable[[], FileImage] | None = None,
        place: tuple[Any, Mapping[str, Any] | None] | None = None,
    ) -> None:
        self._images = [_with_flat_levels(image) for image in images]
        self._name, self._close = name, close
        self._reopen, self.place = reopen, place
        self._memory = ResultMemory(name)
        self._turn = threading.Lock()  # for readers that serve one thread at a time
        self._index, self._is_closed = 0, False
        self._parent: FileImage | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as what was opened, the scene and the level."""
        if self._reopen is None:
            raise TypeError(f"{self._name} was opened as a file object and cannot be pickled")
        return _opened_again, (self._reopen, self._index, self._level)

    @property
    def name(self) -> str:
        """The path or URL of the file, without credentials."""
        return self._name

    @property
    def sources(self) -> list[SourceImage]:
        """The scenes, as they are written to other formats."""
        return self._images

    def close(self) -> None:
        """Close the file."""
        self._is_closed = True
        if self._parent is None:
            self._close()

    @property
    def closed(self) -> bool:
        """Whether the file was closed."""
        return self._is_closed or (self._parent is not None and self._parent.closed)

    @property
    def _origin_name(self) -> str:
        return self._name

    @property
    def _source(self) -> SourceImage:
        return self._images[self._index]

    def _at(self, scene: int | str) -> FileImage:
        image = FileImage.__new__(FileImage)
        image.__dict__.update(self.__dict__)  # `copy` would open the file once more
        image._index, image._parent = find_scene(self.scenes, scene), self
        return image

    @property
    def _display_settings(self) -> Mapping[int, ChannelDisplaySettingsDataClass]:
        return self._source.display_settings

    @property
    def _identity(self) -> str:
        return self._name

    def _composite(self, place: Mapping[str, int]) -> NDArray[np.uint8]:
        channels = [place["C"]] if "C" in place else range(self.sizes["C"])
        shown = self._source.display_settings
        picture: NDArray[np.float32] = np.zeros((self.sizes["Y"], self.sizes["X"], 3), np.float32)
        for at in channels:
            if at not in shown or shown[at].is_enabled:
                pixels = self.read_block({**place, "C": at})
                color = self.channel_colors[at] or (255, 255, 255)
                picture += _shown(pixels, self.contrast_limits[at], color)
        return np.clip(np.rint(picture), 0, 255).astype(np.uint8)

    def _new_array(self, shape: tuple[int, ...]) -> NDArray[Any]:
        return self._memory.make(shape, self.dtype)

    # Scenes

    @property
    def scenes(self) -> tuple[str, ...]:
        """The names of the scenes, each one its own; ``"Image:0"`` where the file has none."""
        names = [image.name or f"Image:{at}" for at, image in enumerate(self._images)]
        counts = Counter(names)
        return tuple(
            name if counts[name] == 1 else f"{name} ({at})" for at, name in enumerate(names)
        )

    @property
    def current_scene_index(self) -> int:
        """The position of the scene in `scenes`."""
        return self._index

    def set_scene(self, scene: int | str) -> None:
        """Choose the scene by its index in `scenes` or its name.

        Raises
        ------
        OutOfBoundsError
            If there is no such scene, or it does not have the current resolution level.
        """
        index = find_scene(self.scenes, scene)
        self._check_level(layout_of(self._images[index]), scene)
        self._index = index

    # The array

    @property
    def _layout(self) -> Layout:
        return layout_of(self._source)

    def read_block(  # noqa: D102 (it has that of the base class)
        self,
        selection: Mapping[str, Selection],
        *,
        level: int | None = None,
        out: NDArray[Any] | None = None,
        threads: int | None = None,
    ) -> NDArray[Any]:
        if self.closed:
            raise ClosedError(f"{self._name} is closed; open it again to read")
        layout, level = self._layout, self._chosen(level)
        block = layout.block(selection, level)
        if out is not None:
            check_output(out, block.shape, layout.dtype)
        else:
            size = int(np.prod(block.shape, dtype=object)) * layout.dtype.itemsize
            self._memory.check(block.shape, size)
        if 0 in block.shape:
            return np.empty(block.shape, layout.dtype) if out is None else out
        source = self._source
        pixels = [source.pixels, *source.levels][layout.level(level).index]
        view = PixelView(pixels, layout.dtype, None, 0, self._name, source.reader)
        with nullcontext() if source.shared else self._turn:
            found = _selected(view, source.axes, layout.order, block.indices)
        found = found.reshape(block.shape)
        if out is None:
            return np.ascontiguousarray(found)
        out[...] = found
        return out

    def to_dask(  # noqa: D102 (it has that of the base class)
        self, level: int | None = None, chunks: Any = None
    ) -> dask.array.Array:
        require("dask.array", extra="dask", doing="lazy arrays")
        from czictypes.arrays.windows import windowed_array  # needs dask

        level = self._chosen(level)
        dims = self._layout.dims(level)
        sizes = normalized_chunks(dims, self.dtype, chunks, self._cheap_chunks(level))
        read = _Window(self, self._index, level)
        name = f"image-{uuid.uuid4().hex}"
        array: dask.array.Array = windowed_array(read, dims.order, sizes, self.dtype, name)
        return array

    def _cheap_chunks(self, level: int) -> dict[str, int]:
        """Return one plane, or as many whole chunks of the file in it as make 16 to 64 MB."""
        layout, source = self._layout, self._source
        grid, pixels = layout.grid(level), [source.pixels, *source.levels][level]
        stored = _chunk_sizes(pixels, source.axes)
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
        return limits_of(self._source.display_settings, dtypes)

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
            for at, one in enumerate(self._images)
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
        one = self._source
        return DocumentInfo(
            description=one.description,
            acquisition_date=one.acquisition_date,
            objective=one.objective,
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
            own: OME = self._source.ome()
            return own
        facts = [self._at(at)._facts() for at in range(len(self._images))]
        return build_ome(DocumentFacts(self.document_info, self.plate, facts))

    def _facts(self) -> ImageFacts:
        layout, size, interval = self._layout, self._pixel_sizes(), self.time_interval
        along = {name: len(one) for name, one in layout.planes.items() if name not in "ZC"}
        grid = layout.grids[0]
        z, c = len(layout.planes["Z"]), len(layout.planes["C"])
        times = self._times() if interval is None else None
        return ImageFacts(
            name=self.current_scene,
            sizes=Sizes(grid.width, grid.height, z, c, int(np.prod([*along.values()]))),
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
    """Return the first plane of each T with its time: irregular times are told nowhere else."""
    t = np.arange(int(np.prod([*along.values()])))
    places = dict(zip(along, np.unravel_index(t, tuple(along.values()))))
    zero, nothing = np.zeros_like(t), np.full(len(t), np.nan)
    return PlaneFacts(zero, zero, t, times[places["T"]], nothing, nothing, nothing, nothing)


def _shown(
    pixels: NDArray[Any], limits: tuple[float, float] | None, color: tuple[int, int, int]
) -> NDArray[np.float32]:
    """Return pixels in a colour, between black and white: 0 to 255.

    Without limits, colours of 8 bits are as they are, and all else is stretched between its least
    and its greatest finite value.
    """
    values = pixels.real.astype(np.float32)
    if values.ndim == 3:
        values = values[..., :3] if values.shape[2] >= 3 else values[..., :1]
    else:
        values = values[..., np.newaxis]
    if limits is None and pixels.ndim == 3 and pixels.dtype == np.uint8:
        limits = 0.0, 255.0
    if limits is None:
        limits = finite_range(values)
    low, high = limits
    part = (np.nan_to_num(values) - low) / ((high - low) or 1.0)
    shown: NDArray[np.float32] = np.clip(part, 0, 1) * np.array(color, np.float32)
    return shown


def _with_flat_levels(source: SourceImage) -> SourceImage:
    """Leave out levels that are smaller along Z or another axis than X and Y, and coarser ones."""
    others = [at for at, letter in enumerate(source.axes) if letter not in "YX"]

    def is_flat(pixels: Any) -> bool:
        return all(pixels.shape[at] == source.pixels.shape[at] for at in others)

    return replace(source, levels=list(itertools.takewhile(is_flat, source.levels)))


def layout_of(source: SourceImage) -> Layout:
    """Return the layout of an image: T, C and Z also where it has but one."""
    sizes = source.sizes
    samples = sizes.get("S", 1)
    planes = {
        name: range(sizes.get(name, 1))
        for name in plane_order()
        if sizes.get(name, 1) > 1 or name in "TCZ"
    }
    shapes = [
        tuple(int(size) for size in pixels.shape) for pixels in (source.pixels, *source.levels)
    ]
    at = source.axes.index("Y"), source.axes.index("X")
    box = Rectangle(0, 0, sizes["X"], sizes["Y"])
    grids = []
    for number, shape in enumerate(shapes):
        height, width = (shape[axis] for axis in at)
        factor = _factor((sizes["Y"], sizes["X"]), (height, width))
        grids.append(LevelGrid(number, factor, box, width, height, _ALL_ZOOMS))
    dtype = np.dtype(source.pixels.dtype).newbyteorder("=")
    return Layout(planes, samples if samples > 1 else 0, tuple(grids), {}, dtype)


def _factor(full: tuple[int, int], reduced: tuple[int, int]) -> float:
    """Return how many times smaller a level is; a whole number where its size allows one.

    Of several, a power of two is likely: 90 x 70 pixels shrunk to 11 x 8 are 8 times smaller.
    """
    ratios = [whole / part for whole, part in zip(full, reduced)]
    whole_ones = [
        near
        for near in range(max(math.floor(min(ratios)), 1), math.ceil(max(ratios)) + 1)
        if all(abs(whole / near - part) < 1 for whole, part in zip(full, reduced))
    ]
    powers = [near for near in whole_ones if near & (near - 1) == 0]
    nearest = sorted(powers or whole_ones, key=lambda near: abs(near - max(ratios)))
    return float(nearest[0]) if nearest else max(ratios)


def _chunk_sizes(pixels: Any, axes: str) -> dict[str, int]:
    """Return the size of a chunk along each axis, as far as an array tells."""
    sizes = {}
    for letter, chunk in zip(axes, getattr(pixels, "chunks", None) or ()):
        sizes[letter] = int(chunk[0] if isinstance(chunk, tuple) else chunk)
    return sizes


def _selected(
    view: PixelView, axes: str, order: str, indices: Mapping[str, Sequence[int]]
) -> NDArray[Any]:
    """Return some indices along each dimension, in an order.

    One box is read; of planes that lie far apart, a box each.
    """
    for letter in axes:
        if letter in "YXS" or letter not in indices:
            continue
        planes, places = np.unique(np.asarray(indices[letter], np.intp), return_inverse=True)
        if len(planes) > 1 and np.ptp(planes) > 2 * len(planes):
            ones = [
                _selected(view, axes, order, {**indices, letter: [at]}) for at in planes.tolist()
            ]
            whole = np.concatenate(ones, order.index(letter))
            return np.take(whole, places, order.index(letter))
    keys, picks = [], []
    for letter, size in zip(axes, view.shape):
        wanted = np.asarray(indices.get(letter, range(size)), np.intp)
        low, high = int(wanted.min()), int(wanted.max()) + 1
        keys.append(slice(low, high))
        picks.append(wanted - low)
    found = view[tuple(keys)]
    for axis, picked in enumerate(picks):
        if not np.array_equal(picked, np.arange(found.shape[axis])):
            found = np.take(found, picked, axis)
    found = found.transpose([axes.index(letter) for letter in order if letter in axes] + [
        at for at, letter in enumerate(axes) if letter not in order
    ])  # fmt: skip
    sizes = iter(found.shape)
    shape = [next(sizes) if letter in axes else 1 for letter in order]
    found = found.reshape(shape)
    for axis, letter in enumerate(order):
        if letter not in axes and len(indices[letter]) != 1:
            found = np.repeat(found, len(indices[letter]), axis)
    return found


class _Window:
    """Reads a part of a lazy array; pickles as what is to be opened, and how."""

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
    image._index, image._level = scene, level
    return image
