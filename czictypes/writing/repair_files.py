"""The files that a repair reads: all those of the document, never the one that it writes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from czictypes.container.byte_source import ByteSource, Range
from czictypes.container.directory import read_directory
from czictypes.container.layout import SUBBLOCK_HEAD_SIZE
from czictypes.container.segments import FileHeader, read_file_header
from czictypes.model.errors import (
    CorruptFileError,
    FileChangedError,
    InvalidArgumentError,
    MissingPartError,
    UnsupportedDataError,
)
from czictypes.remote.part_files import PartFiles, mismatch, siblings
from czictypes.remote.urls import describe_target, is_fsspec, is_url, url_of

#: The numbers of parts may have gaps of so many.
_LARGEST_GAP = 8
_LOCAL = ("file://", "local://")


class SearchedFile:
    """A file of the document that is repaired.

    `number` is its number in the document, if its header does not tell; `is_certain`, whether it
    belongs to the document for sure.
    """

    def __init__(self, source: ByteSource, number: int = 0, *, is_certain: bool = True) -> None:
        self.source = source
        self.header = _header(source)
        self.number = number or (0 if self.header is None else max(self.header.file_part, 0))
        self.is_certain = is_certain
        self._before = source.opened_identity()

    def expected_heads(self) -> list[Range]:
        """Return where a remote file has its sub-blocks, if its directory is whole.

        The search reads one head after the other, and would wait for each of them.
        """
        if not self.source.is_remote or self.header is None:
            return []
        try:
            positions = read_directory(self.source, self.header).file_position
        except (CorruptFileError, UnsupportedDataError):
            return []
        inside = positions[(positions >= 0) & (positions < self.source.size())]
        return [(position, SUBBLOCK_HEAD_SIZE) for position in np.unique(inside).tolist()]

    def check_unchanged(self) -> None:
        """Raise a `FileChangedError` if the file changed since it was opened."""
        if self.source.opened_identity() != self._before:
            raise FileChangedError(
                f"{self.source.name} changed while it was repaired; repair it again"
            )


def _header(source: ByteSource) -> FileHeader | None:
    try:
        return read_file_header(source)
    except CorruptFileError:
        return None


def open_parts(files: PartFiles, main: SearchedFile, stack: ExitStack) -> Iterator[SearchedFile]:
    """Open the other files of a document: those that the caller named, and those beside it.

    A MissingPartError says that one that the caller named is not there. `stack` closes them.
    """
    named = [*files.numbered.items(), *((0, one) for one in files.listed)]
    for place, (number, target) in enumerate(named, 1):
        try:
            source = stack.enter_context(files.open(target))
        except FileNotFoundError as error:
            raise MissingPartError(
                f"parts= names {describe_target(target)!r} for {main.source.name}, but there is "
                "no such file"
            ) from error
        found = SearchedFile(source, number)
        found.number = found.number or place
        yield found
    target = files.target
    if not named and target is not None and not main.number and not is_url(target):
        yield from _beside(files, main, stack)


def _beside(files: PartFiles, main: SearchedFile, stack: ExitStack) -> Iterator[SearchedFile]:
    last = 0
    for number in count(1):
        if number > last + _LARGEST_GAP:
            return
        for target in siblings(files.target, number, 0):
            try:
                source = stack.enter_context(files.open(target))
            except OSError:
                continue
            found = SearchedFile(source, number, is_certain=False)
            last = number
            why = _mismatch(found, main)
            found.is_certain = why == ""
            if not why:
                yield found
                break


def _mismatch(found: SearchedFile, main: SearchedFile) -> str | None:
    """Say why a file is not the part that its name tells, as `mismatch` does."""
    if found.header is None:
        return None
    if main.header is not None:
        return mismatch(found.header, found.number, main.header)
    own, primary = found.header.file_guid, found.header.primary_file_guid
    belongs = found.header.file_part == found.number and own != primary
    return "" if belongs else "is a document of its own"


def refuse_same_file(sources: Iterable[Any], target: Any) -> None:
    """Raise an InvalidArgumentError for a target that is one of the sources, by whatever name."""
    place = _status(target)
    for source in sources:
        if source is None:
            continue
        found = _status(source)
        same = found is not None and place is not None and os.path.samestat(found, place)
        if same or source is target:
            raise InvalidArgumentError(
                f"{describe_target(target)} is the file that is to be repaired, or a link to it; "
                "a repair only reads its source, so name another file to write"
            )


def _status(target: Any) -> os.stat_result | None:
    """Return what the system knows of a local file; None where there is none."""
    try:
        if is_url(target) or is_fsspec(target):
            link = url_of(target).rpartition("::")[2]
            found = Path(_path_of(link)).stat() if link.startswith(_LOCAL) else None
        elif isinstance(target, (str, bytes, os.PathLike)):
            found = Path(os.fsdecode(target)).stat()
        else:
            found = os.fstat(target.fileno())
    except (OSError, ValueError, AttributeError, TypeError):
        return None
    return found if found is not None and stat.S_ISREG(found.st_mode) else None


def _path_of(url: str) -> str:
    from fsspec.implementations.local import LocalFileSystem  # which has opened it, or will

    path: str = LocalFileSystem._strip_protocol(url)
    return path
