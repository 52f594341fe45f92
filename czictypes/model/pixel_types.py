"""Pixel types and compression schemes of sub-blocks, with their numbers in the file format."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from czictypes.model.errors import UnsupportedDataError


class PixelType(IntEnum):
    """The pixel types of the CZI format that libCZI decodes, by their number in the file."""

    Gray8 = 0
    Gray16 = 1
    Gray32Float = 2
    Bgr24 = 3
    Bgr48 = 4
    Bgr96Float = 8
    Bgra32 = 9
    Gray64ComplexFloat = 10
    Bgr192ComplexFloat = 11
    Gray32 = 12
    Gray64Float = 13


class Compression(IntEnum):
    """The compression schemes of sub-blocks, by their number in the file.

    Numbers from 100 on are proprietary (camera and system raw data).
    """

    Uncompressed = 0
    Jpg = 1
    Lzw = 2
    JpegXr = 4
    Zstd0 = 5
    Zstd1 = 6


class PixelFormat(NamedTuple):
    """The layout of a pixel in memory: the numpy type of a sample, and samples per pixel."""

    dtype: str
    samples: int

    @property
    def bytes_per_pixel(self) -> int:
        """The size of a pixel in bytes."""
        return int(self.dtype[2:]) * self.samples


_FORMATS: dict[PixelType, PixelFormat] = {
    PixelType.Gray8: PixelFormat("|u1", 1),
    PixelType.Gray16: PixelFormat("<u2", 1),
    PixelType.Gray32Float: PixelFormat("<f4", 1),
    PixelType.Bgr24: PixelFormat("|u1", 3),
    PixelType.Bgr48: PixelFormat("<u2", 3),
    PixelType.Bgr96Float: PixelFormat("<f4", 3),
    PixelType.Bgra32: PixelFormat("|u1", 4),
    PixelType.Gray64ComplexFloat: PixelFormat("<c8", 1),  # 16 bytes in libCZI
    PixelType.Bgr192ComplexFloat: PixelFormat("<c8", 3),
    PixelType.Gray32: PixelFormat("<u4", 1),
    PixelType.Gray64Float: PixelFormat("<f8", 1),
}

# Looking up a number is ten times as fast as creating a member of the enum.
_BY_NUMBER = {int(pixel_type): layout for pixel_type, layout in _FORMATS.items()}


def pixel_format(pixel_type: int) -> PixelFormat:
    """Return the memory layout of a pixel type, given by its number."""
    layout = _BY_NUMBER.get(int(pixel_type))
    if layout is None:
        raise UnsupportedDataError(f"{pixel_type} is not the number of a CZI pixel type")
    return layout


def pixel_type_from_name(name: str) -> PixelType:
    """Return the pixel type with a name, ignoring case."""
    for pixel_type in PixelType:
        if pixel_type.name.lower() == str(name).lower():
            return pixel_type
    names = ", ".join(pixel_type.name for pixel_type in PixelType)
    raise ValueError(f"{name!r} is not a pixel type; use one of {names}")
