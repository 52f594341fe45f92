"""Configures and compiles the shared libraries with cmake, and logs everything to one file."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from native.errors import BuildError
from native.targets import Target, library_ending
from native.toolchain import Toolchain
from native.wheel_tag import macos_target

__all__ = [
    "KERNEL",
    "LIBCZI",
    "Project",
    "Report",
    "SourceFolders",
    "compile_target",
    "configure",
    "libczi_definitions",
]

Report = Callable[[str], None]

_STEP = re.compile(r"^\[(\d+)/(\d+)\]")
_ERROR = re.compile(r"\berror( [A-Z]+\d+)?: |^CMake Error|undefined reference")


@dataclass(frozen=True)
class Project:
    """A library: its readable name, the folder of its CMakeLists.txt, and its target there.

    Attributes
    ----------
    header
        The declarations that cffi reads, beside CMakeLists.txt.
    note
        The name of the file beside the library that records its sources.
    """

    name: str
    folder: Path
    target: str
    header: Path
    note: str

    def library(self, platform: Target | None = None) -> str:
        """Return the name of the library's file; without a platform, on this system."""
        return self.target + library_ending(platform)


def _project(name: str, folder: str, target: str, header: str, note: str) -> Project:
    path = Path(__file__).resolve().with_name(folder)
    return Project(name, path, target, path / header, note)


LIBCZI = _project("libCZI", "libczi_c_api", "libCZIAPI", "libczi_c_api.h", "build.json")
KERNEL = _project("the kernel", "kernel", "czictypes_kernel", "kernel.h", "kernel.json")


@dataclass(frozen=True)
class SourceFolders:
    """The folders of the sources, and the origin and patch that libCZI reports about itself."""

    libczi: Path
    eigen: Path
    rapidjson: Path
    zstd: Path
    origin: str | None = None
    patch: str | None = None


def configure(
    project: Project, definitions: dict[str, str], tools: Toolchain, work: Path, log: Path
) -> None:
    """Run cmake's configuring step in the folder `work`.

    Parameters
    ----------
    project
        The library that is to be built.
    definitions
        The values of cmake's variables: the folders that the CMakeLists.txt asks for.
    tools
        The programs to use.
    work
        The build folder; cmake reuses what is there.
    log
        The text file that all output is added to.
    """
    command = [tools.cmake, "-S", str(project.folder), "-B", str(work)]
    command += ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={tools.ninja}"]
    definitions = {"CMAKE_BUILD_TYPE": "Release", **tools.definitions, **definitions}
    if sys.platform == "darwin" and tools.zig is None:
        definitions["CMAKE_OSX_DEPLOYMENT_TARGET"] = macos_target()
    for name, value in definitions.items():
        command.append(f"-D{name}={value}")
    _run(command, tools, log, "cmake cannot configure the build")


def compile_target(
    project: Project,
    tools: Toolchain,
    work: Path,
    jobs: int,
    log: Path,
    report: Report,
    program: str | None = None,
) -> Path:
    """Compile a library, or a program, in the configured folder `work`; return its path."""
    quarter = 0

    def progress(line: str) -> None:
        nonlocal quarter
        step = _STEP.match(line)
        if step and int(step[1]) * 4 // int(step[2]) > quarter:
            quarter = int(step[1]) * 4 // int(step[2])
            report(f"  compiled {step[1]} of {step[2]}")

    command = [tools.cmake, "--build", str(work), "--target", program or project.target,
               "--parallel", str(jobs)]  # fmt: skip
    _run(command, tools, log, f"{project.name} cannot be compiled", progress)
    made = work / program if program else work / "out" / project.library(tools.target)
    if not made.is_file():
        raise BuildError(f"The build ended well but made no {made}; the full log is {log}.")
    return made


def _run(
    command: list[str],
    tools: Toolchain,
    log: Path,
    failure: str,
    progress: Callable[[str], None] | None = None,
) -> None:
    """Run a program and append its output to `log`; raise BuildError `failure` if it fails."""
    environment = {**tools.environment(log.parent), "NINJA_STATUS": "[%f/%t] "}
    cause: list[str] = []
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ {shlex.join(command)}\n")
        with subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, encoding="utf-8", errors="replace",
        ) as process:  # fmt: skip
            for line in process.stdout or ():
                file.write(line)
                _note_cause(cause, line)
                if progress is not None:
                    progress(line)
    if process.returncode:
        why = f" ({' '.join(cause)})" if cause else ""
        raise BuildError(f"{failure}{why}: the full log is {log}.")


def _note_cause(cause: list[str], line: str) -> None:
    """Keep the first line of an error; for cmake also the next line, which explains it."""
    wanted = not cause or (len(cause) == 1 and cause[0].startswith("CMake Error"))
    if wanted and line.strip() and (cause or _ERROR.search(line)):
        cause.append(line.strip())


def libczi_definitions(folders: SourceFolders, names: Path) -> dict[str, str]:
    """Return the values of cmake's variables for libCZI; `names` is the folder of abi_names.inc."""
    definitions = {
        "CZICTYPES_LIBCZI_DIR": folders.libczi.as_posix(),
        "CZICTYPES_EIGEN_DIR": folders.eigen.as_posix(),
        "CZICTYPES_RAPIDJSON_DIR": folders.rapidjson.as_posix(),
        "CZICTYPES_ZSTD_DIR": folders.zstd.as_posix(),
        "CZICTYPES_ABI_NAMES_DIR": names.as_posix(),
    }
    if folders.origin is not None:
        # Otherwise libCZI asks git, which would answer for the repository around the build.
        definitions["LIBCZI_REPOSITORY_REMOTE"] = folders.origin
        # the name in libCZI's cache: the other would not replace what an earlier build has set
        definitions["libCZI_REPOSITORYBRANCH"] = folders.patch or "unknown"
        definitions["LIBCZI_REPOSITORY_HASH"] = "unknown"
    return definitions
