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

`Bounds` does the same for the planes and pixels of a whole document: one damaged coordinate makes
billions of them, and a loop over these would never end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from czictypes.container.byte_source import ByteSource
from czictypes.model.errors import CorruptFileError, SparseDocumentError, UnsupportedDataError

__all__ = [
    "JPEGXR_GROWTH",
    "TOLERANCE",
    "ZSTD_GROWTH",
    "Bounds",
    "bitmap_size",
    "bytes_for",
    "check_claim",
    "check_difference",
    "check_frames",
    "check_growth",
    "most_planes",
    "planes_believed",
]

TOLERANCE = 64 << 20
ZSTD_GROWTH = 32768
JPEGXR_GROWTH = 8192
_LARGE = 1 << 30
_GROWTH_OF_LARGE = 1024
_ROW_LIMIT = 1 << 31
#: A sub-block may hold so many planes, and more for each byte.
_BELIEVED, _PLANES_PER_BYTE = 65_536, 64
#: A document may have so many planes, and more for each sub-block.
_MOST_PLANES, _PLANES_PER_ROW = 1_000, 100
#: It may become so many images of another format beside one for each sub-block.
_MOST_IMAGES = 100
#: Its sub-blocks may hold so many planes, and one more for so many bytes.
_MOST_ROWS, _BYTES_PER_ROW = 100, 128
#: Its pixels may take so many bytes, and more for each byte of the file.
_MOST_BYTES, _BYTES_PER_BYTE = 1 << 27, 1 << 13
#: A side that is shorter counts as this one: there is work for each row, column and tile of it.
_LEAST_SIDE = 512
_ADVICE = "open it with ReaderOptions(allow_sparse=True) if that is meant"


def planes_believed(size: int = 0) -> int:
    """Return how many planes a sub-block may claim; `size` are its bytes, where they are known."""
    return _BELIEVED + _PLANES_PER_BYTE * size


def most_planes(rows: int) -> int:
    """Return how many planes there may be, if so many sub-blocks are in them."""
    return _MOST_PLANES + _PLANES_PER_ROW * rows


@dataclass(frozen=True)
class Bounds:
    """The number of planes and pixels that a document may have, in proportion to its size.

    The numbers let pass what is made on purpose: a stack whose planes are mostly missing, a slide
    of which a few fields were scanned.

    Parameters
    ----------
    source
        The bytes of the document.
    """

    source: ByteSource

    def check_rows(self, rows: int) -> None:
        """Check how many planes the sub-blocks hold, each of which takes memory.

        Raises
        ------
        SparseDocumentError
            If they are too many.
        """
        if rows > _MOST_ROWS and rows > _MOST_ROWS + self.source.stored_bytes() // _BYTES_PER_ROW:
            raise SparseDocumentError(
                f"the sub-blocks of {self.source.name} claim {rows} planes, far more than its "
                f"{self.source.stored_bytes()} bytes could hold; {_ADVICE}"
            )

    def check_planes(self, planes: int, rows: int, what: str) -> None:
        """Check how many planes an array has, given its sub-blocks.

        Raises
        ------
        SparseDocumentError
            If they are too many.
        """
        if planes > most_planes(rows):
            raise SparseDocumentError(
                f"{self.source.name} has {planes} planes ({what}), but only {rows} sub-blocks: a "
                f"coordinate is damaged, or far from the others; {_ADVICE}, or read single planes "
                "with CziReader.read"
            )

    def check_images(self, images: int, rows: int) -> None:
        """Check how many images it becomes in a format that lacks some of its dimensions.

        Raises
        ------
        SparseDocumentError
            If they are too many for its sub-blocks.
        """
        if images > _MOST_IMAGES + rows:
            raise SparseDocumentError(
                f"{self.source.name} would become {images} images, but has only {rows} "
                f"sub-blocks: a coordinate is damaged, or far from the others; {_ADVICE}"
            )

    def check_bytes(self, areas: Iterable[tuple[int, int, int]]) -> None:
        """Check how many bytes all pixels take.

        Parameters
        ----------
        areas
            The bytes of a pixel, in all planes of an area, with its width and height.

        Raises
        ------
        SparseDocumentError
            If they are too many.
        """
        claimed = sum(
            each * max(width, _LEAST_SIDE) * max(height, _LEAST_SIDE)
            for each, width, height in areas
        )
        if claimed <= _MOST_BYTES:
            return
        size = self.source.stored_bytes()
        if claimed > _MOST_BYTES + _BYTES_PER_BYTE * size:
            raise SparseDocumentError(
                f"the image of {self.source.name} has far more pixels than its {size} bytes could "
                f"fill: the place or size of a sub-block is damaged, or far from the others; "
                f"{_ADVICE}, or read regions with CziReader.read"
            )


def bytes_for(claimed: int) -> int:
    """Return how many bytes a file needs that `check_claim` lets have so many bytes of pixels."""
    return max(0, -(-(claimed - _MOST_BYTES) // _BYTES_PER_BYTE))


def check_claim(claimed: int, stored: int, name: str) -> None:
    """Check that a file of another format can hold so many bytes of pixels.

    Raises
    ------
    UnsupportedDataError
        If they are far too many for its `stored` bytes.
    """
    if stored < bytes_for(claimed):
        raise UnsupportedDataError(
            f"{name} claims {claimed} bytes of pixels, far more than its {stored} bytes could "
            "hold; it is damaged"
        )


def check_frames(count: int, stored: int, name: str) -> None:
    """Check that a file of another format can have so many frames: each takes a byte at least.

    Raises
    ------
    UnsupportedDataError
        If there are none, or more than its `stored` bytes.
    """
    if not 0 < count <= max(stored, 1):
        raise UnsupportedDataError(
            f"{name} claims {count} frames, which its {stored} bytes cannot hold; it is damaged"
        )


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
