"""The filesystem of fsspec behind a URL, with its options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from czictypes.exchange.formats import location_text
from czictypes.model.extras import require

__all__ = ["filesystem_of", "options_of"]

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
