"""save: an array in any format that is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from czictypes.exchange.conversion import Conversion
from czictypes.exchange.file_image import FileImage
from czictypes.exchange.image import Image
from czictypes.exchange.source_image import SourceImage
from czictypes.metadata.channels import ChannelInfo
from czictypes.writing.array_source import as_array
from czictypes.writing.axes import parse_axes
from czictypes.writing.imwrite import own_axes
from czictypes.writing.imwrite_metadata import ChannelValues, PixelSize, found_notes

__all__ = ["save"]


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
        numpy (also memory-mapped), dask or xarray, or what slices as they do (zarr, h5py). An
        `Image` is written by its own `save`.
    dest
        A path or URL that ends in ``.ome.tiff``, ``.tif``, ``.ome.zarr``, ``.ozx``, ``.czi`` or
        ``.png``.
    axes
        A letter for each axis, as for `imwrite`: S at the end stands for red, green and blue,
        anywhere else for scenes. By default the names of an xarray's dimensions, else the last
        letters of ``"TCZYX"``, before S if the last axis has three places.
    channel_names, channel_colors, pixel_size, times
        As for `imwrite`: in metres and seconds; by default what an xarray's coordinates tell.
    name
        The name of the image; by default that of an xarray.
    overwrite
        Whether an existing target is replaced.
    **options
        More arguments of `convert` that the format knows: ``levels``, ``plane``, ``compression``,
        ``version``, ``chunks``, ``workers``, ``progress``, ``storage_options``, ``dtype``...

    Returns
    -------
    Conversion
        What was written.

    Raises
    ------
    FileExistsError
        If the target is there and `overwrite` is not set.
    ValueError, UnsupportedDataError, MissingExtraError
        As `convert` and `imwrite`.

    Examples
    --------
    >>> save(stack, "stack.ome.tiff", "ZYX", pixel_size=(1e-7, 1e-7, 5e-7))  # doctest: +SKIP
    """
    if isinstance(image, Image):
        given = (axes, channel_names, channel_colors, pixel_size, times, name)
        if any(one is not None for one in given):
            raise ValueError(
                "axes, channel_names, channel_colors, pixel_size, times and name describe an "
                "array; an image describes itself"
            )
        return image.save(dest, overwrite=overwrite, **options)
    if name is None and hasattr(image, "coords"):  # that of a dask array is a mere token
        name = image.name
    array = as_array(image)
    letters = (axes or own_axes(array)).upper()
    parsed = parse_axes(letters, array.shape)
    notes = found_notes(array, parsed, channel_names, channel_colors, pixel_size, times)
    count = parsed.extent(array.shape, "C")
    channels = [
        ChannelInfo(at, name=notes.channel_names.get(at), color=notes.channel_colors.get(at))
        for at in range(count)
    ]
    scenes = parsed.planes.get("S")
    parts = [array]
    if scenes is not None:
        parts = [_OneScene(array, scenes, at) for at in range(array.shape[scenes])]
        letters = letters[:scenes] + letters[scenes + 1 :]
    images = [
        SourceImage(
            part, letters, _named(name, at, len(parts)),
            channels=channels, scaling=notes.scaling, times=notes.times,
        )
        for at, part in enumerate(parts)
    ]  # fmt: skip
    with FileImage(images, name or "the array", lambda: None) as described:
        return described.save(dest, overwrite=overwrite, **options)


def _named(name: str | None, at: int, count: int) -> str | None:
    return name if name is None or count == 1 else f"{name} {at}"


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
