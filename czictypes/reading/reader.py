"""`CziReader` opens a CZI and reads planes, sub-blocks, metadata and attachments from it."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, NamedTuple, Union

import numpy as np
from numpy.typing import NDArray

from czictypes.container.byte_source import ByteSource
from czictypes.model.errors import (
    OutOfBoundsError,
    PixelTypeWarning,
    UnsupportedDataError,
)
from czictypes.model.geometry import Color, checked_plane
from czictypes.model.options import (
    CacheInfo,
    CacheOptions,
    DisplaySettings,
    ReaderFileInputTypes,
    ReaderOptions,
)
from czictypes.model.pixel_types import PixelType, pixel_format
from czictypes.model.public import Closable, check_options, defended, renamed, warn_caller
from czictypes.reading import html
from czictypes.reading.attachments import Attachments
from czictypes.reading.contrast import FILE, Contrast, chosen_contrast
from czictypes.reading.conversion import common_type, loses_bits
from czictypes.reading.damage import OnError, leaves_blank
from czictypes.reading.document import OpenDocument, Session
from czictypes.reading.names import (
    channel_names,
    chosen_channels,
    numbered_settings,
    numbers_of,
    scene_infos,
    scene_names,
)
from czictypes.reading.paint import Part
from czictypes.reading.properties import DocumentProperties
from czictypes.reading.request import (
    DTYPES,
    Background,
    Plane,
    PlaneRequest,
    Roi,
    check_scene,
    output_shape,
    result_array,
    type_of_all,
)
from czictypes.reading.threads import thread_count
from czictypes.remote.open import open_source
from czictypes.remote.part_files import PartFiles, Parts
from czictypes.remote.urls import check_url, describe_target, local_path, short_name

#: The largest picture (bytes) of a CZI in an attachment.
_PICTURE_BYTES = 32 << 20

Source = Union[str, "os.PathLike[str]", bytes, BinaryIO]


class ReaderArguments(NamedTuple):
    """The arguments of a `CziReader` as the caller passed them."""

    filepath: Source
    file_input_type: ReaderFileInputTypes
    cache_options: CacheOptions | None
    reader_options: ReaderOptions | None
    threads: int | None
    storage_options: Mapping[str, Any] | None
    parts: Parts | None

    def __repr__(self) -> str:
        return f"<ReaderArguments of {describe_target(self.filepath)!r}>"  # without credentials


@defended(lambda reader: reader._session.name)
class CziReader(DocumentProperties, Closable):
    """A CZI document open for reading; safe to use from many threads at once.

    Use it in a `with` block, or call `close`, which waits for the reads in flight. A closed reader
    still has the rectangles of the whole document and `get_cache_info`, as in pylibCZIrw; every
    other call raises `ClosedError`. If the file changes on disk, the next call opens it again. A
    pickled reader consists of its source and options; unpickling opens the file again.

    Parameters
    ----------
    filepath
        A path (any `os.PathLike`), a file object open for reading in binary mode, a URL of any
        protocol that fsspec knows (chained URLs too), a UPath or an OpenFile.
    file_input_type
        With ``ReaderFileInputTypes.Curl``, `filepath` must be a URL; by default czictypes
        recognises a URL by itself.
    cache_options
        The limits of the sub-block cache; by default nothing is cached. The cache keeps only
        compressed sub-blocks of local files, and all sub-blocks of other sources.
    reader_options
        Options for checks, masks, stored resolution, damaged tiles and the size of results.
    threads
        The number of threads that decode; by default CZICTYPES_THREADS, or the number of CPUs that
        this process may use.
    storage_options
        The options of fsspec for a URL, such as credentials; the key "czictypes" may hold
        `RemoteOptions`. They are pickled with the reader, and never shown.
    parts
        The other files of a document of several files, if they are not beside it as ``name
        (1).czi``: a list, whose part numbers come from the headers of the files, or a mapping of
        part numbers to files. Sub-blocks that only these files list are read too.

    Raises
    ------
    MissingFileError, IsFolderError, FilePermissionError
        If the file does not exist, or cannot be read.
    RemoteError
        If a server does not deliver the file; the message gives the reason.
    MissingExtraError
        If a package for the URL's protocol is missing.
    NotCziError
        If the file is not a CZI.
    CorruptFileError
        If its segments or its sub-block directory are damaged.
    MissingPartError
        If a file of `parts` does not exist. If a file is missing beside the first one, only reads
        that need it raise this.
    """

    BLACK_COLOR = Color(0, 0, 0)

    PIXEL_TYPES: ClassVar[dict[str, int]] = {kind.name: kind.value for kind in PixelType}

    @renamed({"source": "filepath"})
    def __init__(
        self,
        filepath: Source,
        file_input_type: ReaderFileInputTypes = ReaderFileInputTypes.Standard,
        cache_options: CacheOptions | None = None,
        reader_options: ReaderOptions | None = None,
        *,
        threads: int | None = None,
        storage_options: Mapping[str, Any] | None = None,
        parts: Parts | None = None,
    ) -> None:
        self._arguments = ReaderArguments(
            filepath,
            file_input_type,
            cache_options,
            reader_options,
            threads,
            storage_options,
            parts,
        )
        check_options(cache_options, CacheOptions)
        check_options(reader_options, ReaderOptions)
        options = reader_options or ReaderOptions()
        self._blank = leaves_blank(options.on_error)
        if _is_curl(file_input_type):
            check_url(filepath)
        process = os.getpid()

        def open_bytes() -> ByteSource:
            return open_source(filepath, storage_options, renew=os.getpid() != process)

        def open_document(source: ByteSource) -> OpenDocument:
            renew = os.getpid() != process  # a forked process makes its own connections
            files = PartFiles(filepath, storage_options, parts, renew=renew)
            return OpenDocument(source, cache_options, options, thread_count(threads), files)

        super().__init__(Session(open_bytes, open_document, describe_target(filepath)))

    def __reduce__(self) -> tuple[Callable[..., CziReader], tuple[Any, ...]]:
        """Pickle the source and the arguments."""
        return reopen, (self._arguments,)

    def __repr__(self) -> str:
        state = "closed " if self.closed else ""
        return f"<{state}CziReader of {self._session.name!r}>"

    def _repr_html_(self) -> str:
        """Return a small picture and what there is to know, for notebooks; never raises.

        No more pixels are read than an overview needs; without a pyramid, a large image has the
        thumbnail that is attached to the file, or none.
        """
        return html.page(self, self._card)

    def _card(self) -> str:
        name = short_name(self.source)
        if self.closed:
            return html.card("CziReader", f"{name} (closed)", {})
        return html.card("CziReader", name, self._facts(), [html.picture(self._overview)])

    def _overview(self) -> NDArray[Any] | None:
        found = self.attachments.thumbnail
        box = self.total_bounding_rectangle_no_pyramid
        return html.overview(self, box) if found is None else found

    def info(self) -> str:
        """Return what there is to know of the document, as a text of a few lines.

        ``print(reader.info())``; consoles and notebooks show it without `print`. All there is, as
        values, is in the properties, and in ``czictypes info FILE --json``.

        Raises
        ------
        ClosedError
            After `close`.
        """
        with self._session.document():
            return html.summary("CziReader", self.name, self._facts())

    def _facts(self) -> dict[str, Callable[[], object]]:
        """Return what notebooks show, each by a function, as any may fail."""
        return {
            "Dimensions": lambda: html.sizes(
                {name: end - start for name, (start, end) in self.total_bounding_box.items()}
            ),
            "Pixel size": lambda: html.micrometres(*(size and size * 1e6 for size in self.scaling)),
            "Pixel type": lambda: ", ".join(dict.fromkeys(self.pixel_types.values())),
            "Channels": lambda: html.channel_list(channel_names(self.channels), self.channels),
            "Scenes": self._scene_list,
            "Levels": lambda: len(self.pyramid_levels()) if self._table.has_pyramid else None,
            "Objective": lambda: getattr(self.document_info.objective, "name", None),
            "Attachments": lambda: html.names_list(self.attachments.names),
        }

    def _scene_list(self) -> object:
        with self._session.document() as document:
            numbers, infos = list(document.table.scene_rectangles), scene_infos(document)
            names = scene_names(document)
        found = [infos.get(number) for number in numbers]
        wells = [info.well.name if info and info.well else None for info in found]
        return numbers and html.scene_list(names, wells)

    @property
    def source(self) -> Source:
        """The path, URL or file object that you opened, as you passed it."""
        return self._arguments.filepath

    @property
    def path(self) -> Path | None:
        """The path of the local file that you opened; None for a URL or a file object."""
        return local_path(self.source)

    @property
    def name(self) -> str:
        """The name of the file without its folder, such as ``"cells.czi"``, and no credentials."""
        return short_name(self.source)

    @property
    def arguments(self) -> ReaderArguments:
        """The arguments of this reader; czictypes opens the file again with them."""
        return self._arguments

    # Planes

    def read(
        self,
        roi: Roi | None = None,
        plane: Plane | None = None,
        scene: int | str | None = None,
        zoom: float | None = None,
        pixel_type: str | None = None,
        background_pixel: Background | None = None,
        out: NDArray[Any] | None = None,
        *,
        on_error: OnError | None = None,
    ) -> NDArray[Any]:
        """Compose a plane, or a region of it, from the tiles in the file.

        Parameters
        ----------
        roi
            The region (x, y, w, h) in pixels of the raw-sub-block coordinate system; by default the
            box of the scene, or of the whole document.
        plane
            The position in each dimension, such as ``{"C": 0, "Z": 4}``; dimensions that you leave
            out are at their minimum. A channel may be given by its name (``{"C": "DAPI"}``). Use
            `scene` for S, which is accepted here only if the document offers no choice.
        scene
            The number (the S of its sub-blocks) or the name (as in `CziImage.scenes`) of the only
            scene that contributes; by default all contribute.
        zoom
            A number above 0 and up to 1; smaller numbers return fewer pixels, from the pyramid
            level that fits. Each side of the result is ``int(float32(side) * float32(zoom))``.
        pixel_type
            The type of the result, such as ``"Gray16"``; by default that of the channel's first
            sub-block, as in pylibCZIrw, with a `PixelTypeWarning` if other sub-blocks lose bits.
        background_pixel
            The value of pixels without a tile: blue, green and red from 0 to 1 (for Bgra32 also
            alpha, 1 by default), or for a gray result a single number in the range of its pixel
            type. The default is black, and transparent for Bgra32. For whole-number pixels, numbers
            out of range are clipped with a warning.
        out
            An array to fill and return, with the shape and dtype of the result. Its rows may be
            strided.
        on_error
            ``"blank"`` leaves unreadable tiles as background, with a `DamagedTileWarning` for each;
            ``"raise"`` raises. The default is that of ``ReaderOptions(on_error=)``.

        Returns
        -------
        numpy.ndarray
            (y, x, 1) for gray and (y, x, 3) for colour in the order B, G, R (4 samples for Bgra32),
            in the dtype of the pixel type. Where tiles overlap, the highest M-index wins.

        Raises
        ------
        ValueError
            For a wrong argument, or a zoom that leaves no pixel.
        OutOfBoundsError
            If the plane or scene does not exist (an `IndexError` and a `ValueError`).
        CorruptFileError
            If a sub-block of the region is damaged; the message names it.
        UnsupportedDataError
            If pixels cannot be converted to the pixel type, or czictypes does not decode them.
        MissingPartError
            If the region needs another file of the document, which is missing.
        ResultTooLargeError
            If the result exceeds ``ReaderOptions(max_result_bytes=)``, or the memory.
        FileChangedError
            If the file changed while it was read.
        ClosedError
            After `close`.

        Examples
        --------
        >>> with open_czi("image.czi") as document:  # doctest: +SKIP
        ...     pixels = document.read(roi=(0, 0, 512, 512), plane={"C": 1, "Z": 4})
        ...     overview = document.read(zoom=0.1)
        """
        blank = self._blank if on_error is None else leaves_blank(on_error)
        with self._session.document() as document:
            request = document.requests.make(roi, plane, scene, zoom, pixel_type, background_pixel)
            if pixel_type is None and not document.table.has_one_type:
                _warn_of_loss(document, request)
            return _compose(document, request, out, blank=blank)

    def composite(
        self,
        roi: Roi | None = None,
        plane: Plane | None = None,
        scene: int | str | None = None,
        zoom: float | None = None,
        display_settings: DisplaySettings | None = None,
        *,
        contrast: Contrast = "file",
        channels: int | str | Sequence[int | str] | None = None,
    ) -> NDArray[np.uint8]:
        """Blend the channels into one picture with the display settings of the file.

        Parameters
        ----------
        roi, plane, scene, zoom
            As for `read`; a C in the plane is ignored.
        display_settings
            Settings by channel number or name to use instead. Channels that are missing or not
            enabled are left out.
        contrast
            The pixel values shown as black and white, for all channels or in a dict by number or
            name. ``"file"``: the limits of `display_settings`, or of the file; as ``"auto"`` where
            it has none, or has the whole range for pixels of more than 8 bits that would use at
            most a quarter of it. ``"auto"``: the percentiles 0.2 and 99.8 of the pixels that are
            read, without zeros. ``"full"``: the range of the pixel type; of more than 16 bits, the
            smallest and the largest value. Two numbers (low, high): these pixel values.
        channels
            The number or name of a channel to blend, or several, whether they are enabled or not.

        Returns
        -------
        numpy.ndarray
            (y, x, 3) of uint8 in the order R, G, B, ready for a viewer.

        Raises
        ------
        ValueError, OutOfBoundsError, CorruptFileError, ClosedError
            As for `read`.

        Notes
        -----
        For channels of more than 16 bits, the limits of display settings refer to the range from
        the smallest to the largest finite value. Complex numbers are shown as their magnitude, and
        NaN is black. The gamma of the file applies to its own limits only.
        """
        from czictypes.reading.composite import compose_channels  # has more imports than `read`

        with self._session.document() as document:
            table = document.table
            position = {name: value for name, value in checked_plane(plane).items() if name != "C"}
            try:
                only, settings = check_scene(table, scene), display_settings
                if settings is not None:
                    settings = numbered_settings(table, settings)
                first, size = table.plane_bounds.get("C", (0, 1))
                known = range(first, first + size)
                shown = chosen_contrast(contrast, known, partial(numbers_of, table, "C"))
                chosen = None if channels is None else chosen_channels(table, channels, known)
            except OutOfBoundsError as error:
                raise OutOfBoundsError(f"{document.name}: {error}") from None

            def read_channel(channel: int | None) -> tuple[NDArray[Any], PixelType]:
                where = position if channel is None else {**position, "C": channel}
                kind = type_of_all(table, channel, only)
                name = None if kind is None else kind.name
                request = document.requests.make(roi, where, only, zoom, name)
                return _compose(document, request, None, blank=self._blank), request.pixel_type

            is_given = settings is not None and isinstance(contrast, str) and contrast == FILE
            return compose_channels(
                document, read_channel, settings, (lambda _: None) if is_given else shown, chosen
            )

    def valid_pixels(
        self,
        roi: Roi | None = None,
        plane: Plane | None = None,
        scene: int | str | None = None,
        zoom: float | None = None,
    ) -> NDArray[np.bool_]:
        """Return which pixels of a read come from a tile; the others are its background.

        No pixel is decoded for this.

        Parameters
        ----------
        roi, plane, scene, zoom
            As for `read`. With ``ReaderOptions(enable_mask_awareness=True)``, pixels that a tile's
            mask marks as invalid count as background.

        Returns
        -------
        numpy.ndarray
            (y, x) of bool.

        Raises
        ------
        ValueError, OutOfBoundsError, ClosedError
            As for `read`.
        CorruptFileError
            If a mask that is needed is damaged.
        """
        with self._session.document() as document:
            request = document.requests.make(roi, plane, scene, zoom)
            height, width, _ = output_shape(request)
            document.memory.check((height, width), height * width)
            return document.painter.valid(Part(request), width, height)

    @property
    def attachments(self) -> Attachments:
        """The attachments of the document, by position or name."""
        with self._session.document() as document:
            entries = document.attachment_entries
        return Attachments(entries, self._session.document, _nested_picture, self._session.name)

    def get_cache_info(self) -> CacheInfo:
        """Return the number of sub-blocks and bytes in the cache; 0 without `cache_options`.

        After `close`, it is the state of the cache at that time.
        """
        remains = self._session.remains
        if remains is not None:
            return remains.cache
        with self._session.document() as document:
            return document.cache_info()


def _warn_of_loss(document: OpenDocument, request: PlaneRequest) -> None:
    """Warn if reading in the type of a channel's first sub-block loses bits of other sub-blocks."""
    table, target = document.table, request.pixel_type
    only = table.plane_bounds.get("C", (None, 1))[0]  # requests leave it out
    channel = request.plane.get("C", only)
    if not any(loses_bits(number, target) for number in table.pixel_types_of(channel)):
        return
    height, width, _ = output_shape(request)
    painted = document.painter.tiles_of(Part(request), width, height)
    read = dict.fromkeys(table.directory.pixel_type[painted].tolist())
    lost = [PixelType(number).name for number in read if loses_bits(number, target)]
    if not lost:
        return
    what = document.name if channel is None else f"channel {channel} of {document.name}"
    try:
        advice = f"pass pixel_type={common_type(read, what).name!r} to keep them"
    except UnsupportedDataError:
        advice = f"pass pixel_type={lost[0]!r} for regions of that type"
    warn_caller(
        f"{what} has sub-blocks of {' and '.join(lost)} in this region, but is read as "
        f"{target.name}, the type of its first sub-block, which loses bits; {advice}",
        PixelTypeWarning,
    )


def _is_curl(kind: ReaderFileInputTypes) -> bool:
    try:  # pylibCZIrw's own enumeration has the same values
        return ReaderFileInputTypes(getattr(kind, "value", kind)) is ReaderFileInputTypes.Curl
    except ValueError:
        raise ValueError(
            f"file_input_type must be a ReaderFileInputTypes, not {kind!r}; open_czi(path) reads, "
            "create_czi(path) writes"
        ) from None


def _compose(
    document: OpenDocument, request: PlaneRequest, out: NDArray[Any] | None, *, blank: bool
) -> NDArray[Any]:
    shape = output_shape(request)
    dtype = DTYPES[int(request.pixel_type)]
    target = result_array(out, shape, dtype, document.memory)
    pool = document.pool
    document.paint([Part(request)], [target], pool.threads, pool.workers, blank=blank)
    return target


def reopen(arguments: ReaderArguments) -> CziReader:
    """Return a new reader with the arguments of another one."""
    return CziReader(
        *arguments[:4],
        threads=arguments.threads,
        storage_options=arguments.storage_options,
        parts=arguments.parts,
    )


def _nested_picture(data: bytes) -> NDArray[Any]:
    """Read the first plane of a nested CZI, zoomed out to the limit of a picture."""
    options = ReaderOptions(max_result_bytes=_PICTURE_BYTES)
    with CziReader(io.BytesIO(data), reader_options=options) as nested:
        name, box = nested.common_pixel_type(), nested.total_bounding_rectangle
        pixel = 1 if name is None else pixel_format(PixelType[name]).bytes_per_pixel
        zoom = math.sqrt(_PICTURE_BYTES / max(box.w * box.h * pixel, 1))
        least = 1.01 / max(min(box.w, box.h), 1)  # keeps a pixel of the shorter side
        pixels = nested.read(pixel_type=name, zoom=min(max(zoom, least), 1.0))
    return pixels[..., 0] if pixels.shape[2] == 1 else np.ascontiguousarray(pixels[..., 2::-1])


@renamed({"source": "filepath"})
def open_czi(
    filepath: Source,
    file_input_type: ReaderFileInputTypes = ReaderFileInputTypes.Standard,
    cache_options: CacheOptions | None = None,
    *,
    reader_options: ReaderOptions | None = None,
    threads: int | None = None,
    storage_options: Mapping[str, Any] | None = None,
    parts: Parts | None = None,
) -> CziReader:
    """Open a CZI for reading.

    Use the reader in a `with` block, or call its `close`.

    Parameters
    ----------
    filepath
        A path (any `os.PathLike`), a file object open for reading in binary mode, a URL of any
        protocol that fsspec knows (chained URLs too), a UPath or an OpenFile.
    file_input_type
        With ``ReaderFileInputTypes.Curl``, `filepath` must be a URL; by default czictypes
        recognises a URL by itself.
    cache_options
        The limits of the sub-block cache; by default nothing is cached. The cache keeps only
        compressed sub-blocks of local files, and all sub-blocks of other sources.
    reader_options
        Options for checks, masks, stored resolution, damaged tiles and the size of results.
    threads
        The number of threads that decode; by default CZICTYPES_THREADS, or the number of CPUs that
        this process may use.
    storage_options
        The options of fsspec for a URL, such as credentials; the key "czictypes" may hold
        `RemoteOptions`. They are pickled with the reader, and never shown.
    parts
        The other files of a document of several files, if they are not beside it as ``name
        (1).czi``: a list, whose part numbers come from the headers of the files, or a mapping of
        part numbers to files. Sub-blocks that only these files list are read too.

    Returns
    -------
    CziReader
        The open document.

    Raises
    ------
    MissingFileError, IsFolderError, FilePermissionError
        If the file does not exist, or cannot be read.
    RemoteError
        If a server does not deliver the file; the message gives the reason.
    MissingExtraError
        If a package for the URL's protocol is missing.
    NotCziError
        If the file is not a CZI.
    CorruptFileError
        If its segments or its sub-block directory are damaged.
    MissingPartError
        If a file of `parts` does not exist. If a file is missing beside the first one, only reads
        that need it raise this.

    Examples
    --------
    >>> with open_czi("image.czi") as document:  # doctest: +SKIP
    ...     pixels = document.read(plane={"C": 0})
    >>> with open_czi("s3://bucket/image.czi", storage_options={"anon": True}) as document:
    ...     corner = document.read(roi=(0, 0, 512, 512))  # doctest: +SKIP
    """
    return CziReader(
        filepath,
        file_input_type,
        cache_options,
        reader_options,
        threads=threads,
        storage_options=storage_options,
        parts=parts,
    )


def open_document_of(reader: CziReader) -> AbstractContextManager[OpenDocument]:
    """Return a `with` block that holds the current document of a reader open.

    Raises ClosedError after the reader was closed.
    """
    return reader._session.document(hold=True)
