"""The attachments of a document that are copied, and their changes."""

from __future__ import annotations

import io
import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from czictypes.container.attachments import AttachmentEntry, read_attachment_data
from czictypes.container.byte_source import ByteSource
from czictypes.container.picture import MOST_PIXELS, decoded_picture
from czictypes.metadata.records import (
    build_time_stamps,
    read_focus_positions,
    read_time_stamps,
)
from czictypes.model.errors import (
    CorruptFileError,
    CziError,
    OutOfBoundsError,
    UnsupportedDataError,
)
from czictypes.writing.assembly import Assembly
from czictypes.writing.copying.anonymized import (
    PNG_MAGIC,
    KeptPart,
    RemovedPart,
    strip_jpeg,
    strip_png,
)
from czictypes.writing.copying.selection import Extent
from czictypes.writing.transfer import stored_names

__all__ = ["Anonymity", "AttachmentPlan", "choose_attachments", "copy_attachments"]

_THUMBNAIL = "thumbnail"
_PICTURE = "the picture"
_CZI_MAGIC = b"ZISRAWFILE"
_JPEG_MAGIC = b"\xff\xd8"
_OTHER_PICTURE = re.compile(rb"BM.{4}\0{4}|GIF8|II[*+]\0|MM\0[*+]", re.DOTALL)
_TIME_STAMPS, _FOCUS = "CZTIMS", "CZFOC"
_TIMES = (_TIME_STAMPS, _FOCUS)  # one number for each T
#: Seconds in a year, and micrometres: larger numbers may be dates.
_LONGEST_TIME, _FARTHEST_FOCUS = 366 * 86_400, 1e7


class Anonymity(NamedTuple):
    """Decides what may stay of attachments that otherwise could tell who, when and where.

    Parameters
    ----------
    times
        Whether the time stamps stay, as differences from the first.
    names
        The names (in lower case) of attachments that stay although they may tell something.
    document
        Anonymises a CZI within an attachment; it raises `CziError` for one that is damaged.
    """

    times: bool
    names: frozenset[str]
    document: Callable[[bytes], bytes]


class AttachmentPlan(NamedTuple):
    """The plan for the attachments.

    Parameters
    ----------
    entries
        Those that are copied.
    removed
        What is left out.
    time
        How T changes, None if it does not.
    anonymity
        What may stay of them; None for everything.
    """

    entries: Sequence[AttachmentEntry]
    removed: Sequence[RemovedPart]
    time: Extent | None = None
    anonymity: Anonymity | None = None


def choose_attachments(
    entries: Sequence[AttachmentEntry], names: Iterable[str] | None, *, is_partial: bool
) -> tuple[list[AttachmentEntry], list[RemovedPart]]:
    """Return the attachments to copy, and what is left out without being asked for.

    Parameters
    ----------
    entries
        The document's attachments.
    names
        Those wanted, in any case; None for all.
    is_partial
        Whether pixels are left out; a thumbnail shows them, so it goes unless it is named.

    Raises
    ------
    OutOfBoundsError
        If there is none of a name.
    """
    if names is None:
        shown = [entry for entry in entries if is_partial and entry.name.lower() == _THUMBNAIL]
        reason = "it shows the whole image"
        removed = [RemovedPart("attachment", entry.name, reason=reason) for entry in shown]
        return [entry for entry in entries if entry not in shown], removed
    listed = [names] if isinstance(names, str) else list(names)
    wanted = {name.lower() for name in listed}
    missing = wanted - {entry.name.lower() for entry in entries}
    if missing:
        known = ", ".join(entry.name for entry in entries) or "none"
        lacking = ", ".join(name for name in listed if name.lower() in missing)
        raise OutOfBoundsError(f"there is no attachment {lacking}; the document has: {known}")
    return [entry for entry in entries if entry.name.lower() in wanted], []


def copy_attachments(
    source: ByteSource, plan: AttachmentPlan, assembly: Assembly
) -> tuple[list[RemovedPart], list[KeptPart]]:
    """Copy attachments; return what was removed, and what stayed if they are anonymised.

    Raises
    ------
    CorruptFileError
        If one is not where the directory says.
    """
    removed, kept = list(plan.removed), list[KeptPart]()
    taken: set[tuple[str, ...]] = set()
    for entry in plan.entries:
        data = read_attachment_data(source, entry)
        if plan.time is not None:
            data = _with_fewer_times(entry, data, plan.time)
        if plan.anonymity is None:
            assembly.add_attachment(*stored_names(entry), data, entry.guid)
            continue
        part, change = _anonymized(entry, data, plan.anonymity)
        if part is not None and part[:2] in taken:
            part, change = None, ""  # a file has one of a name and type
        if part is None or part.data != data:
            removed.append(RemovedPart("attachment", entry.name, kept=change))
        if part is not None:
            taken.add(part[:2])
            kept.append(KeptPart("attachment", part.name))
            assembly.add_attachment(part.name, part.content_file_type, part.data, uuid.uuid4())
    return removed, kept


def _with_fewer_times(entry: AttachmentEntry, data: bytes, time: Extent) -> bytes:
    """Return one number for each T that is left; where fewer are known, those of the first T.

    Numbers that are not one for each T of the document begin with T = 0.
    """
    if entry.content_file_type.upper() not in _TIMES:
        return data
    stamps = read_time_stamps(data)
    first = 0 if len(stamps) == time.size else time.start
    places = np.asarray(time.positions) + first
    known = places[(places >= 0) & (places < len(stamps))]
    if len(known) and known[0] != places[0]:
        return data  # of T below 0 they tell nothing
    return build_time_stamps(stamps[known])


class _Part(NamedTuple):
    """The rest of an attachment; its name and type are ours, for they may tell something too."""

    name: str
    content_file_type: str
    data: bytes


def _anonymized(
    entry: AttachmentEntry, data: bytes, anonymity: Anonymity
) -> tuple[_Part | None, str]:
    """Return what may stay of an attachment (None for nothing), and in words what that is.

    Pictures and documents within the document tell things in many ways, free text as well; so
    only numbers stay, the picture in a thumbnail, and what the caller named.
    """
    name, kind = entry.name.lower(), entry.content_file_type.upper()
    if kind == _TIME_STAMPS:
        if not anonymity.times:
            return None, ""
        stamps = read_time_stamps(data)
        with np.errstate(invalid="ignore"):  # infinities are no numbers that stay
            stamps = stamps - stamps[:1]
        if not _are_within(stamps, _LONGEST_TIME):
            return None, ""
        return _Part("TimeStamps", kind, _stored(stamps)), "differences from the first"
    if kind == _FOCUS:
        positions = read_focus_positions(data)
        if not _are_within(positions, _FARTHEST_FOCUS):
            return None, ""
        return _Part("FocusPositions", kind, _stored(positions)), "numbers"
    if name == _THUMBNAIL:
        picture, kind = _bare_picture(data)
        return (None, "") if picture is None else (_Part("Thumbnail", kind, picture), _PICTURE)
    if name not in anonymity.names:
        return None, ""
    return _named(entry, data, anonymity)


def _stored(numbers: np.ndarray) -> bytes:
    """Return numbers as an attachment; NaN is one of many, which can hold 6 bytes of text."""
    return build_time_stamps(np.where(np.isnan(numbers), np.nan, numbers))


def _are_within(numbers: np.ndarray, largest: float) -> bool:
    """Tell whether all numbers are up to a size, and none so close to 0 that it must be text."""
    sizes = np.abs(numbers)
    unknown = np.isnan(sizes) | (sizes == 0)
    return bool(np.all(unknown | (sizes > 1e-30) & (sizes <= largest)))


def _named(entry: AttachmentEntry, data: bytes, anonymity: Anonymity) -> tuple[_Part | None, str]:
    """Return an attachment that the caller named, without metadata of its own where we know it."""
    change = ""
    try:
        if data.startswith(_CZI_MAGIC):
            data, change = anonymity.document(data), "what is known to be harmless"
    except CziError:
        return None, ""
    name, kind = stored_names(entry)
    other = _OTHER_PICTURE.match(data) is not None
    if other or data.startswith((_JPEG_MAGIC, PNG_MAGIC)):
        picture, kind = _bare_picture(_as_png(data) if other else data)
        if picture is None:
            return None, ""
        data, change = picture, _PICTURE
    return _Part(name, kind, data), change


def _bare_picture(data: bytes) -> tuple[bytes | None, str]:
    """Return nothing but the picture of a JPEG or PNG, and its type."""
    if data.startswith(_JPEG_MAGIC):
        return strip_jpeg(data), "JPG"
    return strip_png(data), "PNG"


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
