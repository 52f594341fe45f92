"""Pixels of other formats as arrays, fitted to a CZI while they are read, or decoded by frames."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from czictypes.model.errors import (
    CorruptFileError,
    CziError,
    PixelTypeWarning,
    ResultTooLargeError,
    UnsupportedDataError,
)
from czictypes.model.public import warn_caller
from czictypes.reading.conversion import stretch

_HELD = ("uint8", "uint16", "float32")


def pixels_for_czi(
    pixels: Any,
    axes: str,
    dtype: DTypeLike | None = None,
    *,
    name: str = "the image",
    reader: str | None = None,
) -> tuple[PixelView, str]:
    """Return pixels and axes for a CZI: at most three samples, last, and a dtype that it has.

    S may be anywhere in `axes`. `dtype` must be able to hold each value; by default, bool becomes
    uint8. Raises `UnsupportedDataError` for other types, and for samples that are not gray or RGB,
    with or without an alpha, which is left out. `name` and `reader` are for messages.
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
    kept = samples_for_czi(count)
    plain = axes.replace("S", "")
    return PixelView(pixels, target, at, kept, name, reader), plain + "S"


def samples_for_czi(count: int) -> int:
    """Return how many of the samples of a pixel are written to a CZI: all but the alpha."""
    return 1 if count < 3 else 3


def warn_of_alpha(samples: int, name: str | None) -> None:
    """Warn that the alpha of an image, its last sample, is left out."""
    which = f"the image {name!r}" if name else "the image"
    warn_caller(
        f"{which} has {samples} samples in a pixel, the last one being its alpha (transparency), "
        "which is left out: a CZI of czictypes holds gray or red, green, blue",
        PixelTypeWarning,
    )


def reason(error: Exception) -> str:
    """Return the message of another package's error, or its name if it has none."""
    return str(getattr(error, "msg_extra", None) or error) or type(error).__name__


class PixelView:
    """A view of an array, with its axis of samples moved to the end, and another type.

    `reader` is the package that decodes the pixels, if it may not support every file of its format.
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
        """Read from the array; errors of other packages become errors of this one."""
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
    """Return the chunks of the view; a chunk has all samples."""
    if not chunks:
        return None
    sizes = []
    for size, whole in zip(chunks, shape):
        sizes.append(size if isinstance(size, tuple) else max(min(int(size), whole), 1))
    return tuple(sizes)


#: The number of frames that are kept of a file decoded in order; more if they are small.
_FEWEST, _MOST_BYTES = 8, 3 << 25


class Frames:
    """Frames of one shape along a first axis, or the only one without that axis.

    Threads may read at once; they are served one after the other.

    Parameters
    ----------
    shape
        The shape of a frame.
    dtype
        The type of its values.
    read
        Decodes a part of a frame, by the number of the frame and a slice for each of its axes.
    lock
        Is held meanwhile; all that decode from the same file have the same.
    count
        How many frames there are; None for one frame without an axis of its own.
    ordered
        Whether a frame is made of those before it, so that only reading in order is fast. The
        last frames are then kept, for threads that come out of order, and those before a frame
        when frames are read backwards, as dask does.
    in_parts
        Whether reading parts of an only frame is cheap, so that it need not be kept here.
    """

    def __init__(
        self,
        shape: Sequence[int],
        dtype: np.dtype[Any],
        read: Callable[[int, tuple[slice, ...]], NDArray[Any]],
        lock: threading.Lock,
        *,
        count: int | None = None,
        ordered: bool = False,
        in_parts: bool = False,
    ) -> None:
        self.dtype = np.dtype(dtype)
        self.shape = (*(() if count is None else (count,)), *map(int, shape))
        self._frame, self._read, self._count = tuple(map(int, shape)), read, count
        size = int(np.prod(self._frame, dtype=object)) * self.dtype.itemsize
        self._room = max(_FEWEST, _MOST_BYTES // max(size, 1)) if ordered else 1
        self._room = min(self._room, count or 1)
        self._buffer: NDArray[Any] | None = None
        self._kept: OrderedDict[int, int] = OrderedDict()  # the places of frames in the buffer
        self._next, self._last = 0, 0
        self._lock, self._in_parts = lock, in_parts

    def __getitem__(self, key: tuple[slice, ...]) -> NDArray[Any]:
        """Return a part, which has a slice for each axis."""
        if self._count is None:
            with self._lock:
                return self._read(0, key) if self._in_parts else self._whole(0)[key].copy()
        numbers = range(self._count)[key[0]]
        kept = [range(size)[part] for size, part in zip(self._frame, key[1:])]
        found = np.empty((len(numbers), *map(len, kept)), self.dtype)
        for place, number in enumerate(numbers):
            with self._lock:
                found[place] = self._whole(number)[key[1:]]
        return found

    def _whole(self, number: int) -> NDArray[Any]:
        """Return a frame; in files decoded in order, others that will be needed are kept."""
        last, self._last = self._last, number
        if number in self._kept:
            return self._at(self._kept[number])
        start = number
        if 0 < number - self._next < self._room:
            start = self._next
        elif 0 < last - number < self._room:
            start = max(0, number + 1 - self._room)
        for at in range(start, number + 1):
            self._next = 0  # where nothing is known, if decoding fails
            self._keep(at, self._read(at, tuple(slice(0, size) for size in self._frame)))
            self._next = at + 1
        return self._at(self._kept[number])

    def _keep(self, number: int, frame: NDArray[Any]) -> None:
        """Put a frame into the buffer in place of the oldest one."""
        self._kept.pop(number, None)
        if len(self._kept) == self._room:
            self._kept.popitem(last=False)
        # an interrupt may have come between any two of these lines
        place = min(set(range(self._room)).difference(self._kept.values()))
        self._at(place)[...] = frame
        self._kept[number] = place

    def _at(self, place: int) -> NDArray[Any]:
        if self._buffer is None:
            self._buffer = np.empty((self._room, *self._frame), self.dtype)
        found: NDArray[Any] = self._buffer[place]
        return found


def shown_in_color(
    pixels: NDArray[Any], limits: tuple[float, float], color: tuple[int, int, int]
) -> NDArray[np.float32]:
    """Return pixels (y, x, samples) in a colour, from 0 for black to 255."""
    part = stretch(pixels, limits, np.uint16) / np.float32(65535)
    shown: NDArray[np.float32] = part * np.array(color, np.float32)
    return shown
