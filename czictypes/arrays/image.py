"""CziImage: a CZI as an N-d array, scene by scene."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Union

import numpy as np
from numpy.typing import DTypeLike, NDArray

from czictypes.arrays import labelled
from czictypes.arrays.alpha import EmptyAlpha
from czictypes.arrays.described import ImageDescription
from czictypes.arrays.dimensions import Dimensions
from czictypes.arrays.layout import Selection
from czictypes.arrays.lazy import lazy_array, take_lazily
from czictypes.arrays.levels import Level
from czictypes.arrays.native_chunks import native_chunks
from czictypes.arrays.open_image import ALL_SCENES
from czictypes.arrays.scene_names import find_scene
from czictypes.arrays.selection import ordered_selection
from czictypes.arrays.tile_places import TilePlaces
from czictypes.arrays.validity import valid_block
from czictypes.reading.blocks import open_document_of
from czictypes.reading.reader import CziReader

if TYPE_CHECKING:
    import dask.array
    import xarray

__all__ = ["ALL_SCENES", "CziImage"]

#: Names or indices of scenes, or one of these; None for all.
Scenes = Union[str, int, Iterable[Union[str, int]], None]


class CziImage(TilePlaces, ImageDescription):
    """A CZI as an N-d array, one scene at a time; mosaics come stitched.

    The dimensions are T, C, Z, Y and X, and S (red, green, blue) for colour images. V, H, I, R
    and B come before them where the document has more than one value of them. Channels of
    different pixel types come in the dtype that holds them all; gray ones among colour ones have
    the same value in all samples. Places without pixels are 0.

    Parameters
    ----------
    source
        A path, a URL, a binary file object, or a `CziReader`, which you close yourself.
    scene
        Its index or its name, or ``"all"`` for all scenes in one plane; by default the first.
    mosaic
        False for the single tiles of a mosaic, along a dimension M before Y: all of the size of
        the largest, smaller ones filled up with 0. Only in full resolution.
    empty_alpha
        The treatment of scenes in which the alpha of Bgra32 is 0 in every pixel, as ZEN mostly
        leaves it, so that it means nothing: ``"keep"`` keeps it, ``"drop"`` leaves out that sample
        of S, ``"opaque"`` makes it 255. The last two decode pixels until one has an alpha.
    storage_options
        The options of fsspec for a URL.
    cache_options, reader_options, threads, parts
        As for `CziReader`; an open reader keeps its own.
    stored_resolution
        True to read every stored pixel of tiles that are stored in more pixels than they cover
        (PALM), and all other tiles magnified to match: sizes and coordinates then count in pixels
        of the finest tile.
    on_error
        ``"blank"`` leaves tiles that cannot be read as 0, with a `DamagedTileWarning` for each;
        ``reader.damaged_subblocks`` lists them. By default, such a tile raises an error.
    reconstruct_mosaic, fs_kwargs
        AICSImageIO's names of `mosaic` and `storage_options`.

    Raises
    ------
    FileNotFoundError, CorruptFileError
        As `CziReader`.
    OutOfBoundsError
        If there is no such scene.
    """

    def __reduce__(self) -> tuple[Callable[..., CziImage], tuple[Any, ...]]:
        """Pickle as what was opened and how, the scene and the level."""
        view = self._view
        chosen = (self._scene, view.mosaic, view.empty_alpha, self._level)
        return _reopen, (type(self), self._reader, *chosen)

    def __repr__(self) -> str:
        if self.closed:
            return f"<closed CziImage of {self._reader!r}>"
        return f"<CziImage {self.current_scene!r} {dict(self.sizes)} {self.dtype}>"

    # The array

    @property
    def _empty_alpha(self) -> EmptyAlpha:
        return self._view.empty_alpha

    @property
    def dims(self) -> Dimensions:
        """Names and sizes: ``dims.order``, ``dims.X``, ``dims["Y", "X"]``."""
        return self._layout.dims(self._level)

    @property
    def sizes(self) -> dict[str, int]:
        """The size of each dimension by its name."""
        return dict(self.dims.items())

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array, at the current resolution level."""
        return self.dims.shape

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.dims)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype that holds the pixels of all channels."""
        with open_document_of(self._reader) as document:
            return self._view.dtype(document)

    @property
    def nbytes(self) -> int:
        """The size of the array in bytes, at the current resolution level."""
        size = self.dtype.itemsize
        for extent in self.shape:
            size *= extent
        return size

    @property
    def levels(self) -> tuple[Level, ...]:
        """The resolution levels that the file stores, the full resolution first."""
        return self._layout.levels

    @property
    def resolution_level_dims(self) -> dict[int, tuple[int, ...]]:
        """The shape of the array at each resolution level."""
        return {level: self._layout.dims(level).shape for level in self.resolution_levels}

    def asarray(self, level: int | None = None) -> NDArray[Any]:
        """Return all pixels of a level, by default the current one, as a numpy array."""
        return self.read_block({}, level=level)

    def to_dask(self, level: int | None = None, chunks: Any = None) -> dask.array.Array:
        """Return a level as a lazy dask array, whose tasks open the file by themselves.

        Parameters
        ----------
        level
            The resolution level; by default the current one.
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
        level = self._chosen(level)
        native = self.native_chunks(level)
        array: dask.array.Array = lazy_array(self._reader, self._view, level, chunks, native)
        return array

    def native_chunks(self, level: int | None = None) -> dict[str, int]:
        """Return the chunk size along each dimension that the file's tiles make cheap.

        One plane, or a part of it of 16 to 64 MB that ends where tiles end.
        """
        level = self._chosen(level)
        with open_document_of(self._reader) as document:
            layout = self._view.layout(document)
            return native_chunks(document.table, layout, self._view.scene, level)

    def to_xarray(
        self, level: int | None = None, dask: bool = False, chunks: Any = None
    ) -> xarray.DataArray:
        """Return a level as a labelled array with coordinates in real units.

        Parameters
        ----------
        level
            The resolution level; by default the current one.
        dask, chunks
            Whether it is to be lazy, and its chunks as for `to_dask` (which make it lazy too).

        Raises
        ------
        MissingExtraError
            Without xarray, or dask where it is needed.
        """
        level = self._chosen(level)
        array: xarray.DataArray = labelled.to_xarray(self, level=level, dask=dask, chunks=chunks)
        return array

    def to_datatree(self) -> xarray.DataTree:
        """Return all levels as a `xarray.DataTree`, lazily; the arrays are those of `to_xarray`."""
        tree: xarray.DataTree = labelled.to_datatree(self)
        return tree

    @property
    def data(self) -> NDArray[Any]:
        """All pixels at the current resolution level, read anew each time."""
        return self.asarray()

    @property
    def dask_data(self) -> dask.array.Array:
        """The same as a lazy dask array."""
        return self.to_dask()

    @property
    def xarray_data(self) -> xarray.DataArray:
        """The same as a labelled array."""
        return self.to_xarray()

    @property
    def xarray_dask_data(self) -> xarray.DataArray:
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
        level: int | None = None,
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
            The resolution level, see `levels`; by default the current one.
        out
            An array to fill and return, in the shape and dtype of the result.
        threads
            The largest number of threads; by default those of the reader.

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
        return self._view.read_block(self._reader, selection, self._chosen(level), out, threads)

    def valid_pixels(
        self, selection: Mapping[str, Selection] | None = None, *, level: int | None = None
    ) -> NDArray[np.bool_]:
        """Return which pixels of a block come from a tile; the others are 0 in `read_block`.

        Parameters
        ----------
        selection, level
            As for `read_block`, but for S: all samples of a pixel are valid or none.

        Returns
        -------
        numpy.ndarray
            Of bool, in the shape of the block without S. No pixel is decoded for it. What a
            tile's mask calls invalid is False with ``ReaderOptions(enable_mask_awareness=True)``.

        Raises
        ------
        ValueError, OutOfBoundsError
            As `read_block`.
        CorruptFileError
            If a mask that is needed is damaged.
        """
        return valid_block(self._reader, self._view, selection or {}, self._chosen(level))

    def get_image_data(
        self,
        dimension_order_out: str | None = None,
        *,
        level: int | None = None,
        **selections: Selection,
    ) -> NDArray[Any]:
        """Return some of the pixels, the dimensions in the order asked for.

        Parameters
        ----------
        dimension_order_out
            The dimensions of the result, such as ``"CZYX"``; by default those of the image. One
            that the image does not have is of the size 1.
        level
            The resolution level; by default the current one.
        **selections
            For a dimension of the result an index, a slice, a range or several indices; for
            another one index, else the first is taken: ``get_image_data("ZYX", T=2, C=1)``.

        Returns
        -------
        numpy.ndarray
            No more is read than what is selected.

        Raises
        ------
        ValueError
            For what is no dimension of a CZI, and for several indices of one that the result does
            not have.
        OutOfBoundsError
            For an index beyond the image.
        """
        level = self._chosen(level)
        wanted = ordered_selection(self._layout.dims(level), dimension_order_out, selections)
        data: NDArray[Any] = wanted.arranged(self.read_block(wanted.selection, level=level))
        return data

    def get_image_dask_data(
        self,
        dimension_order_out: str | None = None,
        *,
        level: int | None = None,
        chunks: Any = None,
        **selections: Selection,
    ) -> dask.array.Array:
        """Return the same as a lazy dask array; `chunks` as for `to_dask`."""
        level = self._chosen(level)
        wanted = ordered_selection(self._layout.dims(level), dimension_order_out, selections)
        array = self.to_dask(level, chunks)
        part = take_lazily(array, self.dims.order, wanted.selection)
        arranged: dask.array.Array = wanted.arranged(part)
        return arranged

    # Mosaics, stitched also where this image has their tiles one by one

    @property
    def mosaic_data(self) -> NDArray[Any]:
        """All pixels with the mosaic stitched: `data`, unless the image has single tiles."""
        return self._stitched().data

    @property
    def mosaic_dask_data(self) -> dask.array.Array:
        """The same as a lazy dask array."""
        return self._stitched().dask_data

    @property
    def mosaic_xarray_data(self) -> xarray.DataArray:
        """The same as a labelled array."""
        return self._stitched().xarray_data

    @property
    def mosaic_xarray_dask_data(self) -> xarray.DataArray:
        """The same as a lazy labelled array."""
        return self._stitched().xarray_dask_data

    # Stacks of scenes

    def get_stack(
        self, *, select_scenes: Scenes = None, drop_non_matching_scenes: bool = False
    ) -> NDArray[Any]:
        """Return the pixels of several scenes in one array, the scenes along its first axis.

        Parameters
        ----------
        select_scenes
            The names or indices of the scenes, in the order of the stack; by default all.
        drop_non_matching_scenes
            Whether scenes that differ from the first one in shape or dtype are left out.

        Returns
        -------
        numpy.ndarray
            At the current resolution level; the current scene stays what it is.

        Raises
        ------
        UnsupportedDataError
            If a scene has another shape or dtype than the first, or lacks the resolution level,
            and is not to be left out.
        ValueError
            If no scene is selected.
        OutOfBoundsError
            If there is no such scene.
        """
        images = self._alike(select_scenes, drop=drop_non_matching_scenes)
        stack: NDArray[Any] = labelled.stacked(images, dask=False)
        return stack

    def get_dask_stack(
        self, *, select_scenes: Scenes = None, drop_non_matching_scenes: bool = False
    ) -> dask.array.Array:
        """Return the same as a lazy dask array."""
        images = self._alike(select_scenes, drop=drop_non_matching_scenes)
        stack: dask.array.Array = labelled.stacked(images, dask=True)
        return stack

    def get_xarray_stack(
        self,
        *,
        select_scenes: Scenes = None,
        drop_non_matching_scenes: bool = False,
        scene_character: str = "I",
        scene_coord_values: Literal["index", "names"] = "index",
        dask: bool = False,
    ) -> xarray.DataArray:
        """Return the same as a labelled array, with the coordinates of its first scene.

        Parameters
        ----------
        select_scenes, drop_non_matching_scenes
            As for `get_stack`.
        scene_character
            The name of the dimension of the scenes; one that the image does not have.
        scene_coord_values
            ``"names"`` to have the names of the scenes as coordinates; by default there are none.
        dask
            Whether it is to be lazy.
        """
        images = self._alike(select_scenes, drop=drop_non_matching_scenes)
        stack: xarray.DataArray = labelled.to_xarray_stack(
            images, scene_character, scene_coord_values, dask=dask
        )
        return stack

    def get_xarray_dask_stack(self, **options: Any) -> xarray.DataArray:
        """Return the same as `get_xarray_stack`, which has the same arguments, lazily."""
        return self.get_xarray_stack(**options, dask=True)

    def _alike(self, scenes: Scenes, *, drop: bool) -> list[CziImage]:
        """Return an image of each scene, all of one shape and dtype, at the current level."""
        scenes = [scenes] if isinstance(scenes, (str, int)) else scenes
        chosen: Iterable[str | int] = range(len(self.scenes)) if scenes is None else scenes
        mosaic = self._view.mosaic
        found = [self._at(find_scene(self.scenes, one), mosaic=mosaic) for one in chosen]
        return labelled.alike(found, drop=drop)

    def _stitched(self) -> CziImage:
        return self if self._view.mosaic else self._at(self._scene, mosaic=True)

    def _at(self, scene: int | str, *, mosaic: bool) -> CziImage:
        """Return another image of the open document, at the same level."""
        image = CziImage(self._reader, scene, mosaic=mosaic, empty_alpha=self._view.empty_alpha)
        image._level = self._level
        return image

    @property
    def _scene(self) -> int | str:
        """The scene as `set_scene` takes it."""
        index = self.current_scene_index
        return ALL_SCENES if index is None else index


def _reopen(
    kind: type[CziImage],
    reader: CziReader,
    scene: int | str,
    mosaic: bool,
    empty_alpha: EmptyAlpha,
    level: int,
) -> CziImage:
    image = kind(reader, scene, mosaic=mosaic, empty_alpha=empty_alpha)
    image._level = level
    image._owns = True  # nobody else has the reader that came along
    return image
