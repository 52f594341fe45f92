"""``czictypes montage`` and ``movie``: many planes as one picture, or one after the other."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from czictypes.cli import arguments
from czictypes.cli.numbers import by_index
from czictypes.cli.output import named_refusals, printable, shows_progress

_MONTAGE = """\
Write many planes as one picture (.png): the wells of a plate in their places, several scenes, a
time series, a stack, or the channels and all of them together; with labels and a scale bar, and the
same contrast and zoom for all. FILE is a CZI or another image, or the URL of one."""

_MONTAGE_EXAMPLES = """\
examples:
  czictypes montage plate.czi plate.png --contrast auto
  czictypes montage cells.czi times.png --along T --plane T=0-99/10,C=DAPI --project max
  czictypes montage cells.czi channels.png --along C,T --scene B1"""

_MOVIE = """\
Write the planes along T, or another dimension, as a movie: a .gif, or an .mp4 (H.264), which needs
the extra movie. Every frame has its time and a scale bar, and the same contrast. FILE is a CZI or
another image, or the URL of one."""

_MOVIE_EXAMPLES = """\
examples:
  czictypes movie cells.czi cells.gif
  czictypes movie cells.czi cells.mp4 --fps 15 --project max --scale-bar 20um
  czictypes movie stack.czi stack.mp4 --along Z --plane C=DAPI --scene B1"""


def add_montage(add: arguments.AddCommand) -> None:
    """Declare ``montage``."""
    parser = add(
        "montage",
        _run_montage,
        help="write a plate, scenes, times, a stack or channels as one PNG",
        description=_MONTAGE,
        epilog=_MONTAGE_EXAMPLES,
    )
    _add_files(parser, (".png",))
    parser.add_argument(
        "--along",
        type=_along,
        metavar="T,Z",
        help="what the pictures are of: a dimension, C for channels, S for scenes, or two of them, "
        "for rows and columns; default: what the file has, scenes first",
    )
    arguments.add_scenes(parser)
    _add_look(parser, " of each picture; default: so that the montage has about 2400")


def add_movie(add: arguments.AddCommand) -> None:
    """Declare ``movie``."""
    parser = add(
        "movie",
        _run_movie,
        help="write a time series or a stack as GIF or MP4",
        description=_MOVIE,
        epilog=_MOVIE_EXAMPLES,
    )
    _add_files(parser, (".gif", ".mp4"))
    parser.add_argument(
        "--along",
        type=_along,
        metavar="Z",
        help="the dimension; default: T, or Z if there is one T only",
    )
    parser.add_argument(
        "--fps",
        type=_speed,
        metavar="N",
        help="frames in a second; default: 10, and fewer for less than 20 frames",
    )
    parser.add_argument(
        "--scene",
        type=arguments.scene,
        metavar="S",
        help="the scene, by number or name; default: the first",
    )
    _add_look(parser, "; default: 512 for a .gif, 1024 for an .mp4")


def _add_files(parser: argparse.ArgumentParser, endings: Sequence[str]) -> None:
    parser.add_argument("file", metavar="FILE", help="a file that czictypes opens, or its URL")

    def output(text: str) -> Path:
        if Path(text).suffix.lower() not in endings:
            raise argparse.ArgumentTypeError(f"{text!r} must end in {' or '.join(endings)}")
        return Path(text)

    parser.add_argument(
        "output", metavar="DST", type=output, help=f"a name in {' or '.join(endings)}"
    )


def _add_look(parser: argparse.ArgumentParser, size: str) -> None:
    """Declare what both have."""
    parser.add_argument(
        "--plane",
        type=arguments.planes,
        metavar="C=0,Z=3",
        help="which planes: Z=3 or C=DAPI,GFP or T=0-99/10; default: all along --along, the middle "
        "of Z, the first of others, and all channels",
    )
    parser.add_argument(
        "--size", type=arguments.count, metavar="N", help=f"the longest side in pixels{size}"
    )
    arguments.add_contrast(parser)
    bar = parser.add_mutually_exclusive_group()
    bar.add_argument(
        "--scale-bar",
        type=arguments.length,
        metavar="LENGTH",
        help="the length of the scale bar, such as 50um; default: about a quarter of a picture",
    )
    bar.add_argument("--no-scale-bar", action="store_true", help="draw no scale bar")
    parser.add_argument("--no-labels", action="store_true", help="write no names, places and times")
    arguments.add_excerpt(parser)
    arguments.add_overwrite(parser)
    arguments.add_parts(parser)
    arguments.add_stored_resolution(parser)
    arguments.add_on_error(parser)
    parser.add_argument("--quiet", action="store_true", help="show no progress bar")


def _run_montage(args: argparse.Namespace) -> int:
    """Write a montage."""
    from czictypes.exchange.montage import write_montage

    made = _write(write_montage, args, {"scenes": args.scene or "all"})
    what = "a plate" if made.is_plate else f"along {', '.join(made.along)}"
    print(
        printable(
            f"{args.output}: {made.width} x {made.height} pixels, {made.pictures} pictures, {what}"
        )
    )
    return 0


def _run_movie(args: argparse.Namespace) -> int:
    """Write a movie."""
    from czictypes.exchange.movie import write_movie

    made = _write(write_movie, args, {"scene": args.scene}, fps=args.fps)
    print(
        printable(
            f"{args.output}: {made.width} x {made.height} pixels, {made.frames} frames along "
            f"{made.along}, {made.fps:g} in a second"
        )
    )
    return 0


def _write(function: Any, args: argparse.Namespace, scenes: dict[str, Any], **options: Any) -> Any:
    from czictypes import open_image

    opened = {
        "parts": arguments.parts(args.parts),
        "stored_resolution": args.stored_resolution or None,
        "on_error": None if args.on_error == "raise" else args.on_error,
    }
    bar = args.scale_bar * 1e6 if args.scale_bar else not args.no_scale_bar
    given: dict[str, Any] = {name: one for name, one in opened.items() if one is not None}
    with named_refusals(args.file, str(args.output)), open_image(args.file, **given) as image:
        by_number = {
            "plane": args.plane,
            "contrast": arguments.contrasts(args.contrast),
            **scenes,
        }
        return function(
            image,
            args.output,
            along=args.along,
            size=args.size,
            scale_bar=bar,
            labels=not args.no_labels,
            roi=args.roi,
            project=arguments.projections(args.project) or None,
            overwrite=args.overwrite,
            progress=not args.quiet and shows_progress(),
            **by_index(image, by_number),
            **options,
        )


def _along(text: str) -> str:
    letters = (
        [part.strip().upper() for part in text.split(",")]
        if "," in text
        else list(text.strip().upper())
    )
    for letter in letters:
        if letter != "S":
            arguments.check_dimension(letter)
    return "".join(letters)


def _speed(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value
