"""``czictypes demo``: makes a small CZI, shows what it holds, and draws an overview."""

from __future__ import annotations

import argparse
from pathlib import Path

from czictypes.cli import arguments
from czictypes.model.lazy import require

CZI_NAME, PICTURE_NAME = "demo.czi", "demo.png"
_FOLDER = "czictypes-demo"
_OVERVIEW_ZOOM = 0.5


def add_demo(add: arguments.AddCommand) -> None:
    """Declare ``demo``."""
    parser = add(
        "demo",
        _run,
        help="make a small CZI and a picture of it",
        description=f"Make {CZI_NAME}: a mosaic of overlapping tiles with three scenes, three "
        "channels of synthetic cells, and a pyramid, 9 MB in all. Print what it holds, write an "
        f"overview as {PICTURE_NAME}, and print the path of that in the last line.",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        type=Path,
        default=Path(_FOLDER),
        help="the folder for the two files, made if need be; default: %(default)s",
    )


def _run(args: argparse.Namespace) -> int:
    """Write the file, describe it, and draw it."""
    require("rich", extra="cli", doing="czictypes demo")
    require("PIL.Image", extra="cli", doing="czictypes demo")
    from czictypes.cli.demo_file import write_demo
    from czictypes.cli.plane import save_png
    from czictypes.cli.summary import show, summarize
    from czictypes.czi import open_czi

    folder = args.output.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    path, picture = folder / CZI_NAME, folder / PICTURE_NAME
    print("making a mosaic of synthetic cells ...", flush=True)
    write_demo(path)
    with open_czi(path) as document:
        show(summarize(document, str(path)))
        save_png(picture, document.composite(zoom=_OVERVIEW_ZOOM), raw=True)
    print(picture)
    return 0
