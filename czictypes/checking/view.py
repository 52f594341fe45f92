"""A file as the checks see it: what can be read of it, however damaged it is."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from czictypes.checking.findings import Finding
from czictypes.container.attachments import AttachmentEntry, read_attachment_directory
from czictypes.container.byte_source import ByteSource
from czictypes.container.check import CheckedDocument
from czictypes.container.directory import Directory, read_directory
from czictypes.container.metadata_segment import read_metadata_xml
from czictypes.container.parts import JoinedSource, join_parts
from czictypes.container.segments import FileHeader, read_file_header
from czictypes.metadata.fields import Node
from czictypes.metadata.xml import parse
from czictypes.model.errors import CziError, MetadataWarning
from czictypes.model.geometry import ABSENT, NO_M, format_coordinate
from czictypes.reading.plane_rows import plane_rows
from czictypes.reading.table import SubBlockTable
from czictypes.remote.open import open_source
from czictypes.remote.part_files import PartFiles, Parts

__all__ = ["REPAIR", "FileView", "noted", "open_view", "read_xml", "view_of"]

T = TypeVar("T")

#: The remedy for damage that has lost a part of the file.
REPAIR = 'czi.repair writes a new file of all that is whole; on_error="blank" reads it as it is'
_MOST_PIXELS = 1 << 31
_noting = threading.Lock()


@dataclass
class FileView:
    """A file that was opened for checks.

    Attributes
    ----------
    main
        The bytes of the file itself.
    source
        These, joined with the other files of a document of several.
    header, directory, attachments
        The parts that could be read; None, or nothing, where they are damaged.
    root
        The root of the XML; None where there is none, or it cannot be read.
    failures
        The parts that could not be read.
    step
        Is told how many sub-blocks were looked at.
    threads
        How many threads may decode.
    unreadable
        Is filled with the sub-blocks whose heads are damaged.
    masked
        Is filled with the sub-blocks that have an attachment.
    """

    main: ByteSource
    source: ByteSource
    header: FileHeader | None = None
    directory: Directory | None = None
    attachments: list[AttachmentEntry] = field(default_factory=list)
    root: Node | None = None
    failures: list[Finding] = field(default_factory=list)
    step: Callable[[int], Any] = lambda _: None
    threads: int = 1
    unreadable: set[int] = field(default_factory=set)
    masked: set[int] = field(default_factory=set)

    @property
    def columns(self) -> Directory:
        """The directory, where it could be read."""
        assert self.directory is not None
        return self.directory

    @cached_property
    def sane(self) -> NDArray[np.bool_]:
        """The sub-blocks whose place and sizes can be true."""
        columns = self.columns
        good = np.ones(columns.count, bool)
        for start, size, stored in (
            (columns.x, columns.w, columns.physical_w),
            (columns.y, columns.h, columns.physical_h),
        ):
            good &= (size > 0) & (stored > 0) & (start != ABSENT)
            good &= start.astype(np.int64) + size <= _MOST_PIXELS
        return good

    @cached_property
    def table(self) -> SubBlockTable:
        """The sub-blocks of sane size, with what reading knows of their levels; see `numbers`."""
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
        """Return the columns that tell the planes of the sub-blocks in `table` apart."""
        columns = self.table.directory.coordinates
        return [column for name, column in columns.items() if scenes or name != "S"]

    def about(self, sub_block: int) -> dict[str, Any]:
        """Return the fields of a finding that say which sub-block it is about."""
        columns = self.columns
        position, m = int(columns.file_position[sub_block]), int(columns.m[sub_block])
        place = [format_coordinate(columns.coordinate(sub_block))]
        place += [f"M{m}"] if m not in (ABSENT, NO_M) else []
        for letter, column in (("x", columns.x), ("y", columns.y)):
            if column[sub_block] != ABSENT:
                place.append(f"{letter} {int(column[sub_block])}")
        where = self.source.place(position) if position >= 0 else "a place that cannot be"
        described = ", ".join(filter(None, place))
        name = f"sub-block {sub_block} ({described})" if described else f"sub-block {sub_block}"
        return {
            "place": f"{name} at {where}",
            "sub_block": sub_block,
            "offset": self.own_position(sub_block),
        }

    def own_position(self, sub_block: int) -> int | None:
        """Return where a sub-block begins in its own file."""
        position = int(self.columns.file_position[sub_block])
        if isinstance(self.source, JoinedSource):
            position = self.source.own_position(position)
        return position if position >= 0 else None


@contextmanager
def open_view(
    target: Any, storage_options: Mapping[str, Any] | None, parts: Parts | None
) -> Iterator[FileView]:
    """Open a file and read its header and directories as far as they can be read.

    Raises
    ------
    OSError
        If the file cannot be opened, or a server does not deliver it.
    """
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
    view.directory = _try(
        view,
        "subblkdirectory",
        "the sub-block directory",
        lambda: read_directory(view.main, header),
    )
    found = _try(
        view,
        "attachmentdirectory",
        "the attachment directory",
        lambda: read_attachment_directory(view.main, header),
    )
    view.attachments = found or []


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
    messages: list[str] = []
    joined = _try(
        view,
        "fileparts",
        "the other files of the document",
        lambda: noted(lambda: join_parts(view.main, checked, files), UserWarning, messages),
        "name all files of the document with parts=, or put them beside this one",
    )
    if joined is not None:
        view.source, view.directory, view.attachments = joined
    remedy = "make sure that parts= names the right files"
    for message in messages:
        finding = Finding(
            "fileparts", "warning", "the other files of the document", message, remedy
        )
        view.failures.append(finding)


def _try(
    view: FileView, check: str, place: str, read: Callable[[], T], remedy: str = REPAIR
) -> T | None:
    """Read a part of the file; note why where that fails."""
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
    """Call a function; put the warnings of a category into a list in place of showing them."""
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
