"""The names of CZI files."""

from __future__ import annotations

from urllib.parse import urlsplit

__all__ = ["is_czi_name"]


def is_czi_name(name: str) -> bool:
    """Tell whether a path or URL ends in ``.czi``; what follows a ``?`` in a URL does not count."""
    path = urlsplit(name).path if "://" in name else name
    return path.lower().endswith(".czi")
