"""``czictypes check``: what is wrong with files, and what to do about it."""

from __future__ import annotations

import argparse
import json
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from czictypes.cli import arguments
from czictypes.cli.output import advised, printable, report_exception
from czictypes.model.errors import CziError, LibraryNotFoundError

if TYPE_CHECKING:
    from czictypes.checking.file_view import CheckReport, Finding
    from czictypes.remote.part_files import Parts

__all__ = ["add_parser"]

_DESCRIPTION = """\
Find out what is wrong with CZI files, where, and what you can do about it: damaged segments and
tiles, a directory that contradicts them, pyramids with holes, metadata that do not fit the pixels.
The names of the checks are those of ZEISS's CZICheck where it makes the same one. By default the
head of each tile is read; --pixels decodes all of them."""

_CODES = """\
exit codes: 0 nothing is wrong, 1 there are warnings, 2 there are errors, 5 a file cannot be opened;
the worst of all files counts. Wrong usage gives 2, too, and prints no report."""

_WORST = {None: 0, "info": 0, "warning": 1, "error": 2}
_NOT_OPENED = 5


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "check",
        parents=[shared],
        help="find out what is wrong with files",
        description=_DESCRIPTION,
        epilog=_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
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
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check each file; one that cannot be opened does not keep the others from being checked."""
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
        values = [report.to_dict() for report in reports]
        print(json.dumps(values, indent=2, ensure_ascii=False))
    opened = len(reports) == len(args.files)
    return max([_WORST[report.worst] for report in reports] + ([] if opened else [_NOT_OPENED]))


def _check(path: str, parts: Parts | None, args: argparse.Namespace) -> CheckReport | None:
    """Return what is wrong with a file; None where it cannot be opened, which is reported."""
    from czictypes.czi import check
    from czictypes.remote.urls import describe_target

    bar = sys.stderr.isatty() and not args.quick and find_spec("tqdm") is not None
    try:
        return check(path, quick=args.quick, pixels=args.pixels, progress=bar, parts=parts)
    except (CziError, OSError) as error:
        file = "" if isinstance(error, LibraryNotFoundError) else describe_target(path)
        report_exception(error, debug=args.debug, file=file)
        return None


def _show(report: CheckReport) -> None:
    print(printable(f"{report.file}: {report.summary}"))
    for finding in report.findings:
        _show_finding(finding)
    for name, number in report.unlisted.items():
        print(f"  {number} more of {name}")


def _show_finding(finding: Finding) -> None:
    print(printable(f"  {finding.severity}: {finding.place} [{finding.check}]"))
    print("      " + printable(finding.message))
    print("      " + printable(advised(f"what to do: {finding.remedy}")))
