"""Reads the headers of a built library: that it needs only the system, and gives only our names.

A wheel is right for its tag only if this holds; no run on this machine can show it for the others.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from native.abi_names import declared_functions
from native.compiling import Project
from native.errors import BuildError
from native.targets import Target

__all__ = ["Audit", "audit_library"]

#: What every system of the kind has, in small letters. ELF: PEP 599's list for C programs; Windows:
#: the C runtime that Windows 10 brought, and libCZI's COM; macOS: the C library.
_SYSTEM = {
    "linux": r"lib(c|m|dl|pthread|rt)\.so\.\d+|ld-linux-.*\.so\.\d",
    "musllinux": r"libc\.so",
    "windows": r"(kernel32|ntdll|ole32|windowscodecs|api-ms-win-crt-[a-z]+-l1-1-0)\.dll",
    "macos": r"/usr/lib/libSystem\.B\.dylib",
}
#: What zig's linker for macOS cannot be told to hide: names of its own, and the descriptions of
#: types such as void (*)(void *), which are the same in every library.
_OF_THE_LINKER = re.compile(r"__mh_dylib_header|___dso_handle|__ZT[IS](P?F)\w+")
_OLDEST_GLIBC = (2, 17)
_OLDEST_MACOS = (11, 0)
_MACHINE = {"x86_64": ("X86_64", "AMD64"), "aarch64": ("AARCH64",), "arm64": ("ARM64",)}


@dataclass(frozen=True)
class Audit:
    """The facts in a library's headers.

    Attributes
    ----------
    needed
        The libraries that it loads.
    exported
        The names that it gives to others.
    oldest
        The oldest version of glibc or macOS that it runs on; None if the headers do not tell.
    machine
        The processor, in the words of the file format.
    """

    needed: tuple[str, ...]
    exported: tuple[str, ...]
    oldest: tuple[int, ...] | None
    machine: str


def audit_library(data: bytes, project: Project, target: Target, root: Path) -> Audit:
    """Read the headers of the library in `data`, and raise BuildError if they are not right.

    Parameters
    ----------
    data
        The bytes of the file.
    project
        The library: libCZI or the kernel.
    target
        The platform that it is for.
    root
        The checkout: nothing in the library may name it.
    """
    name = f"{project.library(target)} for {target.name}"
    try:
        import lief
    except ImportError:
        raise BuildError("lief, which reads libraries, is not there: pip install lief") from None
    binary: Any = lief.parse(data)
    readers = {"Linux": _read_elf, "Windows": _read_pe, "Darwin": _read_macho}
    try:
        found = readers[target.system](binary)
    except AttributeError:
        raise BuildError(f"{name} is no library for {target.system}.") from None
    allowed = re.compile(_SYSTEM[target.family], re.IGNORECASE)
    functions = set(declared_functions(project.header))
    faults = [f"needs {library}" for library in found.needed if not allowed.fullmatch(library)]
    faults += [f"exports {symbol}" for symbol in sorted(set(found.exported) - functions)]
    faults += [f"does not export {symbol}" for symbol in sorted(functions - set(found.exported))]
    if found.machine not in _MACHINE[target.processor]:
        faults.append(f"is for {found.machine}")
    newest = {"linux": _OLDEST_GLIBC, "macos": _OLDEST_MACOS}.get(target.family)
    if newest and found.oldest and found.oldest > newest:
        faults.append(f"needs version {_dotted(found.oldest)} of the system, not {_dotted(newest)}")
    if target.name == "macos-arm64" and not binary.has_code_signature:
        faults.append("is not signed, so Apple's processors refuse it")
    for path in (root, Path.home()):
        if len(path.parts) > 1 and f"{path}{os.sep}".encode() in data:
            faults.append(f"names {path}")
    if faults:
        raise BuildError(f"{name} {', '.join(faults)}.")
    return found


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _read_elf(binary: Any) -> Audit:
    names = [
        version.name
        for needed in binary.symbols_version_requirement
        for version in needed.get_auxiliary_symbols()
    ]
    glibc = [name.partition("_")[2].split(".") for name in names if name.startswith("GLIBC_2")]
    return Audit(
        needed=tuple(binary.libraries),
        exported=tuple(symbol.name for symbol in binary.exported_symbols),
        oldest=max((tuple(map(int, version)) for version in glibc), default=None),
        machine=binary.header.machine_type.name,
    )


def _read_pe(binary: Any) -> Audit:
    return Audit(
        needed=tuple(sorted({library.name for library in binary.imports})),
        exported=tuple(entry.name for entry in binary.get_export().entries),
        oldest=None,
        machine=binary.header.machine.name,
    )


def _read_macho(binary: Any) -> Audit:
    import lief

    own_name = lief.MachO.LoadCommand.TYPE.ID_DYLIB
    return Audit(
        needed=tuple(lib.name for lib in binary.libraries if lib.command != own_name),
        exported=tuple(
            symbol.name[1:]
            for symbol in binary.symbols
            if symbol.has_export_info and not _OF_THE_LINKER.fullmatch(symbol.name)
        ),
        oldest=tuple(binary.build_version.minos[:2]),
        machine=binary.header.cpu_type.name,
    )
