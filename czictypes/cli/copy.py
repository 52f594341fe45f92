"""``czictypes copy`` and ``pyramid``: write the tiles of a file anew, without decoding them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from czictypes.cli import arguments
from czictypes.cli.output import named_refusals, printable, shows_progress
from czictypes.model.errors import InvalidArgumentError

if TYPE_CHECKING:
    from czictypes.czi import CopyReport

_COPY = """\
Copy a CZI, or some scenes, planes or a region of it. Tiles move as they are, without being decoded
(unless --compression or --crop is given): the same pixels, metadata and positions. The metadata of
the document are copied too, made to fit where parts are left out. The new file appears when it is
complete; if anything goes wrong, what was there before stays."""

_PYRAMID = """\
Give a CZI a pyramid: smaller images of each plane, with which viewers show large ones quickly.
One that it has already is replaced. The pixels of the file are neither decoded nor changed, and
its metadata and attachments stay as they are. The new file replaces the old one when it is
complete; if anything goes wrong, the old one stays."""

_EXAMPLES = """\
examples:
  czictypes copy slide.czi scene0.czi --scene 0
  czictypes copy movie.czi part.czi --plane C=0,1 T=0-99/10 --renumber
  czictypes copy slide.czi shared.czi --anonymize --no-attachments"""

_METADATA = ("metadata", "sub-block metadata")


def add_copy(add: arguments.AddCommand) -> None:
    """Declare ``copy``."""
    parser = add(
        "copy",
        _run_copy,
        help="copy a file, or a part of it",
        description=_COPY,
        epilog=_EXAMPLES,
    )
    parser.add_argument("source", metavar="SRC", help="a CZI file")
    parser.add_argument("target", metavar="DST", help="the new file")
    _add_choice(parser)
    parser.add_argument(
        "--compression",
        metavar="TEXT",
        help="encode the pixels anew, such as zstd1:ExplicitLevel=3",
    )
    arguments.add_former(parser, "--recompress", dest="compression")
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
    arguments.add_overwrite(parser)
    arguments.add_parts(parser)
    arguments.add_on_error(parser)


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scene",
        nargs="+",
        action="extend",
        type=arguments.scene,
        metavar="N",
        help="only these scenes, by number or name",
    )
    parser.add_argument(
        "--plane",
        nargs="+",
        action="extend",
        type=arguments.planes,
        metavar="Z=2-5",
        help="only these places in a dimension: C=0,1 or C=DAPI or Z=2-5 or T=0-99/10 (each "
        "tenth), several as C=0 Z=3 or C=0,Z=3",
    )
    parser.add_argument(
        "--roi",
        type=arguments.roi,
        metavar="X,Y,W,H",
        help="only the tiles that meet this region, whole",
    )
    parser.add_argument(
        "--crop",
        action="store_true",
        help="with --roi: cut the tiles on its edge to its pixels, and encode these anew",
    )
    parser.add_argument(
        "--renumber",
        action="store_true",
        help="count scenes and planes from 0 in the copy; default: as in SRC",
    )
    arguments.add_only_named(parser)


def _run_copy(args: argparse.Namespace) -> int:
    """Copy, and print what was copied and removed."""
    from czictypes.czi import copy

    planes: dict[str, list[int | str]] = {}
    for given in args.plane or ():
        for letter, listed in given.items():
            planes.setdefault(letter, []).extend(listed if isinstance(listed, list) else [listed])
    with named_refusals(args.source, args.target):
        report = copy(
            args.source,
            args.target,
            scenes=args.scene,
            planes=planes or None,
            roi=args.roi,
            compression=args.compression,
            attachments=() if args.no_attachments else args.attachment,
            anonymize=args.anonymize,
            overwrite=args.overwrite,
            progress=shows_progress(),
            crop=_crop(args),
            renumber=args.renumber,
            parts=arguments.parts(args.parts),
            on_error=args.on_error,
            keep_relative_times=args.keep_relative_times,
            keep_attachments=args.keep_attachment or (),
            only_named_dimensions=args.only_named_dimensions,
        )
    _say(report, args.target, values=args.report)
    return 0


def _crop(args: argparse.Namespace) -> bool:
    if args.crop and args.roi is None:
        raise InvalidArgumentError("--crop cuts tiles to a region; give --roi X,Y,W,H with it")
    return bool(args.crop)


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


def add_pyramid(add: arguments.AddCommand) -> None:
    """Declare ``pyramid``."""
    parser = add(
        "pyramid",
        _run_pyramid,
        help="give a file a pyramid",
        description=_PYRAMID,
        epilog="example: czictypes pyramid slide.czi --factor 3",
    )
    parser.add_argument("file", metavar="FILE", help="a CZI file")
    parser.add_argument(
        "-o", "--dest", metavar="DST", help="write a new file and leave FILE as it is"
    )
    arguments.add_former(parser, "--output", dest="dest")
    arguments.add_overwrite(parser)
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


def _run_pyramid(args: argparse.Namespace) -> int:
    """Write the pyramid and print how many tiles it has."""
    from czictypes.czi import PyramidOptions, add_pyramid

    options = PyramidOptions(args.factor, args.tile, args.until, args.filter, args.compression)
    with named_refusals(args.file, args.dest):
        count = add_pyramid(
            args.file,
            options,
            dest=args.dest,
            overwrite=args.overwrite,
            progress=shows_progress(),
            parts=arguments.parts(args.parts),
        )
    said = f"{count} pyramid tiles written" if count else "small enough to need no pyramid"
    print(printable(f"{args.dest or args.file}: {said}"))
    return 0


def _checked(name: str, kind: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a function that converts and checks the value of an option."""

    def convert(text: str) -> Any:
        from czictypes.writing.pyramid.tile_plan import PyramidOptions

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
