"""Opens TIFF files, with the metadata of OME, ImageJ, Aperio, or none."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

from czictypes.container.limits import check_claim
from czictypes.container.workers import aside
from czictypes.exchange.ome_source import image_fields, parse_ome
from czictypes.exchange.source_image import SourceImage, axis_letters
from czictypes.metadata.axes import Scaling
from czictypes.metadata.channels import ChannelInfo
from czictypes.model.defence import warn_caller
from czictypes.model.errors import MetadataWarning, UnsupportedDataError
from czictypes.model.geometry import metres_of, seconds_of
from czictypes.model.lazy import require

__all__ = ["open_tiff"]

_EXTRA = "ome-tiff"
_MOST_VALUES = 1000  # of a tag; those of more are places of tiles
_MICROMETRES_PER_PIXEL = re.compile(r"\bMPP\s*=\s*([0-9.]+)")


@contextmanager
def open_tiff(source: str | os.PathLike[str] | BinaryIO) -> Iterator[Sequence[SourceImage]]:
    """Open the images of a TIFF file; each series becomes one.

    Parameters
    ----------
    source
        A path, or a file object.

    Raises
    ------
    UnsupportedDataError
        If it is no TIFF, or one that cannot be decoded, or claims far more pixels than its files
        can hold.
    MissingExtraError
        Without the extra ``ome-tiff``.
    """
    tifffile = require("tifffile", extra=_EXTRA, doing="reading TIFF")
    require("zarr", extra=_EXTRA, doing="reading a part of a TIFF")
    try:
        file = tifffile.TiffFile(source)
    except tifffile.TiffFileError as error:
        raise UnsupportedDataError(f"{source} is no TIFF that can be read: {error}") from error
    with file:
        series = _series(file)
        _check_sizes(file, series)
        text = file.ome_metadata
        ome = None if text is None else parse_ome(text, file.filename, _EXTRA)
        yield [_image(file, number, one, ome) for number, one in enumerate(series)]


def _series(file: Any) -> list[Any]:
    """Return the series that are images; of a slide's, the slide alone."""
    slides = [one for one in file.series if one.name == "Baseline"]
    return slides or list(file.series)


def _check_sizes(file: Any, series: Sequence[Any]) -> None:
    """Refuse pixels that the files can hold by no means: each takes time and memory."""
    parents = {
        id(page.parent): page.parent for one in series for page in one.pages if page is not None
    }
    stored = sum(parent.filehandle.size for parent in {id(file): file, **parents}.values())
    check_claim(sum(one.nbytes for one in series), stored, file.filename)


def _image(file: Any, number: int, series: Any, ome: Any) -> SourceImage:
    import zarr

    _warn_of_missing_pages(file, series)
    try:
        series.keyframe.decode(None, 0)  # nothing is decoded, but what cannot be is refused
    except ValueError as error:
        raise UnsupportedDataError(f"tifffile cannot decode {file.filename}: {error}") from error
    # an object in memory could be written to, which zarr 3 refuses to open for reading alone
    refuses = file.filehandle.writable() and not zarr.__version__.startswith("2.")
    more = {"read_only": True} if refuses else {}
    stores = [series.aszarr(level=at, **more) for at in range(len(series.levels))]
    levels = aside(lambda: [zarr.open(store, mode="r") for store in stores])
    axes = axis_letters(_dims(series), {"samples": "CS"})
    fields = _fields(file, number, series, axes, ome)
    return SourceImage(levels[0], axes, levels=levels[1:], shared=True, **fields)


def _dims(series: Any) -> list[str]:
    """Return the names of the axes; samples without colours or transparency are channels."""
    page = series.keyframe
    is_gray = series.kind != "ome" and page.photometric in (0, 1) and not any(page.extrasamples)
    return ["samples" if name == "S" and is_gray else name for name in series.axes]


def _warn_of_missing_pages(file: Any, series: Any) -> None:
    """Say that planes are missing: of a set of files, each describes the planes of all."""
    missing = sum(page is None for page in series.pages)
    if missing:
        warn_caller(
            f"{file.filename} describes {missing} planes of {series.name or 'an image'} that it "
            "does not have; their pixels are 0",
            MetadataWarning,
        )


def _fields(file: Any, number: int, series: Any, axes: str, ome: Any) -> dict[str, Any]:
    if series.kind == "ome" and ome is not None:
        text = file.ome_metadata
        return {**image_fields(ome, number), "metadata": lambda: text, "ome": lambda: ome}
    fields: dict[str, Any] = {}
    page = series.keyframe
    tags = {tag.name: tag.value for tag in page.tags.values() if tag.count <= _MOST_VALUES}
    if series.kind == "imagej":
        tags = file.imagej_metadata or {}
        fields = _imagej_fields(tags, dict(zip(axes, series.shape)))
    fields["metadata"] = lambda: tags
    x, y = _resolution(page, str((file.imagej_metadata or {}).get("unit", "")))
    slide = _MICROMETRES_PER_PIXEL.search(page.description)
    if slide:
        x = y = float(slide.group(1)) * 1e-6
    fields["scaling"] = Scaling(x, y, fields.pop("depth", None))
    return fields


def _imagej_fields(metadata: dict[str, Any], sizes: dict[str, int]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    unit = metres_of(_plain(metadata.get("unit", "")))
    if unit and isinstance(metadata.get("spacing"), (int, float)):
        fields["depth"] = float(metadata["spacing"]) * unit
    interval = metadata.get("finterval")
    if isinstance(interval, (int, float)) and interval > 0:
        step = float(interval) * (seconds_of(_plain(metadata.get("tunit", "s"))) or 1.0)
        fields["times"] = tuple(step * number for number in range(sizes.get("T", 1)))
    labels = metadata.get("Labels")
    if isinstance(labels, list) and len(labels) == sizes.get("C"):
        fields["channels"] = [ChannelInfo(at, name=str(name)) for at, name in enumerate(labels)]
    return fields


def _plain(unit: Any) -> str:
    return str(unit).replace("\\u00B5", "\u00b5")


def _resolution(page: Any, unit: str) -> tuple[float | None, float | None]:
    """Return metres per pixel along x and y from the tags, where they have a unit of length.

    ImageJ names its unit in the description, and leaves the tag for it empty.
    """
    tags = page.tags
    if "XResolution" not in tags or "YResolution" not in tags:
        return None, None
    named = {2: 0.0254, 3: 0.01}.get(int(getattr(page, "resolutionunit", 1) or 1))
    metres = metres_of(_plain(unit)) or named
    if metres is None:
        return None, None
    sizes = []
    for name in ("XResolution", "YResolution"):
        count, length = tags[name].value
        # 1 pixel for each inch is what writers put that know nothing
        sizes.append(metres * length / count if count and count != length else None)
    return sizes[0], sizes[1]
