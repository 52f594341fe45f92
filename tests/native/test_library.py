"""The bundled library: what it exports, what it needs, what lies beside it."""

from __future__ import annotations

import ctypes
import json
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from czictypes import library_info, use_library
from czictypes.libczi.library import get_library
from native.abi_names import declared_functions
from native.compiling import KERNEL, LIBCZI
from native.patching import patch_name
from native.sources import read_sources
from native.wheel_tag import newest_glibc, platform_tag

linux_only = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="reads the library with the ELF tools of Linux"
)


def output_of(program: str, *arguments: str) -> str:
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}: install binutils")
    return subprocess.run(
        [program, *arguments], check=True, stdout=subprocess.PIPE, encoding="utf-8"
    ).stdout


def exported(library: Path) -> set[str]:
    lines = output_of("nm", "--dynamic", "--defined-only", str(library)).splitlines()
    return {line.split()[-1].split("@")[0] for line in lines}


@pytest.fixture(params=["bundled_library", "bundled_kernel"])
def either(request: pytest.FixtureRequest) -> Path:
    """The path of libCZI, and that of the kernel."""
    path: Path = request.getfixturevalue(request.param)
    return path


@linux_only
def test_exactly_the_declared_functions_are_exported(
    bundled_library: Path, bundled_kernel: Path
) -> None:
    assert exported(bundled_library) == set(declared_functions(LIBCZI.header))
    assert exported(bundled_kernel) == set(declared_functions(KERNEL.header))


@linux_only
def test_only_the_c_library_is_needed(either: Path) -> None:
    text = output_of("readelf", "--dynamic", "--wide", str(either))
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", text)
    assert needed
    assert [
        name
        for name in needed
        if not re.match(r"(libc|libm|libdl|libpthread|ld-linux.*)\.so", name)
    ] == []


@linux_only
def test_it_is_stripped(either: Path) -> None:
    assert ".symtab" not in output_of("readelf", "--sections", "--wide", str(either))


def test_it_does_not_tell_where_it_was_built(either: Path, root: Path) -> None:
    assert str(root).encode() not in either.read_bytes()


def test_the_licence_texts_lie_beside_it(bundled_library: Path) -> None:
    texts = {
        "NOTICE.txt": "Replacing libCZIAPI",
        "libczi-LGPL-3.0-or-later.txt": "GNU LESSER GENERAL PUBLIC LICENSE",
        "libczi-THIRD_PARTY_LICENSES.txt": "pugixml",
        "jxrlib-LICENSE.txt": "Microsoft Corp",
        "zstd-LICENSE": "BSD License",
        "rapidjson-license.txt": "MIT License",
        "eigen-MPL-2.0.txt": "Mozilla Public License",
    }
    folder = bundled_library.parent / "licenses"
    for name, words in texts.items():
        text = (folder / name).read_text(encoding="utf-8", errors="replace")
        assert words in text, name


def test_the_note_beside_it_names_the_pinned_sources(bundled_library: Path) -> None:
    pinned = read_sources()
    note = json.loads((bundled_library.parent / "build.json").read_text(encoding="utf-8"))
    source = pinned.libczi_source(note["libczi"])
    assert note["sources"]["libczi"]["sha256"] == source.sha256
    for name, part in pinned.parts.items():
        assert note["sources"][name]["file"] == part.file


def test_the_note_of_the_kernel_names_its_zstd(bundled_kernel: Path) -> None:
    note = json.loads(bundled_kernel.with_name(KERNEL.note).read_text(encoding="utf-8"))
    assert set(note["sources"]) == {"zstd"}
    assert note["sources"]["zstd"]["sha256"] == read_sources().parts["zstd"].sha256


def test_the_libraries_say_that_they_are_patched(
    bundled_library: Path, older_library: Path
) -> None:
    before = get_library().path
    for path in (bundled_library, older_library):
        use_library(path)
        assert library_info().patch == patch_name()
        assert library_info().is_patched
    use_library(before)


def test_the_older_library_is_the_version_that_was_asked_for(older_library: Path) -> None:
    version = (ctypes.c_int32 * 4)()
    assert ctypes.CDLL(str(older_library)).libCZI_GetLibCZIVersionInfo(version) == 0
    assert list(version)[:3] == [0, 67, 1]


@linux_only
def test_the_older_library_exports_no_more_than_is_declared(
    older_library: Path, header: Path
) -> None:
    names = exported(older_library)
    assert "libCZI_ReaderOpen" in names
    assert names <= set(declared_functions(header))


def test_the_newest_glibc_that_is_needed(tmp_path: Path) -> None:
    library = tmp_path / "some.so"
    library.write_bytes(b"\x7fELF\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.17\0GLIBCXX_3.4.30\0memcpy\0")
    assert newest_glibc(library) == 34


@pytest.mark.parametrize(
    ("names", "tag"),
    [
        (b"\0GLIBC_2.28\0", "manylinux_2_28_x86_64"),
        (b"\0GLIBC_2.2.5\0", "manylinux_2_17_x86_64"),
        (b"\0memcpy\0", "linux_x86_64"),
    ],
)
def test_the_tag_states_the_glibc(
    names: bytes, tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sysconfig.get_platform", lambda: "linux-x86_64")
    library = tmp_path / "some.so"
    library.write_bytes(names)
    (tmp_path / "other.so").write_bytes(b"\0memcpy\0")
    assert platform_tag(library, tmp_path / "other.so") == tag


@pytest.mark.parametrize(
    ("system", "tag"),
    [("macosx-10.9-universal2", "macosx_12_0_arm64"), ("win-amd64", "win_amd64")],
)
def test_the_tag_elsewhere(
    system: str, tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sysconfig.get_platform", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    monkeypatch.setenv("MACOSX_DEPLOYMENT_TARGET", "12.0")
    assert platform_tag(tmp_path / "no file is read") == tag


def test_the_installed_wheel_serves_every_python(
    bundled_library: Path, bundled_kernel: Path
) -> None:
    try:
        installed = metadata.distribution("czictypes")
    except metadata.PackageNotFoundError:
        pytest.skip("czictypes is not installed: python -m pip install .")
    if not any(Path(str(file.locate())) == bundled_library for file in installed.files or ()):
        pytest.skip("czictypes is installed without a library of its own: python -m pip install .")
    tags = re.findall(r"^Tag: (.*)$", installed.read_text("WHEEL") or "", re.MULTILINE)
    assert f"py3-none-{platform_tag(bundled_library, bundled_kernel)}" in tags
