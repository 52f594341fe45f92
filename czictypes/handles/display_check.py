"""The look at a document's display settings that keeps libCZI from crashing on them.

libCZI gives an object also where there are no settings, and dies when that is used; black and
white points far outside of 0 to 1 make its look-up tables grow without bound.
"""

from __future__ import annotations

from xml.etree import ElementTree

from czictypes.model.errors import UnsupportedDataError

__all__ = ["count_display_channels"]

# a look-up table has (white - black) * 65536 elements or so
_LOWEST, _HIGHEST = -1.0, 2.0

# the spline through n points takes a dense matrix of n * n numbers
_MOST_POINTS = 256


def count_display_channels(xml: bytes) -> int | None:
    """Return how many channels have display settings; None where libCZI would find no settings.

    In doubt it is None: where the XML could mean one thing to libCZI's parser and another to
    Python's.

    Raises
    ------
    UnsupportedDataError
        When a value is out of what libCZI can stand.
    """
    if b"<!DOCTYPE" in xml:  # entities: expanded here, not by libCZI
        return None
    try:
        # libCZI takes every document for UTF-8, whatever its declaration says; so does text here
        node: ElementTree.Element | None = ElementTree.fromstring(xml.decode("utf-8-sig"))
    except (ElementTree.ParseError, UnicodeDecodeError, ValueError):
        return None
    if node is None or node.tag != "ImageDocument":
        return None
    for name in ("Metadata", "DisplaySetting", "Channels"):
        node = _first(node, name)
        if node is None:
            return None
    channels = [child for child in node if child.tag == "Channel"]
    for index, channel in enumerate(channels):
        _check(channel, index)
    return len(channels)


def _first(node: ElementTree.Element, name: str) -> ElementTree.Element | None:
    """Return the first child of that name, as libCZI does: it never looks at a second one."""
    return next((child for child in node if child.tag == name), None)


def _check(channel: ElementTree.Element, index: int) -> None:
    for name in ("Low", "High"):
        node = _first(channel, name)
        text = (node.text or "").strip() if node is not None else ""
        if text and not _is_moderate(text):
            raise UnsupportedDataError(
                f"display settings of channel {index}: {name} is {text!r}, "
                "where a number from 0 to 1 is due"
            )
    points = _first(channel, "Points")
    if points is not None and (points.text or "").count(",") > _MOST_POINTS:
        raise UnsupportedDataError(
            f"display settings of channel {index}: a curve of more than {_MOST_POINTS} points"
        )


def _is_moderate(text: str) -> bool:
    # hexadecimal and the like are numbers to C only, digits with underscores to Python only
    if not set(text) <= set("0123456789+-.eE"):
        return False
    try:
        return _LOWEST <= float(text) <= _HIGHEST
    except ValueError:
        return False
