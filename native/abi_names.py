"""Writes the declarations that the C++ compiler compares with those that cffi reads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from native.errors import missing_package

__all__ = ["declared_functions", "write_abi_names", "write_abi_places"]

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_FUNCTION = re.compile(r"\b((?:libCZI|czk)_\w+)\s*\(")


def declared_functions(header: Path) -> list[str]:
    """Return the names of the functions that a header of the C API declares, in order."""
    text = _COMMENT.sub(" ", header.read_text(encoding="utf-8"))
    return list(dict.fromkeys(_FUNCTION.findall(text)))


def write_abi_names(ours: Path, theirs: Path, target: Path) -> tuple[list[str], list[str]]:
    """Write an X-macro list of everything that `ours` declares, and the exports for Windows.

    Functions that `theirs`, libCZI's own libCZIApi.h, lacks are left out: an older libCZI may lack
    some, which czictypes finds out when it loads the library.

    Returns
    -------
    tuple
        The functions that only `ours` declares, and those that only `theirs` declares.
    """
    our_functions, their_functions = declared_functions(ours), declared_functions(theirs)
    common = [name for name in our_functions if name in set(their_functions)]
    lines = _structure_lines(ours) + [f"FUNCTION({name})" for name in common]
    _write(target, lines)
    _write_exports(target, common)
    return (
        [name for name in our_functions if name not in set(common)],
        [name for name in their_functions if name not in set(common)],
    )


def write_abi_places(header: Path, target: Path) -> None:
    """Write an X-macro list of the sizes and places that cffi gives to structures.

    Beside it goes the list of exports for Windows.
    """
    lines = []
    for name, structure in _structures(header).items():
        lines.append(f"STRUCTURE({name}, {structure.size})")
        for field, details in structure.fields:
            lines.append(f"MEMBER({name}, {field}, {details.offset})")
    _write(target, lines)
    _write_exports(target, declared_functions(header))


def _write_exports(target: Path, functions: list[str]) -> None:
    _write(target.with_name("exports.def"), ["EXPORTS", *functions])


def _write(target: Path, lines: list[str]) -> None:
    """Write lines unless the file already has them, so that nothing is compiled again."""
    text = "\n".join(lines) + "\n"
    if not target.is_file() or target.read_text(encoding="utf-8") != text:
        target.write_text(text, encoding="utf-8")


def _structure_lines(header: Path) -> list[str]:
    structures = _structures(header)
    # All pairs stand before the first member: a member may be a structure listed further down.
    return [f"STRUCTURE({name})" for name in structures] + [
        f"MEMBER({name}, {field})"
        for name, structure in structures.items()
        for field, _ in structure.fields
        if not field.startswith("padding")
    ]


class _Structure(NamedTuple):
    """The size of a structure in bytes, and its members with cffi's description of each."""

    size: int
    fields: list[tuple[str, Any]]


def _structures(header: Path) -> dict[str, _Structure]:
    try:
        import cffi
    except ImportError:
        raise missing_package("the Python package cffi") from None
    ffi = cffi.FFI()
    ffi.cdef(header.read_text(encoding="utf-8"), packed=True)
    kinds = {name: ffi.typeof(f"struct {name}") for name in ffi.list_types()[1]}
    return {
        name: _Structure(ffi.sizeof(f"struct {name}"), kind.fields or [])
        for name, kind in kinds.items()
    }
