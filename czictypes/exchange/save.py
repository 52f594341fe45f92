"""save: an array in any format that is written."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, NamedTuple

from czictypes.exchange.converted import Conversion, Description
from czictypes.exchange.excerpt import Remade
from czictypes.exchange.images import FileImage, Image
from czictypes.exchange.locations import location_name
from czictypes.exchange.ome_zarr.parse import acquisition_of, plate_of, well_of
from czictypes.exchange.source_image import SourceImage
from czictypes.metadata.channels import ChannelInfo
from czictypes.metadata.document_info import Scaling
from czictypes.metadata.fields import parse_color
from czictypes.model.errors import UnsupportedDataError
from czictypes.model.geometry import metres_of, seconds_of
from czictypes.writing.array_notes import ChannelValues, PixelSize, found_notes
from czictypes.writing.array_source import Axes, as_array, checked_axes, own_axes, parse_axes


def save(
    image: Any,
    dest: Any,
    axes: str | None = None,
    *,
    channel_names: ChannelValues = None,
    channel_colors: ChannelValues = None,
    pixel_size: PixelSize = None,
    times: float | Sequence[float] | None = None,
    name: str | None = None,
    overwrite: bool = False,
    **options: Any,
) -> Conversion:
    """Write an array in the format that the ending of a name asks for, out of core.

    Parameters
    ----------
    image
        numpy (also memory-mapped), dask or xarray, or what slices as they do (zarr, h5py), or
        follows the array API standard (torch). Images, multiscales and plates of ngff-zarr, and an
        `Image`, describe themselves.
    dest
        A path or URL that ends in ``.ome.tiff``, ``.tif``, ``.ome.zarr``, ``.ozx``, ``.czi`` or
        ``.png``.
    axes
        A letter for each axis, as for `imwrite`: S at the end stands for red, green and blue,
        anywhere else for scenes. By default the names of an xarray's dimensions, else the last
        letters of ``"TCZYX"``, before S if the last axis has three places. Four places, as of a
        picture with an alpha, need axes.
    channel_names, channel_colors
        A list in the order of C, or a mapping by its index; by default an xarray's coordinates.
    pixel_size
        In metres: (x, y, z), (x, y), one number for x and y, or by letter; by default from an
        xarray's coordinates.
    times
        The interval of T or the time of each T, in seconds; by default as an xarray has them.
    name
        The name of the image; by default that of an xarray.
    overwrite
        Whether an existing target is replaced.
    **options
        More arguments of `convert` that the format knows: ``levels``, ``plane``, ``compression``,
        ``version``, ``chunks``, ``threads``, ``progress``, ``storage_options``, ``dtype``...

    Returns
    -------
    Conversion
        A report of the written scenes.

    Raises
    ------
    FileExistsError
        If the target is there and `overwrite` is not set.
    ValueError, UnsupportedDataError
        For axes or options that do not fit, or pixels that the format cannot hold.
    MissingExtraError
        Without the extra that the format needs.

    Examples
    --------
    >>> save(stack, "stack.ome.tiff", "ZYX", pixel_size=(1e-7, 1e-7, 5e-7))  # doctest: +SKIP
    """
    if isinstance(image, Image) or _is_of_ngff(image):
        given = (axes, channel_names, channel_colors, pixel_size, times, name)
        if any(one is not None for one in given):
            raise ValueError(
                "axes, channel_names, channel_colors, pixel_size, times and name describe an "
                "array; an image describes itself"
            )
    if isinstance(image, Image):
        return image.save(dest, overwrite=overwrite, **options)
    described = image_of(
        image,
        axes,
        channel_names=channel_names,
        channel_colors=channel_colors,
        pixel_size=pixel_size,
        times=times,
        name=name,
    )
    return described.save(dest, overwrite=overwrite, **options)


def is_described(source: Any) -> bool:
    """Return whether an object is an array, or an image, multiscales or a plate of ngff-zarr."""
    if isinstance(source, (Image, str)):  # a text may be the name of a scene, which has a shape
        return False
    is_array = hasattr(source, "shape") and hasattr(source, "dtype")
    return is_array or _is_of_ngff(source)


def image_of(
    array: Any,
    axes: str | None = None,
    *,
    channel_names: ChannelValues = None,
    channel_colors: ChannelValues = None,
    pixel_size: PixelSize = None,
    times: float | Sequence[float] | None = None,
    name: str | None = None,
) -> FileImage:
    """Return an image of an array or an object of ngff-zarr; see `save`."""
    if _is_plate(array):
        return _of_plate(array)
    levels = _levels_of(array)
    if levels is not None:
        source = _of_ngff(levels, getattr(array, "metadata", None))
        return FileImage([source], source.name or "the image", lambda: None)
    if isinstance(array, (str, bytes, os.PathLike)):
        text = location_name(array)
        raise TypeError(f"save writes arrays and images; convert({text!r}, ...) writes a file")
    if hasattr(array, "data_vars"):
        known = ", ".join(map(repr, array.data_vars))
        raise TypeError(f"save writes one array; name that of the dataset: one of {known}")
    if name is None and hasattr(array, "coords"):  # that of a dask array is a mere token
        name = array.name
    array = as_array(array)
    letters = checked_axes(axes or own_axes(array))
    parsed = parse_axes(letters, array.shape)
    notes = found_notes(array, parsed, channel_names, channel_colors, pixel_size, times)
    count = parsed.extent(array.shape, "C")
    channels = [
        replace(
            notes.channels.get(at, ChannelInfo(at)),
            name=notes.channel_names.get(at),
            color=notes.channel_colors.get(at),
        )
        for at in range(count)
    ]
    whole = SourceImage(
        array,
        letters,
        name,
        channels=channels,
        scaling=notes.scaling,
        times=notes.times,
        display_settings=dict(notes.display_settings),
        origin=notes.origin,
        well=None if notes.scene is None else notes.scene.well,
        objective=notes.objective,
        acquisition_date=notes.acquisition_date,
    )
    images = _scenes_of(whole, parsed.planes.get("S"), notes.scene_names)
    return FileImage(images, name or "the array", lambda: None)


def _scenes_of(
    whole: SourceImage, axis: int | None, names: Sequence[str] = ()
) -> list[SourceImage]:
    """Cut an image along the axis of its scenes, if it has one."""
    if axis is None:
        return [whole]
    count, name = int(whole.pixels.shape[axis]), whole.name
    numbered = [name if name is None or count == 1 else f"{name} {at}" for at in range(count)]
    letters = whole.axes[:axis] + whole.axes[axis + 1 :]
    return [
        replace(
            whole,
            pixels=_OneScene(whole.pixels, axis, at),
            levels=[_OneScene(level, axis, at) for level in whole.levels],
            axes=letters,
            name=one,
        )
        for at, one in enumerate(names or numbered)
    ]


def described_image(
    image: Any, description: Description, close: Callable[[], None] = lambda: None
) -> Any:
    """Return an image with what the caller says of it; it does not own the file."""
    if not description.given or not isinstance(image, FileImage):
        return image
    sources = described_sources(image.sources, description)
    again = Remade(described_image, image, description)
    return FileImage(sources, image.name, close, reopen=again)


def described_sources(images: Sequence[SourceImage], description: Description) -> list[SourceImage]:
    """Return images with what the caller says of them in place of what their file says."""
    return [one for image in images for one in _described(image, description)]


def _described(image: SourceImage, description: Description) -> list[SourceImage]:
    letters = checked_axes(description.axes or image.axes)
    shape = tuple(map(int, image.pixels.shape))
    if description.axes is None:
        planes = {letter: at for at, letter in enumerate(letters) if letter not in "YXS"}
        samples = letters.index("S") if "S" in letters else None
        parsed = Axes(planes, letters.index("Y"), letters.index("X"), samples)
    else:
        parsed = parse_axes(letters, shape)
    names, size, times = description.channel_names, description.pixel_size, description.times
    notes = found_notes(_Shape(shape), parsed, names, None, size, times)
    x, y, z = (new or old for new, old in zip(notes.scaling, image.scaling))
    whole = replace(
        image,
        axes=letters,
        channels=_named(image.channels, notes.channel_names, parsed.extent(shape, "C")),
        scaling=Scaling(x, y, z),
        times=notes.times if times is not None else image.times,
    )
    if len(whole.times) != parsed.extent(shape, "T"):
        whole = replace(whole, times=())
    return _scenes_of(whole, parsed.planes.get("S"))


def _named(
    channels: Sequence[ChannelInfo], names: Mapping[int, str], count: int
) -> list[ChannelInfo]:
    """Return a channel for each index, with the names that are given."""
    known = {channel.index: channel for channel in channels}
    found = [known.get(at, ChannelInfo(at)) for at in range(count)]
    return [replace(one, name=names.get(one.index, one.name)) for one in found]


class _Shape(NamedTuple):
    """An array of which only the shape is looked at."""

    shape: tuple[int, ...]


def _levels_of(source: Any) -> list[Any] | None:
    """Return the images of multiscales of ngff-zarr, or a single image."""
    images = getattr(source, "images", [source])
    if not isinstance(images, (list, tuple)) or not images:
        return None
    described = all(hasattr(images[0], one) for one in ("data", "dims", "scale", "translation"))
    return list(images) if described else None


def _is_of_ngff(source: Any) -> bool:
    return _is_plate(source) or _levels_of(source) is not None


def _is_plate(source: Any) -> bool:
    """Return whether an object is a plate of ngff-zarr."""
    return hasattr(source, "get_well") and hasattr(getattr(source, "metadata", None), "wells")


def _of_plate(plate: Any) -> FileImage:
    """Return the fields of a plate of ngff-zarr as scenes."""
    known = plate_of(asdict(plate.metadata))
    name = plate.metadata.name or "the plate"
    sources = []
    for listed in plate.metadata.wells:
        place = well_of(listed.path, asdict(listed))
        try:
            well = plate.get_well(*listed.path.strip("/").split("/"))
        except KeyError:
            raise UnsupportedDataError(
                f"{name} lists the well {listed.path}, which is not there"
            ) from None
        for number, field in enumerate(well.images):
            found = well.get_image(number)
            sources.append(
                replace(
                    _of_ngff(found.images, found.metadata),
                    well=place,
                    plate=known,
                    acquisition=acquisition_of(field.acquisition, known),
                )
            )
    if not sources:
        raise UnsupportedDataError(f"{name} has no images")
    return FileImage(sources, name, lambda: None)


def _of_ngff(levels: Sequence[Any], metadata: Any) -> SourceImage:
    first = levels[0]
    step = {axis: _known(first, axis, first.scale, metres_of) for axis in "xyz"}
    start = {axis: _known(first, axis, first.translation, metres_of) or 0.0 for axis in "xy"}
    corner = None
    if step["x"] and step["y"] and any(start.values()):
        corner = (start["x"] - step["x"] / 2) * 1e6, (start["y"] - step["y"] / 2) * 1e6
    seconds = _known(first, "t", first.scale, seconds_of)
    count = first.data.shape[first.dims.index("t")] if "t" in first.dims else 1
    return SourceImage(
        first.data,
        "".join(first.dims).upper(),
        first.name,
        channels=_looks(first, metadata),
        scaling=Scaling(step["x"], step["y"], step["z"]),
        times=tuple(seconds * at for at in range(count)) if seconds and count > 1 else (),
        origin=corner,
        levels=[one.data for one in levels[1:]],
        shared=True,
    )


def _known(
    image: Any, axis: str, values: Mapping[str, float], size_of: Callable[[str], float | None]
) -> float | None:
    """Return a step or a position along an axis in metres or seconds; None without a unit."""
    unit = size_of((image.axes_units or {}).get(axis) or "")
    return None if unit is None or axis not in image.dims else unit * float(values.get(axis, 0.0))


def _looks(image: Any, metadata: Any) -> list[ChannelInfo]:
    omero = getattr(getattr(metadata, "omero", None), "channels", None)
    if omero:
        return [
            ChannelInfo(at, name=one.label, color=parse_color(f"#{one.color}"))
            for at, one in enumerate(omero)
        ]
    names = getattr(image, "channel_names", None) or ()
    return [ChannelInfo(at, name=name) for at, name in enumerate(names)]


class _OneScene:
    """One place along the axis of the scenes of an array."""

    def __init__(self, array: Any, axis: int, at: int) -> None:
        self._array, self._axis, self._at = array, axis, at
        self.dtype = array.dtype
        self.shape = _without(array.shape, axis)
        chunks = getattr(array, "chunks", None)
        self.chunks = _without(chunks, axis) if chunks else None

    def __getitem__(self, key: tuple[Any, ...]) -> Any:
        before, after = key[: self._axis], key[self._axis :]
        place = (*before, self._at, *after)
        return self._array[place]


def _without(values: Sequence[Any], axis: int) -> tuple[Any, ...]:
    return (*values[:axis], *values[axis + 1 :])
