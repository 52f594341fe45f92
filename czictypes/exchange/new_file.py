"""A file of another format that appears when it is complete."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from czictypes.model.os_errors import file_errors
from czictypes.writing.atomic import AtomicFile, PathType

__all__ = ["new_file"]


@contextmanager
def new_file(path: PathType, *, overwrite: bool) -> Iterator[BinaryIO]:
    """Give a file object to write to; the file has its name when the ``with`` block is left well.

    An exception in the block leaves what was there before, and nothing else.

    Raises
    ------
    FileExistsError
        If the file is there and `overwrite` is not set.
    FileAccessError
        If it cannot be written; the error has its name.
    """
    file = AtomicFile(path, exist_ok=overwrite)
    try:
        with file_errors(file.name), file.stream() as stream:
            yield stream
        file.commit()
    except BaseException:
        file.abort()
        raise
