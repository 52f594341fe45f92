"""Reduce the XML of a CZI to values that cannot name persons, places, dates and computers."""

from __future__ import annotations

import re
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from czictypes.metadata.fields import parse_datetime
from czictypes.metadata.harmless import DEEPEST, ROOTS, kind_of
from czictypes.metadata.known_values import is_guid, is_known, is_known_words, is_place_name
from czictypes.metadata.scenes import anonymous_acquisitions
from czictypes.metadata.xml import XmlSource, parse, to_string, to_text
from czictypes.model.errors import CorruptFileError

# The point in time that stands for the first one if differences are kept.
_FIRST = datetime(2000, 1, 1, tzinfo=timezone.utc)
# Software writes earlier years for "unknown"; a difference from them would reveal a date.
_FIRST_YEAR = 1980
# Times further apart belong to different experiments; their difference would reveal a date.
_LONGEST_TIME = timedelta(days=366)
_STARTS = ("Information/Image/AcquisitionDateAndTime", "Information/Image/Dimensions/T/StartTime")

_PLACES = frozenset({"Scene", "Well", "Region"})
_MOST_INNERS = 64
_DEEPEST_TEXT = 4  # levels of XML within the text of XML; ZEN has one
_SMALL_NUMBER = re.compile(r"(?!.*(?:19|20)\d\d)\d{1,4}(?:-\d{1,4})?|[XYZ]|", re.ASCII)  # no year
_MOST_VALUES, _MOST_PATHS, _LONGEST = 100, 10_000, 200


class ValueReport:
    """The values that an `Anonymizer` met, by the path of their element or (with ``@``) attribute.

    `went` has the removed values, including everything within unknown elements. `changed` describes
    their replacement, if there is one (``"a neutral name"``). `stayed` has the other values. For
    each path, up to 100 different values are noted, each up to 200 characters.
    """

    def __init__(self) -> None:
        self.went: dict[str, dict[str, None]] = {}
        self.changed: dict[str, str] = {}
        self.stayed: dict[str, dict[str, None]] = {}

    def note(self, path: str, value: str, kept: str | None, change: str) -> None:
        """Note a value, its remainder (None for nothing), and a description of the change."""
        _add(self.stayed if kept == value else self.went, path, value)
        if kept not in (value, None):
            self.changed[path] = change


def _add(noted: dict[str, dict[str, None]], path: str, value: str) -> None:
    if path not in noted and len(noted) >= _MOST_PATHS:
        path = "(more)"
    values = noted.setdefault(path, {})
    if len(values) < _MOST_VALUES and value.strip():
        values[value.strip()[:_LONGEST]] = None


class _Copied(NamedTuple):
    """An element that is kept, and its copy."""

    element: ET.Element
    copy: ET.Element
    path: str
    number: int  # among the elements of that name, in the one around it
    depth: int


class Anonymizer:
    """An anonymizer for the XML of a document and of its sub-blocks.

    Elements that `harmless` lists are kept if their value is of the right kind: numbers, colours,
    words of microscopy. Names of channels, scenes and the like become neutral unless they are known
    words. Identifiers become new ones, and equal ones stay equal. Everything else is removed. The
    reports `of_document` and `of_subblocks` have the values. Time and memory are in proportion to
    the length of the XML.

    Parameters
    ----------
    also
        Additional words to remove, such as the name of a patient or a project.
    keep_relative_times
        Whether to keep times as differences from the first one, which becomes the year 2000.
    """

    def __init__(self, also: Iterable[str] = (), *, keep_relative_times: bool = False) -> None:
        words = sorted({word.strip() for word in also if word.strip()}, key=len, reverse=True)
        choices = "|".join(map(re.escape, words))
        self._words = re.compile(rf"(?<!\w)(?:{choices})(?!\w)", re.IGNORECASE) if words else None
        self.keep_relative_times = keep_relative_times
        self._start: datetime | None = None
        self._given: dict[tuple[str, str], str] = {}  # names and identifiers by kind and value
        self._highest: dict[str, int] = {}
        self._inners: dict[str, str | None] = {}  # most tiles have the same camera state
        self.of_document, self.of_subblocks = ValueReport(), ValueReport()

    def document(self, source: XmlSource) -> bytes:
        """Return the anonymised XML of the document; empty if the XML is not that of a CZI.

        Raises a CorruptFileError for XML that is not well-formed.
        """
        root = parse(source)
        for path in _STARTS if self.keep_relative_times else ():
            self._start = self._start or _moment(root.findtext(f"Metadata/{path}") or "")
        return self._clean(root, self.of_document).encode()

    def subblock(self, source: XmlSource) -> bytes:
        """Return the anonymised XML of a sub-block; call `document` first."""
        if not isinstance(source, ET.Element) and not to_text(source).strip():
            return b""
        return self._clean(parse(source), self.of_subblocks).encode()

    def _clean(self, root: ET.Element, report: ValueReport, nested: int = 0) -> str:
        """Return anonymised XML, empty for an unknown root; `nested` counts XML within text."""
        if root.tag not in ROOTS:
            _note_all(root, root.tag, report)
            return ""
        top = ET.Element(root.tag)
        waiting = [_Copied(root, top, root.tag, 0, 0)]
        if (root.text or "").strip():
            report.note(root.tag, root.text or "", None, "")
        while waiting:
            copied = waiting.pop()
            self._attributes(copied, report, nested)
            waiting += reversed(list(self._children(copied, report, nested)))
        return to_string(top)

    def _attributes(self, copied: _Copied, report: ValueReport, nested: int) -> None:
        tag = copied.element.tag
        for name, value in copied.element.attrib.items():
            path = f"{copied.path}/@{name[:_LONGEST]}"
            kept = self._value(kind_of(tag, f"@{name}"), value, path, copied.number, report, nested)
            if kept is not None:
                copied.copy.set(name, kept)

    def _children(self, copied: _Copied, report: ValueReport, nested: int) -> Iterator[_Copied]:
        """Copy the children that are kept, with their text; yield those with content."""
        tag, numbers = copied.element.tag, dict[str, int]()
        for child in copied.element:
            if (child.tail or "").strip():
                report.note(f"{copied.path}/text()", child.tail or "", None, "")
            if not isinstance(child.tag, str):  # a comment may contain anything
                report.note(f"{copied.path}/comment()", child.text or "", None, "")
                continue
            path = f"{copied.path}/{child.tag[:_LONGEST]}"
            kind = kind_of(tag, child.tag) if copied.depth < DEEPEST else None
            if kind is None:
                _note_all(child, path, report)
                continue
            number = numbers.get(child.tag, 0)
            numbers[child.tag] = number + 1
            text: str | None = None
            if (child.text or "").strip():
                text = self._value(kind, child.text or "", path, copied.number, report, nested)
                if text is None and not len(child):
                    continue
            copy = ET.SubElement(copied.copy, child.tag)
            copy.text = text
            if len(child) or child.attrib:
                yield _Copied(child, copy, path, number, copied.depth + 1)

    def _value(
        self, kind: str | None, value: str, path: str, number: int, report: ValueReport, nested: int
    ) -> str | None:
        """Return the remainder of a value, None for nothing, and note both."""
        kept, change = self._kept(kind, value, number, report, nested) if kind else (None, "")
        if kept is not None and self._words is not None and self._words.search(kept):
            kept = None
        if kind != "xml" or kept is None:  # nested values are noted one by one
            report.note(path, value, kept, change)
        return kept

    def _kept(
        self, kind: str, value: str, number: int, report: ValueReport, nested: int
    ) -> tuple[str | None, str]:
        """Return the remainder of a value, and a description of the change."""
        if kind.startswith("name "):
            return self._name(kind[len("name ") :], value, number), "a neutral name"
        if kind == "identifier":
            return self._identifier(value), "a new identifier"
        if kind == "date":
            return self._date(value), "the difference from the first"
        if kind == "acquisitions":
            return anonymous_acquisitions(value), "identifiers and scenes"
        if kind == "xml":
            return self._inner(value, report, nested), "what is known to be harmless"
        if kind == "reference" and value.strip() == "TimeStamps" and not self.keep_relative_times:
            return None, ""
        return (value if not value.strip() or is_known(kind, value) else None), ""

    def _name(self, kind: str, value: str, number: int) -> str:
        named = self._words is not None and self._words.search(value) is not None
        known = is_known_words(value) or (kind in _PLACES and is_place_name(value))
        if not value.strip() or (known and not named):
            return value
        return self._new(kind, f"{kind} ", value, number)

    def _identifier(self, value: str) -> str:
        text = value.strip()
        if is_guid(text):
            return self._given.setdefault(("GUID", text.strip("{}").lower()), str(uuid.uuid4()))
        if text.isascii() and text.isdigit() and not _SMALL_NUMBER.fullmatch(text):
            return self._new("identifier", "", text, 10_001)  # ZEN uses times as identifiers
        prefix, colon, rest = text.partition(":")
        known = not colon or is_known_words(prefix)
        if known and (_SMALL_NUMBER.fullmatch(rest if colon else text) or is_known_words(text)):
            return value
        prefix = prefix if colon and known else "Id"
        return self._new("identifier", f"{prefix}:", text, 10_001)

    def _new(self, kind: str, prefix: str, value: str, number: int) -> str:
        """Return a new name or identifier for a value, the same for equal values."""
        key = (kind, value.strip())
        if key not in self._given:
            number = max(number, self._highest.get(kind + prefix, -1) + 1)
            self._highest[kind + prefix] = number
            self._given[key] = f"{prefix}{number}"
        return self._given[key]

    def _date(self, value: str) -> str | None:
        moment = _moment(value) if self.keep_relative_times else None
        if moment is None:
            return None
        if self._start is None:
            self._start = moment
        if abs(moment - self._start) > _LONGEST_TIME:
            return None
        shifted = _FIRST + (moment - self._start)
        return shifted.replace(tzinfo=None).isoformat(timespec="microseconds") + "0Z"

    def _inner(self, value: str, report: ValueReport, nested: int) -> str | None:
        if nested >= _DEEPEST_TEXT or not value.lstrip().startswith("<"):
            return None
        if value not in self._inners:
            try:
                inner = self._clean(parse(value), report, nested + 1)
            except CorruptFileError:
                return None
            if len(self._inners) >= _MOST_INNERS:
                self._inners.clear()
            self._inners[value] = inner or None
        return self._inners[value]


def _moment(text: str) -> datetime | None:
    """Return the point in time in a text; None if there is none, or it is too early to be real."""
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    if found is None or found.year < _FIRST_YEAR:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=timezone.utc)


def _note_all(top: ET.Element, path: str, report: ValueReport) -> None:
    """Note all values within a removed element, as far as the report has room."""
    values = report.went.setdefault(path, {}) if len(report.went) < _MOST_PATHS else {}
    waiting = [top]
    while waiting and len(values) < _MOST_VALUES:
        element = waiting.pop()
        for value in (element.text, *element.attrib.values()):
            if value and value.strip():
                _add(report.went, path, value)
        if element is not top and element.tail and element.tail.strip():
            _add(report.went, path, element.tail)
        waiting += reversed(element)
