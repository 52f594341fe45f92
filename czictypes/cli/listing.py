"""``czictypes ls``: a line for each of many files."""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from czictypes.cli import arguments
from czictypes.cli.output import FAILED, printable, report_error, report_exception
from czictypes.model.errors import CziError, LibraryNotFoundError

if TYPE_CHECKING:
    from czictypes.czi import CziReader

_DESCRIPTION = """\
List CZI files, one on each line: size, width, height, channels, Z, T, scenes, tiles of full
resolution, pixel type, pixel size, objective and time of acquisition, and in short what is wrong
with files that are truncated, damaged or cannot be opened, as far as that is seen without decoding
pixels. Of a folder, its CZI files are listed, with -r those of all folders in it, too."""

_CODES = """\
exit codes: 0 all is well, 1 a file is damaged or cannot be opened, 2 wrong usage
example: czictypes ls data -r --sort acquired --csv > files.csv"""

#: The columns, and those that hold numbers.
_COLUMNS = (
    *("file", "bytes", "width", "height", "channels", "z", "t", "scenes", "tiles", "pixel_type"),
    *("pixel_size_um", "objective", "acquired", "problem"),
)
_TEXTS = ("file", "pixel_type", "objective", "acquired", "problem")
#: How much of a problem the table shows; the CSV has all of it.
_LONGEST = 100


def add_ls(add: arguments.AddCommand) -> None:
    """Declare ``ls``."""
    parser = add(
        "ls",
        _run,
        help="list many files, one on each line",
        description=_DESCRIPTION,
        epilog=_CODES,
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
    """List the files, also those that cannot be opened; of names that no file has, tell."""
    rows: list[dict[str, Any]] = []
    code = 0
    for path in _paths(args.files, recursive=args.recursive):
        try:
            rows.append(_row(path, debug=args.debug))
        except FileNotFoundError as error:
            report_exception(error, debug=args.debug, file=path)
            code = FAILED
    if args.sort:
        known = [row for row in rows if row[args.sort] is not None]
        known.sort(key=lambda row: _key(row[args.sort]), reverse=args.reverse)
        rows = known + [row for row in rows if row[args.sort] is None]
    elif args.reverse:
        rows.reverse()
    (_print_csv if args.csv else _print)(rows)
    return FAILED if _report(rows) else code


def _report(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Say on stderr which files have a problem; return whether there are any."""
    found = [row["file"] for row in rows if row["problem"]]
    if found:
        names = ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
        report_error(f"damaged or not to be opened: {names}; czictypes check tells more")
    return bool(found)


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


def _row(path: str, *, debug: bool) -> dict[str, Any]:
    """Return the values of the columns, as far as they can be read."""
    from czictypes.czi import open_czi
    from czictypes.remote.urls import describe_target

    file = describe_target(path)
    row: dict[str, Any] = {**dict.fromkeys(_COLUMNS), "file": file, "bytes": _size(path)}
    try:
        with open_czi(path) as document:
            row["problem"] = _damage(document)
            for name, value in zip(_COLUMNS, _values(path, document)):
                row[name] = value
    except (LibraryNotFoundError, FileNotFoundError):
        raise
    except (CziError, OSError) as error:
        if debug:
            report_exception(error, debug=True, file=path)
        row["problem"] = row["problem"] or _in_short(_told(error), file)
    return row


def _size(path: str) -> int | None:
    from czictypes.remote.urls import local_path

    local = local_path(path)
    return None if local is None or not local.is_file() else local.stat().st_size


def _damage(document: CziReader) -> str | None:
    """Return the worst damage that is found quickly, in short."""
    from czictypes.checking.check import check_quickly
    from czictypes.reading.reader import open_document_of

    with open_document_of(document) as opened:
        report = check_quickly(opened)
    if report.ok:
        return None
    worst = report.findings[0]
    said = _in_short(worst.message, report.file)
    return said if said.startswith(worst.place) else f"{worst.place}: {said}"


def _told(error: CziError | OSError) -> str:
    """Return what is wrong; of the operating system's errors without the path."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _in_short(message: str, file: str) -> str:
    """Return the first part of a message, without the name of the file."""
    name = re.split(r"[/\\]", file)[-1]
    text = message.partition("; ")[0].replace(file, name)
    for said in (f" of {name}", f"{name}: ", f"{name} "):
        text = text.replace(said, "", 1)
    return text


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
    planes = document.subblocks
    yield describe_target(path)
    yield size
    yield from (max(box.w, 0), max(box.h, 0))
    yield from (sizes.get(letter, 1) for letter in "CZT")
    yield max(len(document.scenes_bounding_rectangle), min(len(planes), 1))
    yield len(set(planes["index"][planes["level"] == 0].tolist()))
    yield "/".join(sorted(set(document.pixel_types.values()))) or None
    yield None if document.scaling.x is None else float(f"{document.scaling.x * 1e6:.6g}")
    info = document.document_info
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
    if name == "problem":
        return shorten(printable(value), _LONGEST, placeholder="...")
    if name == "acquired":
        return str(value)[:16].replace("T", " ")
    return f"{value:,}" if name == "bytes" else printable(value)
