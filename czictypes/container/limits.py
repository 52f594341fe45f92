"""Limits on the sizes that a file may claim before it counts as damaged.

libCZI pads a bitmap with zeros if its data are too short, and cuts data that are too long, by any
amount: a tile of 100 bytes may claim 4 GB. Zeros look like measured values, so our rules are:

- Data that are too short for their bitmap are damaged.
- Excess data are cut, up to 64 MiB or the size of the bitmap, whichever is larger.
- zstd can expand data at most 32768 times (a block of 4 bytes to 128 KiB). JPEG XR of a single
  colour was measured to expand 3000 times; 8192 times is allowed.
- Beyond 1 GiB, data may expand at most 1024 times in any scheme: programs would write a larger
  image of so little content as tiles.
- A row has less than 2 GiB, because libCZI counts its bytes in 32 bits.

`Bounds` limits the planes and pixels of a whole document: a single damaged coordinate can claim
billions of them, and a loop over these would never end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from czictypes.container.byte_source import ByteSource
from czictypes.model.errors import CorruptFileError, SparseDocumentError, UnsupportedDataError

TOLERANCE = 64 << 20
ZSTD_GROWTH = 32768
JPEGXR_GROWTH = 8192
_LARGE = 1 << 30
_GROWTH_OF_LARGE = 1024
_ROW_LIMIT = 1 << 31
#: The planes of a sub-block: so many, plus so many per byte.
_BELIEVED, _PLANES_PER_BYTE = 65_536, 64
#: The planes of a document: so many, plus so many per sub-block.
_MOST_PLANES, _PLANES_PER_ROW = 1_000, 100
#: The images of another format that a document becomes: so many, plus one per sub-block.
_MOST_IMAGES = 100
#: The planes of all sub-blocks together: so many, plus one per so many bytes.
_MOST_ROWS, _BYTES_PER_ROW = 100, 128
#: The bytes of all pixels: so many, plus so many per byte of the file.
_MOST_BYTES, _BYTES_PER_BYTE = 1 << 27, 1 << 13
#: Shorter sides count as this long, because each row, column and tile costs time.
_LEAST_SIDE = 512
_ADVICE = "open it with ReaderOptions(allow_sparse=True) if that is meant"


def planes_believed(size: int = 0) -> int:
    """Return how many planes a sub-block of `size` bytes may claim; `size` is 0 if unknown."""
    return _BELIEVED + _PLANES_PER_BYTE * size


def most_planes(rows: int) -> int:
    """Return how many planes a document with so many sub-blocks may have."""
    return _MOST_PLANES + _PLANES_PER_ROW * rows


@dataclass(frozen=True)
class Bounds:
    """Limits on the planes and pixels of a document, in proportion to its size.

    They allow documents that are sparse on purpose: a stack with few of its planes, or a slide of
    which only a few fields were scanned.
    """

    source: ByteSource

    def check_rows(self, rows: int) -> None:
        """Raise SparseDocumentError if the sub-blocks hold too many planes, which take memory."""
        if rows > _MOST_ROWS and rows > _MOST_ROWS + self.source.stored_bytes() // _BYTES_PER_ROW:
            raise SparseDocumentError(
                f"the sub-blocks of {self.source.name} claim {rows} planes, far more than its "
                f"{self.source.stored_bytes()} bytes could hold; {_ADVICE}"
            )

    def check_planes(self, planes: int, rows: int, what: str) -> None:
        """Raise SparseDocumentError if an array has too many planes for its sub-blocks."""
        if planes > most_planes(rows):
            raise SparseDocumentError(
                f"{self.source.name} has {planes} planes ({what}), but only {rows} sub-blocks: a "
                f"coordinate is damaged, or far from the others; {_ADVICE}, or read single planes "
                "with CziReader.read"
            )

    def check_images(self, images: int, rows: int) -> None:
        """Raise SparseDocumentError if the document becomes too many images of another format."""
        if images > _MOST_IMAGES + rows:
            raise SparseDocumentError(
                f"{self.source.name} would become {images} images, but has only {rows} "
                f"sub-blocks: a coordinate is damaged, or far from the others; {_ADVICE}"
            )

    def check_bytes(self, areas: Iterable[tuple[int, int, int]]) -> None:
        """Raise SparseDocumentError if the pixels take too many bytes.

        `areas` has for each area the bytes of a pixel in all planes, the width and the height.
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
    """Return the least size of a file in which `check_claim` allows so many bytes of pixels."""
    return max(0, -(-(claimed - _MOST_BYTES) // _BYTES_PER_BYTE))


def check_claim(claimed: int, stored: int, name: str) -> None:
    """Raise UnsupportedDataError if a file of another format claims far too many pixels.

    `claimed` and `stored` are in bytes.
    """
    if stored < bytes_for(claimed):
        raise UnsupportedDataError(
            f"{name} claims {claimed} bytes of pixels, far more than its {stored} bytes could "
            "hold; it is damaged"
        )


def check_frames(count: int, stored: int, name: str) -> None:
    """Raise UnsupportedDataError if a file of another format has no frames, or more than bytes."""
    if not 0 < count <= max(stored, 1):
        raise UnsupportedDataError(
            f"{name} claims {count} frames, which its {stored} bytes cannot hold; it is damaged"
        )


def bitmap_size(width: int, height: int, bytes_per_pixel: int, where: str) -> int:
    """Return the size of a bitmap in bytes.

    Raises
    ------
    CorruptFileError
        If the bitmap has no pixels, or rows of 2 GiB or more.
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
    """Raise CorruptFileError if the data are too short or far too long for their bitmap.

    `claimed` and `available` are in bytes.
    """
    if not claimed <= available <= claimed + max(TOLERANCE, claimed):
        raise CorruptFileError(
            f"{where} claims a bitmap of {claimed} bytes, but its data give {available}; the file "
            "is damaged"
        )


def check_growth(claimed: int, stored: int, factor: int, where: str) -> None:
    """Raise CorruptFileError if `stored` compressed bytes cannot expand to `claimed` bytes."""
    possible = TOLERANCE + factor * stored
    if claimed > min(possible, max(_LARGE, _GROWTH_OF_LARGE * stored)):
        raise CorruptFileError(
            f"{where} claims {claimed} bytes, too many for its {stored} compressed bytes; "
            "the file is damaged"
        )
