"""Build the bundled native libraries: libCZI's C API, and the kernel, each self-contained.

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
from functools import partial
from pathlib import Path

from native.abi_names import write_abi_names, write_abi_places
from native.cache import cache_folder
from native.compiling import (
    KERNEL,
    LIBCZI,
    Project,
    Report,
    SourceFolders,
    compile_target,
    configure,
    libczi_definitions,
)
from native.errors import BuildError, missing_package
from native.fetch import fetch
from native.licence_texts import add_compiler_licences, add_licences, collect_licences
from native.make_declarations import make as make_declarations
from native.patching import JXRLIB_PATCH, patch_name
from native.sources import Source, read_sources
from native.stamp import build_key, is_up_to_date, write_stamp
from native.targets import TARGETS, Target, find_target
from native.toolchain import ZIG, Toolchain, find_toolchain
from native.unpack import unpack
from native.wheels import make_wheels

__all__ = ["build", "build_declarations", "build_for", "build_fuzzer", "build_kernel", "main"]

ROOT = Path(__file__).resolve().parent
DEFAULT_OUTPUT = ROOT / "czictypes" / "_native"
DECLARATIONS = {
    LIBCZI: ROOT / "czictypes" / "libczi" / "_declarations.py",
    KERNEL: ROOT / "czictypes" / "kernel" / "_declarations.py",
}


@dataclass(frozen=True)
class _Plan:
    """The order to build; `checkout` is a folder with libCZI, neither downloaded nor patched."""

    libczi: str
    checkout: Path | None
    sources: dict[str, Source]
    sanitize: bool
    target: Target | None

    @property
    def key(self) -> str | None:
        """Hash of the plan; None for a checkout, which may change at any time."""
        if self.checkout:
            return None
        options = ["sanitize"] if self.sanitize else []
        return build_key(LIBCZI, self.target, self.sources, self.libczi, patch_name(), *options)


def build(
    output: Path = DEFAULT_OUTPUT,
    *,
    target: Target | None = None,
    source: Path | None = None,
    libczi: str | None = None,
    jobs: int | None = None,
    work: Path | None = None,
    sanitize: bool = False,
    report: Report = print,
) -> Path:
    """Build libCZI's C API unless `output` has it already, and return the path of the library.

    Parameters
    ----------
    output
        The folder that gets the library, its licence texts and a note of its sources.
    target
        The platform to build for with zig; the default is this machine and its own compiler.
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
    plan = _plan(source, libczi, sanitize, target)
    library = output.resolve() / LIBCZI.library(target)
    if plan.key is not None and is_up_to_date(library, LIBCZI.note, plan.key):
        report(f"libCZI {plan.libczi}: {library} is up to date")
        return library
    started = time.monotonic()
    tools = find_toolchain(target)
    report(f"building libCZI {plan.libczi} with {tools.compiler}")
    work = work or _work_folder(plan.libczi, tools, "sanitize" if sanitize else "")
    folders = _prepare_sources(plan, work / "sources", report)
    definitions = _libczi_definitions(folders, work, report, "sanitize" if sanitize else "")
    fresh = _compile(LIBCZI, definitions, tools, work, jobs, report)
    _install(fresh, plan, folders, library)
    add_compiler_licences(tools, library.with_name("licenses"))
    _report_size(library, started, report)
    return library


def build_kernel(
    output: Path = DEFAULT_OUTPUT,
    *,
    target: Target | None = None,
    jobs: int | None = None,
    work: Path | None = None,
    sanitizer: str = "",
    report: Report = print,
) -> Path:
    """Build the kernel unless `output` has it already, and return its path.

    Parameters
    ----------
    output, target, jobs, work, report
        As for `build`.
    sanitizer
        ``address`` (with that of undefined behaviour) or ``thread``, for tests.

    Raises
    ------
    BuildError
        The kernel cannot be built; the message says why, in one sentence.
    """
    sources = {"zstd": read_sources().parts["zstd"]}
    key = build_key(KERNEL, target, sources, sanitizer)
    library = output.resolve() / KERNEL.library(target)
    if is_up_to_date(library, KERNEL.note, key):
        report(f"kernel: {library} is up to date")
        return library
    started = time.monotonic()
    tools = find_toolchain(target)
    report(f"building the kernel with {tools.compiler}")
    work = work or _work_folder("kernel", tools, sanitizer)
    zstd = _unpacked("zstd", sources["zstd"], work / "sources", report)
    names = work / "abi_names"
    names.mkdir(exist_ok=True)
    write_abi_places(KERNEL.header, names / "kernel_abi.inc")
    definitions = {
        "CZICTYPES_ZSTD_DIR": zstd.as_posix(),
        "CZICTYPES_ABI_NAMES_DIR": names.as_posix(),
        "CZICTYPES_INSTRUMENT": sanitizer,
    }
    fresh = _compile(KERNEL, definitions, tools, work, jobs, report)
    add_licences("zstd", zstd, sources["zstd"].licences, library.with_name("licenses"))
    add_compiler_licences(tools, library.with_name("licenses"))
    _replace(fresh, library)
    write_stamp(KERNEL, library.parent, key, sources)
    _report_size(library, started, report)
    return library


def build_for(
    target: Target | None, *, jobs: int | None = None, report: Report = print
) -> tuple[Path, Path]:
    """Build libCZI's C API and the kernel for a platform, in its folder; return their paths."""
    output = _output_folder(target)
    library = build(output, target=target, jobs=jobs, report=report)
    return library, build_kernel(output, target=target, jobs=jobs, report=report)


def build_fuzzer(*, report: Report = print) -> Path:
    """Build the program that fuzzes the decoder of JPEG XR (`native.fuzz`), and return its path.

    Raises
    ------
    BuildError
        It cannot be built: only clang has what it needs.
    """
    plan, tools = _plan(None, None, sanitize=False), find_toolchain()
    work = _work_folder("fuzz", tools)
    folders = _prepare_sources(plan, work / "sources", report)
    definitions = _libczi_definitions(folders, work, report, "fuzz")
    return _compile(LIBCZI, definitions, tools, work, None, report, "fuzz_jpegxr")


def build_declarations() -> list[Path]:
    """Write the Python modules of C declarations, which needs no compiler; return their paths."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # cffi tells of each file it writes
            return [make_declarations(one.header, path) for one, path in DECLARATIONS.items()]
    except ImportError:
        raise missing_package("the Python package cffi") from None


def _output_folder(target: Target | None) -> Path:
    """Return the folder for the libraries of a platform, unless one is asked for."""
    return ROOT / "build" / "targets" / target.name if target else DEFAULT_OUTPUT


def _work_folder(name: str, tools: Toolchain, instrument: str = "") -> Path:
    """Make the folder for the unpacked sources and object files of a build."""
    parts = [name, tools.target.name if tools.target else "", instrument]
    folder = ROOT / "build" / "native" / "-".join(filter(None, parts))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _plan(
    source: Path | None, libczi: str | None, sanitize: bool, target: Target | None = None
) -> _Plan:
    pinned = read_sources()
    if source is None:
        version = libczi or pinned.default_libczi
        sources = {"libczi": pinned.libczi_source(version), **pinned.parts}
        return _Plan(version, None, sources, sanitize, target)
    if libczi is not None:
        raise BuildError("--source and --libczi exclude each other: one names a folder of libCZI, "
                         "the other a version to download.")  # fmt: skip
    if not (source / "Src" / "libCZIAPI" / "inc" / "libCZIApi.h").is_file():
        raise BuildError(f"{source} is not a folder of libCZI with the C API: it has no "
                         "Src/libCZIAPI/inc/libCZIApi.h.")  # fmt: skip
    return _Plan("checkout", source.resolve(), dict(pinned.parts), sanitize, target)


def _prepare_sources(plan: _Plan, folder: Path, report: Report) -> SourceFolders:
    unpacked = {
        name: _unpacked(name, source, folder, report) for name, source in plan.sources.items()
    }
    return SourceFolders(
        libczi=plan.checkout or unpacked["libczi"],
        eigen=unpacked["eigen"],
        rapidjson=unpacked["rapidjson"] / "include",
        zstd=unpacked["zstd"],
        origin=None if plan.checkout else f"source distribution of {plan.sources['libczi']}",
        patch=None if plan.checkout else f"czictypes patch {patch_name()}",
    )


def _unpacked(name: str, source: Source, folder: Path, report: Report) -> Path:
    cache = cache_folder() / "downloads"
    cached = (cache / source.file).is_file()
    report(f"  {name}: {source}{' (from the cache)' if cached else ', downloading'}")
    patch = JXRLIB_PATCH if name == "libczi" else None
    return unpack(source, fetch(source, cache), folder / name, patch)


def _libczi_definitions(
    folders: SourceFolders, work: Path, report: Report, instrument: str
) -> dict[str, str]:
    names = work / "abi_names"
    names.mkdir(exist_ok=True)
    theirs = folders.libczi / "Src" / "libCZIAPI" / "inc" / "libCZIApi.h"
    missing, unknown = write_abi_names(LIBCZI.header, theirs, names / "abi_names.inc")
    if missing:
        report(f"  this libCZI does not have {', '.join(missing)}")
    if unknown:
        report(f"  this libCZI has functions that czictypes does not know: {', '.join(unknown)}")
    return {**libczi_definitions(folders, names), "CZICTYPES_INSTRUMENT": instrument}


def _compile(
    project: Project,
    definitions: dict[str, str],
    tools: Toolchain,
    work: Path,
    jobs: int | None,
    report: Report,
    program: str | None = None,
) -> Path:
    log = work / "build.log"
    log.unlink(missing_ok=True)
    tree, jobs = work / "cmake", jobs or _processors()
    configure(project, definitions, tools, tree, log)
    report(f"  compiling, {jobs} at once")
    return compile_target(project, tools, tree, jobs, log, report, program)


def _install(fresh: Path, plan: _Plan, folders: SourceFolders, library: Path) -> None:
    pinned = read_sources()
    texts = {name: source.licences for name, source in plan.sources.items()}
    texts.setdefault("libczi", pinned.libczi_source(pinned.default_libczi).licences)
    places = {"libczi": folders.libczi, "eigen": folders.eigen, "zstd": folders.zstd,
              "rapidjson": folders.rapidjson.parent}  # fmt: skip
    collect_licences({name: (places[name], texts[name]) for name in places},
                     library.with_name("licenses"))  # fmt: skip
    _replace(fresh, library)
    patch = None if plan.key is None else JXRLIB_PATCH.name
    write_stamp(LIBCZI, library.parent, plan.key, plan.sources, libczi=plan.libczi, patch=patch)


def _replace(fresh: Path, library: Path) -> None:
    """Put a library into its place in one step: a process may have the former one loaded."""
    library.parent.mkdir(parents=True, exist_ok=True)
    incoming = library.with_name(f".{library.name}.new")
    shutil.copy2(fresh, incoming)
    try:
        incoming.replace(library)
    except PermissionError:  # Windows lets nobody replace a loaded library, but rename it
        library.replace(library.with_name(f".{library.name}.{os.getpid()}.old"))
        incoming.replace(library)


def _report_size(library: Path, started: float, report: Report) -> None:
    size = library.stat().st_size / 1e6
    report(f"wrote {library} ({size:.1f} MB) after {time.monotonic() - started:.0f} s")


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
        "--target",
        metavar="TARGET",
        action="append",
        default=[],
        help=f"build for this platform with zig (pip install {ZIG}), and for more if repeated: "
        f"{', '.join(TARGETS)}",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder for the library, its licence texts and the note of its "
        "sources (default: czictypes/_native, with --target build/targets/TARGET)",
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
        "--wheels",
        type=Path,
        metavar="DIR",
        help="make the wheels of all platforms (or of each --target), one without native code, "
        "and the source distribution (pip install hatchling lief)",
    )
    parser.add_argument(
        "--only",
        choices=["libczi", "kernel"],
        help="build this one of the two libraries alone",
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


def _build_both(options: argparse.Namespace, target: Target | None) -> None:
    """Build both libraries, or the one that is asked for."""
    output = options.output or _output_folder(target)
    if options.only != "kernel":
        build(
            output,
            target=target,
            source=options.source,
            libczi=options.libczi,
            jobs=options.jobs,
            sanitize=options.sanitize,
        )
    if options.only != "libczi":
        sanitizer = "address" if options.sanitize else ""
        build_kernel(output, target=target, jobs=options.jobs, sanitizer=sanitizer)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 0, or 1 after one sentence on standard error."""
    try:
        options = _parser().parse_args(arguments)
        if options.only == "kernel" and (options.source or options.libczi):
            raise BuildError(
                "--source and --libczi choose a libCZI: the kernel has none of libCZI."
            )
        targets = [find_target(name) for name in options.target]
        if len(targets) > 1 and options.output:
            raise BuildError("--output is the folder for one platform: name one --target.")
        build_declarations()
        if options.wheels:
            wanted = targets or TARGETS.values()
            build_one = partial(build_for, jobs=options.jobs)
            make_wheels(ROOT, options.wheels.resolve(), wanted, build_one, print)
            return 0
        for target in (*targets,) or (None,):
            _build_both(options, target)
    except BuildError as error:
        print(f"build_native.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
