"""Find, add and fill elements of a tree that is being written."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from datetime import datetime
from typing import Union

from czictypes.metadata.fields import format_datetime
from czictypes.metadata.xml import check_text

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
