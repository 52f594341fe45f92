"""``czictypes info``: what files hold, as tables or JSON."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from czictypes.cli import arguments
from czictypes.cli.output import report_exception
from czictypes.model.errors import CziError, LibraryNotFoundError
from czictypes.model.lazy import require

if TYPE_CHECKING:
    from czictypes.remote.part_files import Parts

__all__ = ["add_parser"]


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "info",
        parents=[shared],
        help="show what a file holds",
        description="Show dimensions, scenes, channels, pixel size, sub-blocks, pyramid and "
        "attachments of CZI files. Long lists are cut in the tables, never in the JSON.",
    )
    parser.add_argument("files", metavar="FILE", nargs="+", help="CZI files, or their URLs")
    parser.add_argument(
        "--json",
        action="store_true",
        help="all there is to know, as a JSON list with one object for each file",
    )
    arguments.add_parts(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Describe each file; one that cannot be read does not keep the others from being shown."""
    if not args.json:
        require("rich", extra="cli", doing="a table (--json does without)")
    parts = arguments.parts(args.parts, args.files)
    described: list[dict[str, Any]] = []
    for path in args.files:
        summary = _describe(path, parts, debug=args.debug)
        if summary is None:
            continue
        if not args.json:
            _show(summary, first=not described)
        described.append(summary)
    if args.json:
        print(json.dumps(described, indent=2, ensure_ascii=False))
    return 0 if len(described) == len(args.files) else 1


def _describe(path: str, parts: Parts | None, *, debug: bool) -> dict[str, Any] | None:
    """Return what is known of a file; None where it cannot be read, which is reported."""
    from czictypes.cli.summary import summarize
    from czictypes.czi import open_czi
    from czictypes.remote.urls import describe_target

    try:
        with open_czi(path, parts=parts) as document:
            return summarize(document, path)
    except LibraryNotFoundError:
        raise  # the other files would fail as well
    except (CziError, OSError) as error:
        report_exception(error, debug=debug, file=describe_target(path))
        return None


def _show(summary: dict[str, Any], *, first: bool) -> None:
    from czictypes.cli.tables import show

    if not first:
        print()
    show(summary)
