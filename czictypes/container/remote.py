"""Opens a URL as a byte source, through fsspec."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from czictypes.container.source import ByteSource, StreamSource
from czictypes.model.errors import MissingExtraError

__all__ = ["open_url"]


def open_url(url: Any) -> ByteSource:
    """Open what a URL such as ``https://host/image.czi`` points to.

    Raises
    ------
    FileNotFoundError
        If it is no URL, or there is nothing at it.
    MissingExtraError
        If fsspec, or what it needs for the URL's protocol, is not installed.
    """
    text = str(url)
    if not urlsplit(text).scheme or "://" not in text:
        raise FileNotFoundError(f"{text!r} is not a URL such as https://host/image.czi")
    try:
        import fsspec  # type: ignore[import-untyped, unused-ignore]

        file = fsspec.open(text, "rb").open()
    except ImportError as error:
        raise MissingExtraError(
            f"reading {urlsplit(text).scheme} URLs needs more packages ({error}): "
            f"pip install 'czictypes[remote]'"
        ) from error
    return StreamSource(file, owns=True)
