"""The chunks of lazy arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from czictypes.arrays.dimensions import Dimensions
from czictypes.model.lazy import require

__all__ = ["Chunks", "normalized_chunks"]

Chunks = tuple[tuple[int, ...], ...]


def normalized_chunks(
    dims: Dimensions, dtype: np.dtype[Any], chunks: Any, native: Mapping[str, int]
) -> Chunks:
    """Return the sizes of the chunks along each dimension.

    Parameters
    ----------
    dims
        Names and sizes of the array.
    dtype
        Its dtype, which ``"auto"`` looks at.
    chunks
        Whatever dask takes as chunks, or a mapping from names of dimensions; None and dimensions
        left out mean the native chunks.
    native
        The size of a native chunk along each dimension.

    Raises
    ------
    ValueError
        For a dimension that the array does not have, or chunks that do not fit it.
    """
    core = require("dask.array.core", extra="dask", doing="lazy arrays")
    if chunks is None:
        chunks = {}
    if isinstance(chunks, Mapping):
        letters = list(dims)
        chunks = {
            letters[name] if isinstance(name, int) and name < len(letters) else name: size
            for name, size in chunks.items()
        }
        unknown = [str(name) for name in chunks if name not in dims]
        if unknown:
            raise ValueError(
                f"there is no dimension {', '.join(unknown)}; they are {', '.join(dims)}"
            )
        chunks = tuple(chunks.get(name, native[name]) for name in dims)
    plain = core.normalize_chunks(tuple(native.values()), dims.shape, dtype=dtype)
    try:
        sizes: Chunks = core.normalize_chunks(
            chunks, dims.shape, dtype=dtype, previous_chunks=plain
        )
    except (ValueError, ZeroDivisionError) as error:  # dask's words for what it cannot cut
        raise ValueError(f"chunks={chunks!r} do not fit {dict(dims.items())}: {error}") from error
    return sizes
