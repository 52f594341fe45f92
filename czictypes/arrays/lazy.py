"""Dask arrays of a document: their chunks, and their tasks, which open the file by themselves."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import astuple
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.layout import Dimensions, Layout, Selection
from czictypes.arrays.read import ImageSelection
from czictypes.arrays.reader_pool import reader_pool
from czictypes.model.errors import ClosedError
from czictypes.model.geometry import ABSENT, whole_number
from czictypes.model.lazy import require
from czictypes.model.pixel_types import Compression
from czictypes.reading.document import OpenDocument
from czictypes.reading.levels import LevelGrid
from czictypes.reading.reader import CziReader, ReaderArguments, open_document_of, reopen
from czictypes.reading.table import SubBlockTable

#: The sizes of the chunks along each dimension.
Chunks = tuple[tuple[int, ...], ...]

#: From one tile to the next, down and to the right; and whether tiles may be cut.
Steps = tuple[tuple[int, int], bool]

_DOING = "lazy arrays"
#: A plane of at most so many bytes is one chunk; otherwise chunks have about half as many.
_MOST = 64 << 20
#: So many planes of together at most so many bytes are one chunk: dask takes 0.3 ms for a task.
_PLANES, _TOGETHER = 256, 4 << 20


def lazy_array(reader: CziReader, shown: ImageSelection, level: int, chunks: Any) -> Any:
    """Return a level of an image as a dask array; `chunks` are those of `CziImage.to_dask`."""
    require("dask.array", extra="dask", doing=_DOING)
    tokenize = require("dask.base", extra="dask", doing=_DOING).tokenize
    from czictypes.arrays.windows import windowed_array  # needs dask

    with open_document_of(reader) as document:
        layout = shown.layout(document)
        layout.check_extent()
        dims, dtype = layout.dims(level), layout.dtype
        native = native_chunks(document, shown, level)
        source = document.source
        identity = source.opened_identity() or uuid4().hex, source.size(), document.name
    sizes = normalized_chunks(dims, dtype, chunks, native)
    opened = reader.arguments
    options = opened.file_input_type, opened.cache_options, opened.reader_options, opened.parts
    read = _WindowRead(opened, _key(opened), shown, level, reader)
    hashed = [np.array(along) for along in sizes]  # by their bytes: there may be very many
    name = f"czi-{tokenize(identity, options, astuple(shown), level, hashed)}"
    return windowed_array(read, dims.order, sizes, dtype, name, is_fresh=True)


class _WindowRead:
    """Reads a part of an array; pickles as what is to be opened, and how.

    In its own process it uses the reader of the image as long as that is open.
    """

    def __init__(
        self,
        opened: ReaderArguments,
        key: str,
        shown: ImageSelection,
        level: int,
        reader: CziReader | None = None,
    ) -> None:
        self._opened, self._key, self._shown, self._level = opened, key, shown, level
        self._reader: Callable[[], CziReader | None] = lambda: None
        if reader is None:
            return
        if _is_file_object(opened):
            self._reader = lambda: reader  # nobody can open it once more
        else:
            self._reader = weakref.ref(reader)
            reader_pool().hold(key, self)

    def __reduce__(self) -> tuple[Any, ...]:
        if _is_file_object(self._opened):
            raise TypeError(
                "a lazy array of a file object works only in the process that made it, as the "
                "object cannot be sent to another; open the CZI by its path or URL, or compute "
                "with threads"
            )
        return _WindowRead, (self._opened, self._key, self._shown, self._level)

    def __call__(self, selection: Mapping[str, Selection]) -> NDArray[Any]:
        """Return pixels, read in the calling thread alone: others have tasks of their own."""
        reader = self._reader()
        if reader is not None and not reader.closed:
            try:
                return self._read(reader, selection)
            except ClosedError:
                if _is_file_object(self._opened):
                    raise
        if _is_file_object(self._opened):
            raise ClosedError("the image of this lazy array was closed, and its file object")
        with reader_pool().use(self._key, lambda: reopen(self._opened)) as shared:
            return self._read(shared, selection)

    def _read(self, reader: CziReader, selection: Mapping[str, Selection]) -> NDArray[Any]:
        with open_document_of(reader) as document:
            return self._shown.read(
                document, lambda layout: layout.region(selection, self._level), threads=1
            )


def hand_over(reader: CziReader) -> None:
    """Leave a reader to the lazy arrays made of it, which close it with the last of them.

    The reader of a file object simply stays open, as it cannot be opened again.
    """
    if not _is_file_object(reader.arguments):
        reader_pool().adopt(_key(reader.arguments), reader)


def _key(opened: ReaderArguments) -> str:
    """Return the key of a reader: the same for all that are opened alike."""
    if _is_file_object(opened):
        return uuid4().hex
    key: str = require("dask.base", extra="dask", doing=_DOING).tokenize(opened)
    return key


def _is_file_object(opened: ReaderArguments) -> bool:
    return hasattr(opened.filepath, "read") and hasattr(opened.filepath, "seek")


def take_lazily(array: Any, order: str, selection: Mapping[str, Selection]) -> Any:
    """Return part of a dask array; a selection as `CziImage.read_block` takes it."""
    for axis, name in reversed(list(enumerate(order))):
        item = selection.get(name, slice(None))
        if isinstance(item, range):
            item = slice(item.start, item.stop, item.step) if item.step > 0 else list(item)
        array = array[(slice(None),) * axis + (item,)]
    return array


def normalized_chunks(
    dims: Dimensions, dtype: np.dtype[Any], chunks: Any, native: Mapping[str, int]
) -> Chunks:
    """Return the sizes of the chunks along each dimension of an array.

    `chunks` are whatever dask takes as chunks, or a mapping from names of dimensions. None, and
    dimensions left out, mean the native chunks, whose size along each dimension is given.

    Raises
    ------
    ValueError
        For a dimension that the array does not have, or chunks that do not fit it.
    """
    core = require("dask.array.core", extra="dask", doing=_DOING)
    if chunks is None:
        chunks = {}
    if isinstance(chunks, np.ndarray):
        chunks = chunks.tolist()
    if isinstance(chunks, Mapping):
        letters = list(dims)
        chunks = {
            letters[name] if isinstance(name, int) and name < len(letters) else name: size
            for name, size in chunks.items()
        }
        unknown = [str(name) for name in chunks if name not in dims]
        if unknown:
            raise ValueError(
                f"there is no dimension {', '.join(unknown)}; they are {', '.join(dims)}"
            )
        chunks = tuple(chunks.get(name, native[name]) for name in dims)
    if wrong := _wrong_size(dims, chunks):
        raise ValueError(
            f"chunks={chunks!r} do not fit {dict(dims.items())}: {wrong} is no size; give a number "
            "of pixels above 0, -1 for all, 'auto', a size in bytes such as '64 MiB', or by "
            "dimension, such as {'Z': 1, 'Y': 512}"
        )
    plain = core.normalize_chunks(tuple(native.values()), dims.shape, dtype=dtype)
    try:
        sizes: Chunks = core.normalize_chunks(
            chunks, dims.shape, dtype=dtype, previous_chunks=plain
        )
    except (ValueError, ZeroDivisionError) as error:  # dask's words for what it cannot cut
        raise ValueError(f"chunks={chunks!r} do not fit {dict(dims.items())}: {error}") from error
    return sizes


def _wrong_size(dims: Dimensions, chunks: Any) -> str:
    """Return what dask would take for a size, or fail at, although it is none; "" if all are."""
    if not isinstance(chunks, (tuple, list)):
        return "" if _is_size(chunks) else repr(chunks)
    if len(chunks) != len(dims):  # as dask tells
        return ""
    for name, one in zip(dims, chunks):
        many = one if isinstance(one, (tuple, list)) else ()
        wrong = [size for size in many if not _is_size(size, least=0)]
        if not many and one is not None and not _is_size(one):
            wrong = [one]
        if wrong:
            return f"{wrong[0]!r} along {name}"
    return ""


def _is_size(size: Any, least: int = 1) -> bool:
    """Return whether something is the size of chunks, or (from `least` 0 on) of one chunk."""
    if least and isinstance(size, str):
        return not size.isdecimal()  # such as "auto"
    try:
        number = whole_number(size)
    except TypeError:
        return False
    return number >= least or (number == -1 and least > 0)


def native_chunks(document: OpenDocument, shown: ImageSelection, level: int) -> dict[str, int]:
    """Return the chunk size along each dimension of a level that the file's tiles make cheap.

    A plane of up to 64 MB is one chunk, together with its neighbours along Z (or T, without a Z) if
    they have at most 4 MB. A larger plane is cut into chunks of 16 to 64 MB along the borders of
    tiles, so that no tile is read for two of them. One tile larger than that is a chunk, or is cut
    into bands of rows where it is not compressed.
    """
    layout, table = shown.layout(document), document.table

    def tiles() -> Steps:
        grid = layout.grid(level)
        members = _tiles(table, grid, shown.scene)
        stored = table.directory.compression[members] == Compression.Uncompressed.value
        return _step(table, grid, members), bool(stored.all())

    return chunks_of_planes(layout, level, None if "M" in layout.planes else tiles)


def chunks_of_planes(
    layout: Layout, level: int, tiles: Callable[[], Steps] | None
) -> dict[str, int]:
    """Return the chunk size along each dimension: small planes, a plane, or a part of a large one.

    `tiles` gives the steps of the tiles of a large plane; None where all planes stay whole.
    """
    grid, pixel = layout.grid(level), layout.dtype.itemsize * max(layout.samples, 1)
    extent = grid.height, grid.width
    if tiles is not None and grid.height * grid.width * pixel > _MOST:
        step, can_cut = tiles()
        extent = extent_of_chunks(extent, step, pixel, can_cut=can_cut)
    sizes = {"Y": extent[0], "X": extent[1], "S": layout.samples}
    along = "Z" if len(layout.planes["Z"]) > 1 else "T"
    planes = len(layout.planes[along])
    most = min(max(_TOGETHER // (grid.height * grid.width * pixel), 1), _PLANES)
    if "M" not in layout.planes:
        sizes[along] = -(-planes // -(-planes // most))  # as equal as can be
    return {name: sizes.get(name, 1) for name in layout.dims(level)}


def extent_of_chunks(
    size: tuple[int, int], step: tuple[int, int], pixel: int, *, can_cut: bool
) -> tuple[int, int]:
    """Return height and width of the chunks of a plane, given the bytes of a pixel."""
    area = _MOST // 2 // pixel
    step = min(step[0], size[0]), min(step[1], size[1])
    if step[0] * step[1] > 2 * area and can_cut:
        return max(area // step[1], 1), step[1]
    width = _whole(min(int(area**0.5), area // step[0]), step[1], size[1])
    height = _whole(area // width, step[0], size[0])
    if height == size[0]:  # a low plane: longer chunks
        width = _whole(area // height, step[1], size[1])
    return height, width


def _whole(pixels: int, step: int, size: int) -> int:
    """Round a number of pixels down to whole steps: at least one, at most the size."""
    return min(max(pixels // step, 1) * step, size)


def _tiles(table: SubBlockTable, grid: LevelGrid, scene: int | None) -> NDArray[np.intp]:
    """Return the tiles of a level; those of the pyramid need not have a scene."""
    chosen = table.levels == grid.number
    if scene is not None:
        own = table.directory.scene
        chosen &= (own == scene) | (own == ABSENT)
    return np.flatnonzero(chosen)


def _step(table: SubBlockTable, grid: LevelGrid, members: NDArray[np.intp]) -> tuple[int, int]:
    """Return the usual distance of a tile from the next one, in pixels of the level."""
    rows = table.directory
    return (
        _distance(rows.y[members], rows.stored_h[members], grid.factor, grid.height),
        _distance(rows.x[members], rows.stored_w[members], grid.factor, grid.width),
    )


def _distance(
    start: NDArray[np.int32], stored: NDArray[np.int32], factor: float, extent: int
) -> int:
    if not len(start):
        return extent
    usual = _most_common(stored)
    starts = np.unique(np.rint(start / factor).astype(np.int64))
    step = _most_common(np.diff(starts)) if len(starts) > 1 else usual
    # The distances of tiles that lie anywhere mean nothing.
    return step if usual // 2 < step <= 2 * usual else max(usual, 1)


def _most_common(values: NDArray[np.generic]) -> int:
    found, counts = np.unique(values, return_counts=True)
    return int(found[counts.argmax()])
