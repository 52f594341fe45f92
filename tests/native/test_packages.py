"""What goes into the packages; the wheel with the library is what the other tests run on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from pages import ROOT

pytest.importorskip("hatch_vcs", reason="packages are made by hatchling: pip install hatch-vcs")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of the checkout, for a build writes into it, and without git's history."""
    copy = tmp_path_factory.mktemp("packages") / "tree"
    left_out = shutil.ignore_patterns(".git", ".tox", ".venv", ".*_cache", "__pycache__", "build")
    shutil.copytree(ROOT, copy, ignore=left_out)
    return copy


def make(root: Path, kind: str, folder: Path) -> Path:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)],
        cwd=str(root),
        env={**os.environ, "CZICTYPES_NO_NATIVE": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = folder.iterdir()
    return made


def test_the_pure_wheel_has_the_declarations_and_no_library(tree: Path, tmp_path: Path) -> None:
    wheel = make(tree, "wheel", tmp_path)
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as zipped:
        names = zipped.namelist()
    assert {"czictypes/libczi/_declarations.py", "czictypes/kernel/_declarations.py"} <= set(names)
    assert "czictypes/py.typed" in names
    assert not [name for name in names if "_native" in name]
    assert not [name for name in names if name.split("/")[0] in ("native", "tests")]


def test_the_version_is_the_tag(tree: Path, tmp_path: Path) -> None:
    """Here in an archive of the tag, as servers of git make it: no git is needed for it."""
    copy = tmp_path / "archive"
    shutil.copytree(tree, copy)
    (copy / ".git_archival.txt").write_text("node: 00\ndescribe-name: v7.8.9\n", encoding="utf-8")
    wheel = make(copy, "wheel", tmp_path / "wheel")
    assert wheel.name == "czictypes-7.8.9-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as zipped:
        assert zipped.read("czictypes/model/_version.py") == b'__version__ = "7.8.9"\n'


def test_a_folder_above_that_git_would_ignore_changes_nothing(tree: Path, tmp_path: Path) -> None:
    copy = tmp_path / "build" / "czictypes"
    copy.mkdir(parents=True)
    for name in (".gitignore", "pyproject.toml", "README.md", "LICENSE", "build_native.py"):
        shutil.copy(tree / name, copy)
    ignored = shutil.ignore_patterns("__pycache__", "_native")
    for name in ("czictypes", "native"):
        shutil.copytree(tree / name, copy / name, ignore=ignored)
    (copy / "czictypes" / "_native").mkdir()
    (copy / "czictypes" / "_native" / "libCZIAPI.so").touch()
    for kind, format in (("wheel", "zip"), ("sdist", "gztar")):
        shutil.unpack_archive(make(copy, kind, tmp_path / kind), tmp_path / "unpacked", format)
    names = {path.name for path in (tmp_path / "unpacked").rglob("*")}
    assert "czictypes" in names
    assert "_native" not in names


def test_the_source_distribution_can_build_and_has_nothing_that_was_built(
    tree: Path, tmp_path: Path
) -> None:
    with tarfile.open(make(tree, "sdist", tmp_path)) as tar:
        names = {name.split("/", 1)[1] for name in tar.getnames() if "/" in name}
    for needed in (
        "build_native.py",
        "native/sources.toml",
        "native/hatch_build.py",
        "native/licenses/NOTICE.txt",
        "native/stand_in_backend/setuptools/build_meta.py",
        "native/libczi_c_api/CMakeLists.txt",
        "native/libczi_c_api/libczi_c_api.h",
        "native/kernel/CMakeLists.txt",
        "native/linking.cmake",
        "native/zig.cmake",
        "native/kernel/kernel.h",
        "native/kernel/paint.cpp",
        "LICENSE",
        "README.md",
    ):
        assert needed in names
    assert not [name for name in names if name.endswith((".so", ".dylib", ".dll"))]
    assert not [name for name in names if name.endswith("/_declarations.py")]
