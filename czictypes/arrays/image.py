"""CziImage: a CZI as an N-d array, scene by scene."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.image_base import Image, no_mosaic
from czictypes.arrays.labels import PhysicalPixelSizes, contrast_limits, pixel_sizes, times_along
from czictypes.arrays.layout import ArrayRegion, Dimensions, Layout, Selection
from czictypes.arrays.lazy import lazy_array, native_chunks
from czictypes.arrays.read import EMPTY_ALPHA, EmptyAlpha, ImageSelection, valid_block
from czictypes.arrays.scene_views import Scenes, ThreadChoice, check_level
from czictypes.arrays.scenes import field_numbers, scene_box, scene_index, scene_wells, stage_origin
from czictypes.arrays.tables import TableMethods
from czictypes.arrays.tiles import MosaicTiles
from czictypes.metadata.annotations import Annotation
from czictypes.metadata.channels import ChannelInfo, display_settings
from czictypes.metadata.document_content import DocumentContent
from czictypes.metadata.document_info import DocumentInfo, Skew, document_info, skew
from czictypes.metadata.scenes import Plate, SceneInfo, plate
from czictypes.model.errors import OutOfBoundsError
from czictypes.model.options import CacheOptions, ChannelDisplaySettingsDataClass, ReaderOptions
from czictypes.model.public import former_name
from czictypes.reading.attachments import Attachments
from czictypes.reading.contrast import Contrast, points_of
from czictypes.reading.damage import OnError, leaves_blank
from czictypes.reading.document import OpenDocument
from czictypes.reading.html import overview
from czictypes.reading.names import channel_infos, metadata_or, scene_infos, scene_names
from czictypes.reading.reader import CziReader, Source, open_document_of
from czictypes.remote.part_files import Parts

if TYPE_CHECKING:
    import dask.array
    from ome_types import OME

T = TypeVar("T")

#: Names the image of all scenes in one plane.
ALL_SCENES = "all"


class CziImage(TableMethods, Image):
    """A CZI as an N-d array, one scene at a time; mosaics come stitched.

    The dimensions are T, C, Z, Y and X, and S (red, green, blue) for colour images. V, H, I, R
    and B come before them where the document has more than one value of them. Channels of
    different pixel types come in the dtype that holds them all; gray channels among coloured ones
    have the same value in all samples. Places without pixels are 0.

    A field of the metadata that is missing or makes no sense is None, the latter with a
    `MetadataWarning` that names it; no field affects another one.

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

    Examples
    --------
    >>> with CziImage("my_file.czi") as image:  # doctest: +SKIP
    ...     print(image.dims)
    ...     pixels = image.get_image_data("ZYX", T=0, C=1)
    """

    def __init__(
        self,
        source: Source | CziReader,
        scene: int | str | None = None,
        *,
        mosaic: bool = True,
        empty_alpha: EmptyAlpha = "keep",
        storage_options: Mapping[str, Any] | None = None,
        cache_options: CacheOptions | None = None,
        reader_options: ReaderOptions | None = None,
        threads: int | None = None,
        parts: Parts | None = None,
        stored_resolution: bool = False,
        on_error: OnError = "raise",
        reconstruct_mosaic: bool | None = None,
        fs_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        mosaic = stitches(mosaic, reconstruct_mosaic)
        storage_options = fsspec_options(storage_options, fs_kwargs)
        if empty_alpha not in EMPTY_ALPHA:
            known = ", ".join(map(repr, EMPTY_ALPHA))
            raise ValueError(f"empty_alpha must be one of {known}, not {empty_alpha!r}")
        chosen: dict[str, Any] = {"stored_resolution": True} if stored_resolution else {}
        if leaves_blank(on_error):
            chosen["on_error"] = on_error
        if chosen and isinstance(source, CziReader):
            name, value = next(iter(chosen.items()))
            raise ValueError(
                f"{name} must be chosen when the file is opened: give a path, or open the "
                f"CziReader with ReaderOptions({name}={value!r})"
            )
        if chosen:
            reader_options = replace(reader_options or ReaderOptions(), **chosen)
        self._owns = not isinstance(source, CziReader)
        if isinstance(source, CziReader):
            self._reader = source
        else:
            self._reader = CziReader(
                source,
                cache_options=cache_options,
                reader_options=reader_options,
                threads=threads,
                storage_options=storage_options,
                parts=parts,
            )
        shown = ImageSelection(None, mosaic, empty_alpha)
        try:
            self._choice = ThreadChoice((self._shown(shown, 0 if scene is None else scene), 0))
        except BaseException:
            self.close()
            raise

    def __reduce__(self) -> tuple[Callable[..., CziImage], tuple[Any, ...]]:
        """Pickle as what was opened and how, the scene and the level."""
        shown = self._selection
        chosen = (self._scene, shown.mosaic, shown.empty_alpha, self._level)
        return _reopen, (type(self), self._reader, *chosen)

    def _at(self, scene: int | str, *, mosaic: bool | None = None) -> CziImage:
        shown = self._selection
        mosaic = shown.mosaic if mosaic is None else mosaic
        image = type(self)(self._reader, scene, mosaic=mosaic, empty_alpha=shown.empty_alpha)
        return image._begun(level=self._level)

    def _stitched(self) -> CziImage:
        return self if self._selection.mosaic else self._at(self._scene, mosaic=True)

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

    @property
    def _origin_name(self) -> str:
        return repr(self._reader)

    @property
    def _opened(self) -> Any:
        return self._reader.source

    @property
    def _identity(self) -> str:
        with self._document() as document:
            return str(document.header.file_guid)

    def _document(self) -> AbstractContextManager[OpenDocument]:
        return open_document_of(self._reader)

    # Scenes

    @property
    def scenes(self) -> Scenes:
        """The names of the scenes, each one its own; ``"Image:0"`` where the file has none.

        Each name is also a view of the scene, as `scene` gives it.
        """
        with self._document() as document:
            return Scenes(scene_names(document), self, scene_wells(document))

    @property
    def current_scene(self) -> str:
        """The name of the scene that is read; ``"all"`` where all are."""
        with self._document() as document:
            index = self._position(document)
            return ALL_SCENES if index is None else scene_names(document)[index]

    @property
    def current_scene_index(self) -> int | None:
        """The index of the scene in `scenes`; None where all are read."""
        with self._document() as document:
            return self._position(document)

    def _position(self, document: OpenDocument) -> int | None:
        shown, is_all = self._chosen_scene
        if is_all:
            return None
        number = shown.scene
        return 0 if number is None else list(document.table.scene_rectangles).index(number)

    @property
    def _scene(self) -> int | str:
        """The scene as `set_scene` takes it."""
        index = self.current_scene_index
        return ALL_SCENES if index is None else index

    @property
    def scene_number(self) -> int | None:
        """The number of the scene in the file (its S), as `CziReader` counts; None for no scene.

        It is None where the file has no scenes, or all are read.
        """
        return self._selection.scene

    if not TYPE_CHECKING:
        scene_index = former_name("scene_index", "scene_number")

    @property
    def _chosen_scene(self) -> tuple[ImageSelection, bool]:
        """The scene in its form for reading, and whether all are meant."""
        chosen: tuple[ImageSelection, bool] = self._choice.get()[0]
        return chosen

    @property
    def _selection(self) -> ImageSelection:
        return self._chosen_scene[0]

    def set_scene(self, scene: int | str) -> None:
        """Choose the scene of this object, as in AICSImageIO; the resolution level stays.

        Each thread has the scene that it chose itself, and until then the one that any thread chose
        last. A program with threads is simpler where each call names its scene (``scene="B1"``), or
        reads from a view (`scene`).

        Parameters
        ----------
        scene
            Its index in `scenes` or its name; ``"all"`` for all scenes in one plane.

        Raises
        ------
        OutOfBoundsError
            If there is no such scene, or it does not have the current resolution level.
        """
        level = self._level
        self._choice.set((self._shown(self._selection, scene, level), level))

    def _shown(
        self, shown: ImageSelection, scene: int | str, level: int = 0
    ) -> tuple[ImageSelection, bool]:
        """Return a scene as it is kept, if it has the level."""
        with self._document() as document:
            numbers = list(document.table.scene_rectangles)
            is_all = (
                isinstance(scene, str)
                and scene == ALL_SCENES
                and ALL_SCENES not in scene_names(document)
            )
            if is_all and numbers and not shown.mosaic:
                raise ValueError("tiles (mosaic=False) belong to one scene; choose one")
            number = None
            if not is_all:
                index = scene_index(document, scene, max(len(numbers), 1))
                number = numbers[index] if numbers else None
            chosen = replace(shown, scene=number)
            if level:
                check_level(chosen.layout(document), level, scene)
        return chosen, is_all

    @property
    def scene_info(self) -> SceneInfo | None:
        """The metadata of the scene: name, centre, contour, well."""
        with self._document() as document:
            return scene_infos(document).get(self.scene_number)

    @property
    def origin(self) -> tuple[float, float] | None:
        """Where on the stage the centre of the first pixel lies (x, y), in micrometres, or None.

        It is the first pixel of the whole scene, for the single tiles of a mosaic as well.
        The offset of the camera's region of interest and the camera's rotation are not regarded.
        """
        with self._document() as document:
            sizes, number = pixel_sizes(document), self.scene_number
            if sizes.X is None or sizes.Y is None:
                return None
            pixel = (sizes.X, sizes.Y)
            return document.cached(
                f"origin of {number}", lambda: stage_origin(document, number, pixel)
            )

    @property
    def field(self) -> int | None:
        """The number of the scene within its well, from 0 on; None without a well."""
        with self._document() as document:
            fields = document.cached("fields", lambda: field_numbers(scene_infos(document)))
            return fields.get(self.scene_number)

    @property
    def plate(self) -> Plate | None:
        """The plate with its numbers of rows and columns, or None."""
        return self._metadata(lambda document: document.read_metadata(plate), None)

    # Pixels

    @property
    def _layout(self) -> Layout:
        with self._document() as document:
            return self._selection.layout(document)

    def _read(
        self,
        choose: Callable[[Layout], ArrayRegion],
        out: NDArray[Any] | None = None,
        threads: int | None = None,
    ) -> NDArray[Any]:
        with self._document() as document:
            return self._selection.read(document, choose, out, threads)

    def to_dask(  # noqa: D102 (it has that of the base class)
        self, level: int | None = None, chunks: Any = None, *, scene: int | str | None = None
    ) -> dask.array.Array:
        level, shown = self._chosen(level), self._of(scene)._selection
        array: dask.array.Array = lazy_array(self._reader, shown, level, chunks)
        return array

    def native_chunks(
        self, level: int | None = None, *, scene: int | str | None = None
    ) -> dict[str, int]:
        """Return the chunk size along each dimension that the file's tiles make cheap to read.

        Each chunk is one plane, several neighbours along Z (or T) of up to 4 MB, or a part of a
        plane of 16 to 64 MB that ends where tiles end.

        Parameters
        ----------
        level
            The resolution level; by default the current one.
        scene
            The scene by its index or name; by default the current one.

        Raises
        ------
        OutOfBoundsError
            If there is no such level or scene.
        """
        with self._document() as document:
            return native_chunks(document, self._of(scene)._selection, self._chosen(level))

    def valid_pixels(
        self,
        selection: Mapping[str, Selection] | None = None,
        *,
        level: int | None = None,
        scene: int | str | None = None,
    ) -> NDArray[np.bool_]:
        """Return which pixels of a block come from a tile; the others are 0 in `read_block`.

        Parameters
        ----------
        selection, level, scene
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
        image, level = self._of(scene), self._chosen(level)
        chosen = image._by_index(selection or {})
        with self._document() as document:
            return valid_block(document, image._selection, chosen, level)

    def _new_array(self, shape: tuple[int, ...]) -> NDArray[Any]:
        with self._document() as document:
            return document.memory.make(shape, self._selection.layout(document).dtype)

    def _composite(
        self,
        place: Mapping[str, int],
        channels: Sequence[int] | None = None,
        contrast: Contrast = "file",
        zoom: float = 1.0,
    ) -> NDArray[np.uint8]:
        numbers = list(self._layout.planes["C"])
        chosen = self._chosen_contrast(contrast)
        return self._reader.composite(
            plane=self._plane(place),
            scene=self.scene_number,
            zoom=zoom,
            contrast={number: chosen(index) for index, number in enumerate(numbers)},
            channels=None if channels is None else [numbers[index] for index in channels],
        )

    def _sampled(self, place: Mapping[str, int], channel: int, zoom: float) -> NDArray[Any]:
        number = self._layout.planes["C"][channel]
        plane = {**self._plane(place), "C": number}
        pixel_type = self._layout.pixel_types.get(number)
        name = None if pixel_type is None else pixel_type.name
        return self._reader.read(None, plane, self.scene_number, zoom, name)

    def _plane(self, place: Mapping[str, int]) -> dict[str, int]:
        planes, known = self._layout.planes, self._reader.total_bounding_box
        return {name: planes[name][at] for name, at in place.items() if name in known}

    def _points(self) -> list[tuple[float, float] | None]:
        shown = self._display_settings
        return [points_of(shown.get(number)) for number in self._layout.planes["C"]]

    def _enabled_channels(self) -> list[int]:
        shown = self._display_settings
        numbers = enumerate(self._layout.planes["C"])
        return [at for at, number in numbers if number not in shown or shown[number].is_enabled]

    def _overview(self) -> NDArray[np.uint8] | None:
        number = self.scene_number
        with self._document() as document:
            box = scene_box(document.table, number)
            along_z = self._selection.layout(document).planes["Z"]
        middle = {"Z": along_z[len(along_z) // 2]}
        found = overview(self._reader, box, number, middle if len(along_z) > 1 else None)
        return self.attachments.thumbnail if found is None else found

    # Single tiles

    @property
    def tile_positions(self) -> NDArray[np.void]:
        """The positions of the tiles of the scene in full resolution, in one structured array.

        Fields: T, C, Z and M (and the other dimensions there are), the indices of a tile in the
        array of ``mosaic=False``; x, y, w, h, its rectangle in pixels of the file's coordinate
        system; index, its sub-block.
        """
        with self._document() as document:
            return self._tiles(document).positions()

    @property
    def mosaic_tile_dims(self) -> Dimensions | None:  # noqa: D102 (it has that of the base class)
        with self._document() as document:
            if not self._selection.has_tiles(document):
                return None
            width, height = self._tiles(document).size
        return Dimensions("YX", (height, width))

    def get_mosaic_tile_positions(  # noqa: D102 (it has that of the base class)
        self, *, scene: int | str | None = None, **where: int | str
    ) -> list[tuple[int, int]]:
        return list(self._of(scene)._tile_corners(where).values())

    def get_mosaic_tile_position(  # noqa: D102 (it has that of the base class)
        self, mosaic_tile_index: int, *, scene: int | str | None = None, **where: int | str
    ) -> tuple[int, int]:
        corners = self._of(scene)._tile_corners({**where, "M": mosaic_tile_index})
        if not corners:
            there = ", ".join(f"{name}={at!r}" for name, at in where.items()) or "any place"
            raise OutOfBoundsError(f"there is no tile M={mosaic_tile_index} at {there}")
        return next(iter(corners.values()))

    def _tile_corners(self, where: Mapping[str, int | str]) -> dict[int, tuple[int, int]]:
        with self._document() as document:
            tiles = self._tiles(document)
            if not self._selection.has_tiles(document):
                raise no_mosaic()
            return tiles.corners(self._by_index(where))  # type: ignore[arg-type]

    def _tiles(self, document: OpenDocument) -> MosaicTiles:
        if self._chosen_scene[1] and document.table.scene_rectangles:
            raise ValueError("tiles belong to one scene; choose one by set_scene")
        return self._selection.tiles(document)

    # Labels

    @property
    def channels(self) -> list[ChannelInfo]:
        """The metadata of each channel: name, colour, wavelengths, exposure, description..."""
        with self._document() as document:
            return channel_infos(document, self._selection.layout(document).planes["C"])

    @property
    def contrast_limits(self) -> list[tuple[float, float] | None]:
        """The pixel values shown as black and as white, by channel.

        They are those of ZEN's display settings; None where it has none, or for floating point.
        """
        nothing: Mapping[int, ChannelDisplaySettingsDataClass] = {}
        with self._document() as document:
            shown = metadata_or(document, _display_settings, nothing)
            return contrast_limits(shown, self._selection.layout(document).channel_dtypes)

    @property
    def _display_settings(self) -> Mapping[int, ChannelDisplaySettingsDataClass]:
        with self._document() as document:
            return _display_settings(document)

    @property
    def annotations(self) -> list[Annotation]:
        """The regions, measurements and texts drawn on the document, of all scenes.

        Their points count pixels from the top left corner of all scenes.
        """
        nothing: list[Annotation] = []
        return self._metadata(lambda document: document.annotations, nothing)

    def _pixel_sizes(self, factor: float = 1.0) -> PhysicalPixelSizes:
        with self._document() as document:
            return pixel_sizes(document, factor)

    def _times(self) -> NDArray[np.float64] | None:
        with self._document() as document:
            along_t = self._selection.layout(document).planes["T"]
            return times_along(document, self.scene_number, along_t)

    # Labels of the document

    @property
    def skew(self) -> Skew | None:
        """The skew of the planes along Z of a lattice light-sheet stack; None for other files."""
        return self._metadata(lambda document: document.read_metadata(skew), None)

    def _content(self) -> DocumentContent:
        from czictypes.arrays.content import content_of  # needs the floor that writes

        with self._document() as document:
            base = metadata_or(document, lambda _: self._reader.as_content(), DocumentContent())
            box = scene_box(document.table, self.scene_number)
            whole = document.table.total_rectangle_no_pyramid
            left, top = box.x - whole.x, box.y - whole.y
            numbers = self._selection.layout(document).planes["C"]
            drawn = [one.moved(-left, -top) for one in self.annotations if one.unit == "px"]
            return content_of(self, base, drawn, numbers)

    @property
    def document_info(self) -> DocumentInfo:
        """Title, author, dates, application, microscope and objective."""
        return self._metadata(
            lambda document: document.read_metadata(document_info), DocumentInfo()
        )

    @property
    def attachments(self) -> Attachments:
        """The document's attachments: label, preview, thumbnail, time stamps and others."""
        return self._reader.attachments

    @property
    def metadata(self) -> dict[str, Any]:
        """The document's XML as nested dictionaries, parsed once.

        Raises
        ------
        CorruptFileError
            If it is not well-formed.
        """
        return self._reader.metadata

    def to_ome(self, *, planes: bool | None = None) -> OME:
        """Return the metadata of all scenes as OME objects, valid against the OME schema.

        Parameters
        ----------
        planes
            Whether each plane is listed with its time, exposure and place, which is read from the
            metadata of its first tile; by default up to 10,000 planes.

        Returns
        -------
        ome_types.OME
            An image for each scene, in the order of `scenes`. Its size along T is the product of
            T and the dimensions before it (V, H, I, R, B), as in ``array.reshape(-1, C, Z, Y, X)``.

        Raises
        ------
        MissingExtraError
            If ome-types is not installed.
        UnsupportedDataError
            If an image has more pixels than OME metadata can say.
        """
        from czictypes.arrays.ome import ome_of

        with self._document() as document:
            return ome_of(document, planes, self._selection.empty_alpha)

    def _metadata(self, read: Callable[[OpenDocument], T], otherwise: T) -> T:
        with self._document() as document:
            return metadata_or(document, read, otherwise)


def _display_settings(document: OpenDocument) -> Mapping[int, ChannelDisplaySettingsDataClass]:
    return document.read_metadata(display_settings)


def _reopen(
    kind: type[CziImage],
    reader: CziReader,
    scene: int | str,
    mosaic: bool,
    empty_alpha: EmptyAlpha,
    level: int,
) -> CziImage:
    image = kind(reader, scene, mosaic=mosaic, empty_alpha=empty_alpha)
    image._owns = True  # nobody else has the reader that came along
    return image._begun(level=level)


def stitches(mosaic: bool, reconstruct_mosaic: bool | None) -> bool:
    """Return whether mosaics are stitched, by either of the two names of this option."""
    if reconstruct_mosaic and not mosaic:
        raise ValueError("reconstruct_mosaic is another name of mosaic; give one of them")
    return mosaic if reconstruct_mosaic is None else reconstruct_mosaic


def fsspec_options(
    storage_options: Mapping[str, Any] | None, fs_kwargs: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    """Return the options of fsspec, by either of the two names that they have."""
    if storage_options is not None and fs_kwargs is not None:
        raise ValueError("fs_kwargs is another name of storage_options; give one of them")
    return storage_options if fs_kwargs is None else fs_kwargs
