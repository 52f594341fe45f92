"""imread: the pixels of a CZI in one call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from czictypes.arrays.image import CziImage
from czictypes.reading.reader import CziReader, Source

__all__ = ["imread"]


def imread(
    source: Source | CziReader,
    *,
    scene: int | str | None = None,
    dask: bool = False,
    xarray: bool = False,
    level: int = 0,
    storage_options: Mapping[str, Any] | None = None,
) -> Any:
    """Return the pixels of a scene.

    Parameters
    ----------
    source, scene, storage_options
        As for `CziImage`.
    dask
        Whether the array is to be lazy (a dask array, or in xarray backed by one).
    xarray
        Whether it is to be labelled (a `xarray.DataArray`).
    level
        The resolution level.

    Returns
    -------
    numpy.ndarray, dask.array.Array or xarray.DataArray
        In the order of `CziImage.dims`.
    """
    with CziImage(source, scene, storage_options=storage_options) as image:
        if xarray:
            return image.to_xarray(level=level, dask=dask)
        return image.to_dask(level=level) if dask else image.asarray(level)
