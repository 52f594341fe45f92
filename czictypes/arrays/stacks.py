"""Stacks of several scenes of an image, as arrays, lazy arrays and labelled ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Union

from numpy.typing import NDArray

from czictypes.arrays.xarray import attributes, labels, xarray_package
from czictypes.model.errors import InvalidArgumentError, UnsupportedDataError
from czictypes.model.lazy import require
from czictypes.reading.names import find_scene

if TYPE_CHECKING:
    import dask.array
    import xarray

    from czictypes.arrays.image_base import Image

#: Names or indices of scenes, or one of these; None for all.
SceneChoice = Union[str, int, Iterable[Union[str, int]], None]

#: The attributes that differ from scene to scene.
_OF_A_SCENE = ("scene", "well", "field", "stage_origin_um")


class StackMethods:
    """The stacks of several scenes of an image."""

    def get_stack(
        self, *, select_scenes: SceneChoice = None, drop_non_matching_scenes: bool = False
    ) -> NDArray[Any]:
        """Return the pixels of several scenes in one array, the scenes along its first axis.

        Parameters
        ----------
        select_scenes
            The names or indices of the scenes, in the order of the stack; by default all.
        drop_non_matching_scenes
            Whether scenes that differ from the first one in shape or dtype are left out.

        Returns
        -------
        numpy.ndarray
            At the current resolution level; the current scene stays what it is.

        Raises
        ------
        UnsupportedDataError
            If a scene has another shape or dtype than the first, or lacks the resolution level,
            and is not to be left out.
        ValueError
            If no scene is selected.
        OutOfBoundsError
            If there is no such scene.
        """
        images = self._alike(select_scenes, drop=drop_non_matching_scenes)
        stack: NDArray[Any] = stacked(images, dask=False)
        return stack

    def get_dask_stack(
        self, *, select_scenes: SceneChoice = None, drop_non_matching_scenes: bool = False
    ) -> dask.array.Array:
        """Return the stack of `get_stack`, which has the same arguments, as a lazy dask array."""
        images = self._alike(select_scenes, drop=drop_non_matching_scenes)
        stack: dask.array.Array = stacked(images, dask=True)
        return stack

    def get_xarray_stack(
        self,
        *,
        select_scenes: SceneChoice = None,
        drop_non_matching_scenes: bool = False,
        scene_character: str = "I",
        scene_coord_values: Literal["index", "names"] = "index",
        dask: bool = False,
    ) -> xarray.DataArray:
        """Return the stack of `get_stack` as a labelled array, with its first scene's coordinates.

        Parameters
        ----------
        select_scenes, drop_non_matching_scenes
            As for `get_stack`.
        scene_character
            The name of the dimension of the scenes; one that the image does not have.
        scene_coord_values
            ``"names"`` to have the names of the scenes as coordinates; by default there are none.
        dask
            True for a lazy array.

        Raises
        ------
        ValueError
            If the image has a dimension `scene_character`, or no scene is selected.
        UnsupportedDataError, OutOfBoundsError
            As `get_stack`.
        """
        images = self._alike(select_scenes, drop=drop_non_matching_scenes)
        return to_xarray_stack(images, scene_character, scene_coord_values, dask=dask)

    def get_xarray_dask_stack(self, **options: Any) -> xarray.DataArray:
        """Return the stack of `get_xarray_stack`, which has the same arguments, lazily."""
        return self.get_xarray_stack(**options, dask=True)

    def _alike(self, scenes: SceneChoice, *, drop: bool) -> list[Image]:
        """Return a view of each scene, all of one shape and dtype, at the current level."""
        image: Any = self
        names = image.scenes
        if isinstance(scenes, str) or not isinstance(scenes, (Iterable, type(None))):
            scenes = [scenes]
        chosen: Iterable[str | int] = range(len(names)) if scenes is None else scenes
        return alike([image._at(find_scene(names, one)) for one in chosen], drop=drop)


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
    package, first = xarray_package(), images[0]
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
