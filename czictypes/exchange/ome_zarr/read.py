"""from_ome_zarr: an OME-Zarr of any version to a CZI, out of core."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from czictypes.container.limits import bytes_for, check_claim
from czictypes.exchange.choice import Choice, choose
from czictypes.exchange.czi_target import DEFAULT_COMPRESSION, write_images
from czictypes.exchange.formats import location_name
from czictypes.exchange.ome_source import image_fields, parse_ome
from czictypes.exchange.ome_zarr.original import OME_XML, read_beside, read_original
from czictypes.exchange.ome_zarr.parse import find_images, series_paths
from czictypes.exchange.ome_zarr.scenes import kept_of, source_images
from czictypes.exchange.ome_zarr.store import StoreTarget, ZarrStore
from czictypes.exchange.remote_file import without_secrets
from czictypes.exchange.source_image import SourceImage
from czictypes.metadata.document_content import DocumentContent
from czictypes.model.defence import defended
from czictypes.model.errors import MetadataWarning, MissingExtraError
from czictypes.writing.progress import Progress
from czictypes.writing.pyramid.plan import PyramidChoice
from czictypes.writing.targets import Target

_BESIDE = ("acquisition_date", "objective", "annotations")

__all__ = ["from_ome_zarr", "open_ome_zarr"]


@without_secrets
@defended(location_name)
def from_ome_zarr(
    source: StoreTarget,
    dest: Target,
    *,
    images: Choice = "all",
    compression: str = DEFAULT_COMPRESSION,
    pyramid: PyramidChoice = None,
    tile: int | None = None,
    dtype: DTypeLike | None = None,
    overwrite: bool = False,
    workers: int | None = None,
    progress: Progress = None,
    storage_options: Mapping[str, Any] | None = None,
) -> None:
    """Write an OME-Zarr as a CZI, out of core.

    Versions 0.1 to 0.6 are read. Each image of a series or a plate becomes a scene. Pixels, axes,
    pixel sizes, times, place on the stage, wells, and names, colours and windows of
    channels are taken over, and what `write_ome_zarr` kept of a CZI comes back. The CZI appears
    when it is complete, all or nothing.

    Parameters
    ----------
    source
        A path, a URL that fsspec knows, a UPath, a store of zarr, or a dict of its buffers; also
        the path of one image in it. A name that ends in ``.ozx`` or ``.zip`` is that of a ZIP
        archive. A store that is not open yet is opened, and closed at the end.
    dest
        A path, or a file object opened for writing in binary.
    images
        ``"all"``, a position or a path (``"0"``, ``"A/1/0"``), or several of them.
    compression
        As in `create_czi`; by default fast and lossless.
    pyramid
        None takes the levels of the images if each is 2 or 3 times smaller than the one before,
        and makes new ones of others. True or `PyramidOptions` for new ones, False for none.
    tile
        The longest side of a tile in pixels.
    dtype
        ``"uint8"``, ``"uint16"`` or ``"float32"``, for pixels of another type, which must be
        values that it can hold.
    overwrite
        Whether an existing file is replaced.
    workers
        The number of threads that compress.
    progress
        True for a bar, or ``progress(done, total)``, called with numbers of tiles.
    storage_options
        The options of fsspec for the URL.

    Raises
    ------
    FileNotFoundError, FileExistsError
        If there is no store, or a file already.
    UnsupportedDataError
        If the store is no OME-Zarr, or has what a CZI cannot hold, or claims far more pixels than
        its files can hold.
    MissingExtraError
        If the extra ``ome-zarr`` is not installed.

    Examples
    --------
    >>> from_ome_zarr("slide.ome.zarr", "slide.czi")  # doctest: +SKIP
    """
    with open_ome_zarr(source, images, storage_options) as (found, content):
        write_images(
            found,
            dest,
            content=content,
            compression=compression,
            pyramid=pyramid,
            tile=tile,
            dtype=dtype,
            exist_ok=overwrite,
            threads=workers,
            progress=progress,
        )


@contextmanager
def open_ome_zarr(
    source: StoreTarget,
    images: Choice = "all",
    storage_options: Mapping[str, Any] | None = None,
    *,
    with_content: bool = True,
) -> Iterator[tuple[list[SourceImage], DocumentContent | None]]:
    """Open images for `write_images`, with what was kept of the CZI that they come from, if any.

    Without the content, for who does not take all pixels, the images tell by themselves what they
    have in common with it, and nobody looks whether they can have so many pixels.
    """
    with ZarrStore(source, storage_options, doing="reading OME-Zarr") as store:
        found, content = _images(store, images, with_content=with_content)
        claimed = sum(_bytes_of(one.pixels) for one in found)
        stored = store.stored_bytes(bytes_for(claimed)) if with_content else None
        if stored is not None:
            check_claim(claimed, stored, store.name)
        yield found, content


def _bytes_of(pixels: Any) -> int:
    return int(math.prod(map(int, pixels.shape)) * np.dtype(pixels.dtype).itemsize)


def _images(
    store: ZarrStore, images: Choice, *, with_content: bool
) -> tuple[list[SourceImage], DocumentContent | None]:
    found = find_images(store)
    wanted = images.strip("/") if isinstance(images, str) else images
    chosen = [found[at] for at in choose([one.path for one in found], wanted, "image")]
    kept = [kept_of(one) for one in chosen]
    is_kept = with_content and all(one.get("start") for one in kept)
    content = read_original(store, kept) if is_kept else None
    sources = source_images(chosen, content)
    if content is None:
        described = _described(store, [one.path for one in found])
        sources = [
            _completed(one, described.get(image.path, {})) for one, image in zip(sources, chosen)
        ]
    return sources, content


def _described(store: ZarrStore, paths: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return what the OME-XML that bioformats2raw writes tells of the images, by their paths."""
    xml = read_beside(store, OME_XML)
    if xml is None:
        return {}
    try:
        ome = parse_ome(xml, store.name, "ome-zarr")
    except MissingExtraError as error:
        warnings.warn(f"the OME-XML of {store.name} is not read: {error}", MetadataWarning, 4)
        return {}
    if ome is None:
        return {}
    series = series_paths(store)
    listed = series if sorted(series) == sorted(paths) else paths
    if len(ome.images) != len(listed):
        return {}
    return {path: image_fields(ome, number) for number, path in enumerate(listed)}


def _completed(image: SourceImage, told: Mapping[str, Any]) -> SourceImage:
    """Add what OME-Zarr has no place for."""
    fields = {name: told[name] for name in _BESIDE if name in told}
    if len(told.get("times", ())) == image.sizes.get("T", 1):
        fields["times"] = told["times"]
    return replace(image, **fields)
