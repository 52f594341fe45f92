"""Images as the objects of ngff-zarr, lazily; and ngff-zarr's own functions for these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

from czictypes.arrays.image_base import Image
from czictypes.exchange.locations import without_secrets
from czictypes.exchange.ome_zarr.group_attributes import (
    automatic_limits,
    axes,
    channel_look,
    ngff_metadata,
)
from czictypes.exchange.ome_zarr.image_plan import (
    AXES,
    CoordinateTransform,
    make_chunking,
    plan_image,
    planes_of,
    reduce_block,
    transform_of,
)
from czictypes.exchange.open import borrowed_image
from czictypes.model.geometry import checked_plane
from czictypes.model.lazy import require
from czictypes.model.public import defended, renamed
from czictypes.remote.urls import describe_target
from czictypes.writing.array_source import as_array

if TYPE_CHECKING:
    from ngff_zarr import NgffImage, NgffMultiscales

_EXTRA, _DOING = "ome-zarr", "objects of ngff-zarr"


@renamed(source_options="storage_options")
@defended(describe_target)
def to_ngff_image(
    source: Any,
    scene: int | str | None = None,
    level: int = 0,
    *,
    plane: Mapping[str, int] | None = None,
    chunks: Any = None,
    storage_options: Mapping[str, Any] | None = None,
    **described: Any,
) -> NgffImage:
    """Return a level of a scene, or an array, as an image of ngff-zarr, lazily.

    Parameters
    ----------
    source
        An image file (a path, a URL, a file object, a store of zarr), an open image or `CziReader`,
        an array of xarray, whose coordinates describe it, or another array: numpy, dask, zarr,
        h5py, torch, or any other that follows Python's array API standard.
    scene
        Its index or its name; by default the first, or that of an open image.
    level
        The index of the level.
    plane
        The index along each of V, H, I, R and B that the file has; ngff-zarr does not know them.
    chunks
        Of the dask array, by the axes of the CZI; by default what its tiles make cheap.
    storage_options
        The options of fsspec for a URL.
    **described
        For an array, the arguments of `ngff_zarr.to_ngff_image`: ``dims``, the names of its axes
        out of t, c, z, y and x; ``scale`` and ``translation``, a number for each; ``name``,
        ``axes_units``, ``channel_names``.

    Returns
    -------
    ngff_zarr.NgffImage
        With the axes t, c, z, y, x; scale and translation in micrometres and seconds; names and
        colours of channels. Red, green and blue are three channels. A scene of one plane has no
        axis z, since ngff-zarr's methods smooth or shrink along each axis of space that there is;
        t and c are always there, whatever their length.

    Raises
    ------
    OutOfBoundsError
        If there is no such scene or level.
    ValueError
        If `plane` does not say which of several images is meant.
    MissingExtraError
        If the extra ``ome-zarr`` is not installed.
    """
    if described and hasattr(source, "coords"):
        source = source.data
    if _is_array(source):
        ngff = require("ngff_zarr", extra=_EXTRA, doing=_DOING)
        own: NgffImage = ngff.to_ngff_image(_plain(source), **described)
        return own
    if described:
        raise TypeError(f"{next(iter(described))}= describes an array; a file describes itself")
    with borrowed_image(source, storage_options) as image:
        _set_scene(image, source, scene)
        transform = transform_of(image).reduced(image.levels[level].factor)
        made: NgffImage = _image(
            image, _pixels(image, level, _place(image, plane), chunks), transform
        )
    return made


@renamed(source_options="storage_options")
@defended(describe_target)
def to_multiscales(
    source: Any,
    scene: int | str | None = None,
    *,
    plane: Mapping[str, int] | None = None,
    scale_factors: int | Sequence[Any] | None = None,
    chunks: Any = None,
    method: Any = None,
    storage_options: Mapping[str, Any] | None = None,
) -> NgffMultiscales:
    """Return a scene or an array as multiscales of ngff-zarr; pixels are computed when needed.

    Parameters
    ----------
    source
        An image file, an open image, an array, all as for `to_ngff_image`, or its result.
    scene
        Its index or its name; by default the first, or that of an open image.
    plane
        The index along each of V, H, I, R and B that the file has; ngff-zarr does not know them.
    scale_factors, method
        The levels that ngff-zarr computes of the full resolution, and how, in its terms. Without
        both, the levels are those that the file stores, and coarser ones until one has at most
        1024 pixels along y and x, each of them the mean of the one before.
    chunks
        Of each level: one length for all axes, one for each of the last axes, or by axis, where the
        other axes are cut as they are.
    storage_options
        The options of fsspec for a URL.

    Returns
    -------
    ngff_zarr.NgffMultiscales
        Its images have the axes of `to_ngff_image`. `ngff_zarr.to_ome_zarr` writes it in any
        version; colours and windows are in its metadata. The window of a channel that would look
        flat is that of its pixels, in a small picture of the middle of Z.

    Raises
    ------
    OutOfBoundsError
        If there is no such scene.
    ValueError
        If `plane` does not say which of several images is meant.
    MissingExtraError
        If the extra ``ome-zarr`` is not installed.
    """
    ngff = require("ngff_zarr", extra=_EXTRA, doing=_DOING)
    if isinstance(source, ngff.NgffImage) or _is_array(source):
        full = to_ngff_image(source) if _is_array(source) else source
        own: NgffMultiscales = _computed(full, scale_factors, chunks, method)
        return own
    with borrowed_image(source, storage_options) as image:
        _set_scene(image, source, scene)
        omero = _omero(image)
        if scale_factors is not None or method is not None:
            full = to_ngff_image(image, plane=plane)
            made = _computed(full, scale_factors, chunks, method)
        else:
            made = _stored(image, _place(image, plane), chunks)
    made.metadata.omero = omero
    return made  # type: ignore[no-any-return, unused-ignore]


def _computed(full: Any, scale_factors: Any, chunks: Any, method: Any) -> Any:
    """Return multiscales whose levels ngff-zarr computes."""
    ngff = require("ngff_zarr", extra=_EXTRA, doing=_DOING)
    if scale_factors is not None and not isinstance(scale_factors, (Integral, Sequence)):
        raise TypeError(f"scale_factors is a whole number, or several, not {scale_factors!r}")
    given = {"scale_factors": scale_factors, "method": method}
    if chunks is not None:
        given["chunks"] = _by_axis(chunks, full)
    return ngff.to_multiscales(full, **{key: one for key, one in given.items() if one is not None})


def _by_axis(chunks: Any, image: Any) -> dict[str, Any]:
    """Return a length for each axis of an image of ngff-zarr."""
    dims = list(image.dims)
    if isinstance(chunks, Integral):
        return dict.fromkeys(dims, int(chunks))
    if isinstance(chunks, Mapping):
        unknown = [axis for axis in chunks if axis not in AXES]
        if unknown:
            raise ValueError(f"chunks has the axis {unknown[0]!r}; the axes are {', '.join(AXES)}")
        own = dict(zip(dims, image.data.chunksize))
        return {axis: chunks.get(axis, length) for axis, length in own.items()}
    if not isinstance(chunks, Sequence) or not all(isinstance(one, Integral) for one in chunks):
        raise TypeError(
            f"chunks is a number of pixels, one for each of {', '.join(dims)}, or a mapping from "
            f"these, and is not {chunks!r}"
        )
    if len(chunks) > len(dims):
        raise ValueError(f"chunks has {len(chunks)} lengths for the axes {', '.join(dims)}")
    return dict(zip(dims, (*[1] * (len(dims) - len(chunks)), *chunks)))


def _axes(image: Image) -> list[str]:
    """Return the axes of the objects, with z only if there are several planes."""
    return [axis for axis in AXES if axis != "z" or image.sizes["Z"] > 1]


def _stored(image: Image, place: dict[str, int], chunks: Any) -> Any:
    ngff = require("ngff_zarr", extra=_EXTRA, doing=_DOING)
    plan = plan_image(image, "", place, make_chunking(None, None, "0.5"), None)
    images: list[Any] = []
    pixels: Any = None
    for level in plan.levels:
        if level.stored is not None:
            pixels = _pixels(image, level.stored, place, None)
        else:
            pixels = _reduced(pixels, level.factor)
        images.append(_image(image, pixels, level.transform))
    for one in images if chunks is not None else ():
        lengths = _by_axis(chunks, one)
        one.data = one.data.rechunk(tuple(lengths[axis] for axis in one.dims))
    entry = {
        "name": image.current_scene,
        "axes": [axis for axis in axes(plan.levels[0].transform) if axis["name"] in images[0].dims],
        "datasets": [
            {
                "path": level.path,
                "coordinateTransformations": [
                    {"scale": list(one.scale.values())},
                    {"translation": list(one.translation.values())},
                ],
            }
            for level, one in zip(plan.levels, images)
        ],
    }
    return ngff.NgffMultiscales(images=images, metadata=ngff_metadata(entry))


def _image(image: Image, pixels: Any, transform: CoordinateTransform) -> Any:
    ngff = require("ngff_zarr", extra=_EXTRA, doing=_DOING)
    looks, dims = channel_look(image), _axes(image)
    scales, translations = zip(AXES, transform.scale), zip(AXES, transform.translation)
    return ngff.NgffImage(
        data=pixels if "z" in dims else pixels[:, :, 0],
        dims=tuple(dims),
        scale={axis: value for axis, value in scales if axis in dims},
        translation={axis: value for axis, value in translations if axis in dims},
        name=image.current_scene,
        axes_units={axis: unit for axis, unit in transform.units.items() if axis in dims} or None,
        channel_names=[look["label"] for look in looks],
        channel_colors=[look["color"] for look in looks],
    )


def _omero(image: Image) -> Any:
    ngff = require("ngff_zarr", extra=_EXTRA, doing=_DOING)
    return ngff.Omero(
        [
            ngff.OmeroChannel(look["color"], ngff.OmeroWindow(**look["window"]), look["label"])
            for look in channel_look(image, automatic_limits(image))
        ]
    )


def _pixels(image: Image, level: int, place: dict[str, int], chunks: Any) -> Any:
    """Return a level with five axes, as a dask array."""
    found = image.to_dask(level, chunks)
    order = image.dims.order
    found = found[tuple(place.get(name, slice(None)) for name in order)]
    if "S" not in order:
        return found
    dask_array = require("dask.array", extra=_EXTRA, doing=_DOING)
    apart = dask_array.moveaxis(found, -1, 2)
    return apart.reshape(len(apart), -1, *apart.shape[3:])


def _reduced(pixels: Any, factor: int) -> Any:
    height, width = (size // factor * factor for size in pixels.shape[-2:])
    sides = [max(size // factor, 1) * factor for size in pixels.chunksize[-2:]]
    whole = pixels[..., :height, :width].rechunk({3: sides[0], 4: sides[1]})
    sizes = [tuple(size // factor for size in axis) for axis in whole.chunks[-2:]]
    return whole.map_blocks(
        reduce_block, factor, dtype=pixels.dtype, chunks=(*whole.chunks[:-2], *sizes)
    )


def _set_scene(image: Image, source: Any, scene: int | str | None) -> None:
    if scene is not None:
        image.set_scene(scene)
    elif isinstance(source, Image):
        index = source.current_scene_index
        image.set_scene("all" if index is None else index)


def _place(image: Image, plane: Mapping[str, int] | None) -> dict[str, int]:
    """Return the indices in the dimensions that ngff-zarr does not know."""
    names = list(next(planes_of(image)))
    given = dict(checked_plane(plane))
    if set(given) != set(names):
        wanted = ", ".join(f'"{name}": ...' for name in names)
        raise ValueError(
            f"this scene has the dimensions {', '.join(names)} beside t, c, z, y and x: say which "
            f"image of it is meant with plane={{{wanted}}}"
            if names
            else f"this scene has no dimension {', '.join(map(str, given))}"
        )
    return given


def _is_array(source: Any) -> bool:
    """Return whether an object is an array without coordinates of its own, as xarray's have."""
    is_array = hasattr(source, "shape") and hasattr(source, "dtype")
    return is_array and not isinstance(source, Image) and not hasattr(source, "coords")


def _plain(source: Any) -> Any:
    """Return an array for ngff-zarr: sliced like numpy's, in native byte order."""
    array = as_array(source)
    if array.dtype.isnative:
        return array
    dask_array = require("dask.array", extra=_EXTRA, doing=_DOING)
    return dask_array.asarray(array).astype(array.dtype.newbyteorder("="))


def _stores() -> Any:
    require("ngff_zarr", extra=_EXTRA, doing=_DOING)
    return require("czictypes.exchange.ome_zarr.ngff_stores", extra=_EXTRA, doing=_DOING)


@without_secrets
def from_ngff_zarr(
    store: Any,
    validate: bool = False,
    *,
    storage_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> NgffMultiscales:
    """Read an OME-Zarr as multiscales, by ngff-zarr.

    Parameters
    ----------
    store
        A path, a URL, an archive, a store of zarr, or a dict; versions 0.1 to 0.6.
    validate
        Whether metadata that break their specification are an error.
    storage_options
        The options of fsspec for the URL.
    **options
        More arguments of `ngff_zarr.from_ngff_zarr`: ``version``...

    Raises
    ------
    ValueError
        If it is no OME-Zarr, has several images, or is not valid; the class is ngff-zarr's or
        jsonschema's own.
    MissingExtraError
        If the extra ``ome-zarr`` is not installed.
    """
    stores = _stores()
    source = stores.readable(store, storage_options)
    found: NgffMultiscales = stores.read_multiscales(source, validate=validate, **options)
    return found


@without_secrets
def to_ngff_zarr(
    store: Any,
    multiscales: NgffMultiscales,
    *,
    storage_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> None:
    """Write multiscales as an OME-Zarr, out of core, by ngff-zarr.

    Parameters
    ----------
    store
        A path, a URL, an archive, a store of zarr, or a dict. A temporary folder is written for
        what is no folder, and its files are copied.
    multiscales
        As `to_multiscales` or `from_ngff_zarr` gives them.
    storage_options
        The options of fsspec for the URL.
    **options
        More arguments of `ngff_zarr.to_ngff_zarr`: ``version`` (``"0.4"``, ``"0.5"``, ``"0.6"``),
        ``overwrite`` (by default true), ``chunks_per_shard`` (a number, one for each axis, or by
        axis), ``use_tensorstore``...

    Raises
    ------
    MissingExtraError
        If the extra ``ome-zarr`` is not installed.
    """
    with _stores().new_folder(store, storage_options, **options) as folder:
        require("ngff_zarr", extra=_EXTRA, doing=_DOING).to_ngff_zarr(
            folder, multiscales, **options
        )


@without_secrets
def from_hcs_zarr(
    store: Any,
    validate: bool = False,
    *,
    storage_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Read the plate of an OME-Zarr, by ngff-zarr.

    Parameters
    ----------
    store
        A path, a URL, an archive, a store of zarr, or a dict.
    validate
        Whether metadata that break their specification are an error.
    storage_options
        The options of fsspec for the URL.
    **options
        More arguments of `ngff_zarr.from_hcs_zarr`.

    Returns
    -------
    ngff_zarr.HCSPlate
        ``get_well("A", "1")`` gives a well, its ``get_image(0)`` and ``get_image_by_acquisition``
        a field as multiscales. `save` writes the plate.

    Raises
    ------
    ValueError
        If there is no plate, or it is not valid; the class is ngff-zarr's or jsonschema's own.
    MissingExtraError
        If the extra ``ome-zarr`` is not installed.
    """
    stores = _stores()
    return stores.read_plate(stores.readable(store, storage_options), validate=validate, **options)
