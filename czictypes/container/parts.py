"""Join the files of a document into one address space, so that other modules see a single file.

Each part has its own range of addresses and is opened when it is first read. In the file that was
opened first, addresses equal positions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, Union

import numpy as np
from numpy.typing import NDArray

from czictypes.container.attachments import AttachmentEntry, read_attachment_segment
from czictypes.container.byte_source import ByteSource, Range
from czictypes.container.columns import has_other
from czictypes.container.directory import (
    CheckedDocument,
    Directory,
    join_directories,
    read_directory,
)
from czictypes.container.segments import FileHeader, read_file_header
from czictypes.container.subblock import read_subblock_segment
from czictypes.model.errors import CorruptFileError, MissingPartError

#: The addresses of each part start at a multiple of this; 64 TiB.
_ROOM = 1 << 46
_MOST = (1 << 63) // _ROOM - 3
#: The part number that stands for the file itself.
ITSELF = -1

#: An item that a part contains: a row of the directory, or an attachment.
_Sample = Union[int, AttachmentEntry]
_Identity = Union["tuple[Any, ...]", None]


class PartFinder(Protocol):
    """A thread-safe opener of the other files of a document, each once."""

    def named_numbers(self) -> set[int]:
        """Return the numbers of the files that the caller named."""

    def unlisted_numbers(self, listed: set[int], /) -> set[int]:
        """Return the numbers of unlisted files beside a master file that refer to it."""

    def find(self, number: int, holds: Callable[[ByteSource], bool], /) -> ByteSource | None:
        """Open a part; `holds` returns whether a file contains what is listed for the part.

        Return None if the main file contains it itself, so that the number is wrong. Raise
        MissingPartError if no file contains it.
        """

    def close(self) -> None:
        """Close the opened files."""


class OtherFiles(Protocol):
    """The locations of the other files of a document."""

    @property
    def named(self) -> bool:
        """Whether the caller named any files."""

    @property
    def are_remote(self) -> bool:
        """Whether any of the files that the caller named is remote."""

    def finder(self, main: ByteSource, header: FileHeader, /) -> PartFinder:
        """Return the opener of the other files of an opened main file."""


def join_parts(
    source: ByteSource, checked: CheckedDocument, files: OtherFiles
) -> tuple[ByteSource, Directory, list[AttachmentEntry]]:
    """Join the other files of a document; return its source, directory and attachments.

    A document in one file is returned unchanged. Otherwise, two kinds of files are opened
    immediately: those that the caller named, and those beside the document whose header names it
    as their master. Sub-blocks that only they list are added.

    Raises
    ------
    CorruptFileError
        If the document names too many files, or an added file is damaged.
    MissingPartError
        If a file to be added is missing.
    """
    header, directory, attachments = checked
    others = [one for one in attachments if 0 < one.file_part != header.file_part]
    known = {one.file_part for one in others}
    numbers = None
    if has_other(directory.file_part, 0):
        numbers = part_numbers(directory.file_part, header.file_part)
        known.update(np.unique(numbers[numbers != ITSELF]).tolist())
    finder = files.finder(source, header)
    beside = finder.unlisted_numbers(known)
    if not known and not files.named and not beside:
        return source, directory, attachments
    joined = JoinedSource(source, header, finder, is_remote=files.are_remote)
    if numbers is None:
        numbers = np.full(directory.count, ITSELF, np.int32)
    try:
        for number, part in joined.not_among(known, beside):
            found_header = read_file_header(part)
            found = read_directory(part, found_header)
            own = np.flatnonzero(part_numbers(found.file_part, found_header.file_part) == ITSELF)
            directory = join_directories(directory, found, own)
            numbers = np.append(numbers, np.full(len(own), number, np.int32))
        moved = joined.lay_out(directory, numbers, others)
    except BaseException:
        finder.close()
        raise
    attachments = [
        replace(one, file_position=joined.address(one.file_part, one.file_position))
        if one in others
        else one
        for one in attachments
    ]
    return joined, moved, attachments


def part_numbers(parts: NDArray[np.int32], own: int) -> NDArray[np.int32]:
    """Return the number of the file that contains each sub-block, or `ITSELF`.

    `parts` are the numbers in the directory, and `own` is that of the file that it belongs to.
    """
    elsewhere = (parts > 0) & (parts != own)
    if own > 0 and (parts == own).any():  # otherwise the writer left the numbers at 0
        elsewhere |= parts == 0
    return np.where(elsewhere, parts, np.int32(ITSELF))


class JoinedSource(ByteSource):
    """The files of a document as one byte source; closing it closes them all.

    Parameters
    ----------
    main, header
        The file that was opened, and its header.
    finder
        The opener of the other files; closed with the source.
    is_remote
        Whether any of the other files may be remote.
    """

    def __init__(
        self, main: ByteSource, header: FileHeader, finder: PartFinder, *, is_remote: bool
    ) -> None:
        super().__init__(main.name)
        self.is_remote = main.is_remote or is_remote
        self._main, self._header = main, header
        self._finder = finder
        self._samples: dict[int, _Sample] = {}  # an item listed for each part
        self._opened: dict[int, ByteSource] = {}  # by number
        self._before: dict[int, tuple[ByteSource, _Identity]] = {}  # identities when opened

    def not_among(self, known: set[int], beside: set[int]) -> Iterator[tuple[int, ByteSource]]:
        """Open the files that the caller named or that lie beside, unless already listed."""
        own = self._header.file_part
        for number in sorted((self._finder.named_numbers() | beside) - known - {own}):
            yield number, self._part(number)

    def lay_out(
        self,
        directory: Directory,
        numbers: NDArray[np.int32],
        attachments: Sequence[AttachmentEntry],
    ) -> Directory:
        """Assign addresses; return the directory with addresses in place of positions.

        `numbers` has the file number of each sub-block; `attachments` are those in other files.
        """
        self._samples = {one.file_part: one for one in attachments}
        found, rows = np.unique(numbers, return_index=True)
        self._samples.update((n, row) for n, row in zip(found.tolist(), rows.tolist()) if n >= 0)
        if len(self._samples) > _MOST:
            raise CorruptFileError(
                f"{self.name} names {len(self._samples)} other files, more than a document can "
                "have; the file is damaged"
            )
        self._slots = {number: slot for slot, number in enumerate(sorted(self._samples), 1)}
        self._numbers = sorted(self._samples)
        positions = directory.file_position
        slots = np.where(numbers == ITSELF, 0, np.searchsorted(self._numbers, numbers) + 1)
        inside = (positions >= 0) & (positions < _ROOM)
        addresses = np.where(inside, positions + slots * _ROOM, -1)
        addresses.setflags(write=False)
        self._directory = directory
        self._moved = replace(directory, file_position=addresses)
        return self._moved

    # Addresses

    def address(self, number: int, position: int) -> int:
        """Return the address of a position in a part; -1 if the position is impossible."""
        return self._slots[number] * _ROOM + position if 0 <= position < _ROOM else -1

    def own_positions(self, table: NDArray[np.void]) -> NDArray[np.void]:
        """Return a copy of a table of sub-blocks with positions in place of addresses."""
        found: NDArray[np.void] = table.copy()
        found["file_position"] = self._directory.file_position[found["index"]]
        found.flags.writeable = False
        return found

    def own_position(self, position: int) -> int:
        """Return the position in its own file for an address; negative ones stay unchanged."""
        return position % _ROOM if position >= 0 else position

    def end_of(self, position: int) -> int:
        """Return the end of the file that contains a position."""
        source, inside = self._find(position)
        return position - inside + source.size()

    def place(self, position: int) -> str:
        """Describe a position for messages."""
        slot = position // _ROOM
        if not 0 < slot <= len(self._numbers):
            return super().place(position)
        number = self._numbers[slot - 1]
        opened = self._opened.get(number)
        name = f"part {number}" if opened is None else opened.name
        return f"byte {position % _ROOM} of {name}"

    # The files

    def parts(self) -> dict[int, str | None]:
        """Return the names of the other files by number; None for missing files."""
        found: dict[int, str | None] = {}
        for number in self._numbers:
            try:
                found[number] = self._part(number).name
            except MissingPartError:
                found[number] = None
        return found

    def stored_bytes(self) -> int:
        """Return the total size in bytes of the files that exist."""
        sources = [self._main]
        for number in self._numbers:
            with suppress(MissingPartError):
                sources.append(self._part(number))
        return sum(source.size() for source in set(sources))

    def _find(self, offset: int) -> tuple[ByteSource, int]:
        """Return the file and the position for an address; MissingPartError if it is missing."""
        slot = offset // _ROOM
        if not 0 < slot <= len(self._numbers):
            return self._main, offset
        return self._part(self._numbers[slot - 1]), offset % _ROOM

    def _part(self, number: int) -> ByteSource:
        found = self._opened.get(number)
        if found is None:
            found = self._finder.find(number, partial(self._holds, number)) or self._main
            if found is not self._main:
                self._before.setdefault(number, (found, found.opened_identity()))
            self._opened[number] = found
        return found

    def _holds(self, number: int, source: ByteSource) -> bool:
        """Return whether a file contains a sample of what is listed for a part."""
        sample = self._samples.get(number)
        if sample is None:  # nothing is listed for it
            return source is not self._main
        try:
            if isinstance(sample, AttachmentEntry):
                read_attachment_segment(source, sample)
                return True
            if source is self._main:  # its own sub-blocks are not those of another part
                position = self._directory.file_position[sample]
                if ((self._moved.file_position == position) & (position >= 0)).any():
                    return False
            read_subblock_segment(source, self._directory, sample)
        except CorruptFileError:
            return False
        return True

    # As a byte source

    def identity(self) -> tuple[Any, ...] | None:
        """Return the identity of the main file, extended once another file has changed."""
        return self._with_others(self._main.identity(), lambda part: part.identity())

    def opened_identity(self) -> tuple[Any, ...] | None:
        """Return the opened identity of the main file, extended likewise."""
        return self._with_others(self._main.opened_identity(), lambda part: part.opened_identity())

    def _with_others(
        self, own: _Identity, now: Callable[[ByteSource], _Identity]
    ) -> tuple[Any, ...] | None:
        for number, (part, before) in tuple(self._before.items()):
            if now(part) != before:
                return (*(own or ()), f"part {number} changed")
        return own

    def read_ranges(self, ranges: Sequence[Range]) -> list[bytes]:
        """Return the bytes of many ranges, read file by file; none from missing files."""
        found = dict.fromkeys(range(len(ranges)), b"")
        for source, places in self._by_file(ranges):
            found.update(zip(places, source.read_ranges(list(places.values()))))
        return list(found.values())

    @contextmanager
    def read_ahead(self, ranges: Sequence[Range]) -> Iterator[None]:
        """Fetch ranges in the background."""
        with ExitStack() as stack:
            for source, places in self._by_file(ranges):
                stack.enter_context(source.read_ahead(list(places.values())))
            yield

    def fetch_soon(self, ranges: Sequence[Range]) -> None:
        """Fetch ranges in the background."""
        for source, places in self._by_file(ranges):
            source.fetch_soon(list(places.values()))

    def _by_file(self, ranges: Sequence[Range]) -> Iterator[tuple[ByteSource, dict[int, Range]]]:
        """Yield each existing file, and its ranges by their index among all."""
        by_slot: dict[int, dict[int, Range]] = {}
        for place, (offset, count) in enumerate(ranges):
            by_slot.setdefault(offset // _ROOM, {})[place] = (offset, count)
        for places in by_slot.values():
            first, _ = next(iter(places.values()))
            try:
                source, inside = self._find(first)
            except OSError:  # the read that needs the file raises the error
                continue
            shift = first - inside
            yield source, {at: (one - shift, count) for at, (one, count) in places.items()}

    def _size(self) -> int:
        return (len(self._numbers) + 1) * _ROOM

    def _read(self, offset: int, count: int) -> bytes:
        source, inside = self._find(offset)
        return source.read_at(inside, count)

    def _read_into(self, offset: int, buffer: memoryview) -> int:
        source, inside = self._find(offset)
        return source.read_into(inside, buffer)

    def _release(self) -> None:
        self._finder.close()
        self._main.close()
