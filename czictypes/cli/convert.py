"""``czictypes convert``: CZI to other formats, and other formats to CZI."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from czictypes.cli import arguments
from czictypes.cli.output import printable, report_error, shows_progress
from czictypes.model.errors import CziError
from czictypes.remote.urls import redact_text

if TYPE_CHECKING:
    from czictypes.exchange.converted import Conversion

_EXISTS, _UNFINISHED = 3, 4

_DESCRIPTION = """\
Convert a CZI to OME-Zarr, OME-TIFF, TIFF or PNG, or one of these, another picture, LIF, ND2 and
what else bioio has a reader for to CZI. The names tell the formats: .czi, .ome.zarr, .zarr,
.ozx or .zip (OME-Zarr in one file), .ome.tif, .tif, .png. SRC and DST may be URLs.
The pixels stay the same, bit for bit, unless --project is given. The target appears when it is
complete, but for an OME-Zarr that is no archive."""

_EPILOG = """\
examples:
  czictypes convert slide.czi slide.ome.zarr --shards 4096
  czictypes convert movie.czi movie.ome.tif --scene 0 2
  czictypes convert stack.ome.tif stack.czi
  czictypes convert stack.czi flat.ome.tif --project max --roi 0,0,512,512
  czictypes convert plate.czi wells.ome.tif --split-scenes
  czictypes convert slide.czi s3://bucket/slide.ome.zarr --resume
exit codes: 0 converted, 1 failed, 2 wrong usage, 3 DST exists, 4 an OME-Zarr is unfinished and
--resume goes on with it, 130 interrupted"""


def add_convert(add: arguments.AddCommand) -> None:
    """Declare ``convert``."""
    parser = add(
        "convert",
        _run,
        help="convert to and from OME-Zarr, OME-TIFF and others",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument("source", metavar="SRC", help="a file, folder or URL")
    parser.add_argument("target", metavar="DST", help="what to write; its ending says the format")
    _add_choice(parser)
    _add_zarr(parser)
    parser.add_argument("--threads", type=arguments.count, metavar="N", help="how many threads")
    arguments.add_former(parser, "--workers", dest="threads", type=arguments.count)
    found = parser.add_mutually_exclusive_group()
    arguments.add_overwrite(found)
    found.add_argument(
        "--resume", action="store_true", help="finish an OME-Zarr that was interrupted"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="write nothing; print what would be written"
    )
    arguments.add_parts(parser)
    arguments.add_stored_resolution(parser)
    arguments.add_on_error(parser)
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.add_argument("--quiet", action="store_true", help="show no progress bar")


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scene",
        nargs="+",
        action="extend",
        type=arguments.scene,
        metavar="S",
        help="only these scenes, by number from 0 or by name; default: all",
    )
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
        help="only these planes, counted from 0: C=0,Z=3 or C=DAPI,GFP or Z=2-5 or T=0-99/10; a "
        "PNG takes one along each dimension",
    )
    parser.add_argument(
        "--roi",
        type=arguments.roi,
        metavar="X,Y,W,H",
        help="cut to this region: in pixels of the document for a CZI, of each image otherwise",
    )
    parser.add_argument(
        "--project",
        nargs="+",
        action="extend",
        type=arguments.projection,
        metavar="HOW",
        help="project planes by max, mean or sum along Z, or along another dimension: T=max",
    )
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
    from czictypes.exchange.convert import convert
    from czictypes.model.errors import IncompleteOutputError

    try:
        done = convert(
            args.source,
            args.target,
            scenes=args.scene or "all",
            levels=args.levels,
            plane=args.plane,
            compression=args.compression,
            dtype=args.dtype,
            version=args.zarr_version,
            chunks=args.chunks,
            shards=args.shards,
            overwrite=args.overwrite,
            resume=args.resume,
            threads=args.threads,
            progress=not args.quiet and not args.dry_run and shows_progress(),
            dry_run=args.dry_run,
            parts=arguments.parts(args.parts),
            on_error=args.on_error,
            stored_resolution=args.stored_resolution,
            roi=args.roi,
            project={letter: how for one in args.project or () for letter, how in one.items()},
            split_scenes=args.split_scenes,
        )
    except FileExistsError:
        report_error(f"{redact_text(args.target)} exists; --overwrite replaces it")
        return _EXISTS
    except IncompleteOutputError as error:
        report_error(f"{error} (--resume)")
        return _UNFINISHED
    except CziError:
        raise
    except ValueError as error:  # an argument is refused, and the message says why
        raise CziError(f"{args.source}: {error}") from error
    print(json.dumps(done.to_dict()) if args.json else _said(done))
    return 0


def _said(done: Conversion) -> str:
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
