"""Labelled arrays of an image, through xarray."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from czictypes.arrays.labels import hex_colors
from czictypes.metadata.channels import BLACK, CHANNEL_NUMBERS, WHITE
from czictypes.model.errors import MissingExtraError
from czictypes.model.lazy import require

if TYPE_CHECKING:
    import xarray

    from czictypes.arrays.image_base import Image


def to_xarray(
    image: Image, *, level: int = 0, dask: bool = False, chunks: Any = None
) -> xarray.DataArray:
    """Return a level of an image, with its `labels` and `attributes`."""
    package = xarray_package()
    lazy = dask or chunks is not None
    array: xarray.DataArray = package.DataArray(
        image.to_dask(level, chunks) if lazy else image.asarray(level),
        coords=labels(image, level),
        dims=tuple(image.dims.order),
        name=image.current_scene,
        attrs=attributes(image),
    )
    return array


def xarray_package() -> Any:
    """Return xarray, or say how to install it."""
    return require("xarray", extra="xarray", doing="labelled arrays")


def to_datatree(image: Image) -> xarray.DataTree:
    """Return all levels of an image as a tree; see `Image.to_datatree`."""
    package = xarray_package()
    if not hasattr(package, "DataTree"):
        raise MissingExtraError(
            f"trees of levels: this needs xarray 2024.10 or later, here is {package.__version__}; "
            "install it with pip install -U 'czictypes[xarray]'"
        )
    groups = {
        f"/scale{level.index}": to_xarray(image, level=level.index, dask=True).to_dataset(
            name="image"
        )
        for level in image.levels
    }
    tree: xarray.DataTree = package.DataTree.from_dict(groups, name=image.current_scene)
    tree.attrs.update(attributes(image))
    return tree


def labels(image: Image, level: int = 0) -> dict[str, Any]:
    """Return the coordinates of a level as `xarray.DataArray` takes them, with ``units``."""
    return {
        name: (name, axis.values, {} if axis.unit is None else {"units": axis.unit})
        for name, axis in image.coords(level).items()
    }


def attributes(image: Image) -> dict[str, Any]:
    """Return what is known of an image as a few texts and numbers, fit for netCDF and zarr.

    `imwrite` and `save` read them back. The lists ``channel_...`` have a value for each of
    ``channel_names``: wavelengths in nanometres, exposure times in seconds, points in pixel values;
    0 is unknown.
    """
    of_channels = _of_channels(image)
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
        "channel_names": image.channel_names if of_channels else None,
        **of_channels,
    }
    return {name: value for name, value in found.items() if value is not None}


def _of_channels(image: Image) -> dict[str, list[Any]]:
    """Return what is known of the channels as lists, without those of which nothing is."""
    infos = image.channels
    found = {
        name: [getattr(info, field) or 0 for info in infos]
        for name, field in CHANNEL_NUMBERS.items()
    }
    limits = [one or (0.0, 0.0) for one in image.contrast_limits]
    found[BLACK], found[WHITE] = ([one[at] for one in limits] for at in (0, 1))
    known = {name: values for name, values in found.items() if any(values)}
    if WHITE in known:
        known[BLACK] = found[BLACK]
    colors = hex_colors(image.channel_colors)
    return {**({"channel_colors": colors} if colors else {}), **known}
