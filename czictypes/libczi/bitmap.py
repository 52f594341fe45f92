"""Bitmaps: decoded pixels in libCZI's memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.libczi.handle import Handle
from czictypes.model.errors import CorruptFileError
from czictypes.model.pixel_types import PixelFormat, PixelType, pixel_format

_COMPLEX128 = PixelFormat("<c16", 1)


class BitmapInfo(NamedTuple):
    """The size of a bitmap in pixels, and the number of its pixel type."""

    width: int
    height: int
    pixel_type: int


def libczi_format(pixel_type: int) -> PixelFormat:
    """Return the memory layout of a pixel type in libCZI.

    A pixel of Gray64ComplexFloat has 8 bytes in a file, but 16 in libCZI.
    """
    wrong = pixel_type == PixelType.Gray64ComplexFloat
    return _COMPLEX128 if wrong else pixel_format(pixel_type)


class BitmapHandle(Handle):
    """Immutable decoded pixels."""

    _release = "libCZI_ReleaseBitmap"
    _kind = "bitmap"

    def info(self) -> BitmapInfo:
        """Return size and pixel type."""
        info = self.library.ffi.new("struct BitmapInfoInterop *")
        self._call("libCZI_BitmapGetInfo", info, what="describe a bitmap")
        return BitmapInfo(info.width, info.height, info.pixelType)

    @contextmanager
    def locked(self) -> Iterator[NDArray[Any]]:
        """Return the pixels without a copy, as a read-only array (height, width, samples).

        The array must not be used after the ``with`` block, because its memory belongs to libCZI.
        `close` waits for the end of the block.

        Raises
        ------
        CorruptFileError
            If the memory that libCZI reports is smaller than the bitmap.
        """
        info = self.info()
        layout = libczi_format(info.pixel_type)
        lock = self.library.ffi.new("struct BitmapLockInfoInterop *")
        with self.borrow() as raw:
            self.library.call("libCZI_BitmapLock", raw, lock, what="lock a bitmap", file=self.name)
            try:
                yield self._view(lock, info, layout)
            finally:
                self.library.call("libCZI_BitmapUnlock", raw, what="unlock a bitmap")

    def to_numpy(self) -> NDArray[Any]:
        """Return a copy of the pixels, an array (height, width, samples)."""
        with self.locked() as pixels:
            copied: NDArray[Any] = pixels.copy()
        return copied

    def _view(self, lock: Any, info: BitmapInfo, layout: PixelFormat) -> NDArray[Any]:
        """Return the locked pixels as a read-only array, after checking their size."""
        shape = (info.height, info.width, layout.samples)
        if 0 in shape:
            return np.empty(shape, layout.dtype)
        row = info.width * layout.bytes_per_pixel
        size = (info.height - 1) * lock.stride + row
        if not lock.ptrDataRoi or lock.stride < row or size > lock.size:
            raise CorruptFileError(
                f"a bitmap of {self.name} claims {info.width} x {info.height} pixels of "
                f"{PixelType(info.pixel_type).name}, but has only {lock.size} bytes with "
                f"{lock.stride} a row; the sub-block it comes from is damaged"
            )
        dtype = np.dtype(layout.dtype)
        view: NDArray[Any] = np.ndarray(
            shape,
            dtype,
            self.library.ffi.buffer(lock.ptrDataRoi, size),
            strides=(lock.stride, layout.bytes_per_pixel, dtype.itemsize),
        )
        view.flags.writeable = False
        return view
