"""The data of the bioio reader: lazy pixels, and metadata as in bioio-czi."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Union

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import DTypeLike, NDArray

from czictypes.arrays.image import CziImage
from czictypes.arrays.layout import Selection, is_index
from czictypes.arrays.reader_pool import ReaderPool
from czictypes.metadata.xml import parse
from czictypes.model.errors import CorruptFileError
from czictypes.reading.names import scene_infos
from czictypes.reading.reader import CziReader, open_document_of
from czictypes.reading.subblock import matching, sub_block_info

_ALL = slice(None)
_Read = Callable[[Mapping[str, Selection]], NDArray[Any]]


def closing_array(image: CziImage, path: str, level: int, chunks: Any, **options: Any) -> Any:
    """Return a level of an image as a dask array that opens its local file for each read.

    That of `CziImage.to_dask` keeps the file open. The options are those of `CziReader`.
    """
    from czictypes.arrays.windows import windowed_array  # needs dask

    plain = image.to_dask(level, chunks)
    order = image.dims.order
    read = _WindowRead(path, image.current_scene_index, "M" not in order, level, options)
    name = f"bioio-{plain.name}"
    return windowed_array(read, order, plain.chunks, plain.dtype, name, is_fresh=True)


class _WindowRead:
    """Reads parts of a level; the file is open only while one is being read."""

    def __init__(
        self, path: str, scene: int | None, mosaic: bool, level: int, options: Mapping[str, Any]
    ) -> None:
        self._arguments = (path, scene, mosaic, level, dict(options))
        self._readers = ReaderPool(most=0)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the arguments."""
        return _WindowRead, self._arguments

    def __call__(self, selection: Mapping[str, Selection]) -> NDArray[Any]:
        """Return pixels, read in the calling thread alone: others have tasks of their own."""
        path, scene, mosaic, level, options = self._arguments
        with self._readers.use(path, lambda: CziReader(path, **options)) as reader:
            image = CziImage(reader, scene, mosaic=mosaic)
            return image.read_block(selection, level=level, threads=1)


class PixelsOnDemand(NDArrayOperatorsMixin):
    """A numpy-like array that reads only the part that is indexed by slices, numbers or a list.

    Everything else that numpy can do with an array reads all of it, once: functions, operators,
    methods, `numpy.asarray`. Whatever comes out is a plain numpy array.

    `BioImage` asks for a whole stitched mosaic, brings its axes into order and takes a window of
    that for `get_image_data`; so the first two steps give an object of this class again.
    `read` gives the pixels of a selection, as `CziImage.read_block` takes it, and must pickle.
    """

    def __init__(self, read: _Read, sizes: Mapping[str, int], dtype: np.dtype[Any]) -> None:
        self._read, self._sizes, self.dtype = read, dict(sizes), dtype
        self._fixed: dict[str, Selection] = {}
        self._in_order = False
        self._whole: NDArray[Any] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The size along each axis."""
        return tuple(self._sizes.values())

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._sizes)

    @property
    def size(self) -> int:
        """The number of samples."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        """The size of all pixels in bytes."""
        return self.size * self.dtype.itemsize

    def __repr__(self) -> str:
        sizes = " ".join(f"{name}={size}" for name, size in self._sizes.items())
        return f"<{self.dtype} pixels {sizes}, read when they are used>"

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all pixels; they are read once."""
        if self._whole is None:
            self._whole = self._read(self._fixed)
        whole = self._whole.astype(dtype or self.dtype, copy=False)
        return whole.copy() if copy else whole

    def __getitem__(self, index: Any) -> Any:
        """Return a part as a numpy array; only that is read, unless all pixels have been."""
        items = _one_for_each_axis(index, self.ndim)
        if items is None or self._whole is not None:
            return np.asarray(self)[index]
        if not self._in_order and all(_is_all(item) or is_index(item) for item in items):
            return self._reduced(items)
        selection = {**self._fixed, **dict(zip(self._sizes, items))}
        parts = ((at, n) for at, n in zip(items, self.shape) if isinstance(at, slice))
        if any(not len(range(*part.indices(n))) for part, n in parts):
            return np.broadcast_to(np.empty((), self.dtype), self.shape)[index].copy()
        return _as_numpy_orders(self._read(selection), items)

    def __setitem__(self, index: Any, value: Any) -> None:
        """Change pixels in memory, as in any array; the file stays as it is."""
        np.asarray(self)[index] = value

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return iter(np.asarray(self))

    def __bool__(self) -> bool:
        return bool(np.asarray(self))

    def __getattr__(self, name: str) -> Any:
        """Return any other attribute of numpy arrays."""
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(np.asarray(self), name)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **more: Any) -> Any:
        """Do what numpy does with all pixels."""
        return getattr(ufunc, method)(*_plain(inputs), **_plain(more))

    def __array_function__(self, function: Any, types: Any, inputs: Any, more: Any) -> Any:
        """Do what numpy does with all pixels."""
        return function(*_plain(inputs), **_plain(more))

    def transpose(self, *axes: Any) -> Any:
        """Return the array with its axes in another order; unread if that is the same order."""
        order = axes[0] if len(axes) == 1 and isinstance(axes[0], (tuple, list)) else axes
        if self._whole is not None or tuple(order) != tuple(range(self.ndim)):
            return np.asarray(self).transpose(*axes)
        found = self.copy()
        found._in_order = True
        return found

    def copy(self, order: str = "C") -> Any:
        """Return a copy, which is unread if this array is."""
        if self._whole is not None:
            return np.array(self._whole, order=order)  # type: ignore[call-overload]
        return self._reduced([_ALL] * self.ndim)

    def _reduced(self, items: list[Any]) -> PixelsOnDemand:
        """Return the array at some indices, still unread."""
        kept = {name: n for (name, n), item in zip(self._sizes.items(), items) if _is_all(item)}
        found = PixelsOnDemand(self._read, kept, self.dtype)
        chosen = {name: item for name, item in zip(self._sizes, items) if name not in kept}
        found._fixed, found._in_order = {**self._fixed, **chosen}, self._in_order
        return found


def _one_for_each_axis(index: Any, count: int) -> list[Any] | None:
    """Return an index as one item for each axis; None if that takes the rules of numpy."""
    items = list(index) if isinstance(index, tuple) else [index]
    lists = [item for item in items if isinstance(item, (list, np.ndarray))]
    if len(lists) > 1 or any(np.ndim(item) != 1 or _is_mask(item) for item in lists):
        return None
    at = [number for number, item in enumerate(items) if item is Ellipsis]
    if at and lists and any(is_index(item) for item in items):
        return None  # even one that stands for no axis is between others
    if at:
        items[at[0] : at[0] + 1] = [_ALL] * (count - len(items) + 1)
    items += [_ALL] * (count - len(items))
    is_known = all(isinstance(item, (slice, list, np.ndarray)) or is_index(item) for item in items)
    is_mask = any(isinstance(item, (bool, np.bool_)) for item in items)
    return items if is_known and not is_mask and len(items) == count else None


def _as_numpy_orders(pixels: NDArray[Any], items: Sequence[Any]) -> NDArray[Any]:
    """Put the axis of a list first where numpy does: if a slice separates it from a number."""
    chosen = [number for number, item in enumerate(items) if not isinstance(item, slice)]
    lists = [number for number in chosen if not is_index(items[number])]
    if not lists or chosen[-1] - chosen[0] < len(chosen):
        return pixels
    axis = sum(isinstance(item, slice) for item in items[: lists[0]])
    return np.moveaxis(pixels, axis, 0)


def _is_all(item: Any) -> bool:
    return isinstance(item, slice) and item == _ALL


def _is_mask(item: Any) -> bool:
    return not len(item) or np.asarray(item).dtype.kind not in "iu"


def _plain(value: Any) -> Any:
    """Replace lazy arrays by those of numpy, in lists and mappings too."""
    if isinstance(value, PixelsOnDemand):
        return np.asarray(value)
    if isinstance(value, (tuple, list)):
        return type(value)(map(_plain, value))
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return value


#: Places by the letters of dimensions, and the time.
AcquisitionTime = dict[str, Union[int, datetime]]

#: The dimensions of sub-blocks, the one that changes last first.
_ORDER = "BVHIRSTCZM"
#: The arguments of a reader besides those of its signature.
_OPTIONS = ("cache_options", "parts", "reader_options", "threads")


def check_options(options: Mapping[str, Any]) -> None:
    """Raise a TypeError for an argument that the reader does not have."""
    if "stream_options" in options:
        raise TypeError(
            "stream_options belong to libCZI's own web access, which czictypes does not use; for "
            'a URL, give fs_kwargs, such as {"headers": {"Authorization": "Bearer ..."}}'
        )
    unknown = ", ".join(sorted(set(options) - set(_OPTIONS)))
    if unknown:
        raise TypeError(
            f"the reader has no argument {unknown}; besides those of its signature it takes "
            f"{', '.join(_OPTIONS)}"
        )


def element_of(image: CziImage) -> Any:
    """Return the root of the document's XML; its text where it is not well-formed."""
    text = image.reader.raw_metadata
    try:
        return parse(text)
    except CorruptFileError:
        return text


def names_with_wells(image: CziImage) -> tuple[str, ...]:
    """Return the names of the scenes with their wells, unless two would become equal."""
    numbers: list[int | None] = list(image.reader.scenes_bounding_rectangle) or [None]
    with open_document_of(image.reader) as document:
        infos = scene_infos(document)
    names = list(map(str, image.scenes))
    for place, number in enumerate(numbers):
        info = infos.get(number)
        if info is not None and info.well is not None and info.well.name:
            names[place] = f"{info.name or names[place]}-{info.well.name}"
    unique = len(set(names)) == len(names)
    return tuple(names) if unique else tuple(map(str, image.scenes))


def has_channels(image: CziImage) -> bool:
    """Return whether an image is gray, or its file has channels beside the colours."""
    with open_document_of(image.reader) as document:
        return "C" in document.table.plane_bounds or "S" not in image.dims.order


def _places(
    reader: CziReader, where: Mapping[str, int] | None = None, scene: int | None = None
) -> list[tuple[int, dict[str, int]]]:
    """Return the index and the place of the sub-blocks in full resolution, in their order.

    If a sub-block holds several planes, its place is that of the first one that is wanted.
    """
    wanted = dict(where or {}, **({} if scene is None else {"S": scene}))
    m = wanted.pop("M", None)
    found: dict[int, dict[str, int]] = {}
    with open_document_of(reader) as document:
        table = document.table
        is_mosaic = table.m_bounds is not None and table.m_bounds[1] > 1
        for row in matching(table, coordinate=wanted, roi=None, only_layer0=True):
            index, place = table.rows.sub_block_of(row), table.directory.coordinate(row)
            info = sub_block_info(table, index)
            if is_mosaic and info.is_mindex_valid():
                place["M"] = info.mIndex
            if m is None or info.mIndex == m:
                found.setdefault(index, dict(sorted(place.items())))
    return sorted(found.items(), key=lambda one: [one[1].get(letter, 0) for letter in _ORDER])


def _moments(reader: CziReader, indices: Iterable[int]) -> dict[int, datetime]:
    """Return the acquisition times of sub-blocks, as far as they are known."""
    indices = list(indices)
    told = reader.subblock_metadata(["acquisition_time"], indices=indices)
    return {
        index: moment.replace(tzinfo=timezone.utc)
        for index, moment in zip(indices, told["acquisition_time"].tolist())
        if moment is not None
    }


def sub_blocks(
    reader: CziReader, scene: int | None = None, where: Mapping[str, int] | None = None
) -> Iterator[tuple[dict[str, int], str]]:
    """Yield the place and the XML of each sub-block that has XML."""
    places = dict(_places(reader, where, scene))
    texts = reader.subblock_metadata(["xml"], indices=list(places))["xml"]
    return ((place, text) for place, text in zip(places.values(), texts) if text)


def as_element(sub_blocks: Iterator[tuple[dict[str, int], str]]) -> ET.Element:
    """Return the XML of sub-blocks as one element, without any that is not well-formed."""
    root = ET.Element("Subblocks")
    for place, text in sub_blocks:
        one = ET.SubElement(root, "Subblock", {name: str(at) for name, at in place.items()})
        try:
            one.append(parse(text))
        except CorruptFileError:
            continue
    return root


def acquisition_times(image: CziImage) -> list[AcquisitionTime]:
    """Return the place and the acquisition time of each tile of a scene that has one."""
    places = dict(_places(image.reader, scene=image.scene_number))
    moments = _moments(image.reader, places)
    return [
        {**place, "acquisition_time": moments[index]}
        for index, place in places.items()
        if index in moments
    ]


def duration_of(image: CziImage) -> timedelta | None:
    """Return the time from the first T to the last one, between the first tiles of each."""
    if image.sizes["T"] < 2:
        return None
    start, stop = image.reader.total_bounding_box["T"]
    ends = []
    for at in (start, stop - 1):
        indices = [index for index, _ in _places(image.reader, {"T": at}, image.scene_number)]
        ends += [min(_moments(image.reader, indices).values(), default=None)]
    first, last = ends
    if first is not None and last is not None:
        return last - first
    times = image.time_stamps
    return None if not times else timedelta(seconds=times[-1] - times[0])
