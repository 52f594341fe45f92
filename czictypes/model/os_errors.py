"""The operating system's errors of local files, as exceptions of czictypes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from czictypes.model.errors import (
    FileAccessError,
    FilePermissionError,
    IsFolderError,
    MissingFileError,
    NotFolderError,
)

__all__ = ["file_error", "file_errors"]

_MADE_OF: dict[type[OSError], type[FileAccessError]] = {
    OSError: FileAccessError,
    FileNotFoundError: MissingFileError,
    IsADirectoryError: IsFolderError,
    NotADirectoryError: NotFolderError,
    PermissionError: FilePermissionError,
}


def file_error(error: OSError, name: str | None = None) -> OSError:
    """Return an error of the operating system as a `FileAccessError`.

    What has no counterpart here, such as FileExistsError, stays the error it is. `name` is the
    file's, where the error does not say it.
    """
    if error.errno is None:
        return error
    if error.filename is None:
        error.filename = name
    made = _MADE_OF.get(type(error))
    return error if made is None else made(error.errno, error.strerror, error.filename)


@contextmanager
def file_errors(name: str | None = None) -> Iterator[None]:
    """Raise what the operating system says of a file, in a ``with`` block, as `file_error`."""
    try:
        yield
    except OSError as error:
        made = file_error(error, name)
        raise made from (error.__cause__ if made is error else None)
