"""The groups and arrays of a store: created, compressed, described, opened for writing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.image_base import Image
from czictypes.container.workers import aside
from czictypes.exchange.ome_zarr.group_attributes import (
    image_attributes,
    omero,
    sidecar_attributes,
    write_sidecar,
)
from czictypes.exchange.ome_zarr.image_plan import AXES, ImagePlan, LevelPlan
from czictypes.exchange.ome_zarr.store import ZarrStore
from czictypes.model.lazy import require

Groups = Mapping[str, Mapping[str, Any]]


def create_arrays(
    store: ZarrStore,
    images: Sequence[ImagePlan],
    groups: Groups,
    version: str,
    codec: Any,
) -> None:
    """Create missing groups and arrays; `describe` adds their attributes."""
    for path in sorted({"", *groups, *(image.path for image in images)}):
        store.open_group(path, "a", zarr_format=_zarr_format(version))
    document = ".zarray" if version == "0.4" else "zarr.json"
    for image in images:
        for number, level in enumerate(image.levels):
            path = image.array_path(number)
            if store.read(f"{path}/{document}") is None:
                _create(store, path, level, image.dtype, version, codec)


def describe(
    store: ZarrStore, image: Image, images: Sequence[ImagePlan], groups: Groups, version: str
) -> None:
    """Write the sidecar, and the attributes of all groups, the root last."""
    attributes: dict[str, dict[str, Any]] = {path: dict(one) for path, one in groups.items()}
    looks: dict[int | str, Any] = {}
    for plan in images:
        image.set_scene(plan.scene)
        if plan.scene not in looks:
            looks[plan.scene] = omero(image, version)
        attributes[plan.path] = {
            **image_attributes(plan, looks[plan.scene], version),
            **sidecar_attributes(image, plan),
        }
    write_sidecar(store, image, images, is_single=not groups)
    for path in sorted(attributes, reverse=True):
        group = store.open_group(path, "r+", zarr_format=_zarr_format(version))
        aside(partial(group.attrs.put, attributes[path]))


def _create(
    store: ZarrStore,
    path: str,
    level: LevelPlan,
    dtype: np.dtype[Any],
    version: str,
    codec: Any,
) -> None:
    zarr = require("zarr", extra="ome-zarr", doing="writing OME-Zarr")
    more: dict[str, Any] = {}
    if version == "0.4":
        more = {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
    else:
        more = {"dimension_names": tuple(AXES), "shards": level.chunking.shard}
    create = partial(
        zarr.create_array,
        store.zarr,
        name=store.at(path),
        shape=level.shape,
        chunks=level.chunking.chunk,
        dtype=dtype.newbyteorder("<"),
        compressors=codec,
        fill_value=0,
        zarr_format=_zarr_format(version),
        **more,
    )
    aside(create)


def _zarr_format(version: str) -> int:
    return 2 if version == "0.4" else 3


_COMPRESSORS = ("lz4", "zstd", "blosc", "gzip", "none")


def make_compressor(given: Any, version: str) -> Any:
    """Return the codec for a name with or without a level; other values are returned unchanged.

    The default is Blosc with lz4, the fastest that every reader knows, as in bioformats2raw.
    """
    if given is not None and not isinstance(given, str):
        return given
    name, _, digits = (given or "lz4").partition(":")
    if name not in _COMPRESSORS or (digits and not digits.lstrip("-").isdigit()):
        raise ValueError(
            f"{given!r} is no compressor; use {', '.join(_COMPRESSORS)}, with a level if you like "
            '("zstd:5"), or a codec of zarr'
        )
    if name == "none":
        return None
    level = int(digits) if digits else {"zstd": 1, "gzip": 5}.get(name, 3)
    is_v2 = version == "0.4"
    module = "numcodecs" if is_v2 else "zarr.codecs"
    codecs = require(module, extra="ome-zarr", doing="writing OME-Zarr")
    if name == "zstd":
        return (codecs.Zstd if is_v2 else codecs.ZstdCodec)(level=level)
    if name == "gzip":
        return (codecs.GZip if is_v2 else codecs.GzipCodec)(level=level)
    blosc, shuffle = (codecs.Blosc, 1) if is_v2 else (codecs.BloscCodec, "shuffle")
    return blosc(cname="zstd" if name == "blosc" else "lz4", clevel=level, shuffle=shuffle)


Slices = tuple[slice, ...]


class ArrayAccess(NamedTuple):
    """Functions that read any region of an array, and write regions of whole chunks."""

    read: Callable[[Slices], NDArray[Any]]
    write: Callable[[Slices, NDArray[Any]], Any]


def uses_tensorstore(wanted: bool | None, store: ZarrStore) -> bool:
    """Return whether to try tensorstore: by default if it is installed and the store is a folder.

    If it is requested, raises MissingExtraError or ValueError where it cannot be used.
    """
    if wanted is False or (wanted is None and find_spec("tensorstore") is None):
        return False
    require("tensorstore", extra="tensorstore", doing="writing with tensorstore")
    if wanted and not store.is_plain_folder:
        raise ValueError(f"tensorstore writes to folders only, and {store.name} is none")
    return store.is_plain_folder


def knows_array(wanted: bool | None, store: ZarrStore, version: str, path: str) -> bool:
    """Return whether tensorstore knows an existing array; ValueError if it must and does not."""
    try:
        open_array(store, version, path, fast=True)
    except (ValueError, NotImplementedError) as error:
        if wanted:
            raise ValueError(f"tensorstore cannot write {store.name}: {error}") from error
        return False
    return True


def open_array(store: ZarrStore, version: str, path: str, *, fast: bool) -> ArrayAccess:
    """Open an array for reading and writing; `fast` with tensorstore."""
    if not fast:
        array = store.open_array(path, "r+")
        return ArrayAccess(
            lambda slices: aside(lambda: array[slices]),
            lambda slices, pixels: aside(lambda: array.__setitem__(slices, pixels)),
        )
    tensorstore = require("tensorstore", extra="tensorstore", doing="writing with tensorstore")
    assert store.folder is not None
    place = {"driver": "file", "path": (store.folder / path).as_posix()}
    spec = {"driver": "zarr" if version == "0.4" else "zarr3", "kvstore": place}
    opened = aside(lambda: tensorstore.open(spec, read=True, write=True).result())
    return ArrayAccess(
        lambda slices: aside(lambda: np.asarray(opened[slices].read().result())),
        lambda slices, pixels: aside(lambda: opened[slices].write(pixels).result()),
    )
