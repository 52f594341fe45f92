"""The xarray backend: ``xr.open_dataset("image.czi", engine="czictypes")``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from typing import Any

from numpy.typing import NDArray

from czictypes.arrays.image import CziImage
from czictypes.arrays.xarray import attributes, labels
from czictypes.exchange.locations import location_path
from czictypes.model.errors import OutOfBoundsError
from czictypes.model.lazy import require
from czictypes.reading.reader import CziReader

try:
    import xarray as xr
    from xarray.backends import BackendArray, BackendEntrypoint
    from xarray.core import indexing
except ImportError:
    require("xarray", extra="xarray", doing="the xarray backend")
    raise

#: The variable of a dataset that holds the pixels, as in `CziImage.to_datatree`.
_VARIABLE = "image"


class _CziArray(BackendArray):  # type: ignore[misc, unused-ignore]
    """A level of an image whose pixels are read when they are indexed."""

    def __init__(self, image: CziImage, level: int) -> None:
        self._image = image
        self._level = level
        self._order = image.dims.order
        sizes = {**image.sizes, "Y": image.levels[level].height, "X": image.levels[level].width}
        self.shape = tuple(sizes[name] for name in self._order)
        self.dtype: Any = image.dtype

    def __deepcopy__(self, memo: object) -> _CziArray:
        """Return the array itself: it never changes, and a copy would open the file again."""
        return self

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        support = indexing.IndexingSupport.OUTER
        return indexing.explicit_indexing_adapter(key, self.shape, support, self._read)

    async def async_getitem(self, key: indexing.ExplicitIndexer) -> Any:
        """Return the indexed part, read in another thread."""
        return await asyncio.to_thread(self.__getitem__, key)

    def _read(self, key: tuple[Any, ...]) -> NDArray[Any]:
        selection = dict(zip(self._order, key))
        return self._image.read_block(selection, level=self._level)


class CziBackendEntrypoint(BackendEntrypoint):  # type: ignore[misc, unused-ignore]
    """Opens a CZI as datasets with lazily read pixels and coordinates in real units."""

    description = "Open ZEISS CZI images (.czi) with czictypes"
    open_dataset_parameters = (
        "filename_or_obj",
        "drop_variables",
        "scene",
        "level",
        "mosaic",
        "storage_options",
        "threads",
        "parts",
        "stored_resolution",
        "on_error",
    )
    supports_groups = True

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        scene: int | str | None = None,
        level: int = 0,
        mosaic: bool = True,
        **options: Any,
    ) -> xr.Dataset:
        """Return a scene as a dataset with the variable ``image``.

        Parameters
        ----------
        filename_or_obj
            A path, a URL, a binary file object, or a `CziReader`, which you close yourself.
        drop_variables
            Variables or coordinates to leave out.
        scene
            The index or the name of a scene; the first one by default.
        level
            The resolution level, 0 being full resolution.
        mosaic
            Whether tiles are stitched; if not, they lie along the dimension M.
        **options
            As for `CziImage`: storage_options, threads, parts, stored_resolution, on_error.

        Raises
        ------
        OutOfBoundsError
            If there is no such scene or level.
        """
        image = CziImage(filename_or_obj, scene, mosaic=mosaic, **options)
        try:
            dataset = _dataset(image, _checked_level(image, level), _names(drop_variables))
        except BaseException:
            image.close()
            raise
        dataset.set_close(image.close)
        return dataset

    def open_groups_as_dict(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        scene: int | str | None = None,
        mosaic: bool = True,
        **options: Any,
    ) -> dict[str, xr.Dataset]:
        """Return every level of every scene as a dataset, by the path of its group.

        The arguments are those of `open_dataset`. With `scene` the paths are ``/scale0``,
        ``/scale1``..., else ``/NAME/scale0``..., where a slash in a scene's name becomes a bar.
        The file is open once, and closed with the dataset of the root ``/``.
        """
        image = CziImage(filename_or_obj, **options)
        try:
            groups = _groups(image.reader, scene, mosaic, _names(drop_variables))
        except BaseException:
            image.close()
            raise
        groups["/"].set_close(image.close)
        return groups

    def open_datatree(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        **options: Any,
    ) -> xr.DataTree:
        """Return the datasets of `open_groups_as_dict` as a tree."""
        groups = self.open_groups_as_dict(filename_or_obj, drop_variables=drop_variables, **options)
        tree: xr.DataTree = xr.DataTree.from_dict(groups)
        for path, dataset in groups.items():
            tree[path].set_close(dataset._close)
        return tree

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Return whether this is a path or a URL that ends in ``.czi``."""
        if isinstance(filename_or_obj, os.PathLike):
            filename_or_obj = os.fspath(filename_or_obj)
        return isinstance(filename_or_obj, str) and location_path(filename_or_obj).endswith(".czi")


def _checked_level(image: CziImage, level: int) -> int:
    count = len(image.levels)
    if not -count <= level < count:
        raise OutOfBoundsError(f"there is no level {level}; they go from 0 to {count - 1}")
    return level % count


def _names(dropped: str | Iterable[str] | None) -> set[str]:
    return {dropped} if isinstance(dropped, str) else set(dropped or ())


def _groups(
    reader: CziReader, scene: int | str | None, mosaic: bool, dropped: set[str]
) -> dict[str, xr.Dataset]:
    if scene is not None:
        return _levels(CziImage(reader, scene, mosaic=mosaic), "", dropped)
    groups = {"/": xr.Dataset()}
    for index, name in enumerate(CziImage(reader).scenes):
        image = CziImage(reader, index, mosaic=mosaic)
        groups.update(_levels(image, "/" + name.replace("/", "|"), dropped))
    return groups


def _levels(image: CziImage, path: str, dropped: set[str]) -> dict[str, xr.Dataset]:
    """Return the group of an image and those of its levels."""
    groups = {path or "/": xr.Dataset(attrs=attributes(image))}
    for level in image.levels:
        groups[f"{path}/scale{level.index}"] = _dataset(image, level.index, dropped)
    return groups


def _dataset(image: CziImage, level: int, dropped: set[str]) -> xr.Dataset:
    found = labels(image, level)
    coordinates = {name: values for name, values in found.items() if name not in dropped}
    variables = {}
    if _VARIABLE not in dropped:
        pixels = indexing.LazilyIndexedArray(_CziArray(image, level))
        variables[_VARIABLE] = xr.Variable(
            tuple(image.dims.order),
            pixels,
            attributes(image),
            {"preferred_chunks": dict(image.native_chunks(level))},
        )
    return xr.Dataset(variables, coordinates, attributes(image))
