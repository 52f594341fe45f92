"""Tells paths from URLs and from what fsspec opens, and what to call them; fsspec is not needed."""

from __future__ import annotations

import errno
import os
import re
import sys
from typing import Any

from czictypes.container.redact import redact_url
from czictypes.model.errors import FileAccessError, MissingFileError

__all__ = [
    "URL",
    "check_url",
    "describe_target",
    "is_fsspec",
    "is_url",
    "refuse_lost_url",
    "refuse_url",
    "url_of",
]

#: A URL, or a chain of them, with the protocol as group 1. Two letters at least: C:// is a drive.
URL = re.compile(r"(?:[A-Za-z0-9+.-]+::)*([A-Za-z][A-Za-z0-9+.-]+)://")

#: What a Path makes of a URL, and a URL as bytes or after a space.
_LOST = re.compile(
    r"\s*((?:https?|s3a?|gs|gcs|s?ftp|az|abfss?|webdavs?):)/+(?=[^/])", re.IGNORECASE
)


def is_url(target: Any) -> bool:
    """Tell whether this is a text such as ``https://host/image.czi``."""
    return isinstance(target, str) and URL.match(target) is not None


def is_fsspec(target: Any) -> bool:
    """Tell whether this is a UPath, an OpenFile, or a file that fsspec reads in blocks.

    Raises
    ------
    TypeError
        If it is open, but not for reading in binary.
    """
    kind = type(target)
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
    """Return the URL of what `is_url` or `is_fsspec` calls such, credentials and all."""
    if isinstance(target, str):
        return target
    if hasattr(type(target), "storage_options"):  # UPath
        return str(target)
    url: str = target.fs.unstrip_protocol(target.path)
    return url


def describe_target(target: Any) -> str:
    """Return what to call a document in messages: without credentials."""
    if is_url(target) or is_fsspec(target):
        return redact_url(url_of(target))
    if lost := _lost_url(target):
        return lost
    return str(getattr(target, "name", target))


def refuse_url(target: Any, advice: str) -> None:
    """Refuse a URL where a local file is written: as a path, it would name a folder.

    Raises
    ------
    FileAccessError
        If it is a URL, with what to do instead.
    """
    name = redact_url(target) if is_url(target) else _lost_url(target)
    if name:
        why = f"is a URL, but only local files can be written here; {advice}"
        raise FileAccessError(errno.EINVAL, why, name)


def refuse_lost_url(target: Any) -> None:
    """Refuse a path that was a URL, which no file can have.

    Raises
    ------
    MissingFileError
        If it is one, with what to do instead.
    """
    name = _lost_url(target)
    if name:
        why = "is a URL, but came as a path or bytes; give it as a str that begins with it"
        raise MissingFileError(errno.ENOENT, why, name)


def _lost_url(target: Any) -> str:
    """Return how the URL is shown that a path was made of; empty for other paths."""
    if not isinstance(target, (str, bytes, os.PathLike)):
        return ""
    text = os.fsdecode(target)
    return redact_url(_LOST.sub(r"\1//", text, count=1)) if _LOST.match(text) else ""


def check_url(target: Any) -> None:
    """Refuse what is no URL where one is asked for.

    Raises
    ------
    MissingFileError
        If it is a path.
    """
    if isinstance(target, (str, bytes)) and not is_url(target):
        raise MissingFileError(f"{target!r} is not a URL such as https://host/image.czi")
