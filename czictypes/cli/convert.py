"""``czictypes convert``: CZI to other formats, and other formats to CZI, one file or many."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from czictypes.cli import arguments
from czictypes.cli.numbers import by_index, needs_indices
from czictypes.cli.output import (
    exit_code,
    named_refusals,
    print_json,
    printable,
    report_error,
    shows_progress,
)
from czictypes.model.errors import IncompleteOutputError, InvalidArgumentError
from czictypes.remote.urls import redact_text

if TYPE_CHECKING:
    from czictypes.exchange.converted import Conversion

_DESCRIPTION = """\
Convert a CZI to OME-Zarr, OME-TIFF, TIFF or PNG, or one of these, another picture, LIF, ND2 and
what else bioio has a reader for to CZI. The names tell the formats: .czi, .ome.zarr, .zarr,
.ozx or .zip (OME-Zarr in one file), .ome.tif, .tif, .png. SRC and DST may be URLs.
The pixels stay the same, bit for bit, unless --project is given. The target appears when it is
complete, but for an OME-Zarr that is no archive.

With --to, all files are sources, and each becomes a file of that format, beside it or in --dest."""

_EPILOG = """\
examples:
  czictypes convert slide.czi slide.ome.zarr --shards 4096
  czictypes convert movie.czi movie.ome.tif --scene 0 2
  czictypes convert stack.tif stack.czi --axes TYX --pixel-size 0.325um --time-step 2s
  czictypes convert stack.czi flat.ome.tif --project max --roi 0,0,512,512
  czictypes convert plate.czi wells.ome.tif --split-scenes
  czictypes convert slide.czi s3://bucket/slide.ome.zarr --resume
  czictypes convert *.czi --to ome-zarr -o converted --workers 4 --resume
exit codes: 0 converted, 1 failed, 2 wrong usage, 3 DST exists, 4 an OME-Zarr is unfinished and
--resume goes on with it, 130 interrupted; of several files with different codes, 1"""

#: The endings of new files by the formats of --to.
_FORMATS = {
    "czi": ".czi",
    "ome-zarr": ".ome.zarr",
    "ozx": ".ozx",
    "ome-tiff": ".ome.tif",
    "tiff": ".tif",
    "png": ".png",
}


_TO = f"convert each file to this format: {', '.join(_FORMATS)}"


def add_convert(add: arguments.AddCommand) -> None:
    """Declare ``convert``."""
    parser = add(
        "convert",
        _run,
        help="convert to and from OME-Zarr, OME-TIFF and others",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        usage="%(prog)s [options] SRC DST\n       %(prog)s [options] SRC [SRC ...] --to FORMAT "
        "[-o DIR] [--workers N]",
    )
    parser.add_argument(
        "files",
        metavar="SRC",
        nargs="+",
        help="a file, folder or URL; without --to one, and DST, whose ending says the format",
    )
    _add_several(parser)
    _add_choice(parser)
    _add_description(parser)
    _add_zarr(parser)
    parser.add_argument("--threads", type=arguments.count, metavar="N", help="how many threads")
    found = parser.add_mutually_exclusive_group()
    arguments.add_overwrite(found)
    found.add_argument(
        "--resume",
        action="store_true",
        help="finish an OME-Zarr that was interrupted; of several files, leave out those that are "
        "converted",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="write nothing; print what would be written"
    )
    arguments.add_parts(parser)
    arguments.add_stored_resolution(parser)
    arguments.add_on_error(parser)
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.add_argument("--quiet", action="store_true", help="show no progress bar")


def _add_several(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", metavar="FORMAT", choices=_FORMATS, help=_TO)
    parser.add_argument(
        "-o",
        "--dest",
        metavar="DIR",
        help="with --to: the folder, or the URL of one, to write to; default: that of each SRC",
    )
    parser.add_argument(
        "--workers",
        type=arguments.count,
        default=1,
        metavar="N",
        help="with --to: how many files are converted at once, each in a process of its own",
    )


def _add_description(parser: argparse.ArgumentParser) -> None:
    """Declare what a file may not tell of its pixels, as those of many TIFFs do not."""
    parser.add_argument(
        "--axes",
        metavar="LETTERS",
        help="for a SRC that is no CZI: a letter for each axis, such as TYX or ZCYX (S at the end "
        "for colours); default: as SRC says, and Z for a stack",
    )
    parser.add_argument(
        "--pixel-size",
        type=arguments.lengths,
        metavar="SIZE",
        help="the size of a pixel with its unit: 0.325um, or along x, y and z: 0.2um,0.2um,1um",
    )
    parser.add_argument(
        "--z-step",
        type=arguments.pixel_length,
        metavar="SIZE",
        help="from one Z to the next: 1.5um",
    )
    parser.add_argument(
        "--time-step", type=arguments.duration, metavar="TIME", help="from one T to the next: 2.5s"
    )
    parser.add_argument(
        "--channel-names",
        nargs="+",
        metavar="NAME",
        help="the names of the channels in their order: DAPI GFP, or DAPI,GFP",
    )


def _add_choice(parser: argparse.ArgumentParser) -> None:
    arguments.add_scenes(parser)
    parser.add_argument(
        "--levels",
        type=arguments.count,
        metavar="N",
        help="how many resolutions; default: those of SRC, and coarser ones as needed",
    )
    parser.add_argument(
        "--plane",
        type=arguments.planes,
        metavar="C=0,Z=3",
        help="only these planes: C=0,Z=3 or C=DAPI,GFP or Z=2-5 or T=0-99/10; a PNG takes one "
        "along each dimension",
    )
    arguments.add_contrast(parser)
    arguments.add_excerpt(parser)
    parser.add_argument(
        "--split-scenes",
        action="store_true",
        help="write a file for each scene, with its name before the ending of DST",
    )
    parser.add_argument(
        "--compression",
        metavar="TEXT",
        help="as the target has it: zstd1:ExplicitLevel=3 (CZI), zstd:5 (OME-Zarr), zlib (TIFF)",
    )
    parser.add_argument(
        "--dtype",
        choices=("uint8", "uint16", "float32"),
        help="for CZI, if SRC has pixels of another type",
    )
    arguments.add_only_named(parser)


def _add_zarr(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--version",
        choices=("0.5", "0.4", "0.6"),
        help="of OME-Zarr; default: 0.5",
        dest="zarr_version",
    )
    parser.add_argument(
        "--chunks", type=arguments.count, metavar="N", help="for OME-Zarr: sides of a chunk"
    )
    parser.add_argument(
        "--shards", type=arguments.count, metavar="N", help="for OME-Zarr 0.5: sides of a shard"
    )


def _run(args: argparse.Namespace) -> int:
    """Convert, and print what was written."""
    if args.to is not None:
        from czictypes.cli.convert_many import convert_many

        return convert_many(args, _FORMATS[args.to], options_of(args))
    source, dest = _source_and_dest(args)
    bar = not args.quiet and not args.dry_run and shows_progress()
    try:
        with named_refusals(source, arguments_too=False):
            done = convert_file(source, dest, {**options_of(args), "progress": bar})
    except (FileExistsError, IncompleteOutputError) as error:
        report_error(reason_of(error, dest))
        return exit_code(error)
    if args.json:
        print_json(done.to_dict())
    else:
        print(said(done))
    return 0


def _source_and_dest(args: argparse.Namespace) -> tuple[str, str]:
    if args.dest is not None or args.workers > 1:
        raise InvalidArgumentError("--dest and --workers need --to FORMAT")
    if len(args.files) != 2:
        raise InvalidArgumentError(
            f"give SRC and DST, not {len(args.files)} files; --to FORMAT -o DIR converts several"
        )
    from czictypes.exchange.locations import target_format

    try:
        target_format(args.files[1])
    except ValueError as error:
        raise InvalidArgumentError(f"argument DST: {error}") from error
    return args.files[0], args.files[1]


def options_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options as arguments of `convert`."""
    return {
        "scenes": args.scene or "all",
        "levels": args.levels,
        "plane": args.plane,
        "contrast": arguments.contrasts(args.contrast) if args.contrast else None,
        "compression": args.compression,
        "dtype": args.dtype,
        "axes": args.axes,
        "channel_names": _names(args.channel_names),
        "pixel_size": _pixel_size(args),
        "times": args.time_step,
        "version": args.zarr_version,
        "chunks": args.chunks,
        "shards": args.shards,
        "overwrite": args.overwrite,
        "resume": args.resume,
        "threads": args.threads,
        "dry_run": args.dry_run,
        "parts": arguments.parts(args.parts),
        "on_error": args.on_error,
        "stored_resolution": args.stored_resolution,
        "roi": args.roi,
        "project": arguments.projections(args.project),
        "split_scenes": args.split_scenes,
        "only_named_dimensions": args.only_named_dimensions,
    }


def _names(given: list[str] | None) -> list[str] | None:
    return given[0].split(",") if given is not None and len(given) == 1 else given


def _pixel_size(args: argparse.Namespace) -> dict[str, float] | None:
    sizes = dict(zip("XYZ", args.pixel_size or ()))
    if args.z_step is not None:
        if "Z" in sizes:
            raise InvalidArgumentError("--pixel-size and --z-step both give the size along Z")
        sizes["Z"] = args.z_step
    return sizes or None


def convert_file(source: str, dest: str, options: dict[str, Any]) -> Conversion:
    """Convert a file; scenes and planes are by number."""
    from czictypes.exchange.convert import convert
    from czictypes.exchange.locations import Format, source_format

    if needs_indices(options) and source_format(source) is Format.CZI:
        from czictypes import CziImage

        with CziImage(source, parts=options["parts"]) as image:
            options = by_index(image, options)
    return convert(source, dest, **options)


def reason_of(error: BaseException, dest: str) -> str:
    """Return the message for an error, with the option that helps where one does."""
    if isinstance(error, FileExistsError):
        return f"{redact_text(str(error.filename or dest))} exists; --overwrite replaces it"
    return f"{error} (--resume)" if isinstance(error, IncompleteOutputError) else str(error)


def said(done: Conversion) -> str:
    """Return a line about the whole, and one for each image."""
    verb = "written" if done.written else "would be written"
    rate = f" in {done.seconds:.1f} s" if done.written else ""
    lines = [
        f"{printable(done.dest)}: {len(done.images)} {done.format} "
        f"image{'s' if len(done.images) > 1 else ''}, {done.nbytes / 1e6:.1f} MB of pixels "
        f"{verb}{rate}"
    ]
    if len(done.files) > 1:
        lines += [f"  {printable(file)}" for file in done.files]
    for image in done.images:
        sizes = ", ".join(f"{axis} {size}" for axis, size in zip(image.axes, image.shape))
        levels = f", {image.levels} levels" if image.levels and image.levels > 1 else ""
        lines.append(f"  {printable(image.name or 'image')}: {sizes}, {image.dtype}{levels}")
    return "\n".join(lines)
