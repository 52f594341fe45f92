"""Write custom attributes: ``Information/CustomAttributes/KeyValue``."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping

from czictypes.metadata.attributes import CustomValue
from czictypes.metadata.elements import ensure, format_number, set_text
from czictypes.metadata.serialize import check_text

__all__ = ["add_attributes", "check_attribute", "set_attribute"]

_LETTER = "A-Za-z_\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u3001-\ud7ff"
_NAME = re.compile(rf"[{_LETTER}][{_LETTER}0-9.\-\u00b7]*")
_INT32 = range(-(2**31), 2**31)


def check_attribute(key: str, value: object) -> tuple[str, str]:
    """Return the type's name and the text of a custom attribute.

    Raises
    ------
    ValueError
        The key is no XML name or begins with "xml", the value is none of bool, int, float and
        str, the integer does not fit into 32 bits, or the text has a forbidden character.
    """
    if not isinstance(key, str) or not _NAME.fullmatch(key) or key.lower().startswith("xml"):
        raise ValueError(
            f"{key!r} cannot be the key of a custom attribute: it must be the name of an XML "
            'element (a letter or "_", then letters, digits, ".", "-" or "_") that does not '
            'begin with "xml"'
        )
    if isinstance(value, bool):
        return "Boolean", "true" if value else "false"
    if isinstance(value, int):
        if value not in _INT32:
            raise ValueError(
                f"custom attribute {key!r}: {value} does not fit into the 32 bits of the "
                "format's integers; give it as a float or a str"
            )
        return "Int32", str(int(value))
    if isinstance(value, float):
        return "Double", format_number(value)
    if isinstance(value, str):
        return "String", check_text(value, f"custom attribute {key!r}")
    raise ValueError(
        f"custom attribute {key!r} is of type {type(value).__name__}; "
        "a value is a bool, int, float or str"
    )


def set_attribute(root: ET.Element, key: str, value: CustomValue) -> None:
    """Add or replace one custom attribute.

    Raises
    ------
    ValueError
        As for `check_attribute`; the tree is not changed.
    """
    kind, text = check_attribute(key, value)
    element = ensure(root, f"Metadata/Information/CustomAttributes/KeyValue/{key}")
    set_text(element, text, f"custom attribute {key!r}")
    element.set("Type", kind)


def add_attributes(root: ET.Element, attributes: Mapping[str, CustomValue]) -> None:
    """Add custom attributes sorted by key.

    Raises
    ------
    ValueError
        As for `check_attribute`; the tree is not changed.
    """
    for key, value in attributes.items():
        check_attribute(key, value)
    for key in sorted(attributes):
        set_attribute(root, key, attributes[key])
