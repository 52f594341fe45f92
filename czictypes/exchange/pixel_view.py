"""Pixels of another format as a CZI can hold them, changed while they are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from czictypes.model.errors import (
    CorruptFileError,
    CziError,
    ResultTooLargeError,
    UnsupportedDataError,
)

__all__ = ["PixelView", "pixels_for_czi", "reason"]

_HELD = ("uint8", "uint16", "float32")


def pixels_for_czi(
    pixels: Any,
    axes: str,
    dtype: DTypeLike | None = None,
    *,
    name: str = "the image",
    reader: str | None = None,
) -> tuple[PixelView, str]:
    """Return pixels and axes that a CZI can hold: samples last and at most three, a dtype of its.

    Parameters
    ----------
    pixels, axes
        An array and a letter for each of its axes; S anywhere stands for samples.
    dtype
        ``uint8``, ``uint16`` or ``float32``, for pixels of other types: each value must be one
        that the type can hold. Without it bool becomes uint8, and other types are refused.
    name
        The name of the image in errors.
    reader
        The package that decodes `pixels`, where that may not know every file of its format.

    Raises
    ------
    UnsupportedDataError
        For a type that a CZI does not have, or samples that are not gray or red, green, blue,
        with or without transparency (which is left out).
    """
    native = np.dtype(pixels.dtype).newbyteorder("=")
    target = np.dtype(np.uint8 if native.kind == "b" and dtype is None else dtype or native)
    if target.name not in _HELD:
        raise UnsupportedDataError(
            f"{name} has pixels of type {target.name}, but a CZI holds {', '.join(_HELD)}; "
            "name one of them with dtype= (--dtype), if its values fit"
        )
    at = axes.find("S")
    if at < 0:
        return PixelView(pixels, target, None, 0, name, reader), axes
    count = int(pixels.shape[at])
    if count > 4:
        raise UnsupportedDataError(f"{name} has {count} samples in a pixel, but a CZI at most 3")
    kept = 1 if count < 3 else 3
    plain = axes.replace("S", "")
    return PixelView(pixels, target, at, kept, name, reader), plain + "S"


def reason(error: Exception) -> str:
    """Return what another package said: its words, or the name of the error where it has none."""
    return str(getattr(error, "msg_extra", None) or error) or type(error).__name__


class PixelView:
    """An array that is read through: samples moved to the end, and the type changed.

    Parameters
    ----------
    pixels
        Anything with shape, dtype and slices.
    dtype
        The type to give.
    samples
        The axis of samples, which becomes the last; None without.
    kept
        How many samples to give.
    name
        The name of the image in errors.
    reader
        The package that decodes the pixels, where that may not know every file of its format.
    """

    def __init__(
        self,
        pixels: Any,
        dtype: np.dtype[Any],
        samples: int | None,
        kept: int,
        name: str,
        reader: str | None = None,
    ) -> None:
        self._pixels = pixels
        self._samples = samples
        self._kept = kept
        self._name = name
        self._reader = reader
        self.dtype = dtype
        shape = [int(size) for size in pixels.shape]
        chunks = list(getattr(pixels, "chunks", None) or ())
        if samples is not None:
            for sizes in (shape, chunks):
                if sizes:
                    sizes.append(sizes.pop(samples))
            shape[-1] = kept
        self.shape = tuple(shape)
        self.chunks = _capped(chunks, self.shape)

    @property
    def ndim(self) -> int:
        """How many axes there are."""
        return len(self.shape)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Return a part; `key` has a slice for each axis, or fewer."""
        keys = list(key) if isinstance(key, tuple) else [key]
        keys += [slice(None)] * (len(self.shape) - len(keys))
        if self._samples is None:
            return self._converted(self._read(keys))
        wanted = range(self._kept)[keys.pop()]
        keys.insert(self._samples, slice(wanted.start, wanted.stop, wanted.step))
        return self._converted(np.moveaxis(self._read(keys), self._samples, -1))

    def _read(self, keys: list[Any]) -> NDArray[Any]:
        """Read from the array; what a package of another format raises becomes an error of ours."""
        try:
            return np.asarray(self._pixels[tuple(keys)])
        except (CziError, OSError):
            raise
        except MemoryError as error:
            raise ResultTooLargeError(
                f"a chunk or strip of {self._name} does not fit into the memory that there is: "
                f"{reason(error)}"
            ) from error
        except Exception as error:
            if self._reader is not None:
                raise UnsupportedDataError(
                    f"{self._reader} cannot read the pixels of {self._name}: {reason(error)}. "
                    "It may not support this kind of image, or the file may be damaged"
                ) from error
            raise CorruptFileError(
                f"pixels of {self._name} cannot be read; the file is damaged: {reason(error)}"
            ) from error

    def _converted(self, found: NDArray[Any]) -> NDArray[Any]:
        if found.dtype == self.dtype:
            return found
        with np.errstate(invalid="ignore", over="ignore"):  # what does not fit is found below
            converted = found.astype(self.dtype)
        exact = converted == found
        if found.dtype.kind in "fc" and self.dtype.kind == "f":
            exact |= np.isclose(converted, found, rtol=1e-6, atol=0, equal_nan=True)  # rounding
        if not exact.all():
            wrong = found[~exact].flat[0]
            raise UnsupportedDataError(
                f"{self._name} has the value {wrong!s} ({found.dtype}), which {self.dtype} cannot "
                "hold; choose another dtype= (--dtype), or scale the pixels first"
            )
        return converted


def _capped(chunks: Sequence[Any], shape: Sequence[int]) -> tuple[Any, ...] | None:
    """Return the chunks of the view; of the samples all are taken at once."""
    if not chunks:
        return None
    sizes = []
    for size, whole in zip(chunks, shape):
        sizes.append(size if isinstance(size, tuple) else max(min(int(size), whole), 1))
    return tuple(sizes)
