"""``czictypes repair``: a readable file from a damaged one."""

from __future__ import annotations

import argparse
import errno
import json
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from czictypes.cli import arguments
from czictypes.cli.output import printable
from czictypes.model.errors import CziError

if TYPE_CHECKING:
    from czictypes.czi import RepairReport

__all__ = ["add_parser"]

_DESCRIPTION = """\
Write a readable CZI with everything that is whole in a damaged one: after an interrupted
acquisition, a copy that broke off, a lost directory, or with overwritten pieces. SRC is only read.
What is lost is listed, by plane and tile. DST appears when it is complete."""

_EPILOG = """\
exit codes: 0 nothing is lost, 3 DST is written but parts are lost, 1 nothing could be recovered,
2 wrong usage

examples:
  czictypes repair broken.czi repaired.czi
  czictypes repair broken.czi repaired.czi --json > report.json"""

_INCOMPLETE = 3


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "repair",
        parents=[shared],
        help="recover what is whole of a damaged file",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", metavar="SRC", help="a damaged CZI file")
    parser.add_argument("target", metavar="DST", help="the new file; not SRC, nor a link to it")
    arguments.add_parts(parser)
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument(
        "--overwrite", "--force", action="store_true", help="replace DST if it is there"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Repair, and say what is lost."""
    from czictypes.czi import repair

    try:
        report = repair(
            args.source,
            args.target,
            exist_ok=args.overwrite,
            progress=sys.stderr.isatty() and find_spec("tqdm") is not None,
            parts=arguments.parts(args.parts),
        )
    except FileExistsError as error:
        why = "the file exists; --overwrite replaces it"
        raise FileExistsError(errno.EEXIST, why, args.target) from error
    except CziError:
        raise
    except ValueError as error:  # an argument is refused, and the message says why
        raise CziError(f"{args.source}: {error}") from error
    if args.json:
        print(json.dumps(report.to_dict(), indent=2))
    else:
        for line in _lines(report, args.target):
            print(printable(line))
    return 0 if report.is_complete else _INCOMPLETE


def _lines(report: RepairReport, target: str) -> Iterator[str]:
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
        yield f"lost: attachment {part}"
    if report.unknown_bytes:
        yield f"not recognised: {report.unknown_bytes} bytes; their content is not known"
    if report.is_complete:
        yield "nothing is lost"
