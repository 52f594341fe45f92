"""The parts that a copy lacks of its source, and what may stay of those that name people."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from czictypes.metadata.anonymize import Anonymizer

__all__ = [
    "PNG_MAGIC",
    "KeptPart",
    "RemovedPart",
    "anonymized_parts",
    "strip_jpeg",
    "strip_png",
]


_Kind = Literal[
    "attachment", "pyramid level", "metadata", "sub-block metadata", "sub-block attachments"
]


@dataclass(frozen=True)
class RemovedPart:
    """Something that a copy does not have of its source; `str` says it in words.

    Parameters
    ----------
    kind
        ``"attachment"``, ``"pyramid level"``, ``"metadata"`` (of the document),
        ``"sub-block metadata"`` or ``"sub-block attachments"``.
    name
        The name of an attachment; of metadata the path of the XML element or (with ``@``)
        attribute, empty where the whole XML is meant.
    level, scene
        Of a pyramid level, and of the scene that it belongs to; None for none.
    kept
        What of it the copy has all the same; empty for nothing.
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
        """Return it in words."""
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
    """Something that `anonymize` left in a copy, for you to look at.

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
        """Return it in words."""
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


PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
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


def strip_jpeg(data: bytes) -> bytes | None:
    """Return a JPEG with only the segments that its picture needs, the picture untouched.

    Kept are the frame, the tables and scans, each if it has the length that its content asks for,
    and what tells density (JFIF) and colours (Adobe).

    Returns
    -------
    bytes or None
        None where the data are no JPEG, or one that is not understood. What follows the first
        picture in the data is left out.
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


def strip_png(data: bytes) -> bytes | None:
    """Return a PNG with only the chunks of its picture; None where the data are no whole PNG."""
    parts, position = [PNG_MAGIC], len(PNG_MAGIC)
    if not data.startswith(PNG_MAGIC):
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
