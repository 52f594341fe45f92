"""``czictypes metadata``: the document's XML, whole or the parts an XPath finds."""

from __future__ import annotations

import argparse
import json
import xml.etree.ElementTree as ET
from typing import Any

from czictypes.cli.output import printable, report_error

__all__ = ["add_parser"]


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "metadata",
        parents=[shared],
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
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
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
            _print_json(document.metadata)
        else:
            print(text)
    return 0


def _print_found(text: str, path: str, *, as_json: bool) -> int:
    from czictypes.model.lazy import require

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
        _print_json([_as_json(result) for result in results])
    else:
        for result in results:
            print(_as_text(result))
    return 0


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def _as_json(result: Any) -> Any:
    """Return what JSON has for a result: an object for an element, else a text, number or bool."""
    from czictypes.metadata.xml import to_dict

    if isinstance(result, ET.Element):
        return to_dict(result) if isinstance(result.tag, str) else result.text
    return result if isinstance(result, (bool, int, float, str)) else str(result)


def _as_text(result: Any) -> str:
    """Return an element as XML on as many lines as it takes, anything else on one line."""
    from czictypes.metadata.xml import to_string

    if isinstance(result, ET.Element):
        return to_string(result, indent=True)
    return str(result).lower() if isinstance(result, bool) else printable(result)
