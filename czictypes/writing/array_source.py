"""The axes of an array, and its pixels a region at a time.

Numpy, memory-mapped, dask, xarray, zarr, h5py, torch: none of these packages is imported. What is
asked of an array is a shape, a dtype, slicing that gives something numpy can read, and where it has
them its chunks.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.container.workers import Task, Workers, aside, settle
from czictypes.model.errors import InvalidArgumentError
from czictypes.model.geometry import DIMENSIONS

_DEFAULT = "TCZYX"
_NAMES = {
    "CHANNEL": "C",
    "CHANNELS": "C",
    "TIME": "T",
    "TIMEPOINT": "T",
    "DEPTH": "Z",
    "SCENE": "S",
    "HEIGHT": "Y",
    "WIDTH": "X",
}
_SAMPLES = ("S", "RGB", "BGR", "SAMPLE", "SAMPLES")
_AT_ONCE = 256 << 20  # bytes to fetch at once, unless one chunk is larger
_SMALLEST_SIDE = 256
_AHEAD = 32 << 20  # bytes of a region, of which several may be in memory at once
#: Packages whose arrays are read in threads of their own, with locks that an interrupt would break.
_WITH_THREADS = frozenset({"czictypes", "dask", "xarray", "zarr"})
_Spans = list[tuple[int, int]]


class Axes(NamedTuple):
    """The axes of an array, by their position in its shape.

    `planes` has the axis of each dimension that names a plane or scene, in the order of the array;
    `samples` is the axis of red, green and blue, None for gray.
    """

    planes: dict[str, int]
    y: int
    x: int
    samples: int | None

    def extent(self, shape: Sequence[int], letter: str) -> int:
        """Return the length of a dimension in an array of that shape; 1 without it."""
        return shape[self.planes[letter]] if letter in self.planes else 1


def checked_axes(text: Any) -> str:
    """Return the letters of axes as capitals; a TypeError says that they are no text."""
    if not isinstance(text, str):
        raise TypeError(f"axes has a letter for each axis, such as 'TCZYX', and is not {text!r}")
    return text.upper()


def parse_axes(text: str, shape: Sequence[int]) -> Axes:
    """Turn letters such as ``"TCZYX"`` or ``"YXS"`` into axes; a ValueError says what does not fit.

    An S at the end stands for the samples red, green and blue, anywhere else for scenes.
    """
    letters = checked_axes(text)
    if len(letters) != len(shape):
        raise ValueError(f"axes {text!r} has {len(letters)} letters for an array of shape {shape}")
    samples = len(letters) - 1 if letters.endswith("S") else None
    plain = letters[:samples]
    unknown = set(plain) - {*DIMENSIONS, "Y", "X"}
    if unknown or len(set(plain)) < len(plain) or not {"Y", "X"} <= set(plain):
        raise ValueError(
            f"axes {text!r} must have Y and X, and some of {', '.join(DIMENSIONS)} beside them, "
            "each once; S at the end stands for red, green and blue"
        )
    if samples is not None and shape[samples] not in (1, 3):
        raise ValueError(
            f"axes {text!r} of shape {tuple(shape)}: {shape[samples]} samples of a pixel cannot be "
            "written, but 1 (gray) or 3 (red, green, blue); leave out what is transparency"
        )
    planes = {letter: at for at, letter in enumerate(plain) if letter not in "YX"}
    return Axes(planes, plain.index("Y"), plain.index("X"), samples)


def own_axes(array: Any) -> str:
    """Return the axes that an array names, as xarray's and h5py's do; otherwise the default."""
    names = [getattr(one, "label", one) for one in getattr(array, "dims", ())]
    return _axes_from_names(names) if names and all(names) else _default_axes(array.shape)


def _default_axes(shape: Sequence[int]) -> str:
    """Return the last letters of ``TCZYX``, before S if the last axis has three places.

    Four places are refused: they are colours with an alpha far more often than images of four
    columns.
    """
    if len(shape) > 2 and shape[-1] == 4 < min(shape[-3:-1]):
        raise InvalidArgumentError(
            f"an array of shape {tuple(shape)} seems to have red, green, blue and alpha "
            "(transparency), which cannot be written; leave the alpha out (array[..., :3]), or "
            f"give axes={_DEFAULT[-len(shape) :]!r} if it has images of 4 columns"
        )
    is_colour = len(shape) > 2 and shape[-1] == 3
    count = len(shape) - is_colour
    if not 2 <= count <= len(_DEFAULT):
        raise ValueError(f"an array of shape {tuple(shape)} needs axes=, such as 'STCZYX'")
    return _DEFAULT[-count:] + "S" * is_colour


def _axes_from_names(names: Sequence[object]) -> str:
    """Return the letters for the names of dimensions: ``time``, ``C``, ``rgb``..."""
    upper = [str(name).upper() for name in names]
    letters = []
    for position, name in enumerate(upper):
        if position == len(upper) - 1 and name in _SAMPLES:
            letters.append("S")
        elif len(name) == 1 or name in _NAMES:
            letters.append(_NAMES.get(name, name))
        else:
            raise ValueError(
                f"the dimension {names[position]!r} is not known; rename it to one of "
                f"{', '.join((*DIMENSIONS, 'Y', 'X'))} or give axes="
            )
    return "".join(letters)


class _Region(NamedTuple):
    """A part that is fetched at once: first and end of the planes, the rows and the columns."""

    block: Sequence[tuple[int, int]]
    rows: tuple[int, int]
    columns: tuple[int, int]


class Part(NamedTuple):
    """A tile of a plane: the plane by dimension, the position, pixels (h, w, samples)."""

    plane: dict[str, int]
    x: int
    y: int
    pixels: NDArray[Any]


def as_array(array: Any) -> Any:
    """Return an object with a shape, a numpy dtype and slices: the array itself, or numpy's view.

    Arrays of other packages (torch, whatever follows Python's array API standard) are taken over by
    DLPack, without a copy where they are in main memory. One without pixels, or of unknown shape,
    raises a ValueError.
    """
    given = array
    if not (hasattr(array, "shape") and hasattr(array, "dtype") and hasattr(array, "__getitem__")):
        array = np.asarray(array)
    elif not isinstance(array.dtype, np.dtype):
        take = getattr(np, "from_dlpack", None) if hasattr(array, "__dlpack__") else None
        array = np.asarray(array) if take is None else take(array)
    if not array.shape and array.dtype.kind in "OUS":
        kind = type(given).__name__
        raise TypeError(f"an array of pixels is needed, not an object of type {kind}")
    if any(size != size for size in array.shape):
        raise ValueError(
            f"the shape {array.shape} of the array is not known; call its compute_chunk_sizes()"
        )
    if math.prod(array.shape) == 0:
        raise ValueError(f"an array of shape {array.shape} has no pixels")
    return array


class ArraySource:
    """The tiles of an array; each chunk of it is fetched once.

    A region is fetched at once that consists of whole chunks and is about as large as a tile, with
    all planes that its chunks go through; then it is cut. Up to `readers` threads fetch regions
    ahead, where these are not large and the array can be read by several threads.
    """

    def __init__(self, array: Any, axes: Axes, tile: int, readers: int = 1) -> None:
        self._readers = readers
        self._array = array
        self._axes = axes
        self._tile = tile
        self._pixel = int(array.dtype.itemsize) * (1 if axes.samples is None else 3)  # bytes
        shape, chunks = array.shape, _chunks(array)
        self._letters = list(axes.planes)
        self._blocks = [
            _single(shape[at]) if chunks is None else _spans(chunks[at], 1)
            for at in axes.planes.values()
        ]
        side = self._side()
        self._rows, self._columns = (
            _equal(shape[at], side) if chunks is None else _spans(chunks[at], side)
            for at in (axes.y, axes.x)
        )

    def __len__(self) -> int:
        """Return how many tiles there are."""
        tiles = sum(len(_equal(end - start, self._tile)) for start, end in self._rows)
        tiles *= sum(len(_equal(end - start, self._tile)) for start, end in self._columns)
        shape = self._array.shape
        return tiles * math.prod(int(shape[at]) for at in self._axes.planes.values())

    def __iter__(self) -> Generator[Part, None, None]:
        with closing(self._fetched()) as fetched:  # so that its threads end with this iteration
            for region, pixels in fetched:
                left, top = region.columns[0], region.rows[0]
                for place in np.ndindex(pixels.shape[:-3]):
                    plane = {
                        letter: start + offset
                        for letter, (start, _), offset in zip(self._letters, region.block, place)
                    }
                    yield from self._cut(plane, left, top, pixels[place])

    def _regions(self) -> Iterator[_Region]:
        for block in itertools.product(*self._blocks):
            for rows, columns in itertools.product(self._rows, self._columns):
                yield _Region(block, rows, columns)

    def _fetched(self) -> Generator[tuple[_Region, NDArray[Any]], None, None]:
        """Yield the regions in their order; several are fetched ahead where the array allows it."""
        if self._readers < 2 or self._largest() > _AHEAD:
            for region in self._regions():
                yield region, self._fetch(*region)
            return
        coming: deque[tuple[_Region, Task[NDArray[Any]]]] = deque()
        workers = Workers(self._readers, "czictypes-fetch")
        try:
            for region in self._regions():
                task = Task(partial(self._fetch, *region))
                coming.append((region, task))
                workers.submit(task)
                if len(coming) > self._readers:
                    first, pixels = coming.popleft()
                    yield first, pixels.result()
            while coming:
                first, pixels = coming.popleft()
                yield first, pixels.result()
        finally:
            settle([task for _, task in coming], stop=True)
            workers.close()

    def _largest(self) -> int:
        """Return how many bytes a region has at most."""
        return self._pixel * _longest(*self._blocks, self._rows, self._columns)

    def _fetch(
        self, block: Sequence[tuple[int, int]], rows: tuple[int, int], columns: tuple[int, int]
    ) -> NDArray[Any]:
        """Return a region as (planes..., h, w, samples)."""
        axes = self._axes
        key: list[slice] = [slice(None)] * len(self._array.shape)
        for at, span in zip(axes.planes.values(), block):
            key[at] = slice(*span)
        key[axes.y], key[axes.x] = slice(*rows), slice(*columns)
        read = partial(_read, self._array, tuple(key))
        package = type(self._array).__module__.partition(".")[0]
        found = aside(read) if package in _WITH_THREADS else read()
        order = [*axes.planes.values(), axes.y, axes.x]
        if axes.samples is None:
            found = found[..., np.newaxis]
        pixels: NDArray[Any] = found.transpose(*order, found.ndim - 1)
        return pixels

    def _cut(self, plane: dict[str, int], x: int, y: int, pixels: NDArray[Any]) -> Iterator[Part]:
        for top, bottom in _equal(pixels.shape[0], self._tile):
            for left, right in _equal(pixels.shape[1], self._tile):
                yield Part(plane, x + left, y + top, pixels[top:bottom, left:right])

    def _side(self) -> int:
        """Return how long the sides of a region may be to fit into memory."""
        size, side = self._pixel * _longest(*self._blocks), self._tile
        while side > _SMALLEST_SIDE and size * side * side > _AT_ONCE:
            side //= 2
        return side


def _read(array: Any, key: tuple[slice, ...]) -> NDArray[Any]:
    part = array[key]
    # dask's own conversion to numpy drops the mask of a masked array
    found: NDArray[Any] = np.asanyarray(part.compute() if hasattr(part, "compute") else part)
    return found


def _chunks(array: Any) -> list[Sequence[int]] | None:
    """Return the sizes of an array's chunks along each axis; None where it has none."""
    chunks = getattr(array, "chunks", None)
    if not chunks:
        return None
    return [
        chunk if isinstance(chunk, Sequence) else _regular(size, int(chunk))
        for size, chunk in zip(array.shape, chunks)
    ]


def _regular(size: int, chunk: int) -> list[int]:
    whole, rest = divmod(size, chunk)
    return [chunk] * whole + [rest] * bool(rest)


def _longest(*axes: _Spans) -> int:
    """Return how many pixels there are in the longest spans of some axes together."""
    return math.prod(max(end - start for start, end in spans) for spans in axes)


def _single(size: int) -> _Spans:
    return [(at, at + 1) for at in range(size)]


def _equal(size: int, longest: int) -> _Spans:
    """Cut into parts of about equal size."""
    count = -(-size // longest)
    bounds = [size * number // count for number in range(count + 1)]
    return list(zip(bounds, bounds[1:]))


def _spans(chunks: Sequence[int], longest: int) -> _Spans:
    """Join neighbouring chunks as long as they are no longer than that together."""
    spans: _Spans = []
    start = end = 0
    for chunk in chunks:
        if end > start and end + chunk - start > longest:
            spans.append((start, end))
            start = end
        end += chunk
    return [*spans, (start, end)]
