"""The bioio reader: ``BioImage("image.czi", reader=czictypes.plugins.bioio.Reader)``."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

from czictypes.arrays.image import CziImage
from czictypes.arrays.labels import complete, dimension_properties, position_of
from czictypes.arrays.layout import Selection
from czictypes.arrays.xarray import attributes, labels
from czictypes.container.layout import FILE_HEADER
from czictypes.model.errors import CziError
from czictypes.model.lazy import require
from czictypes.plugins.bioio_data import (
    AcquisitionTime,
    acquisition_times,
    as_element,
    check_options,
    duration_of,
    element_of,
    has_channels,
    names_with_wells,
    sub_blocks,
)
from czictypes.reading.reader import CziReader
from czictypes.remote.urls import Redactor

try:
    import xarray as xr
    from bioio_base import constants, exceptions, types
    from bioio_base.dimensions import DimensionNames
    from bioio_base.io import pathlike_to_fs
    from bioio_base.reader import Reader as BaseReader
    from bioio_base.reader_metadata import ReaderMetadata as BaseReaderMetadata
    from bioio_base.standard_metadata import StandardMetadata
    from fsspec.core import OpenFile
    from fsspec.implementations.local import LocalFileSystem
    from fsspec.spec import AbstractFileSystem

    from czictypes.plugins.bioio_data import PixelsOnDemand, closing_array
except ImportError:
    require("bioio_base", extra="bioio", doing="the bioio reader")
    raise

_MAGIC = FILE_HEADER.encode()


class ReaderMetadata(BaseReaderMetadata):  # type: ignore[misc, unused-ignore]
    """The entry point that bioio looks for."""

    @staticmethod
    def get_supported_extensions() -> list[str]:
        """Return the extension of CZI files."""
        return ["czi"]

    @staticmethod
    def get_reader() -> type[Reader]:  # type: ignore[override, unused-ignore]
        """Return the reader."""
        return Reader


class Reader(BaseReader):  # type: ignore[misc, unused-ignore]
    """Reads a CZI for bioio, from any file system that fsspec knows.

    Colours are in the order red, green, blue, along S. A scene of several tiles has the dimension
    M for them (`BioImage` stitches them by itself), but for the smaller resolution levels, which
    are stitched always. No local file stays open between calls.

    Parameters
    ----------
    image
        A path or a URL.
    chunks
        The chunks of lazy arrays, as for `CziImage.to_dask`; by default those that the file's
        tiles make cheap.
    fs_kwargs
        The options of fsspec for a URL.
    use_aicspylibczi
        As bioio-czi has it: False for mosaics that are stitched always, without M.
    chunk_dims
        As bioio-czi has it, instead of `chunks`: the dimensions of which a chunk has all, Y, X
        and S always; of the others it has one place.
    include_subblock_metadata
        As bioio-czi has it: True to append the metadata of all sub-blocks to `metadata`.
    **options
        As for `CziReader`: threads, cache_options, reader_options, parts.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    UnsupportedFileFormatError
        If it is no CZI.
    TypeError
        For an argument that is none of the above; of bioio-czi's own that is `stream_options`.
    """

    NAME: ClassVar[str] = "czictypes"

    @classmethod
    def is_supported_image(
        cls, image: types.ImageLike, fs_kwargs: dict[str, Any] | None = None, **kwargs: Any
    ) -> bool:
        """Return True for a CZI; for anything else, raise what the reader raises.

        Unlike bioio_base, this does not ask first whether the file exists: over HTTP, the answer
        would be the whole file.
        """
        if not isinstance(image, (str, Path)):
            return bool(super().is_supported_image(image, fs_kwargs or {}, **kwargs))

        def is_supported() -> bool:
            fs, path = pathlike_to_fs(image, fs_kwargs=dict(fs_kwargs or {}))
            return cls._is_supported_image(fs, path, **kwargs)

        return Redactor(str(image), fs_kwargs).run(is_supported)

    @staticmethod
    def _is_supported_image(fs: AbstractFileSystem, path: str, **kwargs: Any) -> bool:
        """Return True for a CZI.

        Raises
        ------
        UnsupportedFileFormatError
            For anything else.
        """
        start = fs.cat_file(path, start=0, end=len(_MAGIC))  # `open` would fetch megabytes
        if start != _MAGIC:
            raise exceptions.UnsupportedFileFormatError("czictypes", path, "It is no CZI.")
        return True

    def __init__(
        self,
        image: types.PathLike,
        chunks: Any = None,
        fs_kwargs: Mapping[str, Any] | None = None,
        *,
        use_aicspylibczi: bool = True,
        chunk_dims: str | Sequence[str] | None = None,
        include_subblock_metadata: bool = False,
        **options: Any,
    ) -> None:
        check_options(options)
        if chunks is not None and chunk_dims is not None:
            raise TypeError(
                "give chunks or chunk_dims, not both: each sets the chunks of lazy arrays"
            )
        self._chunks, self._options = chunks, options
        self._chunk_dims = None if chunk_dims is None else {*"YXS", *map(str.upper, chunk_dims)}
        self._has_tiles = use_aicspylibczi
        self._has_subblock_metadata = include_subblock_metadata
        self._kept: CziReader | None = None
        Redactor(str(image), fs_kwargs).run(lambda: self._find(image, fs_kwargs))

    def _find(self, image: types.PathLike, fs_kwargs: Mapping[str, Any] | None) -> None:
        self._fs, self._path = pathlike_to_fs(image, fs_kwargs=dict(fs_kwargs or {}))
        self._is_supported_image(self._fs, self._path)
        try:
            with self._opened() as opened:
                self._short_names = tuple(map(str, opened.scenes))
                self._scenes = names_with_wells(opened)
        except CziError as error:
            raise exceptions.UnsupportedFileFormatError(
                self.name, self._path, str(error)
            ) from error

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without the open document, which is opened again when needed."""
        return {**self.__dict__, "_kept": None}

    @contextmanager
    def _opened(self, *, mosaic: bool = True, scene: int | None = None) -> Iterator[CziImage]:
        """Open the image at a scene, by default the current one, for a `with` block.

        A document on a server stays open, since opening it takes requests.
        """
        scene = self._current_scene_index if scene is None else scene
        if self._is_local:
            with CziImage(self._path, scene, mosaic=mosaic, **self._options) as image:
                yield image
            return
        if self._kept is None:
            self._kept = CziReader(OpenFile(self._fs, self._path), **self._options)
        yield CziImage(self._kept, scene, mosaic=mosaic)

    @property
    def _is_local(self) -> bool:
        return isinstance(self._fs, LocalFileSystem)

    @contextmanager
    def _opened_tiles(self) -> Iterator[CziImage]:
        """Open the image with its tiles along M, if the level has them."""
        mosaic = self._current_resolution_level > 0 or not self._has_tiles
        with self._opened(mosaic=mosaic) as image:
            yield image

    # What bioio_base.reader.Reader asks for

    @property
    def scenes(self) -> tuple[str, ...]:
        """The names of the scenes, each with its well if it has one: ``P2-D4``."""
        assert self._scenes is not None
        return self._scenes

    def set_scene(self, scene_id: str | int) -> None:
        """Choose a scene by its name, with or without its well, or by its index.

        Raises
        ------
        IndexError
            If there is no such scene.
        TypeError
            If it is neither a name nor an index.
        """
        if scene_id in self._short_names and scene_id not in self.scenes:
            scene_id = self._short_names.index(scene_id)
        super().set_scene(scene_id)

    @property
    def resolution_levels(self) -> tuple[int, ...]:
        """The resolution levels of the scene in the file; 0 is full resolution."""
        with self._opened() as image:
            return tuple(level.index for level in image.levels)

    def _read_delayed(self) -> xr.DataArray:
        with self._opened_tiles() as image:
            return self._labelled(image, self._lazy(image))

    def _read_immediate(self) -> xr.DataArray:
        with self._opened_tiles() as image:
            return self._labelled(image, image.asarray(self._current_resolution_level))

    def _read_indexed(self, given_dims: str, dim_specs: list[Any]) -> NDArray[Any]:
        if self._xarray_data is not None:
            kept: NDArray[Any] = super()._read_indexed(given_dims, dim_specs)
            return kept
        with self._opened_tiles() as image:
            selection = dict(zip(given_dims, dim_specs))
            return image.read_block(selection, level=self._current_resolution_level)

    def _get_stitched_dask_mosaic(self) -> xr.DataArray:
        with self._opened() as image:
            return self._labelled(image, self._lazy(image))

    def _get_stitched_mosaic(self) -> xr.DataArray:
        """Return the mosaic unread: `BioImage.get_image_data` takes windows of it."""
        with self._opened() as image:
            read = partial(self._read_stitched, self._current_scene_index)
            return self._labelled(image, PixelsOnDemand(read, image.sizes, image.dtype))

    def _read_stitched(self, scene: int, selection: Mapping[str, Selection]) -> NDArray[Any]:
        with self._opened(scene=scene) as image:
            return image.read_block(selection)

    def _lazy(self, image: CziImage) -> Any:
        level, chunks = self._current_resolution_level, self._chunks
        if self._chunk_dims is not None:
            chunks = {name: -1 if name in self._chunk_dims else 1 for name in image.dims.order}
        if self._is_local:
            return closing_array(image, self._path, level, chunks, **self._options)
        return image.to_dask(level, chunks)

    def _labelled(self, image: CziImage, data: Any) -> xr.DataArray:
        element = element_of(image)
        if self._has_subblock_metadata and isinstance(element, ET.Element):
            element.append(as_element(sub_blocks(image.reader)))
        attrs = {**attributes(image), constants.METADATA_UNPROCESSED: element}
        coordinates = labels(image, self._current_resolution_level)
        if not has_channels(image):
            del coordinates[DimensionNames.Channel]
        return xr.DataArray(data, coordinates, tuple(image.dims.order), attrs=attrs)

    @property
    def channel_names(self) -> list[str] | None:
        """The names of the channels; None for a colour image without channels."""
        with self._opened() as image:
            return image.channel_names if has_channels(image) else None

    @property
    def ome_metadata(self) -> Any:
        """The metadata of all scenes as `ome_types.OME`."""
        with self._opened() as image:
            return image.ome_metadata

    @property
    def physical_pixel_sizes(self) -> types.PhysicalPixelSizes:
        """The size of a pixel of this level in micrometres: Z, Y, X; None where unknown."""
        with self._opened() as image:
            z, y, x = image.physical_pixel_sizes
            factor = image.levels[self._current_resolution_level].factor
        return types.PhysicalPixelSizes(
            z, None if y is None else y * factor, None if x is None else x * factor
        )

    @property
    def time_interval(self) -> types.TimeInterval:
        """The mean time from one T to the next, or None."""
        with self._opened() as image:
            duration, count = duration_of(image), image.sizes["T"]
        return None if duration is None else duration / (count - 1)

    @property
    def dimension_properties(self) -> types.DimensionProperties:
        """The kind of each dimension, and its unit where its step is known."""
        properties: types.DimensionProperties = dimension_properties(self.dims.order, self.scale)
        return properties

    @property
    def standard_metadata(self) -> StandardMetadata:
        """The standard fields of bioio, with the well, position and date of the scene."""
        found = super().standard_metadata
        with self._opened() as image:
            complete(found, image)
            found.timelapse_interval = self.time_interval
            found.total_time_duration = duration_of(image)
        found.position_index = position_of(self.current_scene)
        return found

    # Sub-blocks

    @property
    def acquisition_times(self) -> list[AcquisitionTime]:
        """The acquisition time of each tile of the scene that has one.

        For each a dictionary: its place along each dimension by its letter, and the time (with its
        zone, UTC) as ``"acquisition_time"``.
        """
        with self._opened() as image:
            return acquisition_times(image)

    def get_subblock_metadata(self, **kwargs: int) -> ET.Element:
        """Return the metadata of some sub-blocks of the scene as one element ``Subblocks``.

        Parameters
        ----------
        **kwargs
            Where they are: ``T=0``, ``M=3``.

        Raises
        ------
        ValueError
            For S: the scene is that of `set_scene`.
        """
        if "S" in kwargs:
            raise ValueError("choose the scene with set_scene(), not with S")
        with self._opened() as image:
            return as_element(sub_blocks(image.reader, image.scene_number, kwargs))

    # Mosaics

    def get_mosaic_tile_position(self, mosaic_tile_index: int, **kwargs: int) -> tuple[int, int]:
        """Return where a tile lies in the stitched image: Y and X of its corner.

        Parameters
        ----------
        mosaic_tile_index
            The index along M.
        **kwargs
            The plane: ``C=1``, ``Z=0``, ``T=2``.

        Raises
        ------
        UnexpectedShapeError
            If the scene has a single tile.
        IndexError
            If there is no such tile.
        """
        self._require_tiles()
        with self._opened(mosaic=False) as image:
            return image.get_mosaic_tile_position(mosaic_tile_index, **kwargs)

    def get_mosaic_tile_positions(self, **kwargs: int) -> list[tuple[int, int]]:
        """Return the positions of all tiles of a plane, in the order of M."""
        self._require_tiles()
        with self._opened(mosaic=False) as image:
            return list(image.get_mosaic_tile_positions(**kwargs))

    def _require_tiles(self) -> None:
        if DimensionNames.MosaicTile not in self.dims.order:
            raise exceptions.UnexpectedShapeError("This image has no dimension M: it is one tile.")
