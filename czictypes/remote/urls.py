"""Distinguish URLs from paths, and keep credentials out of names, messages and logs."""

from __future__ import annotations

import errno
import os
import re
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from czictypes.model.errors import FileAccessError, MissingFileError

#: A URL or a chain of URLs; group 1 is the protocol, of two letters at least: C:// is a drive.
URL = re.compile(r"(?:[A-Za-z0-9+.-]+::)*([A-Za-z][A-Za-z0-9+.-]+)://")

#: A URL that a Path has normalized (on Windows with backslashes), as bytes, or after a space.
_LOST = re.compile(
    r"\s*((?:https?|s3a?|gs|gcs|s?ftp|az|abfss?|webdavs?):)[/\\]+(?=[^/\\])", re.IGNORECASE
)


def is_url(target: Any) -> bool:
    """Return whether `target` is a string such as ``https://host/image.czi``."""
    return isinstance(target, str) and "://" in target and URL.match(target) is not None


def is_fsspec(target: Any) -> bool:
    """Return whether `target` is a UPath, an OpenFile, or an open file of fsspec.

    Raises
    ------
    TypeError
        If it is an OpenFile that is not for reading in binary mode.
    """
    kind = type(target)
    if kind is str:  # usual, and the rest takes as long as opening a file
        return False
    if hasattr(kind, "fs") and hasattr(kind, "storage_options"):  # UPath
        return True
    spec = sys.modules.get("fsspec.spec")
    if spec is not None and isinstance(target, spec.AbstractBufferedFile):
        return bool(target.mode == "rb" and not target.closed)
    if kind.__name__ != "OpenFile" or not hasattr(target, "fs"):
        return False
    if target.mode != "rb":
        raise TypeError(f"the OpenFile of {target.path} is not binary; open it in mode 'rb'")
    return True


def url_of(target: Any) -> str:
    """Return the URL of a URL or an object of fsspec, including credentials."""
    if isinstance(target, str):
        return target
    if hasattr(type(target), "storage_options"):  # UPath
        return str(target)
    url: str = target.fs.unstrip_protocol(target.path)
    return url


def describe_target(target: Any) -> str:
    """Return the name of a document in messages, without credentials."""
    if is_url(target) or is_fsspec(target):
        return redact_url(url_of(target))
    if lost := _lost_url(target):
        return lost
    return str(getattr(target, "name", target))


def local_path(target: Any) -> Path | None:
    """Return the path of a local file or folder; None for a URL, a file object or a store."""
    if is_url(target) or is_fsspec(target) or not isinstance(target, (str, bytes, os.PathLike)):
        return None
    return Path(os.fsdecode(target))


def short_name(target: Any) -> str:
    """Return the last part of a path or URL; the kind of an object that has no name."""
    text = describe_target(target)
    if text.startswith("<"):
        return type(target).__name__
    first = _links(text)[0]
    path = urlsplit(first).path or first if is_url(first) else first
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]


def refuse_url(target: Any, advice: str) -> None:
    """Raise FileAccessError with advice if `target`, a file to be written, is a URL.

    As a path, a URL would name a folder.
    """
    name = redact_url(target) if is_url(target) else _lost_url(target)
    if name:
        why = f"is a URL, but only local files can be written here; {advice}"
        raise FileAccessError(errno.EINVAL, why, name)


def refuse_lost_url(target: Any) -> None:
    """Raise MissingFileError if `target` is an empty path, or a path or bytes made from a URL."""
    if target in ("", b""):
        raise MissingFileError(errno.ENOENT, "the path of the file is empty", "")
    name = _lost_url(target)
    if name:
        why = "is a URL, but came as a path or bytes; give it as a str that begins with it"
        raise MissingFileError(errno.ENOENT, why, name)


def _lost_url(target: Any) -> str:
    """Return the redacted URL that a path was made from; empty for other paths."""
    if not isinstance(target, (str, bytes, os.PathLike)):
        return ""
    text = os.fsdecode(target)
    if not _LOST.match(text):
        return ""
    return redact_url(_LOST.sub(r"\1//", text.replace("\\", "/"), count=1))


def check_url(target: Any) -> None:
    """Raise MissingFileError if `target` is a path where a URL is required."""
    if isinstance(target, (str, bytes)) and not is_url(target):
        raise MissingFileError(f"{target!r} is not a URL such as https://host/image.czi")


T = TypeVar("T")

_HIDDEN = "***"
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://[^\s'\"<>]*")
_CHAIN = re.compile(r"::(?![^\[\]]*\])")
_OF_PATH = re.compile(r"([;#][^/;=#]*=)[^/;#]*")  # such as ;jsessionid=1, #token=1
_SECRET_WORDS = (
    r"key|secret|token|pass|pwd|auth|cred|sig|cookie|sas|account|user|login|connection|header"
    r"|session|bearer|jwt"
)
_SECRET_NAME = re.compile(_SECRET_WORDS, re.IGNORECASE)
_PAIR = re.compile(
    r"(?i)\b([\w.-]*(?:secret|token|passw|passphrase|signature|\bsig|credential|cookie"
    r"|(?:access|api)[_-]?key|authorization)"
    r"[\w.-]*['\"]?\s*[=:]\s*['\"]?(?:(?:basic|bearer)\s+)?)[^\s&'\",;<>)]+"
)
_SHORT = 4  # secrets this short are hidden only where they are a whole word


def redact_url(url: str) -> str:
    """Return a URL or a chain of URLs without user, password and the values of the query."""
    return "::".join(_redact_link(link) for link in _links(url))


def redact_text(text: str) -> str:
    """Return a text without the credentials in URLs and the values of names such as "token"."""
    return _PAIR.sub(rf"\g<1>{_HIDDEN}", _URL.sub(_redact_match, text))


def _links(url: str) -> list[str]:
    """Split a chained URL; ``::`` in brackets (IPv6) and in a query does not separate."""
    head, mark, query = url.partition("?")
    links = _CHAIN.split(head)
    links[-1] += mark + query
    return links


def _redact_match(match: re.Match[str]) -> str:
    return _redact_link(match.group())


def _redact_link(link: str) -> str:
    scheme, mark, rest = link.partition("://")
    if not mark:  # the name of a protocol, or a path
        return link
    user = _user_of(rest)
    place, mark, query = rest[len(user) :].partition("?")
    is_http = scheme.lower().startswith("http")
    place, hash_mark, _ = place.partition("#") if is_http else (place, "", "")
    place = _OF_PATH.sub(rf"\g<1>{_HIDDEN}", place)
    text = f"{scheme}://{_HIDDEN if user else ''}{place}"
    if hash_mark:
        text += f"#{_HIDDEN}"
    return text + (f"?{_redact_query(query)}" if mark else "")


def _user_of(rest: str) -> str:
    """Return the user and password, up to the @, in the text after ``://``; "" if there are none.

    A password that is not quoted may contain any character.
    """
    authority, slash, path = rest.partition("/")
    port = authority.rpartition(":")[2]
    is_port = port == authority or port.isdigit() or port.endswith("]")
    if "@" not in authority and is_port:
        return ""
    return (authority + slash + path.partition("?")[0]).rpartition("@")[0]


def _redact_query(query: str) -> str:
    pairs = (part.partition("=") for part in query.split("&"))
    return "&".join(f"{name}={_HIDDEN}" if mark else _HIDDEN for name, mark, _ in pairs)


class Redactor:
    """A function that removes the credentials of a file from texts and exceptions.

    The credentials are those in the URL and the storage options. `name` is the redacted URL.
    """

    def __init__(self, url: str, options: Mapping[str, Any] | None = None) -> None:
        self.name = redact_url(url)
        self._url = url
        secrets = {*_of_options(options or {}, hidden=False), *_of_url(url)}
        secrets |= {unquote(secret) for secret in secrets}
        self._secrets = sorted(filter(None, secrets), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return a text without the credentials of this file and of any URLs in the text."""
        return redact_text(self._without_secrets(text))

    def _without_secrets(self, text: str) -> str:
        text = text.replace(self._url, self.name) if self._url else text
        for secret in self._secrets:
            if len(secret) > _SHORT:
                text = text.replace(secret, _HIDDEN)
            else:
                text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", _HIDDEN, text)
        return text

    def run(self, act: Callable[[], T]) -> T:
        """Return the result of `act`; remove credentials from the errors that it raises."""
        try:
            return act()
        except Exception as error:
            cleaned = self.clean(error)
            if cleaned is error:
                raise
        raise cleaned

    def clean(self, error: Exception) -> Exception:
        """Remove the credentials from everything that can be printed of an exception.

        Return the same exception with changed texts. Drop its causes if their texts cannot be
        changed. If its own text cannot be changed, return a new exception with the same message.
        """
        for one in _chain(error):
            self._clean_texts(one)
        if self._shows(error):
            error.__cause__ = error.__context__ = None
        if self._shows(error):
            kind = OSError if isinstance(error, OSError) else RuntimeError
            return kind(self(f"{type(error).__name__}: {error}")).with_traceback(
                error.__traceback__
            )
        return error

    def _clean_texts(self, error: BaseException) -> None:
        error.args = tuple(self(one) if isinstance(one, str) else one for one in error.args)
        for name, value in list(vars(error).items()):
            if isinstance(value, str):
                setattr(error, name, self(value))
            elif name == "__notes__":
                setattr(error, name, [self(str(note)) for note in value])
        for name in ("filename", "filename2", "strerror"):
            if isinstance(getattr(error, name, None), str):
                with suppress(AttributeError):  # PyAV computes them from the arguments
                    setattr(error, name, self(getattr(error, name)))

    def _shows(self, error: BaseException) -> bool:
        said = [text for one in _chain(error) for text in (str(one), repr(one))]
        return any(self(text) != text for text in said)


def _chain(error: BaseException) -> list[BaseException]:
    """Return an exception, its causes and its contexts."""
    found: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo:
        one = todo.pop()
        if one is not None and not any(one is other for other in found):
            found.append(one)
            todo += [one.__cause__, one.__context__]
    return found


def _of_url(url: str) -> Iterator[str]:
    """Yield the secrets in a URL: user, password, values in the query and in the path."""
    for link in _links(url):
        rest = link.partition("://")[2]
        user = _user_of(rest)
        yield from user.split(":", 1)
        yield from _in_header(unquote(user))
        place, _, query = rest[len(user) :].partition("?")
        yield from (part.partition("=")[2] for part in query.split("&"))
        yield from (found.group().partition("=")[2] for found in _OF_PATH.finditer(place))


def _in_header(user: str) -> Iterator[str]:
    """Yield the user and password as encoded in an Authorization header."""
    name, _, password = user.partition(":")
    if user:
        yield b64encode(f"{name}:{password}".encode()).decode()


def _of_options(value: Any, *, hidden: bool) -> Iterator[str]:
    """Yield the texts in storage options under names such as "secret"."""
    if hasattr(value, "_asdict"):  # such as aiohttp.BasicAuth
        value = value._asdict()
        yield from _in_header(f"{value.get('login', '')}:{value.get('password', '')}")
    if isinstance(value, Mapping):
        for name, part in value.items():
            secret = hidden or bool(_SECRET_NAME.search(str(name)))
            yield from _of_options(part, hidden=secret)
    elif isinstance(value, (list, tuple, set, frozenset)):
        if hidden and len(value) == 2 and all(isinstance(part, str) for part in value):
            yield from _in_header(":".join(value))
        for part in value:
            yield from _of_options(part, hidden=hidden)
    elif isinstance(value, (str, bytes)):
        value = value if isinstance(value, str) else value.decode("latin-1")
        if hidden:
            yield value
        yield from _of_url(value)
