"""`check`: everything that can be wrong with a file. A new check is a function, and a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Union

from czictypes.checking import content, described, places, planes, structure
from czictypes.checking.findings import CheckReport, Finding, Findings
from czictypes.checking.view import REPAIR, FileView, open_view, read_xml
from czictypes.model.defence import Defence
from czictypes.model.errors import CziError, MissingPartError
from czictypes.reading.document import OpenDocument
from czictypes.reading.reader import Source
from czictypes.reading.threads import thread_count
from czictypes.remote.part_files import Parts
from czictypes.writing.progress import Progress, show_progress

__all__ = ["check", "check_quickly"]

_Names = Union[str, "tuple[str, ...]"]


class _Check(NamedTuple):
    """A check: its name (or names), and what makes it."""

    name: _Names
    run: Callable[[FileView], Iterator[Finding]]
    needs_directory: bool = True


_OPENING = ("fileheader", "subblkdirectory", "attachmentdirectory", "xml")
#: The checks that read the header, the directories and the XML.
_QUICK = (
    _Check(_OPENING, structure.opening, needs_directory=False),
    _Check("fileguid", structure.file_guid, needs_directory=False),
    _Check("updatepending", structure.update_pending, needs_directory=False),
    _Check("fileparts", structure.file_parts),
    _Check("attachmentsinfile", structure.attachments_in_file, needs_directory=False),
    _Check("subblksegmentsinfile", planes.segments_in_file),
    _Check("subblkentries", planes.entries_possible),
    _Check("strictparsing", planes.strict_parsing),
    _Check("subblkdimconsistent", planes.same_dimensions),
    _Check("subblkcoordsunique", planes.coordinates_unique),
    _Check("benabled", planes.b_dimension),
    _Check("samepixeltypeperchannel", planes.same_pixel_type),
    _Check("planesstartindex", planes.planes_start),
    _Check("consecutiveplaneindices", planes.planes_consecutive),
    _Check("minallsubblks", planes.m_everywhere),
    _Check("mindicesconsecutive", planes.m_consecutive),
    _Check("overlappingtiles", places.hidden_tiles),
    _Check("overlappingscenes", places.overlapping_scenes),
    _Check("pyramid", places.pyramid),
    _Check("xmlmetadataschema", described.values_of_metadata, needs_directory=False),
    _Check("basicxmlmetadata", described.basic_metadata),
    _Check("scenes", described.scenes_described),
    _Check("topographymetadata", described.topography),
)
#: Those that read a little of each segment.
_FULL = (
    _Check("segments", structure.segments, needs_directory=False),
    _Check("attachmentsvalid", structure.attachments_valid, needs_directory=False),
    _Check(("subblksegmentsvalid", "subblkmetadata"), content.heads),
)
#: Those that read everything.
_PIXELS = (
    _Check("attachmentpictures", structure.attachment_pictures, needs_directory=False),
    _Check(("subblkbitmapvalid", "bitcount"), content.bitmaps),
)


def check(
    filepath: Source,
    *,
    quick: bool = False,
    pixels: bool = False,
    threads: int | None = None,
    progress: Progress = None,
    storage_options: Mapping[str, Any] | None = None,
    parts: Parts | None = None,
) -> CheckReport:
    """Find out what is wrong with a CZI, and what to do about it.

    A damaged file raises nothing: what is wrong with it is in the report. Takes time in proportion
    to the size of the directory, and with `pixels` to that of the file.

    Parameters
    ----------
    filepath, storage_options, parts
        As for `CziReader`: a path, a URL or a file object.
    quick
        Read only the header, the directories and the XML, no sub-blocks.
    pixels
        Decode all sub-blocks.
    threads
        How many threads decode; by default CZICTYPES_THREADS, or the CPUs of this process.
    progress
        True for a bar, or ``progress(done, total)``, called with numbers of sub-blocks.

    Returns
    -------
    CheckReport
        True if there is no error. Its `findings` have severity, place, message and remedy.

    Raises
    ------
    ValueError
        If both `quick` and `pixels` are asked for.
    OSError
        If the file does not exist, may not be read, or a server does not deliver it.

    Examples
    --------
    >>> report = check("cells.czi", pixels=True)  # doctest: +SKIP
    >>> if not report:  # doctest: +SKIP
    ...     print(report)
    """
    if quick and pixels:
        raise ValueError("quick=True reads no sub-blocks, so it cannot be had with pixels=True")
    count = thread_count(threads)
    with open_view(filepath, storage_options, parts) as view:
        view.threads = count
        chosen = _QUICK + (() if quick else _FULL) + (_PIXELS if pixels else ())
        number = 0 if view.directory is None else view.directory.count
        work = number * ((not quick) + pixels)
        with show_progress(progress, work, "checking") as view.step:
            return _report(view, chosen, quick, pixels)


def check_quickly(document: OpenDocument) -> CheckReport:
    """Make the quick checks of a document that is open already."""
    view = FileView(
        document.source,
        document.source,
        document.header,
        document.directory,
        document.attachment_entries,
    )
    read_xml(view, document.header)
    return _report(view, _QUICK, quick=True, pixels=False)


def _report(view: FileView, checks: Iterable[_Check], quick: bool, pixels: bool) -> CheckReport:
    findings, made = Findings(), list[str]()
    for one in checks:
        if one.needs_directory and view.directory is None:
            continue
        names = (one.name,) if isinstance(one.name, str) else one.name
        made += names
        findings.add(_guarded(view, one, names))
    return CheckReport(
        file=view.main.name,
        findings=findings.listed(),
        checks=tuple(made),
        counts=findings.counts(),
        unlisted=findings.unlisted(),
        sub_blocks=None if view.directory is None else view.directory.count,
        quick=quick,
        pixels=pixels,
    )


def _guarded(view: FileView, check: _Check, names: tuple[str, ...]) -> Iterator[Finding]:
    """Give what a check finds; a file on which the check itself fails is damaged in a new way."""
    try:
        with Defence(view.main.name):
            yield from check.run(view)
    except MissingPartError as error:
        yield Finding(names[0], "error", "the other files of the document", str(error), REPAIR)
    except OSError:
        raise
    except Exception as error:
        if not (isinstance(error, CziError) or _is_ours(error)):
            raise  # from a function or file object of the caller
        message = f"the check stopped: {str(error) or type(error).__name__}"
        yield Finding(names[0], "error", "the file", message, REPAIR)


def _is_ours(error: Exception) -> bool:
    """Tell whether an error comes from code of czictypes."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    name = "" if trace is None else str(trace.tb_frame.f_globals.get("__name__"))
    return name.partition(".")[0] == "czictypes"
