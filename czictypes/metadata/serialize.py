"""Write an element tree as text the way libCZI stores it: compact, without a declaration."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Union

__all__ = ["check_text", "to_bytes", "to_string"]

_TEXT = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
_ATTRIBUTE = {**_TEXT, '"': "&quot;", "\n": "&#10;", "\t": "&#9;"}
_TEXT_SPECIAL = re.compile("[&<>\r]")
_ATTRIBUTE_SPECIAL = re.compile('[&<>\r"\n\t]')
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# An element to open, or text that is ready to be written (an end tag and what follows it).
_Job = Union[tuple[ET.Element, int], str]


def check_text(text: str, what: str) -> str:
    """Return the text, or raise if XML cannot hold it.

    Raises
    ------
    ValueError
        The text has a control character or a lone surrogate; the message names `what`.
    """
    bad = _FORBIDDEN.search(text)
    if bad:
        raise ValueError(
            f"{what} holds the character {bad.group(0)!r} at position {bad.start()}, "
            "which XML cannot store; remove it"
        )
    return text


def to_bytes(root: ET.Element, *, indent: bool = False) -> bytes:
    """Return the tree as UTF-8, ready to be stored in a metadata segment."""
    return to_string(root, indent=indent).encode("utf-8")


def to_string(root: ET.Element, *, indent: bool = False) -> str:
    """Return the tree as text.

    Parameters
    ----------
    root
        The root element. Names are written as they are (see `xml.parse` on prefixes).
    indent
        Put each element on a line of its own, two spaces deeper than its parent. Elements with
        text of their own beside child elements are left as they are.
    """
    parts: list[str] = []
    jobs: list[_Job] = [(root, 0 if indent else -1)]
    while jobs:  # a stack of its own: depth in a file must not become recursion here
        job = jobs.pop()
        if isinstance(job, str):
            parts.append(job)
        else:
            _open(job[0], job[1], parts, jobs)
    return "".join(parts)


def _open(element: ET.Element, level: int, parts: list[str], jobs: list[_Job]) -> None:
    tag: object = element.tag  # a function for comments and processing instructions
    if tag is ET.Comment:
        parts.append(f"<!--{element.text or ''}-->")
        return
    if tag is ET.ProcessingInstruction:
        parts.append(f"<?{element.text or ''}?>")
        return
    attributes = "".join(
        f' {name}="{_ATTRIBUTE_SPECIAL.sub(_attribute, value)}"'
        for name, value in element.attrib.items()
    )
    text = element.text or ""
    if not text and not len(element):
        parts.append(f"<{tag}{attributes} />")
        return
    parts.append(f"<{tag}{attributes}>")
    laid_out = level >= 0 and len(element) > 0 and not _has_text(element)
    if not laid_out:
        parts.append(_TEXT_SPECIAL.sub(_character, text))
    jobs.append(f"{_new_line(level)}</{tag}>" if laid_out else f"</{tag}>")
    for child in reversed(element):
        if not laid_out:
            jobs.append(_TEXT_SPECIAL.sub(_character, child.tail or ""))
        jobs.append((child, level + 1 if laid_out else -1))
        if laid_out:
            jobs.append(_new_line(level + 1))


def _has_text(element: ET.Element) -> bool:
    pieces = [element.text, *(child.tail for child in element)]
    return any(piece and not piece.isspace() for piece in pieces)


def _new_line(level: int) -> str:
    return "\n" + "  " * level


def _character(match: re.Match[str]) -> str:
    return _TEXT[match.group(0)]


def _attribute(match: re.Match[str]) -> str:
    return _ATTRIBUTE[match.group(0)]
