"""Decoded pixels in libCZI's memory, and pictures composed of them, each bitmap in its colour."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.libczi.handle import Handle
from czictypes.libczi.metadata import DisplaySettingsHandle
from czictypes.model.errors import CorruptFileError, UnsupportedDataError
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


# The number of elements of a look-up table, by the pixel types that libCZI composes.
_TABLE_SIZES = {
    PixelType.Gray8: 256,
    PixelType.Bgr24: 256,
    PixelType.Bgra32: 0,  # composed only without a table
    PixelType.Gray16: 65536,
    PixelType.Bgr48: 65536,
}


class CompositionChannel(NamedTuple):
    """The settings of a channel in the picture.

    Attributes
    ----------
    weight
        Its weight; equal weights have no effect.
    tinting
        Red, green, blue (0 to 255), or None to show the channel in its own values.
    black_point, white_point
        The window that is stretched, as fractions of the pixel type's range.
    table
        The shown value (0 to 255) of each pixel value, in place of the window: 256 bytes for 8-bit
        pixel types, 65536 for 16-bit ones.
    """

    weight: float = 1.0
    tinting: tuple[int, int, int] | None = None
    black_point: float = 0.0
    white_point: float = 1.0
    table: bytes | None = None


def composition_channel(
    settings: DisplaySettingsHandle, channel: int, *, sixteen_bit: bool
) -> CompositionChannel:
    """Return the settings of a channel in the document's display settings.

    `sixteen_bit` is whether its pixel type has 16 bits, which determines the size of a table.
    Raises IndexError if the document has no settings for the channel.
    """
    library = settings.library
    settings.channel(channel).close()  # raises an error, where libCZI would crash below
    info = library.ffi.new("struct CompositionChannelInfoInterop *")
    settings._call(
        "libCZI_CompositorFillOutCompositionChannelInfoInterop",
        channel,
        sixteen_bit,
        info,
        what=f"read how channel {channel} is shown",
    )
    try:
        count = info.look_up_table_element_count
        table = bytes(library.ffi.buffer(info.ptr_look_up_table, count)) if count else None
    finally:
        library.free(library.ffi.cast("void *", info.ptr_look_up_table))
    colour = (info.tinting_color_r, info.tinting_color_g, info.tinting_color_b)
    return CompositionChannel(
        info.weight,
        colour if info.enable_tinting else None,
        info.black_point,
        info.white_point,
        table,
    )


def compose_channels(
    bitmaps: Sequence[BitmapHandle], channels: Sequence[CompositionChannel]
) -> BitmapHandle:
    """Compose a Bgr24 picture from bitmaps of the same size.

    Raises
    ------
    ValueError
        If the numbers of bitmaps and channels differ or are 0, the bitmaps' sizes differ, or a
        value is out of its range.
    UnsupportedDataError
        For pixel types other than Gray8, Gray16, Bgr24, Bgr48 and Bgra32.
    """
    _check(bitmaps, channels)
    library = bitmaps[0].library
    ffi = library.ffi
    keep: list[Any] = []
    infos = ffi.new("struct CompositionChannelInfoInterop[]", len(channels))
    for info, channel in zip(infos, channels):
        _fill(ffi, info, channel, keep)
    out = ffi.new("BitmapObjectHandle *")

    def compose(raws: list[int]) -> None:
        if len(raws) < len(bitmaps):
            with bitmaps[len(raws)].borrow() as raw:
                return compose([*raws, raw])
        sources = ffi.new("BitmapObjectHandle[]", raws)
        library.call(
            "libCZI_CompositorDoMultiChannelComposition",
            len(raws),
            sources,
            infos,
            out,
            what="compose the channels",
            file=bitmaps[0].name,
        )
        return None

    compose([])
    return BitmapHandle(library, int(out[0]), bitmaps[0].name)


def _check(bitmaps: Sequence[BitmapHandle], channels: Sequence[CompositionChannel]) -> None:
    if not bitmaps or len(bitmaps) != len(channels):
        raise ValueError(
            f"{len(bitmaps)} bitmaps and {len(channels)} channels: "
            "there must be as many of each, and one at least"
        )
    if len({bitmap.library.path for bitmap in bitmaps}) > 1:
        raise ValueError("the bitmaps were made by different libCZI libraries")
    infos = [bitmap.info() for bitmap in bitmaps]
    if len({(info.width, info.height) for info in infos}) > 1:
        sizes = ", ".join(f"{info.width} x {info.height}" for info in infos)
        raise ValueError(f"the bitmaps must have one size; they have {sizes}")
    for info, channel in zip(infos, channels):
        _check_channel(PixelType(info.pixel_type), channel)


def _check_channel(pixel_type: PixelType, channel: CompositionChannel) -> None:
    if pixel_type not in _TABLE_SIZES:
        raise UnsupportedDataError(
            f"libCZI composes no channels of pixel type {pixel_type.name}; convert them first"
        )
    if channel.table is not None and len(channel.table) != _TABLE_SIZES[pixel_type]:
        raise ValueError(
            f"a look-up table for {pixel_type.name} has {_TABLE_SIZES[pixel_type]} elements, "
            f"not {len(channel.table)}"
        )
    if not (math.isfinite(channel.weight) and channel.weight >= 0):
        raise ValueError(f"the weight is {channel.weight}; it must be 0 or a positive number")
    points = (channel.black_point, channel.white_point)
    if not all(0 <= point <= 1 for point in points):
        raise ValueError(f"black and white point are {points}; they must be from 0 to 1")
    if any(not 0 <= part <= 255 for part in channel.tinting or ()):
        raise ValueError(f"the colour is {channel.tinting}; its parts must be from 0 to 255")


def _fill(ffi: Any, info: Any, channel: CompositionChannel, keep: list[Any]) -> None:
    """Fill a struct CompositionChannelInfoInterop; `keep` takes the memory it points to."""
    info.weight = channel.weight
    if channel.tinting is not None:
        info.enable_tinting = 1
        info.tinting_color_r, info.tinting_color_g, info.tinting_color_b = channel.tinting
    info.black_point = channel.black_point
    info.white_point = channel.white_point
    if channel.table is not None:
        table = ffi.new("uint8_t[]", channel.table)
        keep.append(table)
        info.look_up_table_element_count = len(channel.table)
        info.ptr_look_up_table = table
