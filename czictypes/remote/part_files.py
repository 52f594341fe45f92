"""Find the other files of a document: beside it, by their names, or where the caller says.

A document of several files has a master file, ``scan.czi``, and parts that are numbered from 1 on:
``scan (1).czi`` or ``scan(1).czi``. The file header of each part has its number and the GUID of the
master. The GUID distinguishes parts from files of other documents, and identifies parts whose
contents the master does not list.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from itertools import count, takewhile
from pathlib import Path
from typing import Any, Union, cast
from uuid import UUID

from czictypes.container.byte_source import ByteSource
from czictypes.container.file_source import FileSource, absolute_path
from czictypes.container.parts import PartFinder
from czictypes.container.segments import FileHeader, read_file_header
from czictypes.model.errors import CorruptFileError, InvalidArgumentError, MissingPartError
from czictypes.model.geometry import whole_number
from czictypes.model.public import warn_caller
from czictypes.remote.open import PathOrFile, open_source
from czictypes.remote.urls import URL, describe_target, is_fsspec, is_url, redact_text

#: The other files of a document, in any order or by number.
Parts = Union[PathOrFile, "list[PathOrFile]", "tuple[PathOrFile, ...]", Mapping[int, PathOrFile]]

_LOG = logging.getLogger(__name__)

_HTTP = re.compile(r"https?://", re.IGNORECASE)
_NOBODY = UUID(int=0)
_NOT_THERE = "is not there"


class PartFiles:
    """The locations of the other files of a document, as given by the caller.

    Parameters
    ----------
    target
        The opened file, as the caller named it.
    storage_options, renew
        As for `open_source`.
    parts
        The files that are not beside it. Either a mapping of numbers to files, or a list: then the
        numbers come from the file headers, or else from the positions in the list (from 1 on).
    """

    def __init__(
        self,
        target: PathOrFile,
        storage_options: Mapping[str, Any] | None = None,
        parts: Parts | None = None,
        *,
        renew: bool = False,
    ) -> None:
        self.target = _kept(_named(target))
        self._options, self._renew = storage_options, renew
        if parts is not None and isinstance(parts, Mapping):
            self.numbered = {_number(number): _kept(_file(one)) for number, one in parts.items()}
            self.listed: list[PathOrFile] = []
        else:
            many = [] if parts is None else parts
            many = list(many) if isinstance(many, (list, tuple)) else [many]
            self.numbered, self.listed = {}, [_kept(_file(one)) for one in many]

    @property
    def named(self) -> bool:
        """Whether the caller named any files."""
        return bool(self.numbered or self.listed)

    @property
    def are_remote(self) -> bool:
        """Whether any of the files that the caller named is remote."""
        return any(is_url(one) or is_fsspec(one) for one in [*self.numbered.values(), *self.listed])

    def open(self, target: PathOrFile) -> ByteSource:
        """Open one of the files."""
        return open_source(target, self._options, renew=self._renew)

    def finder(self, main: ByteSource, header: FileHeader) -> PartFinder:
        """Return the opener of the other files of `main`."""
        return _Finder(main, header, self)


def _number(given: Any) -> int:
    number = whole_number(given, "parts= maps numbers to files: the number of a file")
    if number < 0:
        raise InvalidArgumentError(f"parts= has the number {number}, but they count from 0")
    return number


def _file(given: Any) -> PathOrFile:
    is_file = hasattr(given, "read") or is_fsspec(given)
    if not is_file and not isinstance(given, (str, bytes, os.PathLike)):
        raise TypeError(
            f"parts= has {given!r}, which is no file; give the other files of the document as "
            "paths, URLs or file objects: one, a list, or by number as in {1: 'scan (1).czi'}"
        )
    return cast(PathOrFile, given)


class _Finder:
    """A `PartFinder` for files that the caller named or that lie beside the main file."""

    def __init__(self, main: ByteSource, header: FileHeader, files: PartFiles) -> None:
        self._main, self._header, self._files = main, header, files
        self._kept: list[ByteSource] = []
        self._found: dict[int, ByteSource | None] = {}
        self._listed: dict[int, ByteSource] | None = None  # those in a list of the caller's
        self._absent: dict[int, MissingPartError] = {}
        self._lock = threading.Lock()

    def named_numbers(self) -> set[int]:
        """Return the numbers of the files that the caller named."""
        with self._lock:
            return {*self._files.numbered, *self._of_list()}

    def unlisted_numbers(self, listed: set[int]) -> set[int]:
        """Return the numbers of unlisted files beside a master file that refer to it.

        The search goes by number and ends at the first missing file. There is no search at URLs,
        because it would cost an additional request for each document.
        """
        target, header = self._files.target, self._header
        if target is None or is_url(target) or is_fsspec(target) or header.file_part:
            return set()
        if header.file_guid == _NOBODY:
            return set()
        numbers = takewhile(
            lambda number: number in listed or self._is_beside(target, number), count(1)
        )
        return set(numbers) - listed

    def _is_beside(self, target: PathOrFile, number: int) -> bool:
        """Return whether a file beside the opened one claims to be its part of this number."""
        master = self._header.file_guid
        for one in siblings(target, number, 0):
            if not os.access(cast(str, one), os.F_OK):  # faster than opening it
                continue
            found, _ = self._try(one, number, lambda _: True)
            if found is not None:
                with closing(found):
                    header = read_file_header(found)
                if header.file_part == number and header.primary_file_guid == master:
                    return True
        return False

    def find(self, number: int, holds: Callable[[ByteSource], bool]) -> ByteSource | None:
        """Open a part: the one that the caller named, or one beside the file."""
        with self._lock:
            if number in self._absent:
                raise self._absent[number]
            if number not in self._found:
                found = self._named(number) or self._beside(number, holds)
                if found is not None and _LOG.isEnabledFor(logging.DEBUG):
                    names = redact_text(self._main.name), redact_text(found.name)
                    _LOG.debug("part %d of %s is %s", number, *names)
                self._found[number] = found
            return self._found[number]

    def close(self) -> None:
        """Close the opened files."""
        for source in self._kept:
            source.close()

    def _beside(self, number: int, holds: Callable[[ByteSource], bool]) -> ByteSource | None:
        looked = []
        for target in siblings(self._files.target, number, self._header.file_part):
            found, why = self._try(target, number, holds)
            if found is not None:
                self._kept.append(found)
                return found
            looked.append(f"{describe_target(target)!r} {why}")
        if holds(self._main):
            return None
        which = f"part {number}" if number else "the master (part 0)"
        places = f": {'; '.join(looked)}" if looked else ", and it has no name to look beside"
        error = MissingPartError(
            f"{self._main.name} is one file of several, and {which} is missing{places}; put it "
            f"there, or say where it is: parts={{{number}: path}}"
        )
        if self._main.is_remote and all(one.endswith(_NOT_THERE) for one in looked):
            self._absent[number] = error  # each of many tiles would ask the server anew
        raise error

    def _try(
        self, target: PathOrFile, number: int, holds: Callable[[ByteSource], bool]
    ) -> tuple[ByteSource | None, str]:
        """Open a possible part; return it, or the reason why it is not the part."""
        try:
            found = self._files.open(target)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None, _NOT_THERE
        except PermissionError as error:
            return None, f"cannot be opened ({error})"
        try:
            why = mismatch(read_file_header(found), number, self._header)
            if why is None:
                why = "" if holds(found) else "does not hold the sub-blocks that are listed"
        except CorruptFileError:
            why = "is not a CZI file, or is damaged"
        except BaseException:
            found.close()
            raise
        if not why:
            return found, ""
        found.close()
        return None, why

    def _named(self, number: int) -> ByteSource | None:
        """Open a part that the caller named; warn if the file contradicts the caller."""
        target = self._files.numbered.get(number)
        found = self._of_list().get(number) if target is None else self._open(target)
        if found is None:
            return None
        why = mismatch(read_file_header(found), number, self._header)
        if why:
            name = self._main.name
            warn_caller(
                f"{found.name} {why}; it is read as part {number} of {name}, as parts= says",
            )
        return found

    def _of_list(self) -> dict[int, ByteSource]:
        """Open the files of the caller's list, once, and return them by number."""
        if self._listed is None:
            listed: dict[int, ByteSource] = {}
            for place, target in enumerate(self._files.listed, 1):
                found = self._open(target)
                header = read_file_header(found)
                is_master = header.file_guid == self._header.primary_file_guid
                number = header.file_part or (0 if is_master else place)
                if number in listed:
                    raise ValueError(
                        f"parts= names part {number} of {self._main.name} twice: "
                        f"{listed[number].name} and {found.name}"
                    )
                listed[number] = found
            self._listed = listed
        return self._listed

    def _open(self, target: PathOrFile) -> ByteSource:
        try:
            found = self._files.open(target)
        except FileNotFoundError as error:
            raise MissingPartError(
                f"parts= names {describe_target(target)!r} for {self._main.name}, but there is no "
                "such file"
            ) from error
        self._kept.append(found)
        return found


def mismatch(found: FileHeader, number: int, opened: FileHeader) -> str | None:
    """Return the reason why a file is not the wanted part.

    The reason is empty if the GUID shows that the file is the part, and None if this is unknown:
    the file has the right number, but names itself as its master.
    """
    ours = {opened.primary_file_guid, opened.file_guid} - {_NOBODY}
    names_itself = found.primary_file_guid in (found.file_guid, _NOBODY)
    if found.file_part not in (number, 0):
        return f"is part {found.file_part}"
    if not ours.isdisjoint((found.primary_file_guid, found.file_guid)):
        return ""
    if names_itself and found.file_part == number:
        return None
    if names_itself:
        return "is a document of its own"
    return f"belongs to another document (GUID {found.primary_file_guid})"


def siblings(target: Any, number: int, own: int) -> list[PathOrFile]:
    """Return the possible names of a part beside a file; none if the file has no name.

    `number` is the number of the part, 0 for the master; `own` is the number of the file itself.
    """
    found: list[PathOrFile] = []
    if target is None:
        return found
    if is_url(target):
        folder, name, rest = _split_url(target)
        space = "%20" if _HTTP.match(target) else " "
        return [folder + one + rest for one in _names(name, number, own, space)]
    if is_fsspec(target):
        if hasattr(type(target), "storage_options"):  # UPath
            return [target.with_name(one) for one in _names(target.name, number, own)]
        from fsspec.core import OpenFile

        folder, slash, name = target.path.rpartition("/")
        return [OpenFile(target.fs, folder + slash + one) for one in _names(name, number, own)]
    folder, name = os.path.split(os.fsdecode(target))
    return [os.path.join(folder, one) for one in _names(name, number, own)]  # noqa: PTH118


def _names(name: str, number: int, own: int, space: str = " ") -> list[str]:
    """Derive the possible names of a part from the name of another file of the document."""
    stem, dot, ending = name.rpartition(".")
    if not dot:
        stem, ending = ending, ""
    master = re.sub(rf"(?: |%20)?\({own}\)$", "", stem) if own else stem
    stems = [f"{master}{space}({number})", f"{master}({number})"] if number else [master]
    return [stem + dot + ending for stem in stems]


def _split_url(url: str) -> tuple[str, str, str]:
    """Split a URL or a chain of URLs before and after the file's name.

    In a chain, the file's path is in the first link that has a path.
    """
    match = URL.match(url)
    start = match.end() if match else 0
    is_http = _HTTP.match(url) is not None
    found = re.search(r"[?#]" if is_http else r"::", url[start:])
    end = start + found.start() if found else len(url)
    slash = max(url.rfind("/", start, end), start - 1)
    return url[: slash + 1], url[slash + 1 : end], url[end:]


def _named(target: Any) -> Any:
    """Return the target itself, or the path of an open file; None if it has no name."""
    if isinstance(target, (str, bytes, os.PathLike)) or is_fsspec(target):
        return target
    if isinstance(target, FileSource):
        return target.path
    name = getattr(target, "name", None)
    if isinstance(target, ByteSource) or not isinstance(name, (str, bytes)):
        return None
    return name if Path(os.fsdecode(name)).is_file() else None


def _kept(target: Any) -> Any:
    """Make a path absolute, so that it stays valid in other working directories."""
    if isinstance(target, (str, bytes, os.PathLike)) and not is_url(target):
        return target if is_fsspec(target) else absolute_path(os.fsdecode(target))
    return target
