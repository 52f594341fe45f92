"""Single fields of an element tree: numbers, dates, colours; a malformed one is a warning."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import datetime, timedelta, timezone
from typing import Union

from czictypes.metadata.xml import XmlSource, parse
from czictypes.model.defence import warn_caller
from czictypes.model.errors import MetadataWarning
from czictypes.model.options import Rgb8Color

__all__ = [
    "Node",
    "NodeSource",
    "format_color",
    "format_datetime",
    "parse_color",
    "parse_datetime",
    "read_color",
    "root_node",
]


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


_COLOR = re.compile(r"#(?:[0-9A-Fa-f]{2})?([0-9A-Fa-f]{2})([0-9A-Fa-f]{2})([0-9A-Fa-f]{2})")


def parse_color(text: str) -> Rgb8Color:
    """Return the colour in ``#AARRGGBB`` (alpha is ignored, as ZEN does) or ``#RRGGBB``.

    Raises
    ------
    ValueError
        The text is no such colour.
    """
    match = _COLOR.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a colour such as #FF00FF33")
    red, green, blue = (int(part, 16) for part in match.groups())
    return Rgb8Color(red, green, blue)


def format_color(color: Rgb8Color) -> str:
    """Return ``#FFRRGGBB``.

    Raises
    ------
    ValueError
        A component is not within 0..255.
    """
    parts = [int(color.r), int(color.g), int(color.b)]
    if any(not 0 <= part <= 255 for part in parts):
        raise ValueError(f"{color} is not a colour: its components go from 0 to 255")
    return "#FF" + "".join(f"{part:02X}" for part in parts)


def read_color(node: Node, path: str = "Color") -> Rgb8Color | None:
    """Return the colour in a child element; None, with a warning, where it is malformed."""
    text = node.text(path)
    if text is None:
        return None
    try:
        return parse_color(text)
    except ValueError as error:
        node.warn(f"{node.path}/{path}: {error}; it is taken as missing")
        return None


_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_UNKNOWN_NUMBER = re.compile(r"[+-]?(?:nan|inf(?:inity)?|n/a)|", re.IGNORECASE)
_WAVELENGTH = r"(\d+\.?\d*|\.\d+)?"
_RANGE = re.compile(rf"{_WAVELENGTH}\s*(-)?\s*{_WAVELENGTH}", re.ASCII)
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


class Node:
    """An element, which may be absent, with the path that names it in a warning.

    Every lookup on an absent node gives another absent node or None, so a value deep in the
    tree takes one line to reach.

    Parameters
    ----------
    element
        The element; None for one that is not there.
    path
        Where it is, names from the root on with slashes between.
    """

    __slots__ = ("element", "path")

    def __init__(self, element: ET.Element | None, path: str) -> None:
        self.element = element
        self.path = path

    def __bool__(self) -> bool:
        """Return whether the element is there."""
        return self.element is not None

    def child(self, path: str) -> Node:
        """Return the first descendant at a path of names, ``"Image/SizeX"``."""
        element = self.element
        for name in path.split("/"):
            element = next(_named(element, name), None) if element is not None else None
        return Node(element, f"{self.path}/{path}")

    def children(self, name: str) -> list[Node]:
        """Return all children of that name in file order."""
        if self.element is None:
            return []
        return [
            Node(element, f"{self.path}/{name}[{position}]")
            for position, element in enumerate(_named(self.element, name))
        ]

    def attribute(self, name: str) -> str | None:
        """Return an attribute's text without white space around it; None when empty."""
        value = self.element.get(name) if self.element is not None else None
        return (value.strip() or None) if value else None

    def raw_text(self, path: str = "") -> str | None:
        """Return the text of an element exactly as stored, ``""`` when it is empty."""
        node = self.child(path) if path else self
        return (node.element.text or "") if node.element is not None else None

    def text(self, path: str = "") -> str | None:
        """Return the text of an element without white space around it; None when empty."""
        value = self.raw_text(path)
        return (value.strip() or None) if value else None

    def number(self, path: str = "") -> float | None:
        """Return a finite number; ``NaN`` in a file means unknown, so None."""
        value = self.text(path)
        if value is None or _UNKNOWN_NUMBER.fullmatch(value):
            return None
        if _NUMBER.fullmatch(value):
            number = float(value)
            if abs(number) != float("inf"):
                return number
        self._malformed(path, value, "a number")
        return None

    def integer(self, path: str = "") -> int | None:
        """Return a whole number; ``5.0`` counts as one."""
        return self._whole(path, self.text(path))

    def integer_attribute(self, name: str) -> int | None:
        """Return an attribute that is a whole number."""
        return self._whole(f"@{name}", self.attribute(name))

    def _whole(self, path: str, value: str | None) -> int | None:
        if value is None:
            return None
        if _NUMBER.fullmatch(value) and len(value) <= 40:
            if value.lstrip("+-").isdigit():
                return int(value)
            number = float(value)
            if number.is_integer():
                return int(number)
        self._malformed(path, value, "a whole number")
        return None

    def boolean(self, path: str = "") -> bool | None:
        """Return ``true`` or ``false``, ``1`` or ``0``, upper and lower case taken as equal."""
        value = self.text(path)
        if value is None:
            return None
        if value.lower() in _BOOLEANS:
            return _BOOLEANS[value.lower()]
        self._malformed(path, value, "true or false")
        return None

    def moment(self, path: str = "") -> datetime | None:
        """Return a point in time; the year 1 in a file means unknown, so None."""
        value = self.text(path)
        if value is None:
            return None
        try:
            return parse_datetime(value)
        except ValueError:
            self._malformed(path, value, "a date and time")
            return None

    def pair(self, path: str = "") -> tuple[float, float] | None:
        """Return two numbers separated by a comma."""
        value = self.text(path)
        if value is None:
            return None
        parts = [part.strip() for part in value.split(",")]
        if len(parts) == 2 and all(_NUMBER.fullmatch(part) for part in parts):
            return float(parts[0]), float(parts[1])
        self._malformed(path, value, "two numbers with a comma between")
        return None

    def numbers(self, path: str = "") -> list[float] | None:
        """Return numbers separated by white space."""
        value = self.text(path)
        if value is None:
            return None
        parts = value.split()
        if all(_NUMBER.fullmatch(part) for part in parts):
            return [float(part) for part in parts]
        self._malformed(path, value, "a list of numbers")
        return None

    def points(self, path: str = "", size: int = 2) -> list[tuple[float, ...]] | None:
        """Return points such as ``"1,2 3.5,4"``, each of `size` numbers."""
        value = self.text(path)
        if value is None:
            return None
        points = [part.split(",") for part in value.split()]
        if all(
            len(point) == size and all(_NUMBER.fullmatch(one) for one in point) for point in points
        ):
            return [tuple(map(float, point)) for point in points]
        self._malformed(path, value, "a list of points")
        return None

    def ranges(self, path: str = "") -> list[tuple[float | None, float | None]] | None:
        """Return ranges such as ``"430.5,440-,500-550"``; an end that is open is None."""
        value = self.text(path)
        if value is None or _UNKNOWN_NUMBER.fullmatch(value):
            return None
        found = []
        for part in value.split(","):
            match = _RANGE.fullmatch(part.strip())
            if match is None or match.group(1) is match.group(3) is None:
                self._malformed(path, value, "a list of ranges")
                return None
            low, dash, high = match.groups()
            if (low is not None and high is not None) and dash is None:
                self._malformed(path, value, "a list of ranges")
                return None
            ends = [None if end is None else float(end) for end in (low, high)]
            found.append((ends[0], ends[1] if dash else ends[0]))
        return found

    def _malformed(self, path: str, value: str, wanted: str) -> None:
        where = f"{self.path}/{path}" if path else self.path
        shown = value if len(value) <= 60 else value[:57] + "..."
        self.warn(f"{where} is {shown!r}, which is not {wanted}; it is taken as missing")

    @staticmethod
    def warn(message: str) -> None:
        """Say what could not be understood."""
        warn_caller(f"metadata: {message}", MetadataWarning)


#: What reading functions take: XML in any form, or a node of a tree parsed before.
NodeSource = Union[XmlSource, Node]


def root_node(source: NodeSource, name: str = "ImageDocument") -> Node:
    """Return the root of the XML; an absent node when there is no XML, or another root's.

    Raises
    ------
    CorruptFileError
        The XML is not well-formed.
    """
    if isinstance(source, Node):
        return source
    root = parse(source)
    if root.tag != name:
        if not len(root):
            return Node(None, name)
        Node.warn(f"the root element is {root.tag!r}, not {name!r}; its content is not read")
        return Node(None, name)
    return Node(root, name)


def _named(element: ET.Element, name: str) -> filter[ET.Element]:
    return filter(lambda child: child.tag == name, element)
