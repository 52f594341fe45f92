"""``czictypes plane``: one plane, or a region of it, as a picture or an array."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from czictypes.cli import arguments
from czictypes.cli.output import named_refusals, printable
from czictypes.model.errors import InvalidArgumentError, UnsupportedDataError
from czictypes.model.lazy import require

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from czictypes.czi import CziReader

_PNG, _NPY = ".png", ".npy"

_DESCRIPTION = """\
Read a plane of a CZI, or a region of it, and write it as a picture (.png) or an array (.npy).

A PNG is made to be looked at: --contrast says which pixel values become black and white.
  file      those of the file (the default); where it has none, or has the whole range for more than
            8 bits and the picture would be flat, as auto; colours of 8 bits stay as they are
  auto      the darkest and the brightest 0.2 percent of the pixels that are not 0
  full      the range of the pixel type
  LOW,HIGH  these values, such as 100,4000
With --raw, nothing is stretched: a 16-bit gray plane becomes a 16-bit PNG. An .npy has the pixels
as they are read: (y, x, 1) for gray, (y, x, 3) for colours in the order blue, green, red."""


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
    arguments.add_contrast(parser)
    parser.add_argument(
        "--scale-bar",
        nargs="?",
        const=math.nan,
        type=arguments.length,
        metavar="LENGTH",
        help="draw a scale bar into a PNG, such as 50um; by default about a quarter of the width",
    )
    arguments.add_parts(parser)
    arguments.add_stored_resolution(parser)
    arguments.add_on_error(parser)


def _run(args: argparse.Namespace) -> int:
    """Read the plane and write the file."""
    from czictypes.czi import ReaderOptions, open_czi

    is_png = args.output.suffix.lower() == _PNG
    if is_png:
        _require_pillow()  # before what may take long
    if args.raw and (args.contrast or args.scale_bar):
        raise InvalidArgumentError(
            "--raw keeps the values as they are; leave --contrast and --scale-bar out"
        )
    if args.scale_bar and not is_png:
        raise InvalidArgumentError("--scale-bar is drawn into a picture; give a name in .png")
    if args.contrast and not is_png and not args.composite:
        raise InvalidArgumentError(
            "an .npy has the pixels as they are; leave --contrast out, or write a .png"
        )
    if not args.output.absolute().parent.is_dir():
        raise FileNotFoundError(f"{args.output.parent} is no folder; make it first")
    options = ReaderOptions(on_error=args.on_error, stored_resolution=args.stored_resolution)
    parts = arguments.parts(args.parts)
    document = open_czi(args.file, reader_options=options, parts=parts)
    with document, named_refusals(args.file):
        if args.scene == 0 and not document.scenes_bounding_rectangle:
            args.scene = None  # the only one of a file without scenes
        said = _write(document, args)
    print(printable(f"{args.output}: {said}"))
    return 0


def _write(document: CziReader, args: argparse.Namespace) -> str:
    """Read and write the pixels; return a few words about them."""
    where = {"roi": args.roi, "plane": args.plane, "scene": args.scene, "zoom": args.zoom}
    is_npy = args.output.suffix.lower() == _NPY
    contrast = arguments.contrasts(args.contrast)
    if not is_npy:
        _check_size(document, where)
    if args.composite:
        pixels = document.composite(**where, contrast=contrast)
    else:
        kind = document.common_pixel_type((args.plane or {}).get("C"), args.scene)
        pixels = document.read(**where, pixel_type=kind)
    height, width, samples = pixels.shape
    size = f"{width} x {height} pixels"
    if is_npy:
        import numpy as np

        np.save(str(args.output), pixels)
        return f"{size}, {pixels.dtype}, shape {pixels.shape}"
    draw = _bar_drawer(document, args)
    if args.composite:
        save_png(args.output, pixels, raw=True, draw=draw)
        return f"{size}, all channels blended"
    if samples == 4 and not pixels[..., 3].any():
        samples = 3  # an alpha that is 0 everywhere means nothing
    rgb = pixels[..., [2, 1, 0, 3][:samples]] if samples > 1 else pixels
    limits = None if args.raw else _limits(document, args.plane, pixels, contrast)
    return f"{size}, {save_png(args.output, rgb, raw=args.raw, limits=limits, draw=draw)}"


def _check_size(document: CziReader, where: dict[str, Any]) -> None:
    """Refuse a picture that hardly any program shows."""
    from czictypes.exchange.drawing import check_picture_size
    from czictypes.reading.reader import open_document_of
    from czictypes.reading.request import output_shape

    with open_document_of(document) as opened:
        request = opened.requests.make(**where)
        height, width, _ = output_shape(request)
    check_picture_size(
        width,
        height,
        where["zoom"] or 1.0,
        "give --zoom {zoom} for an overview, or --roi X,Y,W,H for a part, or a name in .npy for "
        "all pixels",
    )


def _limits(
    document: CziReader, plane: Any, pixels: NDArray[Any], contrast: Any
) -> tuple[float, float]:
    """Return the values of a plane that are shown as black and as white."""
    from czictypes.metadata.channels import display_settings
    from czictypes.reading.contrast import chosen_contrast, points_of, shown_limits
    from czictypes.reading.names import metadata_or, numbers_of
    from czictypes.reading.reader import open_document_of

    nothing: dict[int, Any] = {}
    with open_document_of(document) as opened:
        first, count = opened.table.plane_bounds.get("C", (0, 1))
        channel = numbers_of(opened.table, "C", (plane or {}).get("C", first))
        chosen = chosen_contrast(
            contrast,
            range(first, first + count),
            lambda name: int(numbers_of(opened.table, "C", name)),
        )
        shown = metadata_or(opened, lambda one: one.read_metadata(display_settings), nothing)
    return shown_limits(pixels, chosen(channel), points_of(shown.get(channel)))


def _bar_drawer(
    document: CziReader, args: argparse.Namespace
) -> Callable[[NDArray[Any]], NDArray[Any]] | None:
    """Return what draws a scale bar into a picture, if one is wanted."""
    if args.scale_bar is None:
        return None
    from czictypes.metadata.xml_editor import edit_advice

    metres = document.scaling.x
    if not metres:
        raise InvalidArgumentError(
            f"{args.file} does not tell the size of a pixel; leave --scale-bar out, or "
            f"{edit_advice('set_scaling_info(...)')}"
        )
    from czictypes.exchange.drawing import draw_scale_bar

    pixel = metres * 1e6 / (args.zoom or 1.0)
    length = None if math.isnan(args.scale_bar) else args.scale_bar * 1e6
    return lambda picture: draw_scale_bar(picture, pixel, length)


def _output(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in (_PNG, _NPY):
        raise argparse.ArgumentTypeError(f"{text!r} must end in .png or .npy")
    return path


def save_png(
    path: Path,
    pixels: NDArray[Any],
    *,
    raw: bool,
    limits: tuple[float, float] | None = None,
    draw: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
) -> str:
    """Write (h, w, 1) gray or (h, w, 3 or 4) RGB(A) as PNG; return how it is shown, in words.

    Unless `raw` is set, the pixels are stretched between limits, by default those of
    `shown_limits`. `draw` changes the picture before it is written.

    Raises
    ------
    UnsupportedDataError
        If a PNG cannot hold the pixels unchanged though `raw` asks for it.
    MissingExtraError
        Without Pillow.
    """
    import numpy as np

    from czictypes.reading.contrast import shown_limits
    from czictypes.reading.conversion import stretch

    image = _require_pillow()
    said = "values as they are"
    samples = pixels.shape[2]
    low, high = limits or ((0, 0) if raw else shown_limits(pixels))
    if not raw and (low, high, pixels.dtype.name) != (0, 255, "uint8"):
        shown = stretch(pixels[..., :3], (low, high))
        pixels = np.dstack([shown, pixels[..., 3:]]) if samples == 4 else shown
        said = f"shown from {low:g} (black) to {high:g} (white)"
    elif pixels.dtype != np.uint8 and (pixels.dtype != np.uint16 or samples != 1):
        raise UnsupportedDataError(
            f"a PNG cannot hold {samples} x {pixels.dtype} per pixel; write an .npy or leave --raw "
            "out"
        )
    pixels = pixels if draw is None else draw(pixels)
    plain = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    image.fromarray(np.ascontiguousarray(plain)).save(str(path), "PNG")
    return said


def _require_pillow() -> Any:
    return require("PIL.Image", extra="cli", doing="writing a PNG")
