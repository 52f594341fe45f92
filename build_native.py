"""Build the bundled native library: libCZI's C API as one self-contained shared library.

The sources are downloaded through pip (pinned and checked in native/sources.toml) and kept in a
cache, so that a second build needs no network. native/patches/jxrlib.patch mends the decoder of
JPEG XR, except in a folder that --source names. All else that is needed is a compiler for C++17,
and the Python packages cmake, ninja and cffi (and tomli before Python 3.11).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from native.abi_names import write_abi_names
from native.cache import cache_folder
from native.compiling import (
    CMAKE_PROJECT,
    LIBRARY_NAME,
    Report,
    SourceFolders,
    compile_target,
    configure,
)
from native.errors import BuildError, missing_package
from native.fetch import fetch
from native.licence_texts import collect_licences
from native.make_declarations import make as make_declarations
from native.patching import JXRLIB_PATCH, patch_name
from native.sources import Source, read_sources
from native.stamp import build_key, is_up_to_date, write_stamp
from native.toolchain import Toolchain, find_toolchain
from native.unpack import unpack

__all__ = ["build", "build_declarations", "build_fuzzer", "main"]

ROOT = Path(__file__).resolve().parent
HEADER = CMAKE_PROJECT / "libczi_c_api.h"
DEFAULT_OUTPUT = ROOT / "czictypes" / "_native"
DECLARATIONS = ROOT / "czictypes" / "libczi" / "_declarations.py"


@dataclass(frozen=True)
class _Plan:
    """The order to build; `checkout` is a folder with libCZI, neither downloaded nor patched."""

    libczi: str
    checkout: Path | None
    sources: dict[str, Source]
    sanitize: bool

    @property
    def key(self) -> str | None:
        """Hash of the plan; None for a checkout, which may change at any time."""
        if self.checkout:
            return None
        return build_key(self.libczi, self.sources, sanitize=self.sanitize)


def build(
    output: Path = DEFAULT_OUTPUT,
    *,
    source: Path | None = None,
    libczi: str | None = None,
    jobs: int | None = None,
    work: Path | None = None,
    sanitize: bool = False,
    report: Report = print,
) -> Path:
    """Build the library unless `output` has it already, and return its path.

    Parameters
    ----------
    output
        The folder that gets the library, its licence texts and a note of its sources.
    source
        A checkout of libCZI to build instead of a downloaded one.
    libczi
        The version of libCZI to download; the default stands in native/sources.toml.
    jobs
        How many compilers run at once; by default one for each processor.
    work
        The folder for unpacked sources and object files, reused by the next build.
    sanitize
        Build under AddressSanitizer and UndefinedBehaviorSanitizer, for tests.
    report
        Takes the lines that tell of the progress.

    Raises
    ------
    BuildError
        The library cannot be built; the message says why, in one sentence.
    """
    plan = _plan(source, libczi, sanitize)
    output = output.resolve()
    library = output / LIBRARY_NAME
    if plan.key is not None and is_up_to_date(output, plan.key):
        report(f"libCZI {plan.libczi}: {library} is up to date")
        return library
    started = time.monotonic()
    tools = find_toolchain()
    report(f"building libCZI {plan.libczi} with {tools.compiler}")
    work = work or ROOT / "build" / "native" / (plan.libczi + ("-sanitize" if sanitize else ""))
    work.mkdir(parents=True, exist_ok=True)
    folders = _prepare_sources(plan, work / "sources", report)
    instrument = "sanitize" if sanitize else ""
    fresh = _compile(folders, tools, work, jobs or _processors(), report, instrument)
    _install(fresh, plan, folders, output)
    size = library.stat().st_size / 1e6
    report(f"wrote {library} ({size:.1f} MB) after {time.monotonic() - started:.0f} s")
    return library


def build_fuzzer(*, report: Report = print) -> Path:
    """Build the program that fuzzes the decoder of JPEG XR (`native.fuzz`), and return its path.

    Raises
    ------
    BuildError
        It cannot be built: only clang has what it needs.
    """
    plan = _plan(None, None, sanitize=False)
    work = ROOT / "build" / "native" / "fuzz"
    work.mkdir(parents=True, exist_ok=True)
    folders = _prepare_sources(plan, work / "sources", report)
    return _compile(folders, find_toolchain(), work, _processors(), report, "fuzz")


def build_declarations(target: Path = DECLARATIONS) -> Path:
    """Write the Python module of C declarations, which needs no compiler, and return its path."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # cffi tells of each file it writes
            return make_declarations(HEADER, target)
    except ImportError:
        raise missing_package("the Python package cffi") from None


def _plan(source: Path | None, libczi: str | None, sanitize: bool) -> _Plan:
    pinned = read_sources()
    if source is None:
        version = libczi or pinned.default_libczi
        sources = {"libczi": pinned.libczi_source(version), **pinned.parts}
        return _Plan(version, None, sources, sanitize)
    if libczi is not None:
        raise BuildError("--source and --libczi exclude each other: one names a folder of libCZI, "
                         "the other a version to download.")  # fmt: skip
    if not (source / "Src" / "libCZIAPI" / "inc" / "libCZIApi.h").is_file():
        raise BuildError(f"{source} is not a folder of libCZI with the C API: it has no "
                         "Src/libCZIAPI/inc/libCZIApi.h.")  # fmt: skip
    return _Plan("checkout", source.resolve(), dict(pinned.parts), sanitize)


def _prepare_sources(plan: _Plan, folder: Path, report: Report) -> SourceFolders:
    cache = cache_folder() / "downloads"
    unpacked = {}
    for name, source in plan.sources.items():
        cached = (cache / source.file).is_file()
        report(f"  {name}: {source}{' (from the cache)' if cached else ', downloading'}")
        patch = JXRLIB_PATCH if name == "libczi" else None
        unpacked[name] = unpack(source, fetch(source, cache), folder / name, patch)
    return SourceFolders(
        libczi=plan.checkout or unpacked["libczi"],
        eigen=unpacked["eigen"],
        rapidjson=unpacked["rapidjson"] / "include",
        zstd=unpacked["zstd"],
        origin=None if plan.checkout else f"source distribution of {plan.sources['libczi']}",
        patch=None if plan.checkout else f"czictypes patch {patch_name()}",
    )


def _compile(
    folders: SourceFolders,
    tools: Toolchain,
    work: Path,
    jobs: int,
    report: Report,
    instrument: str,
) -> Path:
    names = work / "abi_names"
    names.mkdir(exist_ok=True)
    theirs = folders.libczi / "Src" / "libCZIAPI" / "inc" / "libCZIApi.h"
    missing, unknown = write_abi_names(HEADER, theirs, names / "abi_names.inc")
    if missing:
        report(f"  this libCZI does not have {', '.join(missing)}")
    if unknown:
        report(f"  this libCZI has functions that czictypes does not know: {', '.join(unknown)}")
    log = work / "build.log"
    log.unlink(missing_ok=True)
    tree = work / "cmake"
    configure(folders, names, tools, tree, log, instrument=instrument)
    report(f"  compiling, {jobs} at once")
    fuzzer = "fuzz_jpegxr" if instrument == "fuzz" else None
    return compile_target(tools, tree, jobs, log, report, program=fuzzer)


def _install(fresh: Path, plan: _Plan, folders: SourceFolders, output: Path) -> None:
    pinned = read_sources()
    texts = {name: source.licences for name, source in plan.sources.items()}
    texts.setdefault("libczi", pinned.libczi_source(pinned.default_libczi).licences)
    places = {"libczi": folders.libczi, "eigen": folders.eigen, "zstd": folders.zstd,
              "rapidjson": folders.rapidjson.parent}  # fmt: skip
    output.mkdir(parents=True, exist_ok=True)
    collect_licences({name: (places[name], texts[name]) for name in places}, output / "licenses")
    # In one step: a process may have the former library loaded.
    incoming = output / f".{LIBRARY_NAME}.new"
    shutil.copy2(fresh, incoming)
    incoming.replace(output / LIBRARY_NAME)
    write_stamp(output, plan.key, plan.libczi, plan.sources)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _parser() -> argparse.ArgumentParser:
    pinned = read_sources()
    versions = ", ".join(sorted(pinned.libczi))
    parser = argparse.ArgumentParser(
        prog="build_native.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="environment: CXX, CC and CXXFLAGS choose the compiler and its options;\n"
        f"CZICTYPES_CACHE names the folder of the cache (now {cache_folder()}).",
    )
    parser.add_argument(
        "--source",
        type=Path,
        metavar="DIR",
        help="build this checkout of libCZI, as it is, instead of downloading and patching one",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        default=DEFAULT_OUTPUT,
        help="folder for the library, its licence texts and the note of its "
        "sources (default: czictypes/_native)",
    )
    parser.add_argument(
        "--jobs",
        type=_positive,
        metavar="N",
        help="compilers to run at once (default: one for each processor)",
    )
    parser.add_argument(
        "--libczi",
        metavar="VERSION",
        help=f"version of libCZI: {versions} (default: {pinned.default_libczi})",
    )
    parser.add_argument(
        "--sanitize",
        action="store_true",
        help="build under AddressSanitizer and UndefinedBehaviorSanitizer, for tests: the program "
        "that loads it needs their libraries (see tox.ini)",
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 0, or 1 after one sentence on standard error."""
    try:
        options = _parser().parse_args(arguments)
        build_declarations()
        build(
            options.output,
            source=options.source,
            libczi=options.libczi,
            jobs=options.jobs,
            sanitize=options.sanitize,
        )
    except BuildError as error:
        print(f"build_native.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
