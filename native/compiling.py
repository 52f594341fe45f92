"""Configure and compile the shared library with cmake, everything logged to one file."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from native.errors import BuildError
from native.toolchain import Toolchain
from native.wheel_tag import macos_target

__all__ = ["LIBRARY_NAME", "Report", "SourceFolders", "compile_target", "configure"]

Report = Callable[[str], None]

LIBRARY_NAME = {"win32": "libCZIAPI.dll", "darwin": "libCZIAPI.dylib"}.get(
    sys.platform, "libCZIAPI.so"
)

CMAKE_PROJECT = Path(__file__).resolve().with_name("libczi_c_api")

_STEP = re.compile(r"^\[(\d+)/(\d+)\]")
_ERROR = re.compile(r"\berror( [A-Z]+\d+)?: |^CMake Error|undefined reference")


@dataclass(frozen=True)
class SourceFolders:
    """The folders of the sources; the origin and the patch that libCZI shall tell of itself."""

    libczi: Path
    eigen: Path
    rapidjson: Path
    zstd: Path
    origin: str | None = None
    patch: str | None = None


def configure(
    folders: SourceFolders,
    names: Path,
    tools: Toolchain,
    work: Path,
    log: Path,
    *,
    instrument: str = "",
) -> None:
    """Run cmake's configuring step in the folder `work`.

    Parameters
    ----------
    folders
        The sources.
    names
        The folder with abi_names.inc.
    tools
        The programs to use.
    work
        The build folder; cmake reuses what is there.
    log
        The text file that all output is added to.
    instrument
        ``sanitize`` for a library under sanitizers, ``fuzz`` for the fuzzer's program as well.
    """
    command = [tools.cmake, "-S", str(CMAKE_PROJECT), "-B", str(work)]
    if tools.ninja:
        command += ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={tools.ninja}"]
    definitions = {**_definitions(folders, names), "CZICTYPES_INSTRUMENT": instrument}
    for name, value in definitions.items():
        command.append(f"-D{name}={value}")
    _run(command, log, "cmake cannot configure the build")


def compile_target(
    tools: Toolchain, work: Path, jobs: int, log: Path, report: Report, program: str | None = None
) -> Path:
    """Compile the library, or a program, in the configured folder `work`; return its path."""
    quarter = 0

    def progress(line: str) -> None:
        nonlocal quarter
        step = _STEP.match(line)
        if step and int(step[1]) * 4 // int(step[2]) > quarter:
            quarter = int(step[1]) * 4 // int(step[2])
            report(f"  compiled {step[1]} of {step[2]}")

    command = [tools.cmake, "--build", str(work), "--target", program or "libCZIAPI",
               "--config", "Release", "--parallel", str(jobs)]  # fmt: skip
    _run(command, log, "libCZI cannot be compiled", progress)
    made = work / program if program else work / "out" / LIBRARY_NAME
    if not made.is_file():
        raise BuildError(f"The build ended well but made no {made}; the full log is {log}.")
    return made


def _run(
    command: list[str], log: Path, failure: str, progress: Callable[[str], None] | None = None
) -> None:
    """Run a program with its output added to `log`; BuildError `failure` when it fails."""
    environment = {**os.environ, "NINJA_STATUS": "[%f/%t] "}
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
    """Keep the first line that tells of an error; cmake says what is wrong in the line after it."""
    wanted = not cause or (len(cause) == 1 and cause[0].startswith("CMake Error"))
    if wanted and line.strip() and (cause or _ERROR.search(line)):
        cause.append(line.strip())


def _definitions(folders: SourceFolders, names: Path) -> dict[str, str]:
    definitions = {
        "CMAKE_BUILD_TYPE": "Release",
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
    if sys.platform == "darwin":
        definitions["CMAKE_OSX_DEPLOYMENT_TARGET"] = macos_target()
    return definitions
