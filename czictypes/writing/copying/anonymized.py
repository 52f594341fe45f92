"""The parts that a copy leaves out, and what may stay of those that could name people.

Of pictures, everything but the picture is removed: Exif, XMP, comments, profiles.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from czictypes.container.attachments import AttachmentEntry, find_mask
from czictypes.container.payload import PAYLOAD_HEAD, scheme_of
from czictypes.container.pictures import MOST_PIXELS, bare_jpegxr, decoded_picture
from czictypes.container.zstd import (
    HEAD_SIZE,
    ZSTD_MAGIC,
    find_zstd_end,
    parse_zstd_head,
)
from czictypes.metadata.anonymize import Anonymizer
from czictypes.metadata.records import build_time_stamps, read_focus_positions, read_time_stamps
from czictypes.metadata.subblock_tags import has_chunk_container
from czictypes.model.errors import CorruptFileError, CziError, UnsupportedDataError
from czictypes.model.pixel_types import Compression, pixel_format
from czictypes.writing.array_tiles import encode_mask
from czictypes.writing.new_segments import EncodedSubBlock
from czictypes.writing.transfer import stored_names

THUMBNAIL = "thumbnail"
_PICTURE = "the picture"
_CZI_MAGIC = b"ZISRAWFILE"
_JPEG_MAGIC = b"\xff\xd8"
_OTHER_PICTURE = re.compile(rb"BM.{4}\0{4}|GIF8|II[*+]\0|MM\0[*+]", re.DOTALL)
TIME_STAMPS, FOCUS = "CZTIMS", "CZFOC"
#: Seconds in a year, and micrometres: larger numbers may be dates.
_LONGEST_TIME, _FARTHEST_FOCUS = 366 * 86_400, 1e7

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
#: The chunks without which the picture cannot be shown.
_PNG_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})

_START, _SCAN, _END = 0xD8, 0xDA, 0xD9
# Without the thumbnail that may follow, and with a density that is no text.
_JFIF = re.compile(rb"JFIF\x00[\x00-\x01][\x00-\x02]{2}(?:[\x00-\x1f].){2}\x00\x00", re.DOTALL)
_ADOBE = re.compile(
    rb"Adobe\x00[\x64\x65][\x00-\x1f\x40\x80\xc0]\x00\x00\x00[\x00-\x02]", re.DOTALL
)
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_TABLES, _RESTART = (0xDB, 0xC4), 0xDD
_OPTIONAL = frozenset(range(0xE0, 0xFF))  # of applications, comments, reserved ones


_Kind = Literal[
    "attachment", "pyramid level", "metadata", "sub-block metadata", "sub-block attachments"
]


@dataclass(frozen=True)
class RemovedPart:
    """A part of the source that a copy does not have; `str` describes it.

    Parameters
    ----------
    kind
        ``"attachment"``, ``"pyramid level"``, ``"metadata"`` (of the document),
        ``"sub-block metadata"`` or ``"sub-block attachments"``.
    name
        The name of an attachment; of metadata the path of the XML element or (with ``@``)
        attribute, empty where the whole XML is meant.
    level, scene
        The number of a removed pyramid level, and of its scene; None otherwise.
    kept
        The rest of it that the copy has; empty if nothing is left.
    reason
        Why it was left out, where `anonymize` was not the reason.
    values
        Of metadata the values that were removed: up to 100 different ones, each up to 200
        characters. They are the secrets of the source, so `str` does not show them.
    """

    kind: _Kind
    name: str = ""
    level: int | None = None
    scene: int | None = None
    kept: str = ""
    reason: str = ""
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return a description in words."""
        words = self._what()
        if self.kept:
            words += f": all but {self.kept}"
        return f"{words} ({self.reason})" if self.reason else words

    def _what(self) -> str:
        if self.name or self.kind == "metadata":
            return _named(self.kind, self.name)
        if self.kind == "sub-block metadata":
            return f"{self.kind} that are no XML"
        if self.kind == "pyramid level":
            where = "" if self.scene is None else f" of scene {self.scene}"
            return f"{self.kind} {self.level}{where}"
        return self.kind


def _named(kind: _Kind, name: str) -> str:
    before = {"metadata": "", "sub-block metadata": "sub-block "}.get(kind, f"{kind} ")
    return f"{before}{name}"


@dataclass(frozen=True)
class KeptPart:
    """A part that `anonymize` left in a copy, for you to check.

    Parameters
    ----------
    kind
        ``"metadata"``, ``"sub-block metadata"`` or ``"attachment"``.
    name
        As of a `RemovedPart`.
    values
        Of metadata the values that stay: up to 100 different ones, each up to 200 characters.
    """

    kind: _Kind
    name: str
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return a description in words."""
        return _named(self.kind, self.name)


def anonymized_parts(anonymizer: Anonymizer) -> tuple[list[RemovedPart], list[KeptPart]]:
    """Return what went of the metadata and what stayed, sorted by path."""
    removed: list[RemovedPart] = []
    kept: list[KeptPart] = []
    kinds: tuple[_Kind, _Kind] = ("metadata", "sub-block metadata")
    for kind, report in zip(kinds, (anonymizer.of_document, anonymizer.of_subblocks)):
        removed += [
            RemovedPart(kind, path, kept=report.changed.get(path, ""), values=tuple(values))
            for path, values in sorted(report.went.items())
        ]
        kept += [
            KeptPart(kind, path, tuple(values)) for path, values in sorted(report.stayed.items())
        ]
    return removed, kept


class Anonymity(NamedTuple):
    """The rules for what could otherwise tell who, when and where."""

    metadata: Anonymizer
    times: bool  # whether time stamps stay, as differences from the first
    #: In lower case, of attachments that stay although they may tell something.
    names: frozenset[str]
    document: Callable[[bytes], bytes]  # anonymises a CZI in an attachment, or raises `CziError`


class AttachmentPart(NamedTuple):
    """The rest of an attachment. The copy sets its name and type, which could identify it."""

    name: str
    content_file_type: str
    data: bytes
    change: str = ""  # what that rest is, in words


def anonymized_attachment(
    entry: AttachmentEntry, data: bytes, anonymity: Anonymity
) -> AttachmentPart | None:
    """Return what may stay of an attachment; None for nothing.

    Pictures and documents within the document tell things in many ways, free text as well; so
    only numbers stay, the picture in a thumbnail, and what the caller named.
    """
    name, kind = entry.name.lower(), entry.content_file_type.upper()
    if kind == TIME_STAMPS:
        if not anonymity.times:
            return None
        stamps = read_time_stamps(data)
        with np.errstate(invalid="ignore"):  # infinities are no numbers that stay
            stamps = stamps - stamps[:1]
        if not _are_within(stamps, _LONGEST_TIME):
            return None
        return AttachmentPart("TimeStamps", kind, _stored(stamps), "differences from the first")
    if kind == FOCUS:
        positions = read_focus_positions(data)
        if not _are_within(positions, _FARTHEST_FOCUS):
            return None
        return AttachmentPart("FocusPositions", kind, _stored(positions), "numbers")
    if name == THUMBNAIL:
        picture, kind = _bare_picture(data)
        return None if picture is None else AttachmentPart("Thumbnail", kind, picture, _PICTURE)
    return _named_attachment(entry, data, anonymity) if name in anonymity.names else None


def _stored(numbers: np.ndarray) -> bytes:
    """Return numbers as an attachment; NaN is one of many, which can hold 6 bytes of text."""
    return build_time_stamps(np.where(np.isnan(numbers), np.nan, numbers))


def _are_within(numbers: np.ndarray, largest: float) -> bool:
    """Tell whether all numbers are up to a size, and none so close to 0 that it must be text."""
    sizes = np.abs(numbers)
    unknown = np.isnan(sizes) | (sizes == 0)
    return bool(np.all(unknown | (sizes > 1e-30) & (sizes <= largest)))


def _named_attachment(
    entry: AttachmentEntry, data: bytes, anonymity: Anonymity
) -> AttachmentPart | None:
    """Return an attachment that the caller named, without metadata of its own where we know it."""
    change = ""
    try:
        if data.startswith(_CZI_MAGIC):
            data, change = anonymity.document(data), "what is known to be harmless"
    except CziError:
        return None
    name, kind = stored_names(entry)
    other = _OTHER_PICTURE.match(data) is not None
    if other or data.startswith((_JPEG_MAGIC, _PNG_MAGIC)):
        picture, kind = _bare_picture(_as_png(data) if other else data)
        if picture is None:
            return None
        data, change = picture, _PICTURE
    return AttachmentPart(name, kind, data, change)


def _bare_picture(data: bytes) -> tuple[bytes | None, str]:
    """Return nothing but the picture of a JPEG or PNG, and its type."""
    if data.startswith(_JPEG_MAGIC):
        return strip_jpeg(data), "JPG"
    return _strip_png(data), "PNG"


def _as_png(data: bytes) -> bytes:
    """Return a picture as a PNG; nothing where it cannot be decoded."""
    target = io.BytesIO()
    try:
        with decoded_picture(
            io.BytesIO(data),
            ("BMP", "GIF", "TIFF"),
            "an attachment",
            extra="cli",
            doing="anonymising a picture",
            most_pixels=MOST_PIXELS,
        ) as picture:
            shown = picture if picture.mode in ("L", "I;16", "RGB") else picture.convert("RGBA")
            shown.save(target, "PNG")
    except (CorruptFileError, UnsupportedDataError):
        return b""
    return target.getvalue()


def anonymized_sub_block(
    block: EncodedSubBlock, anonymizer: Anonymizer, removed: set[RemovedPart]
) -> EncodedSubBlock:
    """Clean the XML of a sub-block, and leave nothing of its attachment but a mask."""
    try:
        mask = _mask(block)
        metadata = anonymizer.subblock(block.metadata)
    except CorruptFileError:  # it cannot be told what it says
        removed.add(RemovedPart("sub-block metadata"))
        return block._replace(metadata=b"", attachment=b"")
    if block.attachment and mask != block.attachment:
        removed.add(RemovedPart("sub-block attachments", kept="masks"))
    return block._replace(metadata=metadata, attachment=mask)


def _mask(block: EncodedSubBlock) -> bytes:
    if not block.attachment or not has_chunk_container(block.metadata):
        return b""
    mask = find_mask(block.attachment)
    return b"" if mask is None else encode_mask(mask.bits)


def bare_data(block: EncodedSubBlock) -> Any:
    """Return the data of a sub-block with pixels alone: no Exif, nothing behind them.

    Data of compressions that are not known here stay as they are; None where the end of the pixels
    cannot be told.
    """
    width, height = block.size
    claimed = width * height * pixel_format(block.pixel_type).bytes_per_pixel
    planes = math.prod(block.sizes.values())
    head = bytes(block.data[:PAYLOAD_HEAD])
    scheme = scheme_of(head, block.compression, len(block.data), claimed, planes)
    if scheme not in _BARE:
        return block.data
    return _BARE[Compression(scheme)](block.data, claimed, planes)


def _bare_plain(data: Any, claimed: int, planes: int) -> Any:
    return data[: claimed * planes if len(data) >= claimed * planes else claimed]


def _bare_zstd(data: Any, claimed: int, planes: int) -> Any:
    scheme = Compression.Zstd0 if data[:4] == ZSTD_MAGIC else Compression.Zstd1
    head = parse_zstd_head(bytes(data[:HEAD_SIZE]), scheme, "the data of a sub-block")
    if head.content_size not in (claimed, claimed * planes):
        return None
    end = find_zstd_end(data, head)
    return None if end is None else data[:end]


#: Gives data without what is no pixels, by compression; None if it cannot tell.
_BARE: Mapping[Compression, Callable[[Any, int, int], Any]] = {
    Compression.Uncompressed: _bare_plain,
    Compression.Jpg: lambda data, *_: strip_jpeg(bytes(data)),
    Compression.JpegXr: lambda data, *_: bare_jpegxr(bytes(data)),
    Compression.Zstd0: _bare_zstd,
    Compression.Zstd1: _bare_zstd,
}


def strip_jpeg(data: bytes) -> bytes | None:
    """Return a JPEG with only the segments that its picture needs, the picture untouched.

    Kept are the frame, the tables and scans, each if it has the length that its content asks for,
    and what tells density (JFIF) and colours (Adobe). What follows the first picture is left out;
    None where the data are no JPEG, or one that is not understood.
    """
    if data[:2] != b"\xff\xd8":
        return None
    parts, position = [data[:2]], 2
    while position + 2 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # a byte of padding
            position += 1
            continue
        if marker == _END:
            return b"".join([*parts, b"\xff\xd9"]) if len(parts) > 1 else None
        size = int.from_bytes(data[position + 2 : position + 4], "big")
        end = position + 2 + size
        if marker == _START or size < 2 or end > len(data):
            return None
        content = data[position + 4 : end]
        if _is_in_form(marker, content):
            parts.append(data[position:end])
        elif marker not in _OPTIONAL:
            return None
        if marker == _SCAN:
            found = _SCAN_END.search(data, end)
            if found is None:
                return None
            parts.append(data[end : found.start()])
            end = found.start()
        position = end
    return None


def _is_in_form(marker: int, content: bytes) -> bool:
    """Tell whether a segment belongs to the picture and holds nothing else."""
    size = len(content)
    if marker == 0xE0:
        return _JFIF.fullmatch(content) is not None
    if marker == 0xEE:
        return _ADOBE.fullmatch(content) is not None
    if marker in _FRAMES:
        return size >= 6 and size == 6 + 3 * content[5]
    if marker == _SCAN:
        return size >= 1 and size == 4 + 2 * content[0]
    if marker in _TABLES:
        return _are_tables(marker, content)
    return marker == _RESTART and size == 2


def _are_tables(marker: int, content: bytes) -> bool:
    """Tell whether a segment is tables of quantization or of Huffman codes, from end to end."""
    position = 0
    while position < len(content):
        if marker == _TABLES[0]:
            position += 1 + (128 if content[position] >> 4 else 64)
        else:
            position += 17 + sum(content[position + 1 : position + 17])
    return position == len(content)


def _strip_png(data: bytes) -> bytes | None:
    """Return a PNG with only the chunks of its picture; None where the data are no whole PNG."""
    parts, position = [_PNG_MAGIC], len(_PNG_MAGIC)
    if not data.startswith(_PNG_MAGIC):
        return None
    while position + 12 <= len(data):
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : position + 8]
        if end > len(data):
            return None
        if kind in _PNG_CHUNKS:
            parts.append(data[position:end])
        if kind == b"IEND":
            return b"".join(parts)
        position = end
    return None
