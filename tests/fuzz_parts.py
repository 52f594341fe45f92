"""Everything that a user does with a file, in parts that are tried one by one on a damaged one.

`PARTS` names them. A part reads the file, and writes to a folder of its own; what it asks of the
file goes through a `Trials`, so that what is refused does not hide what comes after. Parts whose
optional packages are missing are left out.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from libczi.oracle import FullReader

from czictypes import (
    CziImage,
    CziSlide,
    DeepZoomTiles,
    aszarr,
    convert,
    czi,
    library_info,
    write_deepzoom,
)
from czictypes.container.attachments import (
    find_mask,
    read_attachment_directory,
    read_attachment_segment,
)
from czictypes.container.directory import CheckedDocument, check_document
from czictypes.container.file_source import FileSource
from czictypes.container.segments import iter_segments, read_metadata_segment
from czictypes.container.subblock import (
    check_pixels,
    read_attachment_bytes,
    read_data_bytes,
    read_subblock_segment,
)
from czictypes.container.zstd import decode_zstd
from czictypes.libczi.streams import InputStream
from czictypes.model.errors import CziError, NativeMemoryError, UnexpectedError
from czictypes.model.pixel_types import Compression, pixel_format

__all__ = ["PARTS", "Part", "Trials", "available_parts"]

_MOST = 8  # sub-blocks, tiles and scenes looked at one by one in a file
_ROI = 256  # pixels of a side
_CORNER = {"X": slice(0, _ROI), "Y": slice(0, _ROI)}
#: The most bytes of a result that a part asks for: how large an image may be is not what is tested.
_RESULT = 32 << 20


class Trials:
    """Makes calls one by one, and tells what was refused from what must not happen."""

    def __init__(self) -> None:
        self.refused: list[str] = []
        self.unexpected: list[BaseException] = []

    def attempt(self, act: Callable[[], Any]) -> Any:
        """Return what `act` returns, or None where it is refused as a damaged file is.

        Any exception but a `CziError` is a bug and is raised. An `UnexpectedError` is one that the
        last line of defence caught: it is kept, and the calls go on.
        """
        try:
            return act()
        except NativeMemoryError:  # a small file that wants much memory got past the checks
            raise
        except UnexpectedError as error:
            self.unexpected.append(error.__cause__ or error)
        except CziError as error:
            self.refused.append(f"{type(error).__name__}: {error}")
        return None

    def look(self, thing: Any, *names: str) -> None:
        """Get attributes of a thing; call those that are methods."""
        for name in names:
            value = self.attempt(lambda name=name: getattr(thing, name))
            if callable(value):
                self.attempt(value)


class Part(NamedTuple):
    """What to do with a file: ``act(path, folder, trials)``; `needs` are optional packages."""

    act: Callable[[Path, Path, Trials], None]
    needs: tuple[str, ...] = ()


def available_parts() -> list[str]:
    """Return the names of the parts whose packages are installed."""
    return [
        name
        for name, part in PARTS.items()
        if all(importlib.util.find_spec(package) is not None for package in part.needs)
    ]


@contextmanager
def _reader(path: Path, **options: Any) -> Iterator[Any]:
    chosen = czi.ReaderOptions(max_result_bytes=_RESULT, **options)
    with czi.open_czi(path, reader_options=chosen, threads=1) as document:
        yield document


@contextmanager
def _image(path: Path, **more: Any) -> Iterator[Any]:
    chosen = czi.ReaderOptions(max_result_bytes=_RESULT, enable_mask_awareness=True)
    with CziImage(path, reader_options=chosen, threads=1, **more) as image:
        yield image


# The floors below the reader: checks, then libCZI as it is.


def _native(path: Path, folder: Path, trials: Trials) -> None:
    with FileSource(path) as source:
        trials.attempt(lambda: list(iter_segments(source)))
        document = check_document(source)
        trials.attempt(lambda: check_document(source, strict=True))
        with FullReader.open(InputStream.from_path(path)) as reader:
            reader.statistics_ex()
            reader.pyramid_statistics()
            trials.attempt(lambda: _native_metadata(source, document, reader, trials))
            for index in range(min(document.directory.count, _MOST)):
                reader.try_get_sub_block_info(index)
                trials.attempt(lambda index=index: _native_block(source, document, reader, index))
            for entry in read_attachment_directory(source, document.header):
                trials.attempt(lambda entry=entry: _native_attachment(source, entry, reader))


def _native_metadata(
    source: FileSource, document: CheckedDocument, reader: FullReader, trials: Trials
) -> None:
    if read_metadata_segment(source, document.header) is None:
        return
    with reader.metadata_segment() as segment:
        segment.xml()
        with segment.document_info() as info:
            trials.look(info, "general", "scaling", "available_dimensions")
            trials.attempt(lambda: info.dimension_info("C"))
            settings = info.display_settings()
            if settings is not None:
                settings.close()


def _native_block(
    source: FileSource, document: CheckedDocument, reader: FullReader, index: int
) -> None:
    segment = read_subblock_segment(source, document.directory, index)
    attachment = read_attachment_bytes(source, segment)
    with reader.read_sub_block(index) as sub_block:
        data = sub_block.raw_data("data")
        assert data == read_data_bytes(source, segment)
        sub_block.raw_data("metadata")
        check_pixels(source, segment)
        if segment.compression != Compression.JpegXr or library_info().is_patched:
            with sub_block.create_bitmap() as bitmap:
                bitmap.to_numpy()
    if segment.compression in (Compression.Zstd0, Compression.Zstd1):
        layout = pixel_format(segment.pixel_type)
        size = segment.stored_w, segment.stored_h
        decode_zstd(data, segment.compression, *size, layout)
    if attachment:
        find_mask(attachment)


def _native_attachment(source: FileSource, entry: Any, reader: FullReader) -> None:
    segment = read_attachment_segment(source, entry)
    reader.attachment_info(entry.index)
    with reader.read_attachment(entry.index) as attachment:
        assert len(attachment.raw_data()) == segment.data_size


# Reading: CziReader.


def _properties(path: Path, folder: Path, trials: Trials) -> None:
    with _reader(path) as document:
        trials.look(
            document, "total_bounding_box", "total_bounding_box_no_pyramid",
            "total_bounding_rectangle", "total_bounding_rectangle_no_pyramid",
            "scenes_bounding_rectangle", "scenes_bounding_rectangle_no_pyramid", "pixel_types",
            "all_pixel_types", "common_pixel_type", "parts", "needs_pyramid", "pyramid_levels",
            "raw_metadata", "metadata", "custom_attributes_metadata", "scaling", "channels",
            "channel_names", "display_settings", "document_info", "scenes", "annotations", "skew",
            "plate", "subblock_metadata",
        )  # fmt: skip
        trials.attempt(lambda: document.to_pixel_coordinates(0, 0))


def _sub_blocks(path: Path, folder: Path, trials: Trials) -> None:
    with _reader(path) as document:
        for index in document.subblocks["index"][:_MOST].tolist():
            sub_block = trials.attempt(lambda index=index: document.read_subblock(index))
            if sub_block is not None:
                trials.look(
                    sub_block, "raw_data", "raw_metadata", "metadata", "attachment", "mask",
                    "stage_position", "acquisition_time", "tags", "pixels",
                )  # fmt: skip


def _regions(path: Path, folder: Path, trials: Trials) -> None:
    for options in ({"enable_mask_awareness": True}, {"on_error": "blank"}):
        with _reader(path, **options) as document:
            for row in document.subblocks[:_MOST]:
                trials.attempt(lambda row=row: _read_around(document, row))
            trials.attempt(document.read)
            trials.attempt(lambda: document.read(zoom=0.4, pixel_type="Gray8"))
            trials.attempt(document.valid_pixels)


def _read_around(document: Any, row: Any) -> None:
    """Read the part of a plane where a sub-block is."""
    ranges = document.total_bounding_box
    absent = -(2**31)
    plane = {
        name: int(row[name])
        for name in ranges
        if name in row.dtype.names and name not in "XYS" and row[name] != absent
    }
    x, y = (min(max(int(row[name]) - 5, absent), -absent - _ROI - 1) for name in ("x", "y"))
    roi = (x, y, _ROI, _ROI)
    document.read(roi=roi, plane=plane)
    document.read(roi=roi, plane=plane, zoom=0.3)


def _composite(path: Path, folder: Path, trials: Trials) -> None:
    with _reader(path) as document:
        trials.attempt(lambda: document.composite(zoom=0.5))
        x, y, *_ = document.total_bounding_rectangle
        trials.attempt(lambda: document.composite(roi=(x, y, 64, 64)))


def _stored(path: Path, folder: Path, trials: Trials) -> None:
    with _reader(path, stored_resolution=True) as document:
        trials.look(document, "total_bounding_box", "scaling", "pyramid_levels")
        trials.attempt(lambda: document.read(zoom=0.5))
    trials.attempt(lambda: _open_strictly(path))


def _open_strictly(path: Path) -> None:
    with _reader(path, lax_subblock_coordinate_checks=False):
        pass


def _attachments(path: Path, folder: Path, trials: Trials) -> None:
    """Pictures, CZIs in the CZI, time stamps and events."""
    with _reader(path) as document:
        attachments = document.attachments
        trials.look(attachments, "names", "thumbnail", "label", "preview", "time_stamps", "events")
        for attachment in list(attachments)[:_MOST]:
            trials.look(attachment, "data", "decoded", "image", "guid")


# Arrays: CziImage.


def _arrays(path: Path, folder: Path, trials: Trials) -> None:
    """Dimensions, levels and blocks of each scene."""
    with _image(path) as image:
        for scene in range(min(len(image.scenes), 3)):
            image.set_scene(scene)
            trials.look(image, "dims", "sizes", "shape", "dtype", "nbytes", "levels")
            trials.look(image, "resolution_level_dims", "native_chunks", "__repr__")
            for level in image.resolution_levels[:3]:
                trials.attempt(lambda level=level: image.read_block(_CORNER, level=level))
                trials.attempt(lambda level=level: image.valid_pixels(_CORNER, level=level))
            trials.attempt(lambda: image.get_image_data("YX", X=range(3), Y=-1))
            trials.attempt(lambda: image.asarray(level=image.resolution_levels[-1]))


def _labels(path: Path, folder: Path, trials: Trials) -> None:
    with _image(path) as image:
        for scene in range(min(len(image.scenes), 3)):
            image.set_scene(scene)
            trials.look(
                image, "channels", "channel_names", "channel_colors", "contrast_limits",
                "annotations", "physical_pixel_sizes", "physical_pixel_size", "skew",
                "time_stamps", "time_interval", "scale", "coords", "scene_info", "origin", "well",
                "field", "acquisition", "plate", "document_info", "acquisition_date", "objective",
                "metadata",
            )  # fmt: skip


def _tiles(path: Path, folder: Path, trials: Trials) -> None:
    with _image(path, mosaic=False) as image:
        trials.look(image, "dims", "tile_positions", "asarray")
        if trials.attempt(lambda: image.mosaic_tile_dims) is not None:
            trials.attempt(image.get_mosaic_tile_positions)
    trials.attempt(lambda: _all_scenes(path, trials))


def _all_scenes(path: Path, trials: Trials) -> None:
    with _image(path, scene="all", empty_alpha="drop") as image:
        trials.look(image, "dims", "levels", "asarray")


def _lazy(path: Path, folder: Path, trials: Trials) -> None:
    with _image(path) as image:
        lazy = trials.attempt(image.to_dask)
        if lazy is not None:
            corner = tuple(slice(0, 64) for _ in lazy.shape)
            trials.attempt(lambda: lazy[corner].compute(scheduler="synchronous"))


def _labelled(path: Path, folder: Path, trials: Trials) -> None:
    with _image(path) as image:
        trials.look(image, "to_xarray", "to_datatree", "get_xarray_stack")


def _ome(path: Path, folder: Path, trials: Trials) -> None:
    with _image(path) as image:
        made = trials.attempt(image.to_ome)
        if made is not None:
            made.to_xml()
        trials.attempt(lambda: image.to_ome(planes=True))


# Writing: what is made of a damaged file.


def _write(folder: Path, trials: Trials, act: Callable[[Path], Any], name: str = "new.czi") -> None:
    """Write a target; where that is refused, nothing must be left behind."""
    before = len(trials.refused) + len(trials.unexpected)
    trials.attempt(lambda: act(folder / name))
    refused = trials.refused[-1:] if len(trials.refused) + len(trials.unexpected) > before else []
    can_be_resumed = refused and refused[0].startswith("IncompleteOutputError")
    left = [one.name for one in folder.iterdir()]
    assert not refused or not left or can_be_resumed, f"refused, but there is {left}"


def _copy(path: Path, folder: Path, trials: Trials) -> None:
    _write(folder, trials, lambda new: czi.copy(path, new, threads=1))


def _crop(path: Path, folder: Path, trials: Trials) -> None:
    with _reader(path) as document:
        x, y, width, height = document.total_bounding_rectangle
        roi = x + 3, y + 1, max(1, min(width - 3, 200)), max(1, min(height - 1, 200))
    act = {"roi": roi, "planes": {"C": 0}, "renumber": True, "compression": "zstd1:"}
    _write(folder, trials, lambda new: czi.copy(path, new, threads=1, **act))


def _blank(path: Path, folder: Path, trials: Trials) -> None:
    _write(folder, trials, lambda new: czi.copy(path, new, threads=1, on_error="blank"))


def _anonymize(path: Path, folder: Path, trials: Trials) -> None:
    _write(folder, trials, lambda new: czi.copy(path, new, threads=1, anonymize=True))


def _pyramid(path: Path, folder: Path, trials: Trials) -> None:
    _write(folder, trials, lambda new: czi.add_pyramid(path, dest=new, threads=1))


def _edit(path: Path, folder: Path, trials: Trials) -> None:
    copied = folder / "edited.czi"
    copied.write_bytes(path.read_bytes())
    with czi.edit_czi(copied) as editor:
        trials.look(
            editor, "read_metadata_xml", "read_general_document_info", "read_scaling_info",
            "read_display_settings",
        )  # fmt: skip
        trials.attempt(lambda: editor.read_custom_key_value("key"))
        trials.attempt(lambda: _change_scale(editor))


def _change_scale(editor: Any) -> None:
    with editor.edit_session() as builder:
        builder.set_scaling_info(scale_x=1e-6)


def _repair(path: Path, folder: Path, trials: Trials) -> None:
    """Repair it, and read what comes out: that must be readable."""
    report = None

    def repair(new: Path) -> None:
        nonlocal report
        report = czi.repair(path, new, threads=1)

    _write(folder, trials, repair)
    if report is not None:
        report.to_dict()
        with _reader(folder / "new.czi") as document:
            assert document.subblocks.size == 0 or document.total_bounding_box


def _check(path: Path, folder: Path, trials: Trials) -> None:
    report = czi.check(path, pixels=True, threads=1)
    str(report)
    report.to_dict()
    for finding in report.findings:
        assert "the check stopped" not in finding.message, finding.message


# Exchange, and ways into other programs.


def _convert(name: str) -> Callable[[Path, Path, Trials], None]:
    def act(path: Path, folder: Path, trials: Trials) -> None:
        with _reader(path) as document:
            trials.attempt(lambda: convert(document, folder / name, dry_run=True))
            _write(folder, trials, lambda new: convert(document, new, threads=1), name)

    return act


def _png(path: Path, folder: Path, trials: Trials) -> None:
    with _image(path) as image:
        plane = {name: 0 for name in image.sizes if name not in "CYXS"}
        _write(folder, trials, lambda new: convert(image, new, scenes=0, plane=plane), "new.png")


def _slide(path: Path, folder: Path, trials: Trials) -> None:
    with _reader(path) as document, CziSlide(document) as slide:
        trials.look(slide, "level_count", "dimensions", "level_dimensions", "level_downsamples")
        trials.attempt(lambda: dict(slide.properties))
        trials.attempt(lambda: dict(slide.associated_images))
        for level in range(min(slide.level_count, 3)):
            trials.attempt(lambda level=level: slide.read_region((0, 0), level, (64, 48)))
        trials.attempt(lambda: slide.get_thumbnail((32, 32)))
        width, height = slide.dimensions
        trials.attempt(lambda: slide.read_region_array((width - 9, height - 9), 0, (20, 20)))


def _deep_zoom(path: Path, folder: Path, trials: Trials) -> None:
    with _reader(path) as document, CziSlide(document) as slide:
        tiles = DeepZoomTiles(slide, 64, 1)
        trials.look(tiles, "level_count", "level_dimensions", "tile_count")
        for level in {0, tiles.level_count // 2, tiles.level_count - 1}:
            trials.attempt(lambda level=level: tiles.get_tile(level, (0, 0)))
        if tiles.tile_count < 50:
            trials.attempt(lambda: write_deepzoom(slide, folder / "new.dzi"))


def _store(path: Path, folder: Path, trials: Trials) -> None:
    with _reader(path) as document:
        store = aszarr(document)
        keys = [key for key, _ in zip(store.keys(), range(40))]
        for key in keys:
            trials.attempt(lambda key=key: store.read(key))
        store.close()


_ARRAY = ("dask", "xarray")
_ZARR = ("zarr", "ngff_zarr", "ome_types", "dask")
PARTS = {
    "native": Part(_native),
    "properties": Part(_properties),
    "sub-blocks": Part(_sub_blocks),
    "regions": Part(_regions),
    "composite": Part(_composite),
    "stored resolution": Part(_stored),
    "attachments": Part(_attachments, ("PIL",)),
    "arrays": Part(_arrays),
    "labels": Part(_labels),
    "tiles": Part(_tiles),
    "lazy": Part(_lazy, ("dask",)),
    "labelled": Part(_labelled, _ARRAY),
    "OME": Part(_ome, ("ome_types",)),
    "copy": Part(_copy),
    "crop": Part(_crop),
    "blank": Part(_blank),
    "anonymize": Part(_anonymize),
    "pyramid": Part(_pyramid),
    "edit": Part(_edit),
    "check": Part(_check),
    "repair": Part(_repair),
    "OME-Zarr": Part(_convert("new.ome.zarr"), _ZARR),
    "OME-TIFF": Part(_convert("new.ome.tif"), ("tifffile", "ome_types", "zarr")),
    "PNG": Part(_png, ("PIL",)),
    "slide": Part(_slide, ("PIL",)),
    "deep zoom": Part(_deep_zoom, ("PIL",)),
    "zarr store": Part(_store, ("zarr", "ngff_zarr", "ome_types")),
}
