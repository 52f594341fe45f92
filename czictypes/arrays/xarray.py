"""Labelled arrays of an image, through xarray, and stacks of several of its scenes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from czictypes.arrays.labels import hex_colors
from czictypes.metadata.channels import BLACK, CHANNEL_NUMBERS, WHITE
from czictypes.model.errors import InvalidArgumentError, MissingExtraError, UnsupportedDataError
from czictypes.model.lazy import require

if TYPE_CHECKING:
    import xarray

    from czictypes.arrays.image_base import Image


#: The attributes that differ from scene to scene.
_OF_A_SCENE = ("scene", "well", "field", "stage_origin_um")


def to_xarray(
    image: Image, *, level: int = 0, dask: bool = False, chunks: Any = None
) -> xarray.DataArray:
    """Return a level of an image, with its `labels` and `attributes`."""
    package = _xarray()
    lazy = dask or chunks is not None
    array: xarray.DataArray = package.DataArray(
        image.to_dask(level, chunks) if lazy else image.asarray(level),
        coords=labels(image, level),
        dims=tuple(image.dims.order),
        name=image.current_scene,
        attrs=attributes(image),
    )
    return array


def _xarray() -> Any:
    return require("xarray", extra="xarray", doing="labelled arrays")


def alike(images: Sequence[Image], *, drop: bool) -> list[Image]:
    """Return the images that have the shape and dtype of the first, at their current levels."""
    if not images:
        raise InvalidArgumentError("select_scenes names no scene; a stack has at least one")
    forms = [_form(image) for image in images]
    for image, form in zip(images, forms):
        if form != forms[0] and not drop:
            raise UnsupportedDataError(
                f"a stack needs scenes of one shape and dtype, but {images[0].current_scene!r} is "
                f"{forms[0]} and {image.current_scene!r} is {form}; name those that match in "
                "select_scenes, or pass drop_non_matching_scenes=True"
            )
    return [image for image, form in zip(images, forms) if form == forms[0]]


def _form(image: Image) -> str:
    if image.current_resolution_level not in image.resolution_levels:
        return f"without level {image.current_resolution_level}"
    return f"{dict(image.sizes)} of {image.dtype}"


def stacked(images: Sequence[Image], *, dask: bool) -> Any:
    """Return the arrays of images that are alike in one, along a new first axis."""
    if dask:
        arrays = require("dask.array", extra="dask", doing="lazy arrays")
        return arrays.stack([image.to_dask() for image in images])
    stack = images[0]._new_array((len(images), *images[0].shape))
    for image, pixels in zip(images, stack):
        image.read_block({}, out=pixels)
    return stack


def to_xarray_stack(
    images: Sequence[Image], name: str, values: str, *, dask: bool
) -> xarray.DataArray:
    """Return images that are alike in one, along a new first dimension of that name.

    Its coordinates are the names of the scenes where `values` is ``"names"``.
    """
    package, first = _xarray(), images[0]
    if name in first.dims:
        raise InvalidArgumentError(
            f"the image has a dimension {name} of its own; give another scene_character"
        )
    if values not in ("index", "names"):
        raise InvalidArgumentError(f'scene_coord_values is "index" or "names", not {values!r}')
    coords = labels(first, first.current_resolution_level)
    if values == "names":
        coords[name] = (name, [image.current_scene for image in images])
    of_all = {key: one for key, one in attributes(first).items() if key not in _OF_A_SCENE}
    array: xarray.DataArray = package.DataArray(
        stacked(images, dask=dask), coords=coords, dims=(name, *first.dims), attrs=of_all
    )
    return array


def to_datatree(image: Image) -> xarray.DataTree:
    """Return all levels of an image as a tree; see `Image.to_datatree`."""
    package = _xarray()
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
