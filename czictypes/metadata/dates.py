"""Points in time as CZI files write them: ISO 8601 with up to seven digits of a second."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

__all__ = ["format_datetime", "parse_datetime"]

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,12}))?\s*(Z|[+-]\d\d:?\d\d)?",
    re.ASCII,
)


def parse_datetime(text: str) -> datetime | None:
    """Return the point in time, or None where the file says that it is unknown (year 1).

    With an offset or a ``Z`` the result knows its time zone, else it is naive. Digits beyond
    the microsecond are cut off.

    Raises
    ------
    ValueError
        The text is no such date.
    """
    match = _ISO.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a date such as 2016-02-12T09:47:10.07Z")
    year, month, day, hour, minute, second = (int(match.group(n)) for n in range(1, 7))
    if year <= 1:
        return None
    microsecond = int((match.group(7) or "").ljust(6, "0")[:6])
    zone = _zone(match.group(8))
    return datetime(year, month, day, hour, minute, second, microsecond, zone)


def _zone(text: str | None) -> timezone | None:
    if text is None:
        return None
    if text == "Z":
        return timezone.utc
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-offset if text[0] == "-" else offset)


def format_datetime(moment: datetime) -> str:
    """Return the text for a file, ``Z`` for UTC; a naive time is written without a zone."""
    text = moment.isoformat()
    return text[:-6] + "Z" if text.endswith("+00:00") else text
