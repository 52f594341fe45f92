"""`python build_native.py` as its user sees it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import build_native
from native.compiling import LIBRARY_NAME
from native.sources import read_sources
from native.stamp import build_key, write_stamp


def run(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(root / "build_native.py"), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def assert_one_sentence(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("build_native.py: ")
    return done.stderr


def test_help_tells_of_every_option_and_version(root: Path) -> None:
    done = run(root, "--help")
    assert done.returncode == 0
    for word in ("--source", "--output", "--jobs", "--libczi", "0.67.1", "CZICTYPES_CACHE"):
        assert word in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--libczi", "9.9"], "libCZI 9.9 is not among the pinned sources"),
        (["--source", "no-such-folder"], "no-such-folder is not a folder of libCZI"),
        (["--source", ".", "--libczi", "0.67.4"], "exclude each other"),
    ],
)
def test_a_wish_that_cannot_be_met(root: Path, arguments: list[str], words: str) -> None:
    assert words in assert_one_sentence(run(root, *arguments))


@pytest.mark.skipif(sys.platform == "win32", reason="the compiler is not on the PATH there")
def test_no_compiler(root: Path, tmp_path: Path) -> None:
    done = run(root, "--output", str(tmp_path), PATH=str(tmp_path), CXX="")
    assert "No C++ compiler found" in assert_one_sentence(done)


def test_a_number_of_jobs_below_one_is_a_usage_error(root: Path) -> None:
    done = run(root, "--jobs", "0")
    assert done.returncode == 2
    assert "--jobs" in done.stderr


@pytest.fixture
def current(tmp_path: Path) -> Path:
    """An output folder with a library that is noted as made from the pinned sources."""
    pinned = read_sources()
    sources = {"libczi": pinned.libczi[pinned.default_libczi], **pinned.parts}
    (tmp_path / LIBRARY_NAME).write_bytes(b"a library")
    key = build_key(pinned.default_libczi, sources)
    write_stamp(tmp_path, key, pinned.default_libczi, sources)
    return tmp_path


@pytest.fixture
def no_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets every attempt to compile fail."""

    def fail() -> None:
        raise build_native.BuildError("wants to compile")

    monkeypatch.setattr(build_native, "find_toolchain", fail)


@pytest.mark.usefixtures("no_tools")
def test_a_library_that_is_up_to_date_is_not_built_again(current: Path) -> None:
    lines: list[str] = []
    assert build_native.build(current, report=lines.append) == current.resolve() / LIBRARY_NAME
    assert lines
    assert lines[-1].endswith("is up to date")


@pytest.mark.usefixtures("no_tools")
@pytest.mark.parametrize("what", ["version", "options", "library", "note"])
def test_what_changed_is_built_again(
    current: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if what == "options":
        monkeypatch.setenv("CXXFLAGS", "-O1 -g")
    if what == "library":
        (current / LIBRARY_NAME).unlink()
    if what == "note":
        (current / "build.json").write_text("{")
    version = "0.67.1" if what == "version" else None
    with pytest.raises(build_native.BuildError, match="wants to compile"):
        build_native.build(current, libczi=version)
