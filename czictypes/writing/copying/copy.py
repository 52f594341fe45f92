"""Copy a document, or a part of it, without decoding its pixels."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from czictypes.container.attachments import AttachmentEntry, read_attachment_data
from czictypes.container.byte_source import ByteSource
from czictypes.metadata.anonymize import Anonymizer
from czictypes.metadata.document_info import Scaling
from czictypes.metadata.records import build_time_stamps, read_time_stamps
from czictypes.model.errors import FileChangedError, OutOfBoundsError
from czictypes.model.geometry import ABSENT
from czictypes.model.options import ReaderOptions
from czictypes.model.public import Progress, defended, renamed, show_progress, warn_caller
from czictypes.reading.damage import OnError, leaves_blank
from czictypes.reading.document import OpenDocument
from czictypes.reading.names import metadata_or
from czictypes.reading.threads import thread_count
from czictypes.remote.open import PathOrFile, open_source
from czictypes.remote.part_files import PartFiles, Parts
from czictypes.remote.urls import describe_target
from czictypes.writing.assembly import Assembly
from czictypes.writing.compression import CompressionOptions, parse_compression
from czictypes.writing.copying.anonymized import (
    FOCUS,
    THUMBNAIL,
    TIME_STAMPS,
    Anonymity,
    KeptPart,
    RemovedPart,
    anonymized_attachment,
    anonymized_parts,
)
from czictypes.writing.copying.copy_selection import (
    Extent,
    Indices,
    MetadataChange,
    Numbering,
    Selection,
    copied_metadata,
    lay_out,
    select,
)
from czictypes.writing.copying.sub_blocks import (
    SubBlockPlan,
    check_recompression,
    copy_sub_blocks,
    new_indices,
    whole_or_planes,
)
from czictypes.writing.new_segments import EncodedSubBlock
from czictypes.writing.pyramid.build import write_pyramid
from czictypes.writing.pyramid.tile_plan import PyramidOptions
from czictypes.writing.targets import Target
from czictypes.writing.transfer import stored_names


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
    kept
        With `anonymize` what stayed of the metadata and attachments, with its values.
    """

    sub_blocks: int
    bytes: int
    removed: list[RemovedPart]
    damaged: dict[int, str] = field(default_factory=dict)
    kept: list[KeptPart] = field(default_factory=list)


class _Plan(NamedTuple):
    sub_blocks: SubBlockPlan
    attachments: Sequence[AttachmentEntry]
    time: Extent | None  # how T changes; None if it does not
    anonymity: Anonymity | None
    xml: bytes
    removed: list[RemovedPart]
    pyramid: PyramidOptions | None = None  # what a new one is like


@renamed(
    src="source",
    dst="dest",
    recompress="compression",
    exist_ok="overwrite",
    source_options="storage_options",
)
@defended(describe_target)
def copy(
    source: PathOrFile,
    dest: Target,
    scenes: Indices | None = None,
    planes: Mapping[str, Indices] | None = None,
    roi: Any = None,
    compression: str | None = None,
    metadata: MetadataChange = None,
    attachments: Iterable[str] | None = None,
    anonymize: bool | Iterable[str] = False,
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress = None,
    *,
    crop: bool = False,
    renumber: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    parts: Parts | None = None,
    on_error: OnError = "raise",
    keep_relative_times: bool = False,
    keep_attachments: Iterable[str] = (),
    only_named_dimensions: bool = False,
) -> CopyReport:
    """Copy a document, or a part of it.

    Sub-blocks move as they are: same pixel data, metadata, attachment, position and M-index. The
    copy has its own file GUID, and appears under its name when it is complete, all or nothing;
    so `source` may be replaced by its own copy.

    Parameters
    ----------
    source
        A path; a URL, UPath or OpenFile of fsspec; or a file object opened for reading in
        binary.
    dest
        A path, or a file object opened for writing in binary. Missing folders are made.
    scenes
        One scene, several, or a slice, by number or name; all by default. A sub-block that belongs
        to no scene (such as a pyramid tile over several scenes) is left out if others are.
    planes
        The planes to copy, by dimension: ``{"C": 0, "T": range(5), "Z": slice(None, None, 2)}``.
        Channels may be given by their names: ``{"C": ["DAPI", "GFP"]}``.
    roi
        A region (x, y, w, h): every tile that meets it is copied, whole unless `crop` is set. A
        pyramid level (of a scene) whose tiles reach beyond those of layer 0 is left out whole; what
        the copy has reads in the region as in the source, from a finer level where need be.
    compression
        Decode the pixels and encode them anew: ``"zstd1:ExplicitLevel=3"`` (see `CziWriter`).
    metadata
        XML in place of the source's, or a function that is given an `XmlEditor` of it. Else the
        source's XML is copied byte by byte, unless the choice changes sizes (``SizeX``...),
        channels, scenes or the positions of planes: then these are made to fit.
    attachments
        The names of the attachments to copy, ``()`` for none; by default all, except a thumbnail
        if parts of the image are left out. Time stamps are reduced to the copied times.
    anonymize
        Keep only what is known to tell nothing of persons, places, dates and computers: of the
        metadata of the document (after `metadata` has changed them) and of each sub-block the
        structure, sizes, scaling, optics, channels and display settings; of the attachments focus
        positions and the picture of a thumbnail; of a sub-block's attachment the mask. Names that
        are not of microscopy become neutral (``Channel 0``), identifiers become new ones. You may
        give further words that must not stay instead of True. Pixels stay: what was written into
        them is still to be seen. The report lists all values that went and stayed.
    overwrite
        Whether an existing file is replaced.
    threads
        The number of threads that read (and encode); by default CZICTYPES_THREADS, or the CPUs
        that this process may use.
    progress
        True for a bar, or ``progress(done, total)``, called with numbers of sub-blocks.
    crop
        Whether tiles are cut to the pixels of `roi`. Those on its edge are decoded, cut and encoded
        anew, in their own compression (JPEG XR, and what is not written here, in lossless zstd),
        with their masks and stage positions; all others move as they are. The pyramid is made anew
        where the source has one and more than 1024 pixels along a side are left.
    renumber
        Whether the copy counts the indices of each dimension, and scenes, from 0. By default they
        keep the numbers they have in the source.
    storage_options
        The options of fsspec for the URL of `source`, as for `CziReader`.
    parts
        The other files of a document of several files, as for `CziReader`. The copy is one file.
    on_error
        ``"blank"`` leaves out sub-blocks that cannot be read, with a `DamagedTileWarning` for each;
        the report lists them. All are decoded to find them, but those that czictypes cannot decode
        are copied as they are. By default an error says what is wrong and nothing is copied; damage
        within compressed data then shows only with `compression`, which decodes them.
    keep_relative_times
        With `anonymize`, whether times stay as differences from the first: dates are counted from
        the beginning of the year 2000, time stamps from 0.
    keep_attachments
        With `anonymize`, the names of attachments that stay although they may tell something, such
        as ``["SlidePreview"]``; one that is missing gets a warning. Metadata in pictures and in
        documents within them go; pictures that are neither JPEG nor PNG become PNG. Data of other
        kinds stay as they are.
    only_named_dimensions
        Whether the copy has only the dimensions of planes (Z, C, T...) along which it has several,
        and not those of one place. OpenSlide reads no file with Z or T.

    Returns
    -------
    CopyReport
        The numbers of copied and removed parts.

    Raises
    ------
    FileExistsError
        If `dest` exists and `overwrite` is not set.
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
    options = None if compression is None else parse_compression(compression)
    numbering = Numbering(from_0=renumber, only_several=only_named_dimensions)
    blank = leaves_blank(on_error)
    files = PartFiles(source, storage_options, parts)
    opened = _opened(source, storage_options, thread_count(threads), files)
    with ExitStack() as output, opened as document:
        chosen = select(document.table, scenes, planes, roi, crop=crop)
        anonymity = _anonymity(anonymize, keep_relative_times, keep_attachments)
        plan = _plan(document, chosen, options, metadata, attachments, anonymity, numbering)
        assembly = Assembly(
            dest,
            overwrite=overwrite,
            read_back=plan.pyramid is not None,
            for_openslide=only_named_dimensions or _lists_no_attachment(document),
        )
        # It is completed when the source is closed, which may be the file to be replaced.
        output.enter_context(assembly)
        return _carry_out(document, plan, assembly, progress, blank=blank)


def _texts(given: Any, name: str) -> list[str]:
    """Return one or several texts as a list."""
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, Iterable) or not all(isinstance(one, str) for one in listed):
        raise TypeError(f"{name} is a list of texts, and is not {given!r}")
    return list(listed)


def _lists_no_attachment(document: OpenDocument) -> bool:
    return document.lists_attachments and not document.attachment_entries


def _anonymity(
    anonymize: bool | Iterable[str], times: bool, names: Iterable[str]
) -> Anonymity | None:
    listed = _texts(names, "keep_attachments")
    if anonymize is False:
        if times or listed:
            raise ValueError("keep_relative_times= and keep_attachments= need anonymize=True")
        return None
    words = () if isinstance(anonymize, bool) else tuple(_texts(anonymize, "anonymize"))

    def document(data: bytes) -> bytes:
        target = io.BytesIO()
        copy(io.BytesIO(data), target, anonymize=words, keep_relative_times=times)
        return target.getvalue()

    kept = frozenset(name.lower() for name in listed)
    return Anonymity(Anonymizer(words, keep_relative_times=times), times, kept, document)


@contextmanager
def _opened(
    target: PathOrFile, options: Mapping[str, Any] | None, threads: int, parts: PartFiles
) -> Iterator[OpenDocument]:
    source = open_source(target, options)
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
        document.close()


def _warn_of_missing(
    names: Iterable[str], entries: Sequence[AttachmentEntry], document: str
) -> None:
    """Warn of attachments that are to stay and are not there: a misspelt one would be lost."""
    there = {entry.name.lower() for entry in entries}
    if missing := sorted(name for name in names if name not in there):
        listed = ", ".join(entry.name for entry in entries) or "none"
        warn_caller(
            f"keep_attachments names {', '.join(missing)}, which {document} does not have; its "
            f"attachments are {listed}"
        )


def _plan(
    document: OpenDocument,
    chosen: Selection,
    compression: CompressionOptions | None,
    metadata: MetadataChange,
    attachments: Iterable[str] | None,
    anonymity: Anonymity | None,
    numbering: Numbering,
) -> _Plan:
    """Decide everything that may be refused, before anything is written."""
    layout = lay_out(document.table, chosen, numbering)
    pyramid = _new_pyramid(document, chosen)
    entries, removed = _choose_attachments(
        document.attachment_entries, attachments, is_partial=chosen.is_partial
    )
    removed += [_level(*level) for level in chosen.dropped_levels]
    bare = {scene for scene, _ in chosen.dropped_levels}
    if chosen.crop is not None:
        bare = {ABSENT, *layout.scenes}
    xml = copied_metadata(document.xml, layout, metadata, bare)
    anonymizer = None
    if anonymity is not None:
        anonymizer = anonymity.metadata
        _warn_of_missing(anonymity.names, entries, document.name)
        xml = anonymizer.document(xml) if xml else xml
    rows, whole = whole_or_planes(document, chosen.rows, compression, chosen.crop)
    pixel = None if chosen.crop is None else _pixel_size(document)
    blocks = SubBlockPlan(
        rows,
        whole,
        compression,
        new_indices(layout),
        anonymizer,
        chosen.crop,
        pixel,
        layout.left_out,
    )
    check_recompression(document, blocks)
    return _Plan(blocks, entries, layout.changed.get("T"), anonymity, xml, removed, pyramid)


def _new_pyramid(document: OpenDocument, chosen: Selection) -> PyramidOptions | None:
    """Return what the pyramid of a cut document is like: by the factor of the source's own."""
    table = document.table
    if chosen.crop is None or not table.has_pyramid:
        return None
    first = table.minification[table.levels == 1]
    return PyramidOptions(factor=3 if len(first) and np.median(first) > 2.5 else 2)


def _pixel_size(document: OpenDocument) -> tuple[float, float] | None:
    x, y, _ = metadata_or(document, lambda document: document.scaling, Scaling())
    return (x * 1e6, y * 1e6) if x and y else None


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
    total = len(plan.sub_blocks.rows)
    size = count = 0
    with show_progress(progress, total, f"copying {document.name}") as advance:

        def take(block: EncodedSubBlock) -> None:
            nonlocal size, count
            assembly.add(block)
            count += 1
            parts = (block.data, block.metadata, block.attachment)
            size += sum(memoryview(part).nbytes for part in parts)
            advance(1)

        skip = partial(advance, 1) if blank else None
        from_blocks = copy_sub_blocks(document, plan.sub_blocks, take, skip)
    if plan.pyramid is not None:
        compression = plan.sub_blocks.compression or parse_compression("zstd1:")
        write_pyramid(assembly, plan.pyramid, document.pool.threads, compression)
    removed, kept = _copy_attachments(document.source, plan, assembly)
    if plan.xml:
        assembly.write_metadata(plan.xml)
    found = document.damage.found()
    if plan.sub_blocks.anonymizer is not None:
        metadata_removed, metadata_kept = anonymized_parts(plan.sub_blocks.anonymizer)
        from_blocks, kept = [*metadata_removed, *from_blocks], [*metadata_kept, *kept]
    return CopyReport(count, size, [*plan.removed, *from_blocks, *removed], found, kept)


def _choose_attachments(
    entries: Sequence[AttachmentEntry], names: Iterable[str] | None, *, is_partial: bool
) -> tuple[list[AttachmentEntry], list[RemovedPart]]:
    """Return the attachments to copy, and what is left out without being asked for.

    Those of some names, in any case, or (None) all of them; but where pixels are left out, a
    thumbnail shows these, so it goes unless it is named.
    """
    if names is None:
        shown = [entry for entry in entries if is_partial and entry.name.lower() == THUMBNAIL]
        reason = "it shows the whole image"
        removed = [RemovedPart("attachment", entry.name, reason=reason) for entry in shown]
        return [entry for entry in entries if entry not in shown], removed
    listed = _texts(names, "attachments")
    wanted = {name.lower() for name in listed}
    missing = wanted - {entry.name.lower() for entry in entries}
    if missing:
        known = ", ".join(entry.name for entry in entries) or "none"
        lacking = ", ".join(name for name in listed if name.lower() in missing)
        raise OutOfBoundsError(f"there is no attachment {lacking}; the document has: {known}")
    return [entry for entry in entries if entry.name.lower() in wanted], []


def _copy_attachments(
    source: ByteSource, plan: _Plan, assembly: Assembly
) -> tuple[list[RemovedPart], list[KeptPart]]:
    """Copy attachments; return what was removed, and what stayed if they are anonymised."""
    removed, kept = list[RemovedPart](), list[KeptPart]()
    taken: set[tuple[str, ...]] = set()
    for entry in plan.attachments:
        data = read_attachment_data(source, entry)
        if plan.time is not None:
            data = _with_fewer_times(entry, data, plan.time)
        if plan.anonymity is None:
            assembly.add_attachment(*stored_names(entry), data, entry.guid)
            continue
        part = anonymized_attachment(entry, data, plan.anonymity)
        if part is not None and part[:2] in taken:
            part = None  # a file has one of a name and type
        if part is None or part.data != data:
            rest = "" if part is None else part.change
            removed.append(RemovedPart("attachment", entry.name, kept=rest))
        if part is not None:
            taken.add(part[:2])
            kept.append(KeptPart("attachment", part.name))
            assembly.add_attachment(part.name, part.content_file_type, part.data, uuid.uuid4())
    return removed, kept


def _with_fewer_times(entry: AttachmentEntry, data: bytes, time: Extent) -> bytes:
    """Return one number for each T that is left; where fewer are known, those of the first T.

    Numbers that are not one for each T of the document begin with T = 0.
    """
    if entry.content_file_type.upper() not in (TIME_STAMPS, FOCUS):  # one number for each T
        return data
    stamps = read_time_stamps(data)
    first = 0 if len(stamps) == time.size else time.start
    wanted = np.asarray(time.positions) + first
    known = wanted[(wanted >= 0) & (wanted < len(stamps))]
    if len(known) and known[0] != wanted[0]:
        return data  # of T below 0 they tell nothing
    return build_time_stamps(stamps[known])
