"""``czictypes plane``: one plane, or a region of it, as a picture or an array."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from czictypes.cli import arguments
from czictypes.cli.output import named_refusals, printable
from czictypes.model.errors import UnsupportedDataError
from czictypes.model.lazy import require

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from czictypes.czi import CziReader

_ENOUGH_PIXELS = 1 << 22
_PNG, _NPY = ".png", ".npy"

_DESCRIPTION = """\
Read a plane of a CZI, or a region of it, and write it as a picture (.png) or an array (.npy).

A PNG is made to be looked at: gray planes, and colours of more than 8 bits, are stretched so that
the darkest and the brightest 0.2 percent of the pixels become black and white (pixels of value 0,
which no tile covers as a rule, are not counted). With --raw, nothing is stretched: a 16-bit gray
plane becomes a 16-bit PNG. An .npy has the pixels as they are read: (y, x, 1) for gray, (y, x, 3)
for colours in the order blue, green, red."""


def add_plane(add: arguments.AddCommand) -> None:
    """Declare ``plane``."""
    parser = add(
        "plane",
        _run,
        help="write a plane as PNG or .npy",
        description=_DESCRIPTION,
        epilog="example: czictypes plane image.czi z3.png --plane C=0,Z=3 --zoom 0.25",
    )
    parser.add_argument("file", metavar="FILE", help="a CZI file")
    parser.add_argument("output", metavar="OUT", type=_output, help="a name in .png or .npy")
    parser.add_argument(
        "--scene",
        type=arguments.scene,
        metavar="S",
        help="only this scene, by number or name; default: all",
    )
    parser.add_argument(
        "--plane",
        type=arguments.plane,
        metavar="C=0,Z=3",
        help="which plane, a channel by number or name (C=DAPI); the first one of each dimension "
        "that is left out",
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


def _run(args: argparse.Namespace) -> int:
    """Read the plane and write the file."""
    from czictypes.czi import ReaderOptions, open_czi

    if args.output.suffix.lower() == _PNG:
        _require_pillow()  # before what may take long
    if not args.output.absolute().parent.is_dir():
        raise FileNotFoundError(f"{args.output.parent} is no folder; make it first")
    options = ReaderOptions(on_error=args.on_error, stored_resolution=args.stored_resolution)
    parts = arguments.parts(args.parts)
    document = open_czi(args.file, reader_options=options, parts=parts)
    with document, named_refusals(args.file):
        said = _write(document, args)
    print(printable(f"{args.output}: {said}"))
    return 0


def _write(document: CziReader, args: argparse.Namespace) -> str:
    """Read and write the pixels; return a few words about them."""
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


def save_png(path: Path, pixels: NDArray[Any], *, raw: bool) -> str:
    """Write (h, w, 1) gray or (h, w, 3 or 4) RGB(A) as PNG; return how it is shown, in words.

    Unless `raw` is set, gray pictures, and colours of more than 8 bits, are stretched to where
    most of their values lie.

    Raises
    ------
    UnsupportedDataError
        If a PNG cannot hold the pixels unchanged though `raw` asks for it.
    MissingExtraError
        Without Pillow.
    """
    import numpy as np

    from czictypes.reading.conversion import stretch

    image = _require_pillow()
    said = "values as they are"
    samples = pixels.shape[2]
    if not raw and (samples == 1 or pixels.dtype != np.uint8):
        low, high = display_range(pixels)
        pixels = stretch(pixels, (low, high))
        said = f"shown from {low:g} (black) to {high:g} (white)"
    elif pixels.dtype != np.uint8 and (pixels.dtype != np.uint16 or samples != 1):
        raise UnsupportedDataError(
            f"a PNG cannot hold {samples} x {pixels.dtype} per pixel; write an .npy or leave --raw "
            "out"
        )
    plain = pixels[..., 0] if samples == 1 else pixels
    image.fromarray(np.ascontiguousarray(plain)).save(str(path), "PNG")
    return said


def display_range(pixels: NDArray[Any]) -> tuple[float, float]:
    """Return the values to show as black and as white.

    They are the percentiles 0.2 and 99.8 of the finite pixels that are not 0: 0 is where no tile
    lies. A picture of one value, or of none, is shown from 0, or that value, on.
    """
    from czictypes.reading.conversion import dark_and_bright, real_values

    step = math.ceil(math.sqrt(max(pixels.size / _ENOUGH_PIXELS, 1)))
    sample = real_values(pixels[::step, ::step])
    low, high = dark_and_bright(sample[sample != 0])
    if high > low:
        return low, high
    if low == 0:
        return 0.0, 1.0
    return (0.0, high) if high > 0 else (low, 0.0)


def _require_pillow() -> Any:
    return require("PIL.Image", extra="cli", doing="writing a PNG")
