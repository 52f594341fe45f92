"""Single fields of an element tree: numbers, dates, colours; read, and put into a new tree.

A malformed field is a warning.
"""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from datetime import datetime, timedelta, timezone
from typing import Callable, TypeVar, Union

from czictypes.metadata.xml import XmlSource, check_text, parse
from czictypes.model.errors import MetadataWarning
from czictypes.model.options import Rgb8Color
from czictypes.model.public import warn_caller

_T = TypeVar("_T")

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,12}))?\s*(Z|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
_COLOR = re.compile(r"#(?:[0-9A-Fa-f]{2})?([0-9A-Fa-f]{2})([0-9A-Fa-f]{2})([0-9A-Fa-f]{2})")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_UNKNOWN_NUMBER = re.compile(r"[+-]?(?:nan|inf(?:inity)?|n/a)|", re.IGNORECASE)
_WAVELENGTH = r"(\d+\.?\d*|\.\d+)?"
_RANGE = re.compile(rf"{_WAVELENGTH}\s*(-)?\s*{_WAVELENGTH}", re.ASCII)
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


class Node:
    """An element, which may be absent, with the path that names it in a warning.

    Every lookup on an absent node gives another absent node or None, so a value deep in the
    tree takes one line to reach. A text that is not of the wanted form gives None and a warning.

    Parameters
    ----------
    element
        The element; None for one that is not there.
    path
        Its place: names from the root on with slashes between.
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
        return self._parsed(path, value, _number, "a number")

    def integer(self, path: str = "") -> int | None:
        """Return a whole number; ``5.0`` counts as one."""
        return self._parsed(path, self.text(path), _whole, "a whole number")

    def integer_attribute(self, name: str) -> int | None:
        """Return an attribute that is a whole number."""
        return self._parsed(f"@{name}", self.attribute(name), _whole, "a whole number")

    def boolean(self, path: str = "") -> bool | None:
        """Return ``true`` or ``false``, ``1`` or ``0``; upper and lower case are equal."""
        return self._parsed(
            path, self.text(path), lambda text: _BOOLEANS[text.lower()], "true or false"
        )

    def moment(self, path: str = "") -> datetime | None:
        """Return a point in time; the year 1 in a file means unknown, so None."""
        return self._parsed(path, self.text(path), parse_datetime, "a date and time")

    def pair(self, path: str = "") -> tuple[float, float] | None:
        """Return two numbers separated by a comma."""
        return self._parsed(path, self.text(path), _pair, "two numbers with a comma between")

    def numbers(self, path: str = "") -> list[float] | None:
        """Return numbers separated by white space."""
        return self._parsed(path, self.text(path), _numbers, "a list of numbers")

    def points(self, path: str = "", size: int = 2) -> list[tuple[float, ...]] | None:
        """Return points such as ``"1,2 3.5,4"``, each of `size` numbers."""
        return self._parsed(
            path, self.text(path), lambda text: _points(text, size), "a list of points"
        )

    def ranges(self, path: str = "") -> list[tuple[float | None, float | None]] | None:
        """Return ranges such as ``"430.5,440-,500-550"``; an end that is open is None."""
        value = self.text(path)
        if value is None or _UNKNOWN_NUMBER.fullmatch(value):
            return None
        return self._parsed(path, value, _ranges, "a list of ranges")

    def color(self, path: str = "Color") -> Rgb8Color | None:
        """Return a colour."""
        return self.converted(path, parse_color)

    def converted(self, path: str, convert: Callable[[str], _T]) -> _T | None:
        """Return the value that a function makes of the text, or warn of its ValueError."""
        value = self.text(path)
        if value is None:
            return None
        try:
            return convert(value)
        except ValueError as error:
            self.warn(f"{self.path}/{path}: {error}; it is taken as missing")
            return None

    def _parsed(
        self, path: str, value: str | None, parse: Callable[[str], _T], wanted: str
    ) -> _T | None:
        if value is None:
            return None
        try:
            return parse(value)
        except (ValueError, KeyError):
            where = f"{self.path}/{path}" if path else self.path
            shown = value if len(value) <= 60 else value[:57] + "..."
            self.warn(f"{where} is {shown!r}, which is not {wanted}; it is taken as missing")
            return None

    @staticmethod
    def warn(message: str) -> None:
        """Warn of a field that cannot be understood."""
        warn_caller(f"metadata: {message}", MetadataWarning)


#: The forms of XML that reading functions take: any of `XmlSource`, or a node of a parsed tree.
NodeSource = Union[XmlSource, Node]


def root_node(source: NodeSource, name: str = "ImageDocument") -> Node:
    """Return the root of the XML; an absent node without XML, or if the root has another name.

    Raises a CorruptFileError for XML that is not well-formed.
    """
    if isinstance(source, Node):
        return source
    root = parse(source)
    if root.tag == name:
        return Node(root, name)
    if len(root):
        Node.warn(f"the root element is {root.tag!r}, not {name!r}; its content is not read")
    return Node(None, name)


def _named(element: ET.Element, name: str) -> filter[ET.Element]:
    return filter(lambda child: child.tag == name, element)


def _number(text: str) -> float:
    number = float(text) if _NUMBER.fullmatch(text) else math.inf
    if math.isinf(number):
        raise ValueError
    return number


def _whole(text: str) -> int:
    number = _number(text)
    if len(text) > 40 or not number.is_integer():
        raise ValueError
    return int(text) if text.lstrip("+-").isdigit() else int(number)


def _pair(text: str) -> tuple[float, float]:
    first, second = text.split(",")
    return _number(first.strip()), _number(second.strip())


def _numbers(text: str) -> list[float]:
    return [_number(part) for part in text.split()]


def _points(text: str, size: int) -> list[tuple[float, ...]]:
    points = [tuple(map(_number, part.split(","))) for part in text.split()]
    if any(len(point) != size for point in points):
        raise ValueError
    return points


def _ranges(text: str) -> list[tuple[float | None, float | None]]:
    found = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        low, dash, high = match.groups() if match else (None, None, None)
        both = low is not None and high is not None
        if (low is None and high is None) or (both and dash is None):
            raise ValueError
        ends = [None if end is None else float(end) for end in (low, high)]
        found.append((ends[0], ends[1] if dash else ends[0]))
    return found


def parse_datetime(text: str) -> datetime | None:
    """Return the point in time, or None for the year 1, which stands for "unknown".

    With an offset or a ``Z`` the result has a time zone; otherwise it is naive. Digits beyond the
    microsecond are cut off. Other text raises a ValueError.
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


def parse_color(text: str) -> Rgb8Color:
    """Return the colour in ``#AARRGGBB`` (alpha is ignored, as in ZEN) or ``#RRGGBB``.

    Other text raises a ValueError.
    """
    match = _COLOR.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a colour such as #FF00FF33")
    red, green, blue = (int(part, 16) for part in match.groups())
    return Rgb8Color(red, green, blue)


def format_color(color: Rgb8Color) -> str:
    """Return ``#FFRRGGBB``; raise a ValueError for a component beyond 0..255."""
    parts = [int(color.r), int(color.g), int(color.b)]
    if any(not 0 <= part <= 255 for part in parts):
        raise ValueError(f"{color} is not a colour: its components go from 0 to 255")
    return "#FF" + "".join(f"{part:02X}" for part in parts)


# The value of a field; None leaves the field out.
_Value = Union[bool, int, float, str, datetime, tuple[float, float], None]


def ensure(parent: ET.Element, path: str) -> ET.Element:
    """Return the first descendant at a path of names, adding what is missing of it."""
    element = parent
    for name in path.split("/"):
        found = next((child for child in element if child.tag == name), None)
        element = ET.SubElement(element, name) if found is None else found
    return element


def put(parent: ET.Element, path: str, value: _Value) -> None:
    """Set the text of the element at a path; None changes nothing.

    Raises a ValueError for a character that XML cannot store, and for an element that has child
    elements.
    """
    if value is not None:
        set_text(ensure(parent, path), _format(value), path)


def set_name(element: ET.Element, name: str | None, owner: str) -> None:
    """Set the ``Name`` attribute of an element, which `owner` names in an error; None leaves it."""
    if name:
        element.set("Name", check_text(name, f"the name of {owner}"))


def set_text(element: ET.Element, text: str, what: str) -> None:
    """Replace the text of an element, which `what` names in an error; raise as `put` does."""
    if any(isinstance(child.tag, str) for child in element):
        raise ValueError(f"{what} cannot be set: the element <{element.tag}> holds other elements")
    for comment in list(element):
        element.remove(comment)
    element.text = check_text(text, what)


def _format(value: _Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format_number(value)
    if isinstance(value, datetime):
        return format_datetime(value)
    if isinstance(value, tuple):
        return ",".join(format_number(number) for number in value)
    return str(value)


def format_number(value: float) -> str:
    """Return the text of a number: 15 digits as libCZI writes, more if these would round it."""
    number = float(value)
    short = f"{number:.15g}"
    if math.isfinite(number) and float(short) != number:
        return repr(number)
    return short
