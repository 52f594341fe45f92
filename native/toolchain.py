"""Finds the compiler, cmake and ninja."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from native.errors import BuildError, missing_package

__all__ = ["Toolchain", "find_toolchain"]

OLDEST_CMAKE = (3, 18)


@dataclass(frozen=True)
class Toolchain:
    """The programs of a build; without `ninja`, cmake selects a build program."""

    cmake: str
    ninja: str | None
    compiler: str


def find_toolchain() -> Toolchain:
    """Return the programs that the build needs; raise BuildError if one is missing."""
    compiler = _find_compiler()
    on_path = shutil.which("cmake")
    cmake = on_path if on_path and _is_recent(on_path) else _from_package("cmake", "CMAKE_BIN_DIR")
    if cmake is None:
        raise missing_package(f"cmake {OLDEST_CMAKE[0]}.{OLDEST_CMAKE[1]} or newer")
    # Without the variables of a developer prompt only cmake's own choice finds Visual Studio.
    if sys.platform == "win32" and shutil.which("cl") is None and "CXX" not in os.environ:
        return Toolchain(cmake, None, compiler)
    ninja = shutil.which("ninja") or _from_package("ninja", "BIN_DIR")
    if ninja is None:
        raise missing_package("ninja")
    return Toolchain(cmake, ninja, compiler)


def _find_compiler() -> str:
    named = os.environ.get("CXX")
    if named:
        program = shlex.split(named)[0]
        if shutil.which(program) is None:
            raise BuildError(
                f"The C++ compiler that the environment variable CXX names, {program}, is not "
                "there: correct or unset CXX."
            )
        return named
    if sys.platform == "win32":
        return "Visual Studio"  # not on the PATH; cmake finds it, or says that it does not
    found = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    if found is None:
        raise BuildError(
            "No C++ compiler found (tried CXX, c++, g++, clang++): install one with C++17, for "
            "example `apt-get install g++`, `dnf install gcc-c++` or `xcode-select --install`."
        )
    return found


def _is_recent(cmake: str) -> bool:
    text = subprocess.run(
        [cmake, "--version"], stdout=subprocess.PIPE, check=False, encoding="utf-8"
    ).stdout
    match = re.search(r"version (\d+)\.(\d+)", text)
    return match is not None and (int(match[1]), int(match[2])) >= OLDEST_CMAKE


def _from_package(name: str, folder_attribute: str) -> str | None:
    """Find the program that the Python package `name` brings along."""
    try:
        folder = getattr(importlib.import_module(name), folder_attribute)
    except (ImportError, AttributeError):
        return None
    return shutil.which(name, path=str(Path(folder)))
