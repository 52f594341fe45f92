"""Removes everything but the picture from a JPEG: Exif, XMP, comments, other segments."""

from __future__ import annotations

import struct

__all__ = ["strip_jpeg"]

_START, _SCAN, _END, _COMMENT = 0xD8, 0xDA, 0xD9, 0xFE
_APPLICATIONS = range(0xE0, 0xF0)
_KEPT_APPLICATIONS = (0xE0, 0xEE)  # JFIF (density) and Adobe (how colours are coded)
_JFIF_SIZE = 16  # with the thumbnail that may follow left out


def strip_jpeg(data: bytes) -> bytes | None:
    """Return a JPEG without its metadata, the picture untouched.

    Returns
    -------
    bytes or None
        None where the data are no JPEG, or one that is not understood. What follows the first
        picture in the data is left out.
    """
    if data[:2] != b"\xff\xd8":
        return None
    parts, position = [data[:2]], 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        (size,) = struct.unpack_from(">H", data, position + 2)
        if marker == _SCAN:
            end = data.rfind(b"\xff\xd9")
            return None if end < position else b"".join([*parts, data[position : end + 2]])
        segment = data[position : position + 2 + size]
        if marker in (_START, _END) or size < 2 or len(segment) < 2 + size:
            return None
        if _is_picture(marker, segment):
            parts.append(segment)
        position += 2 + size
    return None


def _is_picture(marker: int, segment: bytes) -> bool:
    if marker == 0xE0:
        return segment[4:9] == b"JFIF\0" and len(segment) == 2 + _JFIF_SIZE
    return marker != _COMMENT and (marker not in _APPLICATIONS or marker in _KEPT_APPLICATIONS)
