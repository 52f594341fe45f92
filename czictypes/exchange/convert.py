"""convert: any known format to CZI, and CZI to OME-Zarr, OME-TIFF, TIFF and PNG."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from czictypes.arrays.image import CziImage
from czictypes.arrays.image_base import Image
from czictypes.arrays.layout import Selection
from czictypes.exchange.conversion_targets import (
    planned_images,
    write_copy,
    write_czi,
    write_excerpts,
    write_file,
    write_image,
    write_other,
    write_sources,
)
from czictypes.exchange.converted import (
    Choice,
    Conversion,
    ConvertedImage,
    ConvertOptions,
    Description,
    check_options,
    choose,
    images_of_sparse_czi,
    scenes_of,
)
from czictypes.exchange.excerpt import Projection, projections, scenes_in
from czictypes.exchange.images import FileImage
from czictypes.exchange.locations import (
    Format,
    PathOrUrl,
    can_resume,
    check_dest,
    location_name,
    scene_files,
    source_format,
    target_format,
    without_secrets,
)
from czictypes.exchange.open import open_image, open_sources
from czictypes.exchange.save import described_image
from czictypes.metadata.document_content import DocumentContent, read_content
from czictypes.model.errors import SparseDocumentError
from czictypes.model.geometry import checked_plane
from czictypes.model.options import ReaderOptions
from czictypes.model.public import Progress, defended, renamed, warn_caller
from czictypes.reading.contrast import Contrast
from czictypes.reading.damage import OnError
from czictypes.reading.names import metadata_or
from czictypes.reading.reader import CziReader, open_document_of
from czictypes.reading.request import parse_roi
from czictypes.remote.part_files import Parts
from czictypes.writing.array_notes import ChannelValues, PixelSize

#: A dry run warns of images above this size in bytes and this multiple of the file's size.
_LARGE, _FAR_MORE = 1 << 30, 256


@renamed(workers="threads")
@without_secrets
@defended(location_name)
def convert(
    source: PathOrUrl,
    dest: PathOrUrl,
    *,
    scenes: Choice = "all",
    levels: int | None = None,
    plane: Mapping[str, Selection] | None = None,
    contrast: Contrast | None = None,
    compression: Any = None,
    dtype: Any = None,
    version: str | None = None,
    chunks: Any = None,
    shards: Any = None,
    overwrite: bool = False,
    resume: bool = False,
    threads: int | None = None,
    scheduler: Any = None,
    progress: Progress = None,
    source_options: Mapping[str, Any] | None = None,
    storage_options: Mapping[str, Any] | None = None,
    dry_run: bool = False,
    parts: Parts | None = None,
    on_error: OnError = "raise",
    stored_resolution: bool = False,
    roi: Any = None,
    project: Projection = None,
    split_scenes: bool = False,
    axes: str | None = None,
    channel_names: ChannelValues = None,
    pixel_size: PixelSize = None,
    times: float | Sequence[float] | None = None,
    only_named_dimensions: bool = False,
) -> Conversion:
    """Convert an image file to another format, out of core.

    The endings of the names choose the formats: a target ends in ``.czi``, ``.ome.zarr``,
    ``.zarr``, ``.ozx``, ``.ome.tif``, ``.tif`` or ``.png``. A source may also be another picture
    that Pillow knows, or a file that bioio has a reader for (LIF, ND2...).

    Parameters
    ----------
    source, dest
        Paths, or URLs that fsspec knows; in place of an OME-Zarr, also a store of zarr. A source
        may be what `open_image` gave, or a `CziReader`, which stays open and as it is.
    scenes
        ``"all"``, or names or indices of the scenes (images) to convert. Of a view of one scene,
        ``"all"`` is this scene.
    levels
        The number of resolutions; by default all stored ones, and coarser ones. In a CZI, 1
        means no pyramid.
    plane
        The planes to convert, by dimension: an index, a slice, or several; channels also by name,
        as in ``{"C": ["DAPI", "GFP"], "Z": slice(2, 6)}``. A PNG needs one index along each
        dimension that has several places (but C, without which it shows all channels).
    contrast
        For a PNG: ``"file"``, ``"auto"``, ``"full"`` or (low, high), also in a dict by channel; see
        `Image.to_rgb`, which makes the picture then. By default gray pixels of up to 16 bits and
        colours of 8 bits keep their values, and all else is shown as by ``"file"``.
    compression
        The compression, named as in the target: see `create_czi` and `write_ome_zarr`; in a TIFF
        ``"zlib"`` (the default), ``"lzw"``, ``"zstd"``... as tifffile names it, or ``"none"``.
    dtype
        For a CZI: ``"uint8"``, ``"uint16"`` or ``"float32"``, if the source has another type.
    version, chunks, shards, scheduler
        For OME-Zarr, see `write_ome_zarr`.
    overwrite
        Whether an existing target is replaced.
    resume
        For OME-Zarr: finish what an interrupted conversion has begun. With `split_scenes`, for
        all formats: leave out the scenes whose files are complete.
    threads
        The number of threads; by default CZICTYPES_THREADS, or the CPUs this process may use.
    progress
        True for a bar, or ``progress(done, total)``.
    source_options, storage_options
        The options of fsspec for the URL of the source, and for that of the target.
    dry_run
        Write nothing; return what would be written, and warn if that is far more than the source
        has bytes for, even where the conversion would refuse it.
    parts
        The other files of a CZI of several files, in any order, or by their numbers.
    on_error
        For a CZI: ``"blank"`` leaves tiles that cannot be read as background, with a
        `DamagedTileWarning` for each; the result lists them. By default, such a tile raises.
    stored_resolution
        For a CZI to another format: True to write every stored pixel of tiles that are stored in
        more pixels than they cover, with all others magnified to match.
    roi
        A region (x, y, w, h) to which images are cut, in pixels of full resolution: those of the
        document for a CZI (as for `CziReader.read`), of each image otherwise. Scenes outside it
        are left out. From CZI to CZI, tiles inside move as they are (see `copy`).
    project
        ``"max"``, ``"mean"`` or ``"sum"`` along Z, or one of these by dimension:
        ``{"T": "max"}``. A mean has the type of the pixels, rounded. A sum of integers is uint16
        where every sum fits, else uint32, or float32 in a CZI (exact up to 16,777,216).
    split_scenes
        Whether each scene becomes a file of its own, with its name before the ending of `dest`:
        ``plate_B3.ome.tif``.
    axes, channel_names, pixel_size, times
        For a file that is no CZI: facts that it lacks or has wrong, in the form that `imwrite`
        takes for an array: a letter for each axis, the name of each channel, metres for each
        pixel, seconds between one T and the next. By default the file's own; a stack without axes
        is Z.
    only_named_dimensions
        For a CZI: whether it has only the dimensions of planes (Z, C, T...) along which there are
        several, and not those of one place. OpenSlide reads no file with Z or T.

    Returns
    -------
    Conversion
        A summary of the written images.

    Raises
    ------
    FileExistsError
        If the target exists and neither `overwrite` nor `resume` is set.
    ValueError
        For an argument that does not fit the target.
    UnsupportedDataError
        If the source cannot be read, or the target cannot hold it.
    SparseDocumentError
        If a CZI has far more planes or pixels than its sub-blocks could fill, as one damaged
        coordinate makes it. To convert it all the same, pass a
        ``CziReader(path, reader_options=ReaderOptions(allow_sparse=True))``.
    IncompleteOutputError
        If an OME-Zarr could not be finished; ``resume=True`` goes on with it. All other formats
        are complete or not there.
    MissingExtraError
        Without the extra that the format needs.

    Examples
    --------
    >>> convert("slide.czi", "slide.ome.zarr", progress=True)  # doctest: +SKIP
    """
    zarr = {"version": version, "chunks": chunks, "shards": shards, "scheduler": scheduler}
    options = ConvertOptions(
        scenes_of(source, scenes),
        levels,
        None if plane is None else checked_plane(plane),
        compression,
        dtype,
        {key: value for key, value in zarr.items() if value is not None},
        overwrite,
        resume,
        threads,
        progress,
        source_options,
        storage_options,
        dry_run,
        parts,
        on_error,
        stored_resolution,
        None if roi is None else parse_roi(roi),
        projections(project) if project else {},
        Description(axes, channel_names, pixel_size, times),
        contrast,
        only_named_dimensions,
    )
    return _split(source, dest, options) if split_scenes else _convert(source, dest, options)


def _convert(source: Any, dest: PathOrUrl, options: ConvertOptions) -> Conversion:
    if isinstance(source, CziImage):
        source = source.reader
    is_given = options.source_options is not None
    place = source.place if isinstance(source, FileImage) and not is_given else None
    if place is not None and target_format(dest) is Format.CZI:
        scenes = options.scenes
        scenes = scenes if scenes == "all" else choose(source.scenes, scenes, "scene")
        source, source_options = place  # which has more for a CZI than the image tells
        options = replace(options, scenes=scenes, source_options=source_options)
    names = _name(source), location_name(dest)
    if isinstance(source, (CziReader, FileImage)) and options.opens:
        raise ValueError(
            "source_options, parts, on_error and stored_resolution say how a file is opened, but "
            f"{names[0]} is open; give them when you open it"
        )
    wanted, given = target_format(dest), _format(source)
    check_options(given, wanted, options)
    begun = time.perf_counter()
    damaged: dict[int, str] = {}
    if given is Format.CZI:
        images, damaged = _convert_czi(source, dest, wanted, options)
    elif wanted is Format.CZI:
        images = _convert_to_czi(source, dest, given, options)
    elif isinstance(source, FileImage):
        image = described_image(source, options.description)
        images = write_image(image, dest, wanted, options)
    else:
        with open_image(source, storage_options=options.source_options) as opened:
            image = described_image(opened, options.description)
            images = write_image(image, dest, wanted, options)
    seconds = time.perf_counter() - begun
    return Conversion(
        *names, wanted.value, images, not options.dry_run, round(seconds, 3), damaged, (names[1],)
    )


def _split(source: Any, dest: PathOrUrl, options: ConvertOptions) -> Conversion:
    """Convert each scene to a file of its own; nothing is written if one of these exists.

    To resume leaves out those that are complete, and raises FileExistsError if all are.
    """
    with _image_of(source, options) as image:
        names = image.scenes
        chosen = scenes_in(image, choose(names, options.scenes, "scene"), options.roi)
        files = scene_files(dest, [names[at] for at in chosen])
    for file in () if options.overwrite or options.resume else files:
        check_dest(file, overwrite=False, storage_options=options.storage_options)
    each = [_scene(source, file, replace(options, scenes=at)) for at, file in zip(chosen, files)]
    done = [one for one in each if one is not None]
    if not done:
        raise FileExistsError(errno.EEXIST, "all files of its scenes exist", location_name(dest))
    return replace(
        done[0],
        dest=location_name(dest),
        images=tuple(image for one in done for image in one.images),
        seconds=round(sum(one.seconds for one in done), 3),
        damaged={index: fault for one in done for index, fault in one.damaged.items()},
        files=tuple(one.dest for one in done),
    )


def _scene(source: Any, file: PathOrUrl, options: ConvertOptions) -> Conversion | None:
    """Convert a scene; return None if it is to be resumed and its file is complete."""
    try:
        return _convert(source, file, replace(options, resume=options.resume and can_resume(file)))
    except FileExistsError:
        if not options.resume:
            raise
        return None


@contextmanager
def _image_of(source: Any, options: ConvertOptions) -> Iterator[Image]:
    if isinstance(source, Image):
        yield described_image(source, options.description)
    elif isinstance(source, CziReader):
        yield CziImage(source)
    elif source_format(source) is Format.CZI:
        given, parts = options.source_options, options.parts
        with CziReader(source, storage_options=given, parts=parts) as reader:
            yield CziImage(reader)
    else:
        with open_image(source, storage_options=options.source_options) as image:
            yield described_image(image, options.description)


def _format(source: Any) -> Format:
    if isinstance(source, CziReader):
        return Format.CZI
    return Format.OTHER if isinstance(source, FileImage) else source_format(source)


def _name(source: Any) -> str:
    if isinstance(source, FileImage):
        return source.name
    return location_name(source.source if isinstance(source, CziReader) else source)


def _convert_czi(
    source: Any, dest: PathOrUrl, wanted: Format, options: ConvertOptions
) -> tuple[tuple[ConvertedImage, ...], dict[int, str]]:
    """Write scenes of a CZI; return the images, and the faults of the sub-blocks left out."""
    if isinstance(source, CziReader):
        return _convert_reader(source, dest, wanted, options)
    reader_options = ReaderOptions(
        on_error=options.on_error, stored_resolution=options.stored_resolution
    )
    with CziReader(
        source,
        reader_options=reader_options,
        threads=options.threads,
        storage_options=options.source_options,
        parts=options.parts,
    ) as reader:
        return _convert_reader(reader, dest, wanted, options)


def _convert_reader(
    reader: CziReader, dest: PathOrUrl, wanted: Format, options: ConvertOptions
) -> tuple[tuple[ConvertedImage, ...], dict[int, str]]:
    with open_document_of(reader):  # once, and not for each property
        image = CziImage(reader, empty_alpha="drop")
        damaged: dict[int, str] = {}
        if options.takes_excerpts(wanted) and (wanted is not Format.CZI or options.project):
            content = None if wanted is not Format.CZI else _content_of(reader)
            return write_excerpts(image, content, dest, wanted, options), reader.damaged_subblocks
        try:
            images = planned_images(image, wanted, options)
        except SparseDocumentError as error:
            if not options.dry_run:
                raise
            if wanted is not Format.OME_ZARR:
                write_file(dest, options, lambda _: None)
            warn_caller(f"the conversion would be refused: {error}")
            return images_of_sparse_czi(image, options.scenes), {}
        if wanted is Format.CZI:
            write_file(dest, options, lambda path: damaged.update(write_copy(image, path, options)))
        else:
            if options.dry_run:
                _warn_of_size(image, sum(one.nbytes for one in images))
            write_other(image, dest, wanted, options)
        return images, {**damaged, **reader.damaged_subblocks}


def _content_of(reader: CziReader) -> DocumentContent | None:
    with open_document_of(reader) as document:
        return metadata_or(document, lambda document: document.read_metadata(read_content), None)


def _warn_of_size(image: CziImage, size: int) -> None:
    """Warn of a conversion that makes far more pixels than the file has bytes."""
    with open_document_of(image.reader) as document:
        name, stored = document.name, document.source.stored_bytes()
    if size > max(_LARGE, _FAR_MORE * stored):
        warn_caller(
            f"{name} has {stored} bytes, but its images have {size} bytes of pixels, "
            f"{size // stored} times as many: most of them are empty, or a coordinate is damaged. "
            "The conversion takes time and room for all of them"
        )


def _convert_to_czi(
    source: Any, dest: PathOrUrl, given: Format, options: ConvertOptions
) -> tuple[ConvertedImage, ...]:
    """Write images of another format, opened or not, as the scenes of a CZI."""
    description = options.description
    if isinstance(source, FileImage):
        return write_sources(described_image(source, description), dest, options)
    if description.given:
        everything = open_sources(source, given, "all", options.source_options, with_content=False)
        with everything as (images, _):
            found = FileImage(images, _name(source), lambda: None)
            return write_sources(described_image(found, description), dest, options)
    with open_sources(source, given, options.scenes, options.source_options) as (images, content):
        if options.takes_excerpts(Format.CZI):
            image, all_of_these = FileImage(images, _name(source), lambda: None), "all"
            options = replace(options, scenes=all_of_these)
            return write_excerpts(image, content, dest, Format.CZI, options)
        return write_czi(images, content, dest, options)
