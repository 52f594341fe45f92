"""A local path for what is written as one file, wherever the file shall be in the end."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from czictypes.container.workers import aside
from czictypes.exchange.remote_file import filesystem_of
from czictypes.writing.atomic import PathType, check_new_file

__all__ = ["check_file", "local_file"]


@contextmanager
def local_file(
    dest: Any, *, overwrite: bool, storage_options: Mapping[str, Any] | None = None
) -> Iterator[PathType]:
    """Give the path to write to: the target's own, or a temporary one that is uploaded.

    Stores of objects cannot change a byte of what they hold, so a file goes there when it is
    complete. The parameters and errors are those of `check_file`.
    """
    found = _checked(dest, storage_options, overwrite=overwrite)
    if found is None:
        yield dest
        return
    system, path = found
    folder = tempfile.TemporaryDirectory()
    try:
        local = Path(folder.name) / (path.rstrip("/").rpartition("/")[2] or "file")
        yield local
        aside(lambda: system.makedirs(system._parent(path), exist_ok=True))
        aside(lambda: system.put_file(str(local), path))
    finally:
        aside(folder.cleanup)  # an interrupt in it may become an OSError


def check_file(
    dest: Any, *, overwrite: bool, storage_options: Mapping[str, Any] | None = None
) -> None:
    """Refuse what `local_file` would refuse, without writing anything.

    Parameters
    ----------
    dest
        A path, a URL that fsspec knows, or a UPath.
    overwrite
        Whether an existing file is replaced.
    storage_options
        The options of fsspec for a URL.

    Raises
    ------
    FileExistsError
        If there is such a file and `overwrite` is not set.
    OSError
        If a folder is there, or the server does not answer.
    """
    _checked(dest, storage_options, overwrite=overwrite)


def _checked(
    dest: Any, options: Mapping[str, Any] | None, *, overwrite: bool
) -> tuple[Any, str] | None:
    """Return the filesystem of a URL, and the path in it; None for a path."""
    found = filesystem_of(dest, options, doing="writing to a URL")
    if found is not None:
        system, name = found
        exists = aside(lambda: system.exists(name))
    else:
        name = os.fsdecode(dest)
        check_new_file(name, exist_ok=True)
        exists = Path(name).exists()
    if exists and not overwrite:
        raise FileExistsError(errno.EEXIST, "the file exists; overwrite=True replaces it", name)
    return found
