"""``czictypes pyramid``: give files a pyramid."""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from czictypes.cli import arguments
from czictypes.cli.output import printable

__all__ = ["add_parser"]

_DESCRIPTION = """\
Give a CZI a pyramid: smaller images of each plane, with which viewers show large ones quickly.
One that it has already is replaced. The pixels of the file are neither decoded nor changed, and
its metadata and attachments stay as they are. The new file replaces the old one when it is
complete; if anything goes wrong, the old one stays."""


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "pyramid",
        parents=[shared],
        help="give a file a pyramid",
        description=_DESCRIPTION,
        epilog="example: czictypes pyramid slide.czi --factor 3",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", help="a CZI file")
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="write a new file and leave FILE as it is"
    )
    parser.add_argument("--force", action="store_true", help="replace OUT if it is there")
    parser.add_argument(
        "--factor",
        type=_checked("factor", int),
        default=2,
        metavar="N",
        help="how much smaller each level is than the one before; default: 2",
    )
    parser.add_argument(
        "--tile",
        type=_checked("tile", int),
        default=1024,
        metavar="N",
        help="the sides of the tiles in pixels; default: 1024",
    )
    parser.add_argument(
        "--until",
        type=_checked("until", int),
        default=1024,
        metavar="N",
        help="stop at a level whose longer side has at most N pixels; default: 1024",
    )
    parser.add_argument(
        "--filter",
        choices=("mean", "nearest"),
        default="mean",
        help="average pixels, or take one of them, as labels need it; default: mean",
    )
    parser.add_argument(
        "--compression",
        type=_checked("compression", str),
        metavar="TEXT",
        help="such as zstd1:ExplicitLevel=3; default: as the full resolution is compressed",
    )
    arguments.add_parts(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the pyramid and say how large it is."""
    from czictypes.czi import PyramidOptions, add_pyramid

    options = PyramidOptions(args.factor, args.tile, args.until, args.filter, args.compression)
    bar = sys.stderr.isatty() and find_spec("tqdm") is not None
    try:
        count = add_pyramid(
            args.file,
            options,
            output=args.output,
            exist_ok=args.force,
            progress=bar,
            parts=arguments.parts(args.parts),
        )
    except FileExistsError as error:
        why = "the file exists; --force replaces it"
        raise FileExistsError(errno.EEXIST, why, args.output) from error
    said = f"{count} pyramid tiles written" if count else "small enough to need no pyramid"
    print(printable(f"{args.output or args.file}: {said}"))
    return 0


def _checked(name: str, kind: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return what turns text into the value of an option, refusing wrong ones."""

    def convert(text: str) -> Any:
        from czictypes.writing.pyramid.plan import PyramidOptions

        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        try:
            PyramidOptions(**{name: value})
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return value

    return convert
