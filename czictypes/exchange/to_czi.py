"""From other formats to a CZI."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from czictypes.exchange.bioio_source import open_with_bioio
from czictypes.exchange.choice import choose
from czictypes.exchange.conversion import ConvertedImage, images_of_sources
from czictypes.exchange.czi_target import DEFAULT_COMPRESSION, write_images
from czictypes.exchange.formats import Format
from czictypes.exchange.local_file import check_file, local_file
from czictypes.exchange.picture_source import open_picture
from czictypes.exchange.remote_file import filesystem_of
from czictypes.exchange.source_image import SourceImage
from czictypes.exchange.tiff_source import open_tiff
from czictypes.exchange.wishes import Location, Wishes
from czictypes.metadata.content import DocumentContent

__all__ = ["convert_to_czi"]

_LARGE_SIDE = 2048


def convert_to_czi(
    source: Location, dest: Location, given: Format, wishes: Wishes
) -> tuple[ConvertedImage, ...]:
    """Write the images of another format as the scenes of a CZI; return what was written."""
    with _opened(source, given, wishes) as (images, content):
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


@contextmanager
def _opened(
    source: Location, given: Format, wishes: Wishes
) -> Iterator[tuple[Sequence[SourceImage], DocumentContent | None]]:
    """Open the chosen images of another format, with what it knows of a CZI as a whole."""
    with ExitStack() as stack:
        if given is Format.OME_ZARR:
            from czictypes.exchange.ome_zarr.read import open_ome_zarr

            options = wishes.source_options
            yield stack.enter_context(open_ome_zarr(source, wishes.scenes, options))
            return
        if given is Format.OTHER:
            images = stack.enter_context(open_with_bioio(source, wishes.source_options))
        else:
            opener = open_picture if given is Format.PICTURE else open_tiff
            images = stack.enter_context(opener(_local(stack, source, wishes.source_options)))
        names = [image.name or str(number) for number, image in enumerate(images)]
        yield [images[at] for at in choose(names, wishes.scenes, "image")], None


def _local(stack: ExitStack, source: Location, options: Mapping[str, Any] | None) -> Any:
    """Return a file object for a URL, which the packages that read files know nothing of."""
    found = filesystem_of(source, options, doing="reading from a URL")
    if found is None:
        return source
    system, path = found
    return stack.enter_context(system.open(path, "rb"))


def _pyramid(images: Sequence[SourceImage], levels: int | None) -> bool | None:
    """Return whether to make a pyramid; None to take the one that is there."""
    if levels is not None:
        return None if levels > 1 and any(image.levels for image in images) else levels > 1
    longest = max(max(image.sizes["X"], image.sizes["Y"]) for image in images)
    return None if any(image.levels for image in images) else longest > _LARGE_SIDE
