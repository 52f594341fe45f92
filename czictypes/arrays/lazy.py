"""Dask arrays of an image: one blockwise layer, whose tasks read a block each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.chunking import normalized_chunks
from czictypes.model.extras import require

if TYPE_CHECKING:
    from czictypes.arrays.image import CziImage

__all__ = ["lazy_array"]


def lazy_array(image: CziImage, level: int, chunks: Any) -> Any:
    """Return a dask array of a level of an image."""
    da = require("dask.array", extra="dask", doing="lazy arrays")
    blockwise = require("dask.blockwise", extra="dask", doing="lazy arrays").blockwise
    layers = require("dask.layers", extra="dask", doing="lazy arrays")
    graphs = require("dask.highlevelgraph", extra="dask", doing="lazy arrays")
    tokenize = require("dask.base", extra="dask", doing="lazy arrays").tokenize

    dims = image._layout.dims(level)
    sizes = normalized_chunks(dims, image.dtype, chunks, image.native_chunks(level))
    read = _BlockRead(image.__reduce__(), dims.order, level)
    name = f"czi-{tokenize(image._identity, read.key, level, sizes)}"
    axes = tuple(range(len(dims)))
    layer = blockwise(read, name, axes, layers.ArraySliceDep(sizes), axes, numblocks={})
    graph = graphs.HighLevelGraph.from_collections(name, layer)
    meta = np.empty((0,) * len(dims), image.dtype)
    return da.Array(graph, name, sizes, dtype=image.dtype, meta=meta)


class _BlockRead(NamedTuple):
    """Reads one block of an image; pickles as what is to be opened and how."""

    opened: tuple[Any, ...]
    order: str
    level: int

    @property
    def key(self) -> str:
        return repr(self.opened[1])

    def __call__(self, slices: Sequence[slice]) -> NDArray[Any]:
        reopen, arguments = self.opened
        with reopen(*arguments) as image:
            pixels: NDArray[Any] = image.read_block(
                dict(zip(self.order, slices)), level=self.level, threads=1
            )
            return pixels
