"""What is missing on a machine is told in one sentence."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from native.errors import BuildError
from native.toolchain import find_toolchain

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="cmake itself finds Visual Studio; its programs are not on PATH"
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
    return folder


def test_no_compiler(path: Path) -> None:
    with pytest.raises(BuildError, match=r"^No C\+\+ compiler found .*apt-get install g\+\+"):
        find_toolchain()


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
