"""Finds the compiler, cmake and ninja."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from native.errors import BuildError, missing_package
from native.targets import Target, host_target

__all__ = ["OPTIONS", "ZIG", "Toolchain", "find_compiler", "find_toolchain"]

#: The Python package that compiles where there is no compiler, and for other platforms. Another
#: version would make other bytes.
ZIG = "ziglang==0.17.1"

OLDEST_CMAKE = (3, 20)  # the first that takes options as a part of the compiler, as for zig

#: The environment variables with which a user chooses a compiler and its options.
OPTIONS = ("CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS", "MACOSX_DEPLOYMENT_TARGET")

_ZIG_CMAKE = Path(__file__).resolve().with_name("zig.cmake")


@dataclass(frozen=True)
class Toolchain:
    """The programs of a build.

    Attributes
    ----------
    compiler
        The C++ compiler, as messages name it.
    zig
        The program zig if it compiles, for `target`; otherwise cmake finds the compiler.
    """

    cmake: str
    ninja: str
    compiler: str
    zig: str | None = None
    target: Target | None = None

    @property
    def definitions(self) -> dict[str, str]:
        """The values of cmake's variables that select the compiler."""
        if self.zig is None or self.target is None:
            return {}
        return {
            "CMAKE_TOOLCHAIN_FILE": _ZIG_CMAKE.as_posix(),
            "CZICTYPES_ZIG": Path(self.zig).as_posix(),
            "CZICTYPES_ZIG_TRIPLE": self.target.triple,
            "CZICTYPES_ZIG_SYSTEM": self.target.system,
            "CZICTYPES_ZIG_PROCESSOR": self.target.processor,
        }

    def environment(self, work: Path) -> dict[str, str]:
        """Return the variables for cmake and the compiler; zig keeps its files beside `work`."""
        if self.zig is None:
            return dict(os.environ)
        # The bytes of a library for others must not depend on what this machine is set up for.
        kept = {name: value for name, value in os.environ.items() if name not in OPTIONS}
        cache = str(work.with_name("zig"))
        return {**kept, "ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}


def find_toolchain(target: Target | None = None) -> Toolchain:
    """Return the programs that the build needs; raise BuildError if one is missing.

    Parameters
    ----------
    target
        The platform to build for with zig. By default the build is for this machine, with its own
        compiler, or with zig if it has none.
    """
    compiler = None if target else find_compiler()
    on_path = shutil.which("cmake")
    cmake = on_path if on_path and _is_recent(on_path) else _from_package("cmake", "CMAKE_BIN_DIR")
    if cmake is None:
        raise missing_package(f"cmake {OLDEST_CMAKE[0]}.{OLDEST_CMAKE[1]} or newer")
    ninja = shutil.which("ninja") or _from_package("ninja", "BIN_DIR")
    if ninja is None:
        raise missing_package("ninja")
    if compiler:
        return Toolchain(cmake, ninja, compiler)
    zig, target = _find_zig(target)
    return Toolchain(cmake, ninja, f"zig for {target.name}", zig, target)


def find_compiler() -> str | None:
    """Return this machine's C++ compiler, as messages name it; None if there is none.

    Raises
    ------
    BuildError
        The environment variable CXX names one that is not there.
    """
    named = os.environ.get("CXX")
    if named:
        program = shlex.split(named)[0]
        if shutil.which(program) is None:
            raise BuildError(
                f"The C++ compiler that the environment variable CXX names, {program}, is not "
                "there: correct or unset CXX."
            )
        return named
    if sys.platform == "win32":  # Visual Studio does not know what the kernel asks of a compiler
        return None
    # macOS has a c++ that only offers to install the compiler.
    if sys.platform == "darwin" and not _succeeds(["xcode-select", "-p"]):
        return None
    return next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)


def _succeeds(command: list[str]) -> bool:
    """Return whether a program is there, ends without an error and prints something."""
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
        )
    except OSError:
        return False
    return done.returncode == 0 and bool(done.stdout.strip())


def _find_zig(target: Target | None) -> tuple[str, Target]:
    """Return the program zig, and the target: this machine if none is asked for."""
    package = importlib.util.find_spec("ziglang")
    folders = package.submodule_search_locations if package else None
    zig = shutil.which("zig", path=os.pathsep.join(folders or ()))
    install = f"{sys.executable} -m pip install {ZIG}"
    if target is not None and zig is None:
        raise BuildError(f"zig, which builds for {target.name}, is not there: {install}")
    target = target or host_target()
    if target is None or zig is None:
        raise BuildError(
            "No C++ compiler found (tried CXX, c++, g++, clang++): install one with C++17, for "
            "example `apt-get install g++`, `dnf install gcc-c++` or `xcode-select --install`"
            + (f", or zig: {install}" if target else ".")
        )
    return zig, target


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
