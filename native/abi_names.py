"""List the structures, members and functions of libczi_c_api.h for abi_check.cpp to compare."""

from __future__ import annotations

import re
from pathlib import Path

from native.errors import missing_package

__all__ = ["declared_functions", "write_abi_names"]

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_FUNCTION = re.compile(r"\b(libCZI_\w+)\s*\(")


def declared_functions(header: Path) -> list[str]:
    """Return the names of the functions that a header of the C API declares, in its order."""
    text = _COMMENT.sub(" ", header.read_text(encoding="utf-8"))
    return list(dict.fromkeys(_FUNCTION.findall(text)))


def write_abi_names(ours: Path, theirs: Path, target: Path) -> tuple[list[str], list[str]]:
    """Write the X-macro list `target` of everything that `ours` declares.

    Functions that `theirs`, libCZI's own libCZIApi.h, does not have are left out: an older libCZI
    lacks some, which czictypes finds out when it loads the library.

    Returns
    -------
    tuple
        The functions only `ours` declares, and those only `theirs` declares.
    """
    our_functions, their_functions = declared_functions(ours), declared_functions(theirs)
    common = [name for name in our_functions if name in set(their_functions)]
    lines = _structure_lines(ours) + [f"FUNCTION({name})" for name in common]
    text = "\n".join(lines) + "\n"
    if not target.is_file() or target.read_text(encoding="utf-8") != text:
        target.write_text(text, encoding="utf-8")
    return (
        [name for name in our_functions if name not in set(common)],
        [name for name in their_functions if name not in set(common)],
    )


def _structure_lines(header: Path) -> list[str]:
    try:
        import cffi
    except ImportError:
        raise missing_package("the Python package cffi") from None
    ffi = cffi.FFI()
    ffi.cdef(header.read_text(encoding="utf-8"), packed=True)
    structures = ffi.list_types()[1]
    members = {name: [field for field, _ in ffi.typeof(f"struct {name}").fields or ()]
               for name in structures}  # fmt: skip
    # All pairs stand before the first member: a member may be a structure listed further down.
    return [f"STRUCTURE({name})" for name in structures] + [
        f"MEMBER({name}, {field})"
        for name, fields in members.items()
        for field in fields
        if not field.startswith("padding")
    ]
