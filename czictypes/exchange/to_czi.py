"""From other formats to a CZI."""

from __future__ import annotations

from collections.abc import Sequence

from czictypes.exchange.choice import choose
from czictypes.exchange.conversion import ConvertedImage, images_of_sources
from czictypes.exchange.czi_target import DEFAULT_COMPRESSION, write_images
from czictypes.exchange.file_image import FileImage
from czictypes.exchange.formats import Format
from czictypes.exchange.local_file import check_file, local_file
from czictypes.exchange.open import open_sources
from czictypes.exchange.source_image import SourceImage
from czictypes.exchange.wishes import Location, Wishes
from czictypes.metadata.document_content import DocumentContent

__all__ = ["convert_to_czi", "write_as_czi"]

_LARGE_SIDE = 2048


def convert_to_czi(
    source: Location, dest: Location, given: Format, wishes: Wishes
) -> tuple[ConvertedImage, ...]:
    """Write the images of another format as the scenes of a CZI; return what was written."""
    with open_sources(source, given, wishes.scenes, wishes.source_options) as (images, content):
        return _write(images, content, dest, wishes)


def write_as_czi(image: FileImage, dest: Location, wishes: Wishes) -> tuple[ConvertedImage, ...]:
    """Write scenes of an open image as those of a CZI; return what was written."""
    chosen = [image.sources[at] for at in choose(image.scenes, wishes.scenes, "scene")]
    return _write(chosen, None, dest, wishes)


def _write(
    images: Sequence[SourceImage], content: DocumentContent | None, dest: Location, wishes: Wishes
) -> tuple[ConvertedImage, ...]:
    levels = None if wishes.levels is None else min(wishes.levels, 2)
    described = images_of_sources(images, wishes.dtype, levels)
    overwrite, options = wishes.overwrite, wishes.dest_options
    if wishes.dry_run:
        check_file(dest, overwrite=overwrite, storage_options=options)
        return described
    with local_file(dest, overwrite=overwrite, storage_options=options) as path:
        write_images(
            images,
            path,
            content=content,
            compression=wishes.compression or DEFAULT_COMPRESSION,
            pyramid=_pyramid(images, wishes.levels),
            dtype=wishes.dtype,
            exist_ok=overwrite,
            threads=wishes.workers,
            progress=wishes.progress,
        )
    return described


def _pyramid(images: Sequence[SourceImage], levels: int | None) -> bool | None:
    """Return whether to make a pyramid; None to take the one that is there."""
    if levels is not None:
        return None if levels > 1 and any(image.levels for image in images) else levels > 1
    longest = max(max(image.sizes["X"], image.sizes["Y"]) for image in images)
    return None if any(image.levels for image in images) else longest > _LARGE_SIDE
