"""Pictures in other formats: the tags of JPEG XR files, and pictures opened by Pillow."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple

from czictypes.model.errors import CorruptFileError, CziError, UnsupportedDataError
from czictypes.model.lazy import require
from czictypes.model.pixel_types import PixelType

#: The largest number of pixels of a picture in a CZI (label, preview, thumbnail).
MOST_PIXELS = 1 << 25


@contextmanager
def decoded_picture(
    source: str | os.PathLike[str] | BinaryIO,
    formats: Sequence[str],
    what: str,
    *,
    extra: str,
    doing: str,
    most_pixels: int | None = None,
) -> Iterator[Any]:
    """Open a picture with Pillow for a `with` block.

    Parameters
    ----------
    source
        A path or a file object with any content.
    formats
        Pillow's names of the allowed formats. No others are tried, because for some of them
        Pillow starts other programs.
    what
        The picture's name in messages.
    extra, doing
        As for `require`.
    most_pixels
        The largest allowed number of pixels.

    Raises
    ------
    UnsupportedDataError
        If it is not a picture in one of the formats, or too large.
    CorruptFileError
        If it is damaged; also for errors that Pillow raises in the block.
    MissingExtraError
        If Pillow is not installed.
    """
    images = require("PIL.Image", extra=extra, doing=doing)
    with picture_errors(what, formats), images.open(source, formats=list(formats)) as picture:
        if most_pixels is not None and picture.width * picture.height > most_pixels:
            raise UnsupportedDataError(
                f"{what} is a picture of {picture.width} x {picture.height} pixels; at most "
                f"{most_pixels} pixels are decoded"
            )
        yield picture


@contextmanager
def picture_errors(what: str, formats: Sequence[str] = ()) -> Iterator[None]:
    """Turn Pillow's errors in a `with` block into ours, as `decoded_picture` does."""
    images = require("PIL.Image", extra="cli", doing="reading pictures")
    try:
        yield
    except images.UnidentifiedImageError as error:
        known = ", ".join(formats)
        raise UnsupportedDataError(f"{what} is no picture that can be read ({known})") from error
    except images.DecompressionBombError as error:
        raise UnsupportedDataError(
            f"{what} has more pixels than Pillow decodes; raise PIL.Image.MAX_IMAGE_PIXELS if you "
            f"trust the file ({error})"
        ) from error
    except (CziError, MemoryError, Warning):
        raise
    except Exception as error:  # Pillow raises many kinds of errors for damaged pictures
        if isinstance(error, OSError) and error.errno is not None:
            raise  # an error of the file, not of the picture
        raise CorruptFileError(f"{what} is a damaged picture: {error}") from error


PIXEL_FORMAT_TAG = 0xBC01

_WIDTH_TAG, _HEIGHT_TAG = 0xBC80, 0xBC81
_MAGIC = b"II\xbc"
#: The pixel formats that libCZI decodes, by GUID (ITU-T T.832, table A.6). libCZI swaps the colours
#: of 48-bit RGB and does not accept 24-bit RGB.
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
#: Numeric tags that the picture needs; others may hold Exif, XMP or names.
_PLAIN_TAGS = frozenset({0xBC02, 0xBC04, 0xBC80, 0xBC81, 0xBC82, 0xBC83, 0xBCC4, 0xBCC5})
_STREAMS = ((0xBCC0, 0xBCC1), (0xBCC2, 0xBCC3))  # offset and size of the image and of the alpha
_NUMBERS = (1, 3, 4, 11)  # types of tags: byte, short, long, float
_ENTRY = struct.Struct("<HHII")
#: Values of these types (byte, short) use only the lower bits.
_NARROW = {1: 0xFF, 3: 0xFFFF}


def jpegxr_tags(read: Callable[[int, int], bytes]) -> dict[int, int]:
    """Return the tags of a JPEG XR file: numbers, and the offsets of longer values.

    ``read(offset, count)`` returns bytes of the file, fewer at its end. The result is empty if the
    bytes are not a JPEG XR file.
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
    """The size and pixel type of a picture; each is None if it is missing.

    The pixel type is also None if libCZI does not decode it.
    """

    width: int | None
    height: int | None
    pixel_type: PixelType | None

    def converts_to(self, pixel_type: int) -> bool:
        """Return whether libCZI can convert the picture to a pixel type.

        If it cannot, it terminates the process (up to 0.67.4).
        """
        if self.pixel_type == pixel_type:
            return True
        return self.pixel_type != PixelType.Gray32Float and pixel_type in _PIXEL_TYPES.values()


def jpegxr_picture(read: Callable[[int, int], bytes]) -> JpegXrPicture:
    """Return the size and the pixel type of a JPEG XR file; `read` is as for `jpegxr_tags`."""
    tags = jpegxr_tags(read)
    pixel_format = read(tags.get(PIXEL_FORMAT_TAG, 0), 16)
    size = tags.get(_WIDTH_TAG), tags.get(_HEIGHT_TAG)
    return JpegXrPicture(*size, _PIXEL_TYPES.get(pixel_format))


def bare_jpegxr(data: bytes) -> bytes | None:
    """Return a JPEG XR file stripped of everything that its picture does not need.

    Return `data` itself if there is nothing to strip, and None if it is not a JPEG XR file that we
    understand.
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
    """Return the tag, type and count of each entry of the directory."""
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
