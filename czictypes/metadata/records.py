"""The records in attachments: time stamps, focus positions, events.

The layouts are those of the content types CZTIMS, CZFOC and CZEVL, all little-endian: an int32
size, an int32 count, and the records. The size counts the eight bytes before the records in
some files and only half of them in others, so the count and the attachment's own length decide.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from czictypes.model.errors import MetadataWarning
from czictypes.model.public import warn_caller

_HEADER = struct.Struct("<ii")
_EVENT = struct.Struct("<idii")  # size of the record, time, type, size of the description


#: The names of ZEN's types of events, by number.
EVENT_NAMES = {
    0: "marker",
    1: "time change",
    2: "bleaching start",
    3: "bleaching stop",
    4: "trigger",
}


class Event(NamedTuple):
    """Something that happened during the acquisition.

    Parameters
    ----------
    time
        Seconds on the clock of the time stamps.
    type
        ZEN's number: 0 marker, 1 time change, 2 and 3 start and stop of bleaching, 4 trigger
        (`EVENT_NAMES`); others occur.
    description
        ZEN's description of the event.
    """

    time: float
    type: int
    description: str


def read_time_stamps(data: bytes) -> npt.NDArray[np.float64]:
    """Return the time stamps of a CZTIMS attachment, in seconds, one for each T index."""
    return _read_doubles(data, "time stamps")


def read_focus_positions(data: bytes) -> npt.NDArray[np.float64]:
    """Return the focus positions of a CZFOC attachment, in micrometres."""
    return _read_doubles(data, "focus positions")


def _read_doubles(data: bytes, records: str) -> npt.NDArray[np.float64]:
    count = _read_count(data, records, 8)
    values = np.frombuffer(data, "<f8", count, _HEADER.size) if count else np.empty(0)
    return values.astype(np.float64)


def _read_count(data: bytes, records: str, record_size: int) -> int:
    """Return the number of readable records; warn if the attachment announces another one."""
    if len(data) < _HEADER.size:
        if data:
            _warn(f"the {records} are cut off after {len(data)} bytes")
        return 0
    announced: int = _HEADER.unpack_from(data)[1]
    possible = (len(data) - _HEADER.size) // record_size
    if not 0 <= announced <= possible:
        _warn(f"{announced} {records} are announced, but there is room for {possible}")
    return min(max(announced, 0), possible)


def read_event_list(data: bytes) -> list[Event]:
    """Return the events of a CZEVL attachment up to the first damaged record."""
    events: list[Event] = []
    position = _HEADER.size
    for number in range(_read_count(data, "events", _EVENT.size)):
        if position + _EVENT.size > len(data):
            _warn(f"event {number} lies beyond the end of the list")
            break
        size, time, type_number, length = _EVENT.unpack_from(data, position)
        text_at = position + _EVENT.size
        if length < 0 or text_at + length > len(data) or size < _EVENT.size + length:
            _warn(f"event {number} announces impossible sizes ({size}, {length})")
            break
        text = data[text_at : text_at + length].partition(b"\0")[0].decode("utf-8", "replace")
        events.append(Event(time, type_number, text))
        position += size
    return events


def build_time_stamps(seconds: npt.ArrayLike) -> bytes:
    """Return the content of a CZTIMS (or CZFOC) attachment from a one-dimensional array."""
    values = np.asarray(seconds, "<f8")
    if values.ndim != 1:
        raise ValueError(f"time stamps are one number for each T index, not {values.ndim}-D")
    data = values.tobytes()
    return _HEADER.pack(_HEADER.size + len(data), len(values)) + data


def build_event_list(events: list[Event]) -> bytes:
    """Return the content of a CZEVL attachment."""
    records = []
    for event in events:
        if not -(2**31) <= event.type < 2**31:
            raise ValueError(f"the event type {event.type} does not fit into 32 bits")
        text = event.description.encode("utf-8") + b"\0"
        size = _EVENT.size + len(text)
        records.append(_EVENT.pack(size, event.time, event.type, len(text)) + text)
    data = b"".join(records)
    return _HEADER.pack(_HEADER.size + len(data), len(records)) + data


def _warn(message: str) -> None:
    warn_caller(f"attachment: {message}", MetadataWarning)
