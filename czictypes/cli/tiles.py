"""``czictypes tiles`` and ``events``: tables of what a file holds, for reading or as CSV."""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from czictypes.cli import arguments
from czictypes.cli.numbers import scene_index
from czictypes.cli.output import named_refusals, printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TILES = """\
List all tiles of a CZI: scene, well, place in every dimension, in pixels and micrometres, stage and
focus, time, exposure, pyramid level and compression. Without --csv the first 20 are shown, and of
the columns those that tell something of them."""

_EVENTS = """\
List what happened while a CZI was acquired. Without --csv the first 20 events are shown."""

_MOST_ROWS = 20


def add_tiles(add: arguments.AddCommand) -> None:
    """Declare ``tiles``."""
    parser = add(
        "tiles",
        _run_tiles,
        help="list the tiles with their places, times and exposures",
        description=_TILES,
        epilog="example: czictypes tiles plate.czi --level 0 --csv > tiles.csv",
    )
    _add_common(parser)
    parser.add_argument(
        "--scene",
        type=arguments.scene,
        metavar="N",
        help="only the tiles of this scene, by number or name",
    )
    parser.add_argument(
        "--level",
        type=arguments.whole,
        metavar="N",
        help="only this pyramid level; 0 is full resolution",
    )


def add_events(add: arguments.AddCommand) -> None:
    """Declare ``events``."""
    parser = add(
        "events",
        _run_events,
        help="list the events of the acquisition",
        description=_EVENTS,
    )
    _add_common(parser)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a CZI file, or its URL")
    parser.add_argument(
        "--csv", action="store_true", help="all rows and columns, separated by commas"
    )
    arguments.add_parts(parser)


def _run_tiles(args: argparse.Namespace) -> int:
    """Print the table of tiles."""
    from czictypes import CziImage

    with CziImage(args.file, parts=arguments.parts(args.parts)) as image:
        with named_refusals(args.file):
            scene = None if args.scene is None else scene_index(image, args.scene)
        _print(image.tiles(scene, level=args.level, pandas=False), as_csv=args.csv)
    return 0


def _run_events(args: argparse.Namespace) -> int:
    """Print the table of events."""
    from czictypes import CziImage

    with CziImage(args.file, parts=arguments.parts(args.parts)) as image:
        _print(image.events(pandas=False), as_csv=args.csv)
    return 0


def _print(columns: Mapping[str, NDArray[Any]], *, as_csv: bool) -> None:
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(_rows(columns))
        return
    count = len(next(iter(columns.values())))
    first = {name: column[:_MOST_ROWS] for name, column in columns.items()}
    _show(list(columns), list(_rows(first)))
    if count > _MOST_ROWS:
        print(f"and {count - _MOST_ROWS:,} more; --csv lists all")
    elif not count:
        print("none")


def _rows(columns: Mapping[str, NDArray[Any]]) -> Iterator[list[str]]:
    for row in zip(*(column.tolist() for column in columns.values())):
        yield [_text(value) for value in row]


def _text(value: Any) -> str:
    """Return a value as text: nothing where it is missing, a time as ISO 8601 in UTC."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, datetime):
        return value.isoformat() + "Z"
    if isinstance(value, float):
        return f"{value:.15g}"
    return str(value)


def _show(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns, without columns that are empty."""
    filled = [at for at in range(len(names)) if any(row[at] for row in rows)]
    shown = [[names[at] for at in filled]]
    shown += [[printable(row[at]) for at in filled] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown)]
    for row in shown if rows else ():
        print("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())
