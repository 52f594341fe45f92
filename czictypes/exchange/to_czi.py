"""From other formats to a CZI."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from czictypes.exchange.bioio_source import open_with_bioio
from czictypes.exchange.conversion import ConvertedImage, images_of_sources
from czictypes.exchange.czi_target import DEFAULT_COMPRESSION, write_images
from czictypes.exchange.formats import Format, location_text
from czictypes.exchange.local_file import local_file
from czictypes.exchange.picture_source import open_picture
from czictypes.exchange.series import Scenes
from czictypes.exchange.source_image import SourceImage
from czictypes.exchange.tiff_source import open_tiff
from czictypes.exchange.wishes import Location, Wishes, refuse_existing
from czictypes.model.extras import require

__all__ = ["convert_to_czi"]

_LARGE_SIDE = 2048


def convert_to_czi(
    source: Location, dest: Location, given: Format, wishes: Wishes
) -> tuple[ConvertedImage, ...]:
    """Write the images of another format as the scenes of a CZI; return what was written."""
    with _opened(source, given, wishes.source_options) as found:
        images = _chosen(found, wishes.scenes)
        levels = None if wishes.levels is None else min(wishes.levels, 2)
        described = images_of_sources(images, wishes.dtype, levels)
        if wishes.dry_run:
            refuse_existing(dest, wishes)
            return described
        overwrite, options = wishes.overwrite, wishes.dest_options
        with local_file(dest, overwrite=overwrite, storage_options=options) as path:
            write_images(
                images,
                path,
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
    source: Location, given: Format, options: Mapping[str, Any] | None
) -> Iterator[Sequence[SourceImage]]:
    """Open another format; of URLs only bioio knows what to do, so that others get a file."""
    if given is Format.OTHER:
        with open_with_bioio(source) as images:
            yield images
        return
    opener = open_picture if given is Format.PICTURE else open_tiff
    if "://" not in location_text(source):
        with opener(source) as images:
            yield images
        return
    fsspec = require("fsspec", extra="remote", doing="reading from a URL")
    with fsspec.open(str(source), "rb", **(options or {})) as file, opener(file) as images:
        yield images


def _chosen(images: Sequence[SourceImage], scenes: Scenes) -> list[SourceImage]:
    if isinstance(scenes, str) and scenes == "all":
        return list(images)
    names = [image.name or str(number) for number, image in enumerate(images)]
    found = []
    for one in [scenes] if isinstance(scenes, (str, int)) else scenes:
        at = names.index(one) if one in names else one
        if not isinstance(at, int) or not 0 <= at < len(images):
            raise ValueError(f"there is no image {one!r}; there are {', '.join(names)}")
        found.append(images[at])
    return found


def _pyramid(images: Sequence[SourceImage], levels: int | None) -> bool | None:
    """Return whether to make a pyramid; None to take the one that is there."""
    if levels is not None:
        return None if levels > 1 and any(image.levels for image in images) else levels > 1
    longest = max(max(image.sizes["X"], image.sizes["Y"]) for image in images)
    return None if any(image.levels for image in images) else longest > _LARGE_SIDE
