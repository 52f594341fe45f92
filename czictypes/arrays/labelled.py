"""Labelled arrays of an image, through xarray."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from czictypes.model.extras import require

if TYPE_CHECKING:
    from czictypes.arrays.image import CziImage

__all__ = ["to_datatree", "to_xarray"]


def to_xarray(image: CziImage, *, level: int = 0, dask: bool = False, chunks: Any = None) -> Any:
    """Return a level of an image as a `xarray.DataArray`."""
    xarray = require("xarray", extra="xarray", doing="labelled arrays")
    lazy = dask or chunks is not None
    data = image.to_dask(level, chunks) if lazy else image.asarray(level)
    return xarray.DataArray(data, dims=tuple(image.dims.order), name=image.current_scene)


def to_datatree(image: CziImage) -> Any:
    """Return all levels of an image as a `xarray.DataTree`, a group each."""
    xarray = require("xarray", extra="xarray", doing="labelled arrays")
    return xarray.DataTree.from_dict(
        {
            f"/{level.index}": to_xarray(image, level=level.index, dask=True).to_dataset(
                name="image"
            )
            for level in image.levels
        }
    )
