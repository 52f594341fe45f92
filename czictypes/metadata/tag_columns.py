"""The metadata of many sub-blocks, as columns.

A tag is looked for in the bytes of the XML; parsing each would take ten times as long. XML that
could mislead such a search (comments, entities, odd encodings) is parsed by `subblock`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import datetime, timezone
from operator import attrgetter
from typing import Any, Callable, NamedTuple

import numpy as np
from numpy.typing import NDArray

from czictypes.metadata.fields import parse_datetime
from czictypes.metadata.subblock_tags import SubBlockMetadata, read_subblock_metadata
from czictypes.metadata.xml import to_text
from czictypes.model.defence import warn_caller
from czictypes.model.errors import CorruptFileError, MetadataWarning

_TAG = re.compile(r"[^\W\d][\w.\-]*")


class _Field(NamedTuple):
    """A field: the pattern of its text, the conversion, and its value in parsed metadata."""

    pattern: re.Pattern[bytes]
    convert: Callable[[bytes], Any]
    parsed: Callable[[SubBlockMetadata], Any]
    dtype: str = "f8"


def _number(text: bytes) -> float:
    value = float(text)
    if b"_" in text or math.isinf(value):
        raise ValueError
    return value


def _moment(text: bytes) -> datetime | None:
    if len(text) == _ZEN_TIME and text[10:11] == b"T" and text[-1:] == b"Z" and text[:3] != b"000":
        return datetime.fromisoformat(text[:26].decode("ascii"))  # in a tenth of the time
    return _utc(parse_datetime(text.strip().decode("ascii")))


def _text(text: bytes) -> str | None:
    return text.strip().decode() or None


def _utc(moment: datetime | None) -> datetime | None:
    """Return the time without its zone, as numpy wants it."""
    if moment is None or moment.tzinfo is None:
        return moment
    return moment.astimezone(timezone.utc).replace(tzinfo=None)


def _simple(tag: str) -> re.Pattern[bytes]:
    name = re.escape(tag.encode())
    return re.compile(rb"<" + name + rb">([^<]*)</" + name + rb">")


def _offset(position: int) -> Callable[[SubBlockMetadata], float | None]:
    return lambda parsed: parsed.roi_center_offset and parsed.roi_center_offset[position]


_ZEN_TIME = len("2016-02-12T09:47:10.0715848Z")

#: The fields with a type of their own.
FIELDS: dict[str, _Field] = {
    "stage_x": _Field(_simple("StageXPosition"), _number, attrgetter("stage_x")),
    "stage_y": _Field(_simple("StageYPosition"), _number, attrgetter("stage_y")),
    "focus_z": _Field(_simple("FocusPosition"), _number, attrgetter("focus_z")),
    "roi_center_offset_x": _Field(_simple("RoiCenterOffsetX"), _number, _offset(0)),
    "roi_center_offset_y": _Field(_simple("RoiCenterOffsetY"), _number, _offset(1)),
    "acquisition_time": _Field(
        _simple("AcquisitionTime"),
        _moment,
        lambda parsed: _utc(parsed.acquisition_time),
        "datetime64[us]",
    ),
    "exposure_time": _Field(
        # The camera's state is stored as text with entities.
        re.compile(rb"&lt;ExposureTime&gt;([^&<]*)&lt;/"),
        lambda text: _number(text) / 1e9,  # stored in nanoseconds
        attrgetter("exposure_time"),
    ),
}


class SubBlockColumns:
    """The columns of selected fields of sub-blocks.

    Parameters
    ----------
    names
        Names of `FIELDS`; ``"xml"`` for the whole XML as text; any other name for the text of
        the tag. One that no tag can have raises a ValueError.
    """

    def __init__(self, names: Sequence[str]) -> None:
        for name in names:
            if _TAG.fullmatch(name) is None:
                raise ValueError(
                    f"{name!r} is no field of a sub-block's metadata; give some of "
                    f"{', '.join(FIELDS)}, 'xml' or the name of a tag"
                )
        self._values: dict[str, list[Any]] = {name: [] for name in names}
        self._odd: dict[str, tuple[int, str, int]] = {}
        self._fields = {
            name: FIELDS.get(name) or _tag_field(name) for name in names if name != "xml"
        }
        self._plan = [
            (field, field.pattern.search, field.convert, self._values[name], name)
            for name, field in self._fields.items()
        ]

    def add(self, index: int, xml: bytes) -> None:
        """Take the fields of one sub-block."""
        if "xml" in self._values:
            self._values["xml"].append(to_text(xml))
        if b"<!" in xml or b"\0" in xml or xml.startswith(b"\xef"):
            parsed = self._parse(index, xml)
            for field, _, _, values, _ in self._plan:
                values.append(field.parsed(parsed))
            return
        for field, search, convert, values, name in self._plan:
            found = search(xml)
            if found is None:
                values.append(None)
                continue
            text = found.group(1)
            try:
                plain = b"&" not in text
                values.append(convert(text) if plain else field.parsed(self._parse(index, xml)))
            except (ValueError, OverflowError):
                values.append(None)
                if text.strip():
                    self._note(name, index, repr(text.decode("utf-8", "replace")[:60]))

    def miss(self, index: int, error: Exception) -> None:
        """Note a sub-block that could not be read: it has no value in any column."""
        self._note("the metadata", index, str(error))
        for values in self._values.values():
            values.append(None)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return a column for each name; warn of fields that could not be understood.

        Numbers are NaN, times NaT and texts None where a sub-block does not have them.
        """
        for name, (index, text, count) in self._odd.items():
            others = f" (and of {count - 1} others)" if count > 1 else ""
            warn_caller(
                f"metadata: {name} of sub-block {index}{others} cannot be understood: {text}; "
                "it is taken as missing",
                MetadataWarning,
            )
        dtypes = {name: field.dtype for name, field in self._fields.items()}
        return {
            name: np.array(values, dtypes.get(name, "O")) for name, values in self._values.items()
        }

    def _parse(self, index: int, xml: bytes) -> SubBlockMetadata:
        try:
            return read_subblock_metadata(xml)
        except CorruptFileError as error:
            self._note("the XML", index, str(error))
            return SubBlockMetadata()

    def _note(self, name: str, index: int, text: str) -> None:
        first, shown, count = self._odd.get(name, (index, text, 0))
        self._odd[name] = (first, shown, count + 1)


def _tag_field(name: str) -> _Field:
    return _Field(_simple(name), _text, lambda parsed: parsed.tags.get(name), "O")
