"""CziWriter: writes arrays to a new CZI, with pylibCZIrw's methods and more."""

from __future__ import annotations

import io
import os
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from czictypes.metadata.builder import build_document
from czictypes.metadata.document_content import DocumentContent, ImageSummary
from czictypes.metadata.document_info import CustomValue, Scaling, warn_of_large_pixels
from czictypes.model.geometry import Rectangle, whole_number
from czictypes.model.options import DisplaySettings
from czictypes.model.public import check_options, former_name, renamed
from czictypes.reading.threads import thread_count
from czictypes.writing.array_tiles import (
    TileInfo,
    check_location,
    cut,
    make_subblock_extras,
    mask_of,
    pixel_type_of,
    to_pixels,
)
from czictypes.writing.assembly import Assembly
from czictypes.writing.compression import check_codec, resolve_compression
from czictypes.writing.like import fitted, like_of
from czictypes.writing.new_attachments import AttachmentMethods, FirstPlane, check_attachment
from czictypes.writing.new_metadata import (
    DEFAULT_TITLE,
    PixelSamples,
    WrittenSummary,
    make_content,
)
from czictypes.writing.planes import PlaneRecords
from czictypes.writing.pyramid.build import write_pyramid
from czictypes.writing.pyramid.tile_plan import PyramidChoice, resolve_pyramid
from czictypes.writing.targets import Target
from czictypes.writing.write_session import TileSource, WriteSession

#: For programs that write overlapping tiles and cannot be changed.
_OVERLAP = "CZICTYPES_OVERLAP"
#: pylibCZIrw's names of parameters, and ours of the one that keeps its name.
_PYLIBCZIRW = {
    "exist_ok": "overwrite",
    "compression_options": "compression",
    "dest": "filepath",
}


class CziWriter(AttachmentMethods):
    """A CZI document that is being written; it appears under its name when it is complete.

    Leaving a ``with`` block closes it. An exception in the block, or a failed write, leaves what
    was there before and no other trace. Pixels that are refused with a ValueError are refused
    before any of them is written, and the document stays open. Several threads may call its
    methods; the calls are carried out one after the other.

    Parameters
    ----------
    filepath
        A path, or a file object opened for writing in binary. Missing folders are made.
    compression
        How pixels are compressed unless `write` says otherwise: ``"uncompressed:"`` (the
        default), ``"zstd0:ExplicitLevel=3"``, ``"zstd1:ExplicitLevel=3;PreProcess=HiLoByteUnpack"``
        or ``"jpgxr:"``.
    overwrite
        Whether an existing file is replaced.
    threads
        The number of threads that compress; by default CZICTYPES_THREADS, or the CPUs that this
        process may use. The file is the same for any number.
    overlap
        ``"error"`` refuses pixels that overlap earlier ones in their plane and scene; ``"allow"``
        accepts them (the M-index says which lie on top), as microscopes write mosaics. The default
        is the environment variable CZICTYPES_OVERLAP, or ``"error"``.
    thumbnail
        Whether a small picture of the plane written first is attached, unless one is added.
    file_guid
        The file's GUID; a new one if not given.
    pyramid
        True or `PyramidOptions` for a pyramid: smaller images of each plane, scene by scene,
        with which viewers show large ones quickly. It is made by `close`.
    only_named_dimensions
        Whether planes have only those of Z, C and T that `plane` names, instead of all three.
        OpenSlide reads no file with Z or T.
    like
        As for `create_czi`.

    Raises
    ------
    FileExistsError
        If the file is there and `overwrite` is not set.
    ValueError
        For an argument that is none of the above.
    """

    @renamed(_PYLIBCZIRW)
    def __init__(
        self,
        filepath: Target,
        compression: str | None = None,
        *,
        overwrite: bool = False,
        threads: int | None = None,
        overlap: str | None = None,
        thumbnail: bool = True,
        file_guid: uuid.UUID | None = None,
        pyramid: PyramidChoice = None,
        only_named_dimensions: bool = False,
        like: Any = None,
    ) -> None:
        #: The metadata to take over from another image.
        self.like = None if like is None else like_of(like)
        self._compression = resolve_compression(compression)
        self._pyramid = resolve_pyramid(pyramid)
        self._threads = thread_count(threads)
        self._planes = PlaneRecords(
            watch_overlaps=_refuses_overlaps(overlap), only_named=only_named_dimensions
        )
        self._content: DocumentContent | None = None
        if self.like is not None:
            self._content = make_content(self.like.content, DEFAULT_TITLE)
        self._thumbnail = FirstPlane() if thumbnail else None
        self._samples = PixelSamples()
        assembly = Assembly(
            filepath,
            overwrite=overwrite,
            file_guid=file_guid,
            read_back=self._pyramid is not None,
            for_openslide=only_named_dimensions,
        )
        self._session = WriteSession(assembly, self._threads)

    @property
    def name(self) -> str:
        """The file's path, or what a file object calls itself."""
        return self._session.assembly.name

    @property
    def closed(self) -> bool:
        """Whether nothing more can be written."""
        return not self._session.assembly.is_open

    @renamed(_PYLIBCZIRW)
    def write(
        self,
        data: Any,
        location: tuple[int, int] = (0, 0),
        plane: Mapping[str, int] | None = None,
        compression: str | None = None,
        scene: int | None = None,
        *,
        info: TileInfo | None = None,
        mask: Any = None,
        attachment: bytes | None = None,
    ) -> bool:
        """Write pixels at a position in a plane.

        Parameters
        ----------
        data
            (y, x), (y, x, 1) or (y, x, 3) in the order blue, green, red; or (1, y, x), (3, y, x).
            uint8, uint16 or float32, in any memory layout. More than 10 MB are cut into tiles. The
            mask of a numpy masked array becomes the `mask`.
        location
            The position (x, y) of the top-left pixel.
        plane
            Which plane, by dimension: any of Z C T R I H V B; Z, C and T are 0 if not given. All
            writes to a document must give the same ones beyond these.
        compression
            As that of the document, for this array.
        scene
            The scene's index, 0 if not given.
        info
            The microscope's metadata of the tile: stage position, time, tags.
        mask
            (y, x) of bool: which pixels are valid.
        attachment
            Bytes to attach to the sub-block instead of a mask.

        Returns
        -------
        bool
            True, always; errors are raised.

        Raises
        ------
        TypeError
            If the plane is no mapping.
        ValueError
            If something is not as above, or contradicts what was written to this plane and
            scene: pixels overlap (see `CziWriter`), or have another pixel type.
        MissingExtraError
            If ``jpgxr:`` is asked for without the extra that brings it.
        OSError, CziError
            If the file cannot be written; it is given up. Compression runs on after this call
            returns, so this may be due to an earlier one.
        """
        with self._session.lock:
            self._session.require_open()
            options = resolve_compression(compression, self._compression)
            pixels = to_pixels(data)
            pixel_type = pixel_type_of(pixels)
            check_codec(options, pixel_type)
            height, width = pixels.shape[:2]
            location = check_location(location, width, height)
            rectangle = Rectangle(*location, width, height)
            tiles = cut(pixels)
            record = self._planes.find(plane, scene)
            record.check(rectangle, pixel_type, len(tiles))
            mask = mask_of(data, mask)
            extras = make_subblock_extras(pixels, len(tiles), info, mask, attachment)
            with self._session:
                first_m = self._planes.add(record, rectangle, pixel_type, len(tiles))
                source = TileSource(
                    record.coordinate, location, first_m, pixel_type, options, extras
                )
                self._session.write(tiles, source)
                if self._thumbnail is not None:
                    self._thumbnail.add(record.coordinate, location, pixels)
                self._samples.add(record.coordinate.get("C", 0), pixels)
        return True

    def write_pyramid_tile(
        self,
        data: Any,
        location: tuple[int, int],
        factor: int,
        plane: Mapping[str, int] | None = None,
        scene: int | None = None,
    ) -> None:
        """Write a tile of a pyramid that was made elsewhere, once what it shows is written.

        Parameters
        ----------
        data
            The reduced pixels, in a shape and type that `write` takes.
        location
            The position (x, y), in full resolution, of the top-left pixel.
        factor
            How many pixels of full resolution a pixel stands for, along each axis: in one file
            2, 4, 8 and so on, or 3, 9, 27.
        plane
            The plane, by dimension, as for `write`.
        scene
            The scene's index, 0 if not given.

        Raises
        ------
        ValueError
            If the pixels cannot be written or were before, the factor is below 2, or the plane has
            no pixels of this type in full resolution there; and if a pyramid is to be made by
            `close`.
        OSError, CziError
            If the file cannot be written; it is given up.
        """
        with self._session.lock:
            self._session.require_open()
            if self._pyramid is not None:
                raise ValueError("this document makes a pyramid of its own when it is closed")
            if whole_number(factor, "factor") < 2:
                raise ValueError(f"the factor of reduced pixels is at least 2, not {factor}")
            record = self._planes.find(plane, scene)
            pixels = to_pixels(data)
            pixel_type = pixel_type_of(pixels)
            check_codec(self._compression, pixel_type)
            height, width = (size * factor for size in pixels.shape[:2])
            location = check_location(location, width, height)
            rectangle = Rectangle(*location, width, height)
            record.check_reduced(rectangle, pixel_type, factor)
            tiles = cut(pixels)
            extras = make_subblock_extras(pixels, len(tiles))
            source = TileSource(
                record.coordinate, location, 0, pixel_type, self._compression, extras, factor
            )
            with self._session:
                record.add_reduced(rectangle, factor)
                self._session.write(tiles, source)

    if not TYPE_CHECKING:
        write_reduced = former_name("write_reduced", "write_pyramid_tile")

    def write_metadata(
        self,
        document_name: str | None = DEFAULT_TITLE,
        channel_names: Mapping[int, str] | None = None,
        scale_x: float | None = 0.0,
        scale_y: float | None = 0.0,
        scale_z: float | None = 0.0,
        custom_attributes: Mapping[str, CustomValue] | None = None,
        display_settings: DisplaySettings | None = None,
        *,
        content: DocumentContent | None = None,
    ) -> None:
        """Set the document's metadata; an argument that is left out keeps its earlier value.

        Sizes and pixel types are those of all that is written until the document is closed.

        Parameters
        ----------
        document_name
            The title.
        channel_names
            Names by channel index.
        scale_x, scale_y, scale_z
            The size of a pixel in metres; 0 or None for unknown. A `MetadataWarning` says that one
            of 1 cm or more can hardly be meant, here or in `content`.
        custom_attributes
            Keys and values, of type bool, int (32 bits), float or str.
        display_settings
            How channels are shown, by channel index or name; they take the place of all earlier
            ones. Names are those that `channel_names` or `content` give, here or before; a channel
            without one is called ``"Channel:0"``, with its index.
        content
            Everything else: objective, acquisition date, colours, scenes, wells and so on. The
            arguments above take precedence over it.

        Raises
        ------
        ValueError
            For a value that cannot be written, or a channel's name that there is not; the metadata
            stay as they were.
        """
        check_options(content, DocumentContent)
        sizes = Scaling(scale_x, scale_y, scale_z)
        for given in (sizes, Scaling() if content is None else content.scaling):
            warn_of_large_pixels(given)
        with self._session.lock:
            self._session.require_open()
            self._content = make_content(
                content or self._content,
                document_name,
                channel_names,
                sizes,
                custom_attributes,
                display_settings,
                {record.coordinate["C"] for record in self._planes if "C" in record.coordinate},
            )

    def add_attachment(
        self, name: str, content_file_type: str, data: Any, *, guid: uuid.UUID | None = None
    ) -> None:
        """Attach bytes to the document.

        Parameters
        ----------
        name
            At most 79 bytes of UTF-8, such as ``"TimeStamps"``.
        content_file_type
            The type of `data`, at most 8 bytes: ``"CZTIMS"``, ``"JPG"``...
        data
            Any contiguous buffer of less than 2 GiB.
        guid
            The attachment's GUID; a new one if not given.

        Raises
        ------
        ValueError
            If the name, the type or the data are too long.
        """
        with self._session.lock:
            self._session.require_open()
            check_attachment(name, content_file_type, data)
            with self._session:
                self._session.drain()  # or its place in the file would be a matter of luck
                self._session.assembly.add_attachment(name, content_file_type, data, guid)
            if name == "Thumbnail":
                self._thumbnail = None

    def _as_document(self, pixels: Any) -> bytes:
        file = io.BytesIO()
        with CziWriter(file, "zstd1:", thumbnail=False, only_named_dimensions=True) as document:
            document.write(pixels[..., ::-1])
        return file.getvalue()

    def close(self) -> None:
        """Complete the document; it appears under its name. Does nothing the second time.

        Raises
        ------
        OSError
            If it cannot be written out; nothing is left then.
        CziError
            If a write failed before: the document was given up.
        """
        with self._session.lock:
            self._session.tell_failure()
            if self.closed:
                return
            if self._content is None:
                self.write_metadata()
            # A subclass, or a mock, may have `write_metadata` set nothing.
            content = self._content or make_content(None, DEFAULT_TITLE)
            assembly = self._session.assembly
            with self._session:
                self._session.drain()
                if self._thumbnail is not None:
                    self._thumbnail.attach_to(assembly)
                if self._pyramid is not None:
                    write_pyramid(assembly, self._pyramid, self._threads, self._compression)
                assembly.write_metadata(self._document(content))
                assembly.commit()
            self._session.end_threads()

    def abort(self) -> None:
        """Give the document up and leave nothing behind; does nothing after `close`."""
        with self._session.lock:
            self._session.abort()

    def __enter__(self) -> CziWriter:
        return self

    def __exit__(self, exc_type: object, exc: object, traceback: object) -> None:
        try:
            if exc_type is None:
                self.close()
        finally:
            self.abort()  # does nothing to a complete document

    def __repr__(self) -> str:
        state = "closed " if self.closed else ""
        return f"<{state}CziWriter of {self.name!r}>"

    def _document(self, content: DocumentContent) -> bytes:
        summary = self._summary()
        if self.like is not None:
            scenes = {record.coordinate.get("S", 0) for record in self._planes}
            content = fitted(content, self.like, summary, scenes)
        return build_document(summary, content)

    def _summary(self) -> ImageSummary:
        summary = WrittenSummary()
        for record in self._planes:
            summary.add(*record.written())
        return replace(summary.image(), display_limits=self._samples.limits())


def _refuses_overlaps(overlap: str | None) -> bool:
    where = "overlap"
    if overlap is None:
        where, overlap = _OVERLAP, os.environ.get(_OVERLAP) or "error"
    if overlap not in ("error", "allow"):
        raise ValueError(f'{where} must be "error" or "allow", not {overlap!r}')
    return overlap == "error"


@renamed(_PYLIBCZIRW)
def create_czi(
    filepath: Target,
    overwrite: bool = False,
    compression: str | None = None,
    *,
    threads: int | None = None,
    overlap: str | None = None,
    thumbnail: bool = True,
    file_guid: uuid.UUID | None = None,
    pyramid: PyramidChoice = None,
    only_named_dimensions: bool = False,
    like: Any = None,
) -> CziWriter:
    """Create a CZI; it appears under its name when it is closed, complete or not at all.

    Use the result in a ``with`` block, or call its `close`.

    Parameters
    ----------
    filepath
        A path, or a file object opened for writing in binary. Missing folders are made.
    overwrite
        Whether an existing file is replaced.
    compression
        How pixels are compressed unless `CziWriter.write` says otherwise: ``"uncompressed:"`` (the
        default), ``"zstd0:ExplicitLevel=3"``, ``"zstd1:ExplicitLevel=3;PreProcess=HiLoByteUnpack"``
        or ``"jpgxr:"``.
    threads
        The number of threads that compress; by default CZICTYPES_THREADS, or the CPUs that this
        process may use. The file is the same for any number.
    overlap
        ``"error"`` refuses pixels that overlap earlier ones in their plane and scene; ``"allow"``
        accepts them (the M-index says which lie on top). The default is the environment variable
        CZICTYPES_OVERLAP, or ``"error"``.
    thumbnail
        Whether a small picture of the plane written first is attached, unless one is added.
    file_guid
        The file's GUID; a new one if not given.
    pyramid
        True or `PyramidOptions` for a pyramid, which is made when the document is closed.
    only_named_dimensions
        Whether planes have only those of Z, C and T that are named when they are written, instead
        of all three. OpenSlide reads no file with Z or T.
    like
        An open `CziReader` or image, whose metadata the new file takes over as far as they fit:
        title, objective, pixel size and so on always; channels where there are as many, their bits
        and display if the pixel type is the same; times and depths where there are as many; places
        on the stage and annotations if the plane has the same size. `CziWriter.write_metadata`
        changes them.

    Returns
    -------
    CziWriter
        The document, open for writing.

    Raises
    ------
    FileExistsError
        If the file is there and `overwrite` is not set.
    OSError
        If no file can be made there.
    ValueError
        For an argument that is none of the above.

    Examples
    --------
    >>> with create_czi("new.czi", compression="zstd1:") as document:  # doctest: +SKIP
    ...     document.write(pixels, location=(0, 0), plane={"C": 0})
    ...     document.write_metadata(channel_names={0: "DAPI"}, scale_x=1e-7, scale_y=1e-7)
    """
    return CziWriter(
        filepath,
        compression,
        overwrite=overwrite,
        threads=threads,
        overlap=overlap,
        thumbnail=thumbnail,
        file_guid=file_guid,
        pyramid=pyramid,
        only_named_dimensions=only_named_dimensions,
        like=like,
    )
