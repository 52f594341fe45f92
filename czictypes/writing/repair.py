"""Repair: a readable document from what is whole of a damaged one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from czictypes.container.attachments import read_attachment_data
from czictypes.container.byte_source import ByteSource
from czictypes.container.directory import Directory
from czictypes.container.salvage import Salvage, salvage
from czictypes.container.salvaged_tiles import LostPart, LostTile, LostTiles
from czictypes.container.scan import find_segments
from czictypes.container.segments import read_metadata_segment_at, read_xml
from czictypes.metadata.builder import build_document
from czictypes.metadata.xml import recovered_xml
from czictypes.model.errors import (
    CorruptFileError,
    MissingExtraError,
    NotCziError,
    UnsupportedDataError,
)
from czictypes.model.pixel_types import Compression, pixel_format
from czictypes.model.public import Progress, defended, renamed, show_progress
from czictypes.reading.damage import UNREADABLE
from czictypes.reading.decode import SubBlockDecoder
from czictypes.reading.planes import PlaneRows
from czictypes.reading.threads import thread_count
from czictypes.remote.open import PathOrFile, open_source
from czictypes.remote.part_files import PartFiles, Parts
from czictypes.remote.urls import describe_target
from czictypes.writing.assembly import Assembly
from czictypes.writing.atomic import check_new_file
from czictypes.writing.new_metadata import WrittenSummary, make_content
from czictypes.writing.new_segments import EncodedSubBlock
from czictypes.writing.repair_files import SearchedFile, open_parts, refuse_same_file
from czictypes.writing.targets import Target, is_path
from czictypes.writing.transfer import (
    decoded_sizes,
    read_encoded,
    stored_names,
    stored_sizes,
    transfer_sub_blocks,
)

_LARGEST = 2**31 - 1
#: Compressed pixels are decoded to see whether they are whole, if they grow by less than this.
_DECODED, _GROWTH = 64 << 20, 16


@dataclass(frozen=True)
class RepairReport:
    """The contents of a repaired file, and the parts that are lost.

    Parameters
    ----------
    sub_blocks
        The number of recovered sub-blocks.
    bytes
        The size of their pixel data, metadata and attachments.
    lost
        The sub-blocks that are known and could not be recovered, by plane and tile.
    doubtful
        Sub-blocks that were recovered as their segments say, although the directory says otherwise.
    directory
        ``"kept"`` if the file's own directory told which sub-blocks there are, ``"rebuilt"`` if
        these had to be found.
    metadata
        ``"kept"``; ``"repaired"`` if single characters were damaged, which are U+FFFD now; or
        ``"rebuilt"`` from the pixels.
    attachments
        The names of the recovered attachments.
    lost_attachments
        The names of the others, and the fault of each.
    unlisted
        The number of whole sub-blocks that the directory, whole itself, does not list: deleted
        ones. They are not recovered.
    superseded
        The number of whole sub-blocks that are left out because a later one has the same place.
    unknown_bytes
        The number of bytes in which nothing was recognised; sub-blocks of which nothing is known
        may have been there. 0 if the directory was whole.
    had_metadata
        Whether the file may have had metadata.
    """

    sub_blocks: int
    bytes: int
    lost: Sequence[LostTile] = field(repr=False)
    doubtful: Sequence[LostTile] = field(repr=False)
    directory: str
    metadata: str
    attachments: list[str]
    lost_attachments: list[LostPart]
    unlisted: int = 0
    superseded: int = 0
    unknown_bytes: int = 0
    had_metadata: bool = True

    @property
    def is_complete(self) -> bool:
        """Whether nothing is lost, as far as can be known."""
        kept = self.metadata == "kept" or not self.had_metadata
        return kept and not (self.lost or self.lost_attachments or self.unknown_bytes)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, as ``czictypes repair --json`` prints it."""
        return {
            "complete": self.is_complete,
            "sub_blocks": self.sub_blocks,
            "bytes": self.bytes,
            "directory": self.directory,
            "metadata": self.metadata,
            "lost": [_plain(tile) for tile in self.lost],
            "doubtful": [_plain(tile) for tile in self.doubtful],
            "attachments": self.attachments,
            "lost_attachments": [part._asdict() for part in self.lost_attachments],
            "unlisted": self.unlisted,
            "superseded": self.superseded,
            "unknown_bytes": self.unknown_bytes,
        }


def _plain(tile: LostTile) -> dict[str, Any]:
    return {**tile._asdict(), "rectangle": tile.rectangle._asdict()}


@renamed(src="source", dst="dest", exist_ok="overwrite", source_options="storage_options")
@defended(describe_target)
def repair(
    source: PathOrFile,
    dest: Target,
    *,
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress = None,
    storage_options: Mapping[str, Any] | None = None,
    parts: Parts | None = None,
) -> RepairReport:
    """Write a readable document with everything that is whole in a damaged one.

    For files of an interrupted acquisition or a copy that broke off, with a lost directory or with
    overwritten pieces. The whole file is searched for segments. Every sub-block whose segment is
    whole moves as it is: pixel data, metadata, mask and attachment, position and M-index. Those
    that cannot be decoded are lost. XML that is gone is made from the pixels. The source is only
    read.

    Parameters
    ----------
    source
        A path; a URL, UPath or OpenFile of fsspec; or a file object opened for reading in
        binary.
    dest
        A path, or a file object opened for writing in binary: not the source, nor a link to it.
        The file appears under its name when it is complete, all or nothing. Missing folders are
        made.
    overwrite
        Whether an existing file is replaced.
    threads
        The number of threads that read and decode; by default CZICTYPES_THREADS, or the CPUs that
        this process may use.
    progress
        True for a bar, or ``progress(done, total)``, called with numbers of bytes; the total is
        twice the size of the source, which is searched, then read.
    storage_options
        The options of fsspec for the URL of `source`, as for `CziReader`.
    parts
        The other files of a document of several files, as for `CziReader`. Their sub-blocks go
        into the one new file.

    Returns
    -------
    RepairReport
        What was recovered, what is lost, and what was made anew.

    Raises
    ------
    CorruptFileError
        If not a single sub-block can be recovered; no file is left.
    NotCziError
        If there is nothing of a CZI in the source.
    InvalidArgumentError
        If `dest` is the source.
    FileExistsError
        If `dest` exists and `overwrite` is not set.
    FileChangedError
        If the source changed meanwhile.
    OSError
        If a file cannot be read or written.
    """
    files = PartFiles(source, storage_options, parts)
    refuse_same_file([source, files.target, *files.listed, *files.numbered.values()], dest)
    if is_path(dest):
        check_new_file(dest, overwrite=overwrite)
    with ExitStack() as output:
        with ExitStack() as stack:
            main = SearchedFile(stack.enter_context(open_source(source, storage_options)))
            searched = [main, *open_parts(files, main, stack)]
            refuse_same_file([getattr(one.source, "path", None) for one in searched], dest)
            total = 2 * sum(one.source.size() for one in searched)
            with show_progress(progress, total, f"repairing {main.source.name}") as advance:
                found = _search(searched, advance)
                assembly = Assembly(dest, overwrite=overwrite)
                output.enter_context(assembly)
                report = _Writing(assembly, thread_count(threads), advance).write(found)
            for one in searched:
                one.check_unchanged()
        return report


class _Found(NamedTuple):
    """A file, and what it holds."""

    file: SearchedFile
    salvage: Salvage


def _search(searched: list[SearchedFile], advance: Callable[[int], Any]) -> list[_Found]:
    """Search the files of a document for what can be recovered; the first one knows the others."""
    found: list[_Found] = []
    anything = False
    listed: Directory | None = None
    for file in searched:
        with file.source.read_ahead(file.expected_heads()):
            segments = find_segments(file.source, advance)
        anything |= len(segments.position) > 0
        own = None
        if listed is not None:
            own = listed.select(np.flatnonzero(listed.file_part == file.number))
        if not file.is_certain and not (own is not None and own.count):
            advance(file.source.size())
            continue
        held = salvage(file.source, segments, file.number, own)
        listed = held.elsewhere if listed is None else listed
        found.append(_Found(file, held))
    name = searched[0].source.name
    if not anything:
        raise NotCziError(f"{name} is not a CZI file: there is no segment of one anywhere in it")
    if not any(one.salvage.tiles.count for one in found):
        lost = sum(len(one.salvage.lost) for one in found)
        raise CorruptFileError(
            f"nothing can be recovered from {name}: no sub-block in it is whole ({lost} are known "
            "to be lost)"
        )
    return found


class _Unreadable(NamedTuple):
    """A sub-block that cannot be recovered although its segment seems whole."""

    row: int
    reason: str


class _Writing:
    """Writes what was found, and counts it."""

    def __init__(self, assembly: Assembly, threads: int, advance: Callable[[int], Any]) -> None:
        self._assembly, self._threads, self._advance = assembly, threads, advance
        self._count = self._bytes = 0
        self._full, self._reduced = WrittenSummary(), WrittenSummary()
        self._lost: list[LostTiles] = []
        self._attachments: list[str] = []
        self._lost_attachments: list[LostPart] = []

    def write(self, found: list[_Found]) -> RepairReport:
        """Write all of it, and report it."""
        for file, held in found:
            self._write_tiles(file.source, held)
        if not self._count:
            raise CorruptFileError(
                f"nothing can be recovered from {found[0].file.source.name}: none of its "
                f"sub-blocks can be decoded ({self._lost[0][0].reason})"
            )
        for file, held in found:
            self._write_attachments(file.source, held)
        xml, state = _metadata(found[0])
        if xml is None:
            seen = self._full if self._full.bounding_box else self._reduced
            xml = build_document(seen.image(), make_content(None, None))
        self._assembly.write_metadata(xml)
        salvages = [held for _, held in found]
        lost = [*(held.lost for held in salvages), *self._lost, _missing_parts(found)]
        whole = all(held.directory_is_whole for held in salvages)
        return RepairReport(
            sub_blocks=self._count,
            bytes=self._bytes,
            lost=LostTiles.joined(lost),
            doubtful=LostTiles.joined(held.doubtful for held in salvages),
            directory="kept" if whole else "rebuilt",
            metadata=state,
            attachments=self._attachments,
            lost_attachments=self._lost_attachments,
            unlisted=sum(held.unlisted for held in salvages),
            superseded=sum(held.superseded for held in salvages),
            unknown_bytes=sum(held.unknown_bytes for held in salvages),
            had_metadata=salvages[0].had_metadata,
        )

    def _write_tiles(self, source: ByteSource, held: Salvage) -> None:
        tiles = held.tiles
        reader = _Reader(source, tiles)
        unreadable: list[_Unreadable] = []
        done = 0

        def take(block: EncodedSubBlock | _Unreadable, position: int) -> None:
            nonlocal done
            if isinstance(block, _Unreadable):
                unreadable.append(block)
            else:
                self._add(block)
            self._advance(position - done)
            done = position

        sizes = stored_sizes(source, tiles)
        ranges = sorted(zip(tiles.file_position.tolist(), sizes.tolist()))
        with source.read_ahead(ranges if source.is_remote else ()):
            transfer_sub_blocks(
                source,
                tiles,
                np.arange(tiles.count),
                lambda pair: take(*pair),
                threads=self._threads,
                make=reader.read,
                in_turn=bool((tiles.compression == Compression.Uncompressed.value).all()),
                sizes=np.maximum(sizes, np.minimum(decoded_sizes(tiles), _DECODED)),
            )
        self._advance(source.size() - done)
        rows = np.array([one.row for one in unreadable], np.intp)
        self._lost.append(LostTiles((tiles.select(rows), [one.reason for one in unreadable])))

    def _add(self, block: EncodedSubBlock) -> None:
        self._assembly.add(block)
        self._count += 1
        self._bytes += len(block.data) + len(block.metadata) + len(block.attachment)
        reduced = block.size.w < block.rectangle.w and block.size.h < block.rectangle.h
        m_range = None if block.m_index is None else (block.m_index, block.m_index)
        last = {letter: size - 1 for letter, size in block.sizes.items()}
        for shift in ({}, last) if last else ({},):
            place = {name: at + shift.get(name, 0) for name, at in block.coordinate.items()}
            summary = self._reduced if reduced else self._full
            summary.add(place, block.rectangle, block.pixel_type, m_range)

    def _write_attachments(self, source: ByteSource, held: Salvage) -> None:
        self._lost_attachments += held.lost_attachments
        for entry in held.attachments:
            try:
                data = read_attachment_data(source, entry)
            except CorruptFileError as error:
                self._lost_attachments.append(LostPart(entry.name, str(error)))
                continue
            self._assembly.add_attachment(*stored_names(entry), data, entry.guid)
            self._attachments.append(entry.name)


class _Reader:
    """Reads sub-blocks as they are stored, and decodes those that are compressed to check them."""

    def __init__(self, source: ByteSource, tiles: Directory) -> None:
        self._source, self._tiles = source, tiles
        self._decoder = SubBlockDecoder(source, PlaneRows(tiles, tiles))

    def read(self, index: int) -> tuple[EncodedSubBlock | _Unreadable, int]:
        """Return a sub-block or why there is none, and where its segment begins."""
        position = int(self._tiles.file_position[index])
        try:
            block = read_encoded(self._source, self._tiles, index)
            parts = (block.data, block.metadata, block.attachment)
            if max(map(len, parts)) > _LARGEST:
                raise UnsupportedDataError("it has 2 GiB or more, which libCZI does not write")
            self._check(index, block)
        except UNREADABLE as error:
            return _Unreadable(index, str(error)), position
        return block, position

    def _check(self, index: int, block: EncodedSubBlock) -> None:
        """Raise a `CorruptFileError` if compressed pixels are damaged, as far as they tell."""
        size = block.size.w * block.size.h * pixel_format(block.pixel_type).bytes_per_pixel
        if block.compression == Compression.Uncompressed:
            return
        if size > max(_DECODED, _GROWTH * len(block.data)):
            return
        with suppress(UnsupportedDataError, MissingExtraError):  # others may decode it
            self._decoder.tile(index)


def _metadata(found: _Found) -> tuple[bytes | None, str]:
    """Return the XML of the document, None where it is gone, and what became of it."""
    source = found.file.source
    for position in found.salvage.metadata:
        try:
            stored = read_xml(source, read_metadata_segment_at(source, position))
        except CorruptFileError:
            continue
        xml = recovered_xml(stored)
        if xml is not None:
            return xml, "kept" if xml == stored else "repaired"
    return None, "rebuilt"


def _missing_parts(found: list[_Found]) -> LostTiles:
    """Return the sub-blocks that are listed for files that are not there."""
    listed = found[0].salvage.elsewhere
    there = [one.file.number for one in found]
    tiles = listed.select(np.flatnonzero(~np.isin(listed.file_part, there)))
    numbers = tiles.file_part.tolist()
    return LostTiles((tiles, [f"part {number} of the document is missing" for number in numbers]))
