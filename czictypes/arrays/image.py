"""CziImage: a CZI as an N-d array, scene by scene."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.alpha import EmptyAlpha
from czictypes.arrays.described import ImageDescription
from czictypes.arrays.layout import Selection
from czictypes.arrays.lazy import lazy_array
from czictypes.arrays.native_chunks import native_chunks
from czictypes.arrays.open_image import ALL_SCENES
from czictypes.arrays.tile_places import TilePlaces
from czictypes.arrays.validity import valid_block
from czictypes.reading.plane_reads import open_document_of
from czictypes.reading.reader import CziReader

if TYPE_CHECKING:
    import dask.array

__all__ = ["ALL_SCENES", "CziImage"]


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

    @property
    def _empty_alpha(self) -> EmptyAlpha:
        return self._view.empty_alpha

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

    def _stitched(self) -> CziImage:
        return self if self._view.mosaic else self._at(self._scene, mosaic=True)

    def _at(self, scene: int | str, *, mosaic: bool | None = None) -> CziImage:
        """Return another image of the open document, at the same level."""
        view = self._view
        mosaic = view.mosaic if mosaic is None else mosaic
        image = CziImage(self._reader, scene, mosaic=mosaic, empty_alpha=view.empty_alpha)
        image._level = self._level
        return image

    def _composite(self, place: Mapping[str, int]) -> NDArray[np.uint8]:
        box = self._reader.total_bounding_box
        plane = {name: box[name][0] + at for name, at in place.items() if name in box}
        return self._reader.composite(plane=plane, scene=self.scene_index)

    def _new_array(self, shape: tuple[int, ...]) -> NDArray[Any]:
        with open_document_of(self._reader) as document:
            return document.memory.make(shape, self.dtype)

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
