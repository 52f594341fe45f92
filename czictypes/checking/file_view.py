"""A file as the checks see it, and what they find in it."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from czictypes.container.attachments import AttachmentEntry, read_attachment_directory
from czictypes.container.byte_source import ByteSource
from czictypes.container.directory import CheckedDocument, Directory, read_directory
from czictypes.container.parts import JoinedSource, join_parts
from czictypes.container.segments import FileHeader, read_file_header, read_metadata_xml
from czictypes.metadata.fields import Node
from czictypes.metadata.xml import parse
from czictypes.model.errors import CziError, MetadataWarning
from czictypes.model.geometry import ABSENT, NO_M, format_coordinate
from czictypes.reading.planes import plane_rows
from czictypes.reading.table import SubBlockTable
from czictypes.remote.open import open_source
from czictypes.remote.part_files import PartFiles, Parts

#: ``"error"``: something cannot be read, or is lost. ``"warning"``: everything can be read, but
#: the file contradicts itself, or other programs may misread it. ``"info"``: worth knowing.
Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True)
class Finding:
    """One fault of a file.

    Parameters
    ----------
    check
        The name of the check that found it; docs/checking.md lists them.
    severity
        ``"error"``, ``"warning"`` or ``"info"``.
    place
        Where it is, in words: a sub-block with its plane, an attachment, an element of the XML.
    message
        The fault.
    remedy
        A way to mend it.
    sub_block
        The number of the sub-block in the directory, if it is one.
    offset
        The byte of the file at which it begins, if there is one.
    """

    check: str
    severity: Severity
    place: str
    message: str
    remedy: str
    sub_block: int | None = None
    offset: int | None = None

    def __str__(self) -> str:
        """Return one line: severity, place, message, name of the check, remedy."""
        return f"{self.severity}: {self.place}: {self.message} [{self.check}]; {self.remedy}"


@dataclass(frozen=True)
class CheckReport:
    """The findings of a check of a file; true if none of them is an error.

    Parameters
    ----------
    file
        The path or URL, without credentials.
    findings
        The faults, the worst first. At most 100 of each check and severity are listed.
    checks
        The names of the checks that were made.
    counts
        How many errors, warnings and infos there are, the ones that are not listed included.
    unlisted
        How many findings of each check are not listed.
    sub_blocks
        How many sub-blocks the directory has; None where it cannot be read.
    quick, pixels
        Whether only the directory and the XML were looked at, and whether all pixels were decoded.
    """

    file: str
    findings: tuple[Finding, ...]
    checks: tuple[str, ...]
    counts: Mapping[Severity, int] = field(default_factory=dict)
    unlisted: Mapping[str, int] = field(default_factory=dict)
    sub_blocks: int | None = None
    quick: bool = False
    pixels: bool = False

    @property
    def worst(self) -> Severity | None:
        """The severity of the worst finding; None if there are none."""
        return self.findings[0].severity if self.findings else None

    @property
    def ok(self) -> bool:
        """Whether there is no error; there may be warnings."""
        return self.worst != "error"

    def __bool__(self) -> bool:
        """Return `ok`."""
        return self.ok

    def of(self, check: str) -> list[Finding]:
        """Return what one check found."""
        return [finding for finding in self.findings if finding.check == check]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        values = {**asdict(self), "ok": self.ok, "worst": self.worst}
        return {name: list(one) if isinstance(one, tuple) else one for name, one in values.items()}

    def __str__(self) -> str:
        """Return a line that sums it up, and one for each finding."""
        lines = [f"{self.file}: {self.summary}", *map(str, self.findings)]
        lines += [f"{number} more of {check}" for check, number in self.unlisted.items()]
        return "\n".join(lines)

    @property
    def summary(self) -> str:
        """How many errors, warnings and infos there are, in words."""
        if not self.findings:
            return "nothing is wrong"
        return ", ".join(counted(number, kind) for kind, number in self.counts.items() if number)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where needed."""
    return f"{number} {noun}" if number == 1 or noun == "info" else f"{number} {noun}s"


T = TypeVar("T")

#: The remedy for damage that has lost a part of the file.
REPAIR = 'czi.repair writes a new file of all that is whole; on_error="blank" reads it as it is'
_MOST_PIXELS = 1 << 31
_noting = threading.Lock()


@dataclass
class FileView:
    """A file that was opened for checks; what is damaged in it is None, or empty."""

    main: ByteSource
    #: The file, joined with the other files of a document of several.
    source: ByteSource
    header: FileHeader | None = None
    directory: Directory | None = None
    attachments: list[AttachmentEntry] = field(default_factory=list)
    #: The root of the XML.
    root: Node | None = None
    #: The parts that could not be read.
    failures: list[Finding] = field(default_factory=list)
    #: Told how many sub-blocks were looked at.
    step: Callable[[int], Any] = lambda _: None
    threads: int = 1
    #: Filled with the sub-blocks whose heads are damaged, and with those that have an attachment.
    unreadable: set[int] = field(default_factory=set)
    masked: set[int] = field(default_factory=set)

    @property
    def columns(self) -> Directory:
        """The directory, where it could be read."""
        assert self.directory is not None
        return self.directory

    @cached_property
    def sane(self) -> NDArray[np.bool_]:
        """A mask of the sub-blocks whose position and size are possible."""
        columns = self.columns
        good = np.ones(columns.count, bool)
        for start, size, stored in (
            (columns.x, columns.w, columns.stored_w),
            (columns.y, columns.h, columns.stored_h),
        ):
            good &= (size > 0) & (stored > 0) & (start != ABSENT)
            good &= start.astype(np.int64) + size <= _MOST_PIXELS
        return good

    @cached_property
    def table(self) -> SubBlockTable:
        """The sane sub-blocks as reading sees them, with their levels; see `numbers`."""
        columns, rows = self.columns, self.numbers
        coordinates = {name: column[rows] for name, column in columns.coordinates.items()}
        # without sizes in other dimensions, no sub-block has to be looked at
        return SubBlockTable(plane_rows(self.source, columns.take(rows, coordinates)))

    @cached_property
    def numbers(self) -> NDArray[np.intp]:
        """The numbers of the sub-blocks in `table`."""
        return np.flatnonzero(self.sane)

    @cached_property
    def m(self) -> NDArray[np.int32]:
        """The M-index of each sub-block in `table`, `ABSENT` where there is none."""
        column = self.table.directory.m
        return np.where(column == NO_M, np.int32(ABSENT), column)

    def planes(self, *, scenes: bool = True) -> list[NDArray[np.int32]]:
        """Return the columns by which the planes of the sub-blocks in `table` differ."""
        columns = self.table.directory.coordinates
        return [column for name, column in columns.items() if scenes or name != "S"]

    def places_along(self, letter: str) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        """Return where the sub-blocks begin and end along a dimension; None without it."""
        columns = self.columns
        column = columns.coordinates.get(letter)
        if column is None or not (present := column != ABSENT).any():
            return None
        starts = column[present].astype(np.int64)
        sizes = columns.sizes[letter][present].astype(np.int64) if letter in columns.sizes else 1
        return starts, starts + sizes

    def finding(
        self, check: str, severity: Severity, sub_block: int, message: str, remedy: str
    ) -> Finding:
        """Return a finding about a sub-block."""
        columns = self.columns
        position, m = int(columns.file_position[sub_block]), int(columns.m[sub_block])
        place = [format_coordinate(columns.coordinate(sub_block))]
        place += [f"M{m}"] if m not in (ABSENT, NO_M) else []
        for letter, column in (("x", columns.x), ("y", columns.y)):
            if column[sub_block] != ABSENT:
                place.append(f"{letter} {int(column[sub_block])}")
        described = ", ".join(filter(None, place))
        name = f"sub-block {sub_block} ({described})" if described else f"sub-block {sub_block}"
        where = self.source.place(position) if position >= 0 else "a place that cannot be"
        offset = position
        if isinstance(self.source, JoinedSource):
            offset = self.source.own_position(position)
        return Finding(
            check,
            severity,
            f"{name} at {where}",
            message,
            remedy,
            sub_block,
            offset if offset >= 0 else None,
        )


class Check:
    """A check: its name or names, and the function that makes it."""

    def __init__(
        self,
        names: str | tuple[str, ...],
        run: Callable[[FileView], Iterator[Finding]],
        *,
        needs_directory: bool = True,
    ) -> None:
        self.names = (names,) if isinstance(names, str) else names
        self.run, self.needs_directory = run, needs_directory


@contextmanager
def open_view(
    target: Any, storage_options: Mapping[str, Any] | None, parts: Parts | None
) -> Iterator[FileView]:
    """Open a file and read its header and directories as far as they can be read."""
    with ExitStack() as stack:
        main = open_source(target, storage_options)
        stack.callback(main.close)
        view = view_of(main)
        if view.header is not None and view.directory is not None:
            files = PartFiles(target, storage_options, parts)
            _join(view, CheckedDocument(view.header, view.directory, view.attachments), files)
            stack.callback(view.source.close)
        yield view


def view_of(source: ByteSource) -> FileView:
    """Read the header, the directories and the XML of a file as far as they can be read."""
    view = FileView(source, source)
    view.header = _try(view, "fileheader", "the file header", lambda: read_file_header(source))
    if view.header is not None:
        _read_directories(view, view.header)
        read_xml(view, view.header)
    return view


def _read_directories(view: FileView, header: FileHeader) -> None:
    place = "the sub-block directory"
    view.directory = _try(view, "subblkdirectory", place, lambda: read_directory(view.main, header))
    place, read = "the attachment directory", partial(read_attachment_directory, view.main, header)
    view.attachments = _try(view, "attachmentdirectory", place, read) or []


def read_xml(view: FileView, header: FileHeader) -> None:
    """Read the document's XML, and note what is wrong with it as XML."""
    place, messages = "the metadata XML", list[str]()
    remedy = "czi.repair makes it anew from what is whole; all pixels can be read without it"
    xml = _try(view, "xml", place, lambda: read_metadata_xml(view.main, header), remedy)
    if xml is None:
        return
    if not xml:
        message = "the file has none, so names, pixel sizes and scenes are unknown"
        view.failures.append(Finding("xml", "warning", place, message, remedy))
        return
    root = _try(view, "xml", place, lambda: noted(lambda: parse(xml), into=messages), remedy)
    if root is not None and root.tag != "ImageDocument":
        messages.append(f"its root element is {root.tag!r}, not 'ImageDocument'")
    elif root is not None:
        view.root = Node(root, "ImageDocument")
    for message in messages:
        view.failures.append(Finding("xml", "warning", place, message, remedy))


def _join(view: FileView, checked: CheckedDocument, files: PartFiles) -> None:
    place, messages = "the other files of the document", list[str]()
    join = partial(join_parts, view.main, checked, files)
    remedy = "name all files of the document with parts=, or put them beside this one"
    joined = _try(view, "fileparts", place, lambda: noted(join, UserWarning, messages), remedy)
    if joined is not None:
        view.source, view.directory, view.attachments = joined
    remedy = "make sure that parts= names the right files"
    for message in messages:
        view.failures.append(Finding("fileparts", "warning", place, message, remedy))


def _try(
    view: FileView, check: str, place: str, read: Callable[[], T], remedy: str = REPAIR
) -> T | None:
    """Read a part of the file; if that fails, note why and return None."""
    try:
        return read()
    except CziError as error:
        if isinstance(error, OSError) and check != "fileparts":
            raise
        view.failures.append(Finding(check, "error", place, str(error), remedy))
    return None


def noted(
    act: Callable[[], T], category: type[Warning] = MetadataWarning, into: list[str] | None = None
) -> T:
    """Call a function; collect the warnings of a category instead of showing them."""
    with _noting, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = act()
    for warning in caught:
        if issubclass(warning.category, category):
            if into is not None:
                into.append(str(warning.message))
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    return result
