"""``czictypes ls``: a line for each of many files."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from czictypes.cli import arguments
from czictypes.cli.output import FAILED, printable, report_exception
from czictypes.model.errors import CziError, LibraryNotFoundError

if TYPE_CHECKING:
    from czictypes.czi import CziReader

_DESCRIPTION = """\
List CZI files, one on each line: size, width, height, channels, Z, T, scenes, tiles of full
resolution, pixel type, pixel size, objective and time of acquisition. Of a folder, its CZI files
are listed, with -r those of all folders in it, too."""

#: The columns, and those that hold numbers.
_COLUMNS = (
    *("file", "bytes", "width", "height", "channels", "z", "t", "scenes", "tiles", "pixel_type"),
    *("pixel_size_um", "objective", "acquired"),
)
_TEXTS = ("file", "pixel_type", "objective", "acquired")


def add_ls(add: arguments.AddCommand) -> None:
    """Declare ``ls``."""
    parser = add(
        "ls",
        _run,
        help="list many files, one on each line",
        description=_DESCRIPTION,
        epilog="example: czictypes ls data -r --sort acquired --csv > files.csv",
    )
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="*",
        default=["."],
        help="CZI files, their URLs, or folders; default: this folder",
    )
    parser.add_argument("-r", "--recursive", action="store_true", help="in all folders, too")
    parser.add_argument(
        "--sort",
        metavar="COLUMN",
        choices=_COLUMNS,
        help=f"sort by one of {', '.join(_COLUMNS)}; default: as given, and by name in a folder",
    )
    parser.add_argument("--reverse", action="store_true", help="the other way round")
    parser.add_argument("--csv", action="store_true", help="separated by commas, exact numbers")


def _run(args: argparse.Namespace) -> int:
    """List the files that can be opened, and tell of the others."""
    rows: list[dict[str, Any]] = []
    code = 0
    for path in _paths(args.files, recursive=args.recursive):
        try:
            rows.append(_row(path))
        except LibraryNotFoundError:
            raise
        except (CziError, OSError) as error:
            report_exception(error, debug=args.debug, file=path)
            code = FAILED
    if args.sort:
        known = [row for row in rows if row[args.sort] is not None]
        known.sort(key=lambda row: _key(row[args.sort]), reverse=args.reverse)
        rows = known + [row for row in rows if row[args.sort] is None]
    elif args.reverse:
        rows.reverse()
    (_print_csv if args.csv else _print)(rows)
    return code


def _paths(given: Sequence[str], *, recursive: bool) -> Iterator[str]:
    """Yield the files, and those in folders whose names end in .czi, sorted by name."""
    for one in given:
        folder = Path(one)
        if not folder.is_dir():
            yield one
            continue
        found = folder.rglob("*") if recursive else folder.iterdir()
        yield from sorted(str(path) for path in found if _is_czi(path))


def _is_czi(path: Path) -> bool:
    return path.suffix.lower() == ".czi" and path.is_file()


def _key(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _row(path: str) -> dict[str, Any]:
    from czictypes.czi import open_czi

    with open_czi(path) as document:
        return dict(zip(_COLUMNS, _values(path, document)))


def _values(path: str, document: CziReader) -> Iterator[Any]:
    """Yield the values of the columns; None where the file does not tell."""
    from czictypes.reading.reader import open_document_of
    from czictypes.remote.urls import describe_target

    with open_document_of(document) as opened:
        size = opened.source.end_of(0)
    box = document.total_bounding_rectangle_no_pyramid
    sizes = {
        name: max(end - start, 0) for name, (start, end) in document.total_bounding_box.items()
    }
    planes, info = document.subblocks, document.document_info
    yield describe_target(path)
    yield size
    yield from (max(box.w, 0), max(box.h, 0))
    yield from (sizes.get(letter, 1) for letter in "CZT")
    yield max(len(document.scenes_bounding_rectangle), min(len(planes), 1))
    yield len(set(planes["index"][planes["level"] == 0].tolist()))
    yield "/".join(sorted(set(document.pixel_types.values()))) or None
    yield None if document.scaling.x is None else float(f"{document.scaling.x * 1e6:.6g}")
    yield None if info.objective is None else info.objective.name
    date = info.acquisition_date or info.creation_date
    yield None if date is None else date.isoformat()


def _print_csv(rows: Sequence[Mapping[str, Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows([row[name] for name in _COLUMNS] for row in rows)


def _print(rows: Sequence[Mapping[str, Any]]) -> None:
    from czictypes.cli.summary import Rows

    headings = tuple(name if name in _TEXTS else f"> {name}" for name in _COLUMNS)
    texts = [[_text(name, row[name]) for name in _COLUMNS] for row in rows]
    for line in Rows(headings, texts).filled().lines() if texts else ():
        print(line)


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name == "acquired":
        return str(value)[:16].replace("T", " ")
    return f"{value:,}" if name == "bytes" else printable(value)
