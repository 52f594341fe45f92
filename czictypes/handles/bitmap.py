"""A bitmap: decoded pixels in libCZI's memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from czictypes.handles.handle import Handle
from czictypes.handles.structs import BitmapInfo, libczi_format
from czictypes.model.errors import CorruptFileError
from czictypes.model.pixel_types import PixelFormat, PixelType

__all__ = ["BitmapHandle"]


class BitmapHandle(Handle):
    """Decoded pixels, which never change."""

    _release = "libCZI_ReleaseBitmap"
    _kind = "bitmap"

    def info(self) -> BitmapInfo:
        """Return size and pixel type."""
        info = self.library.ffi.new("struct BitmapInfoInterop *")
        self._call("libCZI_BitmapGetInfo", info, what="describe a bitmap")
        return BitmapInfo(info.width, info.height, info.pixelType)

    @contextmanager
    def locked(self) -> Iterator[NDArray[Any]]:
        """Give the pixels in place, as a read-only array (height, width, samples).

        The array must not be used after the ``with`` block: its memory is libCZI's. `close`
        waits for the end of the block.

        Raises
        ------
        CorruptFileError
            When the memory that libCZI tells of is smaller than the bitmap.
        """
        info = self.info()
        layout = libczi_format(info.pixel_type)
        with self._lock(info, layout) as (_, lock):
            yield _view(self.library.ffi, lock, info, layout)

    def copy_to(self, array: NDArray[Any], pixel_type: int | None = None) -> None:
        """Copy the pixels into an array of the caller's.

        Parameters
        ----------
        array
            Shape (height, width, samples) and the pixel type's dtype, writable; rows may be
            apart, but pixels within a row adjoin.
        pixel_type
            What the caller takes the bitmap to be, checked if given; nothing is converted.

        Raises
        ------
        ValueError
            When the array does not fit.
        """
        info = self.info()
        layout = libczi_format(info.pixel_type)
        if pixel_type is not None and pixel_type != info.pixel_type:
            raise ValueError(
                f"the bitmap is {PixelType(info.pixel_type).name}, not number {pixel_type}"
            )
        _check_target(array, info, layout)
        if not array.size:
            return
        target = self.library.ffi.cast("void *", array.__array_interface__["data"][0])
        stride = array.strides[0] if info.height > 1 else info.width * layout.bytes_per_pixel
        with self._lock(info, layout) as (raw, _):
            self.library.call(
                "libCZI_BitmapCopyTo", raw, *info, stride, target, what="copy a bitmap"
            )

    def to_numpy(self) -> NDArray[Any]:
        """Return a copy of the pixels, an array (height, width, samples)."""
        info = self.info()
        layout = libczi_format(info.pixel_type)
        array = np.empty((info.height, info.width, layout.samples), layout.dtype)
        self.copy_to(array)
        return array

    @contextmanager
    def _lock(self, info: BitmapInfo, layout: PixelFormat) -> Iterator[tuple[int, Any]]:
        """Hold libCZI's lock on the pixels, once it is sure that all of them are there.

        Gives the native handle and the struct BitmapLockInfoInterop.
        """
        lock = self.library.ffi.new("struct BitmapLockInfoInterop *")
        with self.borrow() as raw:
            self.library.call("libCZI_BitmapLock", raw, lock, what="lock a bitmap", file=self.name)
            try:
                self._check_lock(lock, info, layout)
                yield raw, lock
            finally:
                self.library.call("libCZI_BitmapUnlock", raw, what="unlock a bitmap")

    def _check_lock(self, lock: Any, info: BitmapInfo, layout: PixelFormat) -> None:
        row = info.width * layout.bytes_per_pixel
        if row == 0 or info.height == 0:
            return
        needed = (info.height - 1) * lock.stride + row
        if not lock.ptrDataRoi or lock.stride < row or needed > lock.size:
            raise CorruptFileError(
                f"a bitmap of {self.name} claims {info.width} x {info.height} pixels of "
                f"{PixelType(info.pixel_type).name}, but has only {lock.size} bytes with "
                f"{lock.stride} a row; the sub-block it comes from is damaged"
            )


def _view(ffi: Any, lock: Any, info: BitmapInfo, layout: PixelFormat) -> NDArray[Any]:
    """Return the locked pixels as a read-only array."""
    shape = (info.height, info.width, layout.samples)
    if 0 in shape:
        return np.empty(shape, layout.dtype)
    dtype = np.dtype(layout.dtype)
    size = (info.height - 1) * lock.stride + info.width * layout.bytes_per_pixel
    view: NDArray[Any] = np.ndarray(
        shape,
        dtype,
        ffi.buffer(lock.ptrDataRoi, size),
        strides=(lock.stride, layout.bytes_per_pixel, dtype.itemsize),
    )
    view.flags.writeable = False
    return view


def _check_target(array: NDArray[Any], info: BitmapInfo, layout: PixelFormat) -> None:
    shape = (info.height, info.width, layout.samples)
    if array.shape != shape or array.dtype != np.dtype(layout.dtype):
        raise ValueError(
            f"the bitmap needs an array of shape {shape} and dtype {layout.dtype}; the one given "
            f"has {array.shape} and {array.dtype.str}"
        )
    if not array.flags.writeable:
        raise ValueError("the array is read-only")
    row = array[:1]
    if not row.flags.c_contiguous or (info.height > 1 and array.strides[0] < row.nbytes):
        raise ValueError(f"pixels within a row must adjoin; the strides are {array.strides}")
