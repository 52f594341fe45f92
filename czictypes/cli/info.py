"""``czictypes info``, ``metadata`` and ``library``: what files hold, and the library in use."""

from __future__ import annotations

import argparse
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

from czictypes.cli import arguments
from czictypes.cli.output import print_json, printable, report_error, report_exception
from czictypes.model.errors import CziError, LibraryNotFoundError
from czictypes.model.lazy import require

if TYPE_CHECKING:
    from czictypes.remote.part_files import Parts

_UNPATCHED = (
    "unpatched: damaged data may crash the process; CZICTYPES_JPEGXR=process decodes in another"
)


def add_info(add: arguments.AddCommand) -> None:
    """Declare ``info``."""
    parser = add(
        "info",
        _run_info,
        help="show what a file holds",
        description="Show dimensions, scenes, channels, pixel size, sub-blocks, pyramid and "
        "attachments of CZI files, and whether they are truncated or damaged, as far as that is "
        "seen without decoding pixels. Long lists are cut in the tables, never in the JSON.",
        epilog="exit codes: 0 all is well, 1 a file is damaged or cannot be opened, 2 wrong usage",
    )
    parser.add_argument("files", metavar="FILE", nargs="+", help="CZI files, or their URLs")
    parser.add_argument(
        "--json",
        action="store_true",
        help="all there is to know, as a JSON list with one object for each file",
    )
    arguments.add_parts(parser)


def _run_info(args: argparse.Namespace) -> int:
    """Describe each file, even if others cannot be read."""
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
        print_json(described)
    is_whole = all(summary["check"]["worst"] != "error" for summary in described)
    return 0 if is_whole and len(described) == len(args.files) else 1


def _describe(path: str, parts: Parts | None, *, debug: bool) -> dict[str, Any] | None:
    """Return the summary of a file; if it cannot be read, print why and return None."""
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
    from czictypes.cli.summary import show

    if not first:
        print()
    show(summary)


def add_metadata(add: arguments.AddCommand) -> None:
    """Declare ``metadata``."""
    parser = add(
        "metadata",
        _run_metadata,
        help="print the metadata",
        description="Print the metadata of a CZI: the XML as it is stored, or as JSON, or what an "
        "XPath expression finds in it.",
        epilog="example: czictypes metadata image.czi --path '//Channel/@Name'",
    )
    parser.add_argument("file", metavar="FILE", help="a CZI file")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--xml", action="store_true", help="as XML, which is the default")
    form.add_argument(
        "--json",
        action="store_true",
        help="as JSON: attributes have names that begin with @, repeated elements are lists",
    )
    parser.add_argument(
        "--path",
        metavar="XPATH",
        help="only what this XPath 2.0 expression finds, one result after the other; relative "
        "paths begin at ImageDocument, so Metadata/Scaling is /ImageDocument/Metadata/Scaling",
    )


def _run_metadata(args: argparse.Namespace) -> int:
    """Print the metadata, or a part of it."""
    from czictypes.czi import open_czi

    with open_czi(args.file) as document:
        text = document.raw_metadata
        if not text:
            report_error(f"{args.file} has no metadata")
            return 1
        if args.path is not None:
            return _print_found(text, args.path, as_json=args.json)
        if args.json:
            print_json(document.metadata)
        else:
            print(text)
    return 0


def _print_found(text: str, path: str, *, as_json: bool) -> int:
    elementpath = require("elementpath", extra="cli", doing="--path")
    from czictypes.metadata.xml import parse

    try:
        found = elementpath.select(parse(text), path)
    except elementpath.ElementPathError as error:
        report_error(f"--path {path!r}: {error}")
        return 2
    results = found if isinstance(found, list) else [found]
    if not results:
        report_error(f"--path {path!r} finds nothing")
        return 1
    if as_json:
        print_json([_as_json(result) for result in results])
    else:
        for result in results:
            print(_as_text(result))
    return 0


def _as_json(result: Any) -> Any:
    """Return a result as JSON has it: an object for an element, else a string, number or bool."""
    from czictypes.metadata.xml import to_dict

    if isinstance(result, ET.Element):
        return to_dict(result) if isinstance(result.tag, str) else result.text
    return result if isinstance(result, (bool, int, float, str)) else str(result)


def _as_text(result: Any) -> str:
    """Return an element as indented XML, anything else on one line."""
    from czictypes.metadata.xml import to_string

    if isinstance(result, ET.Element):
        return to_string(result, indent=True)
    return str(result).lower() if isinstance(result, bool) else printable(result)


def add_library(add: arguments.AddCommand) -> None:
    """Declare ``library``."""
    add(
        "library",
        _run_library,
        help="show the libCZI library and the kernel in use",
        description="Show the libCZI library in use: where it is, its version and compiler, its "
        "stream classes, and which functions it has of those that not every version has. Where "
        "none is found, every place that was looked at is listed. Then show the kernel of "
        "czictypes, which paints what is read, or why there is none.",
    )


def _run_library(args: argparse.Namespace) -> int:
    """Print where the library is, its version, and its functions."""
    from czictypes.libczi.info import library_info
    from czictypes.reading.threads import thread_count

    found = library_info()
    _line("path", found.path)
    _line("found by", found.origin)
    _line("libCZI", found.version_text)
    _line("compiler", found.compiler)
    branch = "" if found.is_patched else found.branch
    built_from = (found.repository, branch, found.tag)
    _line("built from", ", ".join(one for one in built_from if one not in ("", "unknown")))
    _line("JPEG XR", f"patched ({found.patch})" if found.is_patched else _UNPATCHED)
    _list("stream classes", [f"{one.name}: {one.description}" for one in found.stream_classes])
    functions = found.optional_functions.items()
    _list("optional functions", [f"{name}: {'yes' if has else 'no'}" for name, has in functions])
    kernel = found.kernel
    if kernel.path:
        _line("kernel", kernel.path)
        _line("kernel version", f"{kernel.version}, with zstd {kernel.zstd}")
    else:
        _line("kernel", f"none, so the slower numpy paints: {kernel.reason}")
    _line("threads", f"{thread_count()} (CZICTYPES_THREADS sets another number)")
    return 0


def _line(name: str, value: str) -> None:
    print(f"{name + ':':<20}{printable(value or '(it does not tell)')}")


def _list(name: str, values: list[str]) -> None:
    for position, value in enumerate(values or ["(none)"]):
        if position:
            print(f"{'':<20}{value}")
        else:
            _line(name, value)
