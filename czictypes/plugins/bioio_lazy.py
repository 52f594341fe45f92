"""Lazy arrays that leave no file open when nothing of them is being read, as bioio asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.arrays.image import CziImage
from czictypes.arrays.opened import OpenReaders
from czictypes.model.extras import require
from czictypes.reading.reader import CziReader

__all__ = ["closing_array"]


def closing_array(image: CziImage, path: str, level: int, chunks: Any, **options: Any) -> Any:
    """Return a level of an image as a dask array; `CziImage.to_dask` keeps the file open.

    Parameters
    ----------
    image
        The image.
    path
        The local file that it is of.
    level, chunks
        As for `CziImage.to_dask`.
    **options
        What to open the file with, as for `CziReader`.
    """
    array, blockwise, graphs, layers = (
        require(f"dask.{name}", extra="dask", doing="lazy arrays")
        for name in ("array", "blockwise", "highlevelgraph", "layers")
    )
    plain = image.to_dask(level, chunks)
    is_tiled = "M" in image.dims.order
    scene = image.current_scene_index
    read = _BlockRead(path, scene, not is_tiled, level, image.dims.order, options)
    name = f"bioio-{plain.name}"
    axes = tuple(range(plain.ndim))
    slices = layers.ArraySliceDep(plain.chunks)
    layer = blockwise.blockwise(read, name, axes, slices, axes, numblocks={})
    graph = graphs.HighLevelGraph.from_collections(name, layer)
    meta = np.empty((0,) * plain.ndim, plain.dtype)
    return array.Array(graph, name, plain.chunks, dtype=plain.dtype, meta=meta)


class _BlockRead:
    """Reads one block; the file is open while one block at least is being read."""

    def __init__(
        self,
        path: str,
        scene: int | None,
        mosaic: bool,
        level: int,
        order: str,
        options: Mapping[str, Any],
    ) -> None:
        self._arguments = (path, scene, mosaic, level, order, dict(options))
        self._readers = OpenReaders(most=0)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as what is to be opened."""
        return _BlockRead, self._arguments

    def __call__(self, slices: Sequence[slice]) -> NDArray[Any]:
        """Return a block, read in the calling thread alone: others have blocks of their own."""
        path, scene, mosaic, level, order, options = self._arguments
        with self._readers.use(path, lambda: CziReader(path, **options)) as reader:
            image = CziImage(reader, scene, mosaic=mosaic)
            return image.read_block(dict(zip(order, slices)), level=level, threads=1)
