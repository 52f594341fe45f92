"""The platform part of the wheel's tag `py3-none-<platform>`.

The libraries are C and C++ with the C++ runtime inside, so on Linux they need only the C library.
The newest version of glibc's symbols in them determines the systems on which they load, which is
the meaning of a manylinux tag (PEP 600).
"""

from __future__ import annotations

import os
import platform
import re
import sysconfig
from pathlib import Path

__all__ = ["macos_target", "newest_glibc", "platform_tag"]

_GLIBC = re.compile(rb"\0GLIBC_2\.(\d+)(?:\.\d+)?\0")


def platform_tag(*libraries: Path) -> str:
    """Return the platform tag of a wheel with these libraries, built on this machine."""
    system = sysconfig.get_platform()
    if system.startswith("macosx"):
        version = macos_target().replace(".", "_")
        return f"macosx_{version}_{platform.machine()}"
    tag = re.sub(r"[-.]", "_", system)
    if not tag.startswith("linux_"):
        return tag
    machine = tag[len("linux_") :]
    found = [newest_glibc(library) for library in libraries]
    glibc = max((version for version in found if version is not None), default=None)
    # No version at all: musl, or a libc whose promises are unknown. Such a wheel serves only here.
    return f"linux_{machine}" if glibc is None else f"manylinux_2_{glibc}_{machine}"


def newest_glibc(library: Path) -> int | None:
    """Return the 34 of the newest GLIBC_2.34 that an ELF library needs; None when it needs none.

    The names of needed versions are zero-terminated strings in the file. The oldest version that
    installers know for every processor is 2.17 (PEP 599), so the answer is not older.
    """
    data = library.read_bytes().replace(b"\0", b"\0\0")  # each name has its own zero on both sides
    versions = [int(minor) for minor in _GLIBC.findall(data)]
    return max(17, *versions) if versions else None


def macos_target() -> str:
    """Return the oldest macOS for the library: MACOSX_DEPLOYMENT_TARGET, or 11.0."""
    return os.environ.get("MACOSX_DEPLOYMENT_TARGET") or "11.0"
