"""The largest difference of claimed and stored sizes before a sub-block counts as damaged.

libCZI fills a bitmap with zeros where its data are too short, and cuts what is too long, in
any amount: a tile of 100 bytes may claim 4 GB. Zeros look like measured values, so here:

- data that are too short for their bitmap are damaged;
- at most 64 MiB, or as much again as is used, may be too much, and is cut;
- no zstd frame can grow by more than 32768 (128 KiB from a block of 4 bytes), so a content
  size beyond that is a lie; JPEG XR of one colour was measured to grow by 3000, 8192 is allowed;
- beyond 1 GiB data may grow by 1024 at most, whatever the scheme: a bigger image of so little
  content would be written as tiles;
- a row has less than 2 GiB, since libCZI counts its bytes in 32 bits.
"""

from __future__ import annotations

from czictypes.model.errors import CorruptFileError

__all__ = [
    "JPEGXR_GROWTH",
    "TOLERANCE",
    "ZSTD_GROWTH",
    "bitmap_size",
    "check_difference",
    "check_growth",
]

TOLERANCE = 64 << 20
ZSTD_GROWTH = 32768
JPEGXR_GROWTH = 8192
_LARGE = 1 << 30
_GROWTH_OF_LARGE = 1024
_ROW_LIMIT = 1 << 31


def bitmap_size(width: int, height: int, bytes_per_pixel: int, where: str) -> int:
    """Return the bytes of a bitmap of that size in pixels.

    Raises
    ------
    CorruptFileError
        If it has no pixels, or a row of 2 GiB or more.
    """
    if width <= 0 or height <= 0:
        raise CorruptFileError(
            f"{where} claims a bitmap of {width} x {height} pixels; the file is damaged"
        )
    if width * bytes_per_pixel >= _ROW_LIMIT:
        raise CorruptFileError(
            f"{where} claims rows of {width} pixels, more than libCZI can hold; the file is damaged"
        )
    return width * height * bytes_per_pixel


def check_difference(claimed: int, available: int, where: str) -> None:
    """Check that a bitmap's size fits the size of its data, both in bytes.

    Raises
    ------
    CorruptFileError
        If anything is missing, or so much is too much that the sizes cannot both be right.
    """
    if not claimed <= available <= claimed + max(TOLERANCE, claimed):
        raise CorruptFileError(
            f"{where} claims a bitmap of {claimed} bytes, but its data give {available}; the file "
            "is damaged"
        )


def check_growth(claimed: int, stored: int, factor: int, where: str) -> None:
    """Check that compressed data of that size can give so many bytes at all.

    Raises
    ------
    CorruptFileError
        If no data of that size can, or none that a program would write.
    """
    possible = TOLERANCE + factor * stored
    if claimed > min(possible, max(_LARGE, _GROWTH_OF_LARGE * stored)):
        raise CorruptFileError(
            f"{where} claims {claimed} bytes, too many for its {stored} compressed bytes; "
            "the file is damaged"
        )
