"""The libraries in wheels for other platforms give the same numbers as those under test.

CZICTYPES_TEST_WHEELS names a folder of wheels (`tox -e wheels`). read_paint_write.cpp is compiled
for each platform and run there: under wine or qemu, or by the C library musl.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from extras import miss_system, needs
from real_files import find_real_file, real_file_names

from czictypes import create_czi, library_info
from czictypes.kernel.library import kernel_info
from wheels.wheel_files import RECIPES, find_wheel, output_of

_PROGRAM = Path(__file__).with_name("read_paint_write.cpp")
_ZSTD = ("zstd0:", "zstd1:", "zstd1:PreProcess=HiLoByteUnpack")
#: With these options, zig has the C++ library for the platform already.
_AS_THE_WHEELS = ("-O3", "-DNDEBUG", "-fPIC", "-s")


class Place(NamedTuple):
    """Where a program for a target runs: by which command, which package of Debian brings it."""

    target: str
    command: tuple[str, ...] = ()
    needed: str = ""  # a file
    packages: str = ""
    drive: str = ""  # before absolute paths
    options: tuple[str, ...] = ()  # of the compiler


_HERE = Place("linux-x86_64")
_PLACES = (
    _HERE,
    Place(
        "linux-aarch64", ("qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"),
        "/usr/aarch64-linux-gnu/lib/libc.so.6", "qemu-user-static libc6-arm64-cross",
    ),
    Place(
        "musllinux-x86_64", ("/lib/ld-musl-x86_64.so.1",), "/lib/ld-musl-x86_64.so.1", "musl",
        options=("-dynamic",),
    ),
    Place(
        "windows-x86_64", ("/usr/lib/wine/wine64",), "/usr/lib/wine/wine64", "wine64",
        drive="Z:", options=("-lshell32",),
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def czi_files(tmp_path_factory: pytest.TempPathFactory, made: Callable[[str], Any]) -> list[Path]:
    """CZI files with every compression, all real ones among them."""
    path = tmp_path_factory.mktemp("czi") / "zstd.czi"
    y, x = np.ogrid[:700, :900]
    with create_czi(path) as czi:
        for channel, compression in enumerate(_ZSTD):
            pixels = (x * y // (channel + 3)).astype(np.uint16)
            czi.write(pixels, plane={"C": channel}, compression=compression)
    real = [find_real_file(name) for name in real_file_names()]
    return [path, *(made(name).path for name in RECIPES), *real]


@pytest.fixture(scope="module")
def expected(czi_files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The lines that the program prints for the libraries of the czictypes under test."""
    folder = tmp_path_factory.mktemp("here")
    if not kernel_info().path:
        pytest.skip(f"there is no kernel: {kernel_info().reason}")
    return _run(_HERE, library_info().path, kernel_info().path, folder, czi_files)


@pytest.mark.slow
@pytest.mark.parametrize("place", _PLACES, ids=[place.target for place in _PLACES])
def test_a_platform_gives_the_same_numbers(
    place: Place, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    wheel = find_wheel(place.target)
    if place.command and not (shutil.which(place.command[0]) and Path(place.needed).exists()):
        miss_system(f"no {place.target} here: apt install {place.packages}")
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith((".so", ".dll"))]
        archive.extractall(tmp_path, names)
    libraries = {Path(name).stem: tmp_path / name for name in names}
    expected = request.getfixturevalue("expected")
    files = request.getfixturevalue("czi_files")
    found = _run(place, libraries["libCZIAPI"], libraries["czictypes_kernel"], tmp_path, files)
    assert found == expected


def test_libczi_and_the_kernel_paint_the_same(expected: list[str]) -> None:
    paintings = [line for line in expected if " kernel" in line and "zoom" in line]
    assert len(paintings) > 50
    assert [line for line in paintings if not line.endswith(" equal")] == []
    for number in (0, 4, 5, 6):
        assert any(f"compression {number} type" in line for line in expected), number


def _zig(root: Path, place: Place) -> list[str]:
    """Return zig, if possible the one that compiled the wheels: its C++ library serves no other."""
    made = root / "build" / "native" / f"kernel-{place.target}" / "cmake" / "CMakeCache.txt"
    found = re.search(r"^CZICTYPES_ZIG:\w+=(.+)$", made.read_text() if made.exists() else "", re.M)
    if found is not None and Path(found[1]).exists():
        return [found[1]]
    needs("ziglang")
    return [sys.executable, "-m", "ziglang"]


def _run(place: Place, libczi: Any, kernel: Any, folder: Path, files: list[Path]) -> list[str]:
    """Compile the program for a place, run it there, and return its lines."""
    from native.targets import find_target

    native = Path(__file__).resolve().parents[2] / "native"
    program = folder / "read_paint_write.exe"
    cache = str(native.parent / "build" / "native" / "zig")  # where the wheels were compiled
    environment = {
        **os.environ, "ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache,
        "WINEPREFIX": str(folder / "wine"), "WINEDEBUG": "-all", "LC_ALL": "C.UTF-8",
    }  # fmt: skip
    includes = [f"-I{native / name}" for name in ("libczi_c_api", "kernel")]
    output_of(
        [*_zig(native.parent, place), "c++", "-target", find_target(place.target).triple,
         "-mcpu=baseline", "-std=c++17",
         *_AS_THE_WHEELS, "-Wall", "-Wextra", "-Wshadow", "-Werror", *includes, str(_PROGRAM), "-o",
         str(program), *place.options],
        environment,
    )  # fmt: skip
    output = folder / "written"
    output.mkdir()
    paths = [f"{place.drive}{path}" for path in (libczi, kernel, output, *files)]
    return output_of([*place.command, str(program), *paths], environment).splitlines()
