"""Write an array as a CZI in one call."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from czictypes.metadata.document_content import DocumentContent
from czictypes.metadata.document_info import CustomValue
from czictypes.model.geometry import whole_number
from czictypes.model.public import Progress, renamed, show_progress
from czictypes.writing.array_notes import (
    ChannelValues,
    PixelSize,
    found_notes,
    make_array_content,
)
from czictypes.writing.array_source import (
    ArraySource,
    Axes,
    Part,
    as_array,
    own_axes,
    parse_axes,
)
from czictypes.writing.array_tiles import TileInfo, check_location, pixel_type_of
from czictypes.writing.compression import check_codec, resolve_compression
from czictypes.writing.like import filled
from czictypes.writing.new_metadata import DEFAULT_TITLE
from czictypes.writing.pyramid.tile_plan import PyramidChoice
from czictypes.writing.targets import Target
from czictypes.writing.writer import CziWriter, create_czi

_TILE, _COLOUR_TILE = 2048, 1024


@renamed(path="dest", exist_ok="overwrite")
def imwrite(
    dest: Target,
    array: Any,
    axes: str | None = None,
    *,
    channel_names: ChannelValues = None,
    channel_colors: ChannelValues = None,
    pixel_size: PixelSize = None,
    times: float | Sequence[float] | None = None,
    rgb_order: str = "RGB",
    compression: str = "zstd1:ExplicitLevel=1;PreProcess=HiLoByteUnpack",
    pyramid: PyramidChoice = False,
    tile: int | None = None,
    location: tuple[int, int] = (0, 0),
    scene: int | None = None,
    title: str | None = DEFAULT_TITLE,
    custom_attributes: Mapping[str, CustomValue] | None = None,
    content: DocumentContent | None = None,
    like: Any = None,
    thumbnail: bool = True,
    only_named_dimensions: bool = False,
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress = None,
) -> None:
    """Write an array as a CZI.

    The file appears under its name when it is complete, all or nothing. The array is taken tile
    by tile, so it may be larger than memory; each chunk of a dask array is computed once.

    Parameters
    ----------
    dest
        A path, or a file object opened for writing in binary. Missing folders are made.
    array
        numpy (also memory-mapped), dask or xarray, or what slices as they do (zarr, h5py), or
        follows the array API standard (torch); uint8, uint16 or float32. Of an image, such as a
        `CziImage`, the current scene and level are written, as with ``like=image``.
    axes
        A letter for each axis: Y and X, and any of Z C T R I H V B and S. S at the end stands
        for the samples red, green and blue (``"YXS"``), anywhere else for scenes, which are laid
        side by side. By default the names of an xarray's dimensions, else the last letters of
        ``"TCZYX"``, before S if the last axis has three places. Four places, as of a picture with
        an alpha, need axes.
    channel_names, channel_colors
        One for each channel, or by channel index; a colour is ``"#RRGGBB"``, (r, g, b) or a name
        such as ``"green"``. By default the coordinates of an xarray's channels if they are text,
        and its attribute ``channel_colors``.
    pixel_size
        In metres: (x, y, z), (x, y), one number for x and y, or by letter. By default that of an
        xarray's evenly spaced coordinates with an attribute ``units`` such as ``"um"``.
    times
        The seconds between one T and the next, or when each was; written to the metadata and as
        time stamps. By default an xarray's coordinates with ``units`` such as ``"s"``.
    rgb_order
        The order of the samples in the array, ``"RGB"`` or ``"BGR"``.
    compression
        As in `create_czi`; by default fast and lossless.
    pyramid
        True or `PyramidOptions` for a pyramid.
    tile
        The longest side of a tile in pixels; by default 2048, and 1024 for colours. Tiles of
        more than 10 MB may be cut further, and those of an array in chunks consist of whole
        chunks where these are smaller.
    location
        The position (x, y) of the top-left pixel.
    scene
        The index of the scene, of the first one where the array has several; 0 if not given.
    title, custom_attributes, content
        More metadata, as in `CziWriter.write_metadata`.
    like
        An open `CziReader` or image, whose metadata fill the gaps of all of these, as far as they
        fit the array; see `create_czi`.
    thumbnail
        Whether a small picture of the first plane is attached.
    only_named_dimensions
        Whether the file has only those of Z, C and T that are axes of the array, and not all three.
        OpenSlide reads no file with Z or T.
    overwrite
        Whether an existing file is replaced.
    threads
        The number of threads that compress; by default CZICTYPES_THREADS, or the CPUs there are.
    progress
        True for a bar, or ``progress(done, total)``, called with numbers of tiles.

    Raises
    ------
    FileExistsError
        If the file is there and `overwrite` is not set.
    ValueError
        For axes or another argument that does not fit the array, or a type of pixels that
        cannot be written.

    Examples
    --------
    >>> imwrite("stack.czi", stack, "ZYX", pixel_size=(1e-7, 1e-7, 5e-7))  # doctest: +SKIP
    """
    if hasattr(array, "as_content"):
        array = _as_it_is_now(array)
        like = array if like is None else like
    array = as_array(array)
    parsed = parse_axes(axes or own_axes(array), array.shape)
    order = _check_order(rgb_order)
    source = ArraySource(array, parsed, _check_pixels(array, parsed, compression, tile))
    placing = _Placing(array.shape, parsed, location, scene)
    notes = found_notes(array, parsed, channel_names, channel_colors, pixel_size, times)
    with create_czi(
        dest,
        overwrite,
        compression,
        threads=threads,
        thumbnail=thumbnail,
        pyramid=pyramid,
        only_named_dimensions=only_named_dimensions,
        like=like,
    ) as document:
        known = document.like
        document.write_metadata(
            title,
            custom_attributes=custom_attributes,
            content=make_array_content(
                notes, filled(content, known), parsed.extent(array.shape, "C"), placing.first
            ),
        )
        with show_progress(progress, len(source), f"writing {document.name}") as advance:
            for part in source:
                placing.write(document, part, order)
                advance(1)
        along_t = notes.times or (() if known is None else known.times)
        if len(along_t) == parsed.extent(array.shape, "T") > 1:
            document.add_time_stamps(along_t)


def _as_it_is_now(image: Any) -> Any:
    """Return a view of an image, whose scene may be set by others meanwhile."""
    if not hasattr(image, "current_scene"):
        raise TypeError(f"{image!r} is a document, not an array; give an image: CziImage(reader)")
    return image.scene(image.current_scene)


class _Placing:
    """The positions of an array's tiles: scenes side by side, each plane with an identifier."""

    def __init__(
        self, shape: Sequence[int], axes: Axes, location: tuple[int, int], scene: int | None
    ) -> None:
        width, height = shape[axes.x], shape[axes.y]
        scenes = axes.extent(shape, "S")
        self._step = width + max(width // 20, 16)
        self._origin = check_location(location, self._step * scenes, height)
        self.first = 0 if scene is None else whole_number(scene, "scene")
        self._identifiers: dict[tuple[int, ...], str] = {}

    def write(self, document: CziWriter, part: Part, order: int) -> None:
        number = part.plane.get("S", 0)
        plane = {letter: index for letter, index in part.plane.items() if letter != "S"}
        location = self._origin.x + number * self._step + part.x, self._origin.y + part.y
        key = tuple(part.plane.values())
        identifier = self._identifiers.setdefault(key, str(uuid.uuid4()))
        info = TileInfo(tags={"RetilingId": identifier})
        pixels, scene = part.pixels[..., ::order], self.first + number
        document.write(pixels, location, plane, scene=scene, info=info)


def _check_order(order: str) -> int:
    if not isinstance(order, str) or order.upper() not in ("RGB", "BGR"):
        raise ValueError(f'rgb_order is "RGB" or "BGR", not {order!r}')
    return -1 if order.upper() == "RGB" else 1


def _check_pixels(array: Any, axes: Axes, compression: str, tile: int | None) -> int:
    """Check that the pixels can be written at all; return the longest side of a tile."""
    samples = 1 if axes.samples is None else array.shape[axes.samples]
    pixel_type = pixel_type_of(np.empty((1, 1, samples), array.dtype))
    check_codec(resolve_compression(compression), pixel_type)
    if tile is None:
        return _TILE if samples == 1 else _COLOUR_TILE
    if whole_number(tile, "tile") < 1:
        raise ValueError(f"tile is {tile}, but a tile has at least 1 pixel")
    return whole_number(tile)
