"""add_pyramid: give an existing document a pyramid, without touching its pixels."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np

from czictypes.container.edit import refuse_write_protected
from czictypes.container.file_source import FileSource
from czictypes.model.errors import FileChangedError, UnsupportedDataError
from czictypes.model.public import Progress, check_options, defended, renamed, show_progress
from czictypes.reading.document import OpenDocument
from czictypes.reading.threads import thread_count
from czictypes.remote.part_files import PartFiles, Parts
from czictypes.remote.urls import describe_target, refuse_url
from czictypes.writing.assembly import Assembly
from czictypes.writing.atomic import PathType
from czictypes.writing.new_segments import EncodedSubBlock
from czictypes.writing.pyramid.build import build_pyramid, open_document
from czictypes.writing.pyramid.tile_plan import PlanePlan, PyramidOptions, plan_pyramid
from czictypes.writing.targets import Target
from czictypes.writing.transfer import transfer_attachments, transfer_sub_blocks


@renamed(path="source", output="dest", exist_ok="overwrite")
@defended(describe_target)
def add_pyramid(
    source: PathType,
    options: PyramidOptions | None = None,
    *,
    dest: Target | None = None,
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress = None,
    parts: Parts | None = None,
) -> int:
    """Give a document a pyramid; one that it has already is replaced.

    The sub-blocks in full resolution move undecoded into a new file, with their metadata and
    attachments, and so do the document's attachments and its XML, byte for byte. The new file
    replaces the old one when it is complete: should anything fail, the old one is as it was. It
    needs the disk space of both, and the memory of some tiles, however large the images are.

    Parameters
    ----------
    source
        The path of the document; it cannot be a URL.
    options
        What the pyramid is like.
    dest
        Where to write instead: a path, or a file object opened for writing in binary. The
        document at `source` stays as it is, and the new one has a GUID of its own; without
        `dest`, the GUID is kept.
    overwrite
        Whether a file at `dest` may be replaced.
    threads
        The number of threads; by default CZICTYPES_THREADS, or the CPUs this process may use.
        The file is the same for any number.
    progress
        True for a bar (extra ``cli``), or a function that is called with the work done and all
        the work.
    parts
        Other files of a document of several, as for `CziReader`.

    Returns
    -------
    int
        How many pyramid sub-blocks were written: 0 for images so small that they need none.
        Where `source` has none either, and there is no `dest`, nothing is written at all.

    Raises
    ------
    CorruptFileError, UnsupportedDataError
        If the document is damaged, or its pixels cannot be decoded; or if it has several files, and
        there is no `dest`.
    FileChangedError
        If the document changed meanwhile.
    PermissionError
        If there is no `dest`, and nobody may write the file.
    FileNotFoundError, FileExistsError, OSError
        As the operating system says.

    Examples
    --------
    >>> add_pyramid("slide.czi", PyramidOptions(factor=3))  # doctest: +SKIP
    """
    check_options(options, PyramidOptions)
    options, threads = options or PyramidOptions(), thread_count(threads)
    refuse_url(source, "add the pyramid to a copy on this machine (czi.copy makes one)")
    files = PartFiles(source, parts=parts)
    with ExitStack() as stack:
        document = open_document(FileSource(source), files)
        with closing(document):
            if dest is None:
                _require_one_file(document)
                refuse_write_protected(
                    Path(os.fsdecode(source)).stat().st_mode, describe_target(source)
                )
            identity = document.source.opened_identity()
            plans = plan_pyramid(document.table, options)
            if not plans and not document.table.has_pyramid and dest is None:
                return 0
            listed = document.lists_attachments
            if dest is None:
                guid = document.header.file_guid
                assembly = Assembly(source, overwrite=True, file_guid=guid, for_openslide=listed)
            else:
                assembly = Assembly(dest, overwrite=overwrite, for_openslide=listed)
            stack.enter_context(assembly)
            count = _write(document, plans, options, threads, assembly, progress)
        if dest is None:
            _require_unchanged(source, identity, assembly.name)
    return count


def _write(
    document: OpenDocument,
    plans: list[PlanePlan],
    options: PyramidOptions,
    threads: int,
    assembly: Assembly,
    progress: Progress,
) -> int:
    """Put all into the new file; return how many pyramid sub-blocks there are."""
    source, table = document.source, document.table
    layer0 = np.unique(table.rows.sub_blocks(np.flatnonzero(table.is_layer0)))
    total = len(layer0) + sum(len(plan.cells) for plan in plans)
    written = 0

    def move(block: EncodedSubBlock) -> None:
        # A tile of the old pyramid may be the finest that there was in its place.
        assembly.add(block._replace(pyramid_type=0))
        step(1)

    def add(block: EncodedSubBlock) -> None:
        nonlocal written
        assembly.add(block)
        written += 1

    with show_progress(progress, total, f"pyramid of {Path(document.name).name}") as step:
        transfer_sub_blocks(source, document.directory, layer0, move, threads=threads)
        build_pyramid(document, plans, options, add, threads=threads, step=step)
    transfer_attachments(source, document.attachment_entries, assembly)
    if document.xml:
        assembly.write_metadata(document.xml)
    return written


def _require_one_file(document: OpenDocument) -> None:
    if document.has_parts:
        raise UnsupportedDataError(
            f"{document.name} is one file of a document of several, so it cannot be replaced; "
            "write the whole document with its pyramid to another file (dest=...)"
        )


def _require_unchanged(source: PathType, identity: tuple[int, ...] | None, name: str) -> None:
    """Raise a `FileChangedError` if the old file is not any more what was read."""
    try:
        with FileSource(source) as now:
            if now.opened_identity() == identity:
                return
    except OSError:
        pass
    raise FileChangedError(
        f"{name} was changed while its pyramid was made, so it was left as it is now; call "
        "add_pyramid again"
    )
