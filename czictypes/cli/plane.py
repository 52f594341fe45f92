"""``czictypes plane``: one plane, or a region of it, as a picture or an array."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from czictypes.cli import arguments
from czictypes.cli.output import printable
from czictypes.model.errors import CziError

if TYPE_CHECKING:
    from czictypes.czi import CziReader

__all__ = ["add_parser"]

_PNG, _NPY = ".png", ".npy"

_DESCRIPTION = """\
Read a plane of a CZI, or a region of it, and write it as a picture (.png) or an array (.npy).

A PNG is made to be looked at: gray planes, and colours of more than 8 bits, are stretched so that
the darkest and the brightest 0.2 percent of the pixels become black and white (pixels of value 0,
which no tile covers as a rule, are not counted). With --raw, nothing is stretched: a 16-bit gray
plane becomes a 16-bit PNG. An .npy has the pixels as they are read: (y, x, 1) for gray, (y, x, 3)
for colours in the order blue, green, red."""


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "plane",
        parents=[shared],
        help="write a plane as PNG or .npy",
        description=_DESCRIPTION,
        epilog="example: czictypes plane image.czi z3.png --plane C=0,Z=3 --zoom 0.25",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", help="a CZI file")
    parser.add_argument("output", metavar="OUT", type=_output, help="a name in .png or .npy")
    parser.add_argument("--scene", type=int, metavar="N", help="only this scene; default: all")
    parser.add_argument(
        "--plane",
        type=arguments.plane,
        metavar="C=0,Z=3",
        help="which plane; the first one of each dimension that is left out",
    )
    parser.add_argument(
        "--zoom", type=arguments.zoom, metavar="F", help="above 0 and up to 1, the default"
    )
    parser.add_argument(
        "--roi",
        type=arguments.roi,
        metavar="X,Y,W,H",
        help="the region in pixels; default: the box of the scene, or of the whole document",
    )
    look = parser.add_mutually_exclusive_group()
    look.add_argument(
        "--composite",
        action="store_true",
        help="blend all channels, coloured as the file says; a C in --plane is not used",
    )
    look.add_argument("--raw", action="store_true", help="do not stretch the values in a PNG")
    arguments.add_parts(parser)
    arguments.add_stored_resolution(parser)
    arguments.add_on_error(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read the plane and write the file."""
    from czictypes.czi import ReaderOptions, open_czi

    if args.output.suffix.lower() == _PNG:
        from czictypes.cli.picture import require_pillow

        require_pillow()  # before what may take long
    if not args.output.absolute().parent.is_dir():
        raise FileNotFoundError(f"{args.output.parent} is no folder; make it first")
    options = ReaderOptions(on_error=args.on_error, stored_resolution=args.stored_resolution)
    parts = arguments.parts(args.parts)
    with open_czi(args.file, reader_options=options, parts=parts) as document:
        try:
            said = _write(document, args)
        except ValueError as error:  # an argument is refused, or the file is damaged
            if isinstance(error, CziError) and Path(args.file).name in str(error):
                raise
            raise CziError(f"{args.file}: {error}") from error
    print(printable(f"{args.output}: {said}"))
    return 0


def _write(document: CziReader, args: argparse.Namespace) -> str:
    """Read, write, and return what was written in a few words."""
    from czictypes.cli.picture import save_png

    where = {"roi": args.roi, "plane": args.plane, "scene": args.scene, "zoom": args.zoom}
    if args.composite:
        pixels = document.composite(**where)
    else:
        kind = document.common_pixel_type((args.plane or {}).get("C"), args.scene)
        pixels = document.read(**where, pixel_type=kind)
    height, width, samples = pixels.shape
    size = f"{width} x {height} pixels"
    if args.output.suffix.lower() == _NPY:
        import numpy as np

        np.save(str(args.output), pixels)
        return f"{size}, {pixels.dtype}, shape {pixels.shape}"
    if args.composite:
        return f"{size}, {save_png(args.output, pixels, raw=True)}"
    if samples == 4 and not pixels[..., 3].any():
        samples = 3  # an alpha that is 0 everywhere means nothing
    rgb = pixels[..., [2, 1, 0, 3][:samples]] if samples > 1 else pixels
    return f"{size}, {save_png(args.output, rgb, raw=args.raw)}"


def _output(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in (_PNG, _NPY):
        raise argparse.ArgumentTypeError(f"{text!r} must end in .png or .npy")
    return path
