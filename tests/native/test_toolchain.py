"""What is missing on a machine is told in one sentence."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from native.errors import BuildError
from native.targets import TARGETS, host_target
from native.toolchain import ZIG, find_compiler, find_toolchain

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="makes programs of the shell; on Windows, zig compiles"
)


def program(folder: Path, name: str, prints: str = "") -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{prints}'\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the whole PATH; the packages cmake and ninja are not there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setitem(sys.modules, "cmake", None)
    monkeypatch.setitem(sys.modules, "ninja", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    return folder


@pytest.fixture
def zig(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The program in the package ziglang, which is there, as are cmake and ninja."""
    program(path, "cmake", "cmake version 4.0.0")
    program(path, "ninja")
    package = tmp_path / "ziglang"
    package.mkdir()
    spec = SimpleNamespace(submodule_search_locations=[str(package)])
    monkeypatch.setattr("importlib.util.find_spec", {"ziglang": spec}.get)
    return program(package, "zig")


def test_no_compiler(path: Path) -> None:
    program(path, "cmake", "cmake version 4.0.0")
    program(path, "ninja")
    words = r"^No C\+\+ compiler found .*apt-get install g\+\+.* pip install ziglang==[\d.]+$"
    with pytest.raises(BuildError, match=words):
        find_toolchain()


def test_zig_compiles_where_there_is_no_compiler(zig: str) -> None:
    tools = find_toolchain()
    assert tools.zig == zig
    assert tools.target == host_target()
    assert tools.definitions["CZICTYPES_ZIG"] == zig


def test_the_compiler_of_the_machine_goes_before_zig(path: Path, zig: str) -> None:
    compiler = program(path, "c++")
    tools = find_toolchain()
    assert (tools.compiler, tools.zig, tools.definitions) == (compiler, None, {})


@pytest.mark.parametrize("named", [True, False])
def test_zig_compiles_on_windows_unless_another_is_named(
    named: bool, path: Path, zig: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = program(path, "clang++.exe")
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("PATHEXT", ".exe")
    if named:
        monkeypatch.setenv("CXX", compiler)
    assert find_compiler() == (compiler if named else None)


def test_another_platform_takes_zig_and_no_options_of_this_machine(
    path: Path, zig: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(path, "c++")
    monkeypatch.setenv("CXXFLAGS", "-march=native")
    tools = find_toolchain(TARGETS["windows-arm64"])
    assert tools.zig == zig
    assert tools.definitions["CZICTYPES_ZIG_SYSTEM"] == "Windows"
    assert "CXXFLAGS" not in tools.environment(tmp_path / "work")


def test_another_platform_without_zig(path: Path) -> None:
    program(path, "c++")
    program(path, "cmake", "cmake version 4.0.0")
    program(path, "ninja")
    with pytest.raises(BuildError, match=r"builds for macos-arm64, is not there: .*ziglang=="):
        find_toolchain(TARGETS["macos-arm64"])


@pytest.mark.parametrize(
    ("system", "machine", "config", "name"),
    [
        ("linux", "x86_64", "x86_64-pc-linux-gnu", "linux-x86_64"),
        ("linux", "aarch64", "aarch64-alpine-linux-musl", "musllinux-aarch64"),
        ("win32", "AMD64", None, "windows-x86_64"),
        ("darwin", "arm64", None, "macos-arm64"),
        ("linux", "sparc64", None, None),
        ("freebsd14", "x86_64", None, None),
    ],
)
def test_the_target_of_this_machine(
    system: str,
    machine: str,
    config: str | None,
    name: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr("sysconfig.get_config_var", lambda key: config)
    monkeypatch.setattr("sysconfig.get_platform", lambda: "win-amd64")
    target = host_target()
    assert (target.name if target else None) == name


@pytest.mark.parametrize("found", ["c++", None])
def test_the_build_asks_for_zig_where_there_is_no_compiler(
    found: str | None, path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hatch_build = pytest.importorskip(
        "native.hatch_build", reason="hatchling asks: pip install hatchling"
    )
    if found:
        program(path, found)
    hook = hatch_build.NativeBuildHook(str(root), {}, None, None, "", "wheel")
    assert hook.dependencies() == ([] if found else [ZIG])
    monkeypatch.setenv("CZICTYPES_TARGET", "macos-arm64")
    assert hook.dependencies() == [ZIG]
    monkeypatch.setenv("CZICTYPES_NO_NATIVE", "1")
    assert hook.dependencies() == []


def test_a_compiler_that_is_named_but_not_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "g++-99 -m64")
    with pytest.raises(BuildError, match=r"CXX names, g\+\+-99, is not there"):
        find_toolchain()


@pytest.mark.parametrize("there", ["cmake", "ninja"])
def test_the_tool_that_is_missing_is_named(path: Path, there: str) -> None:
    program(path, "g++")
    program(path, there, "cmake version 3.25.1")
    missing = {"cmake": "ninja", "ninja": "cmake"}[there]
    with pytest.raises(BuildError, match=f"^The build needs {missing}.* pip install cffi cmake"):
        find_toolchain()


def test_programs_on_the_path_are_used(path: Path) -> None:
    compiler = program(path, "g++")
    cmake, ninja = program(path, "cmake", "cmake version 4.0.0"), program(path, "ninja")
    tools = find_toolchain()
    assert (tools.cmake, tools.ninja, tools.compiler) == (cmake, ninja, compiler)


def test_a_cmake_that_is_too_old_gives_way_to_the_python_package(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(path, "g++")
    program(path, "ninja")
    program(path, "cmake", "cmake version 3.10.2")
    package = tmp_path / "package"
    package.mkdir()
    newer = program(package, "cmake")
    monkeypatch.setitem(sys.modules, "cmake", SimpleNamespace(CMAKE_BIN_DIR=str(package)))
    assert find_toolchain().cmake == newer


def test_every_environment_has_the_same_zig(root: Path) -> None:
    lines = (root / "tox.ini").read_text(encoding="utf-8").splitlines()
    assert {line.strip() for line in lines if line.strip().startswith("ziglang")} == {ZIG}
