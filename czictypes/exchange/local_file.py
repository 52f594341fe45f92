"""A local path for what is written as one file, wherever the file shall be in the end."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from czictypes.model.extras import require
from czictypes.writing.atomic import PathType

__all__ = ["local_file"]


@contextmanager
def local_file(
    dest: Any, *, overwrite: bool, storage_options: Mapping[str, Any] | None = None
) -> Iterator[PathType]:
    """Give the path to write to: the target's own, or a temporary one that is uploaded.

    Stores of objects cannot change a byte of what they hold, so a file goes there when it is
    complete.

    Parameters
    ----------
    dest
        A path, or a URL that fsspec knows.
    overwrite
        Whether a file that is there is replaced.
    storage_options
        For a URL: what fsspec is to know.

    Raises
    ------
    FileExistsError
        If there is such a file at a URL and `overwrite` is not set.
    """
    text = os.fsdecode(dest) if isinstance(dest, (str, bytes, os.PathLike)) else str(dest)
    if "://" not in text:
        yield dest
        return
    fsspec = require("fsspec", extra="remote", doing="writing to a URL")
    system, path = fsspec.core.url_to_fs(text, **(storage_options or {}))
    if not overwrite and system.exists(path):
        raise FileExistsError(errno.EEXIST, "the file exists; overwrite=True replaces it", path)
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / (path.rstrip("/").rpartition("/")[2] or "file")
        yield local
        system.makedirs(system._parent(path), exist_ok=True)
        system.put_file(str(local), path)
