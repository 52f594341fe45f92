"""convert: any known format to CZI, and CZI to OME-Zarr, OME-TIFF, TIFF and PNG."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from czictypes.arrays.image import CziImage
from czictypes.arrays.image_base import Image
from czictypes.arrays.layout import Selection
from czictypes.exchange.converted import (
    Choice,
    Conversion,
    ConvertedImage,
    ConvertOptions,
    Description,
    check_options,
    choose,
    images_of,
    images_of_sources,
    images_of_sparse_czi,
)
from czictypes.exchange.czi_target import DEFAULT_COMPRESSION, write_images
from czictypes.exchange.excerpt import (
    Excerpt,
    Projection,
    content_of_excerpt,
    excerpt_image,
    excerpts,
    image_name,
    plane_numbers,
    projections,
    scenes_in,
)
from czictypes.exchange.images import FileImage
from czictypes.exchange.locations import (
    Format,
    PathOrUrl,
    can_resume,
    check_dest,
    location_name,
    scene_files,
    source_format,
    staged_output,
    target_format,
    without_secrets,
)
from czictypes.exchange.open import open_image, open_sources
from czictypes.exchange.picture_files import describe_png, write_png
from czictypes.exchange.save import described_image
from czictypes.exchange.source_image import SourceImage
from czictypes.exchange.tiff_files import DEFAULT_TIFF_COMPRESSION, write_ome_tiff, write_tiff
from czictypes.metadata.document_content import DocumentContent, read_content
from czictypes.model.errors import MissingExtraError, SparseDocumentError
from czictypes.model.geometry import checked_plane
from czictypes.model.options import ReaderOptions
from czictypes.model.public import Progress, defended, renamed, warn_caller
from czictypes.reading.contrast import Contrast
from czictypes.reading.damage import OnError, leaves_blank
from czictypes.reading.names import metadata_or
from czictypes.reading.reader import CziReader, open_document_of
from czictypes.reading.request import parse_roi
from czictypes.remote.part_files import Parts
from czictypes.writing.array_notes import ChannelValues, PixelSize
from czictypes.writing.copying.copy import copy

#: A dry run warns of images above this size in bytes and this multiple of the file's size.
_LARGE, _FAR_MORE = 1 << 30, 256
#: An image of another format gets a pyramid in a CZI if it has more pixels along a side.
_LARGE_SIDE = 2048


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
        ``"all"``, or names or indices of the scenes (images) to convert.
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
        scenes,
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
        images = _write_image(image, dest, wanted, options)
    else:
        with open_image(source, storage_options=options.source_options) as opened:
            image = described_image(opened, options.description)
            images = _write_image(image, dest, wanted, options)
    seconds = time.perf_counter() - begun
    return Conversion(
        *names, wanted.value, images, not options.dry_run, round(seconds, 3), damaged, (names[1],)
    )


def _split(source: Any, dest: PathOrUrl, options: ConvertOptions) -> Conversion:
    """Convert each scene to a file of its own; nothing is written if one of these exists.

    To resume leaves out those that are complete, and raises FileExistsError if all are.
    """
    with _image_of(source, options) as image:
        chosen = scenes_in(image, choose(image.scenes, options.scenes, "scene"), options.roi)
        files = scene_files(dest, [image.scenes[at] for at in chosen])
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


def _write_file(dest: PathOrUrl, options: ConvertOptions, write: Callable[[Any], None]) -> None:
    """Write a file through a local path; a dry run only checks that it could be written."""
    overwrite, storage_options = options.overwrite, options.storage_options
    if options.dry_run:
        check_dest(dest, overwrite=overwrite, storage_options=storage_options)
        return
    with staged_output(dest, overwrite=overwrite, storage_options=storage_options) as path:
        write(path)


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
            return _write_excerpts(image, content, dest, wanted, options), reader.damaged_subblocks
        try:
            images = _described(image, wanted, options)
        except SparseDocumentError as error:
            if not options.dry_run:
                raise
            if wanted is not Format.OME_ZARR:
                _write_file(dest, options, lambda _: None)
            warn_caller(f"the conversion would be refused: {error}")
            return images_of_sparse_czi(image, options.scenes), {}
        if wanted is Format.CZI:
            _write_file(dest, options, lambda path: damaged.update(_copy(image, path, options)))
        else:
            if options.dry_run:
                _warn_of_size(image, sum(one.nbytes for one in images))
            _write(image, dest, wanted, options)
        return images, {**damaged, **reader.damaged_subblocks}


def _copy(image: CziImage, path: Any, options: ConvertOptions) -> dict[int, str]:
    opened = image.reader.arguments
    numbers = list(image.reader.scenes_bounding_rectangle)
    chosen = choose(image.scenes, options.scenes, "scene")
    is_whole = options.scenes == "all" or not numbers
    image.set_scene(chosen[0])
    leaves_out = opened.reader_options and leaves_blank(opened.reader_options.on_error)
    report = copy(
        opened.filepath,
        path,
        scenes=None if is_whole else [numbers[at] for at in chosen],
        planes=plane_numbers(image, options.plane),
        roi=options.roi,
        crop=options.roi is not None,
        renumber=options.plane is not None,
        compression=options.compression,
        overwrite=options.overwrite,
        threads=options.threads,
        progress=options.progress,
        storage_options=opened.storage_options,
        parts=opened.parts,
        on_error="blank" if leaves_out else "raise",
        only_named_dimensions=options.only_named_dimensions,
    )
    return report.damaged


def _content_of(reader: CziReader) -> DocumentContent | None:
    with open_document_of(reader) as document:
        return metadata_or(document, lambda document: document.read_metadata(read_content), None)


def _excerpt(options: ConvertOptions, wanted: Format) -> Excerpt:
    planes = checked_plane(options.plane)
    floats = wanted in (Format.CZI, Format.PICTURE)
    return Excerpt(options.roi, planes, options.project, floats)


def _write_excerpts(
    image: Image,
    content: DocumentContent | None,
    dest: PathOrUrl,
    wanted: Format,
    options: ConvertOptions,
) -> tuple[ConvertedImage, ...]:
    """Write parts of the images of an open file."""
    excerpt = _excerpt(options, wanted)
    name = f"{image_name(image)} ({excerpt})"
    chosen = choose(image.scenes, options.scenes, "scene")
    taken = excerpt_image(image, chosen, excerpt, name)
    options = replace(options, plane=None, roi=None, project={}, scenes="all")
    if wanted is Format.CZI:
        return _write_czi(taken.sources, content_of_excerpt(content, excerpt), dest, options)
    return _write_image(taken, dest, wanted, options)


def _described(image: Image, wanted: Format, options: ConvertOptions) -> tuple[ConvertedImage, ...]:
    if wanted is Format.CZI and options.takes_excerpts(wanted):
        chosen = choose(image.scenes, options.scenes, "scene")
        taken = excerpts(image, chosen, _excerpt(options, wanted))
        return images_of_sources(taken, None, 1)
    if wanted is Format.PICTURE:
        return (describe_png(image, options.scenes, options.plane, options.contrast),)
    if (
        wanted is Format.CZI
        and isinstance(image, CziImage)
        and image.reader.magnification != (1.0, 1.0)
    ):
        opened = image.reader.arguments  # a copy keeps the tiles, and so the logical size
        with CziImage(
            opened.filepath,
            empty_alpha="drop",
            parts=opened.parts,
            storage_options=opened.storage_options,
        ) as logical:
            return images_of(logical, options.scenes, options.levels, pyramid=False)
    has_levels = wanted in (Format.OME_ZARR, Format.OME_TIFF)
    return images_of(image, options.scenes, options.levels, pyramid=has_levels)


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


def _write_image(
    image: Image, dest: PathOrUrl, wanted: Format, options: ConvertOptions
) -> tuple[ConvertedImage, ...]:
    if options.takes_excerpts(wanted):
        return _write_excerpts(image, None, dest, wanted, options)
    images = _described(image, wanted, options)
    _write(image, dest, wanted, options)
    return images


def _write(image: Image, dest: PathOrUrl, wanted: Format, options: ConvertOptions) -> None:
    """Write scenes of an image in another format than CZI."""
    if wanted is not Format.OME_ZARR:
        _write_file(dest, options, lambda path: _write_one_file(image, path, wanted, options))
        return
    try:
        _write_zarr(image, dest, options)
    except MissingExtraError:
        if not options.dry_run:  # a plan needs no zarr; only it can look into a store
            raise


def _write_zarr(image: Image, dest: PathOrUrl, options: ConvertOptions) -> None:
    from czictypes.exchange.ome_zarr.write_zarr import write_ome_zarr

    write_ome_zarr(
        image,
        dest,
        scenes=options.scenes,
        compression=options.compression,
        levels=options.levels,
        progress=options.progress,
        overwrite=options.overwrite,
        resume=options.resume,
        threads=options.threads,
        storage_options=options.storage_options,
        dry_run=options.dry_run,
        **options.zarr,
    )


def _write_one_file(image: Image, path: Any, wanted: Format, options: ConvertOptions) -> None:
    if wanted is Format.PICTURE:
        write_png(
            image,
            path,
            scenes=options.scenes,
            plane=options.plane,
            contrast=options.contrast,
            overwrite=options.overwrite,
        )
        return
    compression = options.compression or DEFAULT_TIFF_COMPRESSION
    chosen: dict[str, Any] = {
        "scenes": options.scenes,
        "compression": None if compression == "none" else compression,
        "overwrite": options.overwrite,
        "threads": options.threads,
        "progress": options.progress,
    }
    if wanted is Format.OME_TIFF:
        write_ome_tiff(image, path, levels=options.levels, **chosen)
    else:
        write_tiff(image, path, **chosen)


def _convert_to_czi(
    source: Any, dest: PathOrUrl, given: Format, options: ConvertOptions
) -> tuple[ConvertedImage, ...]:
    """Write images of another format, opened or not, as the scenes of a CZI."""
    description = options.description
    if isinstance(source, FileImage):
        return _write_sources(described_image(source, description), dest, options)
    if description.given:
        everything = open_sources(source, given, "all", options.source_options, with_content=False)
        with everything as (images, _):
            found = FileImage(images, _name(source), lambda: None)
            return _write_sources(described_image(found, description), dest, options)
    with open_sources(source, given, options.scenes, options.source_options) as (images, content):
        if options.takes_excerpts(Format.CZI):
            image, all_of_these = FileImage(images, _name(source), lambda: None), "all"
            options = replace(options, scenes=all_of_these)
            return _write_excerpts(image, content, dest, Format.CZI, options)
        return _write_czi(images, content, dest, options)


def _write_sources(
    image: FileImage, dest: PathOrUrl, options: ConvertOptions
) -> tuple[ConvertedImage, ...]:
    if options.takes_excerpts(Format.CZI):
        return _write_excerpts(image, None, dest, Format.CZI, options)
    chosen = choose(image.scenes, options.scenes, "scene")
    return _write_czi([image.sources[at] for at in chosen], None, dest, options)


def _write_czi(
    images: Sequence[SourceImage],
    content: DocumentContent | None,
    dest: PathOrUrl,
    options: ConvertOptions,
) -> tuple[ConvertedImage, ...]:
    levels = None if options.levels is None else min(options.levels, 2)
    described = images_of_sources(images, options.dtype, levels)

    def write(path: Any) -> None:
        write_images(
            images,
            path,
            content=content,
            compression=options.compression or DEFAULT_COMPRESSION,
            pyramid=_pyramid(images, options.levels),
            dtype=options.dtype,
            overwrite=options.overwrite,
            threads=options.threads,
            progress=options.progress,
            only_named_dimensions=options.only_named_dimensions,
        )

    _write_file(dest, options, write)
    return described


def _pyramid(images: Sequence[SourceImage], levels: int | None) -> bool | None:
    """Return whether to make a pyramid; None to copy the existing one."""
    if levels is not None:
        return None if levels > 1 and any(image.levels for image in images) else levels > 1
    longest = max(max(image.sizes["X"], image.sizes["Y"]) for image in images)
    return None if any(image.levels for image in images) else longest > _LARGE_SIDE
