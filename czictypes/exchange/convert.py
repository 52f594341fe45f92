"""convert: any known format to CZI, and CZI to OME-Zarr, OME-TIFF, TIFF and PNG."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from czictypes.arrays.image import CziImage
from czictypes.exchange.choice import Choice, choose
from czictypes.exchange.conversion import Conversion
from czictypes.exchange.file_image import FileImage
from czictypes.exchange.formats import Format, location_name, source_format, target_format
from czictypes.exchange.from_czi import convert_from_czi, convert_image
from czictypes.exchange.open import open_image
from czictypes.exchange.remote_file import without_secrets
from czictypes.exchange.to_czi import convert_to_czi, write_as_czi
from czictypes.exchange.wishes import Location, Wishes, check_wishes
from czictypes.model.defence import defended
from czictypes.reading.damage import OnError, leaves_blank
from czictypes.reading.reader import CziReader
from czictypes.remote.part_files import Parts
from czictypes.writing.progress import Progress

__all__ = ["convert"]


@without_secrets
@defended(location_name)
def convert(
    source: Location,
    dest: Location,
    *,
    scenes: Choice = "all",
    levels: int | None = None,
    plane: Mapping[str, int] | None = None,
    compression: Any = None,
    dtype: Any = None,
    version: str | None = None,
    chunks: Any = None,
    shards: Any = None,
    overwrite: bool = False,
    resume: bool = False,
    workers: int | None = None,
    scheduler: Any = None,
    progress: Progress = None,
    source_options: Mapping[str, Any] | None = None,
    storage_options: Mapping[str, Any] | None = None,
    dry_run: bool = False,
    parts: Parts | None = None,
    on_error: OnError = "raise",
    stored_resolution: bool = False,
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
        For a PNG: the index along each dimension that has several places.
    compression
        The compression, named as in the target: see `create_czi`, `write_ome_zarr`,
        `write_ome_tiff`.
    dtype
        For a CZI: ``"uint8"``, ``"uint16"`` or ``"float32"``, if the source has another type.
    version, chunks, shards, scheduler
        For OME-Zarr, see `write_ome_zarr`.
    overwrite
        Whether an existing target is replaced.
    resume
        For OME-Zarr: finish what an interrupted conversion has begun.
    workers
        The number of threads.
    progress
        True for a bar, or ``progress(done, total)``.
    source_options, storage_options
        The options of fsspec for the URL of the source, and for that of the target.
    dry_run
        Write nothing; return what would be written, and warn if that is far more than the source
        has bytes for, even where the conversion would refuse it.
    parts
        The other files of a CZI of several files, as for `CziReader`.
    on_error
        For a CZI: ``"blank"`` leaves tiles that cannot be read as background, with a
        `DamagedTileWarning` for each; the result lists them. By default, such a tile raises.
    stored_resolution
        For a CZI to another format: True to write every stored pixel, as for `CziImage`.

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
    if isinstance(source, CziImage):
        source = source.reader
    place = source.place if isinstance(source, FileImage) and source_options is None else None
    if place is not None and target_format(dest) is Format.CZI:
        scenes = scenes if scenes == "all" else choose(source.scenes, scenes, "scene")
        source, source_options = place  # which has more for a CZI than the image tells
    is_open = isinstance(source, (CziReader, FileImage))
    names = _name(source), location_name(dest)
    how = source_options is not None, parts is not None, leaves_blank(on_error), stored_resolution
    if is_open and any(how):
        raise ValueError(
            "source_options, parts, on_error and stored_resolution say how a file is opened, but "
            f"{names[0]} is open; give them when you open it"
        )
    wanted, given = target_format(dest), _format(source)
    zarr = {"version": version, "chunks": chunks, "shards": shards, "scheduler": scheduler}
    wishes = Wishes(
        scenes,
        levels,
        plane,
        compression,
        dtype,
        {key: value for key, value in zarr.items() if value is not None},
        overwrite,
        resume,
        workers,
        progress,
        source_options,
        storage_options,
        dry_run,
        parts,
        on_error,
        stored_resolution,
    )
    check_wishes(given, wanted, wishes)
    begun = time.perf_counter()
    damaged: dict[int, str] = {}
    if isinstance(source, FileImage) and wanted is Format.CZI:
        images = write_as_czi(source, dest, wishes)
    elif isinstance(source, FileImage):
        images = convert_image(source, dest, wanted, wishes)
    elif given is Format.CZI:
        images, damaged = convert_from_czi(source, dest, wanted, wishes)
    elif wanted is not Format.CZI:
        with open_image(source, storage_options=source_options) as image:
            images = convert_image(image, dest, wanted, wishes)
    else:
        images = convert_to_czi(source, dest, given, wishes)
    seconds = time.perf_counter() - begun
    return Conversion(*names, wanted.value, images, not dry_run, round(seconds, 3), damaged)


def _format(source: Any) -> Format:
    if isinstance(source, CziReader):
        return Format.CZI
    return Format.OTHER if isinstance(source, FileImage) else source_format(source)


def _name(source: Any) -> str:
    if isinstance(source, FileImage):
        return source.name
    return location_name(source.source if isinstance(source, CziReader) else source)
