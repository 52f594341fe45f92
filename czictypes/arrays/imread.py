"""imread: the pixels of a CZI in one call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, overload

from numpy.typing import NDArray

from czictypes.arrays.image import CziImage
from czictypes.arrays.lazy import hand_over
from czictypes.container.part_files import Parts
from czictypes.reading.damage import OnError
from czictypes.reading.reader import CziReader, Source

if TYPE_CHECKING:
    import dask.array
    import xarray as xr

__all__ = ["imread"]


@overload
def imread(
    source: Source | CziReader,
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
    source: Source | CziReader,
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
    source: Source | CziReader,
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
    source: Source | CziReader,
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
    """Return the pixels of a scene.

    Parameters
    ----------
    source, scene, storage_options, parts, stored_resolution, on_error
        As for `CziImage`.
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
        In the order of `CziImage.dims`.

    Raises
    ------
    FileNotFoundError, CorruptFileError, OutOfBoundsError
        As `CziImage`.
    MissingExtraError
        If dask or xarray is asked for and not installed.
    """
    image = CziImage(
        source,
        scene,
        storage_options=storage_options,
        parts=parts,
        stored_resolution=stored_resolution,
        on_error=on_error,
    )
    try:
        found = image.to_xarray(level, dask) if xarray else _array(image, level, dask)
    except BaseException:
        image.close()
        raise
    if dask and not isinstance(source, CziReader):
        hand_over(image.reader)
    else:
        image.close()
    return found


def _array(image: CziImage, level: int, dask: bool) -> Any:
    return image.to_dask(level) if dask else image.asarray(level)
