"""TIFF files: opens those of OME, ImageJ, Aperio and others, writes OME-TIFF and plain TIFF."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from czictypes.container.limits import check_claim
from czictypes.container.workers import aside, feed
from czictypes.exchange.converted import Choice, Series, image_series, level_sizes
from czictypes.exchange.ome_xml import image_fields, ome_text, parse_ome
from czictypes.exchange.source_image import SourceImage, axis_letters
from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.document_info import Scaling
from czictypes.model.errors import InvalidArgumentError, MetadataWarning, UnsupportedDataError
from czictypes.model.geometry import metres_of, seconds_of
from czictypes.model.lazy import require
from czictypes.model.public import Progress, file_errors, show_progress, warn_caller
from czictypes.reading.threads import thread_count
from czictypes.writing.atomic import PathType, atomic_output
from czictypes.writing.pyramid.reduce import reduce_pixels

if TYPE_CHECKING:
    from czictypes.arrays.image_base import Image

_EXTRA = "ome-tiff"
_MOST_VALUES = 1000  # of a tag; those of more are places of tiles
_MICROMETRES_PER_PIXEL = re.compile(r"\bMPP\s*=\s*([0-9.]+)")


@contextmanager
def open_tiff(source: str | os.PathLike[str] | BinaryIO) -> Iterator[Sequence[SourceImage]]:
    """Open the images of a TIFF from a path or file object, one for each series."""
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
    """Return the series that are images; only the slide itself of a slide."""
    slides = [one for one in file.series if one.name == "Baseline"]
    return slides or list(file.series)


def _check_sizes(file: Any, series: Sequence[Any]) -> None:
    """Refuse more pixels than the files can hold, which would take time and memory."""
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
    """Warn of missing planes: each file of a set describes the planes of all files."""
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
    x, y = _pixel_size(page, str((file.imagej_metadata or {}).get("unit", "")))
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
    labels, count = metadata.get("Labels"), sizes.get("C", 1)
    if isinstance(labels, list) and labels == labels[:count] * (len(labels) // count):
        labels = labels[:count]  # of each plane, named by its channel
    if isinstance(labels, list) and len(labels) == sizes.get("C"):
        fields["channels"] = [ChannelInfo(at, name=str(name)) for at, name in enumerate(labels)]
    return fields


def _plain(unit: Any) -> str:
    return str(unit).replace("\\u00B5", "\u00b5")


def _pixel_size(page: Any, unit: str) -> tuple[float | None, float | None]:
    """Return metres per pixel along x and y from the tags, if they have a unit of length.

    ImageJ writes its unit into the description instead of the tag.
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


DEFAULT_TIFF_COMPRESSION = "zlib"

# the order of the planes in the file: the last runs fastest
_PLANE_ORDER = "TCZM"
_TILE = 512  # pixels along a side
_CLASSIC_LIMIT = 1 << 31
#: Of a stack for ImageJ, whose planes are written as a whole.
_LARGEST_PLANE = 1 << 28
_MOST_COMPOSITE = 7  # channels that ImageJ shows together
_MICROMETRES_IN_CENTIMETRE = 1e4
#: Micrometres: a tag holds fractions of two numbers of 32 bits.
_SMALLEST, _LARGEST = 1e-5, 1e12


def write_ome_tiff(
    image: Image,
    dest: PathType,
    *,
    scenes: Choice = "all",
    levels: int | None = None,
    compression: str | None = DEFAULT_TIFF_COMPRESSION,
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress = None,
) -> None:
    """Write scenes as the images of an OME-TIFF; it appears when it is complete.

    Each plane is a page in tiles, its pyramid levels are SubIFDs, and the OME-XML stands in the
    first page (OME-TIFF specification 2016-06, "sub-resolutions"). Dimensions that OME does not
    have (H, V, R, I, B) give an image for each of their places. `compression` is as tifffile names
    it. The image is at another scene afterwards.
    """
    series = list(image_series(image, scenes))
    text: bytes | None = ome_text(image, series)
    total = sum(_bands(image, one, levels) for one in series)
    with ExitStack() as stack:
        writer = _opened(stack, image, series, dest, overwrite, compression)
        advance = stack.enter_context(show_progress(progress, total, f"writing {dest!s}"))
        for one in series:
            image.set_scene(one.scene)
            sizes = level_sizes(image, levels)
            for plane in _planes(image, one):
                rows = _LevelRows(image, plane, sizes)
                for level in range(len(sizes)):
                    page = _page(image, sizes, level, compression, threads)
                    page |= {"subifds": len(sizes) - 1} if level == 0 else {"subfiletype": 1}
                    page["description"], text = text, None
                    _write(writer, _counted(rows.bands(level), advance), page)


def write_tiff(
    image: Image,
    dest: PathType,
    *,
    scenes: Choice = "all",
    compression: str | None = DEFAULT_TIFF_COMPRESSION,
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress = None,
) -> None:
    """Write scenes as the series of a plain TIFF, in full resolution; see `write_ome_tiff`.

    A single image that ImageJ can have becomes its hyperstack, with the distances in space and
    time, names and colours of channels. Of all others, the axes are in the description, as tifffile
    reads them, and the pixel size in the resolution tags.
    """
    series = list(image_series(image, scenes))
    if len(series) == 1 and _is_hyperstack(image, series[0]):
        _write_hyperstack(image, series[0], dest, compression, overwrite, threads, progress)
        return
    total = sum(_bands(image, one, 1) for one in series)
    with ExitStack() as stack:
        writer = _opened(stack, image, series, dest, overwrite, compression)
        advance = stack.enter_context(show_progress(progress, total, f"writing {dest!s}"))
        for one in series:
            image.set_scene(one.scene)
            sizes = level_sizes(image, 1)
            page = _page(image, sizes, 0, compression, threads)
            bands = itertools.chain.from_iterable(
                _LevelRows(image, plane, sizes).bands(0) for plane in _planes(image, one)
            )
            axes = [letter for letter in _PLANE_ORDER if letter in image.sizes]
            page["shape"] = (*(image.sizes[axis] for axis in axes), *page["shape"])
            # M is no letter of tifffile's in this place; R (tile) is
            letters = "".join(axes).replace("M", "R") + ("YXS" if "S" in image.sizes else "YX")
            # tifffile's own description would take an X of one pixel for samples
            known = {"shape": page["shape"], "axes": letters, "Name": one.name}
            page["description"] = json.dumps(known)
            _write(writer, _counted(bands, advance), page)


def _check_compression(tifffile: Any, compression: Any) -> None:
    """Refuse names that tifffile does not know, in other words than its own."""
    names = {*tifffile.COMPRESSION.__members__, "ZLIB", "DEFLATE"}
    if isinstance(compression, str) and compression.upper() not in names:
        raise InvalidArgumentError(
            f"there is no compression {compression!r} for TIFF; use zlib, lzw, zstd, lzma, "
            "packbits, jpegxl, none or another one of tifffile"
        )


def _is_hyperstack(image: Image, series: Series) -> bool:
    """Return whether ImageJ has images of such pixels, axes and size."""
    image.set_scene(series.scene)
    sizes, samples = image.sizes, image.sizes.get("S", 1)
    is_gray = samples == 1 and image.dtype.name in ("uint8", "uint16", "float32")
    is_rgb = samples == 3 and image.dtype.name == "uint8" and sizes.get("C", 1) == 1
    plane = sizes["Y"] * sizes["X"] * samples * image.dtype.itemsize
    count = math.prod(sizes.get(axis, 1) for axis in "TZC")
    fits = plane <= _LARGEST_PLANE and plane * count <= _CLASSIC_LIMIT
    # tifffile would take an X of one pixel for samples
    return (is_gray or is_rgb) and "M" not in sizes and fits and sizes["X"] > 1


def _write_hyperstack(
    image: Image,
    series: Series,
    dest: PathType,
    compression: str | None,
    overwrite: bool,
    threads: int | None,
    progress: Progress,
) -> None:
    """Write a stack for ImageJ: strips, as it reads no tiles, and C running fastest."""
    tifffile = require("tifffile", extra=_EXTRA, doing="writing TIFF")
    _check_compression(tifffile, compression)
    counts = [image.sizes.get(axis, 1) for axis in "TZC"]
    planes = [
        {**series.place, **{axis: at for axis, at in zip("TZC", place) if axis in image.sizes}}
        for place in itertools.product(*map(range, counts))
    ]
    samples = image.sizes.get("S", 1)
    shape = (*counts, image.sizes["Y"], image.sizes["X"], *([samples] if samples > 1 else []))
    pixel = image._pixel_sizes()
    known = all(size and _SMALLEST < size < _LARGEST for size in (pixel.X, pixel.Y))
    more = {"resolution": (1 / pixel.X, 1 / pixel.Y)} if known and pixel.X and pixel.Y else {}
    metadata = _imagej_metadata(image, counts, has_unit=known)  # here, where the file is held
    with ExitStack() as stack:
        stream = stack.enter_context(atomic_output(dest, overwrite=overwrite))
        writer = stack.enter_context(tifffile.TiffWriter(stream, imagej=True))
        advance = stack.enter_context(show_progress(progress, len(planes), f"writing {dest!s}"))
        pixels = (np.asarray(image.read_block(dict(plane))) for plane in planes)
        feed(
            _counted(pixels, advance),
            lambda taken: writer.write(
                iter(taken),
                shape=shape,
                dtype=image.dtype,
                compression=compression,
                photometric="rgb" if samples > 1 else "minisblack",
                maxworkers=thread_count(threads),
                software="czictypes",
                metadata=metadata,
                **more,
            ),
        )


def _imagej_metadata(image: Image, counts: Sequence[int], *, has_unit: bool) -> dict[str, Any]:
    """Return what ImageJ keeps: units, distances along Z and T, names and colours of channels."""
    interval, depth = image.time_interval, image._pixel_sizes().Z
    channels = counts[2]
    found: dict[str, Any] = {"axes": "TZCYX" + ("S" if "S" in image.sizes else "")}
    if has_unit:
        found["unit"] = "um"
        found.update({"spacing": depth} if depth else {})
    if interval is not None:
        found.update({"finterval": interval.total_seconds(), "tunit": "s"})
    if channels > 1:
        found["mode"] = "composite" if channels <= _MOST_COMPOSITE else "color"
        found["Labels"] = [str(name) for name in image.channel_names] * (counts[0] * counts[1])
        colors = [color or (255, 255, 255) for color in image.channel_colors]
        ramp = np.arange(256) / 255
        found["LUTs"] = [np.rint(np.outer(color, ramp)).astype(np.uint8) for color in colors]
    return found


def _opened(
    stack: ExitStack,
    image: Image,
    series: list[Series],
    dest: PathType,
    overwrite: bool,
    compression: Any,
) -> Any:
    tifffile = require("tifffile", extra=_EXTRA, doing="writing TIFF")
    _check_compression(tifffile, compression)
    stream = stack.enter_context(atomic_output(dest, overwrite=overwrite))
    size = 0
    for scene in {one.scene for one in series}:
        image.set_scene(scene)
        size += image.nbytes
    # uncompressed pixels and a pyramid of a third more may come near the limit of classic TIFF
    return stack.enter_context(
        tifffile.TiffWriter(stream, bigtiff=size > _CLASSIC_LIMIT, shaped=False)
    )


def _planes(image: Image, series: Series) -> Iterator[dict[str, int]]:
    letters = [letter for letter in _PLANE_ORDER if letter in image.sizes]
    for place in itertools.product(*(range(image.sizes[letter]) for letter in letters)):
        yield {**series.place, **dict(zip(letters, place))}


def _bands(image: Image, series: Series, levels: int | None) -> int:
    image.set_scene(series.scene)
    rows = sum(-(-height // _TILE) for height, _ in level_sizes(image, levels))
    return rows * sum(1 for _ in _planes(image, series))


def _page(
    image: Image,
    sizes: list[tuple[int, int]],
    level: int,
    compression: str | None,
    threads: int | None,
) -> dict[str, Any]:
    """Return the properties that all pages of a level share, as arguments of tifffile."""
    samples = image.sizes.get("S", 0)
    if samples and image.dtype == np.bool_:  # tifffile packs the bits of a row, not of a sample
        raise UnsupportedDataError(
            "the image has colours with pixels of type bool, which a TIFF cannot have; save it as "
            "uint8"
        )
    options: dict[str, Any] = {
        "shape": (*sizes[level], samples) if samples else sizes[level],
        "tile": (_TILE, _TILE),
        "dtype": image.dtype,
        "compression": compression,
        "photometric": "rgb" if samples >= 3 else "minisblack",
        "maxworkers": thread_count(threads),
        "software": "czictypes",
        "metadata": None,
    }
    if samples:
        options["planarconfig"] = "contig"
    if samples == 4:
        options["extrasamples"] = ["unassalpha"]
    resolution = _resolution(image, sizes, level)
    if resolution is not None:
        options["resolution"], options["resolutionunit"] = resolution, "CENTIMETER"
    return options


def _resolution(
    image: Image, sizes: list[tuple[int, int]], level: int
) -> tuple[float, float] | None:
    """Return pixels per centimetre along x and y, None for values beyond the range of the tag."""
    pixel = image._pixel_sizes()
    if not pixel.X or not pixel.Y:
        return None
    (full_height, full_width), (height, width) = sizes[0], sizes[level]
    across, down = pixel.X * full_width / width, pixel.Y * full_height / height
    if not all(_SMALLEST < size < _LARGEST for size in (across, down)):
        return None
    return _MICROMETRES_IN_CENTIMETRE / across, _MICROMETRES_IN_CENTIMETRE / down


def _write(writer: Any, bands: Iterable[NDArray[Any]], page: dict[str, Any]) -> None:
    """Write pages in a thread, because an interrupt would break tifffile's own threads."""
    feed(bands, lambda taken: writer.write(_tiles(taken), **page))


def _counted(bands: Iterable[NDArray[Any]], advance: Any) -> Iterator[NDArray[Any]]:
    for band in bands:
        advance(1)  # before, as the last one is taken without asking for another
        yield band


def _tiles(bands: Iterable[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    """Yield the tiles of bands of rows, filled up with zeros at the edges."""
    for band in bands:
        for left in range(0, band.shape[1], _TILE):
            part = band[:, left : left + _TILE]
            if part.shape[:2] != (_TILE, _TILE):
                whole = np.zeros((_TILE, _TILE, part.shape[2]), part.dtype)
                whole[: part.shape[0], : part.shape[1]] = part
                part = whole
            yield np.ascontiguousarray(part)


class _LevelRows:
    """Yields the levels of one plane, one after the other, in bands as high as a tile.

    A coarser level is made from the previous one as it passes. It is kept in a temporary file with
    a quarter of the pixels of the plane, never in memory.
    """

    def __init__(
        self, image: Image, plane: Mapping[str, int], sizes: list[tuple[int, int]]
    ) -> None:
        self._image, self._plane, self._sizes = image, plane, sizes
        self._made: NDArray[Any] | None = None

    def bands(self, level: int) -> Iterator[NDArray[Any]]:
        """Yield the bands of a level, each (rows, width, samples); take levels in order."""
        height, _ = self._sizes[level]
        stored = len(self._image.levels)
        kept = self._coarser(level + 1) if stored <= level + 1 < len(self._sizes) else None
        # set now, as a caller that counts the bands never reaches the end of this generator
        source, self._made = self._made, kept
        for top in range(0, height, _TILE):
            bottom = min(top + _TILE, height)
            if level < stored:
                band = self._read(level, top, bottom)
            else:
                assert source is not None
                band = np.asarray(source[top:bottom])
            if kept is not None:
                reduced = reduce_pixels(band, 2, "mean")
                kept[top // 2 : top // 2 + len(reduced)] = reduced
            yield band

    def _read(self, level: int, top: int, bottom: int) -> NDArray[Any]:
        box: dict[str, int | slice] = {**self._plane, "Y": slice(top, bottom)}
        found: NDArray[Any] = self._image.read_block(box, level=level)
        return found if "S" in self._image.dims.order else found[..., np.newaxis]

    def _coarser(self, level: int) -> NDArray[Any]:
        samples = self._image.sizes.get("S", 1)
        shape = (*self._sizes[level], samples)
        # has no name; the map keeps it. A full disk must raise here, not crash at the map.
        with file_errors(tempfile.gettempdir()), tempfile.TemporaryFile() as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, math.prod(shape) * self._image.dtype.itemsize)
            return np.memmap(file, self._image.dtype, "w+", shape=shape)
