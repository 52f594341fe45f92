"""XML as an element tree, a dictionary or text, whatever state the stored bytes are in."""

from __future__ import annotations

import codecs
import re
import xml.etree.ElementTree as ET
from typing import Any, Callable, TypeVar, Union
from xml.parsers import expat

from czictypes.model.errors import CorruptFileError, MetadataWarning
from czictypes.model.public import warn_caller

#: XML as the functions of this floor take it; None and empty text count as "no metadata".
XmlSource = Union[bytes, bytearray, memoryview, str, ET.Element, None]

_Result = TypeVar("_Result")

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
# Encodings that an ASCII-readable declaration may truly name; the rest counts as UTF-8.
_DECLARED_ENCODING = re.compile(
    rb"""\s*<\?xml[^>]*?\bencoding\s*=\s*["']"""
    rb"""((?:us-)?ascii|iso-8859-\d{1,2}|latin-?1|windows-\d{3,4}|cp\d{3,4}|shift_jis|gb\w{4,5})["']""",
    re.IGNORECASE | re.ASCII,
)
_SURROGATE = re.compile("[\ud800-\udfff]")
# XML 1.0 allows tab, line feed, carriage return and what is not listed here.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_CHARACTER_REFERENCE = re.compile(r"&#(?:x([0-9A-Fa-f]{1,8})|([0-9]{1,10}));")

# An element to open and its level, or text that is ready to be written.
_Job = Union[tuple[ET.Element, int], str]


def to_text(data: bytes | bytearray | memoryview | str | None) -> str:
    """Return the text of stored XML without a byte order mark, up to the first NUL.

    The encoding is that of a byte order mark, else of the XML declaration, else UTF-8. Bytes
    that do not fit it become U+FFFD, with a `MetadataWarning`.
    """
    if isinstance(data, str):
        text = _SURROGATE.sub("\ufffd", data[1:] if data.startswith("\ufeff") else data)
    elif data is None or isinstance(data, (bytes, bytearray, memoryview)):
        text = _decode_bytes(bytes(data or b""))
    else:  # bytes(2**31) would be as many bytes
        raise TypeError(f"XML is text or bytes, not {type(data).__name__}")
    return text.partition("\0")[0]


def _decode_bytes(data: bytes) -> str:
    encoding = "utf-8"
    for mark, name in _BOMS:
        if data.startswith(mark):
            encoding = name
            data = data[len(mark) :] if b"<" not in mark else data
            break
    else:
        declared = _DECLARED_ENCODING.match(data[:200])
        if declared:
            encoding = declared.group(1).decode("ascii")
    try:
        return data.decode(encoding)
    except LookupError:
        return data.decode("utf-8", "replace")
    except UnicodeDecodeError as error:
        warn_caller(
            f"the metadata XML is not valid {encoding} at byte {error.start}; "
            "what cannot be decoded is replaced by U+FFFD",
            MetadataWarning,
        )
        return data.decode(encoding, "replace")


def parse(source: XmlSource) -> ET.Element:
    """Return the root element of an XML document; an empty one without XML.

    Names keep their namespace prefixes as written (``xsi:type``), comments and processing
    instructions within the root stay in the tree: what is not edited is written back as it was.
    Raises a CorruptFileError for text that is not well-formed, or has a document type definition
    (no CZI has one; refusing it keeps entity expansion out).
    """
    if isinstance(source, ET.Element):
        return source
    text = _root_text(source)
    return _repairing(text, _build_tree) if text else ET.Element("ImageDocument")


def to_dict(source: XmlSource) -> dict[str, Any]:
    """Return the XML as nested dictionaries in the form that xmltodict gives; empty without XML.

    Attributes have keys that begin with ``@``, the text beside attributes is ``#text``, and
    repeated elements are lists. Every value is a string or None. Raises as `parse` does.
    """
    import xmltodict  # only here, and costs as much as the rest of the floor together

    if isinstance(source, ET.Element):
        source = to_string(source)

    text = _root_text(source)
    found: dict[str, Any] = _repairing(text, xmltodict.parse) if text else {}
    return found


def _root_text(source: bytes | bytearray | memoryview | str | None) -> str:
    """Return the text from the root element on; what may come before it carries no content."""
    text = to_text(source).strip()
    position = 0
    while text.startswith(("<?", "<!--"), position):
        ending = "?>" if text.startswith("<?", position) else "-->"
        end = text.find(ending, position + 2)
        if end < 0:
            break
        position = end + len(ending)
        while text[position : position + 1].isspace():
            position += 1
    if text[position : position + 9].upper() == "<!DOCTYPE":
        raise CorruptFileError(
            "the metadata XML has a document type definition (<!DOCTYPE ...>), which no CZI "
            "has and which is refused because entities in it can expand without bound"
        )
    return text[position:]


def _repairing(text: str, build: Callable[[str], _Result]) -> _Result:
    """Build from the text; if that fails, once more without characters that XML forbids."""
    try:
        return build(text)
    except expat.ExpatError as error:
        failure: expat.ExpatError | None = error
    cleaned = _cleaned(text)
    if cleaned != text:
        try:
            result = build(cleaned)
        except expat.ExpatError as error:
            failure = error
        else:
            warn_caller(
                "the metadata XML holds characters that XML does not allow; "
                "they are replaced by U+FFFD",
                MetadataWarning,
            )
            return result
    raise CorruptFileError(f"the metadata XML is not well-formed: {failure}") from failure


def recovered_xml(data: bytes) -> bytes | None:
    """Return XML of a damaged file as well-formed XML; None if it cannot be made so.

    It stays as it is if it is well-formed. Otherwise U+FFFD replaces what cannot be text.
    """
    whole = data
    if not _is_utf8(data) and not data.startswith(tuple(mark for mark, _ in _BOMS)):
        whole = data.decode("utf-8", "replace").encode()
    try:
        text = _root_text(whole)
    except CorruptFileError:
        return None
    if text and _is_well_formed(text):
        return whole
    cleaned = _cleaned(text)
    return cleaned.encode() if cleaned != text and _is_well_formed(cleaned) else None


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return bool(_DECLARED_ENCODING.match(data[:200]))
    return True


def _is_well_formed(text: str) -> bool:
    """Parse a text without making a tree, which would be several times its size."""
    try:
        expat.ParserCreate("utf-8").Parse(text.encode("utf-8"), True)
    except expat.ExpatError:
        return False
    return True


def storable(text: str) -> str:
    """Return the text with U+FFFD for every character that XML cannot store."""
    return _ILLEGAL.sub("\ufffd", text)


def check_text(text: str, what: str) -> str:
    """Return the text; raise a ValueError that names `what` if XML cannot store it."""
    bad = _ILLEGAL.search(text)
    if bad:
        raise ValueError(
            f"{what} holds the character {bad.group(0)!r} at position {bad.start()}, "
            "which XML cannot store; remove it"
        )
    return text


def _cleaned(text: str) -> str:
    return _CHARACTER_REFERENCE.sub(_legal_reference, storable(text))


def _legal_reference(match: re.Match[str]) -> str:
    code = int(match.group(1), 16) if match.group(1) else int(match.group(2))
    legal = code <= 0x10FFFF and not _ILLEGAL.match(chr(code))
    return match.group(0) if legal else "\ufffd"


def _build_tree(text: str) -> ET.Element:
    # xml.etree's own parser rewrites prefixes into namespaces and loses declarations that
    # only values refer to; expat without a namespace separator leaves them alone.
    builder = ET.TreeBuilder(insert_comments=True, insert_pis=True)
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.CommentHandler = builder.comment
    parser.ProcessingInstructionHandler = builder.pi
    parser.Parse(text.encode("utf-8"), True)
    root: ET.Element = builder.close()
    return root


def to_bytes(root: ET.Element) -> bytes:
    """Return the tree as UTF-8, ready to be stored in a metadata segment."""
    return to_string(root).encode("utf-8")


def to_string(root: ET.Element, *, indent: bool = False) -> str:
    """Return the tree as libCZI stores it: compact, without a declaration.

    Names are written as they are (see `parse` on prefixes). With `indent` each element gets a
    line of its own, two spaces deeper than its parent; elements with text of their own beside
    child elements are left as they are.
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
    text = element.text or ""
    if tag is ET.Comment or tag is ET.ProcessingInstruction:
        parts.append(f"<!--{text}-->" if tag is ET.Comment else f"<?{text}?>")
        return
    attributes = "".join(
        f' {name}="{_escaped_attribute(value)}"' for name, value in element.items()
    )
    if not text and not len(element):
        parts.append(f"<{tag}{attributes} />")
        return
    parts.append(f"<{tag}{attributes}>")
    laid_out = level >= 0 and len(element) > 0 and not _has_text(element)
    if not laid_out:
        parts.append(_escaped(text))
    jobs.append(f"{_new_line(level)}</{tag}>" if laid_out else f"</{tag}>")
    for child in reversed(element):
        if not laid_out:
            jobs.append(_escaped(child.tail or ""))
        jobs.append((child, level + 1 if laid_out else -1))
        if laid_out:
            jobs.append(_new_line(level + 1))


def _escaped(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("\r", "&#13;")


def _escaped_attribute(text: str) -> str:
    return _escaped(text).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")


def _has_text(element: ET.Element) -> bool:
    texts = [element.text, *(child.tail for child in element)]
    return any(text and not text.isspace() for text in texts)


def _new_line(level: int) -> str:
    return "\n" + "  " * level
