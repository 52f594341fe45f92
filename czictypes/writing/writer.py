"""CziWriter: creates a CZI from arrays, with pylibCZIrw's methods and more."""

from __future__ import annotations

import io
import operator
import os
import uuid
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from czictypes.metadata.builder import build_document
from czictypes.metadata.document_content import DocumentContent
from czictypes.metadata.document_info import CustomValue
from czictypes.model.geometry import Rectangle
from czictypes.model.options import ChannelDisplaySettingsDataClass
from czictypes.model.pixel_types import PixelType
from czictypes.reading.threads import thread_count
from czictypes.writing.assembly import Assembly
from czictypes.writing.attachments import AttachmentMethods, FirstPlane, check_attachment
from czictypes.writing.compression import CompressionOptions, check_codec, resolve_compression
from czictypes.writing.new_metadata import DEFAULT_TITLE, WrittenSummary, make_content
from czictypes.writing.planes import PlaneRecord, PlaneRecords
from czictypes.writing.pyramid.build import write_pyramid
from czictypes.writing.pyramid.plan import PyramidChoice, PyramidOptions, resolve_pyramid
from czictypes.writing.session import Draft, TileSource
from czictypes.writing.targets import Target
from czictypes.writing.tiles import (
    Tile,
    TileInfo,
    check_location,
    cut,
    make_extras,
    mask_of,
    pixel_type_of,
    to_pixels,
)

__all__ = [
    "CziWriter",
    "create_czi",
    "reduced_tiles",
]


#: For programs that write overlapping tiles and cannot be changed.
_OVERLAP = "CZICTYPES_OVERLAP"


class CziWriter(AttachmentMethods):
    """A CZI document being written; it appears under its name when it is closed, all or nothing.

    Leaving a ``with`` block closes it; an exception in the block, or a failed write, leaves what
    was there before and no other trace. What is refused with a ValueError is refused before
    anything of it is written, and the document goes on. Calls from several threads are carried
    out one after the other.

    Parameters
    ----------
    filepath
        A path, or a file object opened for writing in binary. Missing folders are made.
    compression_options
        How pixels are compressed unless `write` says otherwise: ``"uncompressed:"`` (the
        default), ``"zstd0:ExplicitLevel=3"``, ``"zstd1:ExplicitLevel=3;PreProcess=HiLoByteUnpack"``
        or ``"jpgxr:"``.
    exist_ok
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

    Raises
    ------
    FileExistsError
        If the file is there and `exist_ok` is not set.
    ValueError
        For an argument that is none of the above.
    """

    def __init__(
        self,
        filepath: Target,
        compression_options: str | None = None,
        *,
        exist_ok: bool = False,
        threads: int | None = None,
        overlap: str | None = None,
        thumbnail: bool = True,
        file_guid: uuid.UUID | None = None,
        pyramid: PyramidChoice = None,
        only_named_dimensions: bool = False,
    ) -> None:
        self._compression = resolve_compression(compression_options)
        self._pyramid = resolve_pyramid(pyramid)
        self._threads = thread_count(threads)
        self._planes = PlaneRecords(
            watch_overlaps=_refuses_overlaps(overlap), only_named=only_named_dimensions
        )
        self._summary = WrittenSummary()
        self._content: DocumentContent | None = None
        self._thumbnail = FirstPlane() if thumbnail else None
        assembly = Assembly(
            filepath,
            exist_ok=exist_ok,
            file_guid=file_guid,
            read_back=self._pyramid is not None,
        )
        self._draft = Draft(assembly, self._threads)

    @property
    def name(self) -> str:
        """The file's path, or what a file object calls itself."""
        return self._draft.assembly.name

    @property
    def closed(self) -> bool:
        """Whether nothing more can be written."""
        return not self._draft.is_open

    def write(
        self,
        data: Any,
        location: tuple[int, int] = (0, 0),
        plane: Mapping[str, int] | None = None,
        compression_options: str | None = None,
        scene: int | None = None,
        *,
        info: TileInfo | None = None,
        mask: Any = None,
        attachment: bytes | None = None,
    ) -> bool:
        """Write pixels to a place in a plane.

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
        compression_options
            As that of the document, for this array.
        scene
            The scene's index, 0 if not given.
        info
            What the microscope knew of the tile: stage position, time, tags.
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
        with self._draft.lock:
            self._draft.require_open()
            options = resolve_compression(compression_options, self._compression)
            pixels = to_pixels(data)
            pixel_type = pixel_type_of(pixels)
            check_codec(options, pixel_type)
            height, width = pixels.shape[:2]
            location = check_location(location, width, height)
            rectangle = Rectangle(*location, width, height)
            tiles = list(cut(pixels))
            record = self._planes.find(plane, scene)
            record.check(rectangle, pixel_type, len(tiles))
            extras = make_extras(pixels, len(tiles), info, _one_mask(data, mask), attachment)
            with self._draft.all_or_nothing():
                first_m = self._note(record, rectangle, pixel_type, len(tiles))
                source = TileSource(
                    record.coordinate, location, first_m, pixel_type, options, extras
                )
                self._draft.tiles.write(tiles, source)
                if self._thumbnail is not None:
                    self._thumbnail.add(record.coordinate, location, pixels)
        return True

    def write_reduced(
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
        data, plane, scene
            As for `write`.
        location
            The position (x, y), in full resolution, of the top-left pixel.
        factor
            How many pixels of full resolution a pixel stands for, along each axis: in one file
            2, 4, 8 and so on, or 3, 9, 27.

        Raises
        ------
        ValueError, OSError, CziError
            As for `write`; and if a pyramid is to be made by `close`.
        """
        with self._draft.lock:
            self._draft.require_open()
            if self._pyramid is not None:
                raise ValueError("this document makes a pyramid of its own when it is closed")
            record = self._planes.find(plane, scene)
            tiles, source = reduced_tiles(data, location, factor, record, self._compression)
            with self._draft.all_or_nothing():
                self._draft.tiles.write(tiles, source)

    def write_metadata(
        self,
        document_name: str | None = DEFAULT_TITLE,
        channel_names: Mapping[int, str] | None = None,
        scale_x: float | None = 0.0,
        scale_y: float | None = 0.0,
        scale_z: float | None = 0.0,
        custom_attributes: Mapping[str, CustomValue] | None = None,
        display_settings: Mapping[int, ChannelDisplaySettingsDataClass] | None = None,
        *,
        content: DocumentContent | None = None,
    ) -> None:
        """Say what the document's metadata hold; what is left out stays as an earlier call set it.

        Sizes and pixel types are those of all that is written until the document is closed.

        Parameters
        ----------
        document_name
            The title.
        channel_names
            Names by channel index.
        scale_x, scale_y, scale_z
            The size of a pixel in metres; 0 or None for unknown.
        custom_attributes
            Keys and values, of type bool, int (32 bits), float or str.
        display_settings
            How channels are shown, by channel index; they take the place of all earlier ones.
        content
            Everything else: objective, acquisition date, colours, scenes, wells and so on. What
            is given above goes into it.

        Raises
        ------
        ValueError
            For a value that cannot be written; the metadata stay as they were.
        """
        with self._draft.lock:
            self._draft.require_open()
            self._content = make_content(
                content or self._content,
                document_name,
                channel_names,
                (scale_x, scale_y, scale_z),
                custom_attributes,
                display_settings,
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
            What `data` are, at most 8 bytes: ``"CZTIMS"``, ``"JPG"``...
        data
            Any contiguous buffer of less than 2 GiB.
        guid
            The attachment's GUID; a new one if not given.

        Raises
        ------
        ValueError
            If one of these is too long.
        """
        with self._draft.lock:
            self._draft.require_open()
            check_attachment(name, content_file_type, data)
            with self._draft.all_or_nothing():
                self._draft.tiles.drain()  # or its place in the file would be a matter of luck
                self._draft.assembly.add_attachment(name, content_file_type, data, guid)
            if name == "Thumbnail":
                self._thumbnail = None

    def _as_document(self, pixels: Any) -> bytes:
        file = io.BytesIO()
        with CziWriter(file, "zstd1:", thumbnail=False) as document:
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
        with self._draft.lock:
            self._draft.tell_failure()
            if self.closed:
                return
            if self._content is None:
                self.write_metadata()
            # A subclass, or a mock, may have `write_metadata` set nothing.
            content = self._content or make_content(None, DEFAULT_TITLE)
            assembly = self._draft.assembly
            with self._draft.all_or_nothing():
                self._draft.tiles.drain()
                if self._thumbnail is not None:
                    self._thumbnail.attach_to(assembly)
                if self._pyramid is not None:
                    self._write_pyramid(self._pyramid)
                assembly.write_metadata(build_document(self._summary.image(), content))
                assembly.commit()
            self._draft.tiles.close()

    def abort(self) -> None:
        """Give the document up and leave nothing behind; does nothing after `close`."""
        with self._draft.lock:
            self._draft.abort()

    def __enter__(self) -> CziWriter:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if exc_type is None:
                self.close()
        finally:
            self.abort()  # does nothing to a complete document

    def __repr__(self) -> str:
        state = "closed " if self.closed else ""
        return f"<{state}CziWriter of {self.name!r}>"

    def _note(
        self, record: PlaneRecord, rectangle: Rectangle, pixel_type: PixelType, tiles: int
    ) -> int:
        """Note what is about to be written; return the M-index of its first tile."""
        first_m = record.add(rectangle, pixel_type, tiles)
        self._planes.keep(record)
        m_range = (first_m, first_m + tiles - 1)
        self._summary.add(record.coordinate, rectangle, pixel_type, m_range)
        return first_m

    def _write_pyramid(self, options: PyramidOptions) -> None:
        write_pyramid(
            self._draft.assembly, options, threads=self._threads, preferred=self._compression
        )


def _refuses_overlaps(overlap: str | None) -> bool:
    where = "overlap"
    if overlap is None:
        where, overlap = _OVERLAP, os.environ.get(_OVERLAP) or "error"
    if overlap not in ("error", "allow"):
        raise ValueError(f'{where} must be "error" or "allow", not {overlap!r}')
    return overlap == "error"


def _one_mask(data: Any, mask: Any) -> Any:
    """Return the mask of valid pixels, which the data may have themselves."""
    own = mask_of(data)
    if own is not None and mask is not None:
        raise ValueError("the data are a masked array and have a mask; give no other as mask=")
    return mask if own is None else own


def create_czi(
    filepath: Target,
    exist_ok: bool = False,
    compression_options: str | None = None,
    *,
    threads: int | None = None,
    overlap: str | None = None,
    thumbnail: bool = True,
    file_guid: uuid.UUID | None = None,
    pyramid: PyramidChoice = None,
    only_named_dimensions: bool = False,
) -> CziWriter:
    """Create a CZI; it appears under its name when it is closed, all or nothing.

    Use the result in a ``with`` block, or call its `close`. The parameters and errors are those
    of `CziWriter`.

    Examples
    --------
    >>> with create_czi("new.czi", compression_options="zstd1:") as document:  # doctest: +SKIP
    ...     document.write(pixels, location=(0, 0), plane={"C": 0})
    ...     document.write_metadata(channel_names={0: "DAPI"}, scale_x=1e-7, scale_y=1e-7)
    """
    return CziWriter(
        filepath,
        compression_options,
        exist_ok=exist_ok,
        threads=threads,
        overlap=overlap,
        thumbnail=thumbnail,
        file_guid=file_guid,
        pyramid=pyramid,
        only_named_dimensions=only_named_dimensions,
    )


def reduced_tiles(
    data: Any,
    location: tuple[int, int],
    factor: int,
    record: PlaneRecord,
    options: CompressionOptions,
) -> tuple[list[Tile], TileSource]:
    """Return the tiles of reduced pixels, checked against the plane that they are of.

    Raises
    ------
    ValueError
        For pixels that cannot be written, a factor below 2, or a place where the plane has
        nothing in full resolution.
    """
    if operator.index(factor) < 2:
        raise ValueError(f"the factor of reduced pixels is at least 2, not {factor}")
    pixels = to_pixels(data)
    pixel_type = pixel_type_of(pixels)
    check_codec(options, pixel_type)
    height, width = (size * factor for size in pixels.shape[:2])
    place = check_location(location, width, height)
    record.check_reduced(Rectangle(*place, width, height), pixel_type)
    tiles = list(cut(pixels))
    extras = make_extras(pixels, len(tiles), None, None, None)
    source = TileSource(record.coordinate, place, 0, pixel_type, options, extras, factor)
    return tiles, source
