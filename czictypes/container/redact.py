"""Keeps credentials out of what people see: names, messages, logs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

__all__ = ["Redactor", "redact_url"]

_HIDDEN = "***"
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://[^\s'\"<>]*")
_SECRET_WORDS = (
    r"key|secret|token|passw|pwd|auth|cred|sig|cookie|sas|account|user|login|connection|header"
)
_SECRET_NAME = re.compile(_SECRET_WORDS, re.IGNORECASE)
_PAIR = re.compile(
    r"(?i)\b([\w.-]*(?:secret|token|passw|signature|\bsig|credential|accesskey|authorization)"
    r"[\w.-]*['\"]?\s*[=:]\s*['\"]?(?:(?:basic|bearer)\s+)?)[^\s&'\",;<>)]+"
)
_SHORT = 4  # so short a secret is hidden as a word of its own alone


def redact_url(url: str) -> str:
    """Return a URL, a chained one too, without user, password and the values of its query."""
    return "::".join(_URL.sub(_redact_match, part) for part in _split(url))


def _split(url: str) -> list[str]:
    """Split a chained URL; in a query, ``::`` is no chain."""
    head, mark, query = url.partition("?")
    parts = head.split("::")
    parts[-1] += mark + query
    return parts


def _redact_match(match: re.Match[str]) -> str:
    scheme, _, rest = match.group().partition("://")
    place, mark, query = rest.partition("?")
    place, hash_mark, _ = place.partition("#") if scheme.startswith("http") else (place, "", "")
    authority = place.partition("/")[0]
    if "@" in authority:  # a password that was not quoted may have any character
        place = f"{_HIDDEN}@{place.rpartition('@')[2]}"
    text = f"{scheme}://{place}"
    if hash_mark:
        text += f"#{_HIDDEN}"
    return text + (f"?{_redact_query(query)}" if mark else "")


def _redact_query(query: str) -> str:
    pairs = (part.partition("=") for part in query.split("&"))
    return "&".join(f"{name}={_HIDDEN}" if mark else _HIDDEN for name, mark, _ in pairs)


class Redactor:
    """Hides the credentials that belong to one file.

    Parameters
    ----------
    url
        As the caller gave it.
    options
        The storage options.

    Attributes
    ----------
    name : str
        The URL as it may be shown.
    """

    def __init__(self, url: str, options: Mapping[str, Any] | None = None) -> None:
        self.name = redact_url(url)
        self._url = url
        secrets = {*_of_options(options or {}, hidden=False), *_of_url(url)}
        secrets |= {unquote(secret) for secret in secrets}
        self._secrets = sorted(filter(None, secrets), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return a text without the credentials of this file, nor those of other URLs in it."""
        text = _URL.sub(_redact_match, text.replace(self._url, self.name))
        for secret in self._secrets:
            if len(secret) > _SHORT:
                text = text.replace(secret, _HIDDEN)
            else:
                text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", _HIDDEN, text)
        return _PAIR.sub(rf"\g<1>{_HIDDEN}", text)


def _of_url(url: str) -> Iterator[str]:
    """Give the secrets in a URL: user, password, values of the query."""
    for match in _URL.finditer(url):
        place, _, query = match.group().partition("://")[2].partition("?")
        if "@" in place.partition("/")[0]:
            yield from place.rpartition("@")[0].split(":", 1)
        yield from (part.partition("=")[2] for part in query.split("&"))


def _of_options(value: Any, *, hidden: bool) -> Iterator[str]:
    """Give the texts in storage options that stand below a name such as "secret"."""
    if hasattr(value, "_asdict"):  # such as aiohttp.BasicAuth
        value = value._asdict()
    if isinstance(value, Mapping):
        for name, part in value.items():
            secret = hidden or bool(_SECRET_NAME.search(str(name)))
            yield from _of_options(part, hidden=secret)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for part in value:
            yield from _of_options(part, hidden=hidden)
    elif isinstance(value, str):
        if hidden:
            yield value
        yield from _of_url(value)
