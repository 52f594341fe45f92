"""``czictypes check`` and ``repair``: find damage in files, and recover what is whole."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from czictypes.cli import arguments
from czictypes.cli.output import (
    FAILED,
    advised,
    named_refusals,
    print_json,
    printable,
    report_exception,
    shows_progress,
)
from czictypes.model.errors import CziError, LibraryNotFoundError

if TYPE_CHECKING:
    from czictypes.checking.file_view import CheckReport
    from czictypes.czi import RepairReport
    from czictypes.remote.part_files import Parts

_CHECK = """\
Find out what is wrong with CZI files, where, and what you can do about it: damaged segments and
tiles, a directory that contradicts them, pyramids with holes, metadata that do not fit the pixels.
The names of the checks are those of ZEISS's CZICheck where it makes the same one. By default the
head of each tile is read; --pixels decodes all of them."""

_REPAIR = """\
Write a readable CZI with everything that is whole in a damaged one: after an interrupted
acquisition, a copy that broke off, a lost directory, or with overwritten pieces. SRC is only read.
Lost data are listed by plane and tile. DST appears when it is complete."""

_CHECK_CODES = """\
exit codes: 0 nothing is wrong, 1 there are warnings, 2 there are errors, 5 a file cannot be opened;
the worst of all files counts. Wrong usage gives 2, too, and prints no report."""

_REPAIR_CODES = """\
exit codes: 0 nothing is lost, 3 DST is written but parts are lost, 1 nothing could be recovered
or DST exists, 2 wrong usage

examples:
  czictypes repair broken.czi repaired.czi
  czictypes repair broken.czi repaired.czi --json > report.json"""

_WORST = {None: 0, "info": 0, "warning": 1, "error": 2}
_INCOMPLETE, _NOT_OPENED = 3, 5


def add_check(add: arguments.AddCommand) -> None:
    """Declare ``check``."""
    parser = add(
        "check",
        _run_check,
        help="find out what is wrong with files",
        description=_CHECK,
        epilog=_CHECK_CODES,
    )
    parser.add_argument("files", metavar="FILE", nargs="+", help="CZI files, or their URLs")
    depth = parser.add_mutually_exclusive_group()
    depth.add_argument(
        "--quick", action="store_true", help="read the directory and the metadata, but no tiles"
    )
    depth.add_argument("--pixels", action="store_true", help="decode all tiles")
    parser.add_argument(
        "--json",
        action="store_true",
        help="print a JSON list with one object for each file",
    )
    arguments.add_parts(parser)


def _run_check(args: argparse.Namespace) -> int:
    """Check each file, even if others cannot be opened."""
    parts = arguments.parts(args.parts, args.files)
    reports: list[CheckReport] = []
    for path in args.files:
        report = _check(path, parts, args)
        if report is None:
            continue
        reports.append(report)
        if not args.json:
            _show(report)
    if args.json:
        print_json([report.to_dict() for report in reports])
    opened = len(reports) == len(args.files)
    return max([_WORST[report.worst] for report in reports] + ([] if opened else [_NOT_OPENED]))


def _check(path: str, parts: Parts | None, args: argparse.Namespace) -> CheckReport | None:
    """Return the report on a file; if it cannot be opened, print why and return None."""
    from czictypes.czi import check
    from czictypes.remote.urls import describe_target

    bar = shows_progress() and not args.quick
    try:
        return check(path, quick=args.quick, pixels=args.pixels, progress=bar, parts=parts)
    except (CziError, OSError) as error:
        file = "" if isinstance(error, LibraryNotFoundError) else describe_target(path)
        report_exception(error, debug=args.debug, file=file)
        return None


def _show(report: CheckReport) -> None:
    print(printable(f"{report.file}: {report.summary}"))
    for finding in report.findings:
        print(printable(f"  {finding.severity}: {finding.place} [{finding.check}]"))
        print("      " + printable(finding.message))
        print("      " + printable(advised(f"what to do: {finding.remedy}")))
    for name, number in report.unlisted.items():
        print(f"  {number} more of {name}")


def add_repair(add: arguments.AddCommand) -> None:
    """Declare ``repair``."""
    parser = add(
        "repair",
        _run_repair,
        help="recover what is whole of a damaged file",
        description=_REPAIR,
        epilog=_REPAIR_CODES,
    )
    parser.add_argument("source", metavar="SRC", help="a damaged CZI file")
    parser.add_argument("target", metavar="DST", help="the new file; not SRC, nor a link to it")
    arguments.add_parts(parser)
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    arguments.add_overwrite(parser)


def _run_repair(args: argparse.Namespace) -> int:
    """Repair the file and print what is lost."""
    from czictypes.czi import repair

    try:
        with named_refusals(args.source, args.target):
            report = repair(
                args.source,
                args.target,
                overwrite=args.overwrite,
                progress=shows_progress(),
                parts=arguments.parts(args.parts),
            )
    except FileExistsError as error:
        report_exception(error, debug=args.debug)
        return FAILED  # the usual code would say that parts are lost
    if args.json:
        print_json(report.to_dict())
    else:
        for line in _lines(report, args.target):
            print(printable(line))
    return 0 if report.is_complete else _INCOMPLETE


def _lines(report: RepairReport, target: str) -> Iterator[str]:
    from czictypes.container.salvage import LIST_OF_ATTACHMENTS

    size = Path(target).stat().st_size
    yield f"{target}: {report.sub_blocks} sub-blocks, {size / 1e6:.1f} MB"
    if report.directory == "rebuilt":
        yield "rebuilt: the directory of sub-blocks"
    if report.metadata == "repaired":
        yield "repaired: the metadata, in which characters were damaged"
    elif report.metadata == "rebuilt":
        yield "rebuilt: the metadata, from the pixels"
    if report.unlisted:
        yield f"left out: {report.unlisted} sub-blocks that the directory does not list"
    if report.superseded:
        yield f"left out: {report.superseded} sub-blocks that later ones replace"
    for tile in report.doubtful:
        yield f"doubtful: {tile}"
    for tile in report.lost:
        yield f"lost: {tile}"
    for part in report.lost_attachments:
        kind = "" if part.name == LIST_OF_ATTACHMENTS else "attachment "
        yield f"lost: {kind}{part}"
    if report.unknown_bytes:
        yield f"not recognised: {report.unknown_bytes} bytes; their content is not known"
    if report.is_complete:
        yield "nothing is lost"
