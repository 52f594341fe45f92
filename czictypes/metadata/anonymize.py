"""Take out of a document's XML what tells who took the image, when, and on which computer."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from typing import NamedTuple

from czictypes.metadata.sensitive import (
    HISTORY_NAMES,
    PERSON_NAMES,
    is_sensitive,
    is_time_id,
    local_name,
    names_in,
)
from czictypes.metadata.serialize import to_bytes, to_string
from czictypes.metadata.xml import XmlSource, parse, to_text
from czictypes.model.errors import CorruptFileError

__all__ = ["Anonymized", "Anonymizer", "anonymize_document"]

_DEEPEST = 4  # levels of XML within the text of XML; ZEN has one


class Anonymized(NamedTuple):
    """XML without what identifies, and what was taken out.

    Parameters
    ----------
    xml
        The XML as it is to be stored.
    removed
        The paths of elements and (with ``@``) attributes that were removed, emptied or
        renumbered, each once, sorted.
    """

    xml: bytes
    removed: list[str]


def anonymize_document(source: XmlSource, also: Iterable[str] = ()) -> Anonymized:
    """Return a document's XML without user names, dates, computers' names and file paths.

    See `Anonymizer`, which also does the sub-blocks that belong to the document.
    """
    return Anonymizer(also).document(source)


class Anonymizer:
    """Anonymises the XML of one document and of its sub-blocks.

    Removed are the elements that name users and computers, the history of processing steps,
    every value that is or holds a date or the path of a file, and every value that holds a name
    found in one of those places. Identifiers that are clock readings (ZEN numbers regions so)
    are renumbered, equal ones alike. XML within text is treated in the same way. Positions,
    optics and pixels' values stay.

    Parameters
    ----------
    also
        More words that must not stay, such as the name of a patient or a project.
    """

    def __init__(self, also: Iterable[str] = ()) -> None:
        self._words = {word.lower() for word in also if word.strip()}
        self._names: re.Pattern[str] | None = None
        self._numbers: dict[str, str] = {}

    def document(self, source: XmlSource) -> Anonymized:
        """Return the document's XML without what identifies.

        Raises
        ------
        CorruptFileError
            The XML is not well-formed.
        """
        root = _copy(source)
        self._words |= names_in(root)
        self._names = None
        return self._anonymized(root)

    def subblock(self, source: XmlSource) -> Anonymized:
        """Return a sub-block's XML without what identifies; do the document first.

        Raises
        ------
        CorruptFileError
            The XML is not well-formed.
        """
        if not isinstance(source, ET.Element) and not to_text(source).strip():
            return Anonymized(b"", [])
        return self._anonymized(_copy(source))

    def _anonymized(self, root: ET.Element) -> Anonymized:
        if self._names is None:
            self._names = _any_of(self._words)
        removed: set[str] = set()
        self._clean(root, removed, 0)
        return Anonymized(to_bytes(root), sorted(removed))

    def _clean(self, root: ET.Element, removed: set[str], depth: int) -> None:
        """Clean a tree; `depth` counts how often XML lay within text around it."""
        self._clean_text(root, root.tag, removed, depth)
        stack = [(root, root.tag)]
        while stack:
            element, path = stack.pop()
            self._clean_attributes(element, path, removed, depth)
            kept = []
            for child in list(element):
                if not isinstance(child.tag, str):
                    element.remove(child)  # a comment may say anything
                    removed.add(f"{path}/comment()")
                elif self._clean_child(child, f"{path}/{child.tag}", removed, depth):
                    kept.append((child, f"{path}/{child.tag}"))
                else:
                    element.remove(child)
            stack.extend(reversed(kept))

    def _clean_child(self, child: ET.Element, path: str, removed: set[str], depth: int) -> bool:
        """Clean the text of an element; whether the element stays."""
        name = local_name(child.tag)
        filled = len(child) > 0 or bool((child.text or "").strip())
        if name in HISTORY_NAMES or (filled and (name in PERSON_NAMES or name == "user")):
            removed.add(path)
            return False
        if not self._clean_text(child, path, removed, depth):
            return True
        return child.text is not None or len(child) > 0 or bool(child.attrib)

    def _clean_text(self, element: ET.Element, path: str, removed: set[str], depth: int) -> bool:
        """Clean an element's text and the text behind it; whether something was changed."""
        changed = False
        for where in ("text", "tail"):
            value = getattr(element, where)
            cleaned = self._cleaned(value, depth) if value else value
            if cleaned != value:
                setattr(element, where, cleaned)
                removed.add(path)
                changed = True
        return changed

    def _clean_attributes(
        self, element: ET.Element, path: str, removed: set[str], depth: int
    ) -> None:
        is_user = local_name(element.tag) == "user"
        for name, value in list(element.attrib.items()):
            personal = local_name(name) in PERSON_NAMES or (is_user and local_name(name) != "id")
            text = None if personal and value.strip() else self._cleaned(value, depth)
            if text is None:
                del element.attrib[name]
            else:
                element.set(name, text)
            if text != value:
                removed.add(f"{path}/@{name}")

    def _cleaned(self, text: str, depth: int) -> str | None:
        """Return a value as it may stay; None when nothing of it may."""
        if is_time_id(text):
            return self._numbers.setdefault(text.strip(), str(len(self._numbers) + 1))
        named = self._names is not None and self._names.search(text) is not None
        if not named and not is_sensitive(text):
            return text
        if depth >= _DEEPEST or not text.lstrip().startswith("<"):
            return None
        try:
            inner = parse(text)
        except CorruptFileError:
            return None
        self._clean(inner, set(), depth + 1)
        return to_string(inner)


def _copy(source: XmlSource) -> ET.Element:
    root = parse(source)
    return parse(to_string(root)) if isinstance(source, ET.Element) else root


def _any_of(words: set[str]) -> re.Pattern[str] | None:
    if not words:
        return None
    choices = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.compile(rf"(?<!\w)(?:{choices})(?!\w)", re.IGNORECASE)
