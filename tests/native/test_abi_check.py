"""abi_check.cpp lets a wrong declaration stop the build."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from older_library import OLDER_VERSION

from native.abi_names import write_abi_names
from native.fetch import fetch
from native.sources import read_sources
from native.unpack import unpack

MISTAKES = {
    "a member too small": ("uint32_t stride;", "uint16_t stride;"),
    "padding left out": ("uint8_t padding1[3];\n    void *name_in", "void *name_in"),
    "a member of another name": ("int32_t major;", "int32_t mayor;"),
    "bool for an integer": ("uint8_t enable_tinting;", "bool enable_tinting;"),
    "an integer for bool": ("bool overwrite", "uint8_t overwrite"),
    "a wrong parameter": ("float zoom,", "double zoom,"),
    "a parameter too few": ("const wchar_t *path, bool overwrite", "const wchar_t *path"),
    "a wrong result": ("LibCZIApiErrorCode libCZI_ReleaseReader", "void libCZI_ReleaseReader"),
    "a wrong structure": ("const struct IntRectInterop *roi", "const struct IntSizeInterop *roi"),
    "a wrong callback": ("uint64_t offset,\n", "uint32_t offset,\n"),
}


@pytest.fixture(scope="module")
def libczi(older_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The headers of libCZI's C API."""
    compiler()
    source = read_sources().libczi_source(OLDER_VERSION)
    folder = unpack(source, fetch(source), tmp_path_factory.mktemp("abi") / "libczi")
    return folder / "Src" / "libCZIAPI" / "inc"


def compiler() -> str:
    found = shutil.which("g++") or shutil.which("clang++")
    if found is None:
        pytest.skip("needs a C++ compiler that is called as g++ is: install g++")
    return found


def compile_check(
    header: Path, text: str, libczi: Path, folder: Path
) -> subprocess.CompletedProcess[str]:
    changed = folder / header.name
    changed.write_text(text, encoding="utf-8")
    write_abi_names(changed, libczi / "libCZIApi.h", folder / "abi_names.inc")
    shutil.copy(header.with_name("abi_check.cpp"), folder)
    return subprocess.run(
        [compiler(), "-std=c++17", "-fsyntax-only", "-w", "-D_LIBCZIAPISTATICLIB",
         f"-I{libczi}", f"-I{folder}", str(folder / "abi_check.cpp")],
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip


def test_the_declarations_as_they_are(header: Path, libczi: Path, tmp_path: Path) -> None:
    done = compile_check(header, header.read_text(encoding="utf-8"), libczi, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("mistake", sorted(MISTAKES))
def test_a_mistake_is_found(mistake: str, header: Path, libczi: Path, tmp_path: Path) -> None:
    right, wrong = MISTAKES[mistake]
    text = header.read_text(encoding="utf-8")
    assert right in text
    done = compile_check(header, text.replace(right, wrong, 1), libczi, tmp_path)
    assert done.returncode != 0
    assert "static assertion failed: libczi_c_api.h" in done.stderr or "no member" in done.stderr


def test_functions_that_an_older_libczi_lacks_are_left_out(
    header: Path, libczi: Path, tmp_path: Path
) -> None:
    text = header.read_text(encoding="utf-8") + "\nvoid libCZI_FromTheFuture(void *memory);\n"
    changed = tmp_path / "ours.h"
    changed.write_text(text, encoding="utf-8")
    missing, unknown = write_abi_names(changed, libczi / "libCZIApi.h", tmp_path / "names.inc")
    assert missing == ["libCZI_FromTheFuture"]
    assert unknown == []
    assert "FromTheFuture" not in (tmp_path / "names.inc").read_text(encoding="utf-8")
