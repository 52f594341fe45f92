"""``czictypes copy``: copy a file, or a part of it, without decoding its pixels."""

from __future__ import annotations

import argparse
import errno
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from czictypes.cli import arguments
from czictypes.cli.output import printable
from czictypes.model.errors import CziError
from czictypes.model.geometry import PLANE_DIMENSIONS

if TYPE_CHECKING:
    from czictypes.czi import CopyReport

__all__ = ["add_parser"]

_DESCRIPTION = """\
Copy a CZI, or some scenes, planes or a region of it. Tiles move as they are, without being decoded
(unless --recompress is given): the same pixels, metadata and positions. The metadata of the
document are copied too, made to fit where parts are left out. The new file appears when it is
complete; if anything goes wrong, what was there before stays."""

_EPILOG = """\
examples:
  czictypes copy slide.czi scene0.czi --scene 0
  czictypes copy movie.czi part.czi --plane C=0,1 T=0-99/10 --renumber
  czictypes copy slide.czi shared.czi --anonymize --no-attachments"""

_METADATA = ("metadata", "sub-block metadata")
_PART = re.compile(r"(\d+)(?:-(\d+)(?:/([1-9]\d*))?)?")


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "copy",
        parents=[shared],
        help="copy a file, or a part of it",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", metavar="SRC", help="a CZI file")
    parser.add_argument("target", metavar="DST", help="the new file")
    _add_choice(parser)
    parser.add_argument(
        "--recompress",
        metavar="TEXT",
        help="encode the pixels anew, such as zstd1:ExplicitLevel=3",
    )
    kept = parser.add_mutually_exclusive_group()
    kept.add_argument("--no-attachments", action="store_true", help="copy no attachments")
    kept.add_argument(
        "--attachment",
        nargs="+",
        action="extend",
        metavar="NAME",
        help="copy the attachments of these names alone",
    )
    parser.add_argument(
        "--anonymize",
        action="store_true",
        help="keep only what is known to tell nothing of persons, places, dates and computers",
    )
    parser.add_argument(
        "--keep-relative-times",
        action="store_true",
        help="with --anonymize: keep times, as differences from the first",
    )
    parser.add_argument(
        "--keep-attachment",
        nargs="+",
        action="extend",
        metavar="NAME",
        help="with --anonymize: keep these attachments although they may tell something, "
        "such as SlidePreview",
    )
    parser.add_argument(
        "--report",
        action="store_true",
        help="with --anonymize: list all values that went and stayed; the list has the secrets "
        "of SRC",
    )
    parser.add_argument(
        "--overwrite", "--force", action="store_true", help="replace DST if it is there"
    )
    arguments.add_parts(parser)
    arguments.add_on_error(parser)
    parser.set_defaults(run=run)


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scene", nargs="+", action="extend", type=int, metavar="N", help="only these scenes"
    )
    parser.add_argument(
        "--plane",
        nargs="+",
        action="extend",
        type=places,
        metavar="Z=2-5",
        help="only these places in a dimension: C=0,1 or Z=2-5 or T=0-99/10 (each tenth)",
    )
    parser.add_argument(
        "--roi",
        type=arguments.roi,
        metavar="X,Y,W,H",
        help="only the tiles that meet this region, whole",
    )
    parser.add_argument(
        "--renumber",
        action="store_true",
        help="count scenes and planes from 0 in the copy; default: as in SRC",
    )


def places(text: str) -> tuple[str, list[int]]:
    """Return ``Z=2-5,8`` as a dimension and its places."""
    letter, equals, listed = text.partition("=")
    letter = letter.strip().upper()
    matches = [_PART.fullmatch(part.strip()) for part in listed.split(",")]
    if not equals or None in matches:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form C=0,1 or Z=2-5 or T=0-99/10")
    if letter == "S":
        raise argparse.ArgumentTypeError("a scene is not part of a plane; use --scene")
    if letter not in PLANE_DIMENSIONS:
        allowed = ", ".join(PLANE_DIMENSIONS)
        raise argparse.ArgumentTypeError(f"there is no dimension {letter}; use {allowed}")
    found: list[int] = []
    for match in matches:
        assert match is not None
        first, last, step = (None if part is None else int(part) for part in match.groups())
        assert first is not None
        found += range(first, (first if last is None else last) + 1, step or 1)
    return letter, found


def run(args: argparse.Namespace) -> int:
    """Copy, and say what."""
    from czictypes.czi import copy

    planes: dict[str, list[int]] = {}
    for letter, listed in args.plane or ():
        planes.setdefault(letter, []).extend(listed)
    try:
        report = copy(
            args.source,
            args.target,
            scenes=args.scene,
            planes=planes or None,
            roi=args.roi,
            recompress=args.recompress,
            attachments=() if args.no_attachments else args.attachment,
            anonymize=args.anonymize,
            exist_ok=args.overwrite,
            progress=sys.stderr.isatty() and find_spec("tqdm") is not None,
            renumber=args.renumber,
            parts=arguments.parts(args.parts),
            on_error=args.on_error,
            keep_relative_times=args.keep_relative_times,
            keep_attachments=args.keep_attachment or (),
        )
    except FileExistsError as error:
        why = "the file exists; --overwrite replaces it"
        raise FileExistsError(errno.EEXIST, why, args.target) from error
    except CziError:
        raise
    except ValueError as error:  # an argument is refused, and the message says why
        raise CziError(f"{args.source}: {error}") from error
    _say(report, args.target, values=args.report)
    return 0


def _say(report: CopyReport, target: str, *, values: bool) -> None:
    size = Path(target).stat().st_size
    print(printable(f"{target}: {report.sub_blocks} sub-blocks, {size / 1e6:.1f} MB"))
    hidden = 0
    for removed in report.removed:
        if values or not (removed.name and removed.kind in _METADATA):
            print(printable(f"removed: {removed}{_listed(removed.values)}"))
        else:
            hidden += 1
    if hidden:
        print(f"removed: values of the metadata in {hidden} places (--report lists them)")
    for kept in report.kept if values else ():
        print(printable(f"kept: {kept}{_listed(kept.values)}"))


def _listed(values: tuple[str, ...]) -> str:
    return " = " + ", ".join(map(repr, values)) if values else ""
