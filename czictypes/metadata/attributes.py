"""Custom attributes: key and value pairs with types."""

from __future__ import annotations

from typing import Union

from czictypes.metadata.fields import Node, NodeSource, root_node

__all__ = ["CustomValue", "custom_attribute", "custom_attributes"]

CustomValue = Union[bool, int, float, str]

_PATH = "Metadata/Information/CustomAttributes/KeyValue"


def custom_attributes(source: NodeSource) -> dict[str, CustomValue] | None:
    """Return the custom attributes by key; None when the document has no list of them.

    The ``Type`` attribute decides: Boolean, Int32, Double and Float, String. A value that its
    type does not fit, or a type that is none of these, is returned as the text it is, with a
    warning. When a key stands twice the first one counts, as in libCZI.
    """
    list_node = root_node(source).child(_PATH)
    if list_node.element is None:
        return None
    found: dict[str, CustomValue] = {}
    for element in list_node.element:
        if isinstance(element.tag, str) and element.tag not in found:
            found[element.tag] = _value(Node(element, f"{list_node.path}/{element.tag}"))
    return found


def custom_attribute(source: NodeSource, key: str) -> CustomValue | None:
    """Return one custom attribute; None when there is none with that key."""
    node = root_node(source).child(_PATH).child(key)
    return _value(node) if node else None


def _value(node: Node) -> CustomValue:
    kind = node.attribute("Type")
    value: CustomValue | None = None
    if kind == "Boolean":
        value = node.boolean()
    elif kind == "Int32":
        value = node.integer()
    elif kind in ("Double", "Float"):
        value = _floating(node)
    elif kind not in ("String", None):
        node.warn(f"{node.path} has the unknown type {kind!r}; it is taken as text")
    return node.raw_text() or "" if value is None else value


def _floating(node: Node) -> float | None:
    # Unlike other fields, a custom attribute may be meant to be infinite or no number.
    text = (node.text() or "").lower()
    return float(text) if text.lstrip("+-") in ("nan", "inf", "infinity") else node.number()
