"""Opens what the caller named as a byte source: a path, a URL, a file object."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, BinaryIO, Union

from czictypes.container.byte_source import ByteSource, Range
from czictypes.container.file_source import FileSource, StreamSource
from czictypes.container.targets import is_fsspec, is_url, refuse_lost_url

__all__ = ["ByteSource", "FileSource", "Range", "StreamSource", "Target", "open_source"]

#: What names a document: a path, a URL, or a file object open for reading in binary; also a
#: UPath or an OpenFile of fsspec, for which there are no types here.
Target = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]", BinaryIO, "ByteSource"]


def open_source(
    target: Target, storage_options: Mapping[str, Any] | None = None, *, renew: bool = False
) -> ByteSource:
    """Open what the caller named.

    Parameters
    ----------
    target
        A path; a URL of any protocol that fsspec knows, chained ones too; a UPath; an OpenFile
        of fsspec; or a file object open for reading in binary.
    storage_options
        What fsspec gets for a URL, credentials for example. The key "czictypes" is ours: a
        `RemoteOptions`, or a dictionary of its fields.
    renew
        Make anew what a UPath or OpenFile holds open: it came here by a fork.

    Raises
    ------
    TypeError
        For anything else, and for a stream that gives text.
    OSError
        If the file cannot be opened, with the path.
    MissingExtraError
        If fsspec, or what it needs for a URL's protocol, is not installed.
    """
    if isinstance(target, ByteSource):
        return target
    if is_url(target) or is_fsspec(target):
        from czictypes.container.remote import open_remote  # takes long to import

        return open_remote(target, storage_options, renew=renew)
    if isinstance(target, (str, bytes, os.PathLike)):
        refuse_lost_url(target)
        return FileSource(target)
    if hasattr(target, "read") and hasattr(target, "seek"):
        return StreamSource(target)
    raise TypeError(
        f"cannot open {target!r}: give a path, a URL, or a file object open for reading in binary"
    )
