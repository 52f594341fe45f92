"""Determine the compression and the number of planes of pixel data from their bytes.

Some real files label plain pixels as JPEG XR, or give a sub-block a size in T or Z although its
data hold one plane. The first bytes of the data show the compression, and their length shows the
number of planes: consecutive bitmaps of the size in the entry.
"""

from __future__ import annotations

from typing import NamedTuple

from czictypes.container.byte_source import ByteSource
from czictypes.container.pictures import JpegXrPicture, jpegxr_picture
from czictypes.container.zstd import HEAD_SIZE, ZSTD_MAGIC, parse_zstd_head
from czictypes.model.errors import CorruptFileError
from czictypes.model.pixel_types import Compression

#: The number of bytes at the start of the data that `scheme_of` needs.
PAYLOAD_HEAD = HEAD_SIZE

_JPEGXR_MAGIC = b"II\xbc"
_JPEG_MAGIC = b"\xff\xd8\xff"
_ENCODED = (Compression.Jpg, Compression.JpegXr, Compression.Zstd0, Compression.Zstd1)
# The markers that start a JPEG frame (ITU-T T.81, table B.1); C4, C8 and CC do not.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_ROOM = 1 << 16


class Payload(NamedTuple):
    """The compression of a sub-block's data, and the number of planes in them."""

    compression: int
    planes: int


def examine_payload(
    source: ByteSource,
    offset: int,
    size: int,
    label: int,
    claimed: int,
    planes: int,
    height: int,
    where: str,
) -> Payload:
    """Determine the compression and the number of planes of pixel data.

    Parameters
    ----------
    source, offset, size
        The file, and the position and size of the data in it.
    label
        The compression according to the entry.
    claimed
        The size of one plane in bytes.
    planes
        The number of planes that the entry claims.
    height
        The number of rows of one plane.
    where
        The owner of the data, for messages.

    Raises
    ------
    CorruptFileError
        If the data hold neither the claimed number of planes nor a single plane.
    """
    if label == Compression.Uncompressed and planes == 1 and size >= claimed:
        return Payload(label, 1)
    head = bytes(source.read_at(offset, min(size, PAYLOAD_HEAD)))
    scheme = scheme_of(head, label, size, claimed, planes)
    if planes == 1:
        return Payload(scheme, 1)
    if scheme == Compression.JpegXr:
        picture = read_jpegxr_picture(source, offset, size)
        held, unit, each = picture.height or 0, "rows", height
    elif scheme == Compression.Jpg:
        held, unit, each = _jpeg_height(source, offset, size), "rows", height
    elif scheme in (Compression.Zstd0, Compression.Zstd1):
        held, unit, each = parse_zstd_head(head, scheme, where).content_size, "bytes", claimed
    else:
        held, unit, each = size, "bytes", claimed
    if held != each and not planes * each <= held < (planes + 1) * each:
        raise CorruptFileError(
            f"{where} claims {planes} planes of {each} {unit} each, but its data hold {held} "
            f"{unit}: neither all of them nor a single one; the file is damaged"
        )
    return Payload(scheme, 1 if held == each else planes)


def scheme_of(head: bytes, label: int, size: int, claimed: int, planes: int = 1) -> int:
    """Return the compression of data, which may differ from their label.

    The label holds unless the bytes prove otherwise, so damaged data stay damaged. `head` is the
    data or their first `PAYLOAD_HEAD` bytes; the other arguments are those of `examine_payload`.
    """
    fits_plain = size in (claimed, claimed * planes)
    if label == Compression.Uncompressed:
        if fits_plain or size >= claimed:
            return label
        return _marked_scheme(head) or label
    if label not in _ENCODED:
        return label
    marked = _marked_scheme(head)
    if marked is None and fits_plain:
        return Compression.Uncompressed
    return label if marked is None else marked


def _marked_scheme(head: bytes) -> int | None:
    """Return the compression scheme that the first bytes of data identify, or None."""
    if head.startswith(_JPEGXR_MAGIC):
        return Compression.JpegXr
    if head.startswith(_JPEG_MAGIC):
        return Compression.Jpg
    if head.startswith(ZSTD_MAGIC):
        return Compression.Zstd0
    if head[:1] == b"\x01" and head[1:5] == ZSTD_MAGIC:
        return Compression.Zstd1
    if head[:2] == b"\x03\x01" and head[3:7] == ZSTD_MAGIC:
        return Compression.Zstd1
    return None


def read_jpegxr_picture(source: ByteSource, offset: int, size: int) -> JpegXrPicture:
    """Read the size and pixel type of a JPEG XR file in a range of a source."""
    return jpegxr_picture(
        lambda start, count: source.read_at(offset + start, max(min(count, size - start), 0))
    )


def _jpeg_height(source: ByteSource, offset: int, size: int) -> int:
    """Return the height of a JPEG according to its frame header; 0 if there is none."""
    data = source.read_at(offset, min(size, _JPEG_ROOM))
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        if data[at + 1] in _FRAMES:
            return int.from_bytes(data[at + 5 : at + 7], "big")
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return 0
