"""The headers of a library tell whether it runs on every machine of its platform."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from native.abi_names import declared_functions
from native.audit import audit_library
from native.compiling import KERNEL
from native.errors import BuildError
from native.targets import TARGETS, Target

pytest.importorskip("lief", reason="reads libraries: pip install lief")
pytest.importorskip("ziglang", reason="compiles for every platform: pip install ziglang")

WINDOWS, MACOS, LINUX = (
    TARGETS[name] for name in ("windows-x86_64", "macos-arm64", "linux-aarch64")
)
on_each = pytest.mark.parametrize("target", [WINDOWS, MACOS, LINUX], ids=lambda target: target.name)
NAMES = declared_functions(KERNEL.header)
Compile = Callable[..., bytes]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """Compiles a library that has functions of these names, and more C code."""
    folder = tmp_path_factory.mktemp("libraries")

    def compile_library(triple: str, names: list[str], code: str = "", *options: str) -> bytes:
        source, library = folder / "library.c", folder / "library"
        export = "__declspec(dllexport)" if "windows" in triple else ""
        functions = [f"{export} int {name}(void) {{ return 1; }}" for name in names]
        source.write_text("\n".join([code, *functions]))
        subprocess.run(
            [sys.executable, "-m", "ziglang", "cc", "-target", triple, "-shared", "-O1", "-s",
             "-fvisibility=default", "-o", str(library), str(source), *options],
            check=True,
        )  # fmt: skip
        return library.read_bytes()

    return compile_library


@on_each
def test_one_that_needs_only_the_system(compiled: Compile, target: Target, tmp_path: Path) -> None:
    audit = audit_library(compiled(target.triple, NAMES), KERNEL, target, tmp_path)
    assert set(audit.exported) == set(NAMES)
    assert all("." in name for name in audit.needed)


@on_each
def test_foreign_and_missing_names(compiled: Compile, target: Target, tmp_path: Path) -> None:
    data = compiled(target.triple, [*NAMES[1:], "ZSTD_compress"])
    words = f"exports ZSTD_compress, does not export {NAMES[0]}"
    with pytest.raises(BuildError, match=words):
        audit_library(data, KERNEL, target, tmp_path)


def test_a_library_for_another_processor_or_system(compiled: Compile, tmp_path: Path) -> None:
    data = compiled("x86_64-linux-gnu.2.17", NAMES)
    with pytest.raises(BuildError, match="for linux-aarch64 is for X86_64"):
        audit_library(data, KERNEL, LINUX, tmp_path)
    for target in (WINDOWS, MACOS):
        with pytest.raises(BuildError, match=r"is no library for (Windows|Darwin)"):
            audit_library(data, KERNEL, target, tmp_path)


def test_a_glibc_that_is_too_new(compiled: Compile, tmp_path: Path) -> None:
    code = "#define _GNU_SOURCE\n#include <unistd.h>\nint czk_unpack(void) { return gettid(); }"
    names = [name for name in NAMES if name != "czk_unpack"]
    data = compiled("aarch64-linux-gnu.2.30", names, code)
    with pytest.raises(BuildError, match=r"needs version 2\.30 of the system, not 2\.17"):
        audit_library(data, KERNEL, LINUX, tmp_path)


def test_a_macos_that_is_too_new(compiled: Compile, tmp_path: Path) -> None:
    data = compiled("aarch64-macos.13.0", NAMES)
    with pytest.raises(BuildError, match=r"needs version 13\.0 of the system, not 11\.0"):
        audit_library(data, KERNEL, MACOS, tmp_path)


def test_a_library_that_not_every_system_has(compiled: Compile, tmp_path: Path) -> None:
    code = (
        "int RegCloseKey(void *);\n"
        "__declspec(dllexport) int czk_unpack(void) { return RegCloseKey(0); }"
    )
    names = [name for name in NAMES if name != "czk_unpack"]
    data = compiled(WINDOWS.triple, names, code, "-ladvapi32")
    with pytest.raises(BuildError, match=r"(?i)needs advapi32\.dll"):
        audit_library(data, KERNEL, WINDOWS, tmp_path)


def test_a_path_of_the_machine_that_built_it(compiled: Compile, tmp_path: Path) -> None:
    code = f'const char *czk_unpack(void) {{ return "{tmp_path}/a.c"; }}'
    names = [name for name in NAMES if name != "czk_unpack"]
    data = compiled(LINUX.triple, names, code)
    with pytest.raises(BuildError, match=f"names {tmp_path}"):
        audit_library(data, KERNEL, LINUX, tmp_path)


def test_a_file_that_is_no_library(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="is no library for Linux"):
        audit_library(b"PK\x03\x04 some archive", KERNEL, LINUX, tmp_path)
