"""``czictypes library``: which libCZI is used, and what it can do."""

from __future__ import annotations

import argparse
from typing import Any

from czictypes.cli.output import printable

__all__ = ["add_parser"]

_UNPATCHED = (
    "unpatched: damaged data may crash the process; CZICTYPES_JPEGXR=process decodes in another"
)


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "library",
        parents=[shared],
        help="show the libCZI library in use",
        description="Show the libCZI library in use: where it is, its version and compiler, its "
        "stream classes, and which functions it has of those that not every version has. Where "
        "none is found, every place that was looked at is listed.",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what the library says of itself."""
    from czictypes.libczi.info import library_info

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
    return 0


def _line(name: str, value: str) -> None:
    print(f"{name + ':':<20}{printable(value or '(it does not tell)')}")


def _list(name: str, values: list[str]) -> None:
    for position, value in enumerate(values or ["(none)"]):
        if position:
            print(f"{'':<20}{value}")
        else:
            _line(name, value)
