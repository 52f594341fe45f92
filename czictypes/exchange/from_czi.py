"""From a CZI, or another image, to other formats."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from czictypes.arrays.image import CziImage
from czictypes.arrays.image_base import Image
from czictypes.exchange.choice import choose
from czictypes.exchange.conversion import ConvertedImage, images_of, images_of_sparse_czi
from czictypes.exchange.formats import Format
from czictypes.exchange.local_file import check_file, local_file
from czictypes.exchange.picture_target import describe_png, write_png
from czictypes.exchange.tiff_target import DEFAULT_TIFF_COMPRESSION, write_ome_tiff, write_tiff
from czictypes.exchange.wishes import Location, Wishes
from czictypes.model.errors import MissingExtraError, SparseDocumentError
from czictypes.reading.damage import leaves_blank
from czictypes.reading.plane_reads import open_document_of
from czictypes.writing.copying.copy import copy

__all__ = ["convert_from_czi", "convert_image"]

#: A dry run warns of images of more bytes than this, and so many times those of the file.
_LARGE, _FAR_MORE = 1 << 30, 256
#: How far the caller of `convert` is from `convert_from_czi`.
_CALLER = 5


def convert_from_czi(
    source: Location, dest: Location, wanted: Format, wishes: Wishes
) -> tuple[tuple[ConvertedImage, ...], dict[int, str]]:
    """Write scenes of a CZI in another format, or copy them to a CZI.

    The source may be an open `CziReader`, which stays open.

    Returns
    -------
    images
        What was written.
    damaged
        The sub-blocks that were left out, and what is wrong with each.
    """
    with CziImage(
        source,
        empty_alpha="drop",
        storage_options=wishes.source_options,
        threads=wishes.workers,
        parts=wishes.parts,
        on_error=wishes.on_error,
        stored_resolution=wishes.stored_resolution,
    ) as image:
        damaged: dict[int, str] = {}
        overwrite, options = wishes.overwrite, wishes.dest_options
        try:
            images = _described(image, wanted, wishes)
        except SparseDocumentError as error:
            if not wishes.dry_run:
                raise
            if wanted is not Format.OME_ZARR:
                check_file(dest, overwrite=overwrite, storage_options=options)
            warnings.warn(f"the conversion would be refused: {error}", stacklevel=_CALLER)
            return images_of_sparse_czi(image, wishes.scenes), {}
        if wishes.dry_run and wanted is not Format.CZI:
            _warn_of_size(image, sum(one.nbytes for one in images))
        if wanted is not Format.CZI:
            _write(image, dest, wanted, wishes)
        elif wishes.dry_run:
            check_file(dest, overwrite=overwrite, storage_options=options)
        else:
            with local_file(dest, overwrite=overwrite, storage_options=options) as path:
                damaged = _copy(image, path, wishes)
        return images, {**damaged, **image.reader.damaged_subblocks}


def convert_image(
    image: Image, dest: Location, wanted: Format, wishes: Wishes
) -> tuple[ConvertedImage, ...]:
    """Write scenes of an image in another format than CZI; return what was written."""
    images = _described(image, wanted, wishes)
    _write(image, dest, wanted, wishes)
    return images


def _write(image: Image, dest: Location, wanted: Format, wishes: Wishes) -> None:
    overwrite, options = wishes.overwrite, wishes.dest_options
    if wanted is Format.OME_ZARR:
        try:
            _write_zarr(image, dest, wishes)
        except MissingExtraError:
            if not wishes.dry_run:  # a plan needs no zarr; only it can look into a store
                raise
    elif wishes.dry_run:
        check_file(dest, overwrite=overwrite, storage_options=options)
    else:
        with local_file(dest, overwrite=overwrite, storage_options=options) as path:
            _WRITERS[wanted](image, path, wishes)


def _described(image: Image, wanted: Format, wishes: Wishes) -> tuple[ConvertedImage, ...]:
    if wanted is Format.PICTURE:
        return (describe_png(image, wishes.scenes, wishes.plane),)
    if (
        isinstance(image, CziImage)
        and wanted is Format.CZI
        and image.reader.magnification != (1.0, 1.0)
    ):
        opened = image.reader.arguments  # a copy keeps the tiles, and so the logical size
        options: dict[str, Any] = {"parts": opened.parts, "storage_options": opened.storage_options}
        with CziImage(opened.filepath, empty_alpha="drop", **options) as logical:
            return images_of(logical, wishes.scenes, wishes.levels, pyramid=False)
    has_levels = wanted in (Format.OME_ZARR, Format.OME_TIFF)
    return images_of(image, wishes.scenes, wishes.levels, pyramid=has_levels)


def _warn_of_size(image: CziImage, size: int) -> None:
    """Warn of a conversion that makes far more pixels than the file has bytes."""
    with open_document_of(image.reader) as document:
        name, stored = document.name, document.source.stored_bytes()
    if size > max(_LARGE, _FAR_MORE * stored):
        warnings.warn(
            f"{name} has {stored} bytes, but its images have {size} bytes of pixels, "
            f"{size // stored} times as many: most of them are empty, or a coordinate is damaged. "
            "The conversion takes time and room for all of them",
            stacklevel=_CALLER + 1,
        )


def _write_zarr(image: Image, dest: Location, wishes: Wishes) -> None:
    from czictypes.exchange.ome_zarr.write import write_ome_zarr

    write_ome_zarr(
        image,
        dest,
        scenes=wishes.scenes,
        compressor=wishes.compression,
        levels=wishes.levels,
        progress=wishes.progress,
        overwrite=wishes.overwrite,
        resume=wishes.resume,
        workers=wishes.workers,
        storage_options=wishes.dest_options,
        dry_run=wishes.dry_run,
        **wishes.zarr,
    )


def _write_ome_tiff(image: Image, path: Any, wishes: Wishes) -> None:
    write_ome_tiff(image, path, levels=wishes.levels, **_tiff_options(wishes))


def _write_tiff(image: Image, path: Any, wishes: Wishes) -> None:
    write_tiff(image, path, **_tiff_options(wishes))


def _tiff_options(wishes: Wishes) -> dict[str, Any]:
    compression = wishes.compression or DEFAULT_TIFF_COMPRESSION
    return {
        "scenes": wishes.scenes,
        "compression": None if compression == "none" else compression,
        "overwrite": wishes.overwrite,
        "threads": wishes.workers,
        "progress": wishes.progress,
    }


def _write_png(image: Image, path: Any, wishes: Wishes) -> None:
    write_png(image, path, scenes=wishes.scenes, plane=wishes.plane, overwrite=wishes.overwrite)


def _copy(image: CziImage, path: Any, wishes: Wishes) -> dict[int, str]:
    opened = image.reader.arguments
    options = opened.reader_options
    numbers = list(image.reader.scenes_bounding_rectangle)
    chosen = choose(image.scenes, wishes.scenes, "scene")
    everything = wishes.scenes == "all" or not numbers
    report = copy(
        opened.filepath,
        path,
        scenes=None if everything else [numbers[at] for at in chosen],
        recompress=wishes.compression,
        exist_ok=wishes.overwrite,
        threads=wishes.workers,
        progress=wishes.progress,
        source_options=opened.storage_options,
        parts=opened.parts,
        on_error="blank" if options and leaves_blank(options.on_error) else "raise",
    )
    return report.damaged


_WRITERS: dict[Format, Callable[[Image, Any, Wishes], None]] = {
    Format.OME_TIFF: _write_ome_tiff,
    Format.TIFF: _write_tiff,
    Format.PICTURE: _write_png,
}
