"""The arrays that planes are composed into."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.model.errors import InvalidArgumentError
from czictypes.reading.result_memory import ResultMemory

__all__ = ["allocate", "check_output"]

Shape = tuple[int, int, int]


def allocate(shape: Shape, dtype: np.dtype[Any], memory: ResultMemory) -> NDArray[Any]:
    """Return an array whose contents the compositor will set.

    Raises
    ------
    ValueError
        If the shape has no pixel, which happens when the zoom is too small for the roi.
    ResultTooLargeError
        If it is larger than it may be, or the machine cannot hold it.
    """
    _check_shape(shape)
    return memory.take(shape, dtype)


def check_output(out: NDArray[Any], shape: Shape, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Check that the caller's array can take the result.

    Raises
    ------
    ValueError
        If it is no array, or its shape, dtype or layout is another, or it is read-only.
    """
    _check_shape(shape)
    if not isinstance(out, np.ndarray):
        raise ValueError(f"out must be a numpy array, not {type(out).__name__}")
    if out.shape != shape or out.dtype != dtype:
        raise ValueError(
            f"out must have shape {shape} and dtype {dtype}, not {out.shape} and {out.dtype}"
        )
    if not out.flags.writeable:
        raise ValueError("out is read-only; give an array that can be written to")
    pixel = dtype.itemsize * shape[2]
    if out.size and (out.strides[1], out.strides[2]) != (pixel, dtype.itemsize):
        raise ValueError("out may have strided rows, but the pixels of a row must be adjacent")
    return out


def _check_shape(shape: Shape) -> None:
    if 0 in shape:
        raise InvalidArgumentError(
            f"the zoom is so small that the result would have {shape[1]} x {shape[0]} pixels; "
            f"use a larger zoom or roi"
        )
