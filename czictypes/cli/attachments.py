"""``czictypes attachments``: list what is attached to a file, or write it to files."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from czictypes.cli import arguments
from czictypes.cli.output import (
    FAILED,
    make_folder,
    named_refusals,
    printable,
    report_exception,
)
from czictypes.model.errors import CziError, InvalidArgumentError, OutOfBoundsError

if TYPE_CHECKING:
    from czictypes.reading.attachments import Attachment, Attachments

_DESCRIPTION = """\
List the attachments of a CZI: thumbnail, label and overview of a slide, time stamps, events. With
-o, write them to a folder: pictures as PNG (also those that are stored as CZI), all others as they
are stored."""


def add_attachments(add: arguments.AddCommand) -> None:
    """Declare ``attachments``."""
    parser = add(
        "attachments",
        _run,
        help="list attachments, or write them to files",
        description=_DESCRIPTION,
        epilog="example: czictypes attachments slide.czi -o pictures --name Label SlidePreview",
    )
    parser.add_argument("file", metavar="FILE", help="a CZI file, or its URL")
    parser.add_argument("-o", "--dest", metavar="DIR", help="the folder to write to")
    parser.add_argument(
        "--name", nargs="+", action="extend", metavar="NAME", help="only these, in any case"
    )
    parser.add_argument("--raw", action="store_true", help="write pictures as they are stored, too")
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there")


def _run(args: argparse.Namespace) -> int:
    """List the attachments, or write them."""
    from czictypes.czi import open_czi

    if args.dest is None and (args.raw or args.overwrite):
        raise InvalidArgumentError(
            f"{'--raw' if args.raw else '--overwrite'} says how to write; name a folder with -o DIR"
        )
    with open_czi(args.file) as document:
        chosen = _chosen(document.attachments, args.name, args.file)
        if args.dest is not None:
            return _write(chosen, make_folder(args.dest), args)
        for one in chosen:
            kind, size = printable(one.content_file_type), len(one.data)
            print(f"{one.index}  {printable(one.name)}  {kind}  {size:,} bytes")
        if not chosen:
            print("none")
    return 0


def _chosen(attachments: Attachments, names: Sequence[str] | None, file: str) -> list[Attachment]:
    if names is None:
        return list(attachments)
    wanted = {name.lower() for name in names}
    missing = [name for name in names if attachments.find(name) is None]
    if missing:
        known = ", ".join(attachments.names) or "none"
        raise OutOfBoundsError(
            f"{file}: there is no attachment {', '.join(missing)}; the file has: {known}"
        )
    return [one for one in attachments if one.name.lower() in wanted]


def _write(chosen: Sequence[Attachment], folder: Path, args: argparse.Namespace) -> int:
    """Write each; one that cannot be decoded does not stop the others."""
    code = 0
    for one, path in zip(chosen, _paths(chosen, folder, raw=args.raw)):
        try:
            with named_refusals(args.file, str(path)):
                one.save(path, overwrite=args.overwrite)
        except FileExistsError:
            raise
        except (CziError, OSError) as error:
            report_exception(error, debug=args.debug, file=args.file)
            code = FAILED
        else:
            print(printable(path))
    return code


def _paths(chosen: Sequence[Attachment], folder: Path, *, raw: bool) -> Iterator[Path]:
    """Yield a name for each: its own, without what no system has in names, and its kind."""
    taken: set[str] = set()
    for one in chosen:
        kind = re.sub(r"\W", "", one.content_file_type).lower() or "bin"
        ending = "png" if one.is_picture and not raw else kind
        stem = re.sub(r"[^\w .-]", "_", one.name).strip(" .") or "attachment"
        name = f"{stem}.{ending}"
        if name.lower() in taken:
            name = f"{stem} ({one.index}).{ending}"
        taken.add(name.lower())
        yield folder / name
