"""The attachments of a document that are copied, and their changes."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from czictypes.container.attachments import AttachmentEntry, read_attachment_data
from czictypes.container.byte_source import ByteSource
from czictypes.metadata.records import build_time_stamps, read_time_stamps
from czictypes.model.errors import OutOfBoundsError
from czictypes.writing.assembly import Assembly
from czictypes.writing.copying.layout import Extent
from czictypes.writing.copying.removed import RemovedPart
from czictypes.writing.jpeg import strip_jpeg
from czictypes.writing.transfer import stored_name

__all__ = ["AttachmentPlan", "choose_attachments", "copy_attachments"]

_THUMBNAIL = "thumbnail"
_TIME_STAMPS = "CZTIMS"
_TIMES = (_TIME_STAMPS, "CZFOC")  # one number for each T


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
    anonymize
        Whether only those are copied that cannot tell who, when and where.
    """

    entries: Sequence[AttachmentEntry]
    removed: Sequence[RemovedPart]
    time: Extent | None = None
    anonymize: bool = False


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
) -> list[RemovedPart]:
    """Copy attachments; return what was removed.

    Raises
    ------
    CorruptFileError
        If one is not where the directory says.
    """
    removed = list(plan.removed)
    for entry in plan.entries:
        data: bytes | None = read_attachment_data(source, entry)
        guid = entry.guid
        if data is not None and plan.time is not None:
            data = _with_fewer_times(entry, data, plan.time)
        if data is not None and plan.anonymize:
            data, guid = _anonymized(entry, data, removed), uuid.uuid4()
        if data is not None:
            assembly.add_attachment(stored_name(entry), entry.content_file_type, data, guid)
    return removed


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


def _anonymized(entry: AttachmentEntry, data: bytes, removed: list[RemovedPart]) -> bytes | None:
    """Return what may stay of an attachment; None for nothing.

    Pictures and documents within the document tell things in many ways, free text as well; so
    only two kinds stay: times, counted from the first, and the picture in a thumbnail.
    """
    kind = entry.content_file_type.upper()
    if kind == _TIME_STAMPS:
        stamps = read_time_stamps(data)
        return build_time_stamps(stamps - stamps[0]) if len(stamps) else data
    stripped = strip_jpeg(data) if entry.name.lower() == _THUMBNAIL else None
    if stripped is None:
        removed.append(RemovedPart("attachment", entry.name))
    elif stripped != data:
        removed.append(RemovedPart("attachment", entry.name, kept="the picture"))
    return stripped
