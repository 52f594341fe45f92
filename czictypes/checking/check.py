"""`check`: makes all checks of a file, and reports what they find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from czictypes.checking import coordinates, structure, xml_and_pixels
from czictypes.checking.file_view import (
    REPAIR,
    Check,
    CheckReport,
    FileView,
    Finding,
    Severity,
    open_view,
    read_xml,
)
from czictypes.model.errors import CziError, MissingPartError
from czictypes.model.public import Defence, Progress, renamed, show_progress
from czictypes.reading.document import OpenDocument
from czictypes.reading.reader import Source
from czictypes.reading.threads import thread_count
from czictypes.remote.part_files import Parts

_SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
#: So many findings of one check and severity are listed; all others are counted.
_MOST_LISTED = 100
#: The most tiles whose heads are read by the way: a tenth of a second.
_FEW = 1000
#: The checks that read the header, the directories and the XML.
_QUICK = (*structure.QUICK, *coordinates.QUICK, *xml_and_pixels.QUICK)
#: Those that read a little of each segment too, and those that decode everything.
_FULL = (*structure.FULL, *xml_and_pixels.FULL)
_PIXELS = (*structure.PIXELS, *xml_and_pixels.PIXELS)


@renamed(filepath="source")
def check(
    source: Source,
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
    source
        A path, a URL or a binary file object.
    quick
        Read only the header, the directories and the XML, no sub-blocks.
    pixels
        Decode all sub-blocks.
    threads
        How many threads decode; by default CZICTYPES_THREADS, or the CPUs of this process.
    progress
        True for a bar, or ``progress(done, total)``, called with numbers of sub-blocks.
    storage_options
        The options of fsspec for a URL.
    parts
        The other files of a document of several, where they are not beside it: a list, or a
        mapping from their numbers.

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
    with open_view(source, storage_options, parts) as view:
        view.threads = count
        chosen = _QUICK + (() if quick else _FULL) + (_PIXELS if pixels else ())
        number = 0 if view.directory is None else view.directory.count
        work = number * ((not quick) + pixels)
        with show_progress(progress, work, "checking") as view.step:
            return _report(view, chosen, quick, pixels)


def check_quickly(document: OpenDocument) -> CheckReport:
    """Make the quick checks of a document that is open already.

    Where that takes no time worth mentioning, the head of each tile is read, too.
    """
    view = FileView(
        document.source,
        document.source,
        document.header,
        document.directory,
        document.attachment_entries,
    )
    read_xml(view, document.header)
    has_heads = document.directory.count <= _FEW and not document.source.is_remote
    chosen = _QUICK + (xml_and_pixels.FULL if has_heads else ())
    return _report(view, chosen, quick=not has_heads, pixels=False)


def _report(view: FileView, checks: Iterable[Check], quick: bool, pixels: bool) -> CheckReport:
    listed, made = list[Finding](), list[str]()
    counts: Counter[tuple[Severity, str]] = Counter()
    for check in checks:
        if check.needs_directory and view.directory is None:
            continue
        made += check.names
        for finding in _guarded(view, check):
            key = finding.severity, finding.check
            counts[key] += 1
            if counts[key] <= _MOST_LISTED:
                listed.append(finding)
    totals = dict.fromkeys(_SEVERITIES, 0)
    unlisted: Counter[str] = Counter()
    for (severity, name), count in counts.items():
        totals[severity] += count
        unlisted[name] += max(count - _MOST_LISTED, 0)
    return CheckReport(
        file=view.main.name,
        findings=tuple(sorted(listed, key=lambda one: _SEVERITIES.index(one.severity))),
        checks=tuple(made),
        counts=totals,
        unlisted={name: count for name, count in unlisted.items() if count},
        sub_blocks=None if view.directory is None else view.directory.count,
        quick=quick,
        pixels=pixels,
    )


def _guarded(view: FileView, check: Check) -> Iterator[Finding]:
    """Yield the findings of a check; if the check itself fails, that is a finding too."""
    try:
        with Defence(view.main.name):
            yield from check.run(view)
    except MissingPartError as error:
        yield Finding(
            check.names[0], "error", "the other files of the document", str(error), REPAIR
        )
    except OSError:
        raise
    except Exception as error:
        if not (isinstance(error, CziError) or _is_ours(error)):
            raise  # from a function or file object of the caller
        message = f"the check stopped: {str(error) or type(error).__name__}"
        yield Finding(check.names[0], "error", "the file", message, REPAIR)


def _is_ours(error: Exception) -> bool:
    """Return whether an error comes from czictypes itself."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    name = "" if trace is None else str(trace.tb_frame.f_globals.get("__name__"))
    return name.partition(".")[0] == "czictypes"
