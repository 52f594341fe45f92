"""imread: the pixels of an image file in one call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, overload

from numpy.typing import NDArray

from czictypes.arrays.lazy import hand_over
from czictypes.exchange.image import CziImage, Image
from czictypes.exchange.open import open_image
from czictypes.reading.damage import OnError, leaves_blank
from czictypes.reading.reader import CziReader
from czictypes.remote.part_files import Parts

if TYPE_CHECKING:
    import dask.array
    import xarray as xr

__all__ = ["imread"]


@overload
def imread(
    source: Any,
    *,
    scene: int | str | None = ...,
    dask: Literal[False] = ...,
    xarray: Literal[False] = ...,
    level: int = ...,
    storage_options: Mapping[str, Any] | None = ...,
    parts: Parts | None = ...,
    stored_resolution: bool = ...,
    on_error: OnError = ...,
) -> NDArray[Any]: ...


@overload
def imread(
    source: Any,
    *,
    scene: int | str | None = ...,
    dask: Literal[True],
    xarray: Literal[False] = ...,
    level: int = ...,
    storage_options: Mapping[str, Any] | None = ...,
    parts: Parts | None = ...,
    stored_resolution: bool = ...,
    on_error: OnError = ...,
) -> dask.array.Array: ...


@overload
def imread(
    source: Any,
    *,
    scene: int | str | None = ...,
    dask: bool = ...,
    xarray: Literal[True],
    level: int = ...,
    storage_options: Mapping[str, Any] | None = ...,
    parts: Parts | None = ...,
    stored_resolution: bool = ...,
    on_error: OnError = ...,
) -> xr.DataArray: ...


def imread(
    source: Any,
    *,
    scene: int | str | None = None,
    dask: bool = False,
    xarray: bool = False,
    level: int = 0,
    storage_options: Mapping[str, Any] | None = None,
    parts: Parts | None = None,
    stored_resolution: bool = False,
    on_error: OnError = "raise",
) -> Any:
    """Return the pixels of a scene of an image file of any format.

    Parameters
    ----------
    source, scene, storage_options
        As for `open_image`.
    parts, stored_resolution, on_error
        For a CZI, as for `CziImage`.
    dask
        Whether the array is to be lazy: a dask array, or a labelled one backed by it. It opens
        the file when it is computed.
    xarray
        Whether it is to be labelled: a `xarray.DataArray` with coordinates in real units.
    level
        The resolution level.

    Returns
    -------
    numpy.ndarray, dask.array.Array or xarray.DataArray
        In the order of `Image.dims`.

    Raises
    ------
    FileNotFoundError, CorruptFileError, UnsupportedDataError, OutOfBoundsError
        As `open_image`.
    MissingExtraError
        If dask or xarray is asked for and not installed.
    """
    chosen = {"parts": parts, "stored_resolution": stored_resolution}
    options: dict[str, Any] = {name: value for name, value in chosen.items() if value}
    if leaves_blank(on_error):
        options["on_error"] = on_error
    image = open_image(source, scene, storage_options=storage_options, **options)
    try:
        found = image.to_xarray(level, dask) if xarray else _array(image, level, dask)
    except BaseException:
        image.close()
        raise
    if not dask or isinstance(source, CziReader):
        image.close()
    elif isinstance(image, CziImage):
        hand_over(image.reader)
    return found  # a lazy array keeps a file of another format open, as long as it is there


def _array(image: Image, level: int, dask: bool) -> Any:
    return image.to_dask(level) if dask else image.asarray(level)
