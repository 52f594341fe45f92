"""The documents (``zarr.json``) of the OME-Zarr that a CZI is shown as."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from czictypes.arrays.image import CziImage
from czictypes.exchange.ome_zarr.chunking import Chunking, ChunkSizes, make_chunking
from czictypes.exchange.ome_zarr.description import image_attributes, omero
from czictypes.exchange.ome_zarr.frame import AXES
from czictypes.exchange.ome_zarr.layout import lay_out
from czictypes.exchange.ome_zarr.plan import ImagePlan, plan_image

__all__ = ["VERSION", "document_of_array", "documents_of_groups", "encoded", "plan_images"]

Document = dict[str, Any]

#: The version of OME-Zarr; its format is Zarr 3.
VERSION = "0.5"


def plan_images(
    image: CziImage, scenes: Sequence[int] | None, chunks: ChunkSizes, plate: bool | None
) -> tuple[list[ImagePlan], Mapping[str, Mapping[str, Any]]]:
    """Return the images of a store with the levels that the file has, and its other groups.

    Parameters
    ----------
    image
        The document.
    scenes
        Positions of scenes; None for all scenes stitched.
    chunks
        The chunks; by default what the file's tiles make cheap.
    plate
        As for `lay_out`.
    """
    layout = lay_out(image, scenes, VERSION, plate=plate)
    plans = []
    for place in layout.places:
        image.set_scene("all" if place.scene is None else place.scene)
        chunking = _chunking(image, chunks)
        plans.append(plan_image(image, place.path, place.plane, chunking, len(image.levels)))
    return plans, layout.groups


def documents_of_groups(
    image: CziImage, plans: Sequence[ImagePlan], groups: Mapping[str, Mapping[str, Any]]
) -> dict[str, Document]:
    """Return the document of every group by its path."""
    attributes: dict[str, Mapping[str, Any]] = {"": {}, **groups}
    for plan in plans:
        image.set_scene("all" if plan.scene < 0 else plan.scene)
        attributes[plan.path] = image_attributes(plan, omero(image, VERSION), VERSION)
    return {
        path: {"zarr_format": 3, "node_type": "group", "attributes": one}
        for path, one in attributes.items()
    }


def document_of_array(shape: Sequence[int], chunk: Sequence[int], dtype: np.dtype[Any]) -> Document:
    """Return the document of an array whose chunks are not compressed."""
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(chunk)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0 if dtype.kind in "ui" else 0.0,
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
        "attributes": {},
        "dimension_names": list(AXES),
    }


def encoded(documents: Mapping[str, Document]) -> dict[str, bytes]:
    """Return the documents by their keys in the store, as they stand there.

    That of the root has all others in it ("consolidated metadata", as zarr-python writes them),
    so that a reader need not ask for each. They are sorted: zarr-python does not find those of a
    group if others stand between them.
    """
    inner = {path: _with(one, {}) for path, one in sorted(documents.items()) if path}
    return {
        f"{path}/zarr.json".lstrip("/"): json.dumps(one if path else _with(one, inner)).encode()
        for path, one in documents.items()
    }


def _with(document: Document, inner: Mapping[str, Document]) -> Document:
    """Return the document of a group with the documents of what is in it."""
    if document["node_type"] != "group":
        return document
    consolidated = {"kind": "inline", "must_understand": False, "metadata": inner}
    return {**document, "consolidated_metadata": consolidated}


def _chunking(image: CziImage, chunks: ChunkSizes) -> Chunking:
    if chunks is None:
        native = image.native_chunks()
        # The samples of a colour pixel are decoded together, so they share a chunk.
        chunks = {"y": native["Y"], "x": native["X"], "c": image.sizes.get("S", 1)}
    return make_chunking(chunks, None, VERSION)
