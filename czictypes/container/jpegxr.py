"""The tags of a JPEG XR file, which tell its size and pixel format without decoding it.

The container is that of ITU-T T.832, annex A: a directory of tags as in TIFF, and the codestream
of the image and of its alpha.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

from czictypes.model.pixel_types import PixelType

__all__ = ["PIXEL_FORMAT_TAG", "JpegXrPicture", "bare_jpegxr", "jpegxr_picture", "jpegxr_tags"]

PIXEL_FORMAT_TAG = 0xBC01

_WIDTH_TAG, _HEIGHT_TAG = 0xBC80, 0xBC81
_MAGIC = b"II\xbc"
#: The pixel formats that libCZI decodes, as GUIDs (ITU-T T.832, table A.6). It swaps the colours of
#: 48-bit RGB, and takes no 24-bit RGB.
_PIXEL_TYPES = {
    bytes.fromhex("24c3dd6f034efe4bb1853d77768dc9") + bytes([last]): pixel_type
    for last, pixel_type in (
        (0x08, PixelType.Gray8),
        (0x0B, PixelType.Gray16),
        (0x0C, PixelType.Bgr24),
        (0x11, PixelType.Gray32Float),
        (0x15, PixelType.Bgr48),
    )
}
#: Tags with a number that the picture needs; others may hold Exif, XMP, names.
_PLAIN_TAGS = frozenset({0xBC02, 0xBC04, 0xBC80, 0xBC81, 0xBC82, 0xBC83, 0xBCC4, 0xBCC5})
_STREAMS = ((0xBCC0, 0xBCC1), (0xBCC2, 0xBCC3))  # where the image and the alpha are, and how long
_NUMBERS = (1, 3, 4, 11)  # types of tags: byte, short, long, float
_ENTRY = struct.Struct("<HHII")
#: The value of a tag of one of these types (byte, short) takes the lower bits alone.
_NARROW = {1: 0xFF, 3: 0xFFFF}


def jpegxr_tags(read: Callable[[int, int], bytes]) -> dict[int, int]:
    """Return the tags of a JPEG XR file: its numbers, and where its longer values begin.

    Parameters
    ----------
    read
        Gives bytes of the file, fewer at its end: ``read(offset, count)``.

    Returns
    -------
    dict of int to int
        Empty where the bytes are no JPEG XR file.
    """
    head = read(0, 8)
    if not head.startswith(_MAGIC):
        return {}
    directory = int.from_bytes(head[4:], "little")
    count = int.from_bytes(read(directory, 2), "little")
    entries = read(directory + 2, _ENTRY.size * count)
    whole = entries[: len(entries) // _ENTRY.size * _ENTRY.size]
    return {
        tag: value & _NARROW.get(kind if number == 1 else 0, 0xFFFFFFFF)
        for tag, kind, number, value in _ENTRY.iter_unpack(whole)
    }


class JpegXrPicture(NamedTuple):
    """The size of a picture, and its pixel type, each None if it is missing.

    The pixel type is also None if libCZI does not decode it.
    """

    width: int | None
    height: int | None
    pixel_type: PixelType | None

    def converts_to(self, pixel_type: int) -> bool:
        """Tell whether libCZI makes pixels of some type of it.

        Where it cannot, it ends the process (0.67.4 and before).
        """
        if self.pixel_type == pixel_type:
            return True
        return self.pixel_type != PixelType.Gray32Float and pixel_type in _PIXEL_TYPES.values()


def jpegxr_picture(read: Callable[[int, int], bytes]) -> JpegXrPicture:
    """Return what the tags of a JPEG XR file say about its picture.

    Parameters
    ----------
    read
        As for `jpegxr_tags`.
    """
    tags = jpegxr_tags(read)
    pixel_format = read(tags.get(PIXEL_FORMAT_TAG, 0), 16)
    size = tags.get(_WIDTH_TAG), tags.get(_HEIGHT_TAG)
    return JpegXrPicture(*size, _PIXEL_TYPES.get(pixel_format))


def bare_jpegxr(data: bytes) -> bytes | None:
    """Return a JPEG XR file with only what its picture needs, the picture untouched.

    Returns
    -------
    bytes or None
        The data themselves if they have nothing else. None if they are no JPEG XR file, or one that
        is not understood.
    """
    tags = jpegxr_tags(lambda start, count: data[start : start + count])
    where = tags.get(PIXEL_FORMAT_TAG, 0)
    pixel_format = data[where : where + 16]
    streams = [_stream(data, tags, *pair) for pair in _STREAMS if pair[0] in tags]
    if not streams or None in streams or len(pixel_format) < 16:
        return None
    entries = {tag: kind for tag, kind, count in _entries(data) if kind in _NUMBERS and count == 1}
    kept = [
        (tag, entries[tag], 1, tags[tag]) for tag in tags if entries.keys() & {tag} & _PLAIN_TAGS
    ]
    kept.append((PIXEL_FORMAT_TAG, 1, 16, 8))
    at = 8 + 16 + 2 + _ENTRY.size * (len(kept) + 2 * len(streams)) + 4
    for (offset_tag, size_tag), stream in zip(_STREAMS, streams):
        assert stream is not None
        kept += [(offset_tag, 4, 1, at), (size_tag, 4, 1, len(stream))]
        at += len(stream)
    if len(kept) == len(tags) and not _beside(data, tags, len(kept)).strip(b"\0"):
        return data
    directory = b"".join(_ENTRY.pack(*entry) for entry in sorted(kept))
    head = _MAGIC + b"\x01" + (24).to_bytes(4, "little") + pixel_format
    return b"".join(
        [head, len(kept).to_bytes(2, "little"), directory, bytes(4), *filter(None, streams)]
    )


def _entries(data: bytes) -> list[tuple[int, int, int]]:
    """Return tag, type and count of each entry of the directory."""
    directory = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[directory : directory + 2], "little")
    listed = data[directory + 2 : directory + 2 + _ENTRY.size * count]
    whole = listed[: len(listed) // _ENTRY.size * _ENTRY.size]
    return [(tag, kind, number) for tag, kind, number, _ in _ENTRY.iter_unpack(whole)]


def _beside(data: bytes, tags: dict[int, int], count: int) -> bytes:
    """Return the bytes that belong neither to the directory nor to a stream."""
    directory = int.from_bytes(data[4:8], "little")
    spans = [(0, 8), (tags[PIXEL_FORMAT_TAG], 16), (directory, 2 + _ENTRY.size * count)]
    spans += [(tags[start], tags[size]) for start, size in _STREAMS if start in tags]
    found, at = [], 0
    for start, size in sorted(spans):
        found.append(data[at:start])
        at = max(at, start + size)
    return b"".join([*found, data[at:]])


def _stream(data: bytes, tags: dict[int, int], offset_tag: int, size_tag: int) -> bytes | None:
    start, size = tags[offset_tag], tags.get(size_tag, 0)
    found = data[start : start + size]
    return found if size and len(found) == size else None
