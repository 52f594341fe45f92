"""Makes the groups and arrays of a store, and says at the end what they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from czictypes.arrays.image_base import Image
from czictypes.container.workers import aside
from czictypes.exchange.ome_zarr.description import image_attributes, omero
from czictypes.exchange.ome_zarr.frame import AXES
from czictypes.exchange.ome_zarr.original import original_attributes, write_original
from czictypes.exchange.ome_zarr.plan import ImagePlan, LevelPlan
from czictypes.exchange.ome_zarr.store import ZarrStore
from czictypes.model.lazy import require

__all__ = ["create_arrays", "describe"]

Groups = Mapping[str, Mapping[str, Any]]


def create_arrays(
    store: ZarrStore,
    images: Sequence[ImagePlan],
    groups: Groups,
    version: str,
    compressor: Any,
) -> None:
    """Make what is not there yet. No group says what it is before `describe`."""
    kind = _zarr_format(version)
    for path in sorted({"", *groups, *(image.path for image in images)}):
        store.open_group(path, "a", zarr_format=kind)
    for image in images:
        for number, level in enumerate(image.levels):
            path = image.array_path(number)
            document = "zarr.json" if kind == 3 else ".zarray"
            if store.read(f"{path}/{document}") is None:
                _create(store, path, level, image.dtype, version, compressor)


def describe(
    store: ZarrStore, image: Image, images: Sequence[ImagePlan], groups: Groups, version: str
) -> None:
    """Write the attributes of all groups, the root's at last, and the original metadata."""
    attributes: dict[str, dict[str, Any]] = {path: dict(one) for path, one in groups.items()}
    looks: dict[int, Any] = {}
    for plan in images:
        image.set_scene("all" if plan.scene < 0 else plan.scene)
        if plan.scene not in looks:
            looks[plan.scene] = omero(image, version)
        attributes[plan.path] = {
            **image_attributes(plan, looks[plan.scene], version),
            **original_attributes(image, plan),
        }
    write_original(store, image, images, is_single=not groups)
    for path in sorted(attributes, reverse=True):
        group = store.open_group(path, "r+", zarr_format=_zarr_format(version))
        aside(partial(group.attrs.put, attributes[path]))


def _create(
    store: ZarrStore,
    path: str,
    level: LevelPlan,
    dtype: np.dtype[Any],
    version: str,
    compressor: Any,
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
        compressors=compressor,
        fill_value=0,
        zarr_format=_zarr_format(version),
        **more,
    )
    aside(create)


def _zarr_format(version: str) -> int:
    return 2 if version == "0.4" else 3
