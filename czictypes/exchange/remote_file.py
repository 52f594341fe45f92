"""The filesystem of fsspec behind a URL, with its options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

from czictypes.exchange.formats import location_text
from czictypes.model.lazy import require
from czictypes.remote.urls import Redactor

__all__ = ["filesystem_of", "options_of", "without_secrets"]

Function = TypeVar("Function", bound=Callable[..., Any])

_OURS = "czictypes"  # the key of what is not for fsspec, but for reading a CZI


def filesystem_of(
    location: Any, options: Mapping[str, Any] | None, *, doing: str
) -> tuple[Any, str] | None:
    """Return the filesystem of a URL or UPath, and the path in it; None for a path.

    Parameters
    ----------
    options
        The options of fsspec for the URL.
    doing
        What it is needed for, as `MissingExtraError` says it.
    """
    url = location_text(location)
    if "://" not in url:
        return None
    fsspec = require("fsspec", extra="remote", doing=doing)
    found: tuple[Any, str] = fsspec.core.url_to_fs(url, **options_of(location, options))
    return found


def options_of(location: Any, options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what fsspec is to know of a URL, or of a UPath, which has options of its own."""
    merged = {**(getattr(location, "storage_options", None) or {}), **(options or {})}
    merged.pop(_OURS, None)
    return merged


def without_secrets(function: Function) -> Function:
    """Decorate a function of a source and a target: its errors show no credentials of either.

    The libraries that read and write URLs put these into their messages as they are. The options
    are the arguments ``source_options``, ``storage_options`` and ``fs_kwargs``.
    """

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            cleaned = error
            given = kwargs.get("storage_options") or kwargs.get("fs_kwargs")
            options = {**(kwargs.get("source_options") or {}), "": given}
            for location in (*args[:2], kwargs.get("source"), kwargs.get("dest")):
                if location is not None:
                    cleaned = Redactor(location_text(location), options).clean(cleaned)
            if cleaned is error:
                raise
        raise cleaned

    return call  # type: ignore[return-value]
