"""Writing the target of a conversion: a copy, parts of images, or whole ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from czictypes.arrays.image import CziImage
from czictypes.arrays.image_base import Image
from czictypes.exchange.converted import (
    ConvertedImage,
    ConvertOptions,
    choose,
    images_of,
    images_of_sources,
)
from czictypes.exchange.czi_target import DEFAULT_COMPRESSION, write_images
from czictypes.exchange.excerpt import (
    Excerpt,
    content_of_excerpt,
    excerpt_image,
    excerpts,
    image_name,
    plane_numbers,
)
from czictypes.exchange.images import FileImage
from czictypes.exchange.locations import (
    Format,
    PathOrUrl,
    check_dest,
    staged_output,
)
from czictypes.exchange.picture_files import describe_png, write_png
from czictypes.exchange.source_image import SourceImage
from czictypes.exchange.tiff_files import DEFAULT_TIFF_COMPRESSION, write_ome_tiff, write_tiff
from czictypes.metadata.document_content import DocumentContent
from czictypes.model.errors import MissingExtraError
from czictypes.model.geometry import checked_plane
from czictypes.reading.damage import leaves_blank
from czictypes.writing.copying.copy import copy

#: An image of another format gets a pyramid in a CZI if it has more pixels along a side.
_LARGE_SIDE = 2048


def write_file(dest: PathOrUrl, options: ConvertOptions, write: Callable[[Any], None]) -> None:
    """Write a file through a local path; a dry run only checks that it could be written."""
    overwrite, storage_options = options.overwrite, options.storage_options
    if options.dry_run:
        check_dest(dest, overwrite=overwrite, storage_options=storage_options)
        return
    with staged_output(dest, overwrite=overwrite, storage_options=storage_options) as path:
        write(path)


def write_copy(image: CziImage, path: Any, options: ConvertOptions) -> dict[int, str]:
    """Copy scenes of a CZI to a CZI; return the faults of the sub-blocks left out."""
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


def _excerpt(options: ConvertOptions, wanted: Format) -> Excerpt:
    planes = checked_plane(options.plane)
    floats = wanted in (Format.CZI, Format.PICTURE)
    return Excerpt(options.roi, planes, options.project, floats)


def write_excerpts(
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
        return write_czi(taken.sources, content_of_excerpt(content, excerpt), dest, options)
    return write_image(taken, dest, wanted, options)


def planned_images(
    image: Image, wanted: Format, options: ConvertOptions
) -> tuple[ConvertedImage, ...]:
    """Return the images that are to be written, without their pixels."""
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


def write_image(
    image: Image, dest: PathOrUrl, wanted: Format, options: ConvertOptions
) -> tuple[ConvertedImage, ...]:
    """Write scenes of an image, or parts of them, in another format than CZI."""
    if options.takes_excerpts(wanted):
        return write_excerpts(image, None, dest, wanted, options)
    images = planned_images(image, wanted, options)
    write_other(image, dest, wanted, options)
    return images


def write_other(image: Image, dest: PathOrUrl, wanted: Format, options: ConvertOptions) -> None:
    """Write whole scenes of an image in another format than CZI."""
    if wanted is not Format.OME_ZARR:
        write_file(dest, options, lambda path: _write_one_file(image, path, wanted, options))
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


def write_sources(
    image: FileImage, dest: PathOrUrl, options: ConvertOptions
) -> tuple[ConvertedImage, ...]:
    """Write scenes of an image of another format, or parts of them, as a CZI."""
    if options.takes_excerpts(Format.CZI):
        return write_excerpts(image, None, dest, Format.CZI, options)
    chosen = choose(image.scenes, options.scenes, "scene")
    return write_czi([image.sources[at] for at in chosen], None, dest, options)


def write_czi(
    images: Sequence[SourceImage],
    content: DocumentContent | None,
    dest: PathOrUrl,
    options: ConvertOptions,
) -> tuple[ConvertedImage, ...]:
    """Write images, with what is known of their document, as a CZI."""
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

    write_file(dest, options, write)
    return described


def _pyramid(images: Sequence[SourceImage], levels: int | None) -> bool | None:
    """Return whether to make a pyramid; None to copy the existing one."""
    if levels is not None:
        return None if levels > 1 and any(image.levels for image in images) else levels > 1
    longest = max(max(image.sizes["X"], image.sizes["Y"]) for image in images)
    return None if any(image.levels for image in images) else longest > _LARGE_SIDE
