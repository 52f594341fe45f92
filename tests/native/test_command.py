"""`python build_native.py` as its user sees it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import build_native
from native.compiling import KERNEL, LIBCZI, Project
from native.patching import patch_name
from native.sources import read_sources
from native.stamp import build_key, write_stamp
from native.targets import TARGETS, Target


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
    for word in (
        *("--source", "--output", "--jobs", "--libczi", "--only", "--target", "--wheels"),
        *("0.67.1", "CZICTYPES_CACHE", "windows-arm64"),
    ):
        assert word in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--libczi", "9.9"], "libCZI 9.9 is not among the pinned sources"),
        (["--source", "no-such-folder"], "no-such-folder is not a folder of libCZI"),
        (["--source", ".", "--libczi", "0.67.4"], "exclude each other"),
        (["--only", "kernel", "--libczi", "0.67.4"], "the kernel has none of libCZI"),
        (
            ["--target", "linux-aarch64", "--target", "windows-arm64", "--output", "."],
            "--output is the folder for one platform",
        ),
        (["--target", "amiga-68k"], "no target amiga-68k: choose one of linux-aarch64, "),
    ],
)
def test_a_wish_that_cannot_be_met(root: Path, arguments: list[str], words: str) -> None:
    assert words in assert_one_sentence(run(root, *arguments))


def test_a_number_of_jobs_below_one_is_a_usage_error(root: Path) -> None:
    done = run(root, "--jobs", "0")
    assert done.returncode == 2
    assert "--jobs" in done.stderr


@pytest.fixture
def current(tmp_path: Path) -> Path:
    """An output folder with both libraries, noted as made from the pinned sources."""
    pinned = read_sources()
    version, zstd = pinned.default_libczi, {"zstd": pinned.parts["zstd"]}
    sources = {"libczi": pinned.libczi[version], **pinned.parts}
    for library in (LIBCZI, KERNEL):
        (tmp_path / library.library()).write_bytes(b"a library")
    key = build_key(LIBCZI, None, sources, version, patch_name())
    write_stamp(LIBCZI, tmp_path, key, sources, libczi=version)
    write_stamp(KERNEL, tmp_path, build_key(KERNEL, None, zstd, ""), zstd)
    return tmp_path


BOTH = pytest.mark.parametrize(
    ("library", "build"),
    [(LIBCZI, build_native.build), (KERNEL, build_native.build_kernel)],
    ids=["libczi", "kernel"],
)


@pytest.fixture
def no_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets every attempt to compile fail."""

    def fail(target: Target | None) -> None:
        raise build_native.BuildError("wants to compile")

    monkeypatch.setattr(build_native, "find_toolchain", fail)


@BOTH
@pytest.mark.usefixtures("no_tools")
def test_a_library_that_is_up_to_date_is_not_built_again(
    current: Path, library: Project, build: Callable[..., Path]
) -> None:
    lines: list[str] = []
    assert build(current, report=lines.append) == current.resolve() / library.library()
    assert lines
    assert lines[-1].endswith("is up to date")


@BOTH
@pytest.mark.usefixtures("no_tools")
@pytest.mark.parametrize("what", ["options", "library", "note"])
def test_what_changed_is_built_again(
    current: Path,
    what: str,
    library: Project,
    build: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if what == "options":
        monkeypatch.setenv("CXXFLAGS", "-O1 -g")
    if what == "library":
        (current / library.library()).unlink()
    if what == "note":
        (current / library.note).write_text("{")
    with pytest.raises(build_native.BuildError, match="wants to compile"):
        build(current)


@pytest.mark.usefixtures("no_tools")
@pytest.mark.parametrize(
    ("build", "changed"),
    [
        (build_native.build, {"libczi": "0.67.1"}),
        (build_native.build_kernel, {"sanitizer": "thread"}),
    ],
)
def test_another_version_is_built_again(
    current: Path, build: Callable[..., Path], changed: dict[str, str]
) -> None:
    with pytest.raises(build_native.BuildError, match="wants to compile"):
        build(current, **changed)


def test_a_target_has_a_key_that_does_not_depend_on_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def keys() -> list[str]:
        return [build_key(KERNEL, target, {}) for target in (None, *TARGETS.values())]

    before = keys()
    assert len(set(before)) == len(before)
    monkeypatch.setattr("platform.machine", lambda: "another")
    monkeypatch.setenv("CXXFLAGS", "-O1 -g")
    here, *targets = keys()
    assert here != before[0]
    assert targets == before[1:]


@pytest.mark.parametrize(
    ("only", "built"),
    [
        ([], ["libCZI", "kernel"]),
        (["--only", "libczi"], ["libCZI"]),
        (["--only", "kernel"], ["kernel"]),
    ],
)
def test_each_library_can_be_built_alone(
    only: list[str], built: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[tuple[str, Path]] = []

    def noted(name: str) -> Callable[..., None]:
        def build(output: Path, **options: Any) -> None:
            found.append((name, output))

        return build

    monkeypatch.setattr(build_native, "build", noted("libCZI"))
    monkeypatch.setattr(build_native, "build_kernel", noted("kernel"))
    assert build_native.main([*only, "--output", str(tmp_path)]) == 0
    assert found == [(name, tmp_path) for name in built]


def test_a_library_that_is_loaded_gives_way_under_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh, library = tmp_path / "fresh", tmp_path / "kernel.dll"
    fresh.write_bytes(b"new")
    library.write_bytes(b"old")
    replace = Path.replace

    def as_windows_does(self: Path, target: Path) -> Path:
        if target == library and library.exists():
            raise PermissionError(13, "Access is denied", str(self), 5, str(target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", as_windows_does)
    build_native._replace(fresh, library)
    assert library.read_bytes() == b"new"
    (former,) = tmp_path.glob(".kernel.dll.*.old")
    assert former.read_bytes() == b"old"


def test_a_kernel_that_was_built_alone_has_all_that_it_needs(root: Path, tmp_path: Path) -> None:
    done = run(root, "--only", "kernel", "--output", str(tmp_path))
    if "No C++ compiler found" in done.stderr or "reaches no package index" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {
        KERNEL.library(), KERNEL.note, "licenses",
    }  # fmt: skip
    code = (
        "from czictypes.kernel.library import get_kernel; kernel = get_kernel();"
        "print(kernel.path, kernel.lib.czk_abi() == kernel.lib.CZK_ABI)"
    )
    there = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "CZICTYPES_KERNEL": str(tmp_path / KERNEL.library())},
        check=True,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    assert there.stdout.split() == [str(tmp_path / KERNEL.library()), "True"]


def test_the_declarations_of_both_libraries_are_written() -> None:
    assert [path.parent.name for path in build_native.build_declarations()] == ["libczi", "kernel"]
