"""The face of an image: its scenes as N-d arrays in real units, whatever its format is."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from czictypes.arrays import xarray as labelled
from czictypes.arrays.image_labels import ImageLabels
from czictypes.arrays.labels import AxisCoordinates, coordinates, standard_metadata
from czictypes.arrays.layout import (
    ArrayRegion,
    Dimensions,
    Layout,
    Level,
    Selection,
    arranged,
    ordered_selection,
    selection_by_position,
)
from czictypes.arrays.lazy import take_lazily
from czictypes.arrays.pictures import PictureMethods
from czictypes.arrays.stacks import StackMethods
from czictypes.metadata.document_content import DocumentContent
from czictypes.model.errors import ClosedError, InvalidArgumentError
from czictypes.model.geometry import checked_plane
from czictypes.model.options import ChannelDisplaySettingsDataClass
from czictypes.model.public import Closable
from czictypes.reading import html
from czictypes.reading.names import find_channels, has_names

if TYPE_CHECKING:
    import dask.array
    import xarray
    from bioio_base.standard_metadata import StandardMetadata

Self = TypeVar("Self", bound="Image")


class Image(ImageLabels, PictureMethods, StackMethods, Closable):
    """An image file as an N-d array, one scene at a time: what `open_image` gives.

    The dimensions are T, C, Z, Y and X, and S (red, green, blue) for colour images. V, H, I, R
    and B come before them where a file has more than one value of them. Pixels are read when they
    are asked for.
    """

    def __repr__(self) -> str:
        if self.closed:
            return f"<closed {type(self).__name__} of {self._origin_name}>"
        return f"<{type(self).__name__} {self.current_scene!r} {dict(self.sizes)} {self.dtype}>"

    def _repr_html_(self) -> str:
        """Return a small picture and what there is to know, for notebooks; never raises.

        No more pixels are read than an overview needs; without a pyramid, a large image has the
        thumbnail that is attached to the file, or none.
        """
        return html.page(self, self._card)

    def _card(self) -> str:
        kind, name = type(self).__name__, self.name
        if self.closed:
            return html.card(kind, f"{name} (closed)", {})
        return html.card(kind, name, self._shown_facts(), [html.picture(self._overview)])

    def _overview(self) -> NDArray[Any] | None:
        """Return the current scene in small, if that takes no more than reading a few pixels."""
        return None

    def info(self) -> str:
        """Return what there is to know of the current scene and the file, in a few lines of text.

        ``print(image.info())``; consoles and notebooks show it without `print`: dimensions, dtype,
        pixel size, levels, channels, scenes, objective and date. The values are in the properties.

        Raises
        ------
        ClosedError
            After `close`.
        """
        if self.closed:
            raise ClosedError(f"{self._origin_name} is closed; open it again to read from it")
        return html.summary(type(self).__name__, self.name, self._shown_facts())

    def _shown_facts(self) -> dict[str, Callable[[], object]]:
        """Return what notebooks show, each by a function, as any may fail."""
        return {
            "Array": lambda: html.sizes(self.sizes),
            "Pixels": lambda: f"{self.dtype}, {_bytes(self.nbytes)}",
            "Pixel size": lambda: html.micrometres(*reversed(self.physical_pixel_sizes)),
            "Interval": lambda: self.time_interval and f"{self.time_interval.total_seconds():g} s",
            "Levels": lambda: len(self.levels) if len(self.levels) > 1 else None,
            "Channels": lambda: html.channel_list(self.channel_names, self.channels),
            "Scene": lambda: self.current_scene,
            "Well": lambda: self.well and self.well.name,
            "Scenes": self._scene_list,
            "Objective": lambda: self.objective and self.objective.name,
            "Acquired": lambda: self.acquisition_date and f"{self.acquisition_date:%Y-%m-%d %H:%M}",
        }

    def _scene_list(self) -> object:
        scenes = self.scenes
        return html.scene_list(scenes, scenes.wells) if len(scenes) > 1 else None

    @abstractmethod
    def close(self) -> None:
        """Close the file, unless you opened it yourself."""

    @property
    @abstractmethod
    def closed(self) -> bool:
        """Whether the file was closed."""

    @property
    @abstractmethod
    def _origin_name(self) -> str:
        """The name of the file in messages."""

    @abstractmethod
    def _new_array(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """Return an array for pixels, if there may be one so large."""

    @property
    @abstractmethod
    def _display_settings(self) -> Mapping[int, ChannelDisplaySettingsDataClass]:
        """How the channels are shown, as far as the file tells."""

    @property
    @abstractmethod
    def _identity(self) -> str:
        """A text that identifies this file."""

    # The array

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
        return self._layout.dtype

    @property
    def nbytes(self) -> int:
        """The size of the array in bytes, at the current resolution level."""
        layout = self._layout
        return math.prod(layout.dims(self._level).shape) * layout.dtype.itemsize

    @property
    def levels(self) -> tuple[Level, ...]:
        """The resolution levels that the file stores, the full resolution first."""
        return self._layout.levels

    @property
    def resolution_level_dims(self) -> dict[int, tuple[int, ...]]:
        """The shape of the array at each resolution level."""
        layout = self._layout
        return {level: layout.dims(level).shape for level in range(len(layout.grids))}

    def asarray(self, level: int | None = None, *, scene: int | str | None = None) -> NDArray[Any]:
        """Return all pixels as a numpy array.

        Parameters
        ----------
        level
            The resolution level; by default the current one.
        scene
            The scene by its index or name; by default the current one.
        """
        return self.read_block({}, level=level, scene=scene)

    @abstractmethod
    def to_dask(
        self, level: int | None = None, chunks: Any = None, *, scene: int | str | None = None
    ) -> dask.array.Array:
        """Return a level as a lazy dask array, whose tasks open the file by themselves.

        Parameters
        ----------
        level
            The resolution level; by default the current one.
        chunks
            As dask has it, or a mapping from names of dimensions; by default what is cheap to read
            (of a CZI, `CziImage.native_chunks`).
        scene
            The scene by its index or name; by default the current one.

        Returns
        -------
        dask.array.Array
            In the order of `dims`.

        Raises
        ------
        MissingExtraError
            If dask is not installed.
        """

    @abstractmethod
    def _read(
        self,
        choose: Callable[[Layout], ArrayRegion],
        out: NDArray[Any] | None = None,
        threads: int | None = None,
    ) -> NDArray[Any]:
        """Return the pixels of the region that is chosen in the layout."""

    def read_block(
        self,
        selection: Mapping[str, Selection],
        *,
        level: int | None = None,
        scene: int | str | None = None,
        out: NDArray[Any] | None = None,
        threads: int | None = None,
    ) -> NDArray[Any]:
        """Return a block of the array of a level; every method that gives pixels reads so.

        Parameters
        ----------
        selection
            For each dimension an index, which drops it, or a slice or several indices; all of a
            dimension that is not named. ``read_block({"C": 1, "X": slice(0, 512)})``. Channels may
            be given by name, as in `channel_names`: ``{"C": "DAPI"}``.
        level
            The resolution level, see `levels`; by default the current one.
        scene
            The scene by its index or name; by default the current one, which stays what it is.
        out
            An array to fill and return, in the shape and dtype of the result.
        threads
            The largest number of threads; by default as many as the file is opened with.

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
        image, level = self._of(scene), self._chosen(level)
        by_index = image._by_index(selection)
        return image._read(lambda layout: layout.region(by_index, level), out, threads)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Return a part as a numpy array, chosen by position in the order of `dims`.

        For each dimension an index, which drops it, a slice, several indices, or a mask; for C also
        names; ``...`` and what is left out stand for all. Only what is chosen is read, at the
        current level. Several lists choose along their own dimension each, as in `read_block` and
        xarray, not pixel by pixel as in numpy. A mapping names the dimensions.

        Raises
        ------
        IndexError
            For more items than dimensions, and for an index beyond the image.
        ValueError
            For an item that is none of these.

        Examples
        --------
        >>> image = CziImage("cells.czi")  # doctest: +SKIP
        >>> image[0, "EGFP", :, 10:20, 10:20]  # doctest: +SKIP
        >>> image[..., ::4, ::4]  # doctest: +SKIP
        >>> image.scene("B1")[{"C": "EGFP", "Z": 3}]  # doctest: +SKIP
        """
        return self.read_block(selection_by_position(key, tuple(self.dims)))

    def _by_index(self, selection: Mapping[str, Selection]) -> Mapping[str, Selection]:
        """Return a selection with the indices of channels that are given by name."""
        selection = checked_plane(
            selection, "a selection", "indices or slices, such as {'C': 0, 'X': slice(0, 512)}"
        )
        if has_names(selection.get("C")):
            return {**selection, "C": find_channels(self.channels, selection["C"])}
        return selection

    def to_xarray(
        self,
        level: int | None = None,
        dask: bool = False,
        chunks: Any = None,
        *,
        scene: int | str | None = None,
    ) -> xarray.DataArray:
        """Return a level as a labelled array with coordinates in real units.

        Parameters
        ----------
        level
            The resolution level; by default the current one.
        dask, chunks
            Whether it is to be lazy, and its chunks as for `to_dask` (which make it lazy too).
        scene
            The scene by its index or name; by default the current one.

        Returns
        -------
        xarray.DataArray
            In the order of `dims`, with the coordinates of `coords`. Its attributes are texts and
            numbers that netCDF and zarr can store, such as ``stage_origin_um``.

        Raises
        ------
        MissingExtraError
            If xarray, or dask where it is needed, is not installed.
        """
        image = self._of(scene)
        return labelled.to_xarray(image, level=self._chosen(level), dask=dask, chunks=chunks)

    def to_datatree(self, *, scene: int | str | None = None) -> xarray.DataTree:
        """Return all levels as a lazy `xarray.DataTree`; the arrays are those of `to_xarray`.

        The group of each level is ``scale0``, ``scale1``..., and the array in it ``image``.

        Parameters
        ----------
        scene
            The scene by its index or name; by default the current one.

        Raises
        ------
        MissingExtraError
            If xarray has no DataTree, which came with 2024.10.
        """
        return labelled.to_datatree(self._of(scene))

    @property
    def data(self) -> NDArray[Any]:
        """All pixels at the current resolution level, read anew each time."""
        return self.asarray()

    @property
    def dask_data(self) -> dask.array.Array:
        """All pixels at the current resolution level as a lazy dask array."""
        return self.to_dask()

    @property
    def xarray_data(self) -> xarray.DataArray:
        """All pixels at the current resolution level as a labelled array, see `to_xarray`."""
        return self.to_xarray()

    @property
    def xarray_dask_data(self) -> xarray.DataArray:
        """All pixels at the current resolution level as a lazy labelled array."""
        return self.to_xarray(dask=True)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all pixels, for `numpy.asarray`."""
        if copy is False:
            raise ValueError("the pixels are in a file, so an array of them is always a copy")
        return self.asarray().astype(dtype or self.dtype, copy=False)

    def get_image_data(
        self,
        dimension_order_out: str | None = None,
        *,
        level: int | None = None,
        scene: int | str | None = None,
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
        scene
            The scene by its index or name; by default the current one, which stays what it is.
        **selections
            For a dimension of the result an index, a slice, a range or several indices; for
            another one index, else the first is taken: ``get_image_data("ZYX", T=2, C=1)``.
            Channels may be given by name: ``C="DAPI"``.

        Returns
        -------
        numpy.ndarray
            In the dtype of the image. No more is read than what is selected.

        Raises
        ------
        ValueError
            For a letter that is no dimension of a CZI, and for several indices of a dimension that
            the result does not have.
        OutOfBoundsError
            For an index or a level beyond the image.
        """
        image, order, level = self._of(scene), dimension_order_out, self._chosen(level)
        chosen = image._by_index(selections)
        return image._read(lambda layout: layout.ordered_region(order, chosen, level))

    def get_image_dask_data(
        self,
        dimension_order_out: str | None = None,
        *,
        level: int | None = None,
        scene: int | str | None = None,
        chunks: Any = None,
        **selections: Selection,
    ) -> dask.array.Array:
        """Return what `get_image_data` does, as a lazy dask array.

        Parameters
        ----------
        dimension_order_out, level, scene, **selections
            As for `get_image_data`.
        chunks
            As for `to_dask`.

        Raises
        ------
        ValueError, OutOfBoundsError
            As `get_image_data`.
        MissingExtraError
            If dask is not installed.
        """
        image, level = self._of(scene), self._chosen(level)
        dims, chosen = image._layout.dims(level), image._by_index(selections)
        selection, order = ordered_selection(dims, dimension_order_out, chosen)
        part = take_lazily(image.to_dask(level, chunks), dims.order, selection)
        kept = "".join(name for name in dims if name in order)
        array: dask.array.Array = arranged(part, kept, order)
        return array

    # AICSImageIO has these names as well: a mosaic is stitched, unless one asks for its tiles

    @property
    def mosaic_data(self) -> NDArray[Any]:
        """All pixels with the mosaic stitched: `data`, unless the image has single tiles."""
        return self._stitched().data

    @property
    def mosaic_dask_data(self) -> dask.array.Array:
        """All pixels with the mosaic stitched, as a lazy dask array."""
        return self._stitched().dask_data

    @property
    def mosaic_xarray_data(self) -> xarray.DataArray:
        """All pixels with the mosaic stitched, as a labelled array."""
        return self._stitched().xarray_data

    @property
    def mosaic_xarray_dask_data(self) -> xarray.DataArray:
        """All pixels with the mosaic stitched, as a lazy labelled array."""
        return self._stitched().xarray_dask_data

    @property
    def mosaic_tile_dims(self) -> Dimensions | None:
        """The size of the tiles, ``dims.Y`` and ``dims.X``; None if the image is no mosaic."""
        return None

    def get_mosaic_tile_positions(
        self, *, scene: int | str | None = None, **where: int | str
    ) -> list[tuple[int, int]]:
        """Return (y, x) of the top left pixel of each tile of a mosaic, in the order of M.

        Parameters
        ----------
        scene
            The scene by its index or name; by default the current one.
        **where
            Indices in other dimensions, ``get_mosaic_tile_positions(T=1, C=0)``; a channel may be
            given by name. The first tile of each M counts where they leave a choice.

        Raises
        ------
        ValueError
            If the image is no mosaic.
        """
        raise no_mosaic()

    def get_mosaic_tile_position(
        self, mosaic_tile_index: int, *, scene: int | str | None = None, **where: int | str
    ) -> tuple[int, int]:
        """Return (y, x) of the top left pixel of one tile of a mosaic.

        Parameters
        ----------
        mosaic_tile_index
            Its place along M.
        scene, **where
            As for `get_mosaic_tile_positions`.

        Raises
        ------
        ValueError
            If the image is no mosaic.
        OutOfBoundsError
            If there is no such tile.
        """
        raise no_mosaic()

    def _stitched(self) -> Image:
        """Return this image, with its mosaic stitched if it is one."""
        return self

    def coords(
        self, level: int | None = None, *, scene: int | str | None = None
    ) -> dict[str, AxisCoordinates]:
        """Return the coordinates along each dimension of a level, with their units.

        X and Y are micrometres, 0 at the centre of the first pixel of the full resolution (add
        `origin` for places on the stage); Z micrometres from the first Z; T the `time_stamps`; C
        the `channel_names`. Without a scale they count pixels; T is left out where unknown.

        Parameters
        ----------
        level
            The resolution level; by default the current one.
        scene
            The scene by its index or name; by default the current one.

        Raises
        ------
        OutOfBoundsError
            If there is no such level.
        """
        image, level = self._of(scene), self._chosen(level)
        names, times = image.channel_names, image._times()
        return coordinates(image._layout, level, names, times, image._pixel_sizes())

    def as_content(self, *, scene: int | str | None = None) -> DocumentContent:
        """Return the metadata of a scene as a new file takes them.

        The scene and the first channel have the number 0. `imwrite` and `create_czi` take the image
        itself with ``like=``, and leave out what does not fit.

        Parameters
        ----------
        scene
            The scene by its index or name; by default the current one.

        Raises
        ------
        OutOfBoundsError
            If there is no such scene.
        """
        return self._of(scene)._content()

    def _content(self) -> DocumentContent:
        from czictypes.arrays.content import content_of  # needs the floor that writes

        return content_of(self, annotations=[one for one in self.annotations if one.unit == "px"])

    @property
    def standard_metadata(self) -> StandardMetadata:
        """The fields that bioio has for all formats: sizes, objective, date, well...

        Raises
        ------
        MissingExtraError
            Without bioio-base.
        """
        return standard_metadata(self)


def _bytes(count: int) -> str:
    """Return a number of bytes as text: ``1.2 MB``."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.3g} TB"


def layout_of(image: Image) -> Layout:
    """Return the layout of the current scene of an image, for the floors above."""
    return image._layout


def no_mosaic() -> InvalidArgumentError:
    """Return the error for the positions of tiles that an image does not have."""
    return InvalidArgumentError("the image is no mosaic: there is no dimension M")
