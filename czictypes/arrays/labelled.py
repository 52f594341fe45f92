"""Labelled arrays of an image, through xarray."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from czictypes.arrays.channel_labels import hex_colors
from czictypes.model.errors import MissingExtraError
from czictypes.model.extras import require

if TYPE_CHECKING:
    from czictypes.arrays.image import CziImage

__all__ = ["attributes", "labels", "to_datatree", "to_xarray"]


def to_xarray(image: CziImage, *, level: int = 0, dask: bool = False, chunks: Any = None) -> Any:
    """Return a level of an image as a `xarray.DataArray`; see `labels` and `attributes`."""
    xarray = require("xarray", extra="xarray", doing="labelled arrays")
    lazy = dask or chunks is not None
    data = image.to_dask(level, chunks) if lazy else image.asarray(level)
    return xarray.DataArray(
        data,
        coords=labels(image, level),
        dims=tuple(image.dims.order),
        name=image.current_scene,
        attrs=attributes(image),
    )


def to_datatree(image: CziImage) -> Any:
    """Return all levels of an image as a `xarray.DataTree`, lazily.

    The group of each level is ``scale0``, ``scale1``..., and the array in it ``image``.

    Raises
    ------
    MissingExtraError
        If xarray has no DataTree, which came with 2024.10.
    """
    xarray = require("xarray", extra="xarray", doing="labelled arrays")
    if not hasattr(xarray, "DataTree"):
        raise MissingExtraError(
            f"trees of levels: this needs xarray 2024.10 or later, here is {xarray.__version__}; "
            "install it with pip install -U 'czictypes[xarray]'"
        )
    groups = {
        f"/scale{level.index}": to_xarray(image, level=level.index, dask=True).to_dataset(
            name="image"
        )
        for level in image.levels
    }
    tree = xarray.DataTree.from_dict(groups, name=image.current_scene)
    tree.attrs.update(attributes(image))
    return tree


def labels(image: CziImage, level: int = 0) -> dict[str, Any]:
    """Return the coordinates of a level as `xarray.DataArray` takes them, with ``units``."""
    return {
        name: (name, axis.values, {} if axis.unit is None else {"units": axis.unit})
        for name, axis in image.coords(level).items()
    }


def attributes(image: CziImage) -> dict[str, Any]:
    """Return what is known of an image as a few texts and numbers, fit for netCDF and zarr.

    ``channel_colors`` is what `imwrite` reads back. All else is at the `CziImage`.
    """
    info, objective, well, origin = image.document_info, image.objective, image.well, image.origin
    date = info.acquisition_date
    found = {
        "scene": image.current_scene,
        "title": info.title,
        "acquisition_date": None if date is None else date.isoformat(),
        "microscope": info.microscope,
        "objective": None if objective is None else objective.name,
        "magnification": None if objective is None else objective.magnification,
        "numerical_aperture": None if objective is None else objective.numerical_aperture,
        "well": None if well is None else well.name,
        "field": image.field,
        "stage_origin_um": None if origin is None else list(origin),
        "channel_colors": hex_colors(image.channel_colors) or None,
    }
    return {name: value for name, value in found.items() if value is not None}
