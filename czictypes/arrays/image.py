"""CziImage: a CZI as an N-d array, scene by scene."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from czictypes.arrays import labelled
from czictypes.arrays.described import ImageDescription
from czictypes.arrays.dimensions import Dimensions
from czictypes.arrays.layout import Layout, Selection
from czictypes.arrays.lazy import lazy_array
from czictypes.arrays.levels import Level
from czictypes.arrays.pixels import read_pixels
from czictypes.arrays.scene_layout import channel_types, common_dtype, scene_layout
from czictypes.arrays.scene_names import find_scene, scene_names
from czictypes.model.options import CacheOptions, ReaderFileInputTypes, ReaderOptions
from czictypes.reading.blocks import open_document_of
from czictypes.reading.document import OpenDocument
from czictypes.reading.reader import CziReader, Source

__all__ = ["ALL_SCENES", "CziImage"]

#: Names the image of all scenes in one plane.
ALL_SCENES = "all"


class CziImage(ImageDescription):
    """A CZI as an N-d array, one scene at a time; mosaics come stitched.

    The dimensions are T, C, Z, Y and X, and S (red, green, blue) for colour images. V, H, I, R
    and B come before them where the document has more than one value of them. Channels of
    different pixel types come in the dtype that holds them all; gray ones among colour ones have
    the same value in all samples. Where the file has no pixels, they are 0.

    Parameters
    ----------
    source
        A path, a URL, a binary file object, or a `CziReader`, which stays the caller's to close.
    scene
        Its index or its name; ``"all"`` for all scenes in one plane; by default the first.
    storage_options
        For a URL: what fsspec is to know.
    cache_options, reader_options, threads
        As for `CziReader`.

    Raises
    ------
    FileNotFoundError, CorruptFileError
        As `CziReader`.
    OutOfBoundsError
        If there is no such scene.
    """

    def __init__(
        self,
        source: Source | CziReader,
        scene: int | str | None = None,
        *,
        storage_options: Mapping[str, Any] | None = None,
        cache_options: CacheOptions | None = None,
        reader_options: ReaderOptions | None = None,
        threads: int | None = None,
    ) -> None:
        self._arguments = (source, storage_options, cache_options, reader_options, threads)
        self._owns = not isinstance(source, CziReader)
        self._reader = source if isinstance(source, CziReader) else _open(*self._arguments)
        self._scene: int | None = None
        self._is_all = False
        try:
            self.set_scene(0 if scene is None else scene)
        except BaseException:
            self.close()
            raise

    def __reduce__(self) -> tuple[Callable[..., CziImage], tuple[Any, ...]]:
        """Pickle as what was opened and how, and the scene."""
        scene = ALL_SCENES if self._is_all else self.current_scene_index
        return _reopen, (self._arguments, scene)

    def __enter__(self) -> CziImage:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if self.closed:
            return f"<closed CziImage of {self._reader!r}>"
        return f"<CziImage {self.current_scene!r} {dict(self.sizes)} {self.dtype}>"

    @property
    def reader(self) -> CziReader:
        """The open document."""
        return self._reader

    @property
    def closed(self) -> bool:
        """Whether the document was closed."""
        return self._reader.closed

    def close(self) -> None:
        """Close the document, unless it is the caller's own `CziReader`."""
        if self._owns:
            self._reader.close()

    # Scenes

    @property
    def scenes(self) -> tuple[str, ...]:
        """The names of the scenes, each one its own; ``"Image:0"`` where the file has none."""
        return scene_names(self._reader)

    @property
    def current_scene(self) -> str:
        """The name of the scene that is read; ``"all"`` where all are."""
        index = self.current_scene_index
        return ALL_SCENES if index is None else self.scenes[index]

    @property
    def current_scene_index(self) -> int | None:
        """The position of the scene in `scenes`; None where all are read."""
        if self._is_all:
            return None
        numbers = list(self._reader.scenes_bounding_rectangle)
        return 0 if self._scene is None else numbers.index(self._scene)

    @property
    def scene_index(self) -> int | None:
        """The number of the scene in the file; None where it has none, or all are read."""
        return self._scene

    def set_scene(self, scene: int | str) -> None:
        """Choose the scene by its index in `scenes` or its name; ``"all"`` for all at once.

        Raises
        ------
        OutOfBoundsError
            If there is no such scene.
        """
        if scene == ALL_SCENES and ALL_SCENES not in self.scenes:
            self._scene, self._is_all = None, True
            return
        index = find_scene(self.scenes, scene)
        numbers = list(self._reader.scenes_bounding_rectangle)
        self._scene, self._is_all = (numbers[index] if numbers else None), False

    # The array

    @property
    def _identity(self) -> tuple[Any, ...]:
        """What changes when the pixels do: the file's identity and size."""
        with open_document_of(self._reader) as document:
            return document.name, document.source.opened_identity(), document.source.size()

    @property
    def _layout(self) -> Layout:
        with open_document_of(self._reader) as document:
            return self._layout_in(document)

    def _layout_in(self, document: OpenDocument) -> Layout:
        scene = self._scene
        return document.once(
            f"layout of scene {scene}", lambda: scene_layout(document.table, scene)
        )

    @property
    def dims(self) -> Dimensions:
        """Names and sizes: ``dims.order``, ``dims.X``, ``dims["Y", "X"]``."""
        return self._layout.dims()

    @property
    def sizes(self) -> dict[str, int]:
        """The size of each dimension by its name."""
        return dict(self.dims.items())

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array in full resolution."""
        return self.dims.shape

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.dims)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype that holds the pixels of all channels."""
        with open_document_of(self._reader) as document:
            return common_dtype(channel_types(document.table, self._layout.planes["C"]))

    @property
    def nbytes(self) -> int:
        """The size of the array in full resolution, in bytes."""
        size = self.dtype.itemsize
        for extent in self.shape:
            size *= extent
        return size

    @property
    def levels(self) -> tuple[Level, ...]:
        """The resolution levels that the file stores, the full resolution first."""
        return self._layout.levels

    def asarray(self, level: int = 0) -> NDArray[Any]:
        """Return all pixels of a level as a numpy array."""
        return self.read_block({}, level=level)

    def to_dask(self, level: int = 0, chunks: Any = None) -> Any:
        """Return a level as a lazy dask array, whose tasks open the file by themselves.

        Parameters
        ----------
        level
            The resolution level.
        chunks
            As dask has it, or a mapping from names of dimensions; by default `native_chunks`.

        Returns
        -------
        dask.array.Array
            In the order of `dims`.

        Raises
        ------
        MissingExtraError
            Without dask.
        """
        return lazy_array(self, level, chunks)

    def native_chunks(self, level: int = 0) -> dict[str, int]:
        """Return the chunk size along each dimension that the file's tiles make cheap."""
        dims = self._layout.dims(level)
        return {name: size if name in "YXS" else 1 for name, size in dims.items()}

    def to_xarray(self, level: int = 0, dask: bool = False, chunks: Any = None) -> Any:
        """Return a level as a labelled `xarray.DataArray` with coordinates in real units."""
        return labelled.to_xarray(self, level=level, dask=dask, chunks=chunks)

    def to_datatree(self) -> Any:
        """Return all levels as an `xarray.DataTree`."""
        return labelled.to_datatree(self)

    @property
    def data(self) -> NDArray[Any]:
        """All pixels in full resolution, read anew each time."""
        return self.asarray()

    @property
    def dask_data(self) -> Any:
        """The same as a lazy dask array."""
        return self.to_dask()

    @property
    def xarray_data(self) -> Any:
        """The same as a labelled array."""
        return self.to_xarray()

    @property
    def xarray_dask_data(self) -> Any:
        """The same as a lazy labelled array."""
        return self.to_xarray(dask=True)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all pixels, for `numpy.asarray`."""
        if copy is False:
            raise ValueError("the pixels are in a file, so an array of them is always a copy")
        return self.asarray().astype(dtype or self.dtype, copy=False)

    def read_block(
        self,
        selection: Mapping[str, Selection],
        *,
        level: int = 0,
        out: NDArray[Any] | None = None,
        threads: int | None = None,
    ) -> NDArray[Any]:
        """Return a box of the array of a level: the one way in which pixels come out.

        Parameters
        ----------
        selection
            For each dimension an index, which drops it, or a slice or several indices; all of a
            dimension that is not named. ``read_block({"C": 1, "X": slice(0, 512)})``.
        level
            The resolution level, see `levels`.
        out
            An array to fill and return, in the shape and dtype of the result.
        threads
            How many threads may work at most; by default those of the reader.

        Returns
        -------
        numpy.ndarray
            The dimensions in the order of `dims`, without those given by an index. Always equal to
            the same part of `asarray(level)`.

        Raises
        ------
        ValueError
            For a dimension that the image does not have, or an `out` of another form.
        OutOfBoundsError
            For an index or a level beyond the image.
        """
        with open_document_of(self._reader) as document:
            layout = self._layout_in(document)
            kinds = channel_types(document.table, layout.planes["C"])
            block = layout.block(selection, level)
            if out is None:
                out = np.empty(block.shape, common_dtype(kinds))
            else:
                _check_output(out, block.shape, common_dtype(kinds))
            read_pixels(self._reader, document, self._scene, layout, block, kinds, out, threads)
        return out

    def get_image_data(
        self, dimension_order_out: str | None = None, *, level: int = 0, **selections: Selection
    ) -> NDArray[Any]:
        """Return some of the pixels, the dimensions in the order asked for."""
        order = self.dims.order if dimension_order_out is None else dimension_order_out
        chosen = {name: selections.get(name, 0) for name in self.dims if name not in order}
        chosen.update({name: item for name, item in selections.items() if name in order})
        data = self.read_block(chosen, level=level)
        left = [name for name in self.dims if name in order]
        moved: NDArray[Any] = data.transpose([left.index(name) for name in order])
        return moved


def _check_output(out: NDArray[Any], shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if not isinstance(out, np.ndarray):
        raise ValueError(f"out must be a numpy array, not {type(out).__name__}")
    if out.shape != shape or out.dtype != dtype:
        raise ValueError(
            f"out must have shape {shape} and dtype {dtype}, not {out.shape} and {out.dtype}"
        )
    if not out.flags.writeable:
        raise ValueError("out is read-only; give an array that can be written to")


def _open(
    source: Any,
    storage_options: Mapping[str, Any] | None,
    cache_options: CacheOptions | None,
    reader_options: ReaderOptions | None,
    threads: int | None,
) -> CziReader:
    is_url = isinstance(source, str) and "://" in source
    kind = ReaderFileInputTypes.Curl if is_url else ReaderFileInputTypes.Standard
    more = {} if storage_options is None else {"storage_options": storage_options}
    return CziReader(source, kind, cache_options, reader_options, threads=threads, **more)


def _reopen(arguments: tuple[Any, ...], scene: int | str | None) -> CziImage:
    source, storage_options, cache_options, reader_options, threads = arguments
    return CziImage(
        source,
        scene,
        storage_options=storage_options,
        cache_options=cache_options,
        reader_options=reader_options,
        threads=threads,
    )
