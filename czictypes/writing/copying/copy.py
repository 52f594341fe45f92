"""Copy a document, or a part of it, without decoding its pixels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from czictypes.container.part_files import PartFiles, Parts
from czictypes.container.source import Target as Source
from czictypes.container.source import open_source
from czictypes.container.targets import describe_target
from czictypes.metadata.anonymize import Anonymizer
from czictypes.model.defence import defended
from czictypes.model.dimensions import ABSENT
from czictypes.model.errors import FileChangedError
from czictypes.model.options import ReaderOptions
from czictypes.reading.damage import OnError, leaves_blank
from czictypes.reading.document import OpenDocument
from czictypes.reading.threads import thread_count
from czictypes.writing.assembly import Assembly, Block
from czictypes.writing.compression import CompressionOptions, parse_compression
from czictypes.writing.copying.attachments import (
    AttachmentPlan,
    choose_attachments,
    copy_attachments,
)
from czictypes.writing.copying.blocks import (
    BlockPlan,
    check_recompression,
    copy_blocks,
    new_places,
    whole_or_planes,
)
from czictypes.writing.copying.layout import lay_out
from czictypes.writing.copying.metadata import MetadataChange, copied_metadata
from czictypes.writing.copying.removed import RemovedPart
from czictypes.writing.copying.selection import Places, Selection, select
from czictypes.writing.progress import Progress, show_progress
from czictypes.writing.targets import Target

__all__ = ["CopyReport", "copy"]


@dataclass(frozen=True)
class CopyReport:
    """The contents of a copy, and the parts that it lacks.

    Parameters
    ----------
    sub_blocks
        The number of copied sub-blocks.
    bytes
        The size of their pixel data, metadata and attachments.
    removed
        The parts that were removed although you did not name them: attachments, pyramid levels,
        and with `anonymize` elements and attributes of the XML. As text, each tells its name.
    damaged
        The sub-blocks that ``on_error="blank"`` left out, by their numbers in the source, and the
        fault of each.
    """

    sub_blocks: int
    bytes: int
    removed: list[RemovedPart]
    damaged: dict[int, str] = field(default_factory=dict)


class _Plan(NamedTuple):
    blocks: BlockPlan
    attachments: AttachmentPlan
    xml: bytes
    removed: list[RemovedPart]


@defended(describe_target)
def copy(
    src: Source,
    dst: Target,
    scenes: Places | None = None,
    planes: Mapping[str, Places] | None = None,
    roi: Any = None,
    recompress: str | None = None,
    metadata: MetadataChange = None,
    attachments: Iterable[str] | None = None,
    anonymize: bool | Iterable[str] = False,
    exist_ok: bool = False,
    threads: int | None = None,
    progress: Progress = None,
    *,
    renumber: bool = False,
    source_options: Mapping[str, Any] | None = None,
    parts: Parts | None = None,
    on_error: OnError = "raise",
) -> CopyReport:
    """Copy a document, or a part of it.

    Sub-blocks move as they are: same pixel data, metadata, attachment, position and M-index. The
    copy has its own file GUID, and appears under its name when it is complete, all or nothing;
    so `src` may be replaced by its own copy.

    Parameters
    ----------
    src
        A path; a URL, UPath or OpenFile of fsspec; or a file object opened for reading in
        binary.
    dst
        A path, or a file object opened for writing in binary. Missing folders are made.
    scenes
        One scene, several, or a slice; all by default. A sub-block that belongs to no scene (such
        as a pyramid tile over several scenes) is left out if others are.
    planes
        The planes to copy, by dimension: ``{"C": 0, "T": range(5), "Z": slice(None, None, 2)}``.
    roi
        A region (x, y, w, h): every tile that meets it is copied, whole. A pyramid level (of a
        scene) whose tiles reach beyond those of layer 0 is left out whole; what the copy has
        reads in the region as in the source, from a finer level where need be.
    recompress
        Decode the pixels and encode them anew: ``"zstd1:ExplicitLevel=3"`` (see `CziWriter`).
    metadata
        XML in place of the source's, or a function that is given an `XmlEditor` of it. Else the
        source's XML is copied byte by byte, unless the choice changes sizes (``SizeX``...),
        channels, scenes or the positions of planes: then these are made to fit.
    attachments
        The names of the attachments to copy, ``()`` for none; by default all, except a thumbnail
        if parts of the image are left out. Time stamps are reduced to the copied times.
    anonymize
        Take out label, preview, user names, dates, names of computers and paths of files, from
        the metadata of the document (after `metadata` has changed them) and of each sub-block;
        further words that must not stay may be given instead of True. Of the attachments, the
        time stamps stay, counted from the first, and the picture of a thumbnail. Pixels stay:
        what was written into them is still to be seen.
    exist_ok
        Whether an existing file is replaced.
    threads
        The number of threads that read (and encode); by default CZICTYPES_THREADS, or the CPUs
        that this process may use.
    progress
        True for a bar, or ``progress(done, total)``, called with numbers of sub-blocks.
    renumber
        Whether the copy counts the places of each dimension, and scenes, from 0. By default they
        keep the numbers they have in the source.
    source_options
        The options of fsspec for the URL of `src`, as the `storage_options` of `CziReader`.
    parts
        The other files of a document of several files, as for `CziReader`. The copy is one file.
    on_error
        ``"blank"`` leaves out sub-blocks that cannot be read, with a `DamagedTileWarning` for each;
        the report lists them. All are decoded to find them, but those that czictypes cannot decode
        are copied as they are. By default an error says what is wrong and nothing is copied; damage
        within compressed data then shows only with `recompress`, which decodes them.

    Returns
    -------
    CopyReport
        The numbers of copied and removed parts.

    Raises
    ------
    FileExistsError
        If `dst` exists and `exist_ok` is not set.
    OutOfBoundsError
        If the document does not have the scene, plane or attachment, or nothing is left.
    CorruptFileError
        If a sub-block (or other part) is damaged; the message names it.
    FileChangedError
        If the source changed while it was copied.
    MissingPartError
        If another file of the document is needed and missing.
    RemoteError
        If the source is at a URL, and cannot be read.
    ValueError, TypeError
        For an argument that is none of the above.
    """
    options = None if recompress is None else parse_compression(recompress)
    blank = leaves_blank(on_error)
    assembly: Assembly | None = None
    try:
        files = PartFiles(src, source_options, parts)
        with _opened(src, source_options, thread_count(threads), files) as document:
            chosen = select(document.table, scenes, planes, roi)
            words = () if isinstance(anonymize, bool) else tuple(anonymize)
            cleaner = Anonymizer(words) if anonymize is not False else None
            plan = _plan(document, chosen, options, metadata, attachments, cleaner, renumber)
            assembly = Assembly(dst, exist_ok=exist_ok, allow_duplicates=True)
            report = _carry_out(document, plan, assembly, progress, blank=blank)
        assembly.commit()  # the source is closed by now, for it may be the file to be replaced
    except BaseException:
        if assembly is not None:
            assembly.abort()
        raise
    return report


@contextmanager
def _opened(
    src: Source, options: Mapping[str, Any] | None, threads: int, parts: PartFiles
) -> Iterator[OpenDocument]:
    source = open_source(src, options)
    try:
        before = source.opened_identity()
        document = OpenDocument(source, None, ReaderOptions(), threads, parts)
    except BaseException:
        source.close()
        raise
    try:
        yield document
        if document.source.opened_identity() != before:
            raise FileChangedError(f"{source.name} changed while it was copied; copy it again")
    finally:
        document.uses.retire(wait=True)


def _plan(
    document: OpenDocument,
    chosen: Selection,
    recompress: CompressionOptions | None,
    metadata: MetadataChange,
    attachments: Iterable[str] | None,
    anonymizer: Anonymizer | None,
    renumber: bool,
) -> _Plan:
    """Decide everything that may be refused, before anything is written."""
    layout = lay_out(document.table, chosen.rows, renumber=renumber)
    entries, removed = choose_attachments(
        document.attachment_entries, attachments, is_partial=chosen.is_partial
    )
    removed += [_level(*level) for level in chosen.dropped_levels]
    bare = {scene for scene, _ in chosen.dropped_levels}
    xml = copied_metadata(document.xml, layout, metadata, bare)
    if anonymizer is not None and xml:
        xml, paths = anonymizer.document(xml)
        removed += [RemovedPart("metadata", path) for path in paths]
    rows, whole = whole_or_planes(document, chosen.rows, recompress)
    blocks = BlockPlan(rows, whole, recompress, new_places(layout), anonymizer)
    check_recompression(document, blocks)
    time = layout.changed.get("T")
    return _Plan(blocks, AttachmentPlan(entries, [], time, anonymizer is not None), xml, removed)


def _level(scene: int, level: int) -> RemovedPart:
    number = None if scene == ABSENT else scene
    reason = "it shows more than the region"
    return RemovedPart("pyramid level", level=level, scene=number, reason=reason)


def _carry_out(
    document: OpenDocument,
    plan: _Plan,
    assembly: Assembly,
    progress: Progress,
    *,
    blank: bool,
) -> CopyReport:
    total = len(plan.blocks.rows)
    size = count = 0
    with show_progress(progress, total, f"copying {document.name}") as advance:

        def take(block: Block) -> None:
            nonlocal size, count
            assembly.add(block)
            count += 1
            size += sum(memoryview(one).nbytes for one in _parts(block))
            advance(1)

        skip = partial(advance, 1) if blank else None
        from_blocks = copy_blocks(document, plan.blocks, take, skip)
    removed = copy_attachments(document.source, plan.attachments, assembly)
    if plan.xml:
        assembly.write_metadata(plan.xml)
    found = document.damage.found()
    return CopyReport(count, size, [*plan.removed, *from_blocks, *removed], found)


def _parts(block: Block) -> tuple[Any, Any, Any]:
    return block.data, block.metadata, block.attachment
