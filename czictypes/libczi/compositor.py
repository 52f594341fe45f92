"""Compose multi-channel pictures: add several bitmaps, each in its colour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from czictypes.libczi.bitmap import BitmapHandle
from czictypes.libczi.metadata import DisplaySettingsHandle
from czictypes.model.errors import UnsupportedDataError
from czictypes.model.pixel_types import PixelType

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
