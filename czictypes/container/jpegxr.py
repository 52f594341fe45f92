"""The tags of a JPEG XR file, which tell its size and pixel format without decoding it."""

from __future__ import annotations

import struct
from collections.abc import Callable

__all__ = ["HEIGHT_TAG", "PIXEL_FORMAT_TAG", "WIDTH_TAG", "jpegxr_tags"]

PIXEL_FORMAT_TAG = 0xBC01
WIDTH_TAG = 0xBC80
HEIGHT_TAG = 0xBC81

_MAGIC = b"II\xbc"
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
        tag: value & _NARROW.get(kind, 0xFFFFFFFF)
        for tag, kind, _, value in _ENTRY.iter_unpack(whole)
    }
